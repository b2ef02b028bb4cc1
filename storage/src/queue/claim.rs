//! Taking what is due: a batch in one transaction, fairly.
//!
//! Strategy: transactional mail first, then bulk; each in turns between workspaces; a workspace's bulk in turns between
//! its campaigns and what it submitted. Turns are shares: what one leaves of its share goes to the others. Within a
//! feed the order is that of due times. Nothing here depends on the length of the queue: each feed's due recipients are
//! read off the front of an index. Paused campaigns and workspaces are not visited.

use super::settle::{self, Ending, Settlement};
use super::{Claimed, Origin};
use crate::pause::{self, PauseSet};
use crate::{AddressHash, CampaignId, ListId, StorageError, WorkspaceId, list, stream_leave, suppression};
use mail::{Address, StreamKind};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

/// What to take.
#[derive(Clone, Debug)]
pub struct Due {
    /// Now.
    pub now_ms: i64,
    /// At most so many bulk recipients.
    pub bulk: usize,
    /// At most so many transactional ones.
    pub transactional: usize,
    /// Who was served last.
    pub turn: Turn,
}

/// Whose turn it was: the next one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    transactional: Option<WorkspaceId>,
    bulk: Option<WorkspaceId>,
    feeds: HashMap<WorkspaceId, Feed>,
}

/// Where a workspace's bulk mail comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Feed {
    Submitted,
    Campaign(CampaignId),
}

/// What was taken.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Claimed now: the caller owes each of them a transition.
    pub claimed: Vec<Claimed>,
    /// How many were settled instead: suppressed, or past their time.
    pub settled: usize,
    /// Where the turns stand: pass it next time.
    pub turn: Turn,
    /// Running campaigns, so that what is in memory of others can be put back.
    pub running: Vec<CampaignId>,
    /// Whether a limit was reached, so that more may be due.
    pub more: bool,
    /// Where nothing more is due of the kinds that there was room for: when the next recipient will be.
    pub next_due_ms: Option<i64>,
}

const RUNNING: &str = "SELECT workspace_id, campaign_id, list_id FROM campaign_run WHERE state = 'running' ORDER BY workspace_id, campaign_id";
// One step per workspace, however many rows each has.
const SUBMITTERS: &str = "
    SELECT workspace_id FROM recipient
    WHERE kind = ?1 AND workspace_id > ?2 AND state = 'queued' AND campaign_id IS NULL
    ORDER BY workspace_id LIMIT 1";
macro_rules! claim {
    ($of:literal) => {
        concat!(
            "UPDATE recipient SET state = 'claimed', wait_reason = NULL
             WHERE id IN (SELECT id FROM recipient WHERE ",
            $of,
            " AND state = 'queued' AND due_ms <= ?2 ORDER BY due_ms, id LIMIT ?3)
             RETURNING id, workspace_id, campaign_id, contact_id, message_id, address, address_hash, stream, kind, pool,
                attempts, accepted_ms, expires_ms, source, dsn_notify, dsn_orcpt"
        )
    };
}
const CLAIM_CAMPAIGN: &str = claim!("campaign_id = ?1");
const CLAIM_SUBMITTED: &str = claim!("campaign_id IS NULL AND kind = ?4 AND workspace_id = ?1");

/// Takes what is due. Suppressed recipients, and those past their time, are settled in the same transaction.
///
/// # Errors
/// The database's.
pub fn take_due(tx: &Connection, due: Due) -> Result<Taken, StorageError> {
    let (running, lists) = running(tx)?;
    let pauses = pause::in_force(tx)?;
    let open: Vec<_> = running.iter().copied().filter(|(workspace, _)| !pauses.stops_workspace(*workspace)).collect();
    let streams = stream_leave::Looks::new(tx);
    let mut taking = Taking { tx, now_ms: due.now_ms, lists, streams, claimed: Vec::new(), settlements: Vec::new() };
    let mut turn = due.turn;
    let urgent_of = submitters(tx, StreamKind::Transactional, &pauses)?;
    let urgent = in_turns(urgent_of, turn.transactional, due.transactional, |workspace, want| {
        taking.submitted(workspace, StreamKind::Transactional, want)
    })?;
    turn.transactional = urgent.last.or(turn.transactional);
    let feeds = bulk_feeds(tx, &open, &pauses)?;
    let workspaces: Vec<WorkspaceId> = feeds.keys().copied().collect();
    let bulk = in_turns(sorted(workspaces), turn.bulk, due.bulk, |workspace, want| {
        let own = feeds.get(&workspace).cloned().unwrap_or_default();
        let got = in_turns(own, turn.feeds.get(&workspace).copied(), want, |feed, want| match feed {
            Feed::Campaign(campaign) => taking.campaign(campaign, want),
            Feed::Submitted => taking.submitted(workspace, StreamKind::Bulk, want),
        })?;
        if let Some(last) = got.last {
            turn.feeds.insert(workspace, last);
        }
        Ok(got.n)
    })?;
    turn.bulk = bulk.last.or(turn.bulk);
    // Workspaces that have nothing any more need not be remembered.
    turn.feeds.retain(|workspace, _| feeds.contains_key(workspace));
    let more = (due.bulk > 0 && bulk.n == due.bulk) || (due.transactional > 0 && urgent.n == due.transactional);
    let wanted = Wanted { transactional: due.transactional > 0, bulk: due.bulk > 0 };
    let next_due_ms = if more { None } else { next_due(tx, &open, &pauses, wanted)? };
    let Taking { claimed, settlements, .. } = taking;
    settle::settle(tx, &settlements)?;
    let running = running.into_iter().map(|(_, campaign)| campaign).collect();
    Ok(Taken { claimed, settled: settlements.len(), turn, running, more, next_due_ms })
}

/// What a round of turns brought.
struct Turned<T> {
    n: usize,
    last: Option<T>,
}

/// Serves each of `open` in turn, the one behind `after` first, up to `limit` in all. `take` says how many it took; who
/// takes less than was offered has no more.
fn in_turns<T: Copy + Ord>(
    mut open: Vec<T>,
    after: Option<T>,
    limit: usize,
    mut take: impl FnMut(T, usize) -> Result<usize, StorageError>,
) -> Result<Turned<T>, StorageError> {
    let start = open.iter().position(|one| after.is_none_or(|after| *one > after)).unwrap_or(0);
    open.rotate_left(start);
    let mut turned = Turned { n: 0, last: None };
    while turned.n < limit && !open.is_empty() {
        let share = (limit - turned.n).div_ceil(open.len());
        let mut still_open = Vec::new();
        for one in open {
            let want = share.min(limit - turned.n);
            if want == 0 {
                break;
            }
            let got = take(one, want)?;
            turned.n += got;
            if got > 0 {
                turned.last = Some(one);
            }
            if got >= want {
                still_open.push(one);
            }
        }
        open = still_open;
    }
    Ok(turned)
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all
}

fn bulk_feeds(
    tx: &Connection,
    running: &[(WorkspaceId, CampaignId)],
    pauses: &PauseSet,
) -> Result<HashMap<WorkspaceId, Vec<Feed>>, StorageError> {
    let mut feeds: HashMap<WorkspaceId, Vec<Feed>> = HashMap::new();
    for workspace in submitters(tx, StreamKind::Bulk, pauses)? {
        feeds.entry(workspace).or_default().push(Feed::Submitted);
    }
    for (workspace, campaign) in running {
        feeds.entry(*workspace).or_default().push(Feed::Campaign(*campaign));
    }
    Ok(feeds)
}

/// Workspaces that have submitted mail of this kind in the queue and are not stopped.
fn submitters(tx: &Connection, kind: StreamKind, pauses: &PauseSet) -> Result<Vec<WorkspaceId>, StorageError> {
    let mut statement = tx.prepare_cached(SUBMITTERS)?;
    let mut found = Vec::new();
    let mut after = WorkspaceId(0);
    while let Some(next) = statement.query_row(params![kind.as_str(), after], |row| row.get(0)).optional()? {
        found.push(next);
        after = next;
    }
    found.retain(|workspace| !pauses.stops_workspace(*workspace));
    Ok(found)
}

const NEXT_DUE: &str = "
    SELECT due_ms FROM recipient
    WHERE campaign_id = ?1 AND state = 'queued' ORDER BY due_ms, id LIMIT 1";
const NEXT_SUBMITTED: &str = "
    SELECT due_ms FROM recipient
    WHERE kind = ?1 AND workspace_id = ?2 AND state = 'queued' AND campaign_id IS NULL ORDER BY due_ms, id LIMIT 1";

/// Which kinds there is room for: what there is none for is due when there is.
#[derive(Clone, Copy)]
struct Wanted {
    transactional: bool,
    bulk: bool,
}

fn next_due(
    tx: &Connection,
    running: &[(WorkspaceId, CampaignId)],
    pauses: &PauseSet,
    wanted: Wanted,
) -> Result<Option<i64>, StorageError> {
    let mut next: Option<i64> = None;
    let mut consider = |found: Option<i64>| next = [next, found].into_iter().flatten().min();
    let mut of_campaign = tx.prepare_cached(NEXT_DUE)?;
    for (_, campaign) in running.iter().filter(|_| wanted.bulk) {
        consider(of_campaign.query_row([campaign], |row| row.get(0)).optional()?);
    }
    let mut submitted = tx.prepare_cached(NEXT_SUBMITTED)?;
    let kinds = [(StreamKind::Transactional, wanted.transactional), (StreamKind::Bulk, wanted.bulk)];
    for (kind, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
        for workspace in submitters(tx, kind, pauses)? {
            consider(submitted.query_row(params![kind.as_str(), workspace], |row| row.get(0)).optional()?);
        }
    }
    Ok(next)
}

/// Running campaigns, and the lists of those that belong to one.
type Running = (Vec<(WorkspaceId, CampaignId)>, HashMap<CampaignId, ListId>);

fn running(tx: &Connection) -> Result<Running, StorageError> {
    let (mut running, mut lists) = Running::default();
    let mut statement = tx.prepare_cached(RUNNING)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let campaign = row.get(1)?;
        running.push((row.get(0)?, campaign));
        if let Some(list) = row.get(2)? {
            lists.insert(campaign, list);
        }
    }
    Ok((running, lists))
}

struct Taking<'a> {
    tx: &'a Connection,
    now_ms: i64,
    lists: HashMap<CampaignId, ListId>,
    streams: stream_leave::Looks<'a>,
    claimed: Vec<Claimed>,
    settlements: Vec<Settlement>,
}

impl Taking<'_> {
    fn campaign(&mut self, campaign: CampaignId, want: usize) -> Result<usize, StorageError> {
        let mut statement = self.tx.prepare_cached(CLAIM_CAMPAIGN)?;
        let rows = statement.query_map(params![campaign, self.now_ms, limit(want)], read)?;
        self.sort(rows)
    }

    fn submitted(&mut self, workspace: WorkspaceId, kind: StreamKind, want: usize) -> Result<usize, StorageError> {
        let mut statement = self.tx.prepare_cached(CLAIM_SUBMITTED)?;
        let rows = statement.query_map(params![workspace, self.now_ms, limit(want), kind.as_str()], read)?;
        self.sort(rows)
    }

    /// Tells who may go from who ends here; says how many rows were looked at.
    fn sort(
        &mut self,
        rows: impl Iterator<Item = rusqlite::Result<(crate::RecipientId, Option<Claimed>)>>,
    ) -> Result<usize, StorageError> {
        let now_ms = self.now_ms;
        let mut got = 0;
        for row in rows {
            got += 1;
            let (id, candidate) = row?;
            let ending = match &candidate {
                // Nothing that we stored; then nobody can be written to.
                None => Some(Ending::Cancelled),
                Some(c) if c.expires_ms <= now_ms => Some(Ending::Expired),
                Some(c) => self.unwanted(c)?,
            };
            match (ending, candidate) {
                (None, Some(candidate)) => self.claimed.push(candidate),
                (ending, _) => self.settlements.push(Settlement {
                    id,
                    at_ms: now_ms,
                    ending: ending.unwrap_or(Ending::Cancelled),
                    attempt: None,
                    answer: None,
                }),
            }
        }
        Ok(got)
    }
}

impl Taking<'_> {
    /// How a recipient ends that wants no such mail.
    fn unwanted(&mut self, c: &Claimed) -> Result<Option<Ending>, StorageError> {
        let whose = (&c.address_hash, c.kind);
        if let Some(reason) = suppression::check(self.tx, c.workspace_id, whose, self.now_ms)? {
            return Ok(Some(Ending::Suppressed(reason)));
        }
        if c.kind == StreamKind::Bulk && self.streams.has_left(c.workspace_id, &c.stream, &c.address_hash)? {
            return Ok(Some(Ending::LeftStream));
        }
        let Some(id) = c.origin.campaign().and_then(|campaign| self.lists.get(&campaign)) else { return Ok(None) };
        Ok(list::has_left(self.tx, c.workspace_id, &c.address_hash, *id)?.then_some(Ending::LeftList))
    }
}

fn limit(want: usize) -> i64 {
    i64::try_from(want).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(crate::RecipientId, Option<Claimed>)> {
    let id = row.get(0)?;
    let Ok(address) = Address::parse(row.get_ref(5)?.as_str()?) else { return Ok((id, None)) };
    let address_hash: AddressHash = row.get(6)?;
    let claimed = Claimed {
        id,
        workspace_id: row.get(1)?,
        origin: Origin::read(row, 2)?,
        address,
        address_hash,
        stream: row.get(7)?,
        kind: crate::words::word(row, 8, StreamKind::parse)?,
        pool: row.get(9)?,
        attempts: row.get(10)?,
        accepted_ms: row.get(11)?,
        expires_ms: row.get(12)?,
        source: row.get(13)?,
        dsn_notify: row.get(14)?,
        dsn_orcpt: row.get(15)?,
    };
    Ok((id, Some(claimed)))
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[RUNNING, SUBMITTERS, CLAIM_CAMPAIGN, CLAIM_SUBMITTED, NEXT_DUE, NEXT_SUBMITTED];
