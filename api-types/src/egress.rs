//! Streams, routes, and how the sources stand.
//!
//! `GET /api/v1/sources` · `GET /api/v1/sources/{name}` · `POST /api/v1/sources/{name}/check`

use crate::Time;
use serde::{Deserialize, Serialize};

/// A stream of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressStream {
    /// Name.
    pub name: String,
    /// `transactional` or `bulk`; campaigns take only those of the second kind.
    pub kind: String,
    /// The pool that its mail leaves from.
    pub pool: String,
    /// Waits before each new attempt in seconds; the last one repeats.
    pub retry_seconds: Vec<u64>,
    /// Age at which its mail is given up, in seconds.
    pub expiry_seconds: u64,
}

/// A route of the configuration: a way that is not that of the recipient's domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressRoute {
    /// Name.
    pub name: String,
    /// Streams whose mail goes this way; all when empty.
    pub streams: Vec<String>,
    /// Recipients' domains that it is for; all when empty. `*.example.com` stands for everything below.
    pub domains: Vec<String>,
    /// Hosts with their ports, in the order in which they are asked.
    pub hosts: Vec<String>,
    /// Whether the domains' own hosts are asked while none of these can be reached.
    pub then_direct: bool,
    /// Until when they are asked instead, while they are.
    pub down_until: Option<Time>,
}

/// An egress source and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// Name.
    pub name: String,
    /// IP address; the system's choice when absent.
    pub ip: Option<String>,
    /// EHLO name.
    pub ehlo: String,
    /// Whether it is used.
    pub enabled: bool,
    /// Messages over all sites at most, such as `5000/h`.
    pub max_rate: Option<String>,
    /// The pools that it is in.
    pub pools: Vec<String>,
    /// Why nothing leaves from it, while that is so: this host does not have its address.
    pub out: Option<String>,
    /// The worst of its checks.
    pub level: SourceLevel,
    /// When it was last looked at.
    pub checked_at: Option<Time>,
    /// What was found then.
    pub checks: Vec<SourceCheck>,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourceLevel {
    /// Not looked at.
    Off,
    /// As it should be.
    Good,
    /// Could not be found out.
    Unsure,
    /// Some receivers will mind.
    Warning,
    /// Many receivers will refuse mail, or none can be sent.
    Bad,
}

/// One check of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceCheck {
    /// `address`, `ptr`, `forward`, `ehlo`, `blocklist` or `port25`.
    pub subject: String,
    /// The blocklist's name; empty otherwise.
    pub item: String,
    /// How it stands.
    pub level: SourceLevel,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when nothing.
    pub advice: String,
    /// Since when it stands so.
    pub since: Time,
    /// When it was looked at.
    pub checked_at: Time,
}

/// A source with what happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceDetail {
    /// The source.
    pub source: Source,
    /// Newest first, at most 50.
    pub events: Vec<SourceEvent>,
}

/// Something that happened to a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceEvent {
    /// When.
    pub at: Time,
    /// `source_out`, `source_back` or `source_check`.
    pub kind: String,
    /// In words.
    pub text: String,
}
