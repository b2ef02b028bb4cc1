//! Suppression lists from a file: one row per address, with or without a heading.
//!
//! Columns that are known by their headings: the address, the reason, what it covers, a note, the end. Everything else is
//! left alone. Where there is no heading the first column is the address.

use api_types::{ImportError, SuppressionCovers, SuppressionReason};
use mail::Address;
use storage::suppression::{covers_of, reason_of, usual_covers};

/// A good row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The address.
    pub address: Address,
    /// Why.
    pub reason: SuppressionReason,
    /// Which mail is not sent.
    pub covers: SuppressionCovers,
    /// What stands beside it.
    pub note: String,
    /// Until when, if not for ever.
    pub expires_ms: Option<i64>,
}

const ADDRESS: [&str; 5] = ["address", "email", "e-mail", "mail", "recipient"];
const REASON: [&str; 2] = ["reason", "type"];
const COVERS: [&str; 1] = ["covers"];
const NOTE: [&str; 4] = ["note", "origin", "description", "comment"];
const EXPIRES: [&str; 2] = ["expires_at", "expires"];

/// Where the columns stand.
struct Columns {
    address: usize,
    reason: Option<usize>,
    covers: Option<usize>,
    note: Option<usize>,
    expires: Option<usize>,
    names: Vec<String>,
}

/// Reads a file: each row, or what is wrong with it.
///
/// # Errors
/// Where no column holds addresses.
pub fn read(bytes: &[u8]) -> Result<Vec<Result<Row, ImportError>>, String> {
    let text = String::from_utf8_lossy(bytes);
    // Lines are counted at LF alone.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b';', b'\t', b','].into_iter().max_by_key(|d| first.bytes().filter(|b| b == d).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut columns = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        // From memory, of any length and valid UTF-8: nothing can fail.
        let Ok(record) = record else { continue };
        let line = record.position().map_or(0, csv::Position::line);
        if columns.is_none() {
            let found = Columns::of(&record)?;
            let is_heading = found.is_heading();
            columns = Some(found);
            if is_heading {
                continue;
            }
        }
        if let Some(columns) = &columns {
            rows.push(columns.row(&record, line));
        }
    }
    Ok(rows)
}

impl Columns {
    fn of(first: &csv::StringRecord) -> Result<Columns, String> {
        let names: Vec<String> = first.iter().map(|cell| cell.trim().to_lowercase()).collect();
        let place = |words: &[&str]| names.iter().position(|name| words.contains(&name.as_str()));
        let by_heading = place(&ADDRESS);
        let by_value = || first.iter().position(|cell| Address::parse(cell.trim()).is_ok());
        match (by_heading, by_value()) {
            (Some(address), _) => Ok(Columns {
                address,
                reason: place(&REASON),
                covers: place(&COVERS),
                note: place(&NOTE),
                expires: place(&EXPIRES),
                names,
            }),
            (None, Some(address)) => {
                Ok(Columns { address, reason: None, covers: None, note: None, expires: None, names: Vec::new() })
            }
            (None, None) => Err("no column holds addresses; call it “address” in the first line".to_owned()),
        }
    }

    fn is_heading(&self) -> bool {
        !self.names.is_empty()
    }

    fn row(&self, record: &csv::StringRecord, line: u64) -> Result<Row, ImportError> {
        let cell = |n: Option<usize>| n.and_then(|n| record.get(n)).map_or("", str::trim);
        let refuse = |n: Option<usize>, reason: String| ImportError {
            line,
            column: n.and_then(|n| self.names.get(n)).cloned().unwrap_or_else(|| "address".to_owned()),
            value: cell(n).chars().take(200).collect(),
            reason,
        };
        let at = Some(self.address);
        let address = Address::parse(cell(at)).map_err(|e| refuse(at, e.why))?;
        let reason = match cell(self.reason).to_lowercase().replace([' ', '-'], "_").as_str() {
            "" => SuppressionReason::Import,
            word => reason_of(word).ok_or_else(|| {
                let known =
                    "hard_bounce, soft_bounces, complaint, unsubscribe, paused, sunset, manual, import, or nothing";
                refuse(self.reason, format!("not a reason; they are {known}"))
            })?,
        };
        let covers = match cell(self.covers).to_lowercase().as_str() {
            "" => usual_covers(reason),
            word => covers_of(word).ok_or_else(|| refuse(self.covers, "write marketing or all".to_owned()))?,
        };
        let expires_ms = match cell(self.expires) {
            "" => None,
            text => Some(moment(text).ok_or_else(|| {
                refuse(self.expires, "not a moment such as 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())
            })?),
        };
        let note = cell(self.note).chars().take(1000).collect();
        Ok(Row { address, reason, covers, note, expires_ms })
    }
}

fn moment(text: &str) -> Option<i64> {
    if let Ok(exact) = text.parse::<jiff::Timestamp>() {
        return Some(exact.as_millisecond());
    }
    let day = text.parse::<jiff::civil::Date>().ok()?;
    Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let told = match read(text.as_bytes()) {
            Err(why) => why,
            Ok(rows) => {
                let row = |row: &Result<Row, ImportError>| match row {
                    Ok(r) => format!("{} {:?} {:?} {:?} {:?}", r.address, r.reason, r.covers, r.note, r.expires_ms),
                    Err(e) => format!("line {}, {}: {:?} {}", e.line, e.column, e.value, e.reason),
                };
                rows.iter().map(row).collect::<Vec<_>>().join("\n")
            }
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn files() {
        check(
            "ana@x.example\r\nnobody\r\nbob@x.example\r\n",
            expect![[r#"
                ana@x.example Import All "" None
                line 2, address: "nobody" it has no @
                bob@x.example Import All "" None"#]],
        );
        check(
            "\u{feff}Email;Reason;Covers;Note;Expires_at\nana@x.example;Unsubscribe;;by letter;\nbob@x.example;hard bounce;all;;2027-01-31\ncy@x.example;tired;;;\ndee@x.example;;some;;\n",
            expect![[r#"
                ana@x.example Unsubscribe Marketing "by letter" None
                bob@x.example HardBounce All "" Some(1801353600000)
                line 4, reason: "tired" not a reason; they are hard_bounce, soft_bounces, complaint, unsubscribe, paused, sunset, manual, import, or nothing
                line 5, covers: "some" write marketing or all"#]],
        );
        check("name,town\nAna,Porto\n", expect!["no column holds addresses; call it “address” in the first line"]);
        check("", expect![""]);
    }
}
