//! Files into contacts: look into a file, propose what its columns are, then read it row by row.
//!
//! Bounded memory at any size: the file is streamed, rows go into the database in chunks, each chunk with its progress
//! in one transaction. Every row that is not taken is recorded with its line, column and reason. An import that was
//! interrupted goes on behind its last committed chunk.

mod columns;
mod file;
mod lines;
mod rows;
mod run;
mod values;

pub use file::{ImportFileError, Layout, layout};
pub use run::{ImportError, Outcome, check_start, run};

use api_types::ImportColumn;
use std::path::{Path, PathBuf};
use storage::ImportId;
use storage::import::Found;

/// Rows that are looked at for samples and types.
const SAMPLE_ROWS: usize = 1000;
/// Samples shown per column.
const SAMPLES_SHOWN: usize = 3;

/// Where the uploaded file of an import lies.
#[must_use]
pub fn path(data_dir: &Path, id: ImportId) -> PathBuf {
    data_dir.join("imports").join(format!("{id}.csv"))
}

/// Looks into a file: encoding, delimiter, heading, columns with samples and proposed targets.
///
/// # Errors
/// When it cannot be read, is empty, or has no column that could hold addresses.
pub fn inspect(path: &Path) -> Result<Found, ImportFileError> {
    let layout = layout(path)?;
    let sample = rows::sample(path, &layout, SAMPLE_ROWS)?;
    // A row with more cells than the heading is broken and will be reported; without a heading the longest row counts.
    let longest = || sample.iter().map(Vec::len).max().unwrap_or(0);
    let width = layout.heading.as_ref().map_or_else(longest, Vec::len);
    if sample.is_empty() {
        return Err(ImportFileError::NoRows);
    }
    let names: Vec<String> = (0..width)
        .map(|n| {
            let heading = layout.heading.as_ref().and_then(|heading| heading.get(n)).map(|name| name.trim());
            heading.filter(|name| !name.is_empty()).map_or_else(|| format!("column {}", n + 1), str::to_owned)
        })
        .collect();
    let targets = columns::propose(&names, &sample);
    if !targets.iter().any(|target| target == "email") {
        return Err(ImportFileError::NoAddresses { columns: names.join(", ") });
    }
    let samples = |n: usize| {
        let filled =
            sample.iter().filter_map(|row| row.get(n)).map(|value| value.trim()).filter(|value| !value.is_empty());
        filled.take(SAMPLES_SHOWN).map(str::to_owned).collect()
    };
    let columns = names
        .into_iter()
        .zip(targets)
        .enumerate()
        .map(|(n, (name, target))| ImportColumn { name, samples: samples(n), target })
        .collect();
    Ok(Found {
        columns,
        bytes_total: layout.bytes,
        first_line: if layout.heading.is_some() { 2 } else { 1 },
        warning: layout.warning,
    })
}

#[cfg(test)]
mod tests;
