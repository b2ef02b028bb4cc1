//! `[[shaping]]`: the operator's own limits, for a provider, a site, a domain, a source, or everybody.

use crate::declare::section;
use crate::problem::Collector;
use crate::rate::Rate;
use crate::setting::choice;
use crate::values::Name;
use mail::Domain;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeTable;

choice! {
    /// Whether mail may go without TLS.
    TlsNeed {
        /// Where the other server offers no TLS, mail goes without.
        Opportunistic = "opportunistic",
        /// No TLS, no mail.
        Required = "required",
    }
}

choice! {
    /// Which of a sending domain's keys sign.
    Signatures {
        /// All that may.
        All = "all",
        /// Ed25519 alone (RFC 8463), where the domain has such a key that may sign.
        Ed25519 = "ed25519",
    }
}

section! {
    /// Limits of your own, over the built-in ones of each provider. Repeat the section for each. An entry counts where
    /// everything that it names fits; the more special one wins: a domain over a site over a provider over everybody,
    /// each with a source over the same without. Between equals the later one wins. `packetboat explain gmail.com`
    /// shows each value in force and where it comes from.
    pub struct ShapingEntry in "shaping" {
        /// Only for this provider, by its name on the Providers page.
        provider: Option<String> = none example "Google";
        /// Only for sites all of whose MX hosts end in this name.
        site: Option<Domain> = none example "mx.example.net";
        /// Only for this recipient domain, which gets connections of its own then.
        domain: Option<Domain> = none example "example.org";
        /// Only for mail from this source.
        source: Option<Name> = none example "mx1";
        /// Connections at a time from one source to one site.
        connections: Option<u32> = none in 1..=1_000 example 5;
        /// Connections at a time from all sources together to one site.
        site_connections: Option<u32> = none in 1..=20_000 example 20;
        /// Connections at a time from one source to all sites of the provider.
        provider_connections: Option<u32> = none in 1..=20_000 example 10;
        /// Messages in one connection.
        messages_per_connection: Option<u32> = none in 1..=10_000 example 50;
        /// Recipients of one message in one transaction. 1 gives each a copy and a return path of its own.
        recipients_per_message: Option<u32> = none in 1..=1_000 example 50;
        /// Whether content goes in chunks (BDAT) where that is offered.
        chunking: Option<bool> = none example false;
        /// New connections from one source to one site.
        connection_rate: Option<Rate> = none example "100/min";
        /// New connections from all sources together to one site.
        site_connection_rate: Option<Rate> = none example "200/min";
        /// New connections from one source to all sites of the provider.
        provider_connection_rate: Option<Rate> = none example "200/min";
        /// Messages from one source to one site.
        message_rate: Option<Rate> = none example "100/s";
        /// Messages from all sources together to one site.
        site_message_rate: Option<Rate> = none example "20000/h";
        /// Messages from one source to all sites of the provider.
        provider_message_rate: Option<Rate> = none example "50000/h";
        /// Time that an unused connection is kept. `smtp.idle_timeout` is the longest.
        idle: Option<Duration> = none in "0s"..="10m" example "30s";
        /// Whether mail may go without TLS; cannot depend on the source.
        tls: Option<TlsNeed> = none example "required";
        /// Which of the domain's keys sign. "ed25519" is only for receivers that are known to verify it: others take its mail
        /// for unsigned. It costs a tenth of the time of RSA.
        signatures: Option<Signatures> = none example "ed25519";
        /// Time that a source is held at a site that refuses it because of its name.
        block_hold: Option<Duration> = none in "1m"..="7d" example "2h";
        /// Messages that must be taken before each further connection is opened: a lane begins with one. 0 opens all
        /// at once.
        slow_start: Option<u32> = none in 0..=1_000 example 1;
        /// Share of bounces in the last hour, in percent, from which on a source is slowed down at the provider. 0 is
        /// never.
        bounce_slow_percent: Option<u32> = none in 0..=100 example 5;
        /// Share from which on the source, or the workspace whose mail it is, is held there. 0 is never.
        bounce_hold_percent: Option<u32> = none in 0..=100 example 10;
        /// Share of complaints in the last hour, in thousandths of what was sent, from which on the Providers page
        /// warns. 0 is never.
        complaint_warn_permille: Option<u32> = none in 0..=1_000 example 1;
        /// Share from which on the source is slowed down at the provider. 0 is never.
        complaint_slow_permille: Option<u32> = none in 0..=1_000 example 2;
        /// Share from which on the source, or the workspace whose mail it is, is held there. 0 is never.
        complaint_hold_permille: Option<u32> = none in 0..=1_000 example 3;
    }
}

/// What an entry is about; everything else is a limit.
const ABOUT: [&str; 4] = ["provider", "site", "domain", "source"];

/// What only shows when the whole file is seen.
pub(crate) fn check(entries: &[(ShapingEntry, &DeTable<'_>)], sources: &[&str], problems: &mut Collector<'_>) {
    for (entry, table) in entries {
        if let Some(source) = entry.source.as_ref().filter(|source| !sources.contains(&source.as_str())) {
            let hint = match crate::suggest::nearest(source.as_str(), sources) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("sources: {}", sources.join(", ")),
            };
            let message = format!("shaping.source names {source}, which does not exist; {hint}");
            problems.add(&span_of(table, "source"), "shaping.source", message);
        }
        if entry.tls.is_some() && entry.source.is_some() {
            let message = "shaping.tls cannot depend on the source; give it an entry without source".to_owned();
            problems.add(&span_of(table, "tls"), "shaping.tls", message);
        }
        if table.iter().all(|(key, _)| ABOUT.contains(&key.get_ref().as_ref())) {
            let at = table.iter().next().map_or(0..0, |(key, _)| key.span());
            problems.add(&at, "shaping", "this [[shaping]] sets no limit; give it one, or remove it".to_owned());
        }
    }
}

fn span_of(table: &DeTable<'_>, key: &str) -> Range<usize> {
    table.get(key).map_or(0..0, Spanned::span)
}
