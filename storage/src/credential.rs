//! SMTP credentials: what programs sign in with to submit mail, and what each may do.

use crate::{CredentialId, DomainId, StorageError, WorkspaceId};
use aws_lc_rs::hmac;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Makes and checks the stored form of secrets: HMAC-SHA-256 over login and secret.
///
/// A secret has 160 random bits, so that nothing is gained by a slow hash; and since the key is not in the database, who
/// reads that cannot even check a guess.
pub struct SecretKey(hmac::Key);

impl SecretKey {
    /// From a key that is derived for this purpose.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> SecretKey {
        SecretKey(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The stored form.
    #[must_use]
    pub fn tag(&self, login: &str, secret: &str) -> Vec<u8> {
        hmac::sign(&self.0, &bound(login, secret)).as_ref().to_vec()
    }

    /// Whether the secret is the one; takes as long either way.
    #[must_use]
    pub fn is_right(&self, login: &str, secret: &str, tag: &[u8]) -> bool {
        hmac::verify(&self.0, &bound(login, secret), tag).is_ok()
    }
}

/// Binds the secret to its login, so that a row's tag is worth nothing in another row.
fn bound(login: &str, secret: &str) -> Vec<u8> {
    [login.as_bytes(), b"\0", secret.as_bytes()].concat()
}

/// A credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Id.
    pub id: CredentialId,
    /// The workspace it submits for.
    pub workspace_id: WorkspaceId,
    /// What it is for.
    pub name: String,
    /// The user name to sign in with.
    pub login: String,
    /// [`SecretKey::tag`] of its secret.
    pub secret_tag: Vec<u8>,
    /// The stream of its mail.
    pub stream: String,
    /// Whether it may send from every sending domain of the workspace.
    pub all_domains: bool,
    /// Messages that it may submit in a minute; no limit when `None`.
    pub messages_per_minute: Option<u32>,
    /// Whether it works.
    pub enabled: bool,
    /// When made.
    pub created_ms: i64,
    /// When last used, to the minute.
    pub last_used_ms: Option<i64>,
}

/// A credential to store.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The workspace it submits for.
    pub workspace_id: WorkspaceId,
    /// What it is for.
    pub name: String,
    /// The user name to sign in with.
    pub login: String,
    /// [`SecretKey::tag`] of its secret.
    pub secret_tag: Vec<u8>,
    /// What it may do.
    pub rights: Rights,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
}

/// What a credential may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The stream of its mail.
    pub stream: String,
    /// The sending domains that it may use; every one of the workspace when `None`.
    pub domains: Option<Vec<DomainId>>,
    /// Messages that it may submit in a minute; no limit when `None`.
    pub messages_per_minute: Option<u32>,
    /// Whether it works.
    pub enabled: bool,
}

const INSERT: &str = "
    INSERT INTO smtp_credential (workspace_id, name, login, secret_tag, stream, all_domains, messages_per_minute, enabled,
        created_by, created_ms)
    VALUES (:workspace_id, :name, :login, :secret_tag, :stream, :all_domains, :messages_per_minute, :enabled,
        :created_by, :created_ms)";

/// Stores a credential.
///
/// # Errors
/// `Exists` when the workspace has one of this name.
pub fn insert(tx: &Connection, new: &NewCredential) -> Result<CredentialId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": new.workspace_id,
        ":name": new.name,
        ":login": new.login,
        ":secret_tag": new.secret_tag,
        ":stream": new.rights.stream,
        ":all_domains": new.rights.domains.is_none(),
        ":messages_per_minute": new.rights.messages_per_minute,
        ":enabled": new.rights.enabled,
        ":created_by": new.created_by,
        ":created_ms": new.created_ms,
    })?;
    let id = CredentialId(tx.last_insert_rowid());
    add_domains(tx, new.workspace_id, id, new.rights.domains.as_deref())?;
    Ok(id)
}

// A domain of another workspace is not added: the credential could not sign for it.
const ADD_DOMAIN: &str = "
    INSERT INTO smtp_credential_domain (credential_id, domain_id, workspace_id)
    SELECT :credential_id, id, workspace_id FROM domain WHERE id = :domain_id AND workspace_id = :workspace_id";

fn add_domains(
    tx: &Connection,
    workspace: WorkspaceId,
    id: CredentialId,
    domains: Option<&[DomainId]>,
) -> Result<(), StorageError> {
    for domain in domains.unwrap_or_default() {
        tx.prepare_cached(ADD_DOMAIN)?
            .execute(named_params! { ":credential_id": id, ":domain_id": domain, ":workspace_id": workspace })?;
    }
    Ok(())
}

const UPDATE: &str = "
    UPDATE smtp_credential
    SET stream = :stream, all_domains = :all_domains, messages_per_minute = :messages_per_minute, enabled = :enabled
    WHERE id = :id AND workspace_id = :workspace_id";
const CLEAR_DOMAINS: &str = "
    DELETE FROM smtp_credential_domain WHERE credential_id = :id AND workspace_id = :workspace_id";

/// Changes what a credential may do; `false` when there is none.
///
/// # Errors
/// The database's.
pub fn update(
    tx: &Connection,
    workspace: WorkspaceId,
    id: CredentialId,
    rights: &Rights,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":stream": rights.stream,
        ":all_domains": rights.domains.is_none(),
        ":messages_per_minute": rights.messages_per_minute,
        ":enabled": rights.enabled,
    })?;
    if changed == 0 {
        return Ok(false);
    }
    tx.prepare_cached(CLEAR_DOMAINS)?.execute(named_params! { ":id": id, ":workspace_id": workspace })?;
    add_domains(tx, workspace, id, rights.domains.as_deref())?;
    Ok(true)
}

macro_rules! columns {
    () => {
        "id, workspace_id, name, login, secret_tag, stream, all_domains, messages_per_minute, enabled, created_ms, \
         last_used_ms"
    };
}

const FIND: &str =
    concat!("SELECT ", columns!(), " FROM smtp_credential WHERE id = :id AND workspace_id = :workspace_id");

/// One credential.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: CredentialId) -> Result<Option<Credential>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const FIND_BY_LOGIN: &str = concat!("SELECT ", columns!(), " FROM smtp_credential WHERE login = :login");

/// The credential with this login, in whatever workspace: the credential says in which.
///
/// # Errors
/// The database's.
pub fn find_by_login(c: &Connection, login: &str) -> Result<Option<Credential>, StorageError> {
    Ok(c.prepare_cached(FIND_BY_LOGIN)?.query_row(named_params! { ":login": login }, read).optional()?)
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM smtp_credential WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit"
);

/// Credentials of the workspace, newest first, with ids below `before`.
///
/// # Errors
/// The database's.
pub fn list(c: &Connection, workspace: WorkspaceId, before: i64, limit: u32) -> Result<Vec<Credential>, StorageError> {
    let mut statement = c.prepare_cached(LIST)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ALL_DOMAINS: &str = "SELECT id, domain FROM domain WHERE workspace_id = :workspace_id ORDER BY domain";
const ITS_DOMAINS: &str = "
    SELECT d.id, d.domain FROM smtp_credential_domain AS c JOIN domain AS d ON d.id = c.domain_id
    WHERE c.credential_id = :id AND c.workspace_id = :workspace_id AND d.workspace_id = :workspace_id
    ORDER BY d.domain";

/// The sending domains that a credential may use now, with their names.
///
/// # Errors
/// The database's.
pub fn domains(c: &Connection, credential: &Credential) -> Result<Vec<(DomainId, String)>, StorageError> {
    let workspace = credential.workspace_id;
    let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    if credential.all_domains {
        let mut statement = c.prepare_cached(ALL_DOMAINS)?;
        let rows = statement.query_map(named_params! { ":workspace_id": workspace }, pair)?;
        return Ok(rows.collect::<Result<_, _>>()?);
    }
    let mut statement = c.prepare_cached(ITS_DOMAINS)?;
    let rows = statement.query_map(named_params! { ":id": credential.id, ":workspace_id": workspace }, pair)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const DELETE: &str = "DELETE FROM smtp_credential WHERE id = :id AND workspace_id = :workspace_id";

/// Takes a credential back; `false` when there was none.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: CredentialId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

const USED: &str = "UPDATE smtp_credential SET last_used_ms = ?2 WHERE id = ?1";

/// Notes that a credential was used.
///
/// # Errors
/// The database's.
pub fn used(tx: &Connection, id: CredentialId, now_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(USED)?.execute(params![id, now_ms])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        name: row.get(2)?,
        login: row.get(3)?,
        secret_tag: row.get(4)?,
        stream: row.get(5)?,
        all_domains: row.get(6)?,
        messages_per_minute: row.get(7)?,
        enabled: row.get(8)?,
        created_ms: row.get(9)?,
        last_used_ms: row.get(10)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[INSERT, ADD_DOMAIN, UPDATE, CLEAR_DOMAINS, FIND, FIND_BY_LOGIN, LIST, ALL_DOMAINS, ITS_DOMAINS, DELETE, USED];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage, domain};

    fn new(name: &str, login: &str, domains: Option<Vec<DomainId>>) -> NewCredential {
        NewCredential {
            workspace_id: WorkspaceId::MAIN,
            name: name.to_owned(),
            login: login.to_owned(),
            secret_tag: vec![1, 2, 3],
            rights: Rights {
                stream: "transactional".to_owned(),
                domains,
                messages_per_minute: Some(60),
                enabled: true,
            },
            created_by: "ana@example.com".to_owned(),
            created_ms: 1,
        }
    }

    #[test]
    fn a_tag_is_for_one_login_secret_and_key() {
        let key = SecretKey::new(&[1; 32]);
        let tag = key.tag("pb1", "secret");
        assert!(key.is_right("pb1", "secret", &tag));
        for (key, login, secret) in [
            (&key, "pb2", "secret"),
            (&key, "pb1", "Secret"),
            (&key, "pb1s", "ecret"),
            (&SecretKey::new(&[2; 32]), "pb1", "secret"),
        ] {
            assert!(!key.is_right(login, secret, &tag), "{login} {secret}");
        }
        assert!(!key.is_right("pb1", "secret", &[]));
    }

    #[tokio::test]
    async fn domains_follow_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let write = |tx: &rusqlite::Transaction<'_>| {
            let a = domain::insert(tx, WorkspaceId::MAIN, ("a.example", "bounce.a.example"), &[], 1)?;
            let b = domain::insert(tx, WorkspaceId::MAIN, ("b.example", "bounce.b.example"), &[], 1)?;
            insert(tx, &new("one", "pb1", Some(vec![a, DomainId(99)])))?;
            insert(tx, &new("all", "pb2", None))?;
            Ok((a, b))
        };
        let (a, b) = storage.main().write(write).await.unwrap();
        let names = || {
            let found = storage.read_blocking(|c| {
                let credentials = list(c, WorkspaceId::MAIN, i64::MAX, 10)?;
                credentials.iter().map(|found| domains(c, found)).collect::<Result<Vec<_>, _>>()
            });
            let found = found.unwrap();
            let of = |n: usize| found[n].iter().map(|(_, name)| name.clone()).collect::<Vec<_>>().join(" ");
            format!("all: {}, one: {}", of(0), of(1))
        };
        assert_eq!(names(), "all: a.example b.example, one: a.example");
        // Losing its last domain does not open the others to it.
        storage.main().write(move |tx| domain::delete(tx, WorkspaceId::MAIN, a)).await.unwrap();
        assert_eq!(names(), "all: b.example, one: ");
        let rights =
            Rights { stream: "bulk".to_owned(), domains: Some(vec![b]), messages_per_minute: None, enabled: false };
        let one = storage.read_blocking(|c| find_by_login(c, "pb1")).unwrap().unwrap();
        let (id, changed) = (one.id, rights.clone());
        assert!(storage.main().write(move |tx| update(tx, WorkspaceId::MAIN, id, &changed)).await.unwrap());
        assert!(!storage.main().write(move |tx| update(tx, WorkspaceId(2), id, &rights)).await.unwrap());
        assert_eq!(names(), "all: b.example, one: b.example");
        let one = storage.read_blocking(|c| find(c, WorkspaceId::MAIN, id)).unwrap().unwrap();
        assert_eq!((one.stream.as_str(), one.messages_per_minute, one.enabled), ("bulk", None, false));
        let twice = storage.main().write(|tx| insert(tx, &new("one", "pb3", None))).await;
        assert!(matches!(twice, Err(StorageError::Exists)));
        assert!(storage.main().write(move |tx| delete(tx, WorkspaceId::MAIN, id)).await.unwrap());
        assert!(storage.read_blocking(|c| find_by_login(c, "pb1")).unwrap().is_none());
    }
}
