//! Everything that limits mail to a site, compiled once: built-in data and the operator's entries in layers.
//!
//! A snapshot never changes; whoever has one may keep it. From the lowest: everybody, the provider, then the operator's
//! `[[shaping]]` entries that fit, the more special over the more general (everybody, provider, site, domain; each with
//! a source over the same without), later ones over earlier ones.

use super::limits::{Limits, Values};
use super::rules::Rules;
use crate::providers::{self, Family, Provider, has_suffix};
use config::{ShapingEntry, Signatures, SmtpSection};
use std::borrow::Cow;
use std::sync::Arc;

/// What the limits are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The MX hosts of the site; none where only the provider is meant.
    pub hosts: &'a [&'a str],
    /// The recipient domain, where it is known.
    pub domain: Option<&'a str>,
    /// The source, where one is meant.
    pub source: Option<&'a str>,
}

/// A limit with the layer that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The limit's name, as in `[[shaping]]`.
    pub name: &'static str,
    /// Its value, for people; `none` where there is no limit.
    pub value: String,
    /// Which layer set it.
    pub layer: String,
}

/// The compiled layers and rules.
pub struct Snapshot {
    default: Values,
    families: Vec<Family>,
    entries: Vec<Entry>,
    rules: Rules,
    meaning: bounce::Rules,
}

struct Entry {
    wants: Wants,
    values: Values,
    /// As people find it in the file: `packetboat.toml, [[shaping]] 2 (domain example.org)`.
    name: String,
}

/// What an entry names; everything must fit.
struct Wants {
    provider: Option<String>,
    site: Option<String>,
    domain: Option<String>,
    source: Option<String>,
}

impl Wants {
    fn fit(&self, place: &Place<'_>) -> bool {
        let provider = |name: &String| name.eq_ignore_ascii_case(place.provider);
        let site = |suffix: &String| !place.hosts.is_empty() && place.hosts.iter().all(|host| has_suffix(host, suffix));
        self.provider.as_ref().is_none_or(provider)
            && self.site.as_ref().is_none_or(site)
            && self.domain.as_ref().is_none_or(|domain| place.domain == Some(domain.as_str()))
            && self.source.as_ref().is_none_or(|source| place.source == Some(source.as_str()))
    }

    /// How special it is: source first, then domain, site, provider.
    fn rank(&self) -> (bool, bool, bool, bool) {
        (self.source.is_some(), self.domain.is_some(), self.site.is_some(), self.provider.is_some())
    }
}

impl Snapshot {
    /// Compiles the built-in data and the operator's entries.
    #[must_use]
    pub fn compile(smtp: &SmtpSection, shaping: &[ShapingEntry]) -> Snapshot {
        let builtin = providers::builtin();
        let default = Values {
            connections: Some(smtp.connections_per_lane),
            messages_per_connection: Some(smtp.messages_per_connection),
            recipients_per_message: Some(smtp.recipients_per_message),
            chunking: Some(smtp.chunking),
            signatures: Some(Signatures::All),
            ..builtin.default
        };
        let mut entries: Vec<Entry> = shaping.iter().enumerate().map(|(n, entry)| compile_entry(n, entry)).collect();
        // Stable: between equals the later one lies above.
        entries.sort_by_key(|entry| entry.wants.rank());
        let meaning = bounce::Rules::builtin().clone();
        Snapshot { default, families: builtin.families, entries, rules: Rules::builtin(), meaning }
    }

    /// The families that the data names.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The same with other rules for what replies mean: the operator's own before the built-in ones.
    #[must_use]
    pub fn reading_by(self, meaning: bounce::Rules) -> Snapshot {
        Snapshot { meaning, ..self }
    }

    /// The rules for what replies mean.
    #[must_use]
    pub fn meaning(&self) -> &bounce::Rules {
        &self.meaning
    }

    /// The rules for what follows from replies.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whose the MX hosts are.
    #[must_use]
    pub fn provider_name(&self, hosts: &[&str]) -> Arc<str> {
        providers::name_of(&self.families, hosts)
    }

    /// A provider's name as rows and lanes have it, however a person writes it: a family's as the data spells it, else a
    /// domain in lower case, or the address of a route's host. `None` where no provider can be called so.
    #[must_use]
    pub fn provider_called(&self, text: &str) -> Option<String> {
        let family = self.families.iter().find(|family| family.name.eq_ignore_ascii_case(text));
        let own = || text.contains(['.', ':']).then(|| text.to_lowercase());
        family.map(|family| family.name.to_string()).or_else(own)
    }

    /// Whose a host is that a report names, as far as it names one.
    #[must_use]
    pub fn provider_of_host(&self, host: &str) -> Option<Arc<str>> {
        let host = host.split_whitespace().next()?.trim_end_matches('.');
        let is_name = host.contains('.') && host.parse::<std::net::IpAddr>().is_err();
        let host = mail::Domain::parse(host).ok().filter(|_| is_name)?;
        Some(self.provider_name(&[host.as_str()]))
    }

    /// Fills in whose servers the report tells of, for rules that are for one provider.
    pub fn name_providers(&self, report: &mut bounce::Report) {
        for group in &mut report.recipients {
            let provider = group.remote_mta.as_deref().and_then(|host| self.provider_of_host(host));
            group.provider = provider.map(|name| name.to_string());
        }
    }

    /// Whose the site of a domain is, and what holds there whatever the source.
    #[must_use]
    pub fn provider(&self, hosts: &[&str], domain: Option<&str>) -> Provider {
        let name = self.provider_name(hosts);
        let place = Place { provider: &name, hosts, domain, source: None };
        let tls_required = self.limits(&place).tls_required;
        Provider { name, tls_required }
    }

    /// Whether an entry names this recipient domain, so that it needs connections of its own.
    #[must_use]
    pub fn names_domain(&self, domain: &str) -> bool {
        self.entries.iter().any(|entry| entry.wants.domain.as_deref() == Some(domain))
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self, place: &Place<'_>) -> Limits {
        let mut all = Values::default();
        for (_, values) in self.layers(place) {
            all.lay_over(values);
        }
        all.into()
    }

    /// Each limit in force, and which layer set it.
    #[must_use]
    pub fn explain(&self, place: &Place<'_>) -> Vec<Explained> {
        let layers = self.layers(place);
        let shown: Vec<_> = layers.iter().map(|(name, values)| (name, values.shown())).collect();
        let names = Values::default().shown();
        let explained = |(row, (name, _)): (usize, (&'static str, Option<String>))| {
            let said = shown.iter().rev().find_map(|(layer, values)| Some((layer, values[row].1.clone()?)));
            let (layer, value) = match said {
                Some((layer, value)) => (layer.to_string(), value),
                None => ("default".to_owned(), "none".to_owned()),
            };
            Explained { name, value, layer }
        };
        names.into_iter().enumerate().map(explained).collect()
    }

    /// The layers that fit, lowest first.
    fn layers(&self, place: &Place<'_>) -> Vec<(Cow<'_, str>, &Values)> {
        let mut layers = vec![(Cow::Borrowed("default"), &self.default)];
        let family = self.families.iter().find(|family| *family.name == *place.provider);
        layers.extend(family.map(|family| (format!("provider {}", family.name).into(), &family.values)));
        let fitting = self.entries.iter().filter(|entry| entry.wants.fit(place));
        layers.extend(fitting.map(|entry| (Cow::Borrowed(entry.name.as_str()), &entry.values)));
        layers
    }
}

fn compile_entry(number: usize, entry: &ShapingEntry) -> Entry {
    let wants = Wants {
        provider: entry.provider.clone(),
        site: entry.site.as_ref().map(|site| site.as_str().to_owned()),
        domain: entry.domain.as_ref().map(|domain| domain.as_str().to_owned()),
        source: entry.source.as_ref().map(|source| source.as_str().to_owned()),
    };
    let named =
        [("provider", &wants.provider), ("site", &wants.site), ("domain", &wants.domain), ("source", &wants.source)];
    let named: Vec<String> =
        named.iter().filter_map(|(what, name)| Some(format!("{what} {}", (*name).as_ref()?))).collect();
    let about = if named.is_empty() { "everybody".to_owned() } else { named.join(", ") };
    Entry { values: entry.into(), name: format!("packetboat.toml, [[shaping]] {} ({about})", number + 1), wants }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn snapshot(text: &str) -> Snapshot {
        let config = config::parse("test", text).unwrap_or_else(|e| panic!("{e}"));
        Snapshot::compile(&config.smtp, &config.shaping)
    }

    const LAYERED: &str = r#"
        [smtp]
        connections_per_lane = 7
        [[source]]
        name = "mx1"
        [[shaping]]
        domain = "gmail.com"
        source = "mx1"
        message_rate = "1/s"
        [[shaping]]
        domain = "gmail.com"
        message_rate = "2/s"
        idle = "10s"
        [[shaping]]
        site = "l.google.com"
        message_rate = "3/s"
        site_connections = 4
        [[shaping]]
        provider = "google"
        message_rate = "4/s"
        connections = 20
        [[shaping]]
        message_rate = "5/s"
        connection_rate = "none"
        [[shaping]]
        provider = "Google"
        connections = 21
    "#;

    #[test]
    fn the_more_special_layer_wins_whatever_the_order() {
        let layered = snapshot(LAYERED);
        let rate = |hosts: &[&str], domain, source| {
            let provider = layered.provider_name(hosts);
            let place = Place { provider: &provider, hosts, domain, source };
            layered.limits(&place).message_rates[0].to_string()
        };
        let gmail = &["gmail-smtp-in.l.google.com"][..];
        for (hosts, domain, source, expected) in [
            (gmail, Some("gmail.com"), Some("mx1"), "1/s"),
            (gmail, Some("gmail.com"), None, "2/s"),
            (gmail, Some("example.org"), Some("mx1"), "3/s"),
            (&["aspmx2.googlemail.com"], None, None, "4/s"),
            (&[], None, None, "5/s"),
            (&["mx.example.net"], Some("example.net"), Some("mx1"), "5/s"),
        ] {
            assert_eq!(rate(hosts, domain, source), expected, "{hosts:?} {domain:?} {source:?}");
        }
        assert!(layered.names_domain("gmail.com") && !layered.names_domain("example.org"));
    }

    #[test]
    fn every_value_says_where_it_comes_from() {
        let layered = snapshot(LAYERED);
        let hosts = ["gmail-smtp-in.l.google.com"];
        let place = Place { provider: "Google", hosts: &hosts, domain: Some("gmail.com"), source: Some("mx1") };
        let told: String =
            layered.explain(&place).iter().map(|e| format!("{} = {} ({})\n", e.name, e.value, e.layer)).collect();
        expect![[r#"
            connections = 21 (packetboat.toml, [[shaping]] 6 (provider Google))
            site_connections = 4 (packetboat.toml, [[shaping]] 3 (site l.google.com))
            provider_connections = 5 (provider Google)
            messages_per_connection = 50 (provider Google)
            recipients_per_message = 100 (default)
            chunking = true (default)
            connection_rate = none (packetboat.toml, [[shaping]] 5 (everybody))
            site_connection_rate = none (default)
            provider_connection_rate = none (default)
            message_rate = 1/s (packetboat.toml, [[shaping]] 1 (domain gmail.com, source mx1))
            site_message_rate = none (default)
            provider_message_rate = none (default)
            idle = 10 s (packetboat.toml, [[shaping]] 2 (domain gmail.com))
            tls = required (provider Google)
            signatures = all (default)
            block_hold = 10 min (provider Google)
            slow_start = 1 (default)
            bounce_slow_percent = 5 (default)
            bounce_hold_percent = 10 (default)
            complaint_warn_permille = 1 (default)
            complaint_slow_permille = 2 (default)
            complaint_hold_permille = 3 (default)
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn families_begin_as_published() {
        let plain = snapshot("");
        let mut told = String::new();
        for family in plain.families() {
            let l = plain.limits(&Place { provider: &family.name, hosts: &[], domain: None, source: None });
            let whole = l.provider_connections.map(|n| format!(", {n} in all")).unwrap_or_default();
            let tls = if l.tls_required { ", TLS" } else { "" };
            let rate = l.message_rates[2].per_second().map(|rate| format!(", {rate}/s in all")).unwrap_or_default();
            told.push_str(&format!(
                "{}: {}{whole}, {} each, idle {} s{tls}{rate}\n",
                family.name,
                l.connections,
                l.messages,
                l.idle.as_secs()
            ));
        }
        expect![[r#"
            Google: 5, 5 in all, 50 each, idle 60 s, TLS
            Microsoft consumer: 5, 500 in all, 50 each, idle 60 s
            Microsoft 365: 5, 50 each, idle 60 s
            Yahoo: 10, 20 each, idle 60 s
            Apple: 10, 5 each, idle 60 s
            Comcast: 25, 1000 each, idle 30 s, TLS
            Mimecast: 10, 100 each, idle 60 s
            Orange: 2, 100 each, idle 60 s, TLS
            GMX and web.de: 4, 20 each, idle 60 s, TLS
            Yahoo Japan: 2, 20 each, idle 60 s, 10/s in all
            QQ: 4, 8 each, idle 60 s
            163: 4, 7 each, idle 60 s
        "#]]
        .assert_eq(&told);
    }
}
