//! Warm-up: how far each source and each new sending domain is at each provider.
//!
//! `GET /api/v1/warmup` (`axis`, `subject`, `cursor`, `limit`) · `POST /api/v1/warmup/{id}/pause | resume | stage` ·
//! `GET /api/v1/warmup/plans` · `GET, POST /api/v1/warmup/domains` · `DELETE /api/v1/warmup/domains/{id}` ·
//! `GET /api/v1/warmup/forecast` (`campaign_id`)

use serde::{Deserialize, Serialize};

use crate::Time;

/// A source or a sending domain at a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WarmupLine {
    /// Id.
    pub id: i64,
    /// What earns its volume.
    pub axis: WarmupAxis,
    /// The source's name, or the sending domain.
    pub subject: String,
    /// Where.
    pub provider: String,
    /// The plan that it follows; none where it follows none any more.
    pub plan: Option<String>,
    /// How it stands.
    pub state: WarmupState,
    /// The stage, from 1.
    pub stage: u32,
    /// Stages of the plan.
    pub stages: u32,
    /// Messages that may leave today; absent where nothing is limited.
    pub allowed: Option<u64>,
    /// Left today (days are those of UTC).
    pub sent: u64,
    /// Of those, taken.
    pub delivered: u64,
    /// Of those, not now.
    pub deferred: u64,
    /// Of those, refused because of our own address or name.
    pub blocked: u64,
    /// Of those, refused for good.
    pub bounced: u64,
    /// Reported as spam today.
    pub complained: u64,
    /// Why it is at this stage.
    pub note: String,
    /// Since when.
    pub noted_at: Time,
}

/// What earns its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WarmupAxis {
    /// An egress source.
    Source,
    /// A sending domain.
    Domain,
}

/// How a warm-up stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WarmupState {
    /// Climbs when it may.
    Running,
    /// Stays at its stage until it is resumed; the stage's number holds.
    Paused,
    /// Warm: nothing is limited any more.
    Done,
}

/// To which stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetWarmupStage {
    /// From 1; one more than the plan has stages: warm, nothing is limited any more.
    pub stage: u32,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WarmupPlan {
    /// Name.
    pub name: String,
    /// Messages a day to one provider, stage by stage.
    pub stages: Vec<u64>,
}

/// A sending domain that earns its volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WarmupDomain {
    /// Id of the sending domain.
    pub id: i64,
    /// Its name.
    pub domain: String,
    /// The plan that it follows.
    pub plan: String,
    /// Who began it.
    pub created_by: String,
    /// When.
    pub created_at: Time,
}

/// A sending domain that shall earn its volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWarmupDomain {
    /// Its name.
    pub domain: String,
    /// The plan.
    pub plan: String,
}

/// When those who wait will have left, if every day goes well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WarmupForecast {
    /// The providers with the most recipients, those that a warm-up limits first.
    pub providers: Vec<WarmupProvider>,
    /// When the last of them leaves; absent where nothing is limited, or where that is too far to be seen.
    pub finishes_at: Option<Time>,
    /// Recipients of domains that were not looked at, since each has few.
    pub others: u64,
}

/// A provider in a forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WarmupProvider {
    /// The provider.
    pub provider: String,
    /// The pool that the mail leaves from.
    pub pool: String,
    /// Recipients that are not sent to yet.
    pub waiting: u64,
    /// How many of them may leave today; absent where nothing is limited.
    pub allowed_today: Option<u64>,
    /// When the last one leaves; absent where nothing is limited, or where that is too far to be seen.
    pub finishes_at: Option<Time>,
}
