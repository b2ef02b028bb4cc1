//! Mailbox providers: named families of sites, found by the suffix of their MX hosts, and how to begin with each.
//! All of it is data, `data/providers.toml`.

use crate::shaping::Values;
use config::{Rate, TlsNeed};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Whose a site is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Name: of the family, or the registrable domain of the MX hosts.
    pub name: Arc<str>,
    /// Mail does not go to this site without TLS.
    pub tls_required: bool,
}

/// A named family with its own limits.
#[derive(Clone, Debug)]
pub struct Family {
    /// Name.
    pub name: Arc<str>,
    /// Every MX of a domain must end in one of these.
    pub suffixes: Vec<String>,
    /// What differs from everybody else's.
    pub(crate) values: Values,
}

/// The data file, read.
pub(crate) struct Builtin {
    pub default: Values,
    pub families: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Written,
    provider: Vec<Written>,
}

/// A table of the file; `default` has no name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    name: String,
    #[serde(default)]
    suffixes: Vec<String>,
    /// MX hosts that must be found; a test looks.
    #[serde(default)]
    samples: Vec<String>,
    connections: Option<u32>,
    provider_connections: Option<u32>,
    messages_per_connection: Option<u32>,
    recipients_per_message: Option<u32>,
    chunking: Option<bool>,
    connection_rate: Option<String>,
    message_rate: Option<String>,
    provider_message_rate: Option<String>,
    idle: Option<u64>,
    tls: Option<TlsWord>,
    block_hold: Option<u64>,
    slow_start: Option<u32>,
    bounce_slow_percent: Option<u32>,
    bounce_hold_percent: Option<u32>,
    complaint_warn_permille: Option<u32>,
    complaint_slow_permille: Option<u32>,
    complaint_hold_permille: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TlsWord {
    Opportunistic,
    Required,
}

impl Written {
    fn values(&self) -> Values {
        // A test reads every rate of the file.
        let rate = |text: &Option<String>| text.as_ref().map(|text| Rate::parse(text).expect("a built-in rate reads"));
        Values {
            connections: self.connections,
            provider_connections: self.provider_connections,
            messages_per_connection: self.messages_per_connection,
            recipients_per_message: self.recipients_per_message,
            chunking: self.chunking,
            connection_rate: rate(&self.connection_rate),
            message_rate: rate(&self.message_rate),
            provider_message_rate: rate(&self.provider_message_rate),
            idle: self.idle.map(Duration::from_secs),
            tls: self.tls.as_ref().map(|word| match word {
                TlsWord::Opportunistic => TlsNeed::Opportunistic,
                TlsWord::Required => TlsNeed::Required,
            }),
            block_hold: self.block_hold.map(Duration::from_secs),
            slow_start: self.slow_start,
            bounce_slow_percent: self.bounce_slow_percent,
            bounce_hold_percent: self.bounce_hold_percent,
            complaint_warn_permille: self.complaint_warn_permille,
            complaint_slow_permille: self.complaint_slow_permille,
            complaint_hold_permille: self.complaint_hold_permille,
            ..Values::default()
        }
    }
}

/// Reads the built-in data.
pub(crate) fn builtin() -> Builtin {
    // A test reads the file, so this holds for every build that passed the tests.
    let file: File = toml::from_str(include_str!("../data/providers.toml")).expect("the built-in providers read");
    let family = |entry: Written| {
        debug_assert!(!entry.samples.is_empty(), "{} has no sample", entry.name);
        Family { values: entry.values(), name: entry.name.into(), suffixes: entry.suffixes }
    };
    Builtin { default: file.default.values(), families: file.provider.into_iter().map(family).collect() }
}

/// Whether a host is named so, or below it.
pub(crate) fn has_suffix(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whose the MX hosts are: a family when every host has a suffix of it, else the registrable domain of the first.
pub(crate) fn name_of(families: &[Family], hosts: &[&str]) -> Arc<str> {
    let all = |family: &&Family| {
        let is = |host: &&str| family.suffixes.iter().any(|suffix| has_suffix(host, suffix));
        !hosts.is_empty() && hosts.iter().all(is)
    };
    if let Some(family) = families.iter().find(all) {
        return family.name.clone();
    }
    let first = hosts.first().copied().unwrap_or("");
    psl::domain_str(first).unwrap_or(first).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_found() {
        let families = builtin().families;
        let file: File = toml::from_str(include_str!("../data/providers.toml")).unwrap();
        for entry in file.provider {
            for sample in &entry.samples {
                assert_eq!(&*name_of(&families, &[sample]), entry.name, "{sample}");
            }
            for suffix in &entry.suffixes {
                assert!(entry.samples.iter().any(|s| s.ends_with(suffix.as_str())), "no sample for {suffix}");
            }
        }
    }

    #[test]
    fn families_and_others() {
        let families = builtin().families;
        let name = |hosts: &[&str]| name_of(&families, hosts).to_string();
        assert_eq!(name(&["aspmx.l.google.com", "mx.example.org"]), "google.com", "not every host is of the family");
        assert_eq!(name(&["mx1.mail.example.co.uk"]), "example.co.uk");
        assert_eq!(name(&["notgoogle.com"]), "notgoogle.com");
        assert_eq!(name(&["contoso-com.mail.protection.outlook.com"]), "Microsoft 365");
    }
}
