//! Looks at runs: which are due, who waits where, what one of them did.

use super::{EndReason, Run, RunState, read, run_columns};
use crate::{ContactId, JourneyId, RunId, StorageError, WorkspaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params, params_from_iter};

const DUE: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM journey_run w WHERE w.journey_id = ?1 AND w.state = 'waiting' AND w.due_ms <= ?2
      ORDER BY w.due_ms, w.id LIMIT ?3"
);

/// The next runs of a journey that go on now.
///
/// # Errors
/// The database's.
pub fn due(tx: &Connection, journey: JourneyId, now_ms: i64, limit: u32) -> Result<Vec<Run>, StorageError> {
    let mut statement = tx.prepare_cached(DUE)?;
    Ok(statement.query_map(params![journey, now_ms, limit], read)?.collect::<Result<_, _>>()?)
}

const FIND: &str =
    concat!("SELECT ", run_columns!(), " FROM journey_run w WHERE w.id = :id AND w.workspace_id = :workspace_id");

/// The run with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: RunId) -> Result<Option<Run>, StorageError> {
    let whose = named_params! { ":id": id, ":workspace_id": workspace };
    Ok(tx.prepare_cached(FIND)?.query_row(whose, read).optional()?)
}

const UNDER_WAY: &str = "
    SELECT id FROM journey_run WHERE journey_id = ?1 AND contact_id = ?2 AND state = 'waiting'";

/// The run of a contact that is under way.
pub(super) fn under_way(
    tx: &Connection,
    journey: JourneyId,
    contact: ContactId,
) -> Result<Option<RunId>, StorageError> {
    Ok(tx.prepare_cached(UNDER_WAY)?.query_row(params![journey, contact], |row| row.get(0)).optional()?)
}

/// Which runs a list shows.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only those in this state.
    pub state: Option<RunState>,
    /// Only those at this step, or that were there last.
    pub step: Option<String>,
    /// Only those that go by this version.
    pub version: Option<u32>,
    /// Only those that ended so.
    pub reason: Option<EndReason>,
    /// Only those with a smaller id: the last one of the page before.
    pub before: Option<RunId>,
    /// At most so many.
    pub limit: u32,
}

const PAGE: &str = concat!(
    "SELECT ",
    run_columns!(),
    ", c.email FROM journey_run w LEFT JOIN contact c ON c.id = w.contact_id AND c.workspace_id = w.workspace_id
      WHERE w.journey_id = ? AND w.workspace_id = ?"
);

/// Runs of a journey with the addresses of their contacts, newest first. For readers.
///
/// # Errors
/// The database's.
pub fn page(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    query: &Query,
) -> Result<Vec<(Run, Option<String>)>, StorageError> {
    let mut sql = PAGE.to_owned();
    let mut params: Vec<Value> = vec![journey.0.into(), workspace.0.into()];
    // Words of ours, written out: so the planner sees that the index of those under way serves.
    match query.reason.map_or(query.state, |_| Some(RunState::Ended)) {
        Some(RunState::Waiting) => sql.push_str(" AND w.state = 'waiting'"),
        Some(RunState::Ended) => sql.push_str(" AND w.state = 'ended'"),
        None => {}
    }
    if let Some(step) = &query.step {
        sql.push_str(" AND w.step = ?");
        params.push(step.clone().into());
    }
    if let Some(version) = query.version {
        sql.push_str(" AND w.version = ?");
        params.push(i64::from(version).into());
    }
    if let Some(reason) = query.reason {
        sql.push_str(" AND w.end_reason = ?");
        params.push(reason.as_str().to_owned().into());
    }
    if let Some(before) = query.before {
        sql.push_str(" AND w.id < ?");
        params.push(before.0.into());
    }
    sql.push_str(" ORDER BY w.id DESC LIMIT ?");
    params.push(i64::from(query.limit).into());
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| Ok((read(row)?, row.get(16)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A step that a run has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The step's key.
    pub step: String,
    /// When the run came to it.
    pub entered_ms: i64,
    /// When it was done.
    pub at_ms: i64,
    /// The port it left by, or `ended`.
    pub result: String,
    /// What was done, or what ended it.
    pub reason: String,
}

const LOG: &str = "
    SELECT step, entered_ms, at_ms, result, reason FROM journey_log
    WHERE run_id = :run_id AND workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit";

/// The newest steps that a run has done, in the order in which it did them.
///
/// # Errors
/// The database's.
pub fn log(tx: &Connection, workspace: WorkspaceId, run: RunId, limit: u32) -> Result<Vec<Logged>, StorageError> {
    let mut statement = tx.prepare_cached(LOG)?;
    let read = |row: &Row<'_>| {
        Ok(Logged {
            step: row.get(0)?,
            entered_ms: row.get(1)?,
            at_ms: row.get(2)?,
            result: row.get(3)?,
            reason: row.get(4)?,
        })
    };
    let whose = named_params! { ":run_id": run, ":workspace_id": workspace, ":limit": limit };
    let mut log: Vec<Logged> = statement.query_map(whose, read)?.collect::<Result<_, _>>()?;
    log.reverse();
    Ok(log)
}

const WAITING: &str = "
    SELECT version, step, count(*) FROM journey_run
    WHERE journey_id = ?1 AND workspace_id = ?2 AND state = 'waiting' GROUP BY version, step";

/// How many stand at each step of each version now.
///
/// # Errors
/// The database's.
pub fn waiting(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
) -> Result<Vec<(u32, String, u64)>, StorageError> {
    let mut statement = tx.prepare_cached(WAITING)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, crate::words::count(row, 2)?));
    Ok(statement.query_map(params![journey, workspace], read)?.collect::<Result<_, _>>()?)
}

const TALLIES: &str = "SELECT measure, n FROM journey_tally WHERE workspace_id = ?1 AND journey_id = ?2";

/// How many have entered, ever, and how they ended: `entered`, `ended:REASON`.
///
/// # Errors
/// The database's.
pub fn tallies(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
) -> Result<Vec<(String, u64)>, StorageError> {
    let mut statement = tx.prepare_cached(TALLIES)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, crate::words::count(row, 1)?));
    Ok(statement.query_map(params![workspace, journey], read)?.collect::<Result<_, _>>()?)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[DUE, FIND, UNDER_WAY, PAGE, LOG, WAITING, TALLIES];
