//! What came back of mail: who unsubscribed, left a list or a stream, complained or answered, and what reports say of its arrival.
//! Each kind counts once for a recipient, in the commit of the event; whoever comes back is not counted any more.

use crate::complaint::{self, Way};
use crate::tally::{Changes, Measure};
use crate::{AddressHash, CampaignId, RecipientId, StorageError, WorkspaceId};
use rusqlite::{Connection, named_params, params};

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Response {
    /// Unsubscribed from all marketing mail.
    Unsubscribed,
    /// Left a list or a stream.
    Left,
    /// Reported the mail as spam.
    Complained,
    /// Answered.
    Replied,
    /// A report says that it arrived in the mailbox.
    Delivered,
    /// A report says that it went on to a system that reports nothing.
    Relayed,
    /// A report says that it went on to several addresses.
    Expanded,
}

impl Response {
    /// Every one.
    pub const ALL: [Response; 7] = [
        Response::Unsubscribed,
        Response::Left,
        Response::Complained,
        Response::Replied,
        Response::Delivered,
        Response::Relayed,
        Response::Expanded,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Response::Unsubscribed => "unsubscribed",
            Response::Left => "left",
            Response::Complained => "complained",
            Response::Replied => "replied",
            Response::Delivered => "delivered",
            Response::Relayed => "relayed",
            Response::Expanded => "expanded",
        }
    }

    /// The stored word's meaning.
    #[must_use]
    pub fn parse(word: &str) -> Option<Response> {
        Response::ALL.into_iter().find(|response| response.as_str() == word)
    }

    /// The figure of the campaign that counts it.
    #[must_use]
    pub fn measure(self) -> Option<Measure> {
        match self {
            Response::Unsubscribed => Some(Measure::Unsubscribed),
            Response::Left => Some(Measure::Left),
            Response::Complained => Some(Measure::Complained),
            Response::Replied => Some(Measure::Replied),
            Response::Delivered | Response::Relayed | Response::Expanded => None,
        }
    }
}

const NOTE: &str = "
    INSERT INTO response (campaign_id, kind, recipient_id, workspace_id, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO NOTHING";

/// Notes what came back of a recipient's mail and counts it; `false` when that is known already, or the recipient is no
/// longer kept. Belongs into the writer of queue.db, in the commit of the event.
///
/// # Errors
/// The database's.
pub fn note(tx: &Connection, id: RecipientId, what: Response, at_ms: i64) -> Result<bool, StorageError> {
    match complaint::way(tx, id)? {
        Some(way) => note_of(tx, (id, &way), what, at_ms),
        None => Ok(false),
    }
}

/// As [`note`], where the recipient's way is known.
pub(crate) fn note_of(
    tx: &Connection,
    (id, way): (RecipientId, &Way),
    what: Response,
    at_ms: i64,
) -> Result<bool, StorageError> {
    let row = params![way.origin.tally(), what.as_str(), id, way.workspace_id, at_ms];
    let is_new = tx.prepare_cached(NOTE)?.execute(row)? > 0;
    if is_new {
        count(tx, way, what, 1)?;
    }
    Ok(is_new)
}

const TAKE_BACK: &str =
    "DELETE FROM response WHERE recipient_id = ?1 AND kind = ?2 AND campaign_id = ?3 AND workspace_id = ?4";

/// Takes it back with its figure: the recipient wants the mail again. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub(crate) fn take_back(tx: &Connection, id: RecipientId, what: Response) -> Result<(), StorageError> {
    let Some(way) = complaint::way(tx, id)? else { return Ok(()) };
    let row = params![id, what.as_str(), way.origin.tally(), way.workspace_id];
    if tx.prepare_cached(TAKE_BACK)?.execute(row)? > 0 {
        count(tx, &way, what, -1)?;
    }
    Ok(())
}

// One mail can lead out of several lists and streams.
const STILL_LEFT: &str = "
    SELECT 1 FROM list_leave WHERE workspace_id = ?1 AND address_hash = ?2 AND recipient_id = ?3
    UNION ALL
    SELECT 1 FROM stream_leave WHERE workspace_id = ?1 AND address_hash = ?2 AND recipient_id = ?3";

/// Takes back that a mail led an address out of something, where nothing is left that it led out of. Belongs into the
/// writer of queue.db.
///
/// # Errors
/// The database's.
pub(crate) fn came_back(
    tx: &Connection,
    (workspace, hash): (WorkspaceId, &AddressHash),
    led: RecipientId,
) -> Result<(), StorageError> {
    match tx.prepare_cached(STILL_LEFT)?.exists(params![workspace, hash, led])? {
        true => Ok(()),
        false => take_back(tx, led, Response::Left),
    }
}

fn count(tx: &Connection, way: &Way, what: Response, n: i64) -> Result<(), StorageError> {
    let Some(measure) = what.measure() else { return Ok(()) };
    let mut changes = Changes::default();
    changes.add((way.workspace_id, way.origin.tally()), &way.provider, measure, n);
    changes.write(tx)
}

const OF_CAMPAIGN: &str = "
    SELECT count(*) FROM response
    WHERE campaign_id = :campaign_id AND kind = :kind AND workspace_id = :workspace_id";

/// How many of a campaign's recipients, as far as they are kept, did this.
///
/// # Errors
/// The database's.
pub fn of_campaign(
    c: &Connection,
    (workspace, campaign): (WorkspaceId, CampaignId),
    what: Response,
) -> Result<u64, StorageError> {
    let values = named_params! { ":campaign_id": campaign, ":kind": what.as_str(), ":workspace_id": workspace };
    Ok(c.prepare_cached(OF_CAMPAIGN)?.query_row(values, |row| crate::words::count(row, 0))?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[NOTE, TAKE_BACK, STILL_LEFT, OF_CAMPAIGN];
