//! Complaints: a recipient reported our mail as spam. One commit corrects everything that follows from it: suppression
//! for marketing, campaign figure, the warm-up's day, event. The same recipient counts once, however often it reports.

use crate::event::{Event, Kind};
use crate::queue::Origin;
use crate::response::{self, Response};
use crate::suppression::{self, NewSuppression, SuppressionReason, usual_covers};
use crate::words::word;
use crate::{AddressHash, CampaignId, MessageId, RecipientId, StorageError, WorkspaceId, outbox, warmup};
use mail::{Address, RecipientState};
use rusqlite::{Connection, OptionalExtension, params};

/// Over which way a recipient's mail went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Where its content came from.
    pub origin: Origin,
    /// Its address.
    pub address: String,
    /// Egress source.
    pub source: Option<String>,
    /// Site.
    pub site: Option<String>,
    /// Provider.
    pub provider: String,
    /// Where it is.
    pub state: RecipientState,
}

const WAY: &str = "
    SELECT workspace_id, campaign_id, contact_id, message_id, address, source, site, coalesce(provider, ''), state
    FROM recipient_done WHERE id = ?1
    UNION ALL
    SELECT workspace_id, campaign_id, contact_id, message_id, address, source, site, coalesce(provider, ''), state
    FROM recipient WHERE id = ?1
    LIMIT 1";

/// The way of a recipient, live or finished; `None` when it is no longer kept.
///
/// # Errors
/// The database's.
pub fn way(connection: &Connection, id: RecipientId) -> Result<Option<Way>, StorageError> {
    let mut statement = connection.prepare_cached(WAY)?;
    let found = statement.query_row([id], |row| {
        Ok(Way {
            workspace_id: row.get(0)?,
            origin: Origin::read(row, 1)?,
            address: row.get(4)?,
            source: row.get(5)?,
            site: row.get(6)?,
            provider: row.get(7)?,
            state: word(row, 8, RecipientState::parse)?,
        })
    });
    Ok(found.optional()?)
}

const OF_CAMPAIGN: &str = "
    SELECT id FROM recipient_done WHERE id = ?1 AND campaign_id = ?2 AND accepted_ms = ?3
    UNION ALL
    SELECT id FROM recipient WHERE id = ?1 AND campaign_id = ?2 AND accepted_ms = ?3
    LIMIT 1";

/// The recipient that a campaign's Message-ID names, where all of its parts are true.
///
/// # Errors
/// The database's.
pub fn of_campaign(
    connection: &Connection,
    id: RecipientId,
    campaign: CampaignId,
    accepted_ms: i64,
) -> Result<Option<RecipientId>, StorageError> {
    let mut statement = connection.prepare_cached(OF_CAMPAIGN)?;
    Ok(statement.query_row(params![id, campaign, accepted_ms], |row| row.get(0)).optional()?)
}

const MESSAGE: &str = "SELECT id FROM message WHERE header_id = ?1 ORDER BY id DESC LIMIT 1";
const OF_MESSAGE: &str = "
    SELECT id, address_hash FROM recipient_done WHERE message_id = ?1
    UNION ALL
    SELECT id, address_hash FROM recipient WHERE message_id = ?1
    LIMIT 1000";

/// The recipient of a submitted message by its Message-ID: the one with this address, or the only one.
///
/// # Errors
/// The database's.
pub fn of_message(
    connection: &Connection,
    header_id: &str,
    hash: Option<&AddressHash>,
) -> Result<Option<RecipientId>, StorageError> {
    let message: Option<MessageId> =
        connection.prepare_cached(MESSAGE)?.query_row([header_id], |row| row.get(0)).optional()?;
    let Some(message) = message else { return Ok(None) };
    let mut statement = connection.prepare_cached(OF_MESSAGE)?;
    let rows = statement.query_map([message], |row| Ok((row.get(0)?, row.get::<_, AddressHash>(1)?)))?;
    let all: Vec<(RecipientId, AddressHash)> = rows.collect::<Result<_, _>>()?;
    let wanted = all.iter().find(|(_, found)| hash == Some(found)).map(|(id, _)| *id);
    Ok(wanted.or(match all[..] {
        [(only, _)] => Some(only),
        _ => None,
    }))
}

/// A complaint.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// Who complained.
    pub id: RecipientId,
    /// When it came.
    pub at_ms: i64,
    /// The sending domain of the mail, where it is known.
    pub domain: Option<String>,
    /// What was reported, and by whom.
    pub text: String,
}

const MARK: &str = "UPDATE recipient_done SET complained_ms = ?2 WHERE id = ?1 AND complained_ms IS NULL";

/// Takes a complaint; `false` when its recipient has complained already, or is no longer kept. Belongs into the writer of
/// queue.db. A recipient whose mail is still on its way is only suppressed.
///
/// # Errors
/// The database's.
pub fn settle(tx: &Connection, complaint: &Complaint) -> Result<bool, StorageError> {
    let Some(way) = way(tx, complaint.id)? else { return Ok(false) };
    tx.prepare_cached(MARK)?.execute(params![complaint.id, complaint.at_ms])?;
    suppress(tx, complaint, &way)?;
    if !response::note_of(tx, (complaint.id, &way), Response::Complained, complaint.at_ms)? {
        return Ok(false);
    }
    warmup::complained(tx, (way.source.as_deref(), &way.provider), complaint.domain.as_deref())?;
    outbox::put(
        tx,
        &Event {
            recipient_id: Some(complaint.id),
            campaign_id: way.origin.campaign(),
            contact_id: way.origin.contact(),
            source: way.source.as_deref(),
            site: way.site.as_deref(),
            provider: Some(&way.provider),
            text: Some(&complaint.text),
            ..Event::new(complaint.at_ms, way.workspace_id, Kind::Complained)
        },
    )?;
    Ok(true)
}

fn suppress(tx: &Connection, complaint: &Complaint, way: &Way) -> Result<(), StorageError> {
    // It was parsed when it was taken in.
    let Ok(address) = Address::parse(&way.address) else { return Ok(()) };
    let reason = SuppressionReason::Complaint;
    suppression::add(
        tx,
        &NewSuppression {
            workspace_id: way.workspace_id,
            address: &address,
            covers: usual_covers(reason),
            reason,
            origin: &complaint.text,
            recipient_id: Some(complaint.id),
            campaign_id: way.origin.campaign(),
            contact_id: way.origin.contact(),
            created_by: None,
            now_ms: complaint.at_ms,
            expires_ms: None,
        },
    )?;
    Ok(())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[WAY, OF_CAMPAIGN, MESSAGE, OF_MESSAGE, MARK];
