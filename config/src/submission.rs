//! The declarations of `[submission]`.

use crate::declare::section;
use crate::setting::{Bounds, Setting, Wrong};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

section! {
    /// Mail that other programs hand in by SMTP. They sign in with a credential (`packetboat credential add`), over TLS
    /// alone. Without an address to listen on there is no such service.
    pub struct SubmissionSection in "submission" {
        /// Addresses and ports where TLS begins with STARTTLS. Usual: ["0.0.0.0:587", "[::]:587"].
        listen: Vec<SocketAddr> = [];
        /// Addresses and ports where TLS is spoken from the first byte. Usual: ["0.0.0.0:465", "[::]:465"].
        listen_tls: Vec<SocketAddr> = [];
        /// File of the certificate for `server.hostname`, with the chain behind it, in PEM form. Wanted as soon as there
        /// is an address to listen on. A changed file is taken over by itself.
        certificate_file: Option<PathBuf> = none example "/etc/packetboat/tls/fullchain.pem";
        /// File of the certificate's private key, in PEM form.
        key_file: Option<PathBuf> = none example "/etc/packetboat/tls/privkey.pem";
        /// Largest message, in MiB.
        message_max_mb: u32 = 25 in 1..=150;
        /// Recipients of one message.
        recipients_max: u32 = 1000 in 100..=10_000;
        /// Connections of all clients together.
        connections_max: u32 = 500 in 1..=20_000;
        /// Connections from one address.
        connections_per_peer: u32 = 50 in 1..=20_000;
        /// Memory for messages that are being received, all connections together. What does not fit is put off. In MiB.
        memory_mb: u32 = 256 in 16..=100_000;
        /// Time until a client must have signed in.
        login_timeout: Duration = "60s" in "5s"..="10m";
        /// Time to wait for the next command (RFC 5321 §4.5.3.2 wants 5 minutes).
        idle_timeout: Duration = "5m" in "5s"..="30m";
        /// Time in which a message must have come.
        content_timeout: Duration = "10m" in "10s"..="1h";
        /// Networks of load balancers that send the PROXY protocol, version 2, before anything else. From these it is
        /// required, from others it is not understood.
        proxy_networks: Vec<Network> = [];
    }
}

impl SubmissionSection {
    /// Whether there is such a service.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !(self.listen.is_empty() && self.listen_tls.is_empty())
    }
}

/// A range of addresses, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether the address belongs to it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => same(u32::from(base).into(), u32::from(ip).into(), 32 - self.bits),
            (IpAddr::V6(base), IpAddr::V6(ip)) => same(base.into(), ip.into(), 128 - self.bits),
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Network> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        Some(Network { base, bits })
    }
}

/// Whether two addresses are the same but for their lowest `open` bits.
fn same(one: u128, other: u128, open: u32) -> bool {
    (one ^ other).checked_shr(open).unwrap_or(0) == 0
}

impl Setting for Network {
    fn kind() -> String {
        "a network or address such as \"192.0.2.0/24\" or \"2001:db8::/32\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().and_then(Network::parse).ok_or_else(|| Wrong::at(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (network, ip, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            assert_eq!(Network::parse(network).unwrap().contains(ip.parse().unwrap()), expected, "{ip} in {network}");
        }
        for bad in ["", "192.0.2.0/33", "192.0.2.0/", "2001:db8::/129", "example.com", "192.0.2.0/-1"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
