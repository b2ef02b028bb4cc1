//! Is what the DNS says what we want? Compared by meaning, record type by record type: an SPF record may list more
//! addresses, a DMARC policy may be stricter, a key may be written with other white space.

use crate::records::{DnsRecord, Purpose};
use std::net::IpAddr;

/// How a wanted record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does its work.
    Found,
    /// Nothing of the kind is there.
    Missing,
    /// Something is there that doesn't do the work.
    Differs {
        /// What is wrong with it, for people.
        why: String,
    },
}

fn differs(why: impl Into<String>) -> Verdict {
    Verdict::Differs { why: why.into() }
}

/// Compares a wanted record with the values found under its name and type: TXT with its strings joined, MX as
/// `10 host`, the others as name or address.
#[must_use]
pub fn compare(wanted: &DnsRecord, found: &[String]) -> Verdict {
    match wanted.purpose {
        Purpose::Dkim(_) => dkim(&wanted.value, found),
        Purpose::Spf => spf(&wanted.value, found),
        Purpose::Dmarc => dmarc(found),
        Purpose::ReturnPathMx => mx(&wanted.value, found),
        Purpose::HostAddress | Purpose::HostName => name_or_address(&wanted.value, found),
    }
}

/// `k=v; k=v` as of RFC 6376 §3.2: names in lower case, white space around removed.
fn tags(record: &str) -> Vec<(String, String)> {
    let tag = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    record.split(';').filter_map(tag).collect()
}

fn tag<'a>(tags: &'a [(String, String)], name: &str) -> Option<&'a str> {
    tags.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn dkim(wanted: &str, found: &[String]) -> Verdict {
    let wanted = tags(wanted);
    // Anything with a p= under a _domainkey name is meant as a key; a wildcard's SPF record is not.
    let keys: Vec<_> = found.iter().map(|text| tags(text)).filter(|tags| tag(tags, "p").is_some()).collect();
    let key_of = |tags: &[(String, String)]| {
        tag(tags, "p").unwrap_or("").chars().filter(|c| !c.is_whitespace()).collect::<String>()
    };
    let type_of = |tags: &[(String, String)]| tag(tags, "k").unwrap_or("rsa").to_ascii_lowercase();
    if keys.is_empty() {
        return Verdict::Missing;
    }
    if keys.len() > 1 {
        return differs("there are several keys under this name; receivers may take any of them (RFC 6376 §3.6.2.2)");
    }
    let key = &keys[0];
    if key_of(key).is_empty() {
        return differs("the key is revoked: its p= is empty");
    }
    if type_of(key) != type_of(&wanted) {
        return differs(format!("the key is of type {}, wanted is {}", type_of(key), type_of(&wanted)));
    }
    if key_of(key) != key_of(&wanted) {
        let shorter = key_of(&wanted).starts_with(&key_of(key));
        return differs(if shorter {
            "the key is cut off; publish it in several strings of one record"
        } else {
            "it is another key"
        });
    }
    if tag(key, "v").is_some_and(|version| version != "DKIM1") {
        return differs("its version is not DKIM1");
    }
    Verdict::Found
}

fn spf(wanted: &str, found: &[String]) -> Verdict {
    let lower: Vec<String> = found.iter().map(|text| text.trim().to_ascii_lowercase()).collect();
    let records: Vec<&String> =
        lower.iter().filter(|text| text.as_str() == "v=spf1" || text.starts_with("v=spf1 ")).collect();
    if records.is_empty() {
        return Verdict::Missing;
    }
    if records.len() > 1 {
        return differs("there are several SPF records; receivers then ignore all of them (RFC 7208 §4.5)");
    }
    let terms: Vec<&str> =
        records[0].split_ascii_whitespace().skip(1).map(|term| term.trim_start_matches('+')).collect();
    let wanted = wanted.to_ascii_lowercase();
    let missing: Vec<&str> = wanted
        .split_ascii_whitespace()
        .skip(1)
        .filter(|term| *term != "-all" && !terms.contains(term) && !terms.iter().any(|range| covers(range, term)))
        .collect();
    if !missing.is_empty() {
        return differs(format!("it lacks {}", missing.join(" ")));
    }
    if terms.contains(&"all") {
        return differs("it allows the whole world: it ends with all instead of -all");
    }
    Verdict::Found
}

/// Whether `ip4:198.51.100.0/24` covers `ip4:198.51.100.7`.
fn covers(range: &str, wanted: &str) -> bool {
    let address = |term: &str| {
        let text = term.strip_prefix("ip4:").or_else(|| term.strip_prefix("ip6:"))?;
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.parse().ok()?;
        let all = if ip.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Some(all), |bits| bits.parse().ok())?;
        (bits <= all).then_some((ip, bits))
    };
    let (Some((range, bits)), Some((wanted, _))) = (address(range), address(wanted)) else { return false };
    match (range, wanted) {
        (IpAddr::V4(range), IpAddr::V4(wanted)) => {
            let shift = 32 - bits;
            range.to_bits().checked_shr(shift).unwrap_or(0) == wanted.to_bits().checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(range), IpAddr::V6(wanted)) => {
            let shift = 128 - bits;
            range.to_bits().checked_shr(shift).unwrap_or(0) == wanted.to_bits().checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

fn dmarc(found: &[String]) -> Verdict {
    let records: Vec<_> = found
        .iter()
        .map(|text| tags(text))
        .filter(|tags| tags.first().is_some_and(|(name, value)| name == "v" && value.eq_ignore_ascii_case("dmarc1")))
        .collect();
    match records.as_slice() {
        [] => Verdict::Missing,
        [record] => match tag(record, "p").map(str::to_ascii_lowercase).as_deref() {
            Some("none" | "quarantine" | "reject") => Verdict::Found,
            Some(other) => differs(format!("its policy p={other} is not none, quarantine or reject")),
            None => differs("it has no policy; add p=none at least"),
        },
        _ => differs("there are several DMARC records; receivers then ignore all of them (RFC 7489 §6.6.3)"),
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

fn mx(wanted: &str, found: &[String]) -> Verdict {
    let parse = |text: &str| {
        let mut words = text.split_ascii_whitespace();
        let preference: u16 = words.next()?.parse().ok()?;
        Some((preference, words.next().unwrap_or("").to_owned()))
    };
    let Some((_, host)) = parse(wanted) else { return Verdict::Missing };
    let mut hosts: Vec<(u16, String)> = found.iter().filter_map(|text| parse(text)).collect();
    hosts.sort();
    let Some((best, first)) = hosts.first() else { return Verdict::Missing };
    match hosts.iter().find(|(_, name)| same_name(name, &host)) {
        None => differs(format!("it leads to {first}, not to {host}")),
        Some((preference, _)) if preference > best => {
            differs(format!("bounces go to {first} first, and only then to {host}"))
        }
        Some(_) => Verdict::Found,
    }
}

fn name_or_address(wanted: &str, found: &[String]) -> Verdict {
    let same = |text: &String| match (text.parse::<IpAddr>(), wanted.parse::<IpAddr>()) {
        (Ok(found), Ok(wanted)) => found == wanted,
        _ => same_name(text, wanted),
    };
    match found {
        [] => Verdict::Missing,
        _ if found.iter().any(same) => Verdict::Found,
        _ => differs(format!("it leads to {}, not to {wanted}", found.join(", "))),
    }
}
