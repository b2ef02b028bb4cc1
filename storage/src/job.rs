//! Actions on many recipients as jobs: in chunks, each with its cursor and its figures in one commit, so that a job goes
//! on after a restart exactly where it was, and changes nobody twice.

use crate::queue::{Action, LiveFilter, Order, act};
use crate::words::word;
use crate::{JobId, RecipientId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Jobs of one workspace that run or wait for their turn, at most.
pub const RUNNING_MAX: u64 = 20;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// At work, or waiting for its turn.
    Running,
    /// Done.
    Finished,
    /// Stopped by a person; what was done by then stays done.
    Cancelled,
}

impl JobState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Finished => "finished",
            JobState::Cancelled => "cancelled",
        }
    }

    fn parse(word: &str) -> Option<JobState> {
        Some(match word {
            "running" => JobState::Running,
            "finished" => JobState::Finished,
            "cancelled" => JobState::Cancelled,
            _ => return None,
        })
    }
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// What is done to whom, who ordered it, and why.
    pub order: Order,
    /// Where it is.
    pub state: JobState,
    /// Recipients up to this id are done.
    pub done_up_to: RecipientId,
    /// Recipients above this id came later and are not meant.
    pub up_to: RecipientId,
    /// How many matched when it was ordered, where they were counted to the end.
    pub expected: Option<u64>,
    /// Matched so far.
    pub matched: u64,
    /// Of those, changed.
    pub changed: u64,
    /// When ordered.
    pub created_ms: i64,
    /// When it ended.
    pub finished_ms: Option<i64>,
}

const RUNNING_OF: &str = "SELECT count(*) FROM queue_job WHERE state = 'running' AND workspace_id = ?1";
const INSERT: &str = "
    INSERT INTO queue_job (workspace_id, action, filter, pool, reason, created_by, state, done_up_to, up_to, expected, created_ms)
    SELECT :workspace_id, :action, :filter, :pool, :reason, :created_by, 'running', 0,
        coalesce((SELECT max(id) FROM recipient), 0), :expected, :created_ms";

/// Takes an order; `None` when too many are running.
///
/// # Errors
/// The database's.
pub fn create(
    tx: &Connection,
    order: &Order,
    expected: Option<u64>,
    now_ms: i64,
) -> Result<Option<JobId>, StorageError> {
    let running = tx.prepare_cached(RUNNING_OF)?.query_row([order.workspace_id], |row| crate::words::count(row, 0))?;
    if running >= RUNNING_MAX {
        return Ok(None);
    }
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": order.workspace_id,
        ":action": order.action.as_str(),
        ":filter": order.filter.to_json(),
        ":pool": order.pool,
        ":reason": order.reason,
        ":created_by": order.created_by,
        ":expected": expected.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        ":created_ms": now_ms,
    })?;
    Ok(Some(JobId(tx.last_insert_rowid())))
}

macro_rules! columns {
    () => {
        "id, workspace_id, action, filter, pool, reason, created_by, state, done_up_to, up_to, expected, matched, changed,
         created_ms, finished_ms"
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<Job> {
    let filter = word(row, 3, LiveFilter::from_json)?;
    Ok(Job {
        id: row.get(0)?,
        order: Order {
            workspace_id: row.get(1)?,
            action: word(row, 2, Action::parse)?,
            filter,
            pool: row.get(4)?,
            reason: row.get(5)?,
            created_by: row.get(6)?,
        },
        state: word(row, 7, JobState::parse)?,
        done_up_to: row.get(8)?,
        up_to: row.get(9)?,
        expected: row.get::<_, Option<i64>>(10)?.and_then(|n| u64::try_from(n).ok()),
        matched: crate::words::count(row, 11)?,
        changed: crate::words::count(row, 12)?,
        created_ms: row.get(13)?,
        finished_ms: row.get(14)?,
    })
}

const RUNNING: &str = concat!("SELECT ", columns!(), " FROM queue_job WHERE state = 'running' AND id = ?1");
const DONE: &str = "
    UPDATE queue_job SET done_up_to = :done_up_to, matched = matched + :matched, changed = changed + :changed,
        state = iif(:ended, 'finished', 'running'), finished_ms = iif(:ended, :now_ms, NULL)
    WHERE id = :id";

/// Does the next `chunk` recipients of a job; says whether there is more to do. A job that was cancelled has nothing.
///
/// # Errors
/// The database's.
pub fn step(tx: &Connection, id: JobId, chunk: u32, now_ms: i64) -> Result<bool, StorageError> {
    let Some(job) = tx.prepare_cached(RUNNING)?.query_row([id], read).optional()? else { return Ok(false) };
    let span = match (job.order.filter.ids.iter().min(), job.order.filter.ids.iter().max()) {
        // Named ones lie between the lowest and the highest of them.
        (Some(lowest), Some(highest)) => (job.done_up_to.max(RecipientId(lowest.0 - 1)), job.up_to.min(*highest)),
        _ => (job.done_up_to, job.up_to),
    };
    let acted = act(tx, &job.order, span, chunk, now_ms)?;
    let ended = acted.up_to >= span.1;
    tx.prepare_cached(DONE)?.execute(named_params! {
        ":id": id,
        ":done_up_to": acted.up_to,
        ":matched": i64::try_from(acted.matched).unwrap_or(i64::MAX),
        ":changed": i64::try_from(acted.changed).unwrap_or(i64::MAX),
        ":ended": ended,
        ":now_ms": now_ms,
    })?;
    Ok(!ended)
}

const CANCEL: &str = "
    UPDATE queue_job SET state = 'cancelled', finished_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id AND state = 'running'";

/// Stops a job; `false` when it has ended already. What is done stays done.
///
/// # Errors
/// The database's.
pub fn cancel(tx: &Connection, workspace: WorkspaceId, id: JobId, now_ms: i64) -> Result<bool, StorageError> {
    let values = named_params! { ":id": id, ":workspace_id": workspace, ":now_ms": now_ms };
    Ok(tx.prepare_cached(CANCEL)?.execute(values)? > 0)
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM queue_job WHERE id = :id AND workspace_id = :workspace_id");

/// One job.
///
/// # Errors
/// The database's.
pub fn find(connection: &Connection, workspace: WorkspaceId, id: JobId) -> Result<Option<Job>, StorageError> {
    let mut statement = connection.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const PAGE: &str =
    concat!("SELECT ", columns!(), " FROM queue_job WHERE workspace_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");

/// Jobs with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    before: i64,
    limit: u32,
) -> Result<Vec<Job>, StorageError> {
    let mut statement = connection.prepare_cached(PAGE)?;
    let rows = statement.query_map(params![workspace, before, limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ALL_RUNNING: &str = "SELECT id FROM queue_job WHERE state = 'running' ORDER BY id";

/// What was interrupted by the end of the last run, of all workspaces.
///
/// # Errors
/// The database's.
pub fn running(connection: &Connection) -> Result<Vec<JobId>, StorageError> {
    let mut statement = connection.prepare_cached(ALL_RUNNING)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// Ids ascend with time, so the old ones are in front.
const FORGET: &str = "
    DELETE FROM queue_job WHERE id IN (SELECT id FROM queue_job ORDER BY id LIMIT ?2)
        AND state <> 'running' AND created_ms < ?1";

/// Deletes at most `limit` of the oldest jobs that were ordered before `before_ms` and have ended.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[RUNNING_OF, INSERT, RUNNING, DONE, CANCEL, FIND, PAGE, ALL_RUNNING, FORGET];
