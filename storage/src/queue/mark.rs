//! The durable mark before the final dot, and with it the last look at everything that speaks against sending.

use super::Wait;
use super::settle::{self, Ending, GiveBack, Settlement};
use crate::{CampaignId, RecipientId, StorageError, suppression};
use mail::WaitReason;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is on disk: the message may go out.
    Go,
    /// Its campaign does not run any more; the recipient is back in the queue.
    Paused,
    /// Suppressed in the meantime, and settled so.
    Suppressed,
    /// Not claimed any more: cancelled or expired in the meantime.
    Gone,
}

const LOOK: &str = "
    SELECT workspace_id, campaign_id, address_hash, due_ms FROM recipient WHERE id = ?1 AND state = 'claimed'";
const RUN_STATE: &str = "SELECT state = 'running' FROM campaign_run WHERE campaign_id = ?1";
const MARK: &str = "UPDATE recipient SET state = 'sending' WHERE id = ?1";

/// Marks claimed recipients as being sent; answers in the order of `ids`. Pausing, cancelling and suppressing take
/// effect here for what is already in memory.
///
/// # Errors
/// The database's.
pub fn mark_sending(tx: &Connection, ids: &[RecipientId], now_ms: i64) -> Result<Vec<Marked>, StorageError> {
    let mut look = tx.prepare_cached(LOOK)?;
    let mut mark = tx.prepare_cached(MARK)?;
    let mut runs: HashMap<CampaignId, bool> = HashMap::new();
    let mut marked = Vec::with_capacity(ids.len());
    let mut settlements = Vec::new();
    let mut back = Vec::new();
    for id in ids {
        let found = look.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
        let Some((workspace, campaign, hash, due_ms)) = found else {
            marked.push(Marked::Gone);
            continue;
        };
        let campaign: Option<CampaignId> = campaign;
        let runs = match campaign.map(|campaign| (campaign, runs.get(&campaign))) {
            // Submitted mail has no run that could be paused.
            None => true,
            Some((_, Some(runs))) => *runs,
            Some((campaign, None)) => {
                let state = tx.prepare_cached(RUN_STATE)?.query_row([campaign], |row| row.get(0)).optional()?;
                *runs.entry(campaign).or_insert(state.unwrap_or(false))
            }
        };
        if !runs {
            back.push(GiveBack { id: *id, wait: Wait { reason: WaitReason::Paused, due_ms } });
            marked.push(Marked::Paused);
        } else if let Some(reason) = suppression::check(tx, workspace, &hash, now_ms)? {
            let ending = Ending::Suppressed(reason);
            settlements.push(Settlement { id: *id, at_ms: now_ms, ending, attempt: None, answer: None });
            marked.push(Marked::Suppressed);
        } else {
            mark.execute(params![id])?;
            marked.push(Marked::Go);
        }
    }
    settle::settle(tx, &settlements)?;
    settle::give_back(tx, &back)?;
    Ok(marked)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LOOK, RUN_STATE, MARK];
