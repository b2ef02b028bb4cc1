//! A launched campaign under way: its state, its audience on the way into the queue, its figures.
//!
//! "Finished" is only ever derived: the whole audience is in the queue and no recipient is live.

use crate::queue::{self, NewRecipient, Origin};
use crate::words::word;
use crate::{CampaignId, ContactId, ListId, StorageError, WorkspaceId, contact::Member};
use mail::StreamKind;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// Where a launched campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Sending.
    Running,
    /// Stopped by a person; goes on with resume.
    Paused,
    /// Stopped for good.
    Cancelled,
    /// Every recipient has its final state.
    Finished,
}

impl RunState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Cancelled => "cancelled",
            RunState::Finished => "finished",
        }
    }

    fn parse(word: &str) -> Option<RunState> {
        Some(match word {
            "running" => RunState::Running,
            "paused" => RunState::Paused,
            "cancelled" => RunState::Cancelled,
            "finished" => RunState::Finished,
            _ => return None,
        })
    }
}

/// A launched campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Where it is.
    pub state: RunState,
    /// Who or what brought it there.
    pub reason: String,
    /// The stream that its mail belongs to.
    pub stream: String,
    /// The pool of egress sources.
    pub pool: String,
    /// The audience up to this contact is in the queue.
    pub audience_cursor: ContactId,
    /// Whether the most engaged contacts come first.
    pub engaged_first: bool,
    /// While they do: the engagement of the last one that is in the queue, before `audience_cursor` among equals.
    pub engaged_cursor_ms: Option<i64>,
    /// Whether the whole audience is in the queue.
    pub audience_complete: bool,
    /// When launched.
    pub started_ms: i64,
    /// When it came into its state.
    pub changed_ms: i64,
    /// When its last recipient was settled.
    pub finished_ms: Option<i64>,
}

/// The columns of [`Run`], in the order that `read` wants.
macro_rules! columns {
    () => {
        "r.campaign_id, r.workspace_id, r.state, r.reason, r.pool, r.audience_cursor, r.audience_complete,
         r.started_ms, r.changed_ms, r.finished_ms, r.stream, r.engaged_first, r.engaged_cursor_ms"
    };
}
pub(crate) use columns;

const START: &str = "
    INSERT INTO campaign_run (campaign_id, workspace_id, state, reason, stream, pool, started_ms, changed_ms)
    VALUES (:campaign_id, :workspace_id, 'running', :reason, :stream, :pool, :started_ms, :started_ms)
    ON CONFLICT (campaign_id) DO NOTHING";

/// Makes the run of a launched campaign; `false` when it has one.
///
/// # Errors
/// The database's.
pub fn start(
    tx: &Connection,
    (workspace, campaign): (WorkspaceId, CampaignId),
    (stream, pool): (&str, &str),
    reason: &str,
    started_ms: i64,
) -> Result<bool, StorageError> {
    let made = tx.prepare_cached(START)?.execute(named_params! {
        ":campaign_id": campaign,
        ":workspace_id": workspace,
        ":reason": reason,
        ":stream": stream,
        ":pool": pool,
        ":started_ms": started_ms,
    })?;
    Ok(made > 0)
}

const SET_LIST: &str = "
    UPDATE campaign_run SET list_id = :list_id WHERE campaign_id = :campaign_id AND workspace_id = :workspace_id";

/// Says which list a run's mail belongs to, in the commit that makes the run: who leaves it from then on is not sent to.
///
/// # Errors
/// The database's.
pub fn belongs_to(
    tx: &Connection,
    (workspace, campaign): (WorkspaceId, CampaignId),
    list: ListId,
) -> Result<(), StorageError> {
    let what = named_params! { ":campaign_id": campaign, ":workspace_id": workspace, ":list_id": list };
    tx.prepare_cached(SET_LIST)?.execute(what)?;
    Ok(())
}

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM campaign_run r WHERE r.campaign_id = :campaign_id AND r.workspace_id = :workspace_id"
);

/// The run of a campaign.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, campaign: CampaignId) -> Result<Option<Run>, StorageError> {
    Ok(tx
        .prepare_cached(FIND)?
        .query_row(named_params! { ":campaign_id": campaign, ":workspace_id": workspace }, |row| read(row, 0))
        .optional()?)
}

const OPEN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM campaign_run r WHERE r.state IN ('running', 'paused', 'cancelled') AND r.finished_ms IS NULL
        AND (r.journey_id IS NULL OR r.state = 'cancelled')
      ORDER BY r.campaign_id"
);

/// Runs of all workspaces that may still have live recipients, or an audience to take in. The mailings of journeys get
/// theirs one by one, and are here when they are cancelled alone.
///
/// # Errors
/// The database's.
pub fn open(tx: &Connection) -> Result<Vec<Run>, StorageError> {
    let mut statement = tx.prepare_cached(OPEN)?;
    let rows = statement.query_map([], |row| read(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const MOVE: &str = "
    UPDATE campaign_run SET state = :to, reason = :reason, changed_ms = :now_ms
    WHERE campaign_id = :campaign_id AND workspace_id = :workspace_id AND state = :from";

/// A change of state by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// From running to paused.
    Pause,
    /// From paused to running.
    Resume,
    /// From either to cancelled.
    Cancel,
}

/// Brings a run into another state; `false` when it is in none that this change begins with.
///
/// # Errors
/// The database's.
pub fn change(
    tx: &Connection,
    (workspace, campaign): (WorkspaceId, CampaignId),
    change: Change,
    reason: &str,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let (from, to): (&[RunState], _) = match change {
        Change::Pause => (&[RunState::Running], RunState::Paused),
        Change::Resume => (&[RunState::Paused], RunState::Running),
        Change::Cancel => (&[RunState::Running, RunState::Paused], RunState::Cancelled),
    };
    let mut statement = tx.prepare_cached(MOVE)?;
    for from in from {
        let changed = statement.execute(named_params! {
            ":campaign_id": campaign,
            ":workspace_id": workspace,
            ":from": from.as_str(),
            ":to": to.as_str(),
            ":reason": reason,
            ":now_ms": now_ms,
        })?;
        if changed > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

const FINISH: &str = "
    UPDATE campaign_run
    SET state = CASE state WHEN 'cancelled' THEN 'cancelled' ELSE 'finished' END,
        reason = CASE state WHEN 'cancelled' THEN reason ELSE 'every recipient has its final state' END,
        changed_ms = CASE state WHEN 'cancelled' THEN changed_ms ELSE :now_ms END,
        finished_ms = :now_ms
    WHERE campaign_id = :campaign_id AND finished_ms IS NULL
      AND (audience_complete = 1 OR state = 'cancelled')
      AND NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.campaign_id = campaign_run.campaign_id)";

/// Derives "finished": the whole audience is in the queue and nobody is live. A cancelled run stays cancelled and gets
/// its end. `false` when it is not so far, or was already.
///
/// # Errors
/// The database's.
pub fn finish_if_done(tx: &Connection, campaign: CampaignId, now_ms: i64) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(FINISH)?.execute(named_params! { ":campaign_id": campaign, ":now_ms": now_ms })? > 0)
}

/// The next part of an audience.
#[derive(Clone, Debug)]
pub struct AudienceChunk {
    /// The cursor that this chunk begins behind.
    pub after: ContactId,
    /// The cursor behind it.
    pub up_to: ContactId,
    /// Whether it is the last one.
    pub complete: bool,
    /// The contacts.
    pub members: Vec<Member>,
    /// Now.
    pub now_ms: i64,
    /// When its recipients are given up.
    pub expires_ms: i64,
}

const ADVANCE: &str = "
    UPDATE campaign_run SET audience_cursor = :up_to, audience_complete = :complete, engaged_cursor_ms = :up_to_ms
    WHERE campaign_id = :campaign_id AND workspace_id = :workspace_id AND state = 'running'
      AND audience_complete = 0 AND audience_cursor = :after AND engaged_cursor_ms IS :after_ms
    RETURNING stream, pool";

/// Takes a chunk of the audience into the queue, and the cursor behind it, in one transaction. Nothing, and `None`,
/// when the run is not running or its cursor is elsewhere; else how many were taken.
///
/// # Errors
/// The database's.
pub fn take_in(
    tx: &Connection,
    whose: (WorkspaceId, CampaignId),
    chunk: AudienceChunk,
) -> Result<Option<usize>, StorageError> {
    take_chunk(tx, whose, (None, None), chunk)
}

const BEGIN_ENGAGED: &str = "
    UPDATE campaign_run SET engaged_first = 1, engaged_cursor_ms = :end, audience_cursor = :end
    WHERE campaign_id = :campaign_id AND workspace_id = :workspace_id AND engaged_first = 0 AND audience_cursor = 0
      AND audience_complete = 0";

/// From now on the most engaged contacts come first; `false` when the audience has begun already.
///
/// # Errors
/// The database's.
pub fn engaged_first(tx: &Connection, (workspace, campaign): (WorkspaceId, CampaignId)) -> Result<bool, StorageError> {
    let what = named_params! { ":campaign_id": campaign, ":workspace_id": workspace, ":end": i64::MAX };
    Ok(tx.prepare_cached(BEGIN_ENGAGED)?.execute(what)? > 0)
}

/// The same as [`take_in`] while the most engaged come first: the cursor goes from the engagement `after_ms` to
/// `up_to_ms`. Without one the others follow, by id from the beginning.
///
/// # Errors
/// The database's.
pub fn take_in_engaged(
    tx: &Connection,
    whose: (WorkspaceId, CampaignId),
    (after_ms, up_to_ms): (i64, Option<i64>),
    chunk: AudienceChunk,
) -> Result<Option<usize>, StorageError> {
    take_chunk(tx, whose, (Some(after_ms), up_to_ms), chunk)
}

fn take_chunk(
    tx: &Connection,
    (workspace, campaign): (WorkspaceId, CampaignId),
    (after_ms, up_to_ms): (Option<i64>, Option<i64>),
    chunk: AudienceChunk,
) -> Result<Option<usize>, StorageError> {
    let way: Option<(String, String)> = tx
        .prepare_cached(ADVANCE)?
        .query_row(
            named_params! {
                ":campaign_id": campaign,
                ":workspace_id": workspace,
                ":after": chunk.after,
                ":up_to": chunk.up_to,
                ":complete": chunk.complete,
                ":after_ms": after_ms,
                ":up_to_ms": up_to_ms,
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((stream, pool)) = way else { return Ok(None) };
    let recipients: Vec<NewRecipient> = chunk
        .members
        .into_iter()
        .map(|member| NewRecipient {
            workspace_id: workspace,
            origin: Origin::Campaign { campaign, contact: member.id },
            address: member.email,
            address_hash: member.address_hash,
            domain: member.domain,
            stream: stream.clone(),
            kind: StreamKind::Bulk,
            pool: pool.clone(),
            due_ms: chunk.now_ms,
            accepted_ms: chunk.now_ms,
            expires_ms: chunk.expires_ms,
            dsn_notify: None,
            dsn_orcpt: None,
        })
        .collect();
    let taken = queue::enqueue(tx, &recipients)?;
    if chunk.complete {
        finish_if_done(tx, campaign, chunk.now_ms)?;
    }
    Ok(Some(taken))
}

/// What is live of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Waiting for a retry.
    pub deferred: u64,
    /// Claimed or being sent.
    pub sending: u64,
}

const DEFERRED: &str = "
    SELECT count(*) FROM recipient INDEXED BY recipient_deferred
    WHERE campaign_id = :campaign_id AND state = 'queued' AND class IS NOT NULL";
// `recipient_open` holds only what is claimed or being sent: a few hundred rows at any length of the queue.
const SENDING: &str = "
    SELECT count(*) FROM recipient INDEXED BY recipient_open
    WHERE state IN ('claimed', 'sending') AND campaign_id = :campaign_id";

/// What is live of a campaign, apart from those that wait for their first attempt: they are what is left of the
/// accepted ones, and too many to count every second.
///
/// # Errors
/// The database's.
pub fn live(tx: &Connection, campaign: CampaignId) -> Result<Live, StorageError> {
    let count = |sql| -> Result<u64, StorageError> {
        Ok(tx.prepare_cached(sql)?.query_row(named_params! { ":campaign_id": campaign }, |row| row.get::<_, i64>(0))?
            as u64)
    };
    Ok(Live { deferred: count(DEFERRED)?, sending: count(SENDING)? })
}

/// Reads a run whose columns begin at `first`.
pub(crate) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Run> {
    Ok(Run {
        campaign_id: row.get(first)?,
        workspace_id: row.get(first + 1)?,
        state: word(row, first + 2, RunState::parse)?,
        reason: row.get(first + 3)?,
        pool: row.get(first + 4)?,
        audience_cursor: row.get(first + 5)?,
        audience_complete: row.get(first + 6)?,
        started_ms: row.get(first + 7)?,
        changed_ms: row.get(first + 8)?,
        finished_ms: row.get(first + 9)?,
        stream: row.get(first + 10)?,
        engaged_first: row.get(first + 11)?,
        engaged_cursor_ms: row.get(first + 12)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[START, SET_LIST, FIND, OPEN, MOVE, FINISH, ADVANCE, BEGIN_ENGAGED, DEFERRED, SENDING];
