//! Rows of a file: cells by their targets, checked.

use super::file::{ImportFileError, Layout, open};
use super::lines::LineEnds;
use super::values::{moment, typed};
use api_types::FieldKind;
use csv::StringRecord;
use mail::Address;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use storage::import::{ImportRow, RowError};

/// Longest name kept.
const NAME_MAX: usize = 200;
/// How much of a bad cell the error report repeats.
const VALUE_SHOWN: usize = 200;

/// A CSV reader over the file, standing at its first line (the heading, where there is one), and the count of bytes.
pub(super) fn reader(
    path: &Path,
    layout: &Layout,
) -> Result<(csv::Reader<impl Read + use<>>, Arc<AtomicU64>), ImportFileError> {
    let (text, read) = open(path, layout.encoding)?;
    let reader = csv::ReaderBuilder::new()
        .delimiter(layout.delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(LineEnds::new(text));
    Ok((reader, read))
}

/// The first rows behind the heading; broken ones are left out, since the import itself will report them.
pub(super) fn sample(path: &Path, layout: &Layout, rows: usize) -> Result<Vec<Vec<String>>, ImportFileError> {
    let records = reader(path, layout)?.0.into_records();
    let records = records.skip(usize::from(layout.heading.is_some())).take(rows).filter_map(Result::ok);
    Ok(records.map(|row| row.iter().map(str::to_owned).collect()).collect())
}

/// What a column is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Ignore,
    Email,
    FirstName,
    LastName,
    Tags,
    EngagedAt,
    Attribute(String, FieldKind),
}

/// The columns of the file with their targets.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    pub(super) targets: Vec<Target>,
    /// The moment of the import: nothing in a file can have happened later.
    pub(super) now_ms: i64,
}

impl Columns {
    fn name(&self, n: usize) -> String {
        self.names.get(n).cloned().unwrap_or_else(|| format!("column {}", n + 1))
    }

    pub(super) fn email(&self) -> String {
        let at = self.targets.iter().position(|target| *target == Target::Email);
        at.map(|n| self.name(n)).unwrap_or_default()
    }

    /// The row of a record.
    pub(super) fn row(&self, line: u64, record: &StringRecord) -> Result<ImportRow, RowError> {
        let refuse = |n: usize, value: &str, reason: String| RowError {
            line,
            column: self.name(n),
            value: value.chars().take(VALUE_SHOWN).collect(),
            reason,
        };
        if record.len() > self.names.len() {
            let more = record.get(self.names.len()).unwrap_or_default();
            let reason = format!(
                "the row has {} cells, the file {} columns; is a quote missing?",
                record.len(),
                self.names.len()
            );
            return Err(refuse(self.names.len(), more, reason));
        }
        let mut email = None;
        let mut row = Cells::default();
        for (n, target) in self.targets.iter().enumerate() {
            let cell = record.get(n);
            let text = cell.unwrap_or_default().trim();
            if text.contains('\u{fffd}') && *target != Target::Ignore {
                return Err(refuse(
                    n,
                    text,
                    "it has characters that could not be decoded; save the file as UTF-8".to_owned(),
                ));
            }
            match target {
                Target::Ignore => {}
                Target::Email if text.is_empty() => {
                    let reason = if cell.is_none() { "the row ends before this column" } else { "there is no address" };
                    return Err(refuse(n, "", reason.to_owned()));
                }
                Target::Email => email = Some(Address::parse(text).map_err(|e| refuse(n, text, e.why))?),
                Target::FirstName => row.first_name = Some(name(text).map_err(|why| refuse(n, text, why.to_owned()))?),
                Target::LastName => row.last_name = Some(name(text).map_err(|why| refuse(n, text, why.to_owned()))?),
                Target::Tags => row.tags = tags(text),
                Target::EngagedAt => {
                    let at_ms = moment(text, self.now_ms).map_err(|why| refuse(n, text, why.to_owned()))?;
                    // Opened and clicked: the later one counts.
                    row.engaged_ms = row.engaged_ms.max(at_ms);
                }
                Target::Attribute(field, kind) => {
                    let value = typed(*kind, text).map_err(|why| refuse(n, text, why.to_owned()))?;
                    row.attributes.push((field.clone(), value));
                }
            }
        }
        let Some(email) = email else { return Err(refuse(0, "", "there is no address".to_owned())) };
        let Cells { first_name, last_name, attributes, tags, engaged_ms } = row;
        Ok(ImportRow { line, email, first_name, last_name, attributes, tags, engaged_ms })
    }
}

#[derive(Default)]
struct Cells {
    first_name: Option<String>,
    last_name: Option<String>,
    attributes: Vec<(String, Option<serde_json::Value>)>,
    tags: Vec<String>,
    engaged_ms: Option<i64>,
}

/// A name in one line.
fn name(text: &str) -> Result<String, &'static str> {
    if text.chars().count() > NAME_MAX {
        return Err("longer than 200 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a line end or another control character in it; is a quote missing?");
    }
    Ok(text.to_owned())
}

/// Tags of a cell: divided by commas, semicolons or bars.
fn tags(text: &str) -> Vec<String> {
    let parts = text.split([',', ';', '|']).map(str::trim).filter(|tag| !tag.is_empty());
    parts.map(|tag| tag.chars().take(100).collect()).collect()
}
