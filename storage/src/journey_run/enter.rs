//! Into a journey, and who may not.

use super::{Live, LiveState, RunState, count, find_live, read, tell, unwanted};
use crate::event::{Kind, bounded};
use crate::journey::{Joined, read_joined};
use crate::{AddressHash, ContactId, JourneyId, ListId, RunId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, params};

/// Who is to enter.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// Whose journey.
    pub workspace_id: WorkspaceId,
    /// The journey.
    pub journey_id: JourneyId,
    /// The contact.
    pub contact_id: ContactId,
    /// The suppression key of its address.
    pub address_hash: AddressHash,
    /// The list that leads in, where one does.
    pub by_list: Option<ListId>,
    /// How it comes in, in words.
    pub source: String,
    /// Now.
    pub now_ms: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It is in: the new run.
    In(RunId),
    /// The journey is not published or has ended, or another list leads into it by now.
    Closed,
    /// It is in already.
    UnderWay(RunId),
    /// It has been in, and that is possible once.
    Been,
    /// It has been in, and may enter again at this time.
    TooSoon(i64),
    /// Its address is suppressed or has left the list: the run that says so.
    Unwanted(RunId, String),
}

const BEEN: &str = "SELECT entered_ms FROM journey_been WHERE journey_id = ?1 AND contact_id = ?2";
const REMEMBER: &str = "
    INSERT INTO journey_been (journey_id, contact_id, workspace_id, entered_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (journey_id, contact_id) DO UPDATE SET entered_ms = excluded.entered_ms";
const INSERT: &str = "
    INSERT INTO journey_run (workspace_id, journey_id, version, contact_id, address_hash, list_id, state, step, due_ms,
        entered_ms, step_ms, source, ended_ms, end_reason, end_words)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9, ?10, ?11, ?12, ?13)";

/// Lets a contact into a journey. Twice is as once. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn enter(tx: &Connection, who: &Entrant) -> Result<Entered, StorageError> {
    let found = find_live(tx, who.workspace_id, who.journey_id)?;
    let open =
        |live: &Live| live.state != LiveState::Ended && who.by_list.is_none_or(|list| live.entry.list_id == Some(list));
    let Some(live) = found.filter(open) else { return Ok(Entered::Closed) };
    if let Some(run) = read::under_way(tx, who.journey_id, who.contact_id)? {
        return Ok(Entered::UnderWay(run));
    }
    let been: Option<i64> =
        tx.prepare_cached(BEEN)?.query_row(params![who.journey_id, who.contact_id], |row| row.get(0)).optional()?;
    match (been, live.entry.reentry_ms) {
        (Some(_), None) => return Ok(Entered::Been),
        (Some(last_ms), Some(gap_ms)) if last_ms.saturating_add(gap_ms) > who.now_ms => {
            return Ok(Entered::TooSoon(last_ms.saturating_add(gap_ms)));
        }
        _ => {}
    }
    if let Some((_, words)) = unwanted(tx, who.workspace_id, (&who.address_hash, live.entry.list_id), who.now_ms)? {
        let run = insert(tx, who, &live, Some(&words))?;
        count(tx, (who.workspace_id, who.journey_id), "ended:not_entered")?;
        return Ok(Entered::Unwanted(run, words));
    }
    let id = insert(tx, who, &live, None)?;
    tx.prepare_cached(REMEMBER)?.execute(params![who.journey_id, who.contact_id, who.workspace_id, who.now_ms])?;
    count(tx, (who.workspace_id, who.journey_id), "entered")?;
    if let Some(run) = read::find(tx, who.workspace_id, id)? {
        tell(tx, &run, Kind::JourneyEntered, &run.source, who.now_ms)?;
    }
    Ok(Entered::In(id))
}

/// The row of who enters, or of who is refused.
fn insert(tx: &Connection, who: &Entrant, live: &Live, refused: Option<&str>) -> Result<RunId, StorageError> {
    let state = if refused.is_some() { RunState::Ended } else { RunState::Waiting };
    tx.prepare_cached(INSERT)?.execute(params![
        who.workspace_id,
        who.journey_id,
        live.entry.version,
        who.contact_id,
        who.address_hash,
        live.entry.list_id,
        state.as_str(),
        live.entry.start,
        who.now_ms,
        bounded(&who.source),
        refused.map(|_| who.now_ms),
        refused.map(|_| super::EndReason::NotEntered.as_str()),
        refused,
    ])?;
    Ok(RunId(tx.last_insert_rowid()))
}

const REJOINED: &str = "
    INSERT INTO journey_rejoined (workspace_id, journey_id, contact_id, list_id)
    SELECT workspace_id, journey_id, ?1, list_id FROM journey_live
    WHERE workspace_id = ?2 AND list_id = ?3 AND state <> 'ended'";

/// Notes, in the commit of coming back to a list, whom it leads into which journeys.
pub(crate) fn rejoined(
    tx: &Connection,
    (workspace, list, contact): (WorkspaceId, ListId, ContactId),
) -> Result<(), StorageError> {
    tx.prepare_cached(REJOINED)?.execute(params![contact, workspace, list])?;
    Ok(())
}

const TO_ENTER: &str =
    "SELECT id, workspace_id, journey_id, contact_id, list_id FROM journey_rejoined ORDER BY id LIMIT ?1";
const TAKEN: &str = "DELETE FROM journey_rejoined WHERE id <= ?1";

/// The next ones who came back to a list.
///
/// # Errors
/// The database's.
pub fn rejoined_to_enter(tx: &Connection, limit: u32) -> Result<Vec<Joined>, StorageError> {
    let mut statement = tx.prepare_cached(TO_ENTER)?;
    Ok(statement.query_map([limit], read_joined)?.collect::<Result<_, _>>()?)
}

/// Deletes the notes up to this one, in the commit of entering. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn rejoined_taken(tx: &Connection, up_to: i64) -> Result<(), StorageError> {
    tx.prepare_cached(TAKEN)?.execute([up_to])?;
    Ok(())
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[BEEN, REMEMBER, INSERT, REJOINED, TO_ENTER, TAKEN];
