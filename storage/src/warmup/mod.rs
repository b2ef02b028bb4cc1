//! Warm-up: how far each source and each new sending domain is at each provider, and the figures of its present day.
//!
//! A line is a source or domain at a provider. Its day is counted in the commits of what is counted (`count`); what a
//! day's figures mean for the stage is decided in `mta::warmup`, each night, and written here.

mod count;
mod domain;
#[cfg(test)]
mod tests;
mod waiting;

use crate::words::{count as counted, word};
use crate::{StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use std::sync::Arc;

pub use count::{Counts, Fate, is_sending};
pub(crate) use count::{bounced_later, complained};
pub use domain::{DomainWarmup, add_domain, domains, remove_domain, senders};
pub use waiting::{Waiting, hasten, waiting_by_domain};

/// What earns its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// An egress source.
    Source,
    /// A sending domain.
    Domain,
}

impl Axis {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Axis::Source => "source",
            Axis::Domain => "domain",
        }
    }

    fn parse(word: &str) -> Option<Axis> {
        [Axis::Source, Axis::Domain].into_iter().find(|axis| axis.as_str() == word)
    }
}

/// How a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Climbs when it may.
    Running,
    /// Stays at its stage until a person resumes it.
    Paused,
    /// Warm: nothing is limited any more.
    Done,
}

impl State {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Paused => "paused",
            State::Done => "done",
        }
    }

    fn parse(word: &str) -> Option<State> {
        [State::Running, State::Paused, State::Done].into_iter().find(|state| state.as_str() == word)
    }
}

/// Which line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// What earns its volume.
    pub axis: Axis,
    /// Whose it is; [`WorkspaceId::NONE`] for sources.
    pub workspace_id: WorkspaceId,
    /// The source's name, or the sending domain.
    pub subject: Arc<str>,
    /// Where.
    pub provider: Arc<str>,
}

/// What happened on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages that left, or may have.
    pub sent: u64,
    /// Of those, taken.
    pub delivered: u64,
    /// Of those, not now.
    pub deferred: u64,
    /// Of those, refused because of our own address or name.
    pub blocked: u64,
    /// Of those, refused for good.
    pub bounced: u64,
    /// Reported as spam.
    pub complained: u64,
}

/// A source or domain at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Id.
    pub id: i64,
    /// Which.
    pub key: Key,
    /// How it stands.
    pub state: State,
    /// From 0.
    pub stage: u32,
    /// Why it is at this stage.
    pub note: String,
    /// Since when.
    pub note_ms: i64,
    /// The day of the figures: days since 1970, UTC.
    pub day: i64,
    /// The figures.
    pub figures: Figures,
}

macro_rules! line {
    ($rest:literal) => {
        concat!(
            "SELECT id, workspace_id, axis, subject, provider, state, stage, note, note_ms, day, sent, delivered, deferred, \
             blocked, bounced, complained FROM warmup ",
            $rest
        )
    };
}

const ALL: &str = line!("ORDER BY id");
const PAGE: &str = line!(
    "WHERE workspace_id IN (0, :workspace_id) AND id > :after AND (:axis IS NULL OR axis = :axis)
        AND (:subject IS NULL OR subject = :subject) ORDER BY id LIMIT :limit"
);
const FIND: &str = line!("WHERE id = :id AND workspace_id IN (0, :workspace_id)");
const AT: &str = line!("WHERE axis = :axis AND subject = :subject AND provider = :provider");
const OVER: &str = line!("WHERE day < ?1 AND (sent > 0 OR complained > 0) ORDER BY day, id");

fn read(row: &Row<'_>) -> rusqlite::Result<Line> {
    let text = |column| row.get::<_, String>(column).map(Arc::from);
    Ok(Line {
        id: row.get(0)?,
        key: Key { workspace_id: row.get(1)?, axis: word(row, 2, Axis::parse)?, subject: text(3)?, provider: text(4)? },
        state: word(row, 5, State::parse)?,
        stage: row.get(6)?,
        note: row.get(7)?,
        note_ms: row.get(8)?,
        day: row.get(9)?,
        figures: Figures {
            sent: counted(row, 10)?,
            delivered: counted(row, 11)?,
            deferred: counted(row, 12)?,
            blocked: counted(row, 13)?,
            bounced: counted(row, 14)?,
            complained: counted(row, 15)?,
        },
    })
}

/// Every line: what the engine begins with.
///
/// # Errors
/// The database's.
pub fn all(tx: &Connection) -> Result<Vec<Line>, StorageError> {
    let mut statement = tx.prepare_cached(ALL)?;
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this axis.
    pub axis: Option<Axis>,
    /// Only this source or sending domain.
    pub subject: Option<String>,
}

/// Lines that the workspace sees, those of all sources among them, oldest first, with ids above `after`.
///
/// # Errors
/// The database's.
pub fn page(
    tx: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    after: i64,
    limit: u32,
) -> Result<Vec<Line>, StorageError> {
    let mut statement = tx.prepare_cached(PAGE)?;
    let rows = statement.query_map(
        named_params! {
            ":workspace_id": workspace,
            ":after": after,
            ":axis": filter.axis.map(Axis::as_str),
            ":subject": filter.subject,
            ":limit": limit,
        },
        read,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The line with this id, if the workspace sees it.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: i64) -> Result<Option<Line>, StorageError> {
    Ok(tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

/// The line of a source or domain at a provider, once something went.
///
/// # Errors
/// The database's.
pub fn at(tx: &Connection, axis: Axis, subject: &str, provider: &str) -> Result<Option<Line>, StorageError> {
    let params = named_params! { ":axis": axis.as_str(), ":subject": subject, ":provider": provider };
    Ok(tx.prepare_cached(AT)?.query_row(params, read).optional()?)
}

/// Lines whose day is over and had something.
///
/// # Errors
/// The database's.
pub fn over(tx: &Connection, today: i64) -> Result<Vec<Line>, StorageError> {
    let mut statement = tx.prepare_cached(OVER)?;
    Ok(statement.query_map([today], read)?.collect::<Result<_, _>>()?)
}

const STANDING: &str = "SELECT count(*), coalesce(sum(state = 'done'), 0) FROM warmup WHERE axis = ?1 AND subject = ?2";

/// Whether a source or sending domain that follows a plan still earns its volume at some provider, or has not begun.
///
/// # Errors
/// The database's.
pub fn is_warming(tx: &Connection, axis: Axis, subject: &str) -> Result<bool, StorageError> {
    let standing = tx
        .prepare_cached(STANDING)?
        .query_row(params![axis.as_str(), subject], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let (lines, done) = standing;
    Ok(lines == 0 || done < lines)
}

const BEGIN_DAY: &str = "
    UPDATE warmup SET state = ?2, stage = ?3, note = ?4, note_ms = ?5, day = ?6, sent = 0, delivered = 0, deferred = 0,
        blocked = 0, bounced = 0, complained = 0
    WHERE id = ?1";

/// A new day of a line: its state, stage and note as given, nothing counted yet.
///
/// # Errors
/// The database's.
pub fn begin_day(tx: &Connection, line: &Line) -> Result<(), StorageError> {
    tx.prepare_cached(BEGIN_DAY)?.execute(params![
        line.id,
        line.state.as_str(),
        line.stage,
        line.note,
        line.note_ms,
        line.day
    ])?;
    Ok(())
}

const SET: &str = "
    UPDATE warmup SET state = :state, stage = :stage, note = :note, note_ms = :note_ms
    WHERE id = :id AND workspace_id IN (0, :workspace_id)";

/// Changes state, stage and note; the day's figures stay.
///
/// # Errors
/// The database's.
pub fn set(tx: &Connection, workspace: WorkspaceId, line: &Line) -> Result<(), StorageError> {
    tx.prepare_cached(SET)?.execute(named_params! {
        ":id": line.id,
        ":workspace_id": workspace,
        ":state": line.state.as_str(),
        ":stage": line.stage,
        ":note": line.note,
        ":note_ms": line.note_ms,
    })?;
    Ok(())
}

const FORGET: &str = "DELETE FROM warmup WHERE day < ?1 AND sent = 0 AND note_ms < ?2";

/// Deletes lines that nothing was sent on and nobody touched since before that day: providers forget too.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_day: i64, before_ms: i64) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_day, before_ms])?)
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [ALL, PAGE, FIND, AT, OVER, STANDING, BEGIN_DAY, SET, FORGET];
    [&own[..], count::STATEMENTS, domain::STATEMENTS, waiting::STATEMENTS].concat()
}
