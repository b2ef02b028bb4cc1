//! What was taken from mailboxes elsewhere: remembered until it is no longer there, so that it is taken once.

use crate::StorageError;
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// So many are remembered of one mailbox: more than that are not left lying in one.
pub const SEEN_MAX: u32 = 100_000;

const ADD: &str = "INSERT OR IGNORE INTO mailbox_seen (mailbox, uid, seen_ms) VALUES (?1, ?2, ?3)";

/// Remembers that a mail was taken. Belongs into the writer of events.db.
///
/// # Errors
/// The database's.
pub fn add(tx: &Connection, mailbox: &str, uid: &str, now_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(ADD)?.execute(params![mailbox, uid, now_ms])?;
    Ok(())
}

const SEEN: &str = "SELECT uid FROM mailbox_seen WHERE mailbox = ?1 LIMIT ?2";

/// What was taken from a mailbox.
///
/// # Errors
/// The database's.
pub fn seen(c: &Connection, mailbox: &str) -> Result<HashSet<String>, StorageError> {
    let mut statement = c.prepare_cached(SEEN)?;
    let rows = statement.query_map(params![mailbox, SEEN_MAX], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FORGET: &str = "DELETE FROM mailbox_seen WHERE mailbox = ?1 AND uid = ?2";

/// Forgets what is no longer in the mailbox.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, mailbox: &str, uids: &[String]) -> Result<(), StorageError> {
    let mut statement = tx.prepare_cached(FORGET)?;
    for uid in uids {
        statement.execute(params![mailbox, uid])?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ADD, SEEN, FORGET];
