//! Transitions that no attempt leads to: recovery at a start, expiry, cancelling, and forgetting what is long finished.

use super::Answer;
use super::settle::{self, Ending, Settlement};
use crate::{CampaignId, RecipientId, Storage, StorageError, WorkspaceId};
use mail::BounceClass;
use rusqlite::{Connection, params};

const REQUEUE: &str = "UPDATE recipient SET state = 'queued', wait_reason = 'turn'
    WHERE state IN ('claimed', 'sending') AND state = 'claimed'";
const REQUEUE_SINGLE: &str = "
    UPDATE recipient SET state = 'queued', wait_reason = 'turn'
    WHERE state IN ('claimed', 'sending') AND state = 'sending' AND kind = 'transactional'";
const HELD_IN_HAND: &str = "UPDATE recipient SET in_hand = 0, wait_reason = 'held' WHERE in_hand = 1";
const IN_DOUBT: &str = "SELECT id FROM recipient
    WHERE state IN ('claimed', 'sending') AND state = 'sending' AND kind = 'bulk'";

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Went back into the queue: nothing of them was sent.
    pub requeued: usize,
    /// Bulk recipients whose final dot may have gone out: unknown, never sent again.
    pub unknown: usize,
}

/// Brings what was under way at the end of the last run to where it belongs. Before anything is claimed.
///
/// # Errors
/// The database's.
pub fn recover(tx: &Connection, now_ms: i64) -> Result<Recovered, StorageError> {
    let in_doubt: Vec<RecipientId> =
        tx.prepare_cached(IN_DOUBT)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let text = "the program ended before the answer to the message came";
    let settlements: Vec<_> = in_doubt
        .into_iter()
        .map(|id| Settlement {
            id,
            at_ms: now_ms,
            ending: Ending::Unknown,
            attempt: None,
            answer: Some(Answer::of_trouble(BounceClass::Connection, text)),
        })
        .collect();
    let unknown = settle::settle(tx, &settlements)?;
    // Nobody has anybody in memory any more.
    tx.prepare_cached(HELD_IN_HAND)?.execute([])?;
    let requeued = tx.prepare_cached(REQUEUE)?.execute([])? + tx.prepare_cached(REQUEUE_SINGLE)?.execute([])?;
    Ok(Recovered { requeued, unknown })
}

const WALK: &str = "
    SELECT id, expires_ms, state IN ('queued', 'held', 'claimed') FROM recipient
    WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";

/// What a walk over a part of the queue found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Whose time is over.
    pub over: Vec<RecipientId>,
    /// When the first of the others' is.
    pub earliest_ms: Option<i64>,
    /// The last one looked at, where there may be more.
    pub full: Option<RecipientId>,
}

/// Finds recipients whose time is over, in every state but "sending": held ones and those of paused campaigns, and those
/// that stand in memory, which learn of it when they are marked. Looks at `chunk` recipients with ids above the first
/// and not above the second of `range`. What is being sent counts among the others.
///
/// # Errors
/// The database's.
pub async fn overdue(
    storage: &Storage,
    (after, through): (RecipientId, RecipientId),
    chunk: u32,
    now_ms: i64,
) -> Result<Walked, StorageError> {
    let walk = move |connection: &Connection| {
        let mut walk = connection.prepare_cached(WALK)?;
        let mut rows = walk.query(params![after, through, chunk])?;
        let (mut walked, mut last, mut n) = (Walked::default(), after, 0);
        while let Some(row) = rows.next()? {
            let expires_ms: i64 = row.get(1)?;
            last = row.get(0)?;
            n += 1;
            if expires_ms <= now_ms && row.get(2)? {
                walked.over.push(last);
            } else {
                walked.earliest_ms = Some(walked.earliest_ms.map_or(expires_ms, |earliest| earliest.min(expires_ms)));
            }
        }
        walked.full = (n == chunk).then_some(last);
        Ok(walked)
    };
    storage.read(walk).await
}

/// Ends these recipients, but those that are on the wire by now; says how many ended.
///
/// # Errors
/// The database's.
pub async fn expire(storage: &Storage, ids: Vec<RecipientId>, now_ms: i64) -> Result<usize, StorageError> {
    storage.queue().write(move |tx| expire_all(tx, &ids, now_ms)).await
}

const STILL_OVER: &str = "
    SELECT 1 FROM recipient WHERE id = ?1 AND state IN ('queued', 'held', 'claimed') AND expires_ms <= ?2";

fn expire_all(tx: &Connection, ids: &[RecipientId], now_ms: i64) -> Result<usize, StorageError> {
    let mut still = tx.prepare_cached(STILL_OVER)?;
    let mut settlements = Vec::new();
    for id in ids {
        // It may be on the wire since it was read.
        if still.exists(params![id, now_ms])? {
            settlements.push(Settlement {
                id: *id,
                at_ms: now_ms,
                ending: Ending::Expired,
                attempt: None,
                answer: None,
            });
        }
    }
    settle::settle(tx, &settlements)
}

const OF_CAMPAIGN: &str = "
    SELECT id FROM recipient
    WHERE campaign_id = ?1 AND workspace_id = ?2 AND state IN ('queued', 'held', 'claimed') LIMIT ?3";

/// Cancels up to `limit` of a campaign's recipients that are not being sent; says how many. Call again until 0. What is
/// claimed learns of it when it is marked.
///
/// # Errors
/// The database's.
pub fn cancel(
    tx: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
    now_ms: i64,
    limit: u32,
) -> Result<usize, StorageError> {
    let mut statement = tx.prepare_cached(OF_CAMPAIGN)?;
    let rows = statement.query_map(params![campaign, workspace, limit], |row| row.get(0))?;
    let ids: Vec<RecipientId> = rows.collect::<Result<_, _>>()?;
    let cancelled = |id| Settlement { id, at_ms: now_ms, ending: Ending::Cancelled, attempt: None, answer: None };
    settle::settle(tx, &ids.into_iter().map(cancelled).collect::<Vec<_>>())
}

// Ids ascend with the time of acceptance, so the old ones are in front.
const RESPONSES: &str = "
    DELETE FROM response WHERE recipient_id IN
        (SELECT id FROM recipient_done
         WHERE id IN (SELECT id FROM recipient_done ORDER BY id LIMIT ?2) AND finished_ms < ?1)";
const OLDEST: &str = "
    DELETE FROM recipient_done
    WHERE id IN (SELECT id FROM recipient_done ORDER BY id LIMIT ?2) AND finished_ms < ?1";

/// Deletes at most `limit` of the oldest finished recipients that ended before `before_ms`; says how many. Call again
/// until 0. What came back of their mail goes with them; tallies stay, and what is live is never touched.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    let forgetting = storage.queue().write(move |tx| {
        tx.prepare_cached(RESPONSES)?.execute(params![before_ms, limit])?;
        Ok(tx.prepare_cached(OLDEST)?.execute(params![before_ms, limit])?)
    });
    forgetting.await
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[REQUEUE, REQUEUE_SINGLE, IN_DOUBT, WALK, STILL_OVER, OF_CAMPAIGN, OLDEST, HELD_IN_HAND, RESPONSES];
