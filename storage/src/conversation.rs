//! What was said over the wire with a recipient's message, command by command, without its content.
//!
//! Kept for a time and up to a size: the oldest go first.

use crate::{RecipientId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use std::collections::HashMap;

/// A conversation to keep.
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// When it ended.
    pub at_ms: i64,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// The recipient whose message it was about.
    pub recipient_id: RecipientId,
    /// Egress source.
    pub source: String,
    /// The host at the other end.
    pub mx: String,
    /// What came of it, in a word.
    pub outcome: &'static str,
    /// What was said.
    pub text: String,
}

/// A conversation as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// When it ended.
    pub at_ms: i64,
    /// Egress source.
    pub source: String,
    /// The host at the other end.
    pub mx: String,
    /// What came of it, in a word.
    pub outcome: String,
    /// What was said.
    pub text: String,
}

const INSERT: &str = "
    INSERT INTO conversation (at_ms, workspace_id, recipient_id, source, mx, outcome, text, bytes)
    VALUES (:at_ms, :workspace_id, :recipient_id, :source, :mx, :outcome, :text, :bytes)";
const GROW: &str = "
    INSERT INTO conversation_size (workspace_id, bytes) VALUES (?1, ?2)
    ON CONFLICT (workspace_id) DO UPDATE SET bytes = bytes + excluded.bytes";

/// Keeps conversations.
///
/// # Errors
/// The database's.
pub fn keep(tx: &Connection, all: &[NewConversation]) -> Result<(), StorageError> {
    let mut insert = tx.prepare_cached(INSERT)?;
    let mut grown: HashMap<WorkspaceId, i64> = HashMap::new();
    for new in all {
        let bytes = i64::try_from(new.text.len()).unwrap_or(i64::MAX);
        insert.execute(named_params! {
            ":at_ms": new.at_ms,
            ":workspace_id": new.workspace_id,
            ":recipient_id": new.recipient_id,
            ":source": new.source,
            ":mx": new.mx,
            ":outcome": new.outcome,
            ":text": new.text,
            ":bytes": bytes,
        })?;
        *grown.entry(new.workspace_id).or_default() += bytes;
    }
    for (workspace, bytes) in grown {
        tx.prepare_cached(GROW)?.execute(params![workspace, bytes])?;
    }
    Ok(())
}

const OF_RECIPIENT: &str = "
    SELECT at_ms, source, mx, outcome, text FROM conversation
    WHERE recipient_id = :recipient_id AND workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit";

/// A recipient's conversations, newest first.
///
/// # Errors
/// The database's.
pub fn of_recipient(
    connection: &Connection,
    workspace: WorkspaceId,
    recipient: RecipientId,
    limit: u32,
) -> Result<Vec<Conversation>, StorageError> {
    let mut statement = connection.prepare_cached(OF_RECIPIENT)?;
    let values = named_params! { ":recipient_id": recipient, ":workspace_id": workspace, ":limit": limit };
    let rows = statement.query_map(values, |row| {
        Ok(Conversation {
            at_ms: row.get(0)?,
            source: row.get(1)?,
            mx: row.get(2)?,
            outcome: row.get(3)?,
            text: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const SIZE: &str = "SELECT coalesce(sum(bytes), 0) FROM conversation_size";
// Ids ascend with time, so the old ones are in front.
const FORGET: &str = "
    DELETE FROM conversation WHERE id IN (SELECT id FROM conversation ORDER BY id LIMIT ?2) AND at_ms < ?1
    RETURNING workspace_id, bytes";

/// Deletes at most `limit` of the oldest conversations: those from before `before_ms`, and, where all together have more
/// than `bytes_max`, any. Says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, bytes_max: u64, limit: u32) -> Result<usize, StorageError> {
    let size: i64 = tx.prepare_cached(SIZE)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0);
    let before_ms = if u64::try_from(size).unwrap_or(0) > bytes_max { i64::MAX } else { before_ms };
    let mut statement = tx.prepare_cached(FORGET)?;
    let rows = statement.query_map(params![before_ms, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let gone: Vec<(WorkspaceId, i64)> = rows.collect::<Result<_, _>>()?;
    for (workspace, bytes) in &gone {
        tx.prepare_cached(GROW)?.execute(params![workspace, -bytes])?;
    }
    Ok(gone.len())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, GROW, OF_RECIPIENT, SIZE, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    #[test]
    fn kept_for_a_time_and_up_to_a_size() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let new = |n: i64| NewConversation {
            at_ms: n * 1000,
            workspace_id: WorkspaceId::MAIN,
            recipient_id: RecipientId(n % 2),
            source: "mx1".to_owned(),
            mx: "mx.d.example".to_owned(),
            outcome: "deferred",
            text: "x".repeat(100),
        };
        storage.events().write_blocking(move |tx| keep(tx, &(1..=10).map(new).collect::<Vec<_>>())).unwrap();
        let of = |id| storage.read_blocking(|c| of_recipient(c, WorkspaceId::MAIN, RecipientId(id), 10)).unwrap();
        assert_eq!(of(1).iter().map(|c| c.at_ms).collect::<Vec<_>>(), [9000, 7000, 5000, 3000, 1000]);
        let forget = |before_ms, bytes_max| {
            storage.events().write_blocking(move |tx| super::forget(tx, before_ms, bytes_max, 3)).unwrap()
        };
        assert_eq!([forget(3000, 10_000), forget(3000, 10_000)], [2, 0], "by age");
        assert_eq!([forget(0, 550), forget(0, 550)], [3, 0], "by size: eight of a hundred bytes, then five");
        assert_eq!(of(1).len() + of(0).len(), 5);
        assert_eq!(storage.read_blocking(|c| of_recipient(c, WorkspaceId(2), RecipientId(1), 10)).unwrap(), []);
    }
}
