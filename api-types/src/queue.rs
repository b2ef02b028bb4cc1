//! Control of the queue: what is paused, actions on many recipients, conversations, test deliveries.
//!
//! `GET, POST /api/v1/pauses` · `DELETE /api/v1/pauses/{id}` · `GET /api/v1/recipients/count` (as `/recipients`) ·
//! `GET /api/v1/recipients/{id}/conversations` · `POST /api/v1/queue/actions` · `GET /api/v1/queue/jobs` ·
//! `GET /api/v1/queue/jobs/{id}` · `POST /api/v1/queue/jobs/{id}/cancel` · `POST /api/v1/test-deliveries` ·
//! `GET /api/v1/test-deliveries/{id}`

use serde::{Deserialize, Serialize};

use crate::{Recipient, Time, TimelineEntry};

/// Recipients in the queue that share a domain or provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueGroup {
    /// The domain or provider; empty where it is not known yet.
    pub name: String,
    /// How many.
    pub count: u64,
    /// By age, in the classes of `age_bounds`.
    pub ages: Vec<u64>,
    /// When the oldest of those that wait was accepted.
    pub oldest_at: Option<Time>,
}

/// A lane (one source to one site) with mail waiting that lets none go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StalledLane {
    /// Source.
    pub source: String,
    /// Site.
    pub site: String,
    /// Provider.
    pub provider: String,
    /// Recipients that wait in it.
    pub ready: u32,
    /// Since when nobody has left it.
    pub since: Time,
    /// Why, as far as it can be seen.
    pub why: String,
}

/// What a pause stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseScope {
    /// All mail of the installation.
    Everything,
    /// All mail of the workspace.
    Workspace,
    /// A campaign; `subject` is its id.
    Campaign,
    /// Mail to a recipient domain.
    Domain,
    /// Mail from an egress source; the others of its pool take over.
    Source,
    /// Mail to a mailbox provider, from all sources.
    Provider,
}

/// Something to pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPause {
    /// What kind of thing.
    pub scope: PauseScope,
    /// Which one: the campaign's id, or the name of the domain, source or provider. Empty for the others.
    #[serde(default)]
    pub subject: String,
    /// Why; shown to whoever wonders.
    #[serde(default)]
    pub reason: String,
}

/// Something that is paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pause {
    /// Hand it to `DELETE /api/v1/pauses/{id}` to resume.
    pub id: String,
    /// What kind of thing.
    pub scope: PauseScope,
    /// Which one.
    pub subject: String,
    /// In words: "everything", "the campaign Spring news".
    pub what: String,
    /// Who paused it.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: Time,
    /// Whether whoever asks may end it.
    pub can_end: bool,
}

/// Which recipients in the queue. What is absent or empty does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct QueueFilter {
    /// `queued`, `claimed`, `sending` or `held`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why it waits: `turn`, `deferred`, `greylisted`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// This recipient domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// This provider: where the last attempt went, or, without any, where the domain is known to lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The source of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The class of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// This campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<i64>,
    /// Only submitted mail, which belongs to no campaign.
    pub submitted: bool,
    /// This stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// This pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// At least so old, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_age_seconds: Option<u64>,
    /// At most so old, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// Addresses that contain this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// These recipients, at most 1,000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<i64>,
}

/// How many recipients match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MatchCount {
    /// So many, or more where it is not exact.
    pub count: u64,
    /// Whether they were counted to the end; a very long queue is not.
    pub exact: bool,
}

/// What is done with recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QueueActionKind {
    /// Kept back until released. It expires all the same.
    Hold,
    /// Back into the queue; one that was deferred keeps its time.
    Release,
    /// Due at once.
    Retry,
    /// Given up; the address is not suppressed.
    Bounce,
    /// Leaves from another pool.
    Reroute,
}

/// An action on all recipients that match. What is being sent right now is never touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueAction {
    /// What.
    pub action: QueueActionKind,
    /// With whom.
    #[serde(default)]
    pub filter: QueueFilter,
    /// Must be true where the filter is empty: the whole queue is meant.
    #[serde(default)]
    pub all: bool,
    /// For `reroute`: a pool, or `source:NAME` for one source alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Why; kept with each recipient's event.
    #[serde(default)]
    pub reason: String,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QueueJobState {
    /// At work, or waiting for its turn.
    Running,
    /// Done.
    Finished,
    /// Stopped by a person; what was done by then stays done.
    Cancelled,
}

/// An action under way, or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueJob {
    /// Id.
    pub id: i64,
    /// What is done.
    pub action: QueueActionKind,
    /// With whom, in words.
    pub filter: String,
    /// The pool of a re-routing.
    pub pool: Option<String>,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub created_by: String,
    /// Where it is.
    pub state: QueueJobState,
    /// How many matched when it was ordered, where they were counted to the end.
    pub expected: Option<u64>,
    /// Matched so far.
    pub matched: u64,
    /// Of those, changed.
    pub changed: u64,
    /// Of those, in a state that the action does not concern.
    pub skipped: u64,
    /// When ordered.
    pub created_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// What was said over the wire with a recipient's message, without its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// When it ended.
    pub at: Time,
    /// Egress source.
    pub source: String,
    /// The host at the other end.
    pub mx: String,
    /// `delivered`, `deferred`, `bounced`, `blocked`, `expired` or `unknown`.
    pub outcome: String,
    /// Line by line: `C:` is ours, `S:` theirs, `--` what happened.
    pub text: String,
}

/// One real message over the real path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTestDelivery {
    /// To whom.
    pub address: String,
    /// The source that it must leave from.
    pub source: String,
    /// The sending domain that it comes from; the first one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// How a test delivery goes. Ask again until it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestDelivery {
    /// The recipient; its id is that of the test.
    pub recipient: Recipient,
    /// What has happened, newest first.
    pub timeline: Vec<TimelineEntry>,
    /// What has been said so far.
    pub conversation: String,
    /// Whether nothing more will happen.
    pub done: bool,
}
