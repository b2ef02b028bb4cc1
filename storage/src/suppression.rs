//! Addresses that nothing is sent to. Keyed by the hash of the normalized address, so that an entry outlives the
//! contact. Checked in the commit that marks a recipient as being sent, which is the last moment.
//!
//! An entry is of one workspace, or of the whole installation ([`WorkspaceId::NONE`]), and covers bulk mail or every
//! mail: who unsubscribes or complains still gets the receipt of an order, who does not exist gets nothing.
//!
//! Whatever is put on a list or taken off it stands in the history too, in the same commit; and what is put there ends the
//! address's ways through journeys.

mod hashed;
mod history;
mod list;
#[cfg(test)]
mod tests;

use crate::event::{Event, Kind};
use crate::response::{self, Response};
use crate::words::word;
use crate::{
    AddressHash, CampaignId, ContactId, MessageId, RecipientId, StorageError, SuppressionId, WorkspaceId, address_hash,
    journey_run, outbox,
};
use mail::{Address, StreamKind};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

pub use api_types::{SuppressionCovers, SuppressionReason};
pub use hashed::{NewHashed, add_hashed};
pub use history::{Action, Change, Whose, changes, forget, forget_ended};
pub use list::{Filter, count, page};

/// The stored word of a reason.
#[must_use]
pub fn reason_word(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::HardBounce => "hard_bounce",
        SuppressionReason::SoftBounces => "soft_bounces",
        SuppressionReason::Complaint => "complaint",
        SuppressionReason::Unsubscribe => "unsubscribe",
        SuppressionReason::Paused => "paused",
        SuppressionReason::Sunset => "sunset",
        SuppressionReason::Manual => "manual",
        SuppressionReason::Import => "import",
    }
}

/// The reason of a stored word.
#[must_use]
pub fn reason_of(word: &str) -> Option<SuppressionReason> {
    Some(match word {
        "hard_bounce" => SuppressionReason::HardBounce,
        "soft_bounces" => SuppressionReason::SoftBounces,
        "complaint" => SuppressionReason::Complaint,
        "unsubscribe" => SuppressionReason::Unsubscribe,
        "paused" => SuppressionReason::Paused,
        "sunset" => SuppressionReason::Sunset,
        "manual" => SuppressionReason::Manual,
        "import" => SuppressionReason::Import,
        _ => return None,
    })
}

/// The stored word of what an entry covers.
#[must_use]
pub fn covers_word(covers: SuppressionCovers) -> &'static str {
    match covers {
        SuppressionCovers::Marketing => "marketing",
        SuppressionCovers::All => "all",
    }
}

/// What the stored word says that an entry covers.
#[must_use]
pub fn covers_of(word: &str) -> Option<SuppressionCovers> {
    Some(match word {
        "marketing" => SuppressionCovers::Marketing,
        "all" => SuppressionCovers::All,
        _ => return None,
    })
}

/// What an entry covers where nobody said it: who wants no marketing still gets what they asked for.
#[must_use]
pub fn usual_covers(reason: SuppressionReason) -> SuppressionCovers {
    match reason {
        SuppressionReason::Complaint
        | SuppressionReason::Unsubscribe
        | SuppressionReason::Paused
        | SuppressionReason::Sunset => SuppressionCovers::Marketing,
        SuppressionReason::HardBounce
        | SuppressionReason::SoftBounces
        | SuppressionReason::Manual
        | SuppressionReason::Import => SuppressionCovers::All,
    }
}

/// An entry to add.
#[derive(Clone, Debug)]
pub struct NewSuppression<'a> {
    /// Whose list; [`WorkspaceId::NONE`] for that of the whole installation.
    pub workspace_id: WorkspaceId,
    /// The address.
    pub address: &'a Address,
    /// Which mail is not sent.
    pub covers: SuppressionCovers,
    /// Why.
    pub reason: SuppressionReason,
    /// What led to it: the server's words, the campaign, a note.
    pub origin: &'a str,
    /// The recipient whose outcome led to it.
    pub recipient_id: Option<RecipientId>,
    /// The campaign it came from.
    pub campaign_id: Option<CampaignId>,
    /// The contact whose timeline shows it.
    pub contact_id: Option<ContactId>,
    /// Who did it, when a person did.
    pub created_by: Option<&'a str>,
    /// Now.
    pub now_ms: i64,
    /// When it ends, if not never.
    pub expires_ms: Option<i64>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Id.
    pub id: SuppressionId,
    /// Whose; [`WorkspaceId::NONE`] where it is of the whole installation.
    pub workspace_id: WorkspaceId,
    /// Which mail is not sent.
    pub covers: SuppressionCovers,
    /// Its key.
    pub address_hash: AddressHash,
    /// The address; absent where only its hash is kept.
    pub address: Option<String>,
    /// Why.
    pub reason: SuppressionReason,
    /// What led to it.
    pub origin: String,
    /// The recipient whose outcome led to it.
    pub recipient_id: Option<RecipientId>,
    /// The campaign it came from.
    pub campaign_id: Option<CampaignId>,
    /// Who did it, when a person did.
    pub created_by: Option<String>,
    /// Since when.
    pub created_ms: i64,
    /// Until when, if not for ever.
    pub expires_ms: Option<i64>,
}

const CHECK: &str = "
    SELECT reason FROM suppression
    WHERE workspace_id IN (0, ?1) AND address_hash = ?2 AND (covers = 'all' OR ?4 = 'bulk')
        AND (expires_ms IS NULL OR expires_ms > ?3)
    LIMIT 1";

/// Why no mail of this kind is sent to this address now, if so.
///
/// # Errors
/// The database's.
pub fn check(
    connection: &Connection,
    workspace: WorkspaceId,
    (hash, kind): (&AddressHash, StreamKind),
    now_ms: i64,
) -> Result<Option<SuppressionReason>, StorageError> {
    let mut statement = connection.prepare_cached(CHECK)?;
    let found = statement.query_row(params![workspace, hash, now_ms, kind.as_str()], |row| word(row, 0, reason_of));
    Ok(found.optional()?)
}

// An entry that is in force stays as it is: the first reason is the one that counts. One that has ended begins anew; and
// one that ends by itself gives way to what does not, else who unsubscribes in a pause would get mail after it.
const ADD: &str = "
    INSERT INTO suppression (workspace_id, address_hash, address, reason, origin, recipient_id, campaign_id, created_by,
        created_ms, expires_ms, covers)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (workspace_id, address_hash, covers) DO UPDATE SET
        address = excluded.address, reason = excluded.reason, origin = excluded.origin,
        recipient_id = excluded.recipient_id, campaign_id = excluded.campaign_id, created_by = excluded.created_by,
        created_ms = excluded.created_ms, expires_ms = excluded.expires_ms
    WHERE expires_ms <= excluded.created_ms
        OR (reason IN ('paused', 'sunset') AND excluded.reason NOT IN ('paused', 'sunset'))
        OR (expires_ms IS NOT NULL AND excluded.reason IN ('unsubscribe', 'complaint'))";

/// Puts an address on the list; `false` when it stood there already. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn add(tx: &Connection, new: &NewSuppression<'_>) -> Result<bool, StorageError> {
    let normalized = new.address.normalized();
    let hash = address_hash(new.address);
    let changed = tx.prepare_cached(ADD)?.execute(params![
        new.workspace_id,
        hash,
        normalized,
        reason_word(new.reason),
        crate::event::bounded(new.origin),
        new.recipient_id,
        new.campaign_id,
        new.created_by,
        new.now_ms,
        new.expires_ms,
        covers_word(new.covers),
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    history::added(tx, new, &normalized)?;
    let whose = (new.workspace_id, &hash, new.contact_id);
    journey_run::end_of_address(tx, whose, (new.reason, new.origin), new.now_ms)?;
    let text = format!("{}: {}", reason_word(new.reason), new.origin);
    outbox::put(
        tx,
        &Event {
            recipient_id: new.recipient_id,
            campaign_id: new.campaign_id,
            contact_id: new.contact_id,
            text: Some(&text),
            actor: new.created_by,
            ..Event::new(new.now_ms, new.workspace_id, Kind::SuppressionAdded)
        },
    )?;
    Ok(true)
}

/// A statement with all columns in the order of `read`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, address, reason, origin, recipient_id, campaign_id, created_by, created_ms, expires_ms, \
             workspace_id, covers, address_hash FROM suppression ",
            $rest
        )
    };
}
use select;

/// Why an entry goes, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// Why.
    pub why: &'a str,
    /// Who did it, when a person of the workspace did.
    pub actor: Option<&'a str>,
    /// The recipient by whose mail it was asked for.
    pub recipient_id: Option<RecipientId>,
    /// The campaign of that mail.
    pub campaign_id: Option<CampaignId>,
    /// Now.
    pub now_ms: i64,
}

const FIND: &str = select!("WHERE id = :id AND workspace_id = :workspace_id");

/// The entry with this id on the list of the workspace, or of the installation.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: SuppressionId) -> Result<Option<Suppression>, StorageError> {
    let mut statement = tx.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const REMOVE: &str = "DELETE FROM suppression WHERE id = :id AND workspace_id = :workspace_id";

/// Takes an address off the list; who and why go into the history and into the event, which is of this contact. `None`
/// when it was not there.
///
/// # Errors
/// The database's.
pub fn remove(
    tx: &Connection,
    workspace: WorkspaceId,
    (id, contact): (SuppressionId, Option<ContactId>),
    removal: Removal<'_>,
) -> Result<Option<Suppression>, StorageError> {
    let Some(found) = find(tx, workspace, id)? else { return Ok(None) };
    take_off(tx, &found, removal)?;
    let text = format!("{}: {}", reason_word(found.reason), removal.why);
    outbox::put(
        tx,
        &Event {
            recipient_id: found.recipient_id,
            campaign_id: found.campaign_id,
            contact_id: contact,
            text: Some(&text),
            actor: removal.actor,
            ..Event::new(removal.now_ms, workspace, Kind::SuppressionRemoved)
        },
    )?;
    Ok(Some(found))
}

/// Deletes an entry and notes it in the history. The event is the caller's: what happened has many names.
pub(crate) fn take_off(tx: &Connection, found: &Suppression, removal: Removal<'_>) -> Result<(), StorageError> {
    tx.prepare_cached(REMOVE)?.execute(named_params! { ":id": found.id, ":workspace_id": found.workspace_id })?;
    history::removed(tx, found, removal)
}

/// Takes back what a recipient wished for, and what its silence led to; says how many entries that were. What else keeps
/// mail from it stays. The campaign whose mail led to it does not count it any more.
pub(crate) fn lift_wishes(
    tx: &Connection,
    (workspace, hash): (WorkspaceId, &AddressHash),
    removal: Removal<'_>,
) -> Result<usize, StorageError> {
    use SuppressionReason::{Paused, Sunset, Unsubscribe};
    let entries = of_hash(tx, workspace, hash)?;
    let wishes = entries
        .iter()
        .filter(|entry| entry.workspace_id == workspace && matches!(entry.reason, Unsubscribe | Paused | Sunset));
    let mut lifted = 0;
    for wish in wishes {
        take_off(tx, wish, removal)?;
        if let (Unsubscribe, Some(recipient)) = (wish.reason, wish.recipient_id) {
            response::take_back(tx, recipient, Response::Unsubscribed)?;
        }
        lifted += 1;
    }
    Ok(lifted)
}

const HASH_ONLY: &str = "
    UPDATE suppression SET address = NULL, origin = :origin WHERE id = :id AND workspace_id = :workspace_id";

/// Keeps of the workspace's own entries of an address the hash alone: they go on keeping mail from it, and nobody can read
/// whose they are. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn keep_hash_only(tx: &Connection, workspace: WorkspaceId, hash: &AddressHash) -> Result<(), StorageError> {
    for entry in of_hash(tx, workspace, hash)?.iter().filter(|entry| entry.workspace_id == workspace) {
        let Some(address) = &entry.address else { continue };
        let origin = history::masked(&entry.origin, address);
        tx.prepare_cached(HASH_ONLY)?
            .execute(named_params! { ":id": entry.id, ":workspace_id": workspace, ":origin": origin })?;
    }
    Ok(())
}

const OF_HASH: &str = select!(
    "WHERE workspace_id IN (0, :workspace_id) AND address_hash = :address_hash ORDER BY covers, workspace_id DESC"
);

/// The entries of an address that the workspace is bound by, in force or ended; those that cover most first.
///
/// # Errors
/// The database's.
pub fn of_hash(
    connection: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
) -> Result<Vec<Suppression>, StorageError> {
    let mut statement = connection.prepare_cached(OF_HASH)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace, ":address_hash": hash }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Where the mail came from whose outcome led to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameFrom {
    /// The campaign, where it is one's.
    pub campaign_id: Option<CampaignId>,
    /// The submitted message, where it is one.
    pub message_id: Option<MessageId>,
}

const CAME_FROM: &str = "
    SELECT campaign_id, message_id FROM recipient_done WHERE id = ?1 AND workspace_id = ?2
    UNION ALL
    SELECT campaign_id, message_id FROM recipient WHERE id = ?1 AND workspace_id = ?2
    LIMIT 1";

/// Where a recipient's mail came from, as long as the recipient is kept.
///
/// # Errors
/// The database's.
pub fn came_from(
    connection: &Connection,
    workspace: WorkspaceId,
    recipient: RecipientId,
) -> Result<Option<CameFrom>, StorageError> {
    let mut statement = connection.prepare_cached(CAME_FROM)?;
    let found = statement.query_row(params![recipient, workspace], |row| {
        Ok(CameFrom { campaign_id: row.get(0)?, message_id: row.get(1)? })
    });
    Ok(found.optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Suppression> {
    Ok(Suppression {
        id: row.get(0)?,
        address: row.get(1)?,
        reason: word(row, 2, reason_of)?,
        origin: row.get(3)?,
        recipient_id: row.get(4)?,
        campaign_id: row.get(5)?,
        created_by: row.get(6)?,
        created_ms: row.get(7)?,
        expires_ms: row.get(8)?,
        workspace_id: row.get(9)?,
        covers: word(row, 10, covers_of)?,
        address_hash: row.get(11)?,
    })
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [CHECK, ADD, FIND, REMOVE, OF_HASH, HASH_ONLY, CAME_FROM];
    [&own[..], history::STATEMENTS].concat()
}
