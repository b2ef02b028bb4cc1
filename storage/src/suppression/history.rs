//! What became of suppressions: who was put on a list and taken off it, when, why and by whom.
//!
//! The history knows addresses by their hash, with a first letter and a domain for the eye, so it holds nothing that would
//! have to be deleted with a contact. Rows are kept for some years; what is still on a list says itself how it got there.

use super::{
    NewHashed, NewSuppression, Removal, Suppression, SuppressionCovers, SuppressionReason, covers_of, covers_word,
    reason_of, reason_word,
};
use crate::words::word;
use crate::{AddressHash, CampaignId, RecipientId, Storage, StorageError, WorkspaceId, address_hash};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Put on the list.
    Added,
    /// Taken off.
    Removed,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Action::Added => "added",
            Action::Removed => "removed",
        }
    }

    fn parse(word: &str) -> Option<Action> {
        [Action::Added, Action::Removed].into_iter().find(|action| action.as_str() == word)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Id: ascends with time.
    pub id: i64,
    /// Whose list; [`WorkspaceId::NONE`] for that of the whole installation.
    pub workspace_id: WorkspaceId,
    /// The address, where an entry or a contact still has it.
    pub address: Option<String>,
    /// Its first letter and domain.
    pub masked: String,
    /// What was done.
    pub action: Action,
    /// Which mail the entry keeps away.
    pub covers: SuppressionCovers,
    /// Why it is, or was, there.
    pub reason: SuppressionReason,
    /// What led to it; of a removal, why.
    pub words: String,
    /// Who did it, when a person did.
    pub actor: Option<String>,
    /// The recipient whose mail it was about.
    pub recipient_id: Option<RecipientId>,
    /// The campaign of that mail.
    pub campaign_id: Option<CampaignId>,
    /// When.
    pub at_ms: i64,
    /// Until when the entry was to hold, if not for ever.
    pub expires_ms: Option<i64>,
}

const NOTE: &str = "
    INSERT INTO suppression_change (workspace_id, address_hash, masked, action, covers, reason, words, actor, recipient_id,
        campaign_id, at_ms, expires_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

pub(super) fn added(tx: &Connection, new: &NewSuppression<'_>, normalized: &str) -> Result<(), StorageError> {
    tx.prepare_cached(NOTE)?.execute(params![
        new.workspace_id,
        address_hash(new.address),
        mail::mask(normalized),
        Action::Added.as_str(),
        covers_word(new.covers),
        reason_word(new.reason),
        masked(crate::event::bounded(new.origin), normalized),
        new.created_by,
        new.recipient_id,
        new.campaign_id,
        new.now_ms,
        new.expires_ms,
    ])?;
    Ok(())
}

pub(super) fn added_hashed(tx: &Connection, new: &NewHashed<'_>) -> Result<(), StorageError> {
    let known = tx.prepare_cached(MASKED)?.query_row([new.hash], |row| row.get::<_, String>(0)).optional()?;
    tx.prepare_cached(NOTE)?.execute(params![
        new.workspace_id,
        new.hash,
        known.unwrap_or_else(|| mail::mask("")),
        Action::Added.as_str(),
        covers_word(new.covers),
        reason_word(new.reason),
        crate::event::bounded(new.origin),
        new.created_by,
        None::<i64>,
        None::<i64>,
        new.now_ms,
        new.expires_ms,
    ])?;
    Ok(())
}

const MASKED: &str = "SELECT masked FROM suppression_change WHERE address_hash = ?1 ORDER BY id DESC LIMIT 1";

pub(super) fn removed(tx: &Connection, entry: &Suppression, removal: Removal<'_>) -> Result<(), StorageError> {
    let address = entry.address.as_deref().unwrap_or_default();
    // Of an entry that keeps the hash alone, the change before it says how it looks.
    let known = tx.prepare_cached(MASKED)?.query_row([entry.address_hash], |row| row.get(0)).optional()?;
    tx.prepare_cached(NOTE)?.execute(params![
        entry.workspace_id,
        entry.address_hash,
        known.unwrap_or_else(|| mail::mask(address)),
        Action::Removed.as_str(),
        covers_word(entry.covers),
        reason_word(entry.reason),
        masked(crate::event::bounded(removal.why), address),
        removal.actor,
        removal.recipient_id,
        removal.campaign_id,
        removal.now_ms,
        entry.expires_ms,
    ])?;
    Ok(())
}

/// Words in which the address is masked, whatever its case: servers like to repeat it.
pub(super) fn masked(words: &str, address: &str) -> String {
    if address.is_empty() {
        return words.to_owned();
    }
    let mut out = String::with_capacity(words.len());
    let mut rest = words;
    // Lower case of ASCII alone: places in it are places in the words.
    while let Some(at) = rest.to_ascii_lowercase().find(&address.to_ascii_lowercase()) {
        out.push_str(&rest[..at]);
        out.push_str(&mail::mask(address));
        rest = &rest[at + address.len()..];
    }
    out.push_str(rest);
    out
}

/// Whose changes.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    /// All that bind the workspace.
    All,
    /// Of this address.
    Address(AddressHash),
}

/// A statement with all columns in the order of `read`. The address is looked for where it may still be.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.workspace_id, coalesce((SELECT s.address FROM suppression s \
                WHERE s.workspace_id IN (0, :workspace_id) AND s.address_hash = h.address_hash AND s.address IS NOT NULL), \
                (SELECT c.email_norm FROM contact c \
                WHERE c.workspace_id = :workspace_id AND c.address_hash = h.address_hash)), \
             h.masked, h.action, h.covers, h.reason, h.words, h.actor, h.recipient_id, h.campaign_id, h.at_ms, h.expires_ms \
             FROM suppression_change h ",
            $rest
        )
    };
}

// The `+` keeps the planner on the order that is wanted.
const PAGE: &str =
    select!("WHERE +h.workspace_id IN (0, :workspace_id) AND h.id < :before ORDER BY h.id DESC LIMIT :limit");
const OF_ADDRESS: &str = select!(
    "WHERE h.address_hash = :address_hash AND +h.workspace_id IN (0, :workspace_id) AND h.id < :before
     ORDER BY h.id DESC LIMIT :limit"
);

/// Changes with ids below `before` (`i64::MAX` for the first page), newest first. For readers.
///
/// # Errors
/// The database's.
pub fn changes(
    connection: &Connection,
    workspace: WorkspaceId,
    whose: Whose,
    before: i64,
    limit: u32,
) -> Result<Vec<Change>, StorageError> {
    match whose {
        Whose::All => {
            let mut statement = connection.prepare_cached(PAGE)?;
            let page = named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit };
            Ok(statement.query_map(page, read)?.collect::<Result<_, _>>()?)
        }
        Whose::Address(hash) => {
            let mut statement = connection.prepare_cached(OF_ADDRESS)?;
            let page = named_params! {
                ":workspace_id": workspace, ":address_hash": hash, ":before": before, ":limit": limit,
            };
            Ok(statement.query_map(page, read)?.collect::<Result<_, _>>()?)
        }
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        address: row.get(2)?,
        masked: row.get(3)?,
        action: word(row, 4, Action::parse)?,
        covers: word(row, 5, covers_of)?,
        reason: word(row, 6, reason_of)?,
        words: row.get(7)?,
        actor: row.get(8)?,
        recipient_id: row.get(9)?,
        campaign_id: row.get(10)?,
        at_ms: row.get(11)?,
        expires_ms: row.get(12)?,
    })
}

const FORGET: &str = "
    DELETE FROM suppression_change
    WHERE id IN (SELECT id FROM suppression_change ORDER BY id LIMIT ?2) AND at_ms < ?1";

/// Deletes at most `limit` of the oldest changes from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.queue().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

const FORGET_ENDED: &str = "
    DELETE FROM suppression WHERE id IN
        (SELECT id FROM suppression WHERE expires_ms IS NOT NULL AND expires_ms < ?1 ORDER BY expires_ms LIMIT ?2)";

/// Deletes at most `limit` of the entries that ended before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget_ended(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.queue().write(move |tx| Ok(tx.prepare_cached(FORGET_ENDED)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[NOTE, MASKED, PAGE, OF_ADDRESS, FORGET, FORGET_ENDED];
