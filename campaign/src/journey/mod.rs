//! Journeys: what happens to a contact, step by step, from the day on which it enters.
//!
//! A journey is written as a draft and published in versions that never change; a run belongs to the version by which it
//! entered. The mail of a step is a campaign of its own, whose recipients come one by one, so that everything that holds for
//! campaigns holds for it: rendering, headers, pauses, figures, the trace.

mod advance;
mod driver;
mod graph;
mod publish;
#[cfg(test)]
mod tests;
mod view;

use crate::error::{self, Refused};
use api_types::{JourneyEntry, JourneyEntryInput, JourneyGraph, JourneyInput};
use mail::Address;
use std::collections::HashSet;
use storage::journey::{self as rows, Journey};
use storage::journey_run::{self, Change, Entered, Entrant, LiveState};
use storage::{ContactId, JourneyId, RunId, Storage, StorageError, WorkspaceId, contact};

pub use advance::{Advance, Deed, Facts, advance};
pub use driver::{Driver, Waker};
pub use graph::{Problem, problems};
pub use publish::{check, publish, recover};
pub use view::{log, runs, summary, whole};

/// Saves a new draft. It may be incomplete: the checks tell what is missing.
///
/// # Errors
/// A value that can never be right, or a name that is taken.
pub async fn create(
    storage: &Storage,
    workspace: WorkspaceId,
    input: JourneyInput,
    by: String,
    now_ms: i64,
) -> Result<JourneyId, Refused> {
    let (name, graph) = checked(input)?;
    let told = name.clone();
    let made = storage.main().write(move |tx| rows::insert(tx, workspace, (&name, &graph), &by, now_ms)).await;
    made.map_err(|e| taken(e, &told))
}

/// Replaces the draft. What is published stays as it is until it is published again.
///
/// # Errors
/// As [`create`]; no such journey.
pub async fn update(
    storage: &Storage,
    whose: (WorkspaceId, JourneyId),
    input: JourneyInput,
    now_ms: i64,
) -> Result<(), Refused> {
    let (name, graph) = checked(input)?;
    let told = name.clone();
    let saved = storage.main().write(move |tx| rows::update(tx, whose, (&name, &graph), now_ms)).await;
    if saved.map_err(|e| taken(e, &told))? { Ok(()) } else { Err(Refused::NotFound("journey")) }
}

/// Deletes a journey that was never published.
///
/// # Errors
/// No such journey; published: what was sent stays on record.
pub async fn delete(storage: &Storage, (workspace, id): (WorkspaceId, JourneyId)) -> Result<(), Refused> {
    let delete = move |tx: &storage::Transaction<'_>| {
        let deleted = rows::delete(tx, workspace, id)?;
        Ok((deleted, rows::find(tx, workspace, id)?.is_some()))
    };
    match storage.main().write(delete).await? {
        (true, _) => Ok(()),
        (false, true) => Err(Refused::wrong_state("the journey was published; end it, what it did stays on record")),
        (false, false) => Err(Refused::NotFound("journey")),
    }
}

/// Stops a journey where it is, its mail in the queue included.
///
/// # Errors
/// No such journey; not live.
pub async fn pause(storage: &Storage, whose: (WorkspaceId, JourneyId), by: &str, now_ms: i64) -> Result<(), Refused> {
    change(storage, whose, Change::Pause, format!("paused by {by}"), now_ms).await
}

/// Goes on. Whose wait ended in the meantime goes on at once.
///
/// # Errors
/// No such journey; not paused.
pub async fn resume(storage: &Storage, whose: (WorkspaceId, JourneyId), by: &str, now_ms: i64) -> Result<(), Refused> {
    change(storage, whose, Change::Resume, format!("resumed by {by}"), now_ms).await
}

/// Ends a journey for good: everybody is led out, mail that was not sent yet never will be.
///
/// # Errors
/// No such journey; not published, or ended already.
pub async fn end(storage: &Storage, whose: (WorkspaceId, JourneyId), by: &str, now_ms: i64) -> Result<(), Refused> {
    change(storage, whose, Change::End, format!("ended by {by}"), now_ms).await?;
    let (workspace, id) = whose;
    // A crash before this lets notes be made that are read and dropped: nobody enters a journey that has ended.
    Ok(storage.main().write(move |tx| rows::close(tx, workspace, id)).await?)
}

async fn change(
    storage: &Storage,
    (workspace, id): (WorkspaceId, JourneyId),
    change: Change,
    reason: String,
    now_ms: i64,
) -> Result<(), Refused> {
    let write = move |tx: &storage::Transaction<'_>| {
        if journey_run::change(tx, (workspace, id), change, &reason, now_ms)? {
            return Ok(Ok(()));
        }
        Ok(Err(journey_run::find_live(tx, workspace, id)?.map(|live| live.state)))
    };
    let Err(state) = storage.queue().write(write).await? else { return Ok(()) };
    if storage.read(move |c| rows::find(c, workspace, id)).await?.is_none() {
        return Err(Refused::NotFound("journey"));
    }
    Err(Refused::wrong_state(match state {
        None => "the journey is not published yet",
        Some(LiveState::Live) => "the journey is live; it is not paused",
        Some(LiveState::Paused) => "the journey is paused already",
        Some(LiveState::Ended) => "the journey has ended for good",
    }))
}

/// Lets a contact in, by hand or over the API.
///
/// # Errors
/// No such journey or contact; the journey is not published, or has ended.
pub async fn enter(
    storage: &Storage,
    (workspace, id): (WorkspaceId, JourneyId),
    who: JourneyEntryInput,
    by: &str,
    now_ms: i64,
) -> Result<JourneyEntry, Refused> {
    let email = who.email.trim().to_owned();
    let (contact, address) = match (who.contact_id, email.as_str()) {
        (Some(contact), "") => (Some(ContactId(contact)), None),
        (None, text) if !text.is_empty() => {
            (None, Some(Address::parse(text).map_err(|e| Refused::invalid("email", e.to_string()))?))
        }
        _ => return Err(Refused::invalid("contact_id", "give the id of a contact or its address, one of the two")),
    };
    let member = storage.read(move |c| {
        let Some(_) = rows::find(c, workspace, id)? else { return Ok(Err(Refused::NotFound("journey"))) };
        let found = match (contact, address) {
            (Some(contact), _) => Some(contact),
            (None, Some(address)) => contact::find_by_email(c, workspace, &address)?.map(|contact| contact.id),
            (None, None) => None,
        };
        let member = found.map(|contact| contact::member(c, workspace, contact)).transpose()?.flatten();
        Ok(member.ok_or(Refused::NotFound("contact")))
    });
    let member = member.await??;
    let entrant = Entrant {
        workspace_id: workspace,
        journey_id: id,
        contact_id: member.id,
        address_hash: member.address_hash,
        by_list: None,
        source: format!("let in by {by}"),
        now_ms,
    };
    let entered = storage.queue().write(move |tx| journey_run::enter(tx, &entrant)).await?;
    let (entered, run_id, message) = match entered {
        Entered::In(run) => (true, Some(run), "The contact has entered.".to_owned()),
        Entered::Closed => {
            return Err(Refused::wrong_state("nobody can enter: the journey is not published, or has ended"));
        }
        Entered::UnderWay(run) => (false, Some(run), "The contact is in it already.".to_owned()),
        Entered::Been => (false, None, "The contact has been in it, and it is for once.".to_owned()),
        Entered::TooSoon(at_ms) => {
            (false, None, format!("The contact has been in it, and may enter again on {}.", crate::rfc3339(at_ms)))
        }
        Entered::Unwanted(run, words) => (false, Some(run), format!("The contact was not let in: {words}.")),
    };
    Ok(JourneyEntry { entered, run_id: run_id.map(|run| run.0), message })
}

/// Takes one contact out by hand. Mail of it that is in the queue already is sent.
///
/// # Errors
/// No such run, or it has ended.
pub async fn take_out(
    storage: &Storage,
    (workspace, journey): (WorkspaceId, JourneyId),
    id: RunId,
    by: String,
    now_ms: i64,
) -> Result<(), Refused> {
    let write = move |tx: &storage::Transaction<'_>| {
        let known = journey_run::find(tx, workspace, id)?.is_some_and(|run| run.journey_id == journey);
        Ok((known, known && journey_run::end_one(tx, (workspace, id), &by, now_ms)?))
    };
    match storage.queue().write(write).await? {
        (_, true) => Ok(()),
        (true, false) => Err(Refused::wrong_state("this run has ended already")),
        (false, false) => Err(Refused::NotFound("run")),
    }
}

/// A journey that is there, for those who look.
///
/// # Errors
/// No such journey.
pub fn find(c: &storage::Connection, workspace: WorkspaceId, id: JourneyId) -> Result<Journey, Refused> {
    rows::find(c, workspace, id)?.ok_or(Refused::NotFound("journey"))
}

fn checked(input: JourneyInput) -> Result<(String, JourneyGraph), Refused> {
    let name = error::name("name", &input.name)?;
    let graph = input.graph;
    if graph.steps.len() > graph::STEPS_MAX {
        let message = format!("a journey has at most {} steps; make two of it", graph::STEPS_MAX);
        return Err(Refused::invalid("graph.steps", message));
    }
    let mut keys = HashSet::new();
    for (at, step) in graph.steps.iter().enumerate() {
        let field = |what: &str| format!("graph.steps[{at}].{what}");
        let key_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if step.key.is_empty() || step.key.len() > 40 || !step.key.chars().all(key_letter) {
            return Err(Refused::invalid(field("key"), "a key has 1 to 40 letters, digits, “-” and “_”"));
        }
        if !keys.insert(step.key.as_str()) {
            return Err(Refused::invalid(field("key"), format!("there are two steps with the key {}", step.key)));
        }
        if step.name.chars().count() > 100 || step.name.chars().any(char::is_control) {
            return Err(Refused::invalid(field("name"), "a name has at most 100 characters and no line ends"));
        }
        let ports = step.action.ports();
        if let Some(port) = step.to.keys().find(|port| !ports.contains(port)) {
            return Err(Refused::invalid(field("to"), format!("this step has no port “{port}”")));
        }
    }
    Ok((name, graph))
}

fn taken(error: StorageError, name: &str) -> Refused {
    Refused::taken(error, "name", format!("there is a journey called “{name}” already; choose another name"))
}
