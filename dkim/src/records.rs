//! The DNS records that a sending domain needs, and those of the hosts that send for it.

use crate::key::{Algorithm, Key};
use mail::Domain;
use std::fmt::Write as _;
use std::net::IpAddr;

/// A record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// The full name, without dot at the end.
    pub name: String,
    /// Its type.
    pub kind: RecordKind,
    /// The value in one piece; names without dot at the end.
    pub value: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether mail suffers without it.
    pub required: bool,
}

/// A record's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Text.
    Txt,
    /// Mail exchanger.
    Mx,
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Name of an address.
    Ptr,
}

impl RecordKind {
    /// As in a zone file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Txt => "TXT",
            RecordKind::Mx => "MX",
            RecordKind::A => "A",
            RecordKind::Aaaa => "AAAA",
            RecordKind::Ptr => "PTR",
        }
    }
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The public part of a signing key (RFC 6376 §3.6).
    Dkim(Algorithm),
    /// Which addresses may send with the return-path domain (RFC 7208).
    Spf,
    /// What receivers shall do with mail that fails both (RFC 7489 §6.3).
    Dmarc,
    /// Where bounces go (RFC 5321 §5.1).
    ReturnPathMx,
    /// The address of a sending host's name.
    HostAddress,
    /// The name of a sending host's address.
    HostName,
}

impl Purpose {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Dkim(Algorithm::RsaSha256) => "DKIM key (RSA)",
            Purpose::Dkim(Algorithm::Ed25519Sha256) => "DKIM key (Ed25519)",
            Purpose::Spf => "SPF of the return-path domain",
            Purpose::Dmarc => "DMARC policy",
            Purpose::ReturnPathMx => "Return-path mail exchanger",
            Purpose::HostAddress => "Address of the sending host",
            Purpose::HostName => "Name of the sending address",
        }
    }
}

/// A key's public part, as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// The label before `._domainkey`.
    pub selector: String,
    /// What it verifies.
    pub algorithm: Algorithm,
    /// The `p=` tag.
    pub public_base64: String,
}

impl PublishedKey {
    /// The public part of a key.
    #[must_use]
    pub fn of(selector: &str, key: &Key) -> PublishedKey {
        PublishedKey { selector: selector.to_owned(), algorithm: key.algorithm(), public_base64: key.public_base64() }
    }

    /// The TXT value.
    #[must_use]
    pub fn txt(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.algorithm.key_type(), self.public_base64)
    }
}

/// What the records of a sending domain depend on.
#[derive(Clone, Copy, Debug)]
pub struct DomainSetup<'a> {
    /// The domain in From and in `d=`.
    pub domain: &'a Domain,
    /// The domain of the return path; under `domain`, so that SPF is aligned.
    pub return_path: &'a Domain,
    /// The host that takes the bounces.
    pub return_path_host: &'a Domain,
    /// The signing keys.
    pub keys: &'a [PublishedKey],
    /// Addresses that mail is sent from; empty when the system chooses (the host's own addresses stand in then).
    pub source_ips: &'a [IpAddr],
}

/// Every record that the domain needs, the most important first.
#[must_use]
pub fn records(setup: &DomainSetup<'_>) -> Vec<DnsRecord> {
    let mut out: Vec<DnsRecord> = setup
        .keys
        .iter()
        .map(|key| DnsRecord {
            name: format!("{}._domainkey.{}", key.selector, setup.domain),
            kind: RecordKind::Txt,
            value: key.txt(),
            purpose: Purpose::Dkim(key.algorithm),
            // Receivers without Ed25519 use the RSA signature; none needs Ed25519.
            required: key.algorithm == Algorithm::RsaSha256,
        })
        .collect();
    out.push(DnsRecord {
        name: setup.return_path.to_string(),
        kind: RecordKind::Txt,
        value: spf(setup),
        purpose: Purpose::Spf,
        required: true,
    });
    out.push(DnsRecord {
        name: format!("_dmarc.{}", setup.domain),
        kind: RecordKind::Txt,
        value: "v=DMARC1; p=none".to_owned(),
        purpose: Purpose::Dmarc,
        required: true,
    });
    out.push(DnsRecord {
        name: setup.return_path.to_string(),
        kind: RecordKind::Mx,
        value: format!("10 {}", setup.return_path_host),
        purpose: Purpose::ReturnPathMx,
        required: true,
    });
    out
}

fn spf(setup: &DomainSetup<'_>) -> String {
    let mut out = String::from("v=spf1");
    let mut ips = setup.source_ips.to_vec();
    ips.sort_unstable();
    ips.dedup();
    for ip in &ips {
        let _ = match ip {
            IpAddr::V4(ip) => write!(out, " ip4:{ip}"),
            IpAddr::V6(ip) => write!(out, " ip6:{ip}"),
        };
    }
    if ips.is_empty() {
        let _ = write!(out, " a:{}", setup.return_path_host);
    }
    // Nothing but us sends with the return-path domain, so everything else may be refused.
    out + " -all"
}

/// The records of sending hosts: receivers want that address and name lead to each other. Pairs of address and EHLO
/// name.
#[must_use]
pub fn source_records(sources: &[(IpAddr, Domain)]) -> Vec<DnsRecord> {
    let pair = |(ip, ehlo): &(IpAddr, Domain)| {
        let address = DnsRecord {
            name: ehlo.to_string(),
            kind: if ip.is_ipv4() { RecordKind::A } else { RecordKind::Aaaa },
            value: ip.to_string(),
            purpose: Purpose::HostAddress,
            required: true,
        };
        let name = DnsRecord {
            name: reverse_name(*ip),
            kind: RecordKind::Ptr,
            value: ehlo.to_string(),
            purpose: Purpose::HostName,
            required: true,
        };
        [address, name]
    };
    sources.iter().flat_map(pair).collect()
}

/// RFC 1035 §3.5 and RFC 3596 §2.5.
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            let mut out = String::with_capacity(72);
            for nibble in nibbles {
                let _ = write!(out, "{nibble:x}.");
            }
            out + "ip6.arpa"
        }
    }
}

impl DnsRecord {
    /// The value as a zone file wants it: TXT in quoted strings of at most 255 bytes (RFC 1035 §3.3.14), names with a
    /// dot at the end.
    #[must_use]
    pub fn zone_value(&self) -> String {
        match self.kind {
            RecordKind::Txt => {
                let parts: Vec<String> = self
                    .value
                    .as_bytes()
                    .chunks(255)
                    .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
                    .collect();
                parts.join(" ")
            }
            RecordKind::Mx | RecordKind::Ptr => format!("{}.", self.value),
            RecordKind::A | RecordKind::Aaaa => self.value.clone(),
        }
    }
}
