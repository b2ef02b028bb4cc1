//! Out of a journey: what ends the runs of an address, a contact, a list, a journey, each in the commit of what it follows.

use super::{EndReason, Live, Run, RunState, count, find, note, read, run_columns, tell};
use crate::event::{Kind, bounded};
use crate::suppression::{SuppressionReason, reason_word};
use crate::{AddressHash, ContactId, ListId, RunId, StorageError, WorkspaceId};
use rusqlite::{Connection, params};

const END: &str = "
    UPDATE journey_run SET state = 'ended', ended_ms = ?2, end_reason = ?3, end_words = ?4, moves = moves + 1
    WHERE id = ?1 AND state = 'waiting'";

/// Ends a run that is under way, with its log, count and event.
pub(super) fn end(
    tx: &Connection,
    run: &Run,
    (reason, words): (EndReason, &str),
    now_ms: i64,
) -> Result<(), StorageError> {
    let ended = tx.prepare_cached(END)?.execute(params![run.id, now_ms, reason.as_str(), bounded(words)])?;
    if ended == 0 {
        return Ok(());
    }
    note(tx, run, ("ended", words), now_ms)?;
    count(tx, (run.workspace_id, run.journey_id), &format!("ended:{}", reason.as_str()))?;
    tell(tx, run, Kind::JourneyEnded, &reason.as_str().replace('_', " "), now_ms)
}

fn end_all(tx: &Connection, runs: &[Run], why: (EndReason, &str), now_ms: i64) -> Result<usize, StorageError> {
    for run in runs {
        end(tx, run, why, now_ms)?;
    }
    Ok(runs.len())
}

macro_rules! of_those_waiting {
    ($where:literal) => {
        concat!("SELECT ", run_columns!(), " FROM journey_run w WHERE w.state = 'waiting' AND ", $where)
    };
}

const OF_ADDRESS: &str = of_those_waiting!("w.address_hash = ?1 AND (?2 = 0 OR w.workspace_id = ?2)");
const OF_CONTACT: &str = of_those_waiting!("w.contact_id = ?1 AND w.workspace_id = ?2");
const OF_LIST: &str = of_those_waiting!("w.address_hash = ?1 AND w.workspace_id = ?2 AND w.list_id = ?3");
const OF_JOURNEY: &str = of_those_waiting!("w.journey_id = ?1 ORDER BY w.due_ms, w.id LIMIT ?2");

/// Why a suppression ends a run.
fn reason_of(reason: SuppressionReason) -> EndReason {
    match reason {
        SuppressionReason::HardBounce | SuppressionReason::SoftBounces => EndReason::Bounced,
        SuppressionReason::Complaint => EndReason::Complained,
        SuppressionReason::Unsubscribe => EndReason::Unsubscribed,
        SuppressionReason::Paused
        | SuppressionReason::Sunset
        | SuppressionReason::Manual
        | SuppressionReason::Import => EndReason::Suppressed,
    }
}

/// Ends the runs of an address that is suppressed, in the commit that suppresses it: of the workspace, or of all where it
/// is [`WorkspaceId::NONE`]. Those of the contact too that the mail went to: it may have another address by now.
pub(crate) fn end_of_address(
    tx: &Connection,
    (workspace, hash, contact): (WorkspaceId, &AddressHash, Option<ContactId>),
    (reason, words): (SuppressionReason, &str),
    now_ms: i64,
) -> Result<(), StorageError> {
    let words = format!("{}: {words}", reason_word(reason).replace('_', " "));
    let why = (reason_of(reason), words.as_str());
    let mut statement = tx.prepare_cached(OF_ADDRESS)?;
    let mut runs: Vec<Run> = statement.query_map(params![hash, workspace], read)?.collect::<Result<_, _>>()?;
    if let Some(contact) = contact {
        runs.extend(of_contact(tx, workspace, contact)?);
    }
    end_all(tx, &runs, why, now_ms)?;
    Ok(())
}

fn of_contact(tx: &Connection, workspace: WorkspaceId, contact: ContactId) -> Result<Vec<Run>, StorageError> {
    let mut statement = tx.prepare_cached(OF_CONTACT)?;
    Ok(statement.query_map(params![contact, workspace], read)?.collect::<Result<_, _>>()?)
}

/// Ends the runs of an address that leaves their list, in the commit of leaving.
pub(crate) fn end_of_list(
    tx: &Connection,
    (workspace, hash): (WorkspaceId, &AddressHash),
    (list, name): (ListId, &str),
    now_ms: i64,
) -> Result<(), StorageError> {
    let mut statement = tx.prepare_cached(OF_LIST)?;
    let runs: Vec<Run> = statement.query_map(params![hash, workspace, list], read)?.collect::<Result<_, _>>()?;
    end_all(tx, &runs, (EndReason::LeftList, &format!("left the list “{name}”")), now_ms)?;
    Ok(())
}

/// Ends the runs of a contact that is deleted. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn end_of_contact(
    tx: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    now_ms: i64,
) -> Result<usize, StorageError> {
    let runs = of_contact(tx, workspace, contact)?;
    end_all(tx, &runs, (EndReason::ContactDeleted, "the contact was deleted"), now_ms)
}

/// Ends one run by hand; `false` when it is not under way. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn end_one(
    tx: &Connection,
    (workspace, id): (WorkspaceId, RunId),
    by: &str,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let Some(run) = find(tx, workspace, id)?.filter(|run| run.state == RunState::Waiting) else { return Ok(false) };
    end(tx, &run, (EndReason::ByHand, &format!("taken out by {by}")), now_ms)?;
    Ok(true)
}

/// Ends at most `limit` of the runs of a journey that has ended; says how many. Call again until 0. Belongs into the
/// writer of queue.db.
///
/// # Errors
/// The database's.
pub fn end_some(tx: &Connection, live: &Live, limit: u32, now_ms: i64) -> Result<usize, StorageError> {
    let mut statement = tx.prepare_cached(OF_JOURNEY)?;
    let runs: Vec<Run> = statement.query_map(params![live.journey_id, limit], read)?.collect::<Result<_, _>>()?;
    end_all(tx, &runs, (EndReason::JourneyEnded, &live.reason), now_ms)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[END, OF_ADDRESS, OF_CONTACT, OF_LIST, OF_JOURNEY];
