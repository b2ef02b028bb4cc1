//! Messages sent by programs, and what API keys may do.
//!
//! `POST, GET /api/v1/messages` (`address`, `tag`, `state`, `from`, `stream`, `since`, `until`, `cursor`, `limit`) ·
//! `POST /api/v1/messages/batch` · `GET /api/v1/messages/{id}` (`cursor`, `limit`: its recipients) ·
//! `POST /api/v1/messages/{id}/cancel`

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Count, ErrorDetail, Notify, Page, Recipient, Time, TimelineEntry};

/// A message to send: written here, of a template, or whole as `raw`. Addresses are written as in mail:
/// `ana@example.com` or `Ana <ana@example.com>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NewMessage {
    /// The author; its domain is one of your sending domains. With `raw` the message says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To whom. With `raw`, `to`, `cc` and `bcc` say who gets the message, whatever its header says.
    pub to: Vec<String>,
    /// Who gets a copy, for all to see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// Who gets a copy unseen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<String>,
    /// Where answers go, when not to the author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The subject. With `template` the template has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The plain text; made of `html` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// A template's id: its newest version is merged with `variables`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<i64>,
    /// What the template's tags stand for: `{{ order.number }}` is `{"order": {"number": 17}}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, serde_json::Value>,
    /// Files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<NewAttachment>,
    /// Further header fields: `{"X-Order": "17"}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The whole message (RFC 5322) in base64, instead of `from`, `subject`, `text`, `html`, `template`, `attachments`
    /// and `headers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The stream that it belongs to. When absent, the header `X-Packetboat-Stream` of `raw` may say it, or else it is
    /// `transactional`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Words to find it by, at most 10. When absent, the header `X-Packetboat-Tags` of `raw` may have some, with commas
    /// between them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where reports by mail go (DSN), an address at one of your sending domains. Without it there are none: the API and
    /// the console tell what becomes of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_path: Option<String>,
    /// What is reported there: `failure` when absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
    /// When to send it, at most 30 days ahead; at once when absent or over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_at: Option<Time>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAttachment {
    /// Its name.
    pub name: String,
    /// Its media type, for example `application/pdf`.
    pub content_type: String,
    /// Its content in base64.
    pub content: String,
    /// With an id it is shown where the HTML says `cid:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
}

/// A message that was taken in: it is on disk and will be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcceptedMessage {
    /// Its id, for `GET /api/v1/messages/{id}`.
    pub id: i64,
    /// Its Message-ID header, without the brackets.
    pub header_id: String,
    /// How many recipients it goes to, each address counted once.
    pub recipients: u32,
    /// When it is sent at the earliest.
    pub send_at: Time,
}

/// Messages to send, 1 to 1,000. Each is taken or refused on its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewMessages {
    /// The messages.
    pub messages: Vec<NewMessage>,
}

/// What became of a batch. Those taken are on disk together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchAnswer {
    /// How many were taken.
    pub accepted: u32,
    /// How many were refused.
    pub refused: u32,
    /// One for each message, in their order.
    pub results: Vec<BatchResult>,
}

/// What became of one message of a batch: one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResult {
    /// It was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<AcceptedMessage>,
    /// It was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
}

/// A message that was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// Id.
    pub id: i64,
    /// Its Message-ID header, without the brackets.
    pub header_id: String,
    /// The From address.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The address of its first recipient.
    pub first_recipient: String,
    /// How many recipients it has.
    pub recipients: u32,
    /// Its recipients by state.
    pub states: Vec<Count>,
    /// The stream that it belongs to.
    pub stream: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How it came: `http`, `smtp` or `system`.
    pub origin: String,
    /// Which key or credential brought it.
    pub submitter: String,
    /// Size in bytes, without signatures.
    pub size_bytes: u64,
    /// When it was taken in.
    pub accepted_at: Time,
    /// When it may be sent.
    pub send_at: Time,
    /// Whether something of it can still be cancelled.
    pub live: bool,
}

/// A message with its recipients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageDetail {
    /// The message.
    pub message: Message,
    /// Its recipients, in the order of the request.
    pub recipients: Page<MessageRecipient>,
}

/// One recipient of a message, with everything that happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageRecipient {
    /// The recipient.
    pub recipient: Recipient,
    /// What happened, newest first.
    pub timeline: Vec<TimelineEntry>,
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Sending messages; it shows nothing.
    Send,
    /// Looking: what the role viewer may.
    Read,
    /// Feeding mail that came elsewhere: returned mail, complaints, answers. It shows what was done with it.
    Inbound,
    /// What the role marketer may, and with it looking and sending.
    Marketing,
    /// What the role admin may: everything else included.
    Admin,
}

impl KeyScope {
    /// Every scope, from the least to the most.
    pub const ALL: [KeyScope; 5] =
        [KeyScope::Send, KeyScope::Read, KeyScope::Inbound, KeyScope::Marketing, KeyScope::Admin];

    /// Its word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeyScope::Send => "send",
            KeyScope::Read => "read",
            KeyScope::Inbound => "inbound",
            KeyScope::Marketing => "marketing",
            KeyScope::Admin => "admin",
        }
    }
}
