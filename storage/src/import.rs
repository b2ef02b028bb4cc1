//! Imports: a file on its way into the contacts, in chunks, each with its progress in one transaction.
//!
//! After a crash an import goes on at the line behind its last committed chunk. A contact notes the import that last
//! had a row for it, so that a duplicate within the file is told also after a restart.

use crate::contact::{self, Draft, Existing, Origin};
use crate::tag::TagId;
use crate::words::word;
use crate::{ContactId, ImportId, StorageError, WorkspaceId, tag};
use api_types::{ImportColumn, ImportExisting, ImportStart, ImportState};
use mail::Address;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use std::collections::HashMap;

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

/// A good row of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRow {
    /// Its line.
    pub line: u64,
    /// The address.
    pub email: Address,
    /// First name, where the file has the column.
    pub first_name: Option<String>,
    /// Last name, where the file has the column.
    pub last_name: Option<String>,
    /// Values of fields that the file has columns for; `None` where the row has none.
    pub attributes: Vec<(String, Option<serde_json::Value>)>,
    /// Tags of this row.
    pub tags: Vec<String>,
}

/// A refused row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Its line.
    pub line: u64,
    /// Which column.
    pub column: String,
    /// What stood there.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A part of the file.
#[derive(Clone, Debug, Default)]
pub struct ImportChunk {
    /// Its rows, the refused ones too, in the order of the file.
    pub rows: Vec<Result<ImportRow, RowError>>,
    /// Line of the next row.
    pub next_line: u64,
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Whether it is the last one.
    pub last: bool,
}

/// How a chunk is taken in.
#[derive(Clone, Debug)]
pub struct ImportRules {
    /// What happens to contacts that are there already.
    pub existing: ImportExisting,
    /// Tags of every contact of the file.
    pub tags: Vec<String>,
    /// Where the consent came from.
    pub consent_source: String,
    /// Name of the address column, for errors.
    pub email_column: String,
}

const ADD_ERROR: &str = "
    INSERT INTO import_error (import_id, line, column_name, value, reason)
    VALUES (:import_id, :line, :column_name, :value, :reason)";
const PROGRESS: &str = "
    UPDATE import
    SET bytes_done = :bytes_done, next_line = :next_line, row_count = row_count + :rows,
        created_count = created_count + :created, updated_count = updated_count + :updated,
        skipped_count = skipped_count + :skipped, failed_count = failed_count + :failed,
        state = CASE WHEN :last THEN 'finished' ELSE state END,
        finished_ms = CASE WHEN :last THEN :now_ms ELSE finished_ms END
    WHERE id = :id AND workspace_id = :workspace_id AND state = 'running' AND next_line = :first_line";

/// Takes a chunk in, together with the progress behind it. Nothing, and `false`, when the import is not running any
/// more or its next line is not `first_line`.
///
/// # Errors
/// The database's.
pub fn take_in(
    tx: &Connection,
    (workspace, id): (WorkspaceId, ImportId),
    rules: &ImportRules,
    (first_line, chunk): (u64, &ImportChunk),
    now_ms: i64,
) -> Result<bool, StorageError> {
    if !is_at(tx, workspace, id, first_line)? {
        return Ok(false);
    }
    let mut taker = Taker { tx, workspace, id, rules, now_ms, tags: HashMap::new(), counts: Counts::default() };
    for row in &chunk.rows {
        match row {
            Ok(row) => taker.row(row)?,
            Err(error) => taker.refuse(error)?,
        }
    }
    let counts = taker.counts;
    tx.prepare_cached(PROGRESS)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":first_line": first_line as i64,
        ":next_line": chunk.next_line as i64,
        ":bytes_done": chunk.bytes_done as i64,
        ":rows": chunk.rows.len() as i64,
        ":created": counts.created as i64,
        ":updated": counts.updated as i64,
        ":skipped": counts.skipped as i64,
        ":failed": counts.failed as i64,
        ":last": chunk.last,
        ":now_ms": now_ms,
    })?;
    Ok(true)
}

const IS_AT: &str = "
    SELECT EXISTS (SELECT 1 FROM import
                   WHERE id = :id AND workspace_id = :workspace_id AND state = 'running' AND next_line = :line)";

fn is_at(tx: &Connection, workspace: WorkspaceId, id: ImportId, line: u64) -> Result<bool, StorageError> {
    Ok(tx
        .prepare_cached(IS_AT)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace, ":line": line as i64 }, |row| row.get(0))?)
}

/// Takes the rows of one chunk in.
struct Taker<'a> {
    tx: &'a Connection,
    workspace: WorkspaceId,
    id: ImportId,
    rules: &'a ImportRules,
    now_ms: i64,
    tags: HashMap<String, TagId>,
    counts: Counts,
}

impl Taker<'_> {
    fn refuse(&mut self, error: &RowError) -> Result<(), StorageError> {
        self.counts.failed += 1;
        self.tx.prepare_cached(ADD_ERROR)?.execute(named_params! {
            ":import_id": self.id,
            ":line": error.line as i64,
            ":column_name": error.column,
            ":value": error.value,
            ":reason": error.reason,
        })?;
        Ok(())
    }

    /// Most rows of most files are new: inserting first saves a look-up for each.
    fn row(&mut self, row: &ImportRow) -> Result<(), StorageError> {
        let origin = Origin { consent_source: &self.rules.consent_source, import: Some(self.id) };
        if let Some(contact) = contact::insert(self.tx, self.workspace, &new_draft(row), origin, self.now_ms)? {
            self.counts.created += 1;
            self.tag(contact, row)?;
            return Ok(());
        }
        let Some(there) = contact::existing(self.tx, self.workspace, &row.email)? else { return Ok(()) };
        if there.import == Some(self.id) {
            return self.refuse(&RowError {
                line: row.line,
                column: self.rules.email_column.clone(),
                value: row.email.to_string(),
                reason: "this address stands in the file more than once; the first row counts".to_owned(),
            });
        }
        if self.rules.existing == ImportExisting::Skip {
            self.counts.skipped += 1;
            return Ok(());
        }
        let draft = merge(&there, row, self.rules.existing == ImportExisting::Overwrite);
        let mut changed = draft.first_name != there.first_name
            || draft.last_name != there.last_name
            || draft.attributes != there.attributes;
        if changed {
            contact::update(self.tx, self.workspace, there.id, &draft, Some(self.id), self.now_ms)?;
        } else {
            contact::mark_imported(self.tx, self.workspace, there.id, self.id)?;
        }
        changed |= self.tag(there.id, row)?;
        if changed {
            self.counts.updated += 1;
        } else {
            self.counts.skipped += 1;
        }
        Ok(())
    }

    /// Puts the file's and the row's tags on a contact; whether it had not all of them.
    fn tag(&mut self, contact: ContactId, row: &ImportRow) -> Result<bool, StorageError> {
        let mut added = false;
        for name in self.rules.tags.iter().chain(&row.tags) {
            let tag = match self.tags.get(name) {
                Some(tag) => *tag,
                None => {
                    let tag = tag::ensure(self.tx, self.workspace, name)?;
                    self.tags.insert(name.clone(), tag);
                    tag
                }
            };
            added |= tag::add(self.tx, tag, contact)?;
        }
        Ok(added)
    }
}

fn new_draft(row: &ImportRow) -> Draft {
    Draft {
        email: row.email.clone(),
        first_name: row.first_name.clone().unwrap_or_default(),
        last_name: row.last_name.clone().unwrap_or_default(),
        attributes: row.attributes.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect(),
    }
}

/// The contact with the row's values: the empty ones too where `overwrite`, of the columns that the file has.
fn merge(there: &Existing, row: &ImportRow, overwrite: bool) -> Draft {
    let name = |old: &str, new: &Option<String>| match new {
        Some(new) if overwrite || !new.is_empty() => new.clone(),
        _ => old.to_owned(),
    };
    let mut attributes = there.attributes.clone();
    for (name, value) in &row.attributes {
        match value {
            Some(value) => {
                attributes.insert(name.clone(), value.clone());
            }
            None if overwrite => {
                attributes.remove(name);
            }
            None => {}
        }
    }
    Draft {
        // The same person; how the address was written first stays.
        email: Address::parse(&there.email).unwrap_or_else(|_| row.email.clone()),
        first_name: name(&there.first_name, &row.first_name),
        last_name: name(&there.last_name, &row.last_name),
        attributes,
    }
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
pub(crate) const STATEMENTS: &[&str] =
    &[INSERT, SET_COLUMNS, START, END, FIND, PAGE, RUNNING, ADD_ERROR, PROGRESS, IS_AT, ERRORS];
