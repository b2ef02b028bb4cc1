//! Reports that no recipient could be found for: kept for reading, counted, deleted after a while.

use crate::{Storage, StorageError};
use rusqlite::{Connection, named_params, params};

/// How much of a report is kept.
const RAW_MAX: usize = 64 * 1024;

/// A report that matched nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedReport {
    /// Id: ascends with time.
    pub id: i64,
    /// When it came.
    pub received_ms: i64,
    /// The address that brought it.
    pub peer: String,
    /// Whom it was addressed to.
    pub rcpt: String,
    /// Why nobody matched.
    pub why: String,
}

// Whoever knows one of our return paths can send as many as they like: beyond the bound they are only counted.
const INSERT: &str = "
    INSERT INTO unmatched_report (received_ms, peer, rcpt, why, raw)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM unmatched_report) < 5000";

/// Keeps a report; its first 64 KiB, and at most 5,000 reports.
///
/// # Errors
/// The database's.
pub async fn keep(
    storage: &Storage,
    (received_ms, peer): (i64, String),
    rcpt: String,
    why: &'static str,
    mut raw: Vec<u8>,
) -> Result<(), StorageError> {
    raw.truncate(RAW_MAX);
    storage
        .events()
        .write(move |tx| {
            tx.prepare_cached(INSERT)?.execute(params![received_ms, peer, rcpt, why, raw])?;
            Ok(())
        })
        .await
}

const PAGE: &str = "
    SELECT id, received_ms, peer, rcpt, why FROM unmatched_report WHERE id < :before ORDER BY id DESC LIMIT :limit";

/// Reports with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(connection: &Connection, before: i64, limit: u32) -> Result<Vec<UnmatchedReport>, StorageError> {
    let mut statement = connection.prepare_cached(PAGE)?;
    let rows = statement.query_map(named_params! { ":before": before, ":limit": limit }, |row| {
        Ok(UnmatchedReport {
            id: row.get(0)?,
            received_ms: row.get(1)?,
            peer: row.get(2)?,
            rcpt: row.get(3)?,
            why: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const COUNT: &str = "SELECT count(*) FROM unmatched_report";

/// How many are kept.
///
/// # Errors
/// The database's.
pub fn count(connection: &Connection) -> Result<u64, StorageError> {
    Ok(connection.prepare_cached(COUNT)?.query_row([], |row| crate::words::count(row, 0))?)
}

const FORGET: &str = "
    DELETE FROM unmatched_report
    WHERE id IN (SELECT id FROM unmatched_report WHERE received_ms < ?1 ORDER BY received_ms LIMIT ?2)";

/// Deletes at most `limit` of the reports from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, PAGE, COUNT, FORGET];
