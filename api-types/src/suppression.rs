//! Suppression lists: their import, export, and what an entry covers.
//!
//! `GET, POST /api/v1/suppressions` (`q`, `reason`, `covers`, `global`, `ended`, `cursor`, `limit`) ·
//! `POST /api/v1/suppressions/{id}/remove` · `GET /api/v1/suppressions/export` · `POST /api/v1/suppressions/import` ·
//! `GET /api/v1/suppressions/history` (`address`, `entry`, `cursor`, `limit`)

use crate::{Suppression, SuppressionReason, Time};
use serde::{Deserialize, Serialize};

/// Which mail is not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SuppressionCovers {
    /// Campaigns and other bulk mail; single mail such as receipts still goes.
    Marketing,
    /// Every mail.
    #[default]
    All,
}

/// What became of a list that was imported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SuppressionsImported {
    /// Rows read.
    pub rows: u64,
    /// Addresses that are suppressed now and were not before.
    pub added: u64,
    /// Addresses that stood there already.
    pub known: u64,
    /// Rows refused.
    pub failed: u64,
    /// The first of the refused rows, at most a hundred.
    pub errors: Vec<crate::ImportError>,
}

/// The mail whose outcome led to an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SuppressionFrom {
    /// The recipient.
    pub recipient_id: i64,
    /// The campaign, where it was one's.
    pub campaign_id: Option<i64>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// The submitted message, where it was one.
    pub message_id: Option<i64>,
}

/// One change of the lists: an address was put there, or taken off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SuppressionChange {
    /// Id: ascends with time.
    pub id: i64,
    /// When.
    pub at: Time,
    /// What was done.
    pub action: SuppressionAction,
    /// The address, where an entry or a contact still has it.
    pub address: Option<String>,
    /// Its first letter and domain, `a***@example.com`.
    pub masked: String,
    /// Why it is, or was, on the list.
    pub reason: SuppressionReason,
    /// Which mail the entry keeps away.
    pub covers: SuppressionCovers,
    /// Whether it holds for every workspace of the installation.
    pub global: bool,
    /// What led to it, the server's words for example; of a removal, why. The address in it is masked.
    pub words: String,
    /// Who did it, when a person did.
    pub by: Option<String>,
    /// Until when the entry was to hold, if not for ever.
    pub expires_at: Option<Time>,
    /// The mail that it was about, as long as it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SuppressionFrom>,
}

/// What was done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SuppressionAction {
    /// Put on the list.
    Added,
    /// Taken off.
    Removed,
}

/// Which mail an address can get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mailable {
    /// Every mail.
    #[default]
    All,
    /// Single mail such as receipts; no campaigns and no other bulk mail.
    SingleMail,
    /// None.
    Nothing,
}

/// Whether a contact can be mailed, and what speaks against it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactStanding {
    /// Which mail it can get.
    pub gets: Mailable,
    /// The entries that are in force for its address, those that cover most first.
    pub entries: Vec<Suppression>,
    /// How often its mailbox refused for now lately, without having been suppressed for it.
    pub soft_bounces: u32,
    /// So many suppress it; 0 where none do.
    pub soft_bounces_max: u32,
    /// Within so many days.
    pub soft_bounce_days: u32,
}
