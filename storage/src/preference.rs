//! What a recipient wants: which lists and streams, all marketing mail or none, a pause. All of it is changed in one commit,
//! with its events.

use crate::event::{Event, Kind};
use crate::list::{self, Mover};
use crate::response::{self, Response};
use crate::suppression::{self, NewSuppression, Removal, SuppressionReason, usual_covers};
use crate::unsubscribe::{Applied, find};
use crate::{AddressHash, ListId, RecipientId, StorageError, WorkspaceId, address_hash, outbox, stream_leave};
use mail::Address;
use rusqlite::{Connection, params};

/// What a recipient wants of marketing mail as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marketing {
    /// It comes.
    Wanted,
    /// It does not come until then.
    PausedUntil(i64),
    /// It does not come.
    Unwanted,
}

/// How an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What holds; what silence led to counts as not wanted.
    pub marketing: Marketing,
    /// Whether silence led to it, and not a choice.
    pub by_silence: bool,
    /// What else keeps marketing mail from it, which it cannot change itself.
    pub otherwise: Option<SuppressionReason>,
}

/// How an address stands now.
///
/// # Errors
/// The database's.
pub fn standing(
    connection: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
    now_ms: i64,
) -> Result<Standing, StorageError> {
    let mut standing = Standing { marketing: Marketing::Wanted, by_silence: false, otherwise: None };
    let entries = suppression::of_hash(connection, workspace, hash)?;
    for entry in entries.iter().filter(|entry| entry.expires_ms.is_none_or(|end| end > now_ms)) {
        match (entry.reason, entry.expires_ms) {
            (SuppressionReason::Paused, Some(until_ms)) => standing.marketing = Marketing::PausedUntil(until_ms),
            (SuppressionReason::Unsubscribe | SuppressionReason::Sunset | SuppressionReason::Paused, _)
                if entry.workspace_id == workspace =>
            {
                standing.marketing = Marketing::Unwanted;
                standing.by_silence = entry.reason == SuppressionReason::Sunset;
            }
            (reason, _) => standing.otherwise = Some(reason),
        }
    }
    Ok(standing)
}

/// What is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Marketing mail as a whole.
    pub marketing: Marketing,
    /// Lists to join again, with their names; the contact stands on them already.
    pub joins: Vec<(ListId, String)>,
    /// Lists to leave, with their names.
    pub leaves: Vec<(ListId, String)>,
    /// Streams to get mail of again, with the titles that they are offered by.
    pub joins_streams: Vec<(String, String)>,
    /// Streams to get no mail of, with their titles.
    pub leaves_streams: Vec<(String, String)>,
}

impl Choice {
    /// Marketing mail as a whole, and nothing else.
    #[must_use]
    pub fn of(marketing: Marketing) -> Choice {
        Choice {
            marketing,
            joins: Vec::new(),
            leaves: Vec::new(),
            joins_streams: Vec::new(),
            leaves_streams: Vec::new(),
        }
    }
}

/// Where a choice is made.
const HERE: &str = "on the page for preferences";

/// Applies what the recipient chose; again changes nothing. `None` when it is no longer kept. Belongs into the writer of
/// queue.db.
///
/// # Errors
/// The database's.
pub fn apply(tx: &Connection, id: RecipientId, choice: &Choice, now_ms: i64) -> Result<Option<Applied>, StorageError> {
    let Some(subscriber) = find(tx, id)? else { return Ok(None) };
    let address = Address::parse(&subscriber.address)
        .map_err(|_| StorageError::Damaged { what: "recipient.address", value: subscriber.address.clone() })?;
    let hash = address_hash(&address);
    let mut changed = !choice.joins.is_empty();
    let who = Mover {
        workspace: subscriber.workspace_id,
        hash: &hash,
        contact: subscriber.contact_id,
        recipient: Some(id),
        campaign: subscriber.campaign_id,
        actor: None,
        now_ms,
    };
    for (list, name) in &choice.leaves {
        changed |= list::leave(tx, who, (*list, name))?;
    }
    for (list, name) in &choice.joins {
        list::rejoin(tx, who, (*list, name))?;
    }
    for (stream, title) in &choice.leaves_streams {
        changed |= stream_leave::leave(tx, who, (stream, title))?;
    }
    for (stream, title) in &choice.joins_streams {
        changed |= stream_leave::rejoin(tx, who, (stream, title))?;
    }
    changed |= marketing(tx, who, &address, choice.marketing)?;
    Ok(Some(Applied { subscriber, changed }))
}

/// Changes marketing mail as a whole; whether it was otherwise before.
fn marketing(tx: &Connection, who: Mover<'_>, address: &Address, wanted: Marketing) -> Result<bool, StorageError> {
    let now = standing(tx, who.workspace, who.hash, who.now_ms)?;
    // A pause goes on as it is: pressing the button again does not make it longer. What silence led to ends with the next
    // sign of life, what was chosen does not.
    if std::mem::discriminant(&now.marketing) == std::mem::discriminant(&wanted) && !now.by_silence {
        return Ok(false);
    }
    let removal =
        Removal { why: HERE, actor: None, recipient_id: who.recipient, campaign_id: who.campaign, now_ms: who.now_ms };
    suppression::lift_wishes(tx, (who.workspace, who.hash), removal)?;
    let (kind, reason, expires_ms) = match wanted {
        Marketing::Wanted => (Kind::Resubscribed, None, None),
        Marketing::Unwanted => (Kind::Unsubscribed, Some(SuppressionReason::Unsubscribe), None),
        Marketing::PausedUntil(until_ms) => (Kind::MailPaused, Some(SuppressionReason::Paused), Some(until_ms)),
    };
    if let Some(reason) = reason {
        let new = NewSuppression {
            workspace_id: who.workspace,
            address,
            covers: usual_covers(reason),
            reason,
            origin: HERE,
            recipient_id: who.recipient,
            campaign_id: who.campaign,
            contact_id: who.contact,
            created_by: None,
            now_ms: who.now_ms,
            expires_ms,
        };
        suppression::add(tx, &new)?;
    }
    if let (Marketing::Unwanted, Some(id)) = (wanted, who.recipient) {
        response::note(tx, id, Response::Unsubscribed, who.now_ms)?;
    }
    let event = Event {
        recipient_id: who.recipient,
        campaign_id: who.campaign,
        contact_id: who.contact,
        text: Some(HERE),
        ..Event::new(who.now_ms, who.workspace, kind)
    };
    outbox::put(tx, &event)?;
    Ok(true)
}

const TOLD: &str = "
    INSERT INTO confirmation (workspace_id, address_hash, told_ms) VALUES (?1, ?2, ?3)
    ON CONFLICT (workspace_id, address_hash) DO UPDATE SET told_ms = excluded.told_ms WHERE told_ms <= ?4";
const FORGET: &str = "
    DELETE FROM confirmation WHERE (workspace_id, address_hash) IN
        (SELECT workspace_id, address_hash FROM confirmation WHERE told_ms <= ?1 LIMIT 100)";
const DAY_MS: i64 = 86_400_000;

/// Takes the right to confirm a change to an address by mail: once a day. What was told before is forgotten. Belongs into
/// the writer of queue.db, in the commit of the mail.
///
/// # Errors
/// The database's.
pub fn may_tell(
    tx: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let yesterday_ms = now_ms - DAY_MS;
    tx.prepare_cached(FORGET)?.execute([yesterday_ms])?;
    Ok(tx.prepare_cached(TOLD)?.execute(params![workspace, hash, now_ms, yesterday_ms])? > 0)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[TOLD, FORGET];

#[cfg(test)]
mod tests;
