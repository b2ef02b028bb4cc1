//! Into the queue.

use super::Origin;
use crate::tally::{Changes, Measure};
use crate::{AddressHash, StorageError, WorkspaceId};
use mail::StreamKind;
use rusqlite::{Connection, params};

/// A recipient to take in.
#[derive(Clone, Debug)]
pub struct NewRecipient {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Where its content comes from.
    pub origin: Origin,
    /// The address, as `mail::Address` prints it.
    pub address: String,
    /// Its suppression key.
    pub address_hash: AddressHash,
    /// Its domain.
    pub domain: String,
    /// The operator's name for this kind of mail.
    pub stream: String,
    /// Which of the two kinds it is.
    pub kind: StreamKind,
    /// The pool of egress sources.
    pub pool: String,
    /// When it may be sent.
    pub due_ms: i64,
    /// Now.
    pub accepted_ms: i64,
    /// When it is given up.
    pub expires_ms: i64,
    /// What the submitter wants to be told (RFC 3461 §4.1): the words of NOTIFY.
    pub dsn_notify: Option<String>,
    /// The address as the submitter knows it (RFC 3461 §4.2): the value of ORCPT.
    pub dsn_orcpt: Option<String>,
}

// A contact gets one message of a campaign, whatever happened to an interrupted launch.
const INSERT: &str = "
    INSERT OR IGNORE INTO recipient (workspace_id, campaign_id, contact_id, message_id, address, address_hash, domain,
        stream, kind, pool, state, due_ms, accepted_ms, expires_ms, wait_reason, dsn_notify, dsn_orcpt)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'queued', ?11, ?12, ?13, ?14, ?15, ?16)";

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
            r.origin.campaign(),
            r.origin.contact(),
            r.origin.message(),
            r.address,
            r.address_hash,
            r.domain,
            r.stream,
            r.kind.as_str(),
            r.pool,
            r.due_ms,
            r.accepted_ms,
            r.expires_ms,
            reason,
            r.dsn_notify,
            r.dsn_orcpt,
        ])?;
        taken += n;
        changes.add((r.workspace_id, r.origin.tally()), "", Measure::Accepted, i64::try_from(n).unwrap_or(0));
    }
    changes.write(tx)?;
    Ok(taken)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INSERT];
