//! How far a webhook has come with the events, and how it fares.

use crate::{StorageError, WebhookId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// How far a webhook has come, and how it fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Events up to here were told, or are kept as deliveries.
    pub event_id: i64,
    /// Events that were deleted before they could be told.
    pub skipped: u64,
    /// Deliveries that succeeded.
    pub delivered: u64,
    /// Attempts that failed since the last success.
    pub attempts_failed: u32,
    /// Deliveries given up since the last success.
    pub deliveries_failed: u32,
    /// When an attempt succeeded last.
    pub success_ms: Option<i64>,
    /// When an attempt failed last.
    pub failure_ms: Option<i64>,
    /// What came of it.
    pub failure: Option<String>,
}

// Of a webhook that is new nothing is told that happened before it.
const OPEN: &str = "
    INSERT OR IGNORE INTO webhook_cursor (webhook_id, workspace_id, event_id)
    VALUES (:webhook_id, :workspace_id, (SELECT coalesce(max(id), 0) FROM event))";

/// The webhook's cursor; a new one stands behind the newest event. Belongs into the writer of events.db.
///
/// # Errors
/// The database's.
pub fn open(tx: &Connection, workspace: WorkspaceId, id: WebhookId) -> Result<Cursor, StorageError> {
    tx.prepare_cached(OPEN)?.execute(named_params! { ":webhook_id": id, ":workspace_id": workspace })?;
    Ok(find(tx, workspace, id)?.unwrap_or_default())
}

const FIND: &str = "
    SELECT event_id, skipped, delivered, attempts_failed, deliveries_failed, success_ms, failure_ms, failure
    FROM webhook_cursor WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id";

/// The webhook's cursor, once it has one.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: WebhookId) -> Result<Option<Cursor>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":webhook_id": id, ":workspace_id": workspace }, read).optional()?)
}

const SET: &str = "
    UPDATE webhook_cursor SET event_id = :event_id, skipped = :skipped, delivered = :delivered,
        attempts_failed = :attempts_failed, deliveries_failed = :deliveries_failed, success_ms = :success_ms,
        failure_ms = :failure_ms, failure = :failure
    WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id";

/// Writes it.
///
/// # Errors
/// The database's.
pub fn set(tx: &Connection, workspace: WorkspaceId, id: WebhookId, cursor: &Cursor) -> Result<(), StorageError> {
    tx.prepare_cached(SET)?.execute(named_params! {
        ":webhook_id": id,
        ":workspace_id": workspace,
        ":event_id": cursor.event_id,
        ":skipped": cursor.skipped.cast_signed(),
        ":delivered": cursor.delivered.cast_signed(),
        ":attempts_failed": cursor.attempts_failed,
        ":deliveries_failed": cursor.deliveries_failed,
        ":success_ms": cursor.success_ms,
        ":failure_ms": cursor.failure_ms,
        ":failure": cursor.failure,
    })?;
    Ok(())
}

const AGAIN: &str = "
    UPDATE webhook_cursor SET attempts_failed = 0, deliveries_failed = 0,
        event_id = iif(:skip_missed, (SELECT coalesce(max(id), 0) FROM event), event_id)
    WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id";

/// What becomes of the events that a webhook was not told of while it was disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// They are told late, as far as they are kept.
    Told,
    /// They are left out.
    Skipped,
}

/// Begins anew with a webhook that is enabled again.
///
/// # Errors
/// The database's.
pub fn again(tx: &Connection, workspace: WorkspaceId, id: WebhookId, missed: Missed) -> Result<(), StorageError> {
    tx.prepare_cached(AGAIN)?.execute(named_params! {
        ":webhook_id": id,
        ":workspace_id": workspace,
        ":skip_missed": missed == Missed::Skipped,
    })?;
    Ok(())
}

const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM event";

/// The newest event's id.
///
/// # Errors
/// The database's.
pub fn newest_event(c: &Connection) -> Result<i64, StorageError> {
    Ok(c.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Cursor> {
    Ok(Cursor {
        event_id: row.get(0)?,
        skipped: crate::words::count(row, 1)?,
        delivered: crate::words::count(row, 2)?,
        attempts_failed: row.get(3)?,
        deliveries_failed: row.get(4)?,
        success_ms: row.get(5)?,
        failure_ms: row.get(6)?,
        failure: row.get(7)?,
    })
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[OPEN, FIND, SET, AGAIN, NEWEST];
