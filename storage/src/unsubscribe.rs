//! Unsubscribing: from the recipient that a link names to the suppression of its address, in one commit.

use crate::event::{Event, Kind};
use crate::response::{self, Response};
use crate::suppression::{self, NewSuppression, Removal, usual_covers};
use crate::{CampaignId, ContactId, RecipientId, StorageError, WorkspaceId, address_hash, outbox};
use api_types::SuppressionReason;
use mail::Address;
use rusqlite::{Connection, OptionalExtension};

/// Whom an unsubscribe link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Whose mail it was.
    pub workspace_id: WorkspaceId,
    /// The campaign, where the mail was of one.
    pub campaign_id: Option<CampaignId>,
    /// The contact, where the mail went to one.
    pub contact_id: Option<ContactId>,
    /// The address that the mail went to.
    pub address: String,
}

/// What a wish led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Whose wish.
    pub subscriber: Subscriber,
    /// Whether something is other than before.
    pub changed: bool,
}

const FIND: &str = "
    SELECT workspace_id, campaign_id, contact_id, address FROM recipient WHERE id = ?1
    UNION ALL
    SELECT workspace_id, campaign_id, contact_id, address FROM recipient_done WHERE id = ?1
    LIMIT 1";

/// Whom a recipient id stands for; `None` when it is no longer kept.
///
/// # Errors
/// The database's.
pub fn find(connection: &Connection, id: RecipientId) -> Result<Option<Subscriber>, StorageError> {
    let mut statement = connection.prepare_cached(FIND)?;
    let found = statement.query_row([id], |row| {
        Ok(Subscriber {
            workspace_id: row.get(0)?,
            campaign_id: row.get(1)?,
            contact_id: row.get(2)?,
            address: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// Suppresses the address behind a recipient and tells so in an event; again changes nothing. Belongs into the writer
/// of queue.db.
///
/// # Errors
/// The database's.
pub fn apply(tx: &Connection, id: RecipientId, now_ms: i64) -> Result<Option<Applied>, StorageError> {
    apply_because(tx, id, "unsubscribed by the link in a mail", now_ms)
}

/// As [`apply`], with what stands beside the suppression for people.
///
/// # Errors
/// The database's.
pub fn apply_because(
    tx: &Connection,
    id: RecipientId,
    origin: &str,
    now_ms: i64,
) -> Result<Option<Applied>, StorageError> {
    let Some(subscriber) = find(tx, id)? else { return Ok(None) };
    let address = Address::parse(&subscriber.address)
        .map_err(|_| StorageError::Damaged { what: "recipient.address", value: subscriber.address.clone() })?;
    let added = suppression::add(
        tx,
        &NewSuppression {
            workspace_id: subscriber.workspace_id,
            address: &address,
            covers: usual_covers(SuppressionReason::Unsubscribe),
            reason: SuppressionReason::Unsubscribe,
            origin,
            recipient_id: Some(id),
            campaign_id: subscriber.campaign_id,
            contact_id: subscriber.contact_id,
            created_by: None,
            now_ms,
            expires_ms: None,
        },
    )?;
    if added {
        response::note(tx, id, Response::Unsubscribed, now_ms)?;
        outbox::put(
            tx,
            &Event {
                recipient_id: Some(id),
                campaign_id: subscriber.campaign_id,
                contact_id: subscriber.contact_id,
                ..Event::new(now_ms, subscriber.workspace_id, Kind::Unsubscribed)
            },
        )?;
    }
    Ok(Some(Applied { subscriber, changed: added }))
}

const BACK_AGAIN: &str = "subscribed again on the page for unsubscribing";

/// Takes the unsubscribing of the address behind a recipient back (or its pause, or what silence led to), because that
/// person wants it; what else keeps mail from it stays. Tells so in an event when something was taken back. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn undo(tx: &Connection, id: RecipientId, now_ms: i64) -> Result<Option<Applied>, StorageError> {
    let Some(subscriber) = find(tx, id)? else { return Ok(None) };
    let address = Address::parse(&subscriber.address)
        .map_err(|_| StorageError::Damaged { what: "recipient.address", value: subscriber.address.clone() })?;
    let removal =
        Removal { why: BACK_AGAIN, actor: None, recipient_id: Some(id), campaign_id: subscriber.campaign_id, now_ms };
    let lifted = suppression::lift_wishes(tx, (subscriber.workspace_id, &address_hash(&address)), removal)?;
    if lifted > 0 {
        outbox::put(
            tx,
            &Event {
                recipient_id: Some(id),
                campaign_id: subscriber.campaign_id,
                contact_id: subscriber.contact_id,
                text: Some(BACK_AGAIN),
                ..Event::new(now_ms, subscriber.workspace_id, Kind::Resubscribed)
            },
        )?;
    }
    Ok(Some(Applied { subscriber, changed: lifted > 0 }))
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[FIND];
