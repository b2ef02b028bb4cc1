//! Reputation: rolling shares of bounces and complaints. `GET /api/v1/reputation` (`days`)

use serde::{Deserialize, Serialize};

/// How the mail of one sender, or to one provider, was received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reputation {
    /// What it is told by.
    pub by: ReputationBy,
    /// Its name; the workspace's for the whole.
    pub name: String,
    /// Mail that was taken or refused.
    pub sent: u64,
    /// Of it, refused, in the session or by a later report.
    pub bounced: u64,
    /// Of it, reported as spam.
    pub complained: u64,
    /// Share of bounces, in percent.
    pub bounced_percent: f64,
    /// Share of complaints, in percent.
    pub complained_percent: f64,
    /// How that stands.
    pub level: ReputationLevel,
    /// What to do, where it does not stand well.
    pub advice: Option<String>,
}

/// What figures are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReputationBy {
    /// The workspace's mail as a whole.
    Workspace,
    /// Sending domain.
    Domain,
    /// Egress source.
    Source,
    /// Receiving provider.
    Provider,
    /// Campaign.
    Campaign,
}

/// How figures stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReputationLevel {
    /// Too little was sent to say.
    Unsure,
    /// As receivers want it.
    Good,
    /// Near to what receivers refuse.
    Warning,
    /// Receivers refuse mail like this.
    Bad,
}
