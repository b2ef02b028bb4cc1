//! Answers: the addresses that recipients answer to, what came there, and mail that is fed from elsewhere.
//!
//! `GET, POST /api/v1/reply-addresses` · `PATCH, DELETE /api/v1/reply-addresses/{id}` ·
//! `GET /api/v1/replies` · `GET /api/v1/replies/{id}` · `POST /api/v1/inbound`

use serde::{Deserialize, Serialize};

use crate::Time;

/// What is done with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplyAction {
    /// It is kept for reading.
    #[default]
    Keep,
    /// It is sent on to an address, and kept.
    Forward,
    /// It is told to a webhook, and kept.
    Webhook,
}

/// An address that recipients answer to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplyAddress {
    /// Id.
    pub id: i64,
    /// The address.
    pub address: String,
    /// What is done with what comes there.
    pub action: ReplyAction,
    /// To whom it goes on.
    pub forward_to: Option<String>,
    /// The webhook that is told.
    pub webhook_id: Option<i64>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Time,
}

/// A reply address to make. Its domain is a sending domain's return path, or a sending domain or one below it whose MX is
/// this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewReplyAddress {
    /// The address.
    pub address: String,
    /// What is done with what comes there.
    #[serde(default)]
    pub action: ReplyAction,
    /// To whom it goes on, where it is forwarded.
    #[serde(default)]
    pub forward_to: Option<String>,
    /// The webhook that is told, where one is.
    #[serde(default)]
    pub webhook_id: Option<i64>,
}

/// What to change of a reply address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplyAddressChange {
    /// What is done with what comes there.
    pub action: ReplyAction,
    /// To whom it goes on, where it is forwarded.
    #[serde(default)]
    pub forward_to: Option<String>,
    /// The webhook that is told, where one is.
    #[serde(default)]
    pub webhook_id: Option<i64>,
}

/// What was done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplyDone {
    /// It is kept for reading.
    Kept,
    /// It went on to an address.
    Forwarded,
    /// It was told to a webhook.
    Webhook,
    /// A program wrote it, or it came too often.
    Stopped,
}

/// An answer that came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplyRow {
    /// Id.
    pub id: i64,
    /// The reply address.
    pub address: String,
    /// When it came.
    pub received_at: Time,
    /// Its author.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// The recipient whose mail it answers, where that is known.
    pub recipient_id: Option<i64>,
    /// Of which campaign.
    pub campaign_id: Option<i64>,
    /// Which contact.
    pub contact_id: Option<i64>,
    /// What was done with it.
    pub done: ReplyDone,
    /// Why it was stopped, or not forwarded.
    pub why: Option<String>,
    /// The message that it was forwarded as.
    pub message_id: Option<i64>,
    /// Its size.
    pub size_bytes: u64,
}

/// An answer with its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplyMail {
    /// The answer as listed.
    pub reply: ReplyRow,
    /// The mail as it came, header and all; bytes that are no text are replaced.
    pub content: String,
    /// Whether only its beginning is kept.
    pub is_cut: bool,
}

/// What a webhook is told of an answer (`reply.received`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookReply {
    /// Id of the answer, as in `GET /api/v1/replies/{id}`.
    pub reply_id: i64,
    /// The reply address.
    pub address: String,
    /// Its author.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// The recipient whose mail it answers, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<i64>,
    /// Of which campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<i64>,
    /// Which contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<i64>,
    /// The mail as it came, header and all, at most its first 32 KiB; bytes that are no text are replaced.
    pub content: String,
    /// Whether that is only its beginning.
    pub is_cut: bool,
}

/// What was done with a mail that was fed, for one of the addresses that it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InboundOutcome {
    /// The address; empty where none of the mail's is ours.
    pub rcpt: String,
    /// What the address is for: `return_path`, `feedback`, `unsubscribe`, `reply`; `elsewhere` where it is none of ours.
    pub purpose: String,
    /// What sort of mail it is: `delivery_report`, `bounce`, `feedback`, `auto_reply`, `ordinary` and so on.
    pub sort: String,
    /// Whom it is about, where that was found and is of this workspace.
    pub recipient_id: Option<i64>,
    /// The class of a bounce.
    pub class: Option<String>,
    /// Whether anything follows from it, or did already.
    pub matched: bool,
    /// What was done, or why nothing.
    pub done: String,
}
