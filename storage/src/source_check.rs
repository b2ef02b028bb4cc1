//! How the egress sources stand: what the last look at each found, and since when. They are the host's, of no workspace.

use crate::event::{Event, Kind};
use crate::words::word;
use crate::{StorageError, WorkspaceId, outbox};
use rusqlite::{Connection, Row, named_params, params};
use std::collections::HashMap;

/// Declares a closed set of stored words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The stored word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            pub(crate) fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What is looked at, in the order in which it is shown.
    Subject {
        /// Whether this host has the address.
        Address = "address",
        /// The address's name (PTR).
        Ptr = "ptr",
        /// Whether that name leads back to the address.
        Forward = "forward",
        /// Whether EHLO says that name.
        Ehlo = "ehlo",
        /// One blocklist.
        Blocklist = "blocklist",
        /// Whether other mail servers can be reached.
        Port25 = "port25",
    }
}

words! {
    /// How it stands.
    Level {
        /// As it should be.
        Good = "good",
        /// Not looked at, and why.
        Off = "off",
        /// Could not be found out.
        Unsure = "unsure",
        /// Some receivers will mind.
        Warning = "warning",
        /// Many receivers will refuse mail, or none can be sent.
        Bad = "bad",
    }
}

impl Level {
    fn is_trouble(self) -> bool {
        matches!(self, Level::Warning | Level::Bad)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: Subject,
    /// Which one of several: the blocklist's name; empty otherwise.
    pub item: String,
    /// How it stands.
    pub level: Level,
    /// What was found, for people.
    pub found: String,
    /// What to do about it; empty when nothing.
    pub advice: String,
}

/// What is kept of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCheck {
    /// Name of the source.
    pub source: String,
    /// What was found.
    pub finding: Finding,
    /// Since when it stands so.
    pub since_ms: i64,
    /// When it was looked at.
    pub checked_ms: i64,
}

const LEVELS: &str = "SELECT subject, item, level FROM source_check WHERE source = ?1";
const SAVE: &str = "
    INSERT INTO source_check (source, subject, item, level, found, advice, since_ms, checked_ms)
    VALUES (:source, :subject, :item, :level, :found, :advice, :now_ms, :now_ms)
    ON CONFLICT (source, subject, item) DO UPDATE
    SET level = excluded.level, found = excluded.found, advice = excluded.advice, checked_ms = excluded.checked_ms,
        since_ms = CASE level WHEN excluded.level THEN since_ms ELSE excluded.since_ms END";
const DROP_OTHERS: &str = "DELETE FROM source_check WHERE source = ?1 AND checked_ms < ?2";

/// Keeps what a whole look at a source found in place of the look before, and writes an event for each trouble that
/// began or ended; says how many.
///
/// # Errors
/// The database's.
pub fn save(tx: &Connection, source: &str, findings: &[Finding], now_ms: i64) -> Result<usize, StorageError> {
    let mut before: HashMap<(String, String), Level> = HashMap::new();
    let mut statement = tx.prepare_cached(LEVELS)?;
    let rows = statement.query_map([source], |row| Ok(((row.get(0)?, row.get(1)?), word(row, 2, Level::parse)?)))?;
    for row in rows {
        let (key, level) = row?;
        before.insert(key, level);
    }
    let mut news = 0;
    for finding in findings {
        tx.prepare_cached(SAVE)?.execute(named_params! {
            ":source": source,
            ":subject": finding.subject.as_str(),
            ":item": finding.item,
            ":level": finding.level.as_str(),
            ":found": finding.found,
            ":advice": finding.advice,
            ":now_ms": now_ms,
        })?;
        let key = (finding.subject.as_str().to_owned(), finding.item.clone());
        let was_trouble = before.get(&key).is_some_and(|level| level.is_trouble());
        if was_trouble != finding.level.is_trouble() {
            let event = Event::new(now_ms, WorkspaceId::MAIN, Kind::SourceCheck);
            outbox::put(tx, &Event { source: Some(source), text: Some(&finding.found), ..event })?;
            news += 1;
        }
    }
    tx.prepare_cached(DROP_OTHERS)?.execute(params![source, now_ms])?;
    Ok(news)
}

const OF: &str = "
    SELECT source, subject, item, level, found, advice, since_ms, checked_ms FROM source_check
    WHERE source = ?1 ORDER BY subject, item";
const ALL: &str = "
    SELECT source, subject, item, level, found, advice, since_ms, checked_ms FROM source_check
    ORDER BY source, subject, item";

/// What is known of a source, in the order of the subjects.
///
/// # Errors
/// The database's.
pub fn of(tx: &Connection, source: &str) -> Result<Vec<SourceCheck>, StorageError> {
    let mut statement = tx.prepare_cached(OF)?;
    let rows = statement.query_map([source], read)?;
    ordered(rows.collect::<Result<_, _>>()?)
}

/// What is known of all sources, those that are not configured any more too.
///
/// # Errors
/// The database's.
pub fn all(tx: &Connection) -> Result<Vec<SourceCheck>, StorageError> {
    let mut statement = tx.prepare_cached(ALL)?;
    let rows = statement.query_map([], read)?;
    ordered(rows.collect::<Result<_, _>>()?)
}

fn ordered(mut rows: Vec<SourceCheck>) -> Result<Vec<SourceCheck>, StorageError> {
    rows.sort_by(|a, b| (&a.source, a.finding.subject).cmp(&(&b.source, b.finding.subject)));
    Ok(rows)
}

const FORGET: &str = "DELETE FROM source_check WHERE checked_ms < ?1";

/// Forgets what was not looked at since `before_ms`: sources that are gone.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute([before_ms])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<SourceCheck> {
    Ok(SourceCheck {
        source: row.get(0)?,
        finding: Finding {
            subject: word(row, 1, Subject::parse)?,
            item: row.get(2)?,
            level: word(row, 3, Level::parse)?,
            found: row.get(4)?,
            advice: row.get(5)?,
        },
        since_ms: row.get(6)?,
        checked_ms: row.get(7)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LEVELS, SAVE, DROP_OTHERS, OF, ALL, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    fn finding(subject: Subject, item: &str, level: Level) -> Finding {
        let found = format!("{item} {}", level.as_str());
        Finding { subject, item: item.to_owned(), level, found, advice: String::new() }
    }

    #[test]
    fn a_look_takes_the_place_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let save_at = |now_ms, findings: Vec<Finding>| {
            storage.queue().write_blocking(move |tx| save(tx, "mx1", &findings, now_ms)).unwrap()
        };
        let listed = |level| finding(Subject::Blocklist, "ZEN", level);
        let ptr = |level| finding(Subject::Ptr, "", level);
        assert_eq!(save_at(10, vec![listed(Level::Good), ptr(Level::Good)]), 0, "nothing is wrong");
        assert_eq!(save_at(20, vec![listed(Level::Bad), ptr(Level::Good)]), 1, "a trouble began");
        assert_eq!(save_at(30, vec![listed(Level::Bad), ptr(Level::Unsure)]), 0);
        assert_eq!(save_at(40, vec![listed(Level::Off)]), 1, "it ended");
        let rows = storage.read_blocking(|c| of(c, "mx1")).unwrap();
        let shown: Vec<_> = rows.iter().map(|r| (r.finding.item.as_str(), r.since_ms, r.checked_ms)).collect();
        assert_eq!(shown, [("ZEN", 40, 40)], "what was not looked at any more is gone");
        assert_eq!(save_at(50, vec![listed(Level::Off), ptr(Level::Bad)]), 1);
        let rows = storage.read_blocking(all).unwrap();
        let shown: Vec<_> = rows.iter().map(|r| (r.finding.subject, r.since_ms, r.checked_ms)).collect();
        assert_eq!(shown, [(Subject::Ptr, 50, 50), (Subject::Blocklist, 40, 50)]);
        assert_eq!(storage.queue().write_blocking(|tx| forget(tx, 51)).unwrap(), 2);
        assert_eq!(storage.read_blocking(outbox::waiting).unwrap(), 3);
    }
}
