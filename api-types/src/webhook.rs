//! Webhooks: where what happens is told to, and what was told.

use crate::Time;
use serde::{Deserialize, Serialize};

/// Declares the types with their words.
macro_rules! types {
    ($($(#[doc = $doc:literal])* $variant:ident = $text:literal,)*) => {
        /// What a webhook is told of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum WebhookType { $($(#[doc = $doc])* #[serde(rename = $text)] $variant,)* }

        impl WebhookType {
            /// Every type.
            pub const ALL: &'static [WebhookType] = &[$(WebhookType::$variant,)*];

            /// The word in payloads.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(WebhookType::$variant => $text,)* }
            }

            /// What it tells, as a phrase.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(WebhookType::$variant => concat!($($doc),*).trim_ascii(),)* }
            }

            /// The type of a word.
            #[must_use]
            pub fn parse(text: &str) -> Option<WebhookType> {
                match text { $($text => Some(WebhookType::$variant),)* _ => None }
            }
        }
    };
}

types! {
    /// The receiving server took the message.
    MessageDelivered = "message.delivered",
    /// An attempt ended with "not now"; it is tried again.
    MessageDeferred = "message.deferred",
    /// A receiving server reported that it is still trying.
    MessageDelayed = "message.delayed",
    /// Refused for good, in session or by a later report.
    MessageBounced = "message.bounced",
    /// Deferred until the time was over.
    MessageExpired = "message.expired",
    /// Not sent: the address is on the suppression list.
    MessageSuppressed = "message.suppressed",
    /// Not sent: taken back, or its content could not be made.
    MessageCancelled = "message.cancelled",
    /// Sent, but the receiving server's answer never came.
    MessageUnknown = "message.unknown",
    /// The recipient reported it as spam.
    MessageComplained = "message.complained",
    /// A recipient unsubscribed.
    ContactUnsubscribed = "contact.unsubscribed",
    /// A recipient who had unsubscribed came back.
    ContactResubscribed = "contact.resubscribed",
    /// A recipient wants no marketing mail for 30 days.
    ContactPaused = "contact.paused",
    /// A recipient was put on a list again, or joined it.
    ContactJoinedList = "contact.joined_list",
    /// A recipient left a list.
    ContactLeftList = "contact.left_list",
    /// A recipient wants the mail of a stream again.
    ContactJoinedStream = "contact.joined_stream",
    /// A recipient wants no mail of a stream any more.
    ContactLeftStream = "contact.left_stream",
    /// A recipient of a campaign answered to its return path.
    ContactReplied = "contact.replied",
    /// A person put an address on the suppression list.
    SuppressionAdded = "suppression.added",
    /// A person took an address off the suppression list.
    SuppressionRemoved = "suppression.removed",
    /// A person imported a file of suppressions.
    SuppressionImported = "suppression.imported",
    /// A mail came to a reply address that names this webhook.
    ReplyReceived = "reply.received",
    /// A person wanted to see whether the webhook works.
    WebhookTest = "webhook.test",
}

impl WebhookType {
    /// Whether a webhook can ask for it. The others are sent to the one that they are meant for.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        !matches!(self, WebhookType::ReplyReceived | WebhookType::WebhookTest)
    }
}

/// The body of a request to a webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookEvent<T> {
    /// The same whenever this is sent, so that what came twice is known; also in the header `webhook-id`.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: WebhookType,
    /// When it happened.
    pub at: Time,
    /// In which workspace.
    pub workspace_id: i64,
    /// What is known of it.
    pub data: T,
}

/// What is known of something that happened to a message or a contact. What does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct WebhookData {
    /// Id of the recipient, as in the queue and in traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<i64>,
    /// The recipient's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Id of the submitted message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<i64>,
    /// Its Message-ID header, without brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_id: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The stream that it left by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Id of the campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<i64>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Id of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<i64>,
    /// Name of the list, or title of the stream, that was left or joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The receiving server's reply code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_code: Option<u16>,
    /// Its enhanced status (RFC 3463).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_status: Option<String>,
    /// Its words, or a sentence of this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_text: Option<String>,
    /// The host that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mx: Option<String>,
    /// How this server understands the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The source that it left from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The provider that receives for the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// What it is told of; empty: everything.
    pub types: Vec<WebhookType>,
    /// Only what belongs to this campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<i64>,
    /// Only messages with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only mail of this stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Why it was disabled, where nobody did it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_why: Option<String>,
    /// Until when the secret before the present one signs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret_until: Option<Time>,
    /// When made.
    pub created_at: Time,
    /// How it fares.
    pub health: WebhookHealth,
}

/// How a webhook fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookHealth {
    /// Deliveries that succeeded since it was made.
    pub delivered: u64,
    /// Attempts that failed since the last success.
    pub attempts_failed: u32,
    /// Deliveries given up since the last success.
    pub deliveries_failed: u32,
    /// Events that were deleted before they could be told.
    pub skipped: u64,
    /// Events of the host that it has not looked at yet.
    pub behind: u64,
    /// When an attempt succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_at: Option<Time>,
    /// When an attempt failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_at: Option<Time>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A webhook to make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// What it is for.
    pub name: String,
    /// Where requests go: https, or http where `webhook.allow_private` is set.
    pub url: String,
    /// What it is told of; empty: everything.
    #[serde(default)]
    pub types: Vec<WebhookType>,
    /// Only what belongs to this campaign.
    #[serde(default)]
    pub campaign_id: Option<i64>,
    /// Only messages with this tag.
    #[serde(default)]
    pub tag: Option<String>,
    /// Only mail of this stream.
    #[serde(default)]
    pub stream: Option<String>,
}

/// Changes to a webhook; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct WebhookChange {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where requests go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it is told of; empty: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<WebhookType>>,
    /// Only what belongs to this campaign; 0 for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<i64>,
    /// Only messages with this tag; empty for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only mail of this stream; empty for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Whether it is told anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Leaves out the events up to now that it was not told of, instead of telling them late.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_missed: bool,
}

/// A webhook with a secret that was just made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookSecret {
    /// The webhook.
    pub webhook: Webhook,
    /// What its requests are signed with. It is shown this once.
    pub secret: String,
}

/// What came back from a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookAnswer {
    /// Whether a delivery would count as successful.
    pub success: bool,
    /// HTTP status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub answer: String,
    /// How long it took.
    pub took_ms: u32,
    /// What was sent.
    pub request: String,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WebhookDeliveryState {
    /// It is sent next.
    Waiting,
    /// An attempt failed; it is tried again.
    Retrying,
    /// The other side took it.
    Delivered,
    /// Given up.
    Failed,
}

impl WebhookDeliveryState {
    /// Every state.
    pub const ALL: [WebhookDeliveryState; 4] = [
        WebhookDeliveryState::Waiting,
        WebhookDeliveryState::Retrying,
        WebhookDeliveryState::Delivered,
        WebhookDeliveryState::Failed,
    ];

    /// The word in requests and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WebhookDeliveryState::Waiting => "waiting",
            WebhookDeliveryState::Retrying => "retrying",
            WebhookDeliveryState::Delivered => "delivered",
            WebhookDeliveryState::Failed => "failed",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn parse(text: &str) -> Option<WebhookDeliveryState> {
        WebhookDeliveryState::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One thing told to a webhook, or to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// Id.
    pub id: i64,
    /// The `webhook-id` of its requests.
    pub message_id: String,
    /// What it tells.
    #[serde(rename = "type")]
    pub kind: WebhookType,
    /// When that happened.
    pub at: Time,
    /// Where it stands.
    pub state: WebhookDeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// When it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_at: Option<Time>,
    /// HTTP status of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the last attempt took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u32>,
}

/// A delivery with what was sent and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDeliveryDetail {
    /// The delivery.
    pub delivery: WebhookDelivery,
    /// The body of its requests; absent where the event that it was made from is no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The beginning of the last answer, or why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}
