//! Out of the queue, or back into it: outcomes of attempts, each with its tallies, event and suppression.

use super::{Answer, Attempt, Origin, Wait};
use crate::event::{Event, Kind, bounded};
use crate::soft_bounce::{self, SoftBounce};
use crate::suppression::{NewSuppression, reason_word, usual_covers};
use crate::tally::{Changes, Measure};
use crate::{RecipientId, StorageError, WorkspaceId};
use crate::{campaign_run, message, notice, outbox, suppression};
use api_types::SuppressionReason;
use mail::{Address, BounceClass, RecipientState};
use rusqlite::{Connection, OptionalExtension, params};

/// How a recipient ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The receiving server took the message.
    Delivered,
    /// Refused for good; with `suppress` the address itself is at fault.
    Bounced {
        /// Whether the address goes on the suppression list.
        suppress: bool,
    },
    /// Its time was over.
    Expired,
    /// On the suppression list, and why.
    Suppressed(SuppressionReason),
    /// Its address has left the list that the mail belongs to.
    LeftList,
    /// Its address wants no mail of the stream.
    LeftStream,
    /// Its content cannot be made.
    Cancelled,
    /// The answer to the final dot never came.
    Unknown,
}

impl Ending {
    fn state(self) -> RecipientState {
        match self {
            Ending::Delivered => RecipientState::Delivered,
            Ending::Bounced { .. } => RecipientState::Bounced,
            Ending::Expired => RecipientState::Expired,
            Ending::Suppressed(_) | Ending::LeftList | Ending::LeftStream => RecipientState::Suppressed,
            Ending::Cancelled => RecipientState::Cancelled,
            Ending::Unknown => RecipientState::Unknown,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Ending::Delivered => Kind::Delivered,
            Ending::Bounced { .. } => Kind::Bounced,
            Ending::Expired => Kind::Expired,
            Ending::Suppressed(_) | Ending::LeftList | Ending::LeftStream => Kind::Suppressed,
            Ending::Cancelled => Kind::Cancelled,
            Ending::Unknown => Kind::Unknown,
        }
    }
}

/// An outcome to write.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The recipient.
    pub id: RecipientId,
    /// When it ended.
    pub at_ms: i64,
    /// How it ended.
    pub ending: Ending,
    /// The attempt that ended it, if it was one.
    pub attempt: Option<Attempt>,
    /// What was answered; `None` keeps the last answer on the row.
    pub answer: Option<Answer>,
}

/// What the event of such an ending says in place of a suppression's reason.
pub const LEFT_LIST: &str = "left_list";
/// As [`LEFT_LIST`], of a stream.
pub const LEFT_STREAM: &str = "left_stream";

const LIVE: &str = "
    SELECT workspace_id, campaign_id, contact_id, message_id, attempts + (?2 IS NOT NULL), coalesce(?2, provider),
        iif(?3, ?4, class), address
    FROM recipient WHERE id = ?1";
// Asked before instead of RETURNING, which would make and drop a table in memory for each recipient.
const FINISH: &str = "
    INSERT INTO recipient_done (id, workspace_id, campaign_id, contact_id, message_id, address, address_hash, domain,
        stream, kind, state, accepted_ms, finished_ms, attempts, source, site, provider, class, reply_code, enhanced, reply,
        waits)
    SELECT id, workspace_id, campaign_id, contact_id, message_id, address, address_hash, domain, stream, kind, ?2,
        accepted_ms, ?3, attempts + (?4 IS NOT NULL), coalesce(?4, source), coalesce(?5, site), coalesce(?6, provider),
        iif(?7, ?8, class), iif(?7, ?9, reply_code), iif(?7, ?10, enhanced), iif(?7, ?11, reply), waits
    FROM recipient WHERE id = ?1";
const REMOVE: &str = "DELETE FROM recipient WHERE id = ?1";

/// What a settled or deferred row tells, for tallies and events.
struct Owner {
    workspace: WorkspaceId,
    origin: Origin,
    attempts: u32,
    provider: Option<String>,
    class: Option<BounceClass>,
}

impl Owner {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Owner> {
        Ok(Owner {
            workspace: row.get(0)?,
            origin: Origin::read(row, 1)?,
            attempts: row.get(4)?,
            provider: row.get(5)?,
            class: crate::words::word_opt(row, 6, BounceClass::parse)?,
        })
    }
}

/// Ends recipients: final row, tallies, suppression, event, in the caller's transaction. Says how many were ended; one
/// that is not live any more is passed over, so that nothing is counted twice.
///
/// # Errors
/// The database's.
pub fn settle(tx: &Connection, settlements: &[Settlement]) -> Result<usize, StorageError> {
    if settlements.is_empty() {
        return Ok(0);
    }
    let mut live = tx.prepare_cached(LIVE)?;
    let mut finish = tx.prepare_cached(FINISH)?;
    let mut remove = tx.prepare_cached(REMOVE)?;
    let mut changes = Changes::default();
    let mut ended = 0;
    for settlement in settlements {
        let (attempt, answer) = (settlement.attempt.as_ref(), settlement.answer.as_ref());
        let enhanced = answer.and_then(Answer::enhanced_text);
        let (provider, class) = (attempt.map(|a| &*a.provider), answer.and_then(|a| a.class).map(BounceClass::as_str));
        let found = live
            .query_row(params![settlement.id, provider, answer.is_some(), class], |row| {
                let owner = Owner::read(row)?;
                let wanted = at_fault(settlement.ending, owner.class) != AtFault::Nobody;
                let address: Option<String> = if wanted { Some(row.get(7)?) } else { None };
                Ok((owner, address))
            })
            .optional()?;
        let Some((owner, address)) = found else { continue };
        finish.execute(params![
            settlement.id,
            settlement.ending.state().as_str(),
            settlement.at_ms,
            attempt.map(|a| &*a.source),
            attempt.map(|a| &*a.site),
            provider,
            answer.is_some(),
            class,
            answer.and_then(|a| a.code),
            enhanced,
            answer.map(|a| bounded(&a.text)),
        ])?;
        if let Some(message) = owner.origin.message() {
            notice::settled(tx, message, settlement)?;
            message::one_settled(tx, message)?;
        }
        remove.execute([settlement.id])?;
        ended += 1;
        count(&mut changes, settlement.ending, &owner);
        tell(tx, settlement, &owner, enhanced.as_deref())?;
        let Some(address) = address else { continue };
        match at_fault(settlement.ending, owner.class) {
            AtFault::Nobody => {}
            AtFault::Address => suppress(tx, settlement, &owner, &address)?,
            AtFault::ForNow => note_soft(tx, settlement, &owner, &address)?,
        }
    }
    changes.write(tx)?;
    for campaign in changes.campaigns() {
        // Submitted mail has no run, so nothing is found for it.
        campaign_run::finish_if_done(tx, campaign, settlements[settlements.len() - 1].at_ms)?;
    }
    Ok(ended)
}

fn count(changes: &mut Changes, ending: Ending, owner: &Owner) {
    let provider = owner.provider.as_deref().unwrap_or("");
    let whose = (owner.workspace, owner.origin.tally());
    changes.add(whose, provider, Measure::Final(ending.state()), 1);
    if matches!(ending, Ending::Bounced { .. }) {
        changes.add(whose, provider, Measure::Class(owner.class.unwrap_or(BounceClass::Unclassified)), 1);
    }
}

fn tell(tx: &Connection, s: &Settlement, owner: &Owner, enhanced: Option<&str>) -> Result<(), StorageError> {
    let event = Event {
        text: match s.ending {
            Ending::Suppressed(reason) => Some(reason_word(reason)),
            Ending::LeftList => Some(LEFT_LIST),
            Ending::LeftStream => Some(LEFT_STREAM),
            _ => s.answer.as_ref().map(|a| a.text.as_str()),
        },
        ..event((s.id, s.at_ms), s.ending.kind(), owner, s.attempt.as_ref(), s.answer.as_ref(), enhanced)
    };
    outbox::put(tx, &event)
}

fn event<'a>(
    (id, at_ms): (RecipientId, i64),
    kind: Kind,
    owner: &'a Owner,
    attempt: Option<&'a Attempt>,
    answer: Option<&'a Answer>,
    enhanced: Option<&'a str>,
) -> Event<'a> {
    Event {
        recipient_id: Some(id),
        campaign_id: owner.origin.campaign(),
        contact_id: owner.origin.contact(),
        source: attempt.map(|a| &*a.source),
        site: attempt.map(|a| &*a.site),
        provider: owner.provider.as_deref(),
        mx: attempt.map(|a| &*a.mx),
        class: answer.and_then(|a| a.class),
        reply_code: answer.and_then(|a| a.code),
        enhanced,
        text: answer.map(|a| a.text.as_str()),
        attempt: attempt.map(|_| owner.attempts),
        took_ms: attempt.map(|a| a.took_ms),
        tls: attempt.and_then(|a| a.tls),
        ..Event::new(at_ms, owner.workspace, kind)
    }
}

/// What an outcome says against the address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtFault {
    Nobody,
    /// It does not work.
    Address,
    /// It does not work now: several of these are needed.
    ForNow,
}

fn at_fault(ending: Ending, class: Option<BounceClass>) -> AtFault {
    match ending {
        Ending::Bounced { suppress: true } => AtFault::Address,
        Ending::Bounced { suppress: false } | Ending::Expired if class.is_some_and(soft_bounce::tells) => {
            AtFault::ForNow
        }
        _ => AtFault::Nobody,
    }
}

fn note_soft(tx: &Connection, s: &Settlement, owner: &Owner, address: &str) -> Result<(), StorageError> {
    let note = SoftBounce {
        workspace_id: owner.workspace,
        address,
        recipient_id: s.id,
        origin: owner.origin,
        at_ms: s.at_ms,
        text: s.answer.as_ref().map_or("", |a| a.text.as_str()),
    };
    soft_bounce::note(tx, &note)
}

fn suppress(tx: &Connection, s: &Settlement, owner: &Owner, address: &str) -> Result<(), StorageError> {
    // It was parsed when it was taken in.
    let Ok(address) = Address::parse(address) else { return Ok(()) };
    let origin = s.answer.as_ref().map_or("", |a| a.text.as_str());
    suppression::add(
        tx,
        &NewSuppression {
            workspace_id: owner.workspace,
            address: &address,
            covers: usual_covers(SuppressionReason::HardBounce),
            reason: SuppressionReason::HardBounce,
            origin,
            recipient_id: Some(s.id),
            campaign_id: owner.origin.campaign(),
            contact_id: owner.origin.contact(),
            created_by: None,
            now_ms: s.at_ms,
            expires_ms: None,
        },
    )?;
    Ok(())
}

/// What kind of "not now".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeferralKind {
    /// The recipient had its attempt.
    Attempted,
    /// The site could not be reached: the recipient's own attempts are not used up.
    NotReached,
    /// Refused because of our own address or name; another source may try.
    Blocked,
}

/// An attempt that ended with "not now".
#[derive(Clone, Debug)]
pub struct Deferral {
    /// The recipient.
    pub id: RecipientId,
    /// When.
    pub at_ms: i64,
    /// What kind.
    pub kind: DeferralKind,
    /// Why it waits, and until when.
    pub wait: Wait,
    /// Over which way it went.
    pub attempt: Option<Attempt>,
    /// What was answered.
    pub answer: Answer,
}

const WAS: &str = "
    SELECT workspace_id, campaign_id, contact_id, message_id, attempts, provider, class, deferrals
    FROM recipient WHERE id = ?1 AND (state IN ('claimed', 'sending') OR in_hand = 1)";
// Who was held meanwhile stays held.
const DEFER: &str = "
    UPDATE recipient SET state = iif(in_hand = 1, 'held', 'queued'), wait_reason = iif(in_hand = 1, 'held', ?3), in_hand = 0,
        due_ms = ?2, attempts = attempts + ?4,
        deferrals = deferrals + ?13, source = coalesce(?5, source), site = coalesce(?6, site), provider = coalesce(?7, provider),
        class = ?8, reply_code = ?9, enhanced = ?10, reply = ?11, attempt_ms = ?12,
        waits = iif(substr(waits, 1, 1) = ';', waits, ';' || waits)
    WHERE id = ?1";

/// Puts recipients back with what was answered, and tells it.
///
/// # Errors
/// The database's.
pub fn defer(tx: &Connection, deferrals: &[Deferral]) -> Result<(), StorageError> {
    if deferrals.is_empty() {
        return Ok(());
    }
    let mut was = tx.prepare_cached(WAS)?;
    let mut defer = tx.prepare_cached(DEFER)?;
    let mut changes = Changes::default();
    for d in deferrals {
        let found = was.query_row([d.id], |row| Ok((Owner::read(row)?, row.get::<_, u32>(7)?))).optional()?;
        let Some((mut owner, deferrals)) = found else { continue };
        let attempted = u32::from(d.kind == DeferralKind::Attempted);
        let deferred = u32::from(d.kind != DeferralKind::Blocked);
        let enhanced = d.answer.enhanced_text();
        defer.execute(params![
            d.id,
            d.wait.due_ms,
            d.wait.reason.as_str(),
            attempted,
            d.attempt.as_ref().map(|a| &*a.source),
            d.attempt.as_ref().map(|a| &*a.site),
            d.attempt.as_ref().map(|a| &*a.provider),
            d.answer.class.map(BounceClass::as_str),
            d.answer.code,
            enhanced,
            bounded(&d.answer.text),
            d.at_ms,
            deferred,
        ])?;
        owner.attempts += attempted;
        if let Some(attempt) = &d.attempt {
            owner.provider = Some(attempt.provider.to_string());
        }
        let provider = owner.provider.as_deref().unwrap_or("");
        let whose = (owner.workspace, owner.origin.tally());
        let (measure, kind) = match d.kind {
            DeferralKind::Blocked => (Measure::Blocked, Kind::Blocked),
            DeferralKind::Attempted | DeferralKind::NotReached => (Measure::Deferral, Kind::Deferred),
        };
        changes.add(whose, provider, measure, 1);
        if deferrals == 0 && deferred == 1 {
            changes.add(whose, provider, Measure::Retried, 1);
        }
        let told = event((d.id, d.at_ms), kind, &owner, d.attempt.as_ref(), Some(&d.answer), enhanced.as_deref());
        outbox::put(tx, &told)?;
    }
    changes.write(tx)
}

/// A recipient that goes back although nothing was attempted.
#[derive(Clone, Copy, Debug)]
pub struct GiveBack {
    /// The recipient.
    pub id: RecipientId,
    /// Why it waits, and until when.
    pub wait: Wait,
}

// Waiting again for the same is no other wait; a turn is none.
// Who was held meanwhile is looked at anew when it is released.
const GIVE_BACK: &str = "
    UPDATE recipient SET state = iif(in_hand = 1, 'held', 'queued'), wait_reason = iif(in_hand = 1, 'held', ?3), in_hand = 0,
        due_ms = iif(in_hand = 1, ?4, ?2),
        waits = CASE WHEN ?3 = 'turn' OR waits GLOB ?3 || ' *' THEN waits
            ELSE substr(?3 || ' ' || ?4 || ';' || coalesce(waits, ''), 1, 400) END
    WHERE id = ?1 AND (state IN ('claimed', 'sending') OR in_hand = 1)";

/// Puts recipients back whose message provably was not sent: claimed ones, and marked ones whose final dot did not go
/// out.
///
/// # Errors
/// The database's.
pub fn give_back(tx: &Connection, recipients: &[GiveBack], now_ms: i64) -> Result<(), StorageError> {
    let mut give_back = tx.prepare_cached(GIVE_BACK)?;
    for r in recipients {
        give_back.execute(params![r.id, r.wait.due_ms, r.wait.reason.as_str(), now_ms])?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LIVE, FINISH, REMOVE, WAS, DEFER, GIVE_BACK];
