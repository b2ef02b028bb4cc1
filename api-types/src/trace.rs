//! The trace: everything about one recipient, everything sent to one address, and what came back of a campaign.
//!
//! `GET /api/v1/recipients/{id}` · `GET /api/v1/trace` (`address`, `cursor`, `limit`) · `GET /api/v1/campaigns/{id}/recipients`
//! (`response`)

use crate::{Page, Recipient, Suppression, Time};
use serde::{Deserialize, Serialize};

/// What an entry of a trace leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceLink {
    /// What it is.
    pub to: TraceTarget,
    /// Its id; of a suppression it is absent, since the address leads there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// For people: a name, or the address.
    pub name: String,
}

/// What kind of thing an entry of a trace leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TraceTarget {
    /// A submitted message.
    Message,
    /// The suppression list, at the address `name`.
    Suppressions,
    /// An answer that came.
    Reply,
    /// A webhook.
    Webhook,
}

/// Everything that the workspace sent to one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddressTrace {
    /// The address as it is compared: two spellings of one mailbox are one.
    pub address: String,
    /// How it stands.
    pub standing: AddressStanding,
    /// Each mail to it, live and finished, the newest first. How long finished ones are kept is `kept_days`.
    pub recipients: Page<Recipient>,
    /// Days that finished recipients are kept.
    pub kept_days: u32,
}

/// How an address stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddressStanding {
    /// The contact that has it.
    pub contact_id: Option<i64>,
    /// What keeps mail from it, and what did until it ended.
    pub suppressions: Vec<Suppression>,
    /// Refusals for now that count against it.
    pub soft_bounces: u32,
    /// What came back of its mail.
    pub responses: Vec<ResponseSum>,
}

/// What came back of mail, how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResponseSum {
    /// `unsubscribed`, `left` (a list), `complained`, `replied`; of single addresses also `delivered`, `relayed` and
    /// `expanded`, which reports say.
    pub response: String,
    /// Mails.
    pub count: u64,
    /// The last time.
    pub last_at: Time,
}

/// How many of something are of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignCount {
    /// The campaign: what lists filter by.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// What the recipients of a campaign did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResponseShare {
    /// `unsubscribed`, `left` (a list), `complained` or `replied`: also what the list of recipients filters by.
    pub response: String,
    /// Recipients who did, each once; who came back is not counted any more.
    pub count: u64,
    /// Of a hundred that were delivered.
    pub percent: f64,
}
