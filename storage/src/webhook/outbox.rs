//! What one webhook is told and is no event: queued in the commit of what it tells, moved to events.db later.

use crate::{Storage, StorageError, WebhookId, WorkspaceId};
use api_types::WebhookType;
use rusqlite::{Connection, params};

/// Longest `data` of what is queued, in bytes of JSON.
pub const DATA_MAX: usize = 256 * 1024;

const PUT: &str = "
    INSERT INTO webhook_outbox (workspace_id, webhook_id, type, at_ms, data) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Tells one webhook something that is no event, whatever types it asks for (see [`super::asking`]). Belongs into the writer of queue.db, in the
/// commit of what it tells. `false` when `data` has more than [`DATA_MAX`] bytes: then nothing is queued. For a webhook
/// that is disabled it waits; for one that does not exist it is forgotten with time.
///
/// # Errors
/// The database's.
pub fn queue(
    tx: &Connection,
    workspace: WorkspaceId,
    webhook: WebhookId,
    (kind, at_ms): (WebhookType, i64),
    data: &serde_json::Value,
) -> Result<bool, StorageError> {
    let data = data.to_string();
    if data.len() > DATA_MAX {
        return Ok(false);
    }
    tx.prepare_cached(PUT)?.execute(params![workspace, webhook, kind.as_str(), at_ms, data])?;
    Ok(true)
}

const ANY: &str = "SELECT EXISTS (SELECT 1 FROM webhook_outbox)";
// Run on the writer of events.db, which has queue.db attached for reading.
const LAST: &str = "SELECT coalesce(max(id), 0) FROM (SELECT id FROM webhook_outbox ORDER BY id LIMIT ?1)";
const MOVE: &str = "
    INSERT OR IGNORE INTO webhook_delivery (webhook_id, workspace_id, type, queued_id, at_ms, created_ms, state, attempts,
        next_ms, data)
    SELECT webhook_id, workspace_id, type, id, at_ms, ?2, 'waiting', 0, ?2, data
    FROM webhook_outbox WHERE id <= ?1 ORDER BY id";
const MOVED: &str = "DELETE FROM webhook_outbox WHERE id <= ?1";

/// Moves up to `limit` of what was queued to events.db, where it is a delivery that waits; says whether there was
/// anything. Retention counts from `now_ms`. Repeating it after a crash changes nothing.
///
/// # Errors
/// The database's.
pub async fn drain(storage: &Storage, limit: u32, now_ms: i64) -> Result<bool, StorageError> {
    if !storage.read(|c| Ok(c.prepare_cached(ANY)?.query_row([], |row| row.get::<_, bool>(0))?)).await? {
        return Ok(false);
    }
    let moving = storage.events().write(move |tx| {
        let last: i64 = tx.prepare_cached(LAST)?.query_row([limit], |row| row.get(0))?;
        tx.prepare_cached(MOVE)?.execute(params![last, now_ms])?;
        Ok(last)
    });
    let last = moving.await?;
    storage.queue().write(move |tx| Ok(tx.prepare_cached(MOVED)?.execute([last])?)).await?;
    Ok(true)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[PUT, ANY, LAST, MOVE, MOVED];
