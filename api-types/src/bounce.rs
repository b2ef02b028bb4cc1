//! What comes back, explained.

use serde::{Deserialize, Serialize};

/// What was understood of a mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedMail {
    /// `delivery_report`, `bounce`, `feedback`, `disposition_notice`, `auto_reply`, `challenge`, `unsubscribe`,
    /// `dmarc_report`, `tls_report` or `ordinary`.
    pub sort: String,
    /// Message-ID of the returned message, in angle brackets.
    pub orig_message_id: Option<String>,
    /// One per recipient.
    pub events: Vec<MailEvent>,
    /// Everything in sentences, with the reasons.
    pub explanation: String,
}

/// What has happened to one recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailEvent {
    /// Lower case.
    pub recipient: Option<String>,
    /// `failed`, `delayed`, `delivered`, `relayed`, `expanded`, `feedback` or `vacation`.
    pub action: String,
    /// `hard`, `soft`, `block`, `delay`, `delivered`, `feedback` or `vacation`.
    pub kind: String,
    /// `permanent` or `temporary`; none for a delay.
    pub permanence: Option<String>,
    /// The enhanced status.
    pub status: Option<String>,
    /// The reply code.
    pub reply: Option<String>,
    /// The class in the words that readers of bounces share.
    pub class: Option<String>,
    /// The rule that says what it means.
    pub rule: Option<String>,
    /// What decided: `own_rule`, `builtin_rule`, `codes` (no rule knew the words) or `nothing`.
    pub decided_by: Option<String>,
    /// The type of a complaint.
    pub feedback_type: Option<String>,
}
