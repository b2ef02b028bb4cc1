//! Mailbox providers: named families of sites, found by the suffix of their MX hosts, and how to begin with each.
//! All of it is data, `data/providers.toml`.

use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// How to treat the sites of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Name: of the family, or the registrable domain of the MX hosts.
    pub name: Arc<str>,
    /// Connections at a time, from one source.
    pub connections: u32,
    /// What `connections` counts.
    pub scope: Scope,
    /// Messages in one connection.
    pub messages: u32,
    /// How long an unused connection is kept.
    pub idle: Duration,
    /// Mail does not go without TLS.
    pub tls_required: bool,
    /// How long a source is held where it is refused because of its reputation.
    pub block_hold: Duration,
}

/// What a limit of connections counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Those to one site.
    #[default]
    Site,
    /// Those to all sites of the provider.
    Provider,
}

/// The families, and what holds for everybody else.
#[derive(Debug)]
pub struct Providers {
    families: Vec<(Vec<String>, Arc<Provider>)>,
    default: Provider,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Everybody,
    provider: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Everybody {
    connections: u32,
    messages: u32,
    idle: u64,
    block_hold: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    suffixes: Vec<String>,
    /// MX hosts that must be found; a test looks.
    samples: Vec<String>,
    connections: Option<u32>,
    #[serde(default)]
    scope: Scope,
    messages: Option<u32>,
    idle: Option<u64>,
    tls: Option<TlsWord>,
    block_hold: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TlsWord {
    Required,
}

impl Providers {
    /// The built-in data, bounded by what the operator allows at most.
    #[must_use]
    pub fn builtin(connections_max: u32, messages_max: u32) -> Providers {
        // A test reads the file, so this holds for every build that passed the tests.
        let file: File = toml::from_str(include_str!("../data/providers.toml")).expect("the built-in providers read");
        let default = Provider {
            name: "".into(),
            connections: connections_max,
            scope: Scope::Site,
            messages: messages_max,
            idle: Duration::from_secs(file.default.idle),
            tls_required: false,
            block_hold: Duration::from_secs(file.default.block_hold),
        };
        let family = |entry: Entry| {
            debug_assert!(!entry.samples.is_empty(), "{} has no sample", entry.name);
            let provider = Provider {
                name: entry.name.into(),
                connections: entry.connections.unwrap_or(file.default.connections).min(connections_max),
                scope: entry.scope,
                messages: entry.messages.unwrap_or(file.default.messages).min(messages_max),
                idle: Duration::from_secs(entry.idle.unwrap_or(file.default.idle)),
                tls_required: entry.tls.is_some(),
                block_hold: Duration::from_secs(entry.block_hold.unwrap_or(file.default.block_hold)),
            };
            (entry.suffixes, Arc::new(provider))
        };
        Providers { families: file.provider.into_iter().map(family).collect(), default }
    }

    /// Whose the MX hosts are: a family when every host has a suffix of it, else the registrable domain of the first.
    #[must_use]
    pub fn of_hosts(&self, hosts: &[&str]) -> Arc<Provider> {
        let is = |host: &str, suffix: &str| {
            host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let all = |suffixes: &[String]| hosts.iter().all(|host| suffixes.iter().any(|suffix| is(host, suffix)));
        if let Some((_, provider)) = self.families.iter().find(|(suffixes, _)| !hosts.is_empty() && all(suffixes)) {
            return provider.clone();
        }
        let first = hosts.first().copied().unwrap_or("");
        let name = psl::domain_str(first).unwrap_or(first);
        Arc::new(Provider { name: name.into(), ..self.default.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_found() {
        let providers = Providers::builtin(1000, 10_000);
        let file: File = toml::from_str(include_str!("../data/providers.toml")).unwrap();
        for entry in file.provider {
            for sample in &entry.samples {
                assert_eq!(&*providers.of_hosts(&[sample]).name, entry.name, "{sample}");
            }
            for suffix in &entry.suffixes {
                assert!(entry.samples.iter().any(|s| s.ends_with(suffix.as_str())), "no sample for {suffix}");
            }
        }
    }

    #[test]
    fn families_and_others() {
        let providers = Providers::builtin(10, 100);
        let name = |hosts: &[&str]| providers.of_hosts(hosts).name.to_string();
        assert_eq!(name(&["aspmx.l.google.com", "mx.example.org"]), "google.com", "not every host is of the family");
        assert_eq!(name(&["mx1.mail.example.co.uk"]), "example.co.uk");
        assert_eq!(name(&["notgoogle.com"]), "notgoogle.com");
        let google = providers.of_hosts(&["aspmx.l.google.com"]);
        assert_eq!((google.connections, google.scope, google.tls_required), (5, Scope::Provider, true));
        assert_eq!(providers.of_hosts(&["mx1a1.comcast.net"]).connections, 10, "the operator's bound holds");
    }
}
