//! Mail that failed authentication, as receivers report it one by one.
//!
//! `GET /api/v1/reports/failures` (`domain`, `ours`)

use serde::{Deserialize, Serialize};

use crate::Time;

/// A report that a mail failed authentication (RFC 6591, RFC 9991).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthFailure {
    /// Id.
    pub id: i64,
    /// Our sending domain.
    pub domain: String,
    /// When it came.
    pub received_at: Time,
    /// When the mail came to the reporter.
    pub arrived_at: Time,
    /// Who reports: the domain of the report's author.
    pub organization: String,
    /// The address that the report came from.
    pub brought_by: String,
    /// What failed, in the report's word: `bodyhash`, `signature`, `revoked`, `spf`, `dmarc`; empty where it is not told.
    pub failure: String,
    /// The address that the mail came from; empty where it is not told.
    pub source_ip: String,
    /// What of ours failed: the address of a source, or the name of a signing key; empty where it is nothing of ours.
    pub item: String,
    /// The signatures that failed: `selector._domainkey.domain`, with blanks between.
    pub signatures: String,
    /// What the reporter did with the mail, in its word: `delivered`, `spam`, `policy`, `reject`; empty where it is not
    /// told.
    pub delivery: String,
    /// How many mails the report stands for.
    pub incidents: u64,
    /// Message-ID of the mail; empty where it is not told.
    pub header_id: String,
    /// Whom it went to, where a mark of ours in the report says so.
    pub recipient_id: Option<i64>,
}
