//! Requests that may come again: the answer is written in the commit of what it tells, so that of two that come at
//! once one does the work and the other gets the same answer.

use crate::{StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params, params};

/// How long an answer is kept.
pub const KEPT_MS: i64 = 24 * 3_600_000;

/// A request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Who asks, for example `key:7`.
    pub asker: String,
    /// What the asker calls the request.
    pub key: String,
    /// SHA-256 of the request.
    pub hash: [u8; 32],
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is new.
    No,
    /// It was answered.
    Answer(String),
    /// Another request had this key.
    Other,
}

const FIND: &str = "
    SELECT request_hash, answer FROM idempotency
    WHERE workspace_id = :workspace_id AND asker = :asker AND key = :key AND created_ms > :after_ms";

/// Looks a request up. Belongs into the transaction that will [`keep`] its answer.
///
/// # Errors
/// The database's.
pub fn known(tx: &Connection, request: &Request, now_ms: i64) -> Result<Known, StorageError> {
    let values = named_params! {
        ":workspace_id": request.workspace_id,
        ":asker": request.asker,
        ":key": request.key,
        ":after_ms": now_ms - KEPT_MS,
    };
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?));
    Ok(match tx.prepare_cached(FIND)?.query_row(values, read).optional()? {
        None => Known::No,
        Some((hash, answer)) if hash == request.hash => Known::Answer(answer),
        Some(_) => Known::Other,
    })
}

// One that is over but not yet deleted makes room.
const KEEP: &str = "
    INSERT OR REPLACE INTO idempotency (workspace_id, asker, key, request_hash, answer, created_ms)
    VALUES (:workspace_id, :asker, :key, :request_hash, :answer, :created_ms)";

/// Keeps the answer to a request.
///
/// # Errors
/// The database's.
pub fn keep(tx: &Connection, request: &Request, answer: &str, now_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(KEEP)?.execute(named_params! {
        ":workspace_id": request.workspace_id,
        ":asker": request.asker,
        ":key": request.key,
        ":request_hash": request.hash,
        ":answer": answer,
        ":created_ms": now_ms,
    })?;
    Ok(())
}

const FORGET: &str = "
    DELETE FROM idempotency
    WHERE id IN (SELECT id FROM idempotency ORDER BY id LIMIT ?2) AND created_ms < ?1";

/// Deletes at most `limit` of the oldest answers that were kept before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[FIND, KEEP, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    fn request(asker: &str, hash: u8) -> Request {
        Request { workspace_id: WorkspaceId::MAIN, asker: asker.to_owned(), key: "k".to_owned(), hash: [hash; 32] }
    }

    #[test]
    fn an_answer_is_kept_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let write = |work: fn(&rusqlite::Transaction<'_>) -> Result<usize, StorageError>| {
            storage.queue().write_blocking(work).unwrap()
        };
        write(|tx| keep(tx, &request("key:1", 1), "first", 0).map(|()| 0));
        let known = |request: Request, now_ms| storage.read_blocking(|c| known(c, &request, now_ms)).unwrap();
        for (asker, hash, now_ms, expected) in [
            ("key:1", 1, 0, Known::Answer("first".to_owned())),
            ("key:1", 1, KEPT_MS - 1, Known::Answer("first".to_owned())),
            ("key:1", 2, 0, Known::Other),
            ("key:2", 1, 0, Known::No),
            ("key:1", 1, KEPT_MS, Known::No),
            ("key:1", 2, KEPT_MS, Known::No),
        ] {
            assert_eq!(known(request(asker, hash), now_ms), expected, "{asker} {hash} {now_ms}");
        }
        write(|tx| keep(tx, &request("key:1", 2), "second", KEPT_MS).map(|()| 0));
        assert_eq!(known(request("key:1", 2), KEPT_MS), Known::Answer("second".to_owned()));
        assert_eq!(write(|tx| forget(tx, KEPT_MS, 10)), 0);
        assert_eq!(write(|tx| forget(tx, KEPT_MS + 1, 10)), 1);
    }
}
