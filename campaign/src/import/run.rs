//! Reading a started import to its end.

use super::file::{ImportFileError, layout};
use super::rows::{Columns, Target, reader, sample};
use super::{SAMPLE_ROWS, path, values};
use api_types::{FieldKind, ImportColumn, ImportStart, ImportState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use storage::import::{Import, ImportChunk, ImportRules};
use storage::{ListId, Storage, StorageError};
use world::Clock;

/// Rows in one transaction: large enough that the commit costs little, small enough that others wait only some
/// milliseconds for the writer.
const CHUNK_ROWS: usize = 1000;

/// Why an import could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file.
    #[error(transparent)]
    File(#[from] ImportFileError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What was chosen at the start does not fit the file.
    #[error("{0}")]
    Start(String),
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At the end of the file.
    Finished,
    /// Somebody cancelled it, or another run of it was quicker.
    Ended,
    /// The program is stopping; the rest is read after the next start.
    Interrupted,
}

/// Checks what was chosen against the columns found.
///
/// # Errors
/// A sentence saying what is wrong.
pub fn check_start(columns: &[ImportColumn], start: &ImportStart) -> Result<(), String> {
    if start.targets.len() != columns.len() {
        return Err(format!("there are {} targets, but the file has {} columns", start.targets.len(), columns.len()));
    }
    let mut seen = std::collections::HashSet::new();
    for (target, column) in start.targets.iter().zip(columns) {
        let field = target.strip_prefix("attribute:");
        let known = matches!(target.as_str(), "" | "email" | "first_name" | "last_name" | "tags" | "engaged_at");
        if !known && !field.is_some_and(storage::field::is_name) {
            return Err(format!(
                "{target:?} is no target for the column {:?}: choose email, first_name, last_name, tags, engaged_at, attribute:NAME \
                 (small letters, digits and underscores), or nothing to leave it out",
                column.name
            ));
        }
        // When it was opened and when it was clicked may both be there: the later moment counts.
        if !target.is_empty() && target != "engaged_at" && !seen.insert(target) {
            return Err(format!("two columns have the target {target}"));
        }
    }
    if !start.targets.iter().any(|target| target == "email") {
        return Err("no column has the target email".to_owned());
    }
    Ok(())
}

/// Reads the file of a running import to its end, from where its last commit ended. Blocking: call it on a thread of
/// its own. `stop` is asked between chunks. A failure is also noted in the import's row.
///
/// # Errors
/// The file's or the database's; what was read stays.
pub fn run(
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    import: &Import,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, ImportError> {
    let outcome = read(storage, clock, import, stop);
    if let Err(error) = &outcome
        // A full disk passes: the import goes on after the next start.
        && !matches!(error, ImportError::Storage(StorageError::DiskFull | StorageError::Closed))
    {
        let (workspace, id, now_ms, message) = (import.workspace_id, import.id, clock.now_ms(), error.to_string());
        storage.main().write_blocking(move |tx| {
            storage::import::end(tx, workspace, id, (ImportState::Failed, Some(&message)), now_ms)
        })?;
    }
    if matches!(outcome, Ok(Outcome::Finished | Outcome::Ended)) {
        // The rows are in the database, the refused ones too: the file has done its duty.
        let _ = std::fs::remove_file(path(storage.dir(), import.id));
    }
    outcome
}

fn read(
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    import: &Import,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, ImportError> {
    let start = import.start.as_ref().ok_or_else(|| ImportError::Start("the import was not started".to_owned()))?;
    check_start(&import.columns, start).map_err(ImportError::Start)?;
    let path = path(storage.dir(), import.id);
    let layout = layout(&path)?;
    let columns = columns(storage, import, start, sample(&path, &layout, SAMPLE_ROWS)?, clock.now_ms())?;
    let rules = Arc::new(ImportRules {
        existing: start.existing,
        tags: start.tags.clone(),
        lists: start.lists.iter().copied().map(ListId).collect(),
        consent_source: consent_source(import, start),
        email_column: columns.email(),
    });
    let (mut reader, bytes) = reader(&path, &layout)?;
    let mut next_line = import.next_line;
    let mut chunk = ImportChunk { next_line, ..ImportChunk::default() };
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader.read_record(&mut record).map_err(csv_error)?;
        if more {
            let line = record.position().map_or(0, csv::Position::line);
            // The heading, and what was committed before an interruption.
            if line < next_line {
                continue;
            }
            chunk.rows.push(columns.row(line, &record));
            chunk.next_line = reader.position().line().max(line + 1);
        }
        if more && chunk.rows.len() < CHUNK_ROWS {
            continue;
        }
        chunk.last = !more;
        chunk.bytes_done = if more { bytes.load(Ordering::Relaxed).min(layout.bytes) } else { layout.bytes };
        let (whose, rules, now_ms) = ((import.workspace_id, import.id), Arc::clone(&rules), clock.now_ms());
        let first_line = std::mem::replace(&mut next_line, chunk.next_line);
        let full = std::mem::replace(&mut chunk, ImportChunk { next_line, ..ImportChunk::default() });
        let taken = storage
            .main()
            .write_blocking(move |tx| storage::import::take_in(tx, whose, &rules, (first_line, &full), now_ms))?;
        match (taken, more) {
            (false, _) => return Ok(Outcome::Ended),
            (true, false) => return Ok(Outcome::Finished),
            (true, true) if stop() => return Ok(Outcome::Interrupted),
            (true, true) => {}
        }
    }
}

fn csv_error(error: csv::Error) -> ImportError {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => ImportFileError::Io(cause).into(),
        // The reader is flexible about lengths and gets valid UTF-8 from the decoder: nothing else can happen.
        other => ImportFileError::Io(std::io::Error::other(format!("{other:?}"))).into(),
    }
}

fn consent_source(import: &Import, start: &ImportStart) -> String {
    if start.consent_source.trim().is_empty() {
        format!("import of {}", import.file_name)
    } else {
        start.consent_source.trim().to_owned()
    }
}

/// The targets with the kinds of their fields; fields that are new get the kind of their first values.
fn columns(
    storage: &Storage,
    import: &Import,
    start: &ImportStart,
    sample: Vec<Vec<String>>,
    now_ms: i64,
) -> Result<Columns, StorageError> {
    let mut kinds: Vec<(usize, String, FieldKind)> = Vec::new();
    for (n, target) in start.targets.iter().enumerate() {
        if let Some(field) = target.strip_prefix("attribute:") {
            let values = sample.iter().map(|row| row.get(n).map_or("", |value| value.trim()));
            kinds.push((n, field.to_owned(), values::infer(values)));
        }
    }
    let workspace = import.workspace_id;
    let kinds = storage.main().write_blocking(move |tx| {
        for (_, field, kind) in &mut kinds {
            *kind = storage::field::ensure(tx, workspace, field, *kind)?;
        }
        Ok(kinds)
    })?;
    let mut targets: Vec<Target> = start
        .targets
        .iter()
        .map(|target| match target.as_str() {
            "email" => Target::Email,
            "first_name" => Target::FirstName,
            "last_name" => Target::LastName,
            "tags" => Target::Tags,
            "engaged_at" => Target::EngagedAt,
            _ => Target::Ignore,
        })
        .collect();
    for (n, field, kind) in kinds {
        targets[n] = Target::Attribute(field, kind);
    }
    Ok(Columns { names: import.columns.iter().map(|column| column.name.clone()).collect(), targets, now_ms })
}
