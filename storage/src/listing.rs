//! Listings on blocklists, of sources and of sending domains: those that are, and those that were. Belongs into
//! events.db.

use crate::source_check::Level;
use crate::words::{count, word};
use crate::{Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, Row, named_params, params};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A source; the host's, of no workspace.
    Source,
    /// A sending domain.
    Domain,
}

impl Subject {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Subject::Source => "source",
            Subject::Domain => "domain",
        }
    }

    /// The subject of a stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Subject> {
        [Subject::Source, Subject::Domain].into_iter().find(|subject| subject.as_str() == text)
    }
}

/// What a list said at a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Name of the list.
    pub list: String,
    /// How that stands: `Warning` and `Bad` are listings, `Good` is none; the others say nothing.
    pub level: Level,
    /// What it said, for people.
    pub found: String,
    /// What to do; empty where nothing is.
    pub advice: String,
}

/// A listing, open or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Id.
    pub id: i64,
    /// What sort of thing.
    pub subject: Subject,
    /// Name of the source, or the domain.
    pub name: String,
    /// Name of the list.
    pub list: String,
    /// What the list said last.
    pub found: String,
    /// What to do.
    pub advice: String,
    /// When it was first seen.
    pub began_ms: i64,
    /// When it was last seen.
    pub seen_ms: i64,
    /// When it was first seen to be gone.
    pub gone_ms: Option<i64>,
}

/// What began and ended at a look: what each list said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New listings.
    pub began: Vec<String>,
    /// Listings that are gone.
    pub ended: Vec<String>,
}

const SEEN: &str = "
    UPDATE listing SET seen_ms = :now_ms, found = :found, advice = :advice
    WHERE workspace_id = :workspace_id AND subject = :subject AND name = :name AND list = :list AND gone_ms IS NULL";
const BEGIN: &str = "
    INSERT INTO listing (workspace_id, subject, name, list, found, advice, began_ms, seen_ms)
    VALUES (:workspace_id, :subject, :name, :list, :found, :advice, :now_ms, :now_ms)";
const END: &str = "
    UPDATE listing SET gone_ms = :now_ms
    WHERE workspace_id = :workspace_id AND subject = :subject AND name = :name AND list = :list AND gone_ms IS NULL";

/// Notes what lists said about a source or domain; says what began and what ended. A list that did not answer changes
/// nothing.
///
/// # Errors
/// The database's.
pub fn note(
    tx: &Connection,
    workspace: WorkspaceId,
    (subject, name): (Subject, &str),
    answers: &[Answer],
    now_ms: i64,
) -> Result<Changes, StorageError> {
    let mut changes = Changes::default();
    for answer in answers {
        match answer.level {
            Level::Off | Level::Unsure => {}
            Level::Good => {
                let gone = tx.prepare_cached(END)?.execute(named_params! {
                    ":workspace_id": workspace, ":subject": subject.as_str(), ":name": name, ":list": answer.list,
                    ":now_ms": now_ms,
                })?;
                if gone > 0 {
                    changes.ended.push(answer.found.clone());
                }
            }
            Level::Warning | Level::Bad => {
                let values = named_params! {
                    ":workspace_id": workspace, ":subject": subject.as_str(), ":name": name, ":list": answer.list,
                    ":found": answer.found, ":advice": answer.advice, ":now_ms": now_ms,
                };
                if tx.prepare_cached(SEEN)?.execute(values)? == 0 {
                    tx.prepare_cached(BEGIN)?.execute(values)?;
                    changes.began.push(answer.found.clone());
                }
            }
        }
    }
    Ok(changes)
}

const PAGE: &str = "
    SELECT id, subject, name, list, found, advice, began_ms, seen_ms, gone_ms FROM listing
    WHERE (workspace_id = :workspace_id OR subject = 'source') AND (:name IS NULL OR name = :name)
        AND (:gone OR gone_ms IS NULL) AND id < :before
    ORDER BY id DESC LIMIT :limit";

/// Which listings.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this source or domain only.
    pub name: Option<String>,
    /// Those that are over too.
    pub gone: bool,
}

/// Listings of a workspace's domains and of the sources, with ids below `before` (`i64::MAX` for the first page), newest
/// first.
///
/// # Errors
/// The database's.
pub fn page(
    c: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    before: i64,
    limit: u32,
) -> Result<Vec<Listing>, StorageError> {
    let mut statement = c.prepare_cached(PAGE)?;
    let asked = named_params! {
        ":workspace_id": workspace, ":name": filter.name, ":gone": filter.gone, ":before": before, ":limit": limit,
    };
    let rows = statement.query_map(asked, |row| {
        Ok(Listing {
            id: row.get(0)?,
            subject: word(row, 1, Subject::parse)?,
            name: row.get(2)?,
            list: row.get(3)?,
            found: row.get(4)?,
            advice: row.get(5)?,
            began_ms: row.get(6)?,
            seen_ms: row.get(7)?,
            gone_ms: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const OPEN_COUNT: &str = "SELECT count(*) FROM listing WHERE gone_ms IS NULL AND subject = ?1";

/// How many listings there are now, of every workspace.
///
/// # Errors
/// The database's.
pub fn open_count(c: &Connection, subject: Subject) -> Result<u64, StorageError> {
    Ok(c.prepare_cached(OPEN_COUNT)?.query_row([subject.as_str()], |row| count(row, 0))?)
}

// A listing that nobody looks at any more (the source is gone, the list is not asked) is not the present's either.
const FORGET: &str = "
    DELETE FROM listing WHERE id IN (SELECT id FROM listing WHERE seen_ms < ?1 ORDER BY seen_ms LIMIT ?2)";

/// Deletes at most `limit` of the listings that were last seen before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

/// What the last look found out about a domain at a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCheck {
    /// The domain.
    pub domain: String,
    /// What the list said.
    pub answer: Answer,
    /// Since when it stands so.
    pub since_ms: i64,
    /// When it was looked at.
    pub checked_ms: i64,
}

const SAVE_CHECK: &str = "
    INSERT INTO domain_check (workspace_id, domain, list, level, found, advice, since_ms, checked_ms)
    VALUES (:workspace_id, :domain, :list, :level, :found, :advice, :now_ms, :now_ms)
    ON CONFLICT (workspace_id, domain, list) DO UPDATE
    SET level = excluded.level, found = excluded.found, advice = excluded.advice, checked_ms = excluded.checked_ms,
        since_ms = CASE level WHEN excluded.level THEN since_ms ELSE excluded.since_ms END";
const DROP_CHECKS: &str = "DELETE FROM domain_check WHERE workspace_id = ?1 AND domain = ?2 AND checked_ms < ?3";

/// Keeps a whole look at a domain in place of the one before, and notes what began and ended.
///
/// # Errors
/// The database's.
pub fn save_look(
    tx: &Connection,
    workspace: WorkspaceId,
    domain: &str,
    answers: &[Answer],
    now_ms: i64,
) -> Result<Changes, StorageError> {
    for answer in answers {
        tx.prepare_cached(SAVE_CHECK)?.execute(named_params! {
            ":workspace_id": workspace, ":domain": domain, ":list": answer.list, ":level": answer.level.as_str(),
            ":found": answer.found, ":advice": answer.advice, ":now_ms": now_ms,
        })?;
    }
    tx.prepare_cached(DROP_CHECKS)?.execute(params![workspace, domain, now_ms])?;
    note(tx, workspace, (Subject::Domain, domain), answers, now_ms)
}

const CHECKS: &str = "
    SELECT domain, list, level, found, advice, since_ms, checked_ms FROM domain_check
    WHERE workspace_id = :workspace_id AND (domain, list) > (:domain, :list) ORDER BY domain, list LIMIT :limit";

/// What is known of a workspace's domains, by name, from behind a domain's list.
///
/// # Errors
/// The database's.
pub fn checks(
    c: &Connection,
    workspace: WorkspaceId,
    (domain, list): (&str, &str),
    limit: u32,
) -> Result<Vec<DomainCheck>, StorageError> {
    let mut statement = c.prepare_cached(CHECKS)?;
    let asked = named_params! { ":workspace_id": workspace, ":domain": domain, ":list": list, ":limit": limit };
    let rows = statement.query_map(asked, read_check)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_check(row: &Row<'_>) -> rusqlite::Result<DomainCheck> {
    Ok(DomainCheck {
        domain: row.get(0)?,
        answer: Answer {
            list: row.get(1)?,
            level: word(row, 2, Level::parse)?,
            found: row.get(3)?,
            advice: row.get(4)?,
        },
        since_ms: row.get(5)?,
        checked_ms: row.get(6)?,
    })
}

const CHECKED: &str = "SELECT max(checked_ms) FROM domain_check WHERE workspace_id = ?1 AND domain = ?2";

/// When a domain was last looked at.
///
/// # Errors
/// The database's.
pub fn checked_ms(c: &Connection, workspace: WorkspaceId, domain: &str) -> Result<Option<i64>, StorageError> {
    Ok(c.prepare_cached(CHECKED)?.query_row(params![workspace, domain], |row| row.get(0))?)
}

const KNOWN_DOMAINS: &str = "
    SELECT DISTINCT workspace_id, domain FROM domain_check
    UNION SELECT workspace_id, name FROM listing WHERE subject = 'domain' AND gone_ms IS NULL";
const DROP_DOMAIN: &str = "DELETE FROM domain_check WHERE workspace_id = ?1 AND domain = ?2";
const END_DOMAIN: &str = "
    UPDATE listing SET gone_ms = ?3 WHERE workspace_id = ?1 AND subject = 'domain' AND name = ?2 AND gone_ms IS NULL";

/// Ends what is kept of domains that are not among `domains` any more.
///
/// # Errors
/// The database's.
pub fn drop_others(tx: &Connection, domains: &[(WorkspaceId, String)], now_ms: i64) -> Result<(), StorageError> {
    let mut statement = tx.prepare_cached(KNOWN_DOMAINS)?;
    let known = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known: Vec<(WorkspaceId, String)> = known.collect::<Result<_, _>>()?;
    for (workspace, domain) in known.into_iter().filter(|known| !domains.contains(known)) {
        tx.prepare_cached(DROP_DOMAIN)?.execute(params![workspace, domain])?;
        tx.prepare_cached(END_DOMAIN)?.execute(params![workspace, domain, now_ms])?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    SEEN,
    BEGIN,
    END,
    PAGE,
    OPEN_COUNT,
    FORGET,
    SAVE_CHECK,
    DROP_CHECKS,
    CHECKS,
    CHECKED,
    KNOWN_DOMAINS,
    DROP_DOMAIN,
    END_DOMAIN,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    const WS: WorkspaceId = WorkspaceId::MAIN;

    #[test]
    fn listings_have_a_history() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let look = |level: Level, now_ms: i64| {
            let answer =
                Answer { list: "DBL".to_owned(), level, found: level.as_str().to_owned(), advice: String::new() };
            storage.events().write_blocking(move |tx| save_look(tx, WS, "a.example", &[answer], now_ms)).unwrap()
        };
        for (level, now_ms, began, ended) in [
            (Level::Good, 10, 0, 0),
            (Level::Bad, 20, 1, 0),
            (Level::Bad, 30, 0, 0),
            (Level::Unsure, 40, 0, 0),
            (Level::Good, 50, 0, 1),
            (Level::Good, 60, 0, 0),
            (Level::Warning, 70, 1, 0),
        ] {
            let changes = look(level, now_ms);
            assert_eq!((changes.began.len(), changes.ended.len()), (began, ended), "at {now_ms}");
        }
        let told = |gone: bool| {
            let filter = Filter { gone, ..Filter::default() };
            let all = storage.read_blocking(move |c| page(c, WS, &filter, i64::MAX, 10)).unwrap();
            all.iter().map(|one| (one.began_ms, one.seen_ms, one.gone_ms)).collect::<Vec<_>>()
        };
        assert_eq!(told(true), [(70, 70, None), (20, 30, Some(50))]);
        assert_eq!(told(false), [(70, 70, None)]);
        assert_eq!(storage.read_blocking(|c| open_count(c, Subject::Domain)).unwrap(), 1);
        let checks = storage.read_blocking(|c| checks(c, WS, ("", ""), 10)).unwrap();
        assert_eq!((checks.len(), checks[0].since_ms, checks[0].checked_ms), (1, 70, 70));
        // The domain is removed.
        storage.events().write_blocking(|tx| drop_others(tx, &[(WS, "b.example".to_owned())], 80)).unwrap();
        assert_eq!(told(false), []);
        assert_eq!(storage.read_blocking(|c| checked_ms(c, WS, "a.example")).unwrap(), None);
    }
}
