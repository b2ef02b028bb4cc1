//! A chunk of a file into the contacts.

use super::Counts;
use crate::contact::{self, Draft, Existing, Origin};
use crate::tag::TagId;
use crate::{ContactId, ImportId, ListId, StorageError, WorkspaceId, list, tag};
use api_types::ImportExisting;
use mail::Address;
use rusqlite::{Connection, named_params};
use std::collections::HashMap;

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
    /// When the contact last did something with the former sender's mail.
    pub engaged_ms: Option<i64>,
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
    /// Lists that every contact of the file is put on; who left one stays out of it.
    pub lists: Vec<ListId>,
    /// Where the consent came from.
    pub consent_source: String,
    /// Name of the address column, for errors.
    pub email_column: String,
}

pub(super) const ADD_ERROR: &str = "
    INSERT INTO import_error (import_id, line, column_name, value, reason)
    VALUES (:import_id, :line, :column_name, :value, :reason)";
pub(super) const PROGRESS: &str = "
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

pub(super) const IS_AT: &str = "
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
            self.list(contact)?;
            self.engaged(contact, row)?;
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
        changed |= self.list(there.id)?;
        changed |= self.engaged(there.id, row)?;
        if changed {
            self.counts.updated += 1;
        } else {
            self.counts.skipped += 1;
        }
        Ok(())
    }

    fn engaged(&self, contact: ContactId, row: &ImportRow) -> Result<bool, StorageError> {
        let Some(at_ms) = row.engaged_ms else { return Ok(false) };
        contact::engaged(self.tx, self.workspace, contact, at_ms)
    }

    /// Puts a contact on the file's lists; whether it did not stand on all of them.
    fn list(&self, contact: ContactId) -> Result<bool, StorageError> {
        let mut added = false;
        for id in &self.rules.lists {
            let whose = (self.workspace, *id, contact);
            added |= list::add(self.tx, whose, &self.rules.consent_source, self.now_ms)?;
        }
        Ok(added)
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
