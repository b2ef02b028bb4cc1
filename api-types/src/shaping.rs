//! Providers, limits in force, automations, the rule tester.
//!
//! `GET /api/v1/providers` · `GET /api/v1/providers/{name}` · `GET /api/v1/explain` (`domain`, `source`, `stream`) ·
//! `GET /api/v1/automations` (`which`, `cursor`, `limit`) · `DELETE /api/v1/automations/{id}` · `POST /api/v1/rules/test`

use serde::{Deserialize, Serialize};

use crate::{Lane, OtherWay, TakenRoute, Time};

/// A provider in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderRow {
    /// Name: of the built-in family, or the registrable domain of the MX hosts.
    pub name: String,
    /// Suffixes of its MX hosts; none where it has no built-in limits.
    pub suffixes: Vec<String>,
    /// Connections at a time from one source to one site.
    pub connections: String,
    /// Messages in one connection.
    pub messages_per_connection: String,
    /// Messages from one source to one site.
    pub message_rate: String,
    /// Lanes with work or connections now.
    pub lanes: u32,
    /// Open connections.
    pub connections_open: u32,
    /// Automations in force.
    pub automations: u32,
    /// Delivered, bounced, and deferred or blocked in the last 24 hours.
    pub day: ShapingDay,
}

/// Outcomes of the last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShapingDay {
    /// Delivered.
    pub delivered: u64,
    /// Bounced.
    pub bounced: u64,
    /// Deferred or blocked attempts.
    pub deferred: u64,
}

/// One provider with everything in force there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderDetail {
    /// Name.
    pub name: String,
    /// Suffixes of its MX hosts.
    pub suffixes: Vec<String>,
    /// The limits, for any site of it and any source that has none of its own.
    pub limits: Vec<LimitInForce>,
    /// Lanes with work or connections now, busiest first.
    pub lanes: Vec<Lane>,
    /// Automations in force, newest first, at most 200.
    pub automations: Vec<Automation>,
    /// The last 24 hours.
    pub day: ShapingDay,
}

/// A limit, and which layer set it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitInForce {
    /// Its name in `[[shaping]]`.
    pub name: String,
    /// Its value; `none` where nothing is limited.
    pub value: String,
    /// `default`, `provider NAME`, or the place in packetboat.toml.
    pub layer: String,
}

/// What holds for mail to a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The recipient domain.
    pub domain: String,
    /// The hosts that are asked, best first: its MX hosts, or those of the route.
    pub hosts: Vec<String>,
    /// Whose they are.
    pub provider: String,
    /// The source that was asked for.
    pub source: Option<String>,
    /// The stream that was asked for.
    pub stream: Option<String>,
    /// The route that leads the mail to these hosts instead of the domain's own.
    pub route: Option<TakenRoute>,
    /// Where no stream was asked for: those whose mail to the domain goes another way than the one told of here.
    pub other_ways: Vec<OtherWay>,
    /// The limits in force on this way.
    pub limits: Vec<LimitInForce>,
    /// Automations in force at the provider: all of them, or those that concern the source.
    pub automations: Vec<Automation>,
}

/// Something that replies or ratios made the engine do by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Automation {
    /// Id.
    pub id: i64,
    /// The rule that led to it.
    pub rule: String,
    /// `source_site`, `source_provider`, `domain_provider` or `workspace_provider`; or, where figures of reputation led
    /// to it and it is about bulk mail wherever it goes, `workspace`, `domain` or `campaign`.
    pub scope: String,
    /// The source, where the scope has one.
    pub source: Option<String>,
    /// The site, where the scope has one.
    pub site: Option<String>,
    /// The provider; empty where it is about mail wherever it goes.
    pub provider: String,
    /// The signing domain, where the scope has one.
    pub domain: Option<String>,
    /// The campaign, where the scope has one.
    pub campaign_id: Option<i64>,
    /// What it does, as a sentence.
    pub effect: String,
    /// Nothing goes until then.
    pub hold_until: Option<Time>,
    /// Messages at most.
    pub rate: Option<String>,
    /// Connections at most.
    pub connections: Option<u32>,
    /// Whether one connection is added at a time after the hold.
    pub recovers: bool,
    /// What a person should do.
    pub alarm: Option<String>,
    /// The server's words, or the figures of a ratio.
    pub reply: String,
    /// Since when.
    pub since: Time,
    /// Until when at the latest, unless the reason comes again.
    pub until: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Who or what ended it before its time.
    pub ended_by: Option<String>,
}

/// A reply to be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestReply {
    /// As the server said it: `421 4.7.28 ...`.
    pub reply: String,
    /// What it answered: `greeting`, `hello`, `mail`, `rcpt`, `data` or `message`; `report` for what stands in a
    /// report; `message` when absent.
    #[serde(default)]
    pub stage: Option<String>,
    /// Whose server said it; nobody in particular when absent.
    #[serde(default)]
    pub provider: Option<String>,
}

/// What would follow from a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgedReply {
    /// What it means: the bounce class. Absent for a yes.
    pub class: Option<String>,
    /// `hard`, `soft`, `block` or `delay`. Absent for a yes.
    pub kind: Option<String>,
    /// The rule that says what it means.
    pub class_rule: Option<String>,
    /// What decided that: `own_rule` (of the operator), `builtin_rule`, `codes` (no rule knew the words) or `nothing`.
    pub class_by: Option<String>,
    /// What would become of the recipient, as a sentence.
    pub recipient: String,
    /// The rule that says what else follows.
    pub rule: Option<String>,
    /// What else follows, as a sentence.
    pub effect: Option<String>,
    /// What a person would be told to do.
    pub alarm: Option<String>,
}
