//! Imports: a file on its way into the contacts, in chunks, each with its progress in one transaction.
//!
//! After a crash an import goes on at the line behind its last committed chunk. A contact notes the import that last
//! had a row for it, so that a duplicate within the file is told also after a restart.

mod take;

use crate::words::word;
use crate::{ImportId, StorageError, WorkspaceId};
use api_types::{ImportColumn, ImportStart, ImportState};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

pub use take::{ImportChunk, ImportRow, ImportRules, RowError, take_in};

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Id.
    pub id: ImportId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Name of the file.
    pub file_name: String,
    /// Where it is.
    pub state: ImportState,
    /// Columns found.
    pub columns: Vec<ImportColumn>,
    /// What was chosen at the start.
    pub start: Option<ImportStart>,
    /// Bytes in the file.
    pub bytes_total: u64,
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Line of the next row.
    pub next_line: u64,
    /// Rows read.
    pub rows: u64,
    /// What became of them.
    pub counts: Counts,
    /// Why it stopped, when it failed.
    pub message: Option<String>,
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
    /// When it ended.
    pub finished_ms: Option<i64>,
}

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Made a new contact.
    pub created: u64,
    /// Changed a contact.
    pub updated: u64,
    /// Changed nothing.
    pub skipped: u64,
    /// Refused.
    pub failed: u64,
}

const INSERT: &str = "
    INSERT INTO import (workspace_id, file_name, state, columns, bytes_total, created_by, created_ms)
    VALUES (:workspace_id, :file_name, 'draft', '[]', 0, :created_by, :now_ms)";

/// Makes the row of an upload, whose id names its file. The columns are set once the file lies there.
///
/// # Errors
/// The database's.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    file_name: &str,
    by: &str,
    now_ms: i64,
) -> Result<ImportId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace, ":file_name": file_name, ":created_by": by, ":now_ms": now_ms,
    })?;
    Ok(ImportId(tx.last_insert_rowid()))
}

const SET_COLUMNS: &str = "
    UPDATE import SET columns = :columns, bytes_total = :bytes_total, next_line = :first_line, message = :message
    WHERE id = :id AND workspace_id = :workspace_id AND state = 'draft'";

/// What looking into a file found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The columns.
    pub columns: Vec<ImportColumn>,
    /// Bytes in the file.
    pub bytes_total: u64,
    /// Line of the first row: behind the heading, where there is one.
    pub first_line: u64,
    /// What is odd about the file.
    pub warning: Option<String>,
}

/// Keeps what looking into the file found.
///
/// # Errors
/// The database's.
pub fn set_columns(tx: &Connection, workspace: WorkspaceId, id: ImportId, found: &Found) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(SET_COLUMNS)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":columns": serde_json::to_string(&found.columns).unwrap_or_default(),
        ":bytes_total": found.bytes_total as i64,
        ":first_line": found.first_line as i64,
        ":message": found.warning,
    })?;
    Ok(changed > 0)
}

const START: &str = "
    UPDATE import SET state = 'running', start = :start, message = NULL
    WHERE id = :id AND workspace_id = :workspace_id AND state = 'draft'";

/// Starts an import; `false` when there is none waiting.
///
/// # Errors
/// The database's.
pub fn start(tx: &Connection, workspace: WorkspaceId, id: ImportId, start: &ImportStart) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(START)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":start": serde_json::to_string(start).unwrap_or_default(),
    })?;
    Ok(changed > 0)
}

const END: &str = "
    UPDATE import SET state = :state, message = :message, finished_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id AND state IN ('draft', 'running')";

/// Ends an import before its end: cancelled by a person, or failed; `false` when it has ended already. What was read
/// stays.
///
/// # Errors
/// The database's.
pub fn end(
    tx: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
    (state, message): (ImportState, Option<&str>),
    now_ms: i64,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(END)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":state": state_word(state),
        ":message": message,
        ":now_ms": now_ms,
    })?;
    Ok(changed > 0)
}

macro_rules! select {
    () => {
        "SELECT id, workspace_id, file_name, state, columns, start, bytes_total, bytes_done, next_line, row_count,
                created_count, updated_count, skipped_count, failed_count, message, created_by, created_ms, finished_ms
         FROM import"
    };
}

const FIND: &str = concat!(select!(), " WHERE id = :id AND workspace_id = :workspace_id");

/// The import with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: ImportId) -> Result<Option<Import>, StorageError> {
    let found = tx
        .prepare_cached(FIND)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| Ok(read(row)))
        .optional()?;
    found.transpose()
}

const PAGE: &str =
    concat!(select!(), " WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit");

/// Imports, newest first; only those with a smaller id than `before`.
///
/// # Errors
/// The database's.
pub fn page(
    tx: &Connection,
    workspace: WorkspaceId,
    before: Option<ImportId>,
    limit: u32,
) -> Result<Vec<Import>, StorageError> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let mut statement = tx.prepare_cached(PAGE)?;
    let rows = statement
        .query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, |row| {
            Ok(read(row))
        })?;
    rows.map(|row| row?).collect()
}

const RUNNING: &str = concat!(select!(), " WHERE state = 'running' ORDER BY id");

/// Imports of all workspaces that are under way: after a start they go on.
///
/// # Errors
/// The database's.
pub fn running(tx: &Connection) -> Result<Vec<Import>, StorageError> {
    let mut statement = tx.prepare_cached(RUNNING)?;
    let rows = statement.query_map([], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

const ABANDON: &str = "
    DELETE FROM import
    WHERE id IN (SELECT id FROM import WHERE state = 'draft' AND created_ms < :before_ms ORDER BY id LIMIT :limit)
    RETURNING id";

/// Deletes at most `limit` imports of all workspaces that were uploaded before `before_ms` and never started; says
/// which, so that their files can go too.
///
/// # Errors
/// The database's.
pub fn abandon(tx: &Connection, before_ms: i64, limit: u32) -> Result<Vec<ImportId>, StorageError> {
    let mut statement = tx.prepare_cached(ABANDON)?;
    let rows = statement.query_map(named_params! { ":before_ms": before_ms, ":limit": limit }, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ERRORS: &str = "
    SELECT e.id, e.line, e.column_name, e.value, e.reason
    FROM import_error e JOIN import i ON i.id = e.import_id
    WHERE e.import_id = :import_id AND i.workspace_id = :workspace_id AND e.id > :after
    ORDER BY e.id LIMIT :limit";

/// Refused rows in the order of the file, with their row ids: the last one of a page is `after` of the next.
///
/// # Errors
/// The database's.
pub fn errors(
    tx: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, RowError)>, StorageError> {
    let mut statement = tx.prepare_cached(ERRORS)?;
    let rows = statement.query_map(
        named_params! { ":import_id": id, ":workspace_id": workspace, ":after": after, ":limit": limit },
        |row| {
            let error = RowError {
                line: row.get::<_, i64>(1)? as u64,
                column: row.get(2)?,
                value: row.get(3)?,
                reason: row.get(4)?,
            };
            Ok((row.get(0)?, error))
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> Result<Import, StorageError> {
    let count = |n: usize| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(n)? as u64) };
    let columns: String = row.get(4)?;
    let columns =
        serde_json::from_str(&columns).map_err(|_| StorageError::Damaged { what: "import.columns", value: columns })?;
    let start: Option<String> = row.get(5)?;
    let start = match start {
        None => None,
        Some(text) => {
            Some(serde_json::from_str(&text).map_err(|_| StorageError::Damaged { what: "import.start", value: text })?)
        }
    };
    Ok(Import {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        file_name: row.get(2)?,
        state: word(row, 3, parse_state)?,
        columns,
        start,
        bytes_total: count(6)?,
        bytes_done: count(7)?,
        next_line: count(8)?,
        rows: count(9)?,
        counts: Counts { created: count(10)?, updated: count(11)?, skipped: count(12)?, failed: count(13)? },
        message: row.get(14)?,
        created_by: row.get(15)?,
        created_ms: row.get(16)?,
        finished_ms: row.get(17)?,
    })
}

fn state_word(state: ImportState) -> &'static str {
    match state {
        ImportState::Draft => "draft",
        ImportState::Running => "running",
        ImportState::Finished => "finished",
        ImportState::Cancelled => "cancelled",
        ImportState::Failed => "failed",
    }
}

fn parse_state(word: &str) -> Option<ImportState> {
    Some(match word {
        "draft" => ImportState::Draft,
        "running" => ImportState::Running,
        "finished" => ImportState::Finished,
        "cancelled" => ImportState::Cancelled,
        "failed" => ImportState::Failed,
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    SET_COLUMNS,
    START,
    END,
    FIND,
    PAGE,
    RUNNING,
    ABANDON,
    take::ADD_ERROR,
    take::PROGRESS,
    take::IS_AT,
    ERRORS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    #[test]
    fn only_old_drafts_are_abandoned() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let write = |now_ms| {
            let insert =
                move |tx: &rusqlite::Transaction<'_>| insert(tx, WorkspaceId::MAIN, "people.csv", "ana", now_ms);
            storage.main().write_blocking(insert).unwrap()
        };
        let (old, ended, new) = (write(1000), write(1000), write(2000));
        let set = move |tx: &rusqlite::Transaction<'_>| {
            Ok(tx.execute("UPDATE import SET state = 'finished' WHERE id = ?1", [ended])?)
        };
        storage.main().write_blocking(set).unwrap();
        let gone = storage.main().write_blocking(|tx| abandon(tx, 2000, 10)).unwrap();
        assert_eq!(gone, [old]);
        let there = |id| storage.read_blocking(|c| find(c, WorkspaceId::MAIN, id)).unwrap().is_some();
        assert_eq!((there(old), there(ended), there(new)), (false, true, true));
    }
}
