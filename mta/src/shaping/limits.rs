//! The limits themselves: what one layer says, and what is in force.

use config::{Rate, ShapingEntry, Signatures, TlsNeed};
use std::fmt::Display;
use std::time::Duration;

/// Declares the limits once: what a layer may say, how layers are laid over each other, and how each is shown.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// What one layer says; `None` where it says nothing.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Values { $($(#[$doc])* pub $name: Option<$type>,)* }

        impl Values {
            /// Lays another layer over this one.
            pub(super) fn lay_over(&mut self, above: &Values) {
                $(if above.$name.is_some() { self.$name = above.$name; })*
            }

            /// Every limit by name, as people read it; `None` where this layer says nothing.
            pub(super) fn shown(&self) -> Vec<(&'static str, Option<String>)> {
                vec![$((stringify!($name), self.$name.map(|value| value.shown()))),*]
            }
        }
    };
}

limits! {
    /// Connections at a time from one source to one site.
    connections: u32,
    /// Connections at a time from all sources to one site.
    site_connections: u32,
    /// Connections at a time from one source to all sites of the provider.
    provider_connections: u32,
    /// Messages in one connection.
    messages_per_connection: u32,
    /// Recipients of one message in one transaction.
    recipients_per_message: u32,
    /// Whether content goes in chunks (BDAT) where that is offered.
    chunking: bool,
    /// New connections from one source to one site.
    connection_rate: Rate,
    /// New connections from all sources to one site.
    site_connection_rate: Rate,
    /// New connections from one source to all sites of the provider.
    provider_connection_rate: Rate,
    /// Messages from one source to one site.
    message_rate: Rate,
    /// Messages from all sources to one site.
    site_message_rate: Rate,
    /// Messages from one source to all sites of the provider.
    provider_message_rate: Rate,
    /// How long an unused connection is kept.
    idle: Duration,
    /// Whether mail may go without TLS.
    tls: TlsNeed,
    /// Which of a sending domain's keys sign.
    signatures: Signatures,
    /// How long a source is held where it is refused because of its reputation.
    block_hold: Duration,
    /// Messages that must be taken before each further connection of a lane.
    slow_start: u32,
    /// Share of bounces in the last hour from which on a source is slowed down; 0 is never.
    bounce_slow_percent: u32,
    /// Share from which on a source or workspace is held; 0 is never.
    bounce_hold_percent: u32,
    /// Share of complaints in the last hour, per mille, from which on a person is warned; 0 is never.
    complaint_warn_permille: u32,
    /// Share from which on a source is slowed down; 0 is never.
    complaint_slow_permille: u32,
    /// Share from which on a source or workspace is held; 0 is never.
    complaint_hold_permille: u32,
}

/// How a value is shown to people.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Rate {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for TlsNeed {
    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Shown for Signatures {
    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        span(*self)
    }
}

/// A span in its largest whole unit: `2 h`, `90 min`, `60 s`.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let text = |n: u64, unit: &dyn Display| format!("{n} {unit}");
    match seconds {
        s if s >= 3600 && s % 3600 == 0 => text(s / 3600, &"h"),
        s if s > 60 && s % 60 == 0 => text(s / 60, &"min"),
        s => text(s, &"s"),
    }
}

impl From<&ShapingEntry> for Values {
    fn from(entry: &ShapingEntry) -> Values {
        Values {
            connections: entry.connections,
            site_connections: entry.site_connections,
            provider_connections: entry.provider_connections,
            messages_per_connection: entry.messages_per_connection,
            recipients_per_message: entry.recipients_per_message,
            chunking: entry.chunking,
            connection_rate: entry.connection_rate,
            site_connection_rate: entry.site_connection_rate,
            provider_connection_rate: entry.provider_connection_rate,
            message_rate: entry.message_rate,
            site_message_rate: entry.site_message_rate,
            provider_message_rate: entry.provider_message_rate,
            idle: entry.idle,
            tls: entry.tls,
            signatures: entry.signatures,
            block_hold: entry.block_hold,
            slow_start: entry.slow_start,
            bounce_slow_percent: entry.bounce_slow_percent,
            bounce_hold_percent: entry.bounce_hold_percent,
            complaint_warn_permille: entry.complaint_warn_permille,
            complaint_slow_permille: entry.complaint_slow_permille,
            complaint_hold_permille: entry.complaint_hold_permille,
        }
    }
}

/// The limits in force for one source at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time: of the lane, of the site, of the source at the provider.
    pub connections: u32,
    /// See `connections`.
    pub site_connections: Option<u32>,
    /// See `connections`.
    pub provider_connections: Option<u32>,
    /// Messages in one connection.
    pub messages: u32,
    /// Recipients of one message in one transaction.
    pub recipients: u32,
    /// Whether content goes in chunks (BDAT) where that is offered.
    pub chunking: bool,
    /// New connections: of the lane, of the site, of the source at the provider.
    pub connection_rates: [Rate; 3],
    /// Messages: of the lane, of the site, of the source at the provider.
    pub message_rates: [Rate; 3],
    /// How long an unused connection is kept.
    pub idle: Duration,
    /// Mail does not go without TLS.
    pub tls_required: bool,
    /// Which of a sending domain's keys sign.
    pub signatures: Signatures,
    /// How long a source is held where it is refused because of its reputation.
    pub block_hold: Duration,
    /// Messages that must be taken before each further connection of a lane.
    pub slow_start: u32,
    /// Share of bounces in the last hour from which on a source is slowed down; 0 is never.
    pub bounce_slow_percent: u32,
    /// Share from which on a source or workspace is held; 0 is never.
    pub bounce_hold_percent: u32,
    /// Share of complaints in the last hour, per mille, from which on a person is warned; 0 is never.
    pub complaint_warn_permille: u32,
    /// Share from which on a source is slowed down; 0 is never.
    pub complaint_slow_permille: u32,
    /// Share from which on a source or workspace is held; 0 is never.
    pub complaint_hold_permille: u32,
}

impl From<Values> for Limits {
    /// The lowest layer says everything that has no meaning when nobody says it.
    fn from(values: Values) -> Limits {
        let rate = |rate: Option<Rate>| rate.unwrap_or(Rate::Unlimited);
        Limits {
            connections: values.connections.unwrap_or(1),
            site_connections: values.site_connections,
            provider_connections: values.provider_connections,
            messages: values.messages_per_connection.unwrap_or(1),
            recipients: values.recipients_per_message.unwrap_or(1),
            chunking: values.chunking.unwrap_or(false),
            connection_rates: [
                rate(values.connection_rate),
                rate(values.site_connection_rate),
                rate(values.provider_connection_rate),
            ],
            message_rates: [
                rate(values.message_rate),
                rate(values.site_message_rate),
                rate(values.provider_message_rate),
            ],
            idle: values.idle.unwrap_or_default(),
            tls_required: values.tls == Some(TlsNeed::Required),
            signatures: values.signatures.unwrap_or(Signatures::All),
            block_hold: values.block_hold.unwrap_or_default(),
            slow_start: values.slow_start.unwrap_or(0),
            bounce_slow_percent: values.bounce_slow_percent.unwrap_or(0),
            bounce_hold_percent: values.bounce_hold_percent.unwrap_or(0),
            complaint_warn_permille: values.complaint_warn_permille.unwrap_or(0),
            complaint_slow_permille: values.complaint_slow_permille.unwrap_or(0),
            complaint_hold_permille: values.complaint_hold_permille.unwrap_or(0),
        }
    }
}
