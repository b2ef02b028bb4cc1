//! Sessions of the console, and the one-time links that begin one without a password.
//!
//! Both are random tokens stored as their hash (`secret_hash`): who reads the database cannot sign in with it.

use crate::user::parse_role;
use crate::{StorageError, UserId, WorkspaceId};
use api_types::Role;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A session to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// `secret_hash` of the cookie's value.
    pub token_hash: [u8; 32],
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// What every changing request must repeat.
    pub csrf_token: String,
    /// Now.
    pub created_ms: i64,
    /// When it ends unless it is used.
    pub expires_ms: i64,
}

/// A session with the person behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// What every changing request must repeat.
    pub csrf_token: String,
    /// When it was last used, to the minute.
    pub seen_ms: i64,
    /// The person's address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The person's role now: a change takes effect at the next request.
    pub role: Role,
}

const INSERT: &str = "
    INSERT INTO session (token_hash, user_id, workspace_id, csrf_token, created_ms, seen_ms, expires_ms)
    VALUES (:token_hash, :user_id, :workspace_id, :csrf_token, :created_ms, :created_ms, :expires_ms)";

/// Begins a session.
///
/// # Errors
/// The database's.
pub fn insert(tx: &Connection, session: &NewSession) -> Result<(), StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":token_hash": session.token_hash,
        ":user_id": session.user_id,
        ":workspace_id": session.workspace_id,
        ":csrf_token": session.csrf_token,
        ":created_ms": session.created_ms,
        ":expires_ms": session.expires_ms,
    })?;
    Ok(())
}

const FIND: &str = "
    SELECT s.user_id, s.workspace_id, s.csrf_token, s.seen_ms, u.email, u.name, u.role
    FROM session s JOIN user u ON u.id = s.user_id
    WHERE s.token_hash = :token_hash AND s.expires_ms > :now_ms";

/// The session of a token, unless it is over.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, token_hash: &[u8; 32], now_ms: i64) -> Result<Option<Session>, StorageError> {
    let read = |row: &Row<'_>| -> Result<Session, StorageError> {
        Ok(Session {
            user_id: row.get(0)?,
            workspace_id: row.get(1)?,
            csrf_token: row.get(2)?,
            seen_ms: row.get(3)?,
            email: row.get(4)?,
            name: row.get(5)?,
            role: parse_role(&row.get::<_, String>(6)?)?,
        })
    };
    tx.prepare_cached(FIND)?
        .query_row(named_params! { ":token_hash": token_hash, ":now_ms": now_ms }, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

const SEEN: &str = "UPDATE session SET seen_ms = :now_ms, expires_ms = :expires_ms WHERE token_hash = :token_hash";

/// Notes that a session was used, which prolongs it.
///
/// # Errors
/// The database's.
pub fn seen(tx: &Connection, token_hash: &[u8; 32], now_ms: i64, expires_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(SEEN)?.execute(named_params! {
        ":token_hash": token_hash, ":now_ms": now_ms, ":expires_ms": expires_ms,
    })?;
    Ok(())
}

const DELETE: &str = "DELETE FROM session WHERE token_hash = :token_hash";

/// Ends a session.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, token_hash: &[u8; 32]) -> Result<(), StorageError> {
    tx.prepare_cached(DELETE)?.execute(named_params! { ":token_hash": token_hash })?;
    Ok(())
}

const DELETE_EXPIRED: &str = "DELETE FROM session WHERE expires_ms <= :now_ms";
const DELETE_EXPIRED_LINKS: &str = "DELETE FROM sign_in_link WHERE expires_ms <= :now_ms";

/// Forgets sessions and links that are over; answers how many.
///
/// # Errors
/// The database's.
pub fn delete_expired(tx: &Connection, now_ms: i64) -> Result<usize, StorageError> {
    let sessions = tx.prepare_cached(DELETE_EXPIRED)?.execute(named_params! { ":now_ms": now_ms })?;
    let links = tx.prepare_cached(DELETE_EXPIRED_LINKS)?.execute(named_params! { ":now_ms": now_ms })?;
    Ok(sessions + links)
}

const INSERT_LINK: &str = "
    INSERT INTO sign_in_link (token_hash, user_id, expires_ms) VALUES (:token_hash, :user_id, :expires_ms)";

/// Stores a one-time link.
///
/// # Errors
/// The database's.
pub fn insert_link(tx: &Connection, token_hash: &[u8; 32], user: UserId, expires_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(INSERT_LINK)?.execute(named_params! {
        ":token_hash": token_hash, ":user_id": user, ":expires_ms": expires_ms,
    })?;
    Ok(())
}

const TAKE_LINK: &str = "
    DELETE FROM sign_in_link WHERE token_hash = :token_hash AND expires_ms > :now_ms RETURNING user_id";
const LINK_OWNER: &str = "SELECT workspace_id FROM user WHERE id = :id";

/// Uses a link up. `None` when there is none, it was used, or its time is over.
///
/// # Errors
/// The database's.
pub fn take_link(
    tx: &Connection,
    token_hash: &[u8; 32],
    now_ms: i64,
) -> Result<Option<(WorkspaceId, UserId)>, StorageError> {
    let user: Option<UserId> = tx
        .prepare_cached(TAKE_LINK)?
        .query_row(named_params! { ":token_hash": token_hash, ":now_ms": now_ms }, |row| row.get(0))
        .optional()?;
    let Some(user) = user else { return Ok(None) };
    let workspace =
        tx.prepare_cached(LINK_OWNER)?.query_row(named_params! { ":id": user }, |row| row.get(0)).optional()?;
    Ok(workspace.map(|workspace| (workspace, user)))
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[INSERT, FIND, SEEN, DELETE, DELETE_EXPIRED, DELETE_EXPIRED_LINKS, INSERT_LINK, TAKE_LINK, LINK_OWNER];

#[cfg(test)]
mod tests {
    use crate::user::{self, NewUser};
    use crate::{OpenOptions, Storage, WorkspaceId, secret_hash, session};
    use api_types::Role;

    fn user() -> NewUser {
        NewUser {
            workspace_id: WorkspaceId::MAIN,
            email: "ana@example.com".to_owned(),
            name: String::new(),
            password_hash: String::new(),
            role: Role::Owner,
            created_ms: 1,
        }
    }

    #[tokio::test]
    async fn a_link_is_used_once_and_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let id = storage.main().write(|tx| user::insert(tx, &user())).await.unwrap();
        for (token, now_ms, expected) in [("a", 50, true), ("a", 50, false), ("b", 100, false), ("c", 50, false)] {
            let hash = secret_hash(token);
            if token == "b" || (token == "a" && expected) {
                storage.main().write(move |tx| session::insert_link(tx, &hash, id, 100)).await.unwrap();
            }
            let taken = storage.main().write(move |tx| session::take_link(tx, &hash, now_ms)).await.unwrap();
            assert_eq!(taken.is_some(), expected, "{token} at {now_ms}");
        }
    }

    #[tokio::test]
    async fn a_session_lasts_until_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let id = storage.main().write(|tx| user::insert(tx, &user())).await.unwrap();
        let hash = secret_hash("t");
        let new = session::NewSession {
            token_hash: hash,
            user_id: id,
            workspace_id: WorkspaceId::MAIN,
            csrf_token: "x".to_owned(),
            created_ms: 0,
            expires_ms: 100,
        };
        storage.main().write(move |tx| session::insert(tx, &new)).await.unwrap();
        let found = |now_ms| storage.read_blocking(|c| session::find(c, &hash, now_ms)).unwrap();
        assert_eq!(found(99).unwrap().role, Role::Owner);
        assert_eq!(found(100), None);
        assert_eq!(storage.main().write(|tx| session::delete_expired(tx, 100)).await.unwrap(), 1);
    }
}
