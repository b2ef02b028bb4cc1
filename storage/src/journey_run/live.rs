//! Published journeys as those under way see them: their state, and how new ones enter.

use crate::words::word;
use crate::{CampaignId, JourneyId, ListId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Where a published journey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiveState {
    /// Contacts enter and go on.
    Live,
    /// Contacts enter and stay where they are.
    Paused,
    /// Over, for good.
    Ended,
}

impl LiveState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LiveState::Live => "live",
            LiveState::Paused => "paused",
            LiveState::Ended => "ended",
        }
    }

    fn parse(word: &str) -> Option<LiveState> {
        [LiveState::Live, LiveState::Paused, LiveState::Ended].into_iter().find(|state| state.as_str() == word)
    }
}

/// A published journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The journey.
    pub journey_id: JourneyId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Where it is.
    pub state: LiveState,
    /// Who or what brought it there.
    pub reason: String,
    /// By which version new ones enter.
    pub entry: Entrance,
}

/// How new ones enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// The version.
    pub version: u32,
    /// The journey's name when it was published.
    pub name: String,
    /// The first step.
    pub start: String,
    /// The list that leads in, and whose leaving leads out.
    pub list_id: Option<ListId>,
    /// How long after the last entry one may enter again; `None`: never.
    pub reentry_ms: Option<i64>,
}

// A newer version changes how new ones enter, not whether the journey is paused.
const PUBLISH: &str = "
    INSERT INTO journey_live (journey_id, workspace_id, state, reason, changed_ms, version, name, start, list_id, reentry_ms)
    VALUES (:journey_id, :workspace_id, 'live', :reason, :now_ms, :version, :name, :start, :list_id, :reentry_ms)
    ON CONFLICT (journey_id) DO UPDATE SET version = excluded.version, name = excluded.name, start = excluded.start,
        list_id = excluded.list_id, reentry_ms = excluded.reentry_ms
    WHERE excluded.version > journey_live.version AND journey_live.state <> 'ended'";

/// New ones enter by this version from now on; `false` when they do already, or the journey has ended.
///
/// # Errors
/// The database's.
pub fn publish(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    entrance: &Entrance,
    reason: &str,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(PUBLISH)?.execute(named_params! {
        ":journey_id": journey,
        ":workspace_id": workspace,
        ":reason": reason,
        ":now_ms": now_ms,
        ":version": entrance.version,
        ":name": entrance.name,
        ":start": entrance.start,
        ":list_id": entrance.list_id,
        ":reentry_ms": entrance.reentry_ms,
    })?;
    Ok(changed > 0)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT journey_id, workspace_id, state, reason, version, name, start, list_id, reentry_ms FROM journey_live ",
            $rest
        )
    };
}

const FIND: &str = select!("WHERE journey_id = :journey_id AND workspace_id = :workspace_id");
const ALL: &str = select!("ORDER BY journey_id");

/// A published journey.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, journey: JourneyId) -> Result<Option<Live>, StorageError> {
    let whose = named_params! { ":journey_id": journey, ":workspace_id": workspace };
    Ok(tx.prepare_cached(FIND)?.query_row(whose, read).optional()?)
}

/// The published journeys of all workspaces.
///
/// # Errors
/// The database's.
pub fn all(tx: &Connection) -> Result<Vec<Live>, StorageError> {
    let mut statement = tx.prepare_cached(ALL)?;
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Live> {
    Ok(Live {
        journey_id: row.get(0)?,
        workspace_id: row.get(1)?,
        state: word(row, 2, LiveState::parse)?,
        reason: row.get(3)?,
        entry: Entrance {
            version: row.get(4)?,
            name: row.get(5)?,
            start: row.get(6)?,
            list_id: row.get(7)?,
            reentry_ms: row.get(8)?,
        },
    })
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// From live to paused.
    Pause,
    /// From paused to live.
    Resume,
    /// From either to ended.
    End,
}

const MOVE: &str = "
    UPDATE journey_live SET state = :to, reason = :reason, changed_ms = :now_ms
    WHERE journey_id = :journey_id AND workspace_id = :workspace_id AND state IN (:from, :or_from)";
// Its mail stands still, goes on and stops with it.
const MOVE_MAILINGS: &str = "
    UPDATE campaign_run SET state = :to, reason = :reason, changed_ms = :now_ms
    WHERE journey_id = :journey_id AND workspace_id = :workspace_id AND state IN (:from, :or_from)";

/// Brings a journey and its mailings into another state; `false` when it is in none that this change begins with. Those
/// under way in one that ends are ended by [`super::end_some`].
///
/// # Errors
/// The database's.
pub fn change(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    change: Change,
    reason: &str,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let (from, or_from, to) = match change {
        Change::Pause => ("live", "live", "paused"),
        Change::Resume => ("paused", "paused", "live"),
        Change::End => ("live", "paused", "ended"),
    };
    let mailings = |word| match word {
        "live" => "running",
        "ended" => "cancelled",
        other => other,
    };
    let moved = |sql, from: &str, or_from: &str, to: &str| -> Result<usize, StorageError> {
        Ok(tx.prepare_cached(sql)?.execute(named_params! {
            ":journey_id": journey,
            ":workspace_id": workspace,
            ":from": from,
            ":or_from": or_from,
            ":to": to,
            ":reason": reason,
            ":now_ms": now_ms,
        })?)
    };
    if moved(MOVE, from, or_from, to)? == 0 {
        return Ok(false);
    }
    moved(MOVE_MAILINGS, mailings(from), mailings(or_from), mailings(to))?;
    Ok(true)
}

const OPEN_MAILING: &str = "
    UPDATE campaign_run SET journey_id = ?1, journey_version = ?2, journey_step = ?3,
        state = CASE (SELECT state FROM journey_live WHERE journey_id = ?1)
            WHEN 'paused' THEN 'paused' WHEN 'ended' THEN 'cancelled' ELSE state END
    WHERE campaign_id = ?4 AND workspace_id = ?5 AND journey_id IS NULL";

/// Makes the run of a mailing that of a step, in the commit that makes it. It stands as its journey does.
///
/// # Errors
/// The database's.
pub fn open_mailing(
    tx: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
    (journey, version, step): (JourneyId, u32, &str),
) -> Result<(), StorageError> {
    tx.prepare_cached(OPEN_MAILING)?.execute(params![journey, version, step, campaign, workspace])?;
    Ok(())
}

// A contact can be one recipient of a campaign: whoever comes again gets the next mailing of the step.
const FREE_MAILING: &str = "
    SELECT r.campaign_id, r.stream, r.pool FROM campaign_run r
    WHERE r.journey_id = ?1 AND r.journey_version = ?2 AND r.journey_step = ?3
        AND NOT EXISTS (SELECT 1 FROM recipient q WHERE q.campaign_id = r.campaign_id AND q.contact_id = ?4)
        AND NOT EXISTS (SELECT 1 FROM recipient_done d WHERE d.campaign_id = r.campaign_id AND d.contact_id = ?4)
    ORDER BY r.campaign_id LIMIT 1";

/// A mailing and the way that it leaves by: stream and pool.
pub(super) type Mailing = (CampaignId, String, String);

/// The first mailing of a step that the contact is no recipient of yet.
pub(super) fn free_mailing(
    tx: &Connection,
    (journey, version, step): (JourneyId, u32, &str),
    contact: crate::ContactId,
) -> Result<Option<Mailing>, StorageError> {
    let mut statement = tx.prepare_cached(FREE_MAILING)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    Ok(statement.query_row(params![journey, version, step, contact], read).optional()?)
}

// The mailings of a version that nobody enters by and nobody is under way in are complete.
macro_rules! through {
    () => {
        "journey_id = ?1 AND journey_version < ?2 AND audience_complete = 0
         AND NOT EXISTS (SELECT 1 FROM journey_run w
            WHERE w.journey_id = ?1 AND w.version = campaign_run.journey_version AND w.state = 'waiting')"
    };
}
const ANY_THROUGH: &str = concat!("SELECT EXISTS (SELECT 1 FROM campaign_run WHERE ", through!(), ")");
const COMPLETE: &str =
    concat!("UPDATE campaign_run SET audience_complete = 1 WHERE ", through!(), " RETURNING campaign_id");

/// Whether [`complete_old`] has something to do. For readers: telling may mean looking at everybody under way.
///
/// # Errors
/// The database's.
pub fn any_old_through(c: &Connection, live: &Live) -> Result<bool, StorageError> {
    let which = params![live.journey_id, live.entry.version];
    Ok(c.prepare_cached(ANY_THROUGH)?.query_row(which, |row| row.get(0))?)
}

/// Finishes the mailings of older versions that nobody is under way in any more; says how many are left to their last
/// recipients.
///
/// # Errors
/// The database's.
pub fn complete_old(tx: &Connection, live: &Live, now_ms: i64) -> Result<usize, StorageError> {
    let mut statement = tx.prepare_cached(COMPLETE)?;
    let done = statement.query_map(params![live.journey_id, live.entry.version], |row| row.get(0))?;
    let done: Vec<CampaignId> = done.collect::<Result<_, _>>()?;
    for campaign in &done {
        crate::campaign_run::finish_if_done(tx, *campaign, now_ms)?;
    }
    Ok(done.len())
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[PUBLISH, FIND, ALL, MOVE, MOVE_MAILINGS, OPEN_MAILING, FREE_MAILING, ANY_THROUGH, COMPLETE];
