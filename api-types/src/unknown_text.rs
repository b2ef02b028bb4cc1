//! Texts of servers that no rule knows, and rules made of them.
//!
//! `GET /api/v1/unknown-texts` (`provider`, `sort`, `cursor`, `limit`) · `DELETE /api/v1/unknown-texts/{id}` ·
//! `GET /api/v1/unknown-texts/{id}/rule` (`class`)

use serde::{Deserialize, Serialize};

use crate::Time;

/// What replies and reports may mean.
pub const BOUNCE_CLASSES: [&str; 31] = [
    "bad_mailbox",
    "moved",
    "inactive",
    "suspended",
    "bad_domain",
    "takes_no_mail",
    "mailbox_full",
    "too_large",
    "policy",
    "authentication",
    "reverse_dns",
    "sender_refused",
    "reputation",
    "domain_reputation",
    "blocklist",
    "content",
    "virus",
    "malformed",
    "greylist",
    "rate_limit",
    "too_many_connections",
    "dns",
    "connection",
    "tls",
    "protocol",
    "relay_denied",
    "system",
    "loop",
    "expired",
    "vacation",
    "unclassified",
];

/// Texts of one making that no rule knew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnknownText {
    /// Id.
    pub id: i64,
    /// Whose server said it; empty where that is not known.
    pub provider: String,
    /// What they have in common: without addresses, hosts, numbers, ids.
    pub shape: String,
    /// The first of them, with addresses masked.
    pub sample: String,
    /// Where in the session: `greeting`, `hello`, `mail`, `rcpt`, `data`, `message`, or `report`.
    pub stage: String,
    /// What it was taken for, by its codes.
    pub class: String,
    /// The rule that did so; `none` where none did.
    pub rule: String,
    /// How often it was seen.
    pub count: u64,
    /// The first time.
    pub first_seen: Time,
    /// The last time.
    pub last_seen: Time,
    /// The rule that knows it by now.
    pub known_by: Option<String>,
}

/// A rule made of a text, to be copied into packetboat.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DraftedRule {
    /// The section as it stands in the file.
    pub toml: String,
    /// What is wrong with it behind the rules that are in force.
    pub faults: Vec<String>,
}
