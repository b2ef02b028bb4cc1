//! List hygiene: what becomes of contacts that show no sign of engagement.
//!
//! `GET, PUT /api/v1/hygiene` (`sunset_months`, `reengage_months`) · `POST /api/v1/hygiene/run`

use serde::{Deserialize, Serialize};

use crate::Time;

/// The rules. Each is off until it is turned on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct HygieneSettings {
    /// Whether contacts that stay silent get no marketing mail any more.
    pub sunset: bool,
    /// After so many months of mail without an answer of any kind, 1 to 120.
    pub sunset_months: u32,
    /// Whether contacts that have become silent get a tag, for a campaign that asks whether they still want mail.
    pub reengage: bool,
    /// After so many months, 1 to 120; below those of the other rule.
    pub reengage_months: u32,
    /// The tag.
    pub reengage_tag: String,
}

impl Default for HygieneSettings {
    fn default() -> HygieneSettings {
        HygieneSettings {
            sunset: false,
            sunset_months: 12,
            reengage: false,
            reengage_months: 6,
            reengage_tag: "re-engage".to_owned(),
        }
    }
}

/// The rules, whom they would reach now, and what they did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hygiene {
    /// The rules.
    pub settings: HygieneSettings,
    /// Contacts that would get no marketing mail any more.
    pub sunset_would: u64,
    /// Contacts that would get the tag.
    pub reengage_would: u64,
    /// Whether any contact showed a sign of engagement in the months of the rule that stops mail. Where none did nothing
    /// measures it, silence says nothing, and the rule cannot be turned on.
    pub engagement_known: bool,
    /// Contacts that the rule keeps mail from now.
    pub sunset_now: u64,
    /// The last runs, newest first.
    pub runs: Vec<HygieneRun>,
}

/// What a rule did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HygieneRun {
    /// `sunset` or `reengage`.
    pub rule: String,
    /// Who began it.
    pub started_by: String,
    /// When.
    pub started_at: Time,
    /// When it ended; absent while it runs, or where it was broken off.
    pub finished_at: Option<Time>,
    /// Contacts that were changed.
    pub changed: u64,
}

/// What one run did, rule by rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HygieneRan {
    /// Contacts that get no marketing mail any more.
    pub sunset: u64,
    /// Contacts that got the tag.
    pub reengage: u64,
}
