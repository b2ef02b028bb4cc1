//! Entries of which only the hash is known: lists that somebody else gives away, or that another installation keeps.

use super::{ADD, SuppressionCovers, SuppressionReason, covers_word, history, of_hash, reason_word};
use crate::event::{Event, Kind};
use crate::{AddressHash, StorageError, WorkspaceId, journey_run, outbox};
use rusqlite::{Connection, params};

/// An entry to add by its hash.
#[derive(Clone, Copy, Debug)]
pub struct NewHashed<'a> {
    /// Whose list; [`WorkspaceId::NONE`] for that of the whole installation.
    pub workspace_id: WorkspaceId,
    /// The key of the address.
    pub hash: &'a AddressHash,
    /// Which mail is not sent.
    pub covers: SuppressionCovers,
    /// Why.
    pub reason: SuppressionReason,
    /// What led to it.
    pub origin: &'a str,
    /// Who did it.
    pub created_by: &'a str,
    /// Now.
    pub now_ms: i64,
    /// When it ends, if not never.
    pub expires_ms: Option<i64>,
}

/// Puts an address on the list of which nobody here need know how it reads; `false` when it stood there already. Belongs
/// into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn add_hashed(tx: &Connection, new: &NewHashed<'_>) -> Result<bool, StorageError> {
    // One that has ended and begins anew goes on saying whose it is, where it did.
    let entries = of_hash(tx, new.workspace_id, new.hash)?;
    let is_it = |entry: &&super::Suppression| entry.workspace_id == new.workspace_id && entry.covers == new.covers;
    let address = entries.iter().find(is_it).and_then(|entry| entry.address.as_deref());
    let changed = tx.prepare_cached(ADD)?.execute(params![
        new.workspace_id,
        new.hash,
        address,
        reason_word(new.reason),
        crate::event::bounded(new.origin),
        None::<i64>,
        None::<i64>,
        new.created_by,
        new.now_ms,
        new.expires_ms,
        covers_word(new.covers),
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    history::added_hashed(tx, new)?;
    let whose = (new.workspace_id, new.hash, None);
    journey_run::end_of_address(tx, whose, (new.reason, new.origin), new.now_ms)?;
    let text = format!("{}: {}", reason_word(new.reason), new.origin);
    let event = Event {
        text: Some(&text),
        actor: Some(new.created_by),
        ..Event::new(new.now_ms, new.workspace_id, Kind::SuppressionAdded)
    };
    outbox::put(tx, &event)?;
    Ok(true)
}
