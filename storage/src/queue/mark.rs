//! The durable mark before the final dot, and with it the last look at everything that speaks against sending.

use super::Wait;
use super::settle::{self, Ending, GiveBack, Settlement};
use crate::pause::{self, PauseSet};
use crate::words::word;
use crate::{AddressHash, CampaignId, ListId, RecipientId, StorageError, WorkspaceId, list, stream_leave, suppression};
use mail::{StreamKind, WaitReason};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::sync::Arc;

/// A recipient whose message is about to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRequest {
    /// The recipient.
    pub id: RecipientId,
    /// The source that it would leave from.
    pub source: Arc<str>,
    /// The provider that it would go to.
    pub provider: Arc<str>,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is on disk: the message may go out.
    Go,
    /// Its campaign does not run any more, or something else of it is paused; the recipient is back in the queue.
    Paused,
    /// Suppressed in the meantime, and settled so.
    Suppressed,
    /// Not claimed any more: cancelled, held or expired in the meantime.
    Gone,
}

const LOOK: &str = "
    SELECT workspace_id, campaign_id, address_hash, domain, due_ms, expires_ms, kind, stream
    FROM recipient WHERE id = ?1 AND state = 'claimed'";
const RUN: &str = "SELECT state = 'running', list_id FROM campaign_run WHERE campaign_id = ?1";
const MARK: &str = "UPDATE recipient SET state = 'sending' WHERE id = ?1";
const PUT_DOWN: &str = "UPDATE recipient SET in_hand = 0, wait_reason = 'held' WHERE id = ?1 AND in_hand = 1";

/// What the look finds.
struct Found {
    workspace: WorkspaceId,
    campaign: Option<CampaignId>,
    hash: AddressHash,
    domain: String,
    due_ms: i64,
    expires_ms: i64,
    kind: StreamKind,
    stream: String,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
        Ok(Found {
            workspace: row.get(0)?,
            campaign: row.get(1)?,
            hash: row.get(2)?,
            domain: row.get(3)?,
            due_ms: row.get(4)?,
            expires_ms: row.get(5)?,
            kind: word(row, 6, StreamKind::parse)?,
            stream: row.get(7)?,
        })
    }
}

/// Marks claimed recipients as being sent; answers in the order of `requests`. Pausing, cancelling, holding and
/// suppressing take effect here for what is already in memory.
///
/// # Errors
/// The database's.
pub fn mark_sending(tx: &Connection, requests: &[MarkRequest], now_ms: i64) -> Result<Vec<Marked>, StorageError> {
    let mut look = tx.prepare_cached(LOOK)?;
    let mut mark = tx.prepare_cached(MARK)?;
    let mut runs = Runs { tx, known: HashMap::new() };
    let mut streams = stream_leave::Looks::new(tx);
    let pauses = if requests.is_empty() { PauseSet::default() } else { pause::in_force(tx)? };
    let mut marked = Vec::with_capacity(requests.len());
    let mut settlements = Vec::new();
    let mut back = Vec::new();
    for request in requests {
        let id = request.id;
        let Some(found) = look.query_row([id], Found::read).optional()? else {
            // Held while it was in memory: whoever had it has put it down now.
            tx.prepare_cached(PUT_DOWN)?.execute([id])?;
            marked.push(Marked::Gone);
            continue;
        };
        let settled = |ending| Settlement { id, at_ms: now_ms, ending, attempt: None, answer: None };
        if let Some(due_ms) = runs.stopped(&found, request, &pauses, now_ms)? {
            back.push(GiveBack { id, wait: Wait { reason: WaitReason::Paused, due_ms } });
            marked.push(Marked::Paused);
        } else if found.expires_ms <= now_ms {
            settlements.push(settled(Ending::Expired));
            marked.push(Marked::Gone);
        } else if let Some(reason) = suppression::check(tx, found.workspace, (&found.hash, found.kind), now_ms)? {
            settlements.push(settled(Ending::Suppressed(reason)));
            marked.push(Marked::Suppressed);
        } else if found.kind == StreamKind::Bulk && streams.has_left(found.workspace, &found.stream, &found.hash)? {
            settlements.push(settled(Ending::LeftStream));
            marked.push(Marked::Suppressed);
        } else if runs.has_left(&found)? {
            settlements.push(settled(Ending::LeftList));
            marked.push(Marked::Suppressed);
        } else {
            mark.execute(params![id])?;
            marked.push(Marked::Go);
        }
    }
    settle::settle(tx, &settlements)?;
    settle::give_back(tx, &back, now_ms)?;
    Ok(marked)
}

/// Whether campaigns run and which list each belongs to, each asked once.
struct Runs<'a> {
    tx: &'a Connection,
    known: HashMap<CampaignId, RunNow>,
}

/// What the mark asks of a campaign.
#[derive(Clone, Copy)]
struct RunNow {
    runs: bool,
    list: Option<ListId>,
}

impl Runs<'_> {
    /// When the recipient is due again, where something of it is paused.
    fn stopped(
        &mut self,
        found: &Found,
        request: &MarkRequest,
        pauses: &PauseSet,
        now_ms: i64,
    ) -> Result<Option<i64>, StorageError> {
        if !self.of(found.campaign)?.runs || pauses.stops_workspace(found.workspace) {
            return Ok(Some(found.due_ms));
        }
        if let Some(until_ms) = pauses.waits_until(found.workspace, &found.domain, &request.provider, now_ms) {
            return Ok(Some(until_ms));
        }
        // Another source may take it at once.
        Ok(pauses.stops_source(&request.source).then_some(now_ms))
    }

    fn of(&mut self, campaign: Option<CampaignId>) -> Result<RunNow, StorageError> {
        // Submitted mail has no run that could be paused, and no list.
        let Some(campaign) = campaign else { return Ok(RunNow { runs: true, list: None }) };
        if let Some(run) = self.known.get(&campaign) {
            return Ok(*run);
        }
        let read = |row: &Row<'_>| Ok(RunNow { runs: row.get(0)?, list: row.get(1)? });
        let run = self.tx.prepare_cached(RUN)?.query_row([campaign], read).optional()?;
        Ok(*self.known.entry(campaign).or_insert(run.unwrap_or(RunNow { runs: false, list: None })))
    }

    fn has_left(&mut self, found: &Found) -> Result<bool, StorageError> {
        let Some(id) = self.of(found.campaign)?.list else { return Ok(false) };
        list::has_left(self.tx, found.workspace, &found.hash, id)
    }
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LOOK, RUN, MARK, PUT_DOWN];
