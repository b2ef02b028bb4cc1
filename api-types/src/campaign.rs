//! Campaigns.
//!
//! `GET, POST /api/v1/campaigns` (`state`, `q`, `cursor`, `limit`) · `GET, PUT, DELETE /api/v1/campaigns/{id}` ·
//! `GET /api/v1/campaigns/{id}/check` · `POST /api/v1/campaigns/{id}/launch | pause | resume | cancel` ·
//! `GET /api/v1/campaigns/{id}/progress` · `GET /api/v1/campaigns/{id}/stream` (server-sent events, `Progress` as data) ·
//! `GET /api/v1/campaigns/{id}/recipients` (`state`, `provider`, `class`, `q`, `cursor`, `limit`)

use serde::{Deserialize, Serialize};

use crate::{Count, Time};

/// A mailing to a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Campaign {
    /// Id.
    pub id: i64,
    /// Name, unique in the workspace.
    pub name: String,
    /// Where it is.
    pub state: CampaignState,
    /// Who or what brought it there, for example "paused by ana@example.com".
    pub state_reason: String,
    /// The template.
    pub template_id: Option<i64>,
    /// The template's name.
    pub template: Option<String>,
    /// The version pinned at launch.
    pub template_version: Option<u32>,
    /// The audience; everybody when absent.
    pub segment_id: Option<i64>,
    /// The segment's name.
    pub segment: Option<String>,
    /// The list that the mail belongs to: of the audience those who are on it.
    #[serde(default)]
    pub list_id: Option<i64>,
    /// From address; its domain must be a sending domain.
    pub from_email: String,
    /// From name.
    pub from_name: String,
    /// Where answers go; From when empty.
    pub reply_to: String,
    /// The stream that its mail belongs to.
    pub stream: String,
    /// The pool of egress sources; that of the stream when empty.
    pub pool: String,
    /// When made.
    pub created_at: Time,
    /// When launched.
    pub launched_at: Option<Time>,
    /// When the last recipient reached its final state.
    pub finished_at: Option<Time>,
    /// Figures, from the launch on.
    pub progress: Option<Progress>,
}

/// Where a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// Being written.
    Draft,
    /// Sending.
    Running,
    /// Stopped by a person; goes on with resume.
    Paused,
    /// Stopped for good; what was not yet sent never will be.
    Cancelled,
    /// Every recipient has its final state.
    Finished,
}

/// A new campaign, or the whole new state of a draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignInput {
    /// Name.
    pub name: String,
    /// The template.
    pub template_id: Option<i64>,
    /// The audience; everybody when absent.
    pub segment_id: Option<i64>,
    /// The list that the mail belongs to: of the audience those who are on it. Who leaves it is not sent to, even where the
    /// campaign is on its way.
    #[serde(default)]
    pub list_id: Option<i64>,
    /// From address.
    pub from_email: String,
    /// From name.
    #[serde(default)]
    pub from_name: String,
    /// Where answers go.
    #[serde(default)]
    pub reply_to: String,
    /// The stream that its mail belongs to; `bulk` when empty.
    #[serde(default)]
    pub stream: String,
    /// The pool of egress sources; that of the stream when empty.
    #[serde(default)]
    pub pool: String,
}

/// The checklist before launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checklist {
    /// Whether nothing fatal is left.
    pub ready: bool,
    /// The points.
    pub points: Vec<CheckPoint>,
    /// Who will receive.
    pub receiving: u64,
    /// Who is left out because suppressed.
    pub suppressed: u64,
}

/// One point of the checklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckPoint {
    /// What is checked: `audience`, `sender`, `domain`, `dkim`, `template`, `unsubscribe`, `size`, `merge_tags`, `egress`, `warm_up`.
    pub name: String,
    /// How it stands.
    pub level: CheckLevel,
    /// What was found and what to do.
    pub message: String,
}

/// How a point of the checklist stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckLevel {
    /// Good.
    Ok,
    /// Doubtful; launching is possible.
    Warning,
    /// Keeps the campaign from being launched.
    Fatal,
}

/// How far a campaign is. The states are never merged.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Recipients taken into the queue so far; the audience once `audience_complete`.
    pub accepted: u64,
    /// Whether the whole audience is in the queue.
    pub audience_complete: bool,
    /// Waiting for the first attempt.
    pub queued: u64,
    /// Waiting for a retry.
    pub deferred: u64,
    /// Being sent right now.
    pub sending: u64,
    /// Accepted by the receiving server.
    pub delivered: u64,
    /// Refused for good.
    pub bounced: u64,
    /// Deferred until the time was over.
    pub expired: u64,
    /// Suppressed at the last moment.
    pub suppressed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// The answer to the final dot never came.
    pub unknown: u64,
    /// Of the delivered ones, reported as spam.
    #[serde(default)]
    pub complained: u64,
    /// What else the recipients did: unsubscribed, left a list, complained, answered.
    #[serde(default)]
    pub responses: Vec<crate::ResponseShare>,
    /// Messages a second over the last ten seconds.
    pub rate_now: f64,
    /// Messages a second since the launch.
    pub rate_average: f64,
    /// Seconds since the launch (until the end, once finished).
    pub elapsed_seconds: u64,
    /// When it will be finished at the present rate.
    pub finishes_at: Option<Time>,
    /// Where the campaign is.
    pub state: Option<CampaignState>,
    /// Per receiving provider.
    pub providers: Vec<ProviderProgress>,
}

/// A campaign's figures at one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderProgress {
    /// Provider, or MX domain of an unnamed one.
    pub provider: String,
    /// Accepted.
    pub delivered: u64,
    /// Attempts that were answered "not now".
    pub deferrals: u64,
    /// Recipients that were deferred at least once.
    pub retried: u64,
    /// Bounced, by class.
    pub bounced: Vec<Count>,
    /// Attempts refused because of our own address or name.
    pub blocked: u64,
    /// Answer never came.
    pub unknown: u64,
    /// Reported as spam.
    #[serde(default)]
    pub complained: u64,
    /// Deferred until the time was over.
    pub expired: u64,
}

/// One recipient, live or finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recipient {
    /// Id.
    pub id: i64,
    /// Address.
    pub address: String,
    /// The contact behind it.
    pub contact_id: Option<i64>,
    /// The campaign it belongs to.
    pub campaign_id: Option<i64>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// The submitted message that it belongs to, where it is of none of the campaigns.
    pub message_id: Option<i64>,
    /// The stream.
    pub stream: String,
    /// The pool of egress sources, while it is in the queue.
    pub pool: Option<String>,
    /// State word: `queued`, `claimed`, `sending`, `held`, `delivered`, `bounced`, `expired`, `suppressed`, `cancelled`, `unknown`.
    pub state: String,
    /// Why it waits, while it does.
    pub wait_reason: Option<String>,
    /// Attempts so far.
    pub attempts: u32,
    /// Receiving provider, once known.
    pub provider: Option<String>,
    /// Egress source of the last attempt.
    pub source: Option<String>,
    /// Class of the last answer, when it was not yes.
    pub class: Option<String>,
    /// The last answer in the server's own words.
    pub reply: Option<String>,
    /// When taken into the queue.
    pub accepted_at: Time,
    /// When it is due next.
    pub due_at: Option<Time>,
    /// When it reached its final state.
    pub finished_at: Option<Time>,
}

/// One recipient with everything that happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecipientDetail {
    /// The recipient.
    pub recipient: Recipient,
    /// Newest first.
    pub timeline: Vec<crate::TimelineEntry>,
    /// Sentences about what is not kept any more, and for how long it was.
    #[serde(default)]
    pub notes: Vec<String>,
}
