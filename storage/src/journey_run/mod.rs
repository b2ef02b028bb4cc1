//! Contacts on their way through journeys: entering, going on, ending, each in one commit of queue.db.
//!
//! ```text
//! enter ──> waiting at a step ──go_on──> waiting at the next ── ... ──> ended
//!                └── end_of_address, end_of_list, end_of_contact, end_one, end_some ──^
//! ```
//! What speaks against further mail (a bounce, a complaint, an unsubscribing, any suppression, leaving the list) ends the
//! runs of its address in its own commit: [`crate::suppression::add`] and [`crate::list::leave`] call this module. Mail
//! of a step is put into the queue in the commit that moves the run, so that it is sent neither twice nor never.

mod end;
mod enter;
mod live;
mod read;
#[cfg(test)]
mod tests;

use crate::contact::Member;
use crate::event::{Event, Kind, bounded};
use crate::list::{self, Mover};
use crate::queue::{self, NewRecipient, Origin};
use crate::suppression::{self, reason_word};
use crate::words::{word, word_opt};
use crate::{AddressHash, ContactId, JourneyId, ListId, RunId, Storage, StorageError, WorkspaceId, outbox};
use mail::StreamKind;
use rusqlite::{Connection, OptionalExtension, Row, params};

use end::end;
pub(crate) use end::{end_of_address, end_of_list};
pub use end::{end_of_contact, end_one, end_some};
pub(crate) use enter::rejoined;
pub use enter::{Entered, Entrant, enter, rejoined_taken, rejoined_to_enter};
pub use live::{
    Change, Entrance, Live, LiveState, all, any_old_through, change, complete_old, find as find_live, open_mailing,
    publish,
};
pub use read::{Logged, Query, due, find, log, page, tallies, waiting};

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// It stands at a step.
    Waiting,
    /// It is over.
    Ended,
}

impl RunState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Waiting => "waiting",
            RunState::Ended => "ended",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<RunState> {
        [RunState::Waiting, RunState::Ended].into_iter().find(|state| state.as_str() == word)
    }
}

/// Declares the reasons with their stored words.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// Why a run ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EndReason { $($(#[$doc])* $variant,)* }

        impl EndReason {
            /// The stored word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(EndReason::$variant => $text,)* }
            }

            /// The reason of a stored word.
            #[must_use]
            pub fn parse(text: &str) -> Option<EndReason> {
                match text { $($text => Some(EndReason::$variant),)* _ => None }
            }
        }
    };
}

reasons! {
    /// It came to an exit.
    Finished = "finished",
    /// The contact met the goal.
    Goal = "goal",
    /// The contact unsubscribed.
    Unsubscribed = "unsubscribed",
    /// The address does not work.
    Bounced = "bounced",
    /// The contact reported a mail as spam.
    Complained = "complained",
    /// The address was suppressed for another reason.
    Suppressed = "suppressed",
    /// The contact left the journey's list.
    LeftList = "left_list",
    /// The contact was deleted.
    ContactDeleted = "contact_deleted",
    /// A person took it out.
    ByHand = "by_hand",
    /// The whole journey ended.
    JourneyEnded = "journey_ended",
    /// It was not let in: its address is suppressed, or has left the list.
    NotEntered = "not_entered",
}

/// A contact's way through a journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Id.
    pub id: RunId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// The journey.
    pub journey_id: JourneyId,
    /// The version that it goes by.
    pub version: u32,
    /// Who.
    pub contact_id: ContactId,
    /// The list whose leaving ends it.
    pub list_id: Option<ListId>,
    /// Whether it goes on.
    pub state: RunState,
    /// Where it stands, or stood last.
    pub step: String,
    /// How often it went on.
    pub moves: u32,
    /// When its step is done.
    pub due_ms: i64,
    /// When it entered.
    pub entered_ms: i64,
    /// When it came to its step.
    pub step_ms: i64,
    /// How it came in.
    pub source: String,
    /// When and why it ended.
    pub end: Option<(i64, EndReason)>,
    /// What led to the end, in words.
    pub end_words: String,
}

/// The columns of [`Run`], in the order that `read` wants: sixteen.
macro_rules! run_columns {
    () => {
        "w.id, w.workspace_id, w.journey_id, w.version, w.contact_id, w.list_id, w.state, w.step, w.moves, w.due_ms,
         w.entered_ms, w.step_ms, w.source, w.ended_ms, w.end_reason, w.end_words"
    };
}
use run_columns;

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let ended_ms: Option<i64> = row.get(13)?;
    let reason = word_opt(row, 14, EndReason::parse)?;
    Ok(Run {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        journey_id: row.get(2)?,
        version: row.get(3)?,
        contact_id: row.get(4)?,
        list_id: row.get(5)?,
        state: word(row, 6, RunState::parse)?,
        step: row.get(7)?,
        moves: row.get(8)?,
        due_ms: row.get(9)?,
        entered_ms: row.get(10)?,
        step_ms: row.get(11)?,
        source: row.get(12)?,
        end: ended_ms.zip(reason),
        end_words: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
    })
}

/// What a step does in the commit that moves the run.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing in queue.db.
    Nothing,
    /// Its mail goes into the queue.
    Send {
        /// When it is given up.
        expires_ms: i64,
    },
    /// The contact leaves a list.
    Leave(ListId, String),
}

/// Where a run goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// To another step.
    Step {
        /// Its key.
        key: String,
        /// When that step is done.
        due_ms: i64,
    },
    /// Nowhere.
    End(EndReason),
}

/// A move to make.
#[derive(Clone, Debug)]
pub struct Move {
    /// The run, as it was read.
    pub run: Run,
    /// The contact, as it is now.
    pub member: Member,
    /// What the step does.
    pub effect: Effect,
    /// The port it leaves by.
    pub result: String,
    /// What was done, in words.
    pub reason: String,
    /// Where it goes.
    pub next: Next,
    /// Now.
    pub now_ms: i64,
}

/// What became of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The run is at its next step, or over.
    On,
    /// It was ended instead: its address wants no such mail.
    Unwanted,
    /// Every mailing of the step has the contact as a recipient already: another one is needed.
    NoMailing,
    /// It is not where it was any more, or its journey does not go on: nothing was done.
    Elsewhere,
}

const STANDS: &str = "
    SELECT EXISTS (SELECT 1 FROM journey_run w JOIN journey_live l ON l.journey_id = w.journey_id
        WHERE w.id = ?1 AND w.state = 'waiting' AND w.moves = ?2 AND l.state = 'live')";
const STEP: &str = "
    UPDATE journey_run SET step = ?2, due_ms = ?3, step_ms = ?4, moves = moves + 1, address_hash = ?5
    WHERE id = ?1 AND state = 'waiting'";

/// Moves a run on: what its step does, its log and its new place are one commit. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn go_on(tx: &Connection, going: &Move) -> Result<Moved, StorageError> {
    let (run, hash, now_ms) = (&going.run, &going.member.address_hash, going.now_ms);
    if !tx.prepare_cached(STANDS)?.query_row(params![run.id, run.moves], |row| row.get(0))? {
        return Ok(Moved::Elsewhere);
    }
    // The address may be another one than at the last step.
    if let Some((reason, words)) = unwanted(tx, run.workspace_id, (hash, run.list_id), now_ms)? {
        end(tx, run, (reason, &words), now_ms)?;
        return Ok(Moved::Unwanted);
    }
    match &going.effect {
        Effect::Nothing => {}
        Effect::Send { expires_ms } => {
            if !send(tx, going, *expires_ms)? {
                return Ok(Moved::NoMailing);
            }
        }
        Effect::Leave(list, name) => {
            let who = Mover {
                workspace: run.workspace_id,
                hash,
                contact: Some(run.contact_id),
                recipient: None,
                campaign: None,
                actor: None,
                now_ms,
            };
            list::leave(tx, who, (*list, name))?;
        }
    }
    match &going.next {
        Next::Step { key, due_ms } => {
            let moved = tx.prepare_cached(STEP)?.execute(params![run.id, key, due_ms, now_ms, hash])?;
            // Leaving its own list has ended it, and said so.
            if moved > 0 {
                note(tx, run, (&going.result, &going.reason), now_ms)?;
            }
        }
        Next::End(reason) => end(tx, run, (*reason, &going.reason), now_ms)?,
    }
    Ok(Moved::On)
}

/// Why an address wants no bulk mail (of the list), if so.
fn unwanted(
    tx: &Connection,
    workspace: WorkspaceId,
    (hash, list): (&AddressHash, Option<ListId>),
    now_ms: i64,
) -> Result<Option<(EndReason, String)>, StorageError> {
    if let Some(reason) = suppression::check(tx, workspace, (hash, StreamKind::Bulk), now_ms)? {
        let words = format!("the address is suppressed: {}", reason_word(reason).replace('_', " "));
        return Ok(Some((EndReason::Suppressed, words)));
    }
    match list {
        Some(list) if list::has_left(tx, workspace, hash, list)? => {
            Ok(Some((EndReason::LeftList, "the address has left the list".to_owned())))
        }
        _ => Ok(None),
    }
}

/// Puts the step's mail into the queue; `false` where no mailing of it is free for the contact.
fn send(tx: &Connection, going: &Move, expires_ms: i64) -> Result<bool, StorageError> {
    let run = &going.run;
    let step = (run.journey_id, run.version, run.step.as_str());
    let Some((campaign, stream, pool)) = live::free_mailing(tx, step, run.contact_id)? else { return Ok(false) };
    let recipient = NewRecipient {
        workspace_id: run.workspace_id,
        origin: Origin::Campaign { campaign, contact: run.contact_id },
        address: going.member.email.clone(),
        address_hash: going.member.address_hash,
        domain: going.member.domain.clone(),
        stream,
        kind: StreamKind::Bulk,
        pool,
        due_ms: going.now_ms,
        accepted_ms: going.now_ms,
        expires_ms,
        dsn_notify: None,
        dsn_orcpt: None,
    };
    queue::enqueue(tx, &[recipient])?;
    Ok(true)
}

const LOG: &str = "
    INSERT INTO journey_log (run_id, workspace_id, step, entered_ms, at_ms, result, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

fn note(tx: &Connection, run: &Run, (result, reason): (&str, &str), now_ms: i64) -> Result<(), StorageError> {
    let row = params![run.id, run.workspace_id, run.step, run.step_ms, now_ms, result, bounded(reason)];
    tx.prepare_cached(LOG)?.execute(row)?;
    Ok(())
}

const COUNT: &str = "
    INSERT INTO journey_tally (workspace_id, journey_id, measure, n) VALUES (?1, ?2, ?3, 1)
    ON CONFLICT DO UPDATE SET n = n + 1";

fn count(tx: &Connection, (workspace, journey): (WorkspaceId, JourneyId), measure: &str) -> Result<(), StorageError> {
    tx.prepare_cached(COUNT)?.execute(params![workspace, journey, measure])?;
    Ok(())
}

const NAME: &str = "SELECT name FROM journey_live WHERE journey_id = ?1";

/// Tells the contact's timeline.
fn tell(tx: &Connection, run: &Run, kind: Kind, what: &str, now_ms: i64) -> Result<(), StorageError> {
    let name: Option<String> = tx.prepare_cached(NAME)?.query_row([run.journey_id], |row| row.get(0)).optional()?;
    let text = format!("{}: {what}", name.unwrap_or_default());
    let event =
        Event { contact_id: Some(run.contact_id), text: Some(&text), ..Event::new(now_ms, run.workspace_id, kind) };
    outbox::put(tx, &event)
}

const FORGET: &str = "
    DELETE FROM journey_run WHERE id IN
        (SELECT id FROM journey_run WHERE state = 'ended' AND ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)";
const FORGET_LOG: &str = "
    DELETE FROM journey_log WHERE id IN (SELECT id FROM journey_log ORDER BY id LIMIT ?2) AND at_ms < ?1";
// Nobody enters a journey that has ended.
const FORGET_BEEN: &str = "
    DELETE FROM journey_been WHERE (journey_id, contact_id) IN
        (SELECT b.journey_id, b.contact_id FROM journey_live l JOIN journey_been b ON b.journey_id = l.journey_id
         WHERE l.state = 'ended' AND l.changed_ms < ?1 LIMIT ?2)";

/// Deletes at most `limit` each of the oldest runs that ended before `before_ms`, of the steps logged before it, and of
/// who has been in journeys that ended before it; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage
        .queue()
        .write(move |tx| {
            let mut forgotten = 0;
            for sql in [FORGET, FORGET_LOG, FORGET_BEEN] {
                forgotten += tx.prepare_cached(sql)?.execute(params![before_ms, limit])?;
            }
            Ok(forgotten)
        })
        .await
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [STANDS, STEP, LOG, COUNT, NAME, FORGET, FORGET_LOG, FORGET_BEEN];
    [&own[..], end::STATEMENTS, enter::STATEMENTS, live::STATEMENTS, read::STATEMENTS].concat()
}
