//! What other domains ask of TLS.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/tls-policy?domain=`: what a domain publishes, and what is asked of TLS with each of its hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsPolicy {
    /// The domain: A-labels, lower case.
    pub domain: String,
    /// The provider that its hosts belong to.
    pub provider: String,
    /// DANE, as far as it concerns the domain.
    pub dane: String,
    /// MTA-STS in a sentence.
    pub mta_sts: String,
    /// The policy's lines, as read; empty when there is none.
    pub mta_sts_policy: Vec<String>,
    /// Where it wants TLS reports, in a sentence.
    pub tls_reports: String,
    /// Its hosts, best first.
    pub hosts: Vec<TlsHost>,
    /// Reports that were sent to it, or not, newest first.
    pub reports: Vec<TlsReport>,
}

/// A host that takes a domain's mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsHost {
    /// Name.
    pub host: String,
    /// Its TLSA records, or what is wrong with them.
    pub tlsa: Vec<String>,
    /// Whether mail is sent to it.
    pub used: bool,
    /// What is asked of TLS with it and why, or why it is left alone.
    pub requirement: String,
}

/// A TLS report about one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsReport {
    /// The day, UTC.
    pub day: String,
    /// `sent`, `not_wanted`, `no_sender`, `failed` or `given_up`.
    pub state: String,
    /// Where it went, or why it did not.
    pub detail: String,
}
