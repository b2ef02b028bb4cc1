//! Overview, queue, egress, suppressions.
//!
//! `GET /api/v1/overview` · `GET /api/v1/queue` · `GET /api/v1/recipients` (`state`, `domain`, `source`, `campaign_id`, `q`, `cursor`,
//! `limit`; live ones) · `GET /api/v1/recipients/{id}` · `GET /api/v1/egress` · `GET, POST /api/v1/suppressions` (`q`, `reason`, `cursor`, `limit`) ·
//! `POST /api/v1/suppressions/{id}/remove` · `GET /api/v1/doctor` (list of `CheckPoint`)

use crate::{SuppressionCovers, SuppressionFrom};
use serde::{Deserialize, Serialize};

use crate::{Campaign, CampaignCount, Count, QueueGroup, StalledLane, Time};

/// The first page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// Contacts in the workspace.
    pub contacts: u64,
    /// Addresses on the suppression list.
    pub suppressed: u64,
    /// Recipients in the queue.
    pub queued: u64,
    /// Delivered in the last 24 hours.
    pub delivered_day: u64,
    /// Bounced in the last 24 hours.
    pub bounced_day: u64,
    /// Deferred attempts in the last 24 hours.
    pub deferred_day: u64,
    /// The last 24 hours by the hour, oldest first.
    pub hours: Vec<HourFigures>,
    /// Delivered and bounced in the last 24 hours per provider, largest first.
    pub providers: Vec<ProviderDay>,
    /// Newest campaigns.
    pub campaigns: Vec<Campaign>,
    /// What needs attention.
    pub notices: Vec<Notice>,
}

/// Figures of one hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HourFigures {
    /// Beginning of the hour.
    pub at: Time,
    /// Delivered.
    pub delivered: u64,
    /// Bounced.
    pub bounced: u64,
    /// Deferred attempts.
    pub deferred: u64,
}

/// A provider's figures of the last 24 hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderDay {
    /// Provider.
    pub provider: String,
    /// Delivered.
    pub delivered: u64,
    /// Bounced.
    pub bounced: u64,
    /// Deferred attempts.
    pub deferred: u64,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notice {
    /// `info`, `warning` or `danger`.
    pub tone: String,
    /// What happened and what to do.
    pub message: String,
    /// Page of the console that helps, if any.
    pub link: Option<String>,
}

/// The queue in figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueSummary {
    /// When it was counted.
    pub at: Time,
    /// By state.
    pub states: Vec<Count>,
    /// By wait reason.
    pub reasons: Vec<Count>,
    /// By recipient domain: the 20 largest, largest first; then those where somebody has waited longest of the others, at
    /// most 5, the one that was asked for before them.
    pub domains: Vec<QueueGroup>,
    /// By provider, as far as it is known, likewise.
    pub providers: Vec<QueueGroup>,
    /// By the source of the last attempt, largest first; the empty name is for those without any.
    pub sources: Vec<Count>,
    /// By stream, largest first.
    pub streams: Vec<Count>,
    /// By campaign, largest first, at most 20.
    pub campaigns: Vec<CampaignCount>,
    /// Submitted mail, which belongs to no campaign.
    pub submitted: u64,
    /// By age, youngest class first; one class more than `age_bounds`.
    pub ages: Vec<u64>,
    /// Where a class of age ends, in seconds.
    pub age_bounds: Vec<u64>,
    /// When the oldest waiting recipient was accepted.
    pub oldest_at: Option<Time>,
    /// accepted = delivered + bounced + expired + suppressed + cancelled + unknown + queued
    pub ledger: Ledger,
    /// Lanes with mail waiting that let none go, longest first, at most 20.
    pub stalled: Vec<StalledLane>,
}

/// The invariant, checked now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Whether the sum holds.
    pub holds: bool,
}

/// Sources, pools and lanes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Egress {
    /// Sources of the configuration.
    pub sources: Vec<EgressSource>,
    /// Pools of the configuration.
    pub pools: Vec<EgressPool>,
    /// Streams of the configuration, and the two that always exist.
    pub streams: Vec<crate::EgressStream>,
    /// Routes of the configuration, in the order in which they are tried.
    pub routes: Vec<crate::EgressRoute>,
    /// Lanes with work or connections now, busiest first, at most 200.
    pub lanes: Vec<Lane>,
}

/// An egress source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressSource {
    /// Name.
    pub name: String,
    /// IP address; the system's choice when absent.
    pub ip: Option<String>,
    /// EHLO name.
    pub ehlo: String,
    /// Whether it is used.
    pub enabled: bool,
    /// Whether this host has the address.
    pub bound: bool,
    /// Delivered in the last 24 hours.
    pub delivered_day: u64,
    /// Deferred attempts in the last 24 hours.
    pub deferred_day: u64,
    /// Attempts blocked in the last 24 hours.
    pub blocked_day: u64,
}

/// A pool of sources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressPool {
    /// Name.
    pub name: String,
    /// Sources with their weights.
    pub sources: Vec<PoolMember>,
}

/// A source in a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoolMember {
    /// The source's name.
    pub source: String,
    /// Share relative to the others.
    pub weight: u32,
}

/// A lane: one source to one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lane {
    /// Source.
    pub source: String,
    /// Site.
    pub site: String,
    /// Provider.
    pub provider: String,
    /// Open connections.
    pub connections: u32,
    /// Connections allowed.
    pub connections_max: u32,
    /// Recipients ready in memory.
    pub ready: u32,
    /// Why it waits, if it does.
    pub wait_reason: Option<String>,
    /// Until when.
    pub wait_until: Option<Time>,
    /// The answer that made it wait.
    pub reply: Option<String>,
}

/// An address that nothing is sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suppression {
    /// Id.
    pub id: i64,
    /// The address; absent where only its hash is kept.
    pub address: Option<String>,
    /// Why.
    pub reason: SuppressionReason,
    /// Which mail is not sent.
    #[serde(default)]
    pub covers: SuppressionCovers,
    /// Whether it holds for every workspace of the installation.
    #[serde(default)]
    pub global: bool,
    /// What led to it: the server's words, the campaign, a note.
    pub origin: String,
    /// Who did it, when a person did.
    pub created_by: Option<String>,
    /// Since when.
    pub created_at: Time,
    /// Until when, if not for ever.
    pub expires_at: Option<Time>,
    /// Whether that moment is over: it keeps nothing away any more.
    #[serde(default)]
    pub ended: bool,
    /// The mail whose outcome led to it, as long as it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SuppressionFrom>,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// The address does not work.
    HardBounce,
    /// The mailbox refused for now, again and again.
    SoftBounces,
    /// The recipient reported the mail as spam.
    Complaint,
    /// The recipient unsubscribed.
    Unsubscribe,
    /// The recipient wants no marketing mail for a while.
    Paused,
    /// The contact showed no sign of engagement for so long that a rule stopped its mail.
    Sunset,
    /// A person decided.
    Manual,
    /// Came with an import.
    Import,
}

/// A new suppression by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSuppression {
    /// The address.
    pub address: String,
    /// Why.
    #[serde(default)]
    pub note: String,
    /// Which mail is not sent; every mail when absent.
    #[serde(default)]
    pub covers: SuppressionCovers,
    /// Whether it holds for every workspace of the installation. For administrators.
    #[serde(default)]
    pub global: bool,
    /// Until when; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// Taking an address off the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RemoveSuppression {
    /// Why; kept in the history.
    pub reason: String,
}
