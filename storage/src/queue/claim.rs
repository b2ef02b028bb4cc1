//! Taking what is due: a batch in one transaction, fairly between running campaigns.
//!
//! Strategy: round robin over running campaigns in shares; what one campaign leaves of its share goes to the others.
//! Within a campaign the order is that of due times. Nothing here depends on the length of the queue: each campaign's
//! due recipients are read off the front of an index. Paused campaigns are not visited.

use super::Claimed;
use super::settle::{self, Ending, Settlement};
use crate::{AddressHash, CampaignId, StorageError, suppression};
use mail::{Address, Stream};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What to take.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Now.
    pub now_ms: i64,
    /// At most so many.
    pub limit: usize,
    /// The campaign that was served last: the next one begins.
    pub after: CampaignId,
}

/// What was taken.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Claimed now: the caller owes each of them a transition.
    pub claimed: Vec<Claimed>,
    /// How many were settled instead: suppressed, or past their time.
    pub settled: usize,
    /// Where the round robin stands: pass it as `after` next time.
    pub after: Option<CampaignId>,
    /// Running campaigns, so that what is in memory of others can be put back.
    pub running: Vec<CampaignId>,
    /// Whether the limit was reached, so that more may be due.
    pub more: bool,
    /// Where nothing more is due: when the next recipient of a running campaign will be.
    pub next_due_ms: Option<i64>,
}

const RUNNING: &str = "SELECT campaign_id FROM campaign_run WHERE state = 'running' ORDER BY campaign_id";
const CLAIM: &str = "
    UPDATE recipient SET state = 'claimed', wait_reason = NULL
    WHERE id IN (
        SELECT id FROM recipient
        WHERE campaign_id = ?1 AND state = 'queued' AND due_ms <= ?2
        ORDER BY due_ms, id LIMIT ?3)
    RETURNING id, workspace_id, campaign_id, contact_id, address, address_hash, stream, pool, attempts, accepted_ms,
        expires_ms, source";

/// Takes what is due. Suppressed recipients, and those past their time, are settled in the same transaction.
///
/// # Errors
/// The database's.
pub fn take_due(tx: &Connection, due: Due) -> Result<Taken, StorageError> {
    let running = running(tx)?;
    let mut taken = Taken { running: running.clone(), ..Taken::default() };
    let mut open = running;
    let start = open.iter().position(|campaign| *campaign > due.after).unwrap_or(0);
    open.rotate_left(start);
    let mut left = due.limit;
    let mut settlements = Vec::new();
    while left > 0 && !open.is_empty() {
        let share = left.div_ceil(open.len());
        let mut still_open = Vec::new();
        for campaign in open {
            let want = share.min(left);
            if want == 0 {
                break;
            }
            let got = claim(tx, campaign, due.now_ms, want, &mut taken.claimed, &mut settlements)?;
            left -= got;
            if got > 0 {
                taken.after = Some(campaign);
            }
            if got == want {
                still_open.push(campaign);
            }
        }
        open = still_open;
    }
    taken.more = left == 0;
    if !taken.more {
        taken.next_due_ms = next_due(tx, &taken.running)?;
    }
    taken.settled = settlements.len();
    settle::settle(tx, &settlements)?;
    Ok(taken)
}

const NEXT_DUE: &str = "
    SELECT due_ms FROM recipient WHERE campaign_id = ?1 AND state = 'queued' ORDER BY due_ms, id LIMIT 1";

fn next_due(tx: &Connection, running: &[CampaignId]) -> Result<Option<i64>, StorageError> {
    let mut statement = tx.prepare_cached(NEXT_DUE)?;
    let mut next: Option<i64> = None;
    for campaign in running {
        if let Some(due_ms) = statement.query_row([campaign], |row| row.get(0)).optional()? {
            next = Some(next.map_or(due_ms, |next: i64| next.min(due_ms)));
        }
    }
    Ok(next)
}

fn running(tx: &Connection) -> Result<Vec<CampaignId>, StorageError> {
    let mut statement = tx.prepare_cached(RUNNING)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Claims up to `want` of one campaign; says how many rows were looked at.
fn claim(
    tx: &Connection,
    campaign: CampaignId,
    now_ms: i64,
    want: usize,
    claimed: &mut Vec<Claimed>,
    settlements: &mut Vec<Settlement>,
) -> Result<usize, StorageError> {
    let mut statement = tx.prepare_cached(CLAIM)?;
    let limit = i64::try_from(want).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![campaign, now_ms, limit], read)?;
    let mut got = 0;
    for row in rows {
        got += 1;
        let (id, candidate) = row?;
        let ending = match &candidate {
            // Nothing that we stored; then nobody can be written to.
            None => Some(Ending::Cancelled),
            Some(c) if c.expires_ms <= now_ms => Some(Ending::Expired),
            Some(c) => suppression::check(tx, c.workspace_id, &c.address_hash, now_ms)?.map(Ending::Suppressed),
        };
        match (ending, candidate) {
            (None, Some(candidate)) => claimed.push(candidate),
            (ending, _) => settlements.push(Settlement {
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

fn read(row: &Row<'_>) -> rusqlite::Result<(crate::RecipientId, Option<Claimed>)> {
    let id = row.get(0)?;
    let Ok(address) = Address::parse(row.get_ref(4)?.as_str()?) else { return Ok((id, None)) };
    let address_hash: AddressHash = row.get(5)?;
    let claimed = Claimed {
        id,
        workspace_id: row.get(1)?,
        campaign_id: row.get(2)?,
        contact_id: row.get(3)?,
        address,
        address_hash,
        stream: crate::words::word(row, 6, Stream::parse)?,
        pool: row.get(7)?,
        attempts: row.get(8)?,
        accepted_ms: row.get(9)?,
        expires_ms: row.get(10)?,
        source: row.get(11)?,
    };
    Ok((id, Some(claimed)))
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[RUNNING, CLAIM, NEXT_DUE];
