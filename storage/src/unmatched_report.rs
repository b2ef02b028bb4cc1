//! Reports that no recipient could be found for: kept for reading, counted, deleted after a while.

use crate::{Storage, StorageError, WorkspaceId};
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
    SELECT id, received_ms, peer, rcpt, why FROM unmatched_report
    WHERE id < :before AND (:why IS NULL OR why = :why) AND EXISTS (SELECT 1 FROM domain d
        WHERE d.workspace_id = :workspace_id AND d.return_path_domain = substr(rcpt, instr(rcpt, '@') + 1))
    ORDER BY id DESC LIMIT :limit";

/// Reports that came to a return-path domain of the workspace, or those with one reason, with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    why: Option<&str>,
    before: i64,
    limit: u32,
) -> Result<Vec<UnmatchedReport>, StorageError> {
    let mut statement = connection.prepare_cached(PAGE)?;
    let rows = statement.query_map(
        named_params! { ":workspace_id": workspace, ":why": why, ":before": before, ":limit": limit },
        |row| {
            Ok(UnmatchedReport {
                id: row.get(0)?,
                received_ms: row.get(1)?,
                peer: row.get(2)?,
                rcpt: row.get(3)?,
                why: row.get(4)?,
            })
        },
    )?;
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

const REASONS: &str = "
    SELECT why, count(*) FROM unmatched_report
    WHERE EXISTS (SELECT 1 FROM domain d
        WHERE d.workspace_id = :workspace_id AND d.return_path_domain = substr(rcpt, instr(rcpt, '@') + 1))
    GROUP BY why ORDER BY 2 DESC, why";

/// How many that came to return-path domains of the workspace are kept for each reason, most first.
///
/// # Errors
/// The database's.
pub fn reasons(connection: &Connection, workspace: WorkspaceId) -> Result<Vec<(String, u64)>, StorageError> {
    let mut statement = connection.prepare_cached(REASONS)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace }, |row| {
        Ok((row.get(0)?, crate::words::count(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
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
pub(crate) const STATEMENTS: &[&str] = &[INSERT, PAGE, COUNT, REASONS, FORGET];
