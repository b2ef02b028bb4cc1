//! Into the queue.

use crate::tally::{Changes, Measure};
use crate::{AddressHash, CampaignId, ContactId, StorageError, WorkspaceId};
use mail::Stream;
use rusqlite::{Connection, params};

/// A recipient to take in.
#[derive(Clone, Debug)]
pub struct NewRecipient {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The campaign it belongs to.
    pub campaign_id: CampaignId,
    /// The contact it belongs to.
    pub contact_id: ContactId,
    /// The address, as `mail::Address` prints it.
    pub address: String,
    /// Its suppression key.
    pub address_hash: AddressHash,
    /// Its domain.
    pub domain: String,
    /// What kind of mail.
    pub stream: Stream,
    /// The pool of egress sources.
    pub pool: String,
    /// When it may be sent.
    pub due_ms: i64,
    /// Now.
    pub accepted_ms: i64,
    /// When it is given up.
    pub expires_ms: i64,
}

// A contact gets one message of a campaign, whatever happened to an interrupted launch.
const INSERT: &str = "
    INSERT OR IGNORE INTO recipient (workspace_id, campaign_id, contact_id, address, address_hash, domain, stream, pool,
        state, due_ms, accepted_ms, expires_ms, wait_reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', ?9, ?10, ?11, ?12)";

/// Takes recipients in and counts them as accepted; says how many. One that is there already is left out.
///
/// # Errors
/// The database's.
pub fn enqueue(tx: &Connection, recipients: &[NewRecipient]) -> Result<usize, StorageError> {
    let mut insert = tx.prepare_cached(INSERT)?;
    let mut changes = Changes::default();
    let mut taken = 0;
    for r in recipients {
        let reason = if r.due_ms > r.accepted_ms { "scheduled" } else { "turn" };
        let n = insert.execute(params![
            r.workspace_id,
            r.campaign_id,
            r.contact_id,
            r.address,
            r.address_hash,
            r.domain,
            r.stream.as_str(),
            r.pool,
            r.due_ms,
            r.accepted_ms,
            r.expires_ms,
            reason,
        ])?;
        taken += n;
        changes.add((r.workspace_id, r.campaign_id), "", Measure::Accepted, i64::try_from(n).unwrap_or(0));
    }
    changes.write(tx)?;
    Ok(taken)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INSERT];
