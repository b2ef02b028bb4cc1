//! Events on their way to events.db: written in the commit of what they tell, moved later.
//!
//! Ids are given by queue.db's only writer in ascending order and never twice, and they are moved in that order, so
//! "newer than the newest event there" is exactly what has not been moved yet: moving again after a crash changes
//! nothing, neither events nor roll-ups.

use crate::event::Event;
use crate::{Storage, StorageError};
use rusqlite::{Connection, params};

const PUT: &str = "
    INSERT INTO outbox (at_ms, workspace_id, kind, recipient_id, campaign_id, contact_id, source, site, provider, mx,
        class, reply_code, enhanced, text, attempt, took_ms, tls, actor)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

/// Adds an event to the transaction of what it tells.
///
/// # Errors
/// The database's.
pub fn put(tx: &Connection, event: &Event<'_>) -> Result<(), StorageError> {
    tx.prepare_cached(PUT)?.execute(params![
        event.at_ms,
        event.workspace_id,
        event.kind.as_str(),
        event.recipient_id,
        event.campaign_id,
        event.contact_id,
        event.source,
        event.site,
        event.provider,
        event.mx,
        event.class.map(mail::BounceClass::as_str),
        event.reply_code,
        event.enhanced,
        event.text.map(crate::event::bounded),
        event.attempt,
        event.took_ms,
        event.tls,
        event.actor,
    ])?;
    Ok(())
}

// Run on the writer of events.db, which has queue.db attached for reading.
const MOVE: &str = "
    INSERT INTO event (id, at_ms, workspace_id, kind, recipient_id, campaign_id, contact_id, source, site, provider,
        mx, class, reply_code, enhanced, text, attempt, took_ms, tls, actor)
    SELECT id, at_ms, workspace_id, kind, recipient_id, campaign_id, contact_id, source, site, provider,
        mx, class, reply_code, enhanced, text, attempt, took_ms, tls, actor
    FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2";
const ROLL_UP: &str = "
    INSERT INTO rollup_hour (workspace_id, hour_ms, kind, provider, source, class, n)
    SELECT workspace_id, at_ms - at_ms % 3600000, kind, coalesce(provider, ''), coalesce(source, ''),
        coalesce(class, ''), count(*)
    FROM event WHERE id > ?1 GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT DO UPDATE SET n = n + excluded.n";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM event";
const MOVED: &str = "DELETE FROM outbox WHERE id <= ?1";

/// Moves up to `limit` events to events.db and adds them to the roll-ups; says how many were moved.
///
/// # Errors
/// The database's; repeating the call repairs whatever was left half done.
pub async fn drain(storage: &Storage, limit: u32) -> Result<usize, StorageError> {
    let (moved, newest) = storage.events().write(move |tx| move_events(tx, limit)).await?;
    if moved > 0 {
        storage.events_moved(newest);
    }
    if newest > 0 {
        storage.queue().write(move |tx| Ok(tx.prepare_cached(MOVED)?.execute([newest])?)).await?;
    }
    Ok(moved)
}

fn move_events(tx: &Connection, limit: u32) -> Result<(usize, i64), StorageError> {
    let before: i64 = tx.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    let moved = tx.prepare_cached(MOVE)?.execute(params![before, limit])?;
    if moved == 0 {
        return Ok((0, before));
    }
    tx.prepare_cached(ROLL_UP)?.execute([before])?;
    for counts in [crate::reputation::COUNT, crate::standing::COUNT, crate::bounces::COUNT] {
        tx.prepare_cached(counts)?.execute([before])?;
    }
    Ok((moved, tx.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?))
}

const WAITING: &str = "SELECT count(*) FROM outbox";

/// How many events wait to be moved.
///
/// # Errors
/// The database's.
pub fn waiting(connection: &Connection) -> Result<u64, StorageError> {
    Ok(connection.prepare_cached(WAITING)?.query_row([], |row| crate::words::count(row, 0))?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[PUT, MOVE, ROLL_UP, NEWEST, MOVED, WAITING];
