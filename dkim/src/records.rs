//! The DNS records that a sending domain needs, and those of the hosts that send for it.

use crate::key::Algorithm;
use crate::rotation::Step;
use base64::Engine as _;
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
    /// How much mail suffers without it.
    pub need: Need,
}

/// How much a record is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Mail is refused or distrusted without it.
    Required,
    /// It does good.
    Recommended,
    /// A matter of taste.
    Optional,
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
    /// A key that nobody shall trust any more (RFC 6376 §3.6.1).
    Revoked(Algorithm),
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
    /// That the return path's mail servers take mail over TLS only (RFC 8461).
    MtaSts,
    /// Where others report trouble with TLS on the way to the return path (RFC 8460).
    TlsRpt,
    /// The logo that some mailbox providers show beside the mail.
    Bimi,
    /// The host that the links in mail lead to.
    LinkHost,
}

impl Purpose {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Dkim(Algorithm::RsaSha256) => "DKIM key (RSA)",
            Purpose::Dkim(Algorithm::Ed25519Sha256) => "DKIM key (Ed25519)",
            Purpose::Revoked(Algorithm::RsaSha256) => "Revoked DKIM key (RSA)",
            Purpose::Revoked(Algorithm::Ed25519Sha256) => "Revoked DKIM key (Ed25519)",
            Purpose::Spf => "SPF of the return-path domain",
            Purpose::Dmarc => "DMARC policy",
            Purpose::ReturnPathMx => "Return-path mail exchanger",
            Purpose::HostAddress => "Address of the sending host",
            Purpose::HostName => "Name of the sending address",
            Purpose::MtaSts => "MTA-STS of the return-path domain",
            Purpose::TlsRpt => "TLS reports of the return-path domain",
            Purpose::Bimi => "BIMI logo",
            Purpose::LinkHost => "Host of the links in mail",
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
    /// Where the key is in its life.
    pub step: Step,
}

impl PublishedKey {
    /// The record that the key wants at its step; none when it may be forgotten.
    #[must_use]
    pub fn record(&self, domain: &Domain) -> Option<DnsRecord> {
        let key_type = self.algorithm.key_type();
        let whole = format!("v=DKIM1; k={key_type}; p={}", self.public_base64);
        // Receivers without Ed25519 use the RSA signature; none needs Ed25519.
        let need = if self.algorithm == Algorithm::RsaSha256 { Need::Required } else { Need::Recommended };
        let (value, purpose, need) = match self.step {
            Step::Waiting | Step::Seen | Step::Active | Step::Replaced => (whole, Purpose::Dkim(self.algorithm), need),
            Step::Retired | Step::Revoked => {
                (format!("v=DKIM1; k={key_type}; p="), Purpose::Revoked(self.algorithm), Need::Recommended)
            }
            Step::Removable => return None,
        };
        let name = format!("{}._domainkey.{domain}", self.selector);
        Some(DnsRecord { name, kind: RecordKind::Txt, value, purpose, need })
    }

    /// Bits of an RSA key, as its record has it; `None` for other keys and for what is no key.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        if self.algorithm != Algorithm::RsaSha256 {
            return None;
        }
        let der = base64::engine::general_purpose::STANDARD.decode(&self.public_base64).ok()?;
        let key = aws_lc_rs::rsa::PublicEncryptingKey::from_der(&der).ok()?;
        Some(key.key_size_bits())
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
    /// Where reports about the domain are taken, if anywhere.
    pub reports: Option<ReportMailboxes<'a>>,
}

/// Local parts at the return-path domain that take reports.
#[derive(Clone, Copy, Debug)]
pub struct ReportMailboxes<'a> {
    /// DMARC aggregate reports.
    pub dmarc: &'a str,
    /// TLS reports.
    pub tlsrpt: &'a str,
}

/// Every record that the domain wants, the most important first.
#[must_use]
pub fn records(setup: &DomainSetup<'_>) -> Vec<DnsRecord> {
    let mut out: Vec<DnsRecord> = setup.keys.iter().filter_map(|key| key.record(setup.domain)).collect();
    let return_path = setup.return_path.to_string();
    let mut add = |name: String, kind, value: String, purpose, need| {
        out.push(DnsRecord { name, kind, value, purpose, need });
    };
    add(return_path.clone(), RecordKind::Txt, spf(setup), Purpose::Spf, Need::Required);
    // The return path lies below the domain, so it is of the same organization, and no record has to allow that reports
    // go there (RFC 7489 §7.1).
    let mailbox = |local: &str| format!("mailto:{local}@{return_path}");
    let dmarc = match setup.reports {
        Some(reports) => format!("v=DMARC1; p=none; rua={}", mailbox(reports.dmarc)),
        None => "v=DMARC1; p=none".to_owned(),
    };
    add(format!("_dmarc.{}", setup.domain), RecordKind::Txt, dmarc, Purpose::Dmarc, Need::Required);
    let mx = format!("10 {}", setup.return_path_host);
    add(return_path.clone(), RecordKind::Mx, mx, Purpose::ReturnPathMx, Need::Required);
    let sts = "v=STSv1; id=1".to_owned();
    add(format!("_mta-sts.{return_path}"), RecordKind::Txt, sts, Purpose::MtaSts, Need::Recommended);
    let reports = match setup.reports {
        Some(reports) => mailbox(reports.tlsrpt),
        None => format!("mailto:tls-reports@{}", setup.domain),
    };
    let reports = format!("v=TLSRPTv1; rua={reports}");
    add(format!("_smtp._tls.{return_path}"), RecordKind::Txt, reports, Purpose::TlsRpt, Need::Recommended);
    let logo = format!("v=BIMI1; l=https://{}/logo.svg", setup.domain);
    add(format!("default._bimi.{}", setup.domain), RecordKind::Txt, logo, Purpose::Bimi, Need::Optional);
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
            need: Need::Required,
        };
        let name = DnsRecord {
            name: reverse_name(*ip),
            kind: RecordKind::Ptr,
            value: ehlo.to_string(),
            purpose: Purpose::HostName,
            need: Need::Required,
        };
        [address, name]
    };
    sources.iter().flat_map(pair).collect()
}

/// The address of the host that the links in mail lead to: this one, or a proxy before it, so any address is good.
/// RFC 8058 wants the link for unsubscribing to work, and so do recipients.
#[must_use]
pub fn link_record(host: &Domain, here: IpAddr) -> DnsRecord {
    DnsRecord {
        name: host.to_string(),
        kind: if here.is_ipv4() { RecordKind::A } else { RecordKind::Aaaa },
        value: here.to_string(),
        purpose: Purpose::LinkHost,
        need: Need::Recommended,
    }
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
