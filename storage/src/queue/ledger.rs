//! The invariant: accepted = delivered + bounced + expired + suppressed + cancelled + unknown + still queued.

use crate::{CampaignId, StorageError, WorkspaceId};
use rusqlite::{Connection, params};

/// The sums, of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Ever accepted.
    pub accepted: u64,
    /// Delivered.
    pub delivered: u64,
    /// Bounced.
    pub bounced: u64,
    /// Expired.
    pub expired: u64,
    /// Suppressed.
    pub suppressed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Unknown.
    pub unknown: u64,
    /// Still in the queue.
    pub queued: u64,
}

impl Ledger {
    /// Whether the sum holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.accepted == self.finished() + self.queued
    }

    /// How many have ended.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.delivered + self.bounced + self.expired + self.suppressed + self.cancelled + self.unknown
    }
}

const TALLIES: &str = "
    SELECT measure, sum(n) FROM tally
    WHERE workspace_id = ?1 AND (?2 IS NULL OR campaign_id = ?2)
        AND measure IN ('accepted', 'delivered', 'bounced', 'expired', 'suppressed', 'cancelled', 'unknown')
    GROUP BY measure";
const LIVE_ALL: &str = "SELECT count(*) FROM recipient WHERE workspace_id = ?1 AND ?2 IS NULL";
const LIVE_OF: &str = "SELECT count(*) FROM recipient WHERE workspace_id = ?1 AND campaign_id = ?2";

/// The sums of a workspace, or of one of its campaigns.
///
/// # Errors
/// The database's.
pub fn ledger(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: Option<CampaignId>,
) -> Result<Ledger, StorageError> {
    // One transaction, so that tallies and rows are of the same moment. On the writer there is one already.
    let _moment = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
    let live = if campaign.is_some() { LIVE_OF } else { LIVE_ALL };
    let queued =
        connection.prepare_cached(live)?.query_row(params![workspace, campaign], |row| crate::words::count(row, 0))?;
    Ok(Ledger { queued, ..tallied(connection, workspace, campaign)? })
}

/// The sums of a workspace whose live recipients were counted in the same transaction.
pub(super) fn with_live(connection: &Connection, workspace: WorkspaceId, queued: u64) -> Result<Ledger, StorageError> {
    Ok(Ledger { queued, ..tallied(connection, workspace, None)? })
}

fn tallied(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: Option<CampaignId>,
) -> Result<Ledger, StorageError> {
    let mut ledger = Ledger::default();
    let mut tallies = connection.prepare_cached(TALLIES)?;
    let mut rows = tallies.query(params![workspace, campaign])?;
    while let Some(row) = rows.next()? {
        // A sum below zero would be a mistake of ours; as 0 it shows as a sum that does not hold.
        let n = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        match row.get::<_, String>(0)?.as_str() {
            "accepted" => ledger.accepted = n,
            "delivered" => ledger.delivered = n,
            "bounced" => ledger.bounced = n,
            "expired" => ledger.expired = n,
            "suppressed" => ledger.suppressed = n,
            "cancelled" => ledger.cancelled = n,
            _ => ledger.unknown = n,
        }
    }
    Ok(ledger)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[TALLIES, LIVE_ALL, LIVE_OF];
