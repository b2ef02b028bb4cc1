//! Reputation: rolling shares of bounces and complaints. `GET /api/v1/reputation` (`days`)

use serde::{Deserialize, Serialize};

use crate::Automation;

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
    /// What was done because of the figures by itself, as long as it is in force.
    pub action: Option<Automation>,
}

/// From which shares on what is done by itself. `GET /api/v1/reputation/limits`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReputationLimits {
    /// Whether anything is done; else shares are only shown.
    pub acts: bool,
    /// From the mildest to the strictest.
    pub steps: Vec<ReputationStep>,
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReputationStep {
    /// `warn`, `slow`, `hold` or `suspend`.
    pub step: String,
    /// What that is, as a sentence.
    pub effect: String,
    /// Over how many days its figures go.
    pub days: u32,
    /// Messages from which on shares say something.
    pub minimum: u32,
    /// Bounces, in percent, from which on it is done; absent where they lead to nothing.
    pub bounce_percent: Option<f64>,
    /// Complaints, in percent, from which on it is done; absent where they lead to nothing.
    pub complaint_percent: Option<f64>,
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
