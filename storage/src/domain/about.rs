//! Which of our domains somebody speaks of.

use crate::{StorageError, WorkspaceId};
use rusqlite::{Connection, named_params, params};

/// Domains of ours that one report can be about.
const FOUND_MAX: u32 = 50;

/// A sending domain, as far as it takes to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDomain {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The name.
    pub domain: String,
    /// Domain of the return path.
    pub return_path_domain: String,
}

// A few hundred rows at most are looked through, when a report comes.
const ABOUT: &str = "
    SELECT workspace_id, domain, return_path_domain FROM domain
    WHERE domain = :name OR return_path_domain = :name
        OR substr(domain, -length(:name) - 1) = '.' || :name
        OR substr(:name, -length(domain) - 1) = '.' || domain
    ORDER BY domain = :name DESC, id LIMIT :limit";

/// The domains of every workspace that `name` is the name of, or that lie below or above it; the one of that name first.
///
/// # Errors
/// The database's.
pub fn about(c: &Connection, name: &str) -> Result<Vec<OwnDomain>, StorageError> {
    let mut statement = c.prepare_cached(ABOUT)?;
    let rows = statement.query_map(named_params! { ":name": name, ":limit": FOUND_MAX }, |row| {
        Ok(OwnDomain { workspace_id: row.get(0)?, domain: row.get(1)?, return_path_domain: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const HAS_KEY: &str = "
    SELECT EXISTS (SELECT 1 FROM domain d JOIN dkim_key k ON k.domain_id = d.id
        WHERE d.workspace_id = ?1 AND d.domain = ?2 AND k.selector = ?3)";

/// Whether a domain of the workspace has a signing key with this selector, in whatever step it is.
///
/// # Errors
/// The database's.
pub fn has_key(c: &Connection, workspace: WorkspaceId, domain: &str, selector: &str) -> Result<bool, StorageError> {
    Ok(c.prepare_cached(HAS_KEY)?.query_row(params![workspace, domain, selector], |row| row.get(0))?)
}

const NAMES: &str = "SELECT id, workspace_id, domain FROM domain WHERE id > :after ORDER BY id LIMIT :limit";

/// Names of the domains of every workspace with ids above `after`: id, owner, name.
///
/// # Errors
/// The database's.
pub fn names(c: &Connection, after: i64, limit: u32) -> Result<Vec<(i64, WorkspaceId, String)>, StorageError> {
    let mut statement = c.prepare_cached(NAMES)?;
    let rows = statement.query_map(named_params! { ":after": after, ":limit": limit }, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ABOUT, HAS_KEY, NAMES];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage, domain};

    #[tokio::test]
    async fn domains_are_known_by_their_names_and_those_around() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let add = |tx: &crate::Transaction<'_>| {
            for name in ["news.shop.example", "shop.example", "other.example"] {
                domain::insert(tx, WorkspaceId::MAIN, (name, &format!("bounce.{name}")), &[], 0)?;
            }
            Ok(())
        };
        storage.main().write(add).await.unwrap();
        for (name, expected) in [
            ("shop.example", "shop.example news.shop.example"),
            ("news.shop.example", "news.shop.example shop.example"),
            ("x.news.shop.example", "news.shop.example shop.example"),
            ("bounce.other.example", "other.example"),
            ("another.example", ""),
            ("er.example", ""),
        ] {
            let found = storage.read(move |c| about(c, name)).await.unwrap();
            let names: Vec<_> = found.iter().map(|own| own.domain.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{name}");
        }
        assert_eq!(storage.read(|c| names(c, 1, 10)).await.unwrap().len(), 2);
    }
}
