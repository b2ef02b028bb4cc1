//! Suppression lists from a file: one row per address, with or without a heading.
//!
//! Columns that are known by their headings: the address, its hash, the reason, what it covers, a note, the end. Everything
//! else is left alone. Where there is no heading the first column with an address counts, or with a hash.

use api_types::{ImportError, SuppressionCovers, SuppressionReason};
use mail::Address;
use storage::suppression::{covers_of, reason_of, usual_covers};
use storage::{AddressHash, address_hash_of_word};

/// Who is not sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This address.
    Address(Address),
    /// The address with this hash.
    Hash(AddressHash),
}

impl Whom {
    /// The address, or its hash where that stands there instead.
    fn of(address: &str, hash: &str) -> Result<Whom, String> {
        if !address.is_empty() || hash.is_empty() {
            return Address::parse(address).map(Whom::Address).map_err(|e| e.why);
        }
        let why =
            "not SHA-256 of an address in lower case: 64 hexadecimal digits; from MD5 and others nothing can be made";
        address_hash_of_word(hash).map(Whom::Hash).ok_or_else(|| why.to_owned())
    }
}

/// A good row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub whom: Whom,
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
const HASH: [&str; 4] = ["address_hash", "email_hash", "hash", "sha256"];
const REASON: [&str; 2] = ["reason", "type"];
const COVERS: [&str; 1] = ["covers"];
const NOTE: [&str; 4] = ["note", "origin", "description", "comment"];
const EXPIRES: [&str; 2] = ["expires_at", "expires"];

/// Where the columns stand.
struct Columns {
    address: Option<usize>,
    hash: Option<usize>,
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
        let hash = place(&HASH);
        let by_value = || first.iter().position(|cell| Address::parse(cell.trim()).is_ok());
        let hash_by_value = || first.iter().position(|cell| address_hash_of_word(cell.trim()).is_some());
        let bare = |address, hash| {
            Ok(Columns { address, hash, reason: None, covers: None, note: None, expires: None, names: Vec::new() })
        };
        match (by_heading.or(hash), by_value(), hash_by_value()) {
            (Some(_), ..) => Ok(Columns {
                address: by_heading,
                hash,
                reason: place(&REASON),
                covers: place(&COVERS),
                note: place(&NOTE),
                expires: place(&EXPIRES),
                names,
            }),
            (None, Some(address), _) => bare(Some(address), None),
            (None, None, Some(hash)) => bare(None, Some(hash)),
            (None, None, None) => Err("no column holds addresses; call it “address” in the first line".to_owned()),
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
        let whom = Whom::of(cell(self.address), cell(self.hash)).map_err(|why| {
            let by_hash = cell(self.address).is_empty() && !cell(self.hash).is_empty();
            refuse(if by_hash { self.hash } else { self.address }, why)
        })?;
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
        Ok(Row { whom, reason, covers, note, expires_ms })
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
                    Ok(r) => {
                        let whom = match &r.whom {
                            Whom::Address(address) => address.to_string(),
                            Whom::Hash(hash) => storage::address_hash_word(hash),
                        };
                        format!("{whom} {:?} {:?} {:?} {:?}", r.reason, r.covers, r.note, r.expires_ms)
                    }
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
        let bo = "sha256-128:00112233445566778899aabbccddeeff";
        let cy = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";
        check(
            &format!(
                "address,address_hash,reason\nana@x.example,{cy},\n,{bo},complaint\n,{cy},\n,{},\n,,\n",
                &cy[..32]
            ),
            expect![[r#"
                ana@x.example Import All "" None
                sha256-128:00112233445566778899aabbccddeeff Complaint Marketing "" None
                sha256-128:00112233445566778899aabbccddeeff Import All "" None
                line 5, address_hash: "00112233445566778899AABBCCDDEEFF" not SHA-256 of an address in lower case: 64 hexadecimal digits; from MD5 and others nothing can be made
                line 6, address: "" it has no @"#]],
        );
        check(&format!("{cy}\n"), expect![[r#"sha256-128:00112233445566778899aabbccddeeff Import All "" None"#]]);
        check("name,town\nAna,Porto\n", expect!["no column holds addresses; call it “address” in the first line"]);
        check("", expect![""]);
    }
}
