//! Is what the DNS says what we want? Compared by meaning, record type by record type: a key may be written with other
//! white space, a policy may say more. What takes more than one look-up is judged elsewhere: whether an SPF record lets
//! our addresses send in `spf`, where a DMARC policy comes from in `dmarc`.

use crate::records::{DnsRecord, Purpose};
use crate::rotation::Sight;
use crate::spf::{self, Evaluation, Outcome};
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
/// `10 host`, the others as name or address. An SPF record is only looked at as a text here, see [`judge_spf`]; so is a
/// DMARC record, see [`crate::dmarc::judge`].
#[must_use]
pub fn compare(wanted: &DnsRecord, found: &[String]) -> Verdict {
    match wanted.purpose {
        Purpose::Dkim(_) => dkim(&wanted.value, found),
        Purpose::Revoked(_) => revoked(found),
        Purpose::Spf => spf_text(found),
        Purpose::Dmarc => one_of_version(found, "dmarc1", "DMARC"),
        Purpose::ReturnPathMx => mx(&wanted.value, found),
        Purpose::HostAddress | Purpose::HostName => name_or_address(&wanted.value, found),
        Purpose::MtaSts => mta_sts(found),
        Purpose::TlsRpt => tls_rpt(found),
        Purpose::Bimi => bimi(found),
        // A proxy may stand before it.
        Purpose::LinkHost if found.is_empty() => Verdict::Missing,
        Purpose::LinkHost => Verdict::Found,
    }
}

/// What the look-up of a key's record means for its rotation.
#[must_use]
pub fn sight(wanted: &DnsRecord, found: &[String]) -> Sight {
    match (wanted.purpose, compare(wanted, found)) {
        (Purpose::Revoked(_), Verdict::Missing) => Sight::Missing,
        (Purpose::Revoked(_), Verdict::Found) => Sight::Emptied,
        (_, Verdict::Found) => Sight::Visible,
        (_, Verdict::Missing) => Sight::Missing,
        (_, Verdict::Differs { .. }) if matches!(revoked(found), Verdict::Found) => Sight::Emptied,
        (_, Verdict::Differs { .. }) => Sight::Different,
    }
}

/// `k=v; k=v` as of RFC 6376 §3.2: names in lower case, white space around removed.
pub(crate) fn tags(record: &str) -> Vec<(String, String)> {
    let tag = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    record.split(';').filter_map(tag).collect()
}

pub(crate) fn tag<'a>(tags: &'a [(String, String)], name: &str) -> Option<&'a str> {
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

/// A key that is to be revoked (RFC 6376 §3.6.1): the record is there, its `p=` is empty. Being gone does as well.
fn revoked(found: &[String]) -> Verdict {
    let keys: Vec<_> = found.iter().map(|text| tags(text)).filter(|tags| tag(tags, "p").is_some()).collect();
    match keys.as_slice() {
        [] => Verdict::Missing,
        keys if keys.iter().all(|key| tag(key, "p").is_some_and(|p| p.trim().is_empty())) => Verdict::Found,
        _ => differs("the old key is still published; empty its p="),
    }
}

fn spf_text(found: &[String]) -> Verdict {
    let records: Vec<&String> = found.iter().filter(|text| spf::is_record(text.trim())).collect();
    match records.as_slice() {
        [] => Verdict::Missing,
        [record] => {
            let lower = record.to_ascii_lowercase();
            if lower.split_ascii_whitespace().any(|term| matches!(term, "all" | "+all")) {
                return differs("it allows the whole world: it ends with all instead of -all");
            }
            Verdict::Found
        }
        _ => differs("there are several SPF records; receivers then ignore all of them (RFC 7208 §4.5)"),
    }
}

/// What an SPF record does for each address that we send from; the note says it where all is well.
#[must_use]
pub fn judge_spf(evaluations: &[(IpAddr, Evaluation)]) -> (Verdict, String) {
    let refused: Vec<String> = evaluations.iter().filter_map(|(ip, evaluation)| refusal(*ip, evaluation)).collect();
    if !refused.is_empty() {
        return (differs(refused.join("; ")), String::new());
    }
    let lookups = evaluations.iter().map(|(_, evaluation)| evaluation.lookups).max().unwrap_or(0);
    let who = match evaluations {
        [(ip, _)] => format!("Mail from {ip} passes"),
        all => format!("Mail from each of {} addresses passes", all.len()),
    };
    (Verdict::Found, format!("{who}, with {lookups} of {} look-ups.", spf::LOOKUPS_MAX))
}

fn refusal(ip: IpAddr, evaluation: &Evaluation) -> Option<String> {
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    let by = if evaluation.by.is_empty() { "no term matches it".to_owned() } else { evaluation.by.join(" → ") };
    Some(match &evaluation.outcome {
        Outcome::Pass => return None,
        Outcome::Broken(why) => format!("receivers ignore the record for {ip}: {why}"),
        Outcome::NoAnswer(name) => format!("whether {ip} passes is unknown: no answer about {name}"),
        outcome => format!("mail from {ip} gets “{outcome}” ({by}); add {family}:{ip}"),
    })
}

/// Exactly one record that begins with `v=VERSION`.
fn one_of_version(found: &[String], version: &str, name: &str) -> Verdict {
    match of_version(found, version).len() {
        0 => Verdict::Missing,
        1 => Verdict::Found,
        _ => differs(format!("there are several {name} records; receivers then ignore all of them")),
    }
}

fn of_version(found: &[String], version: &str) -> Vec<Vec<(String, String)>> {
    let is = |tags: &Vec<(String, String)>| {
        tags.first().is_some_and(|(name, value)| name == "v" && value.eq_ignore_ascii_case(version))
    };
    found.iter().map(|text| tags(text)).filter(is).collect()
}

/// RFC 8461 §3.1.
fn mta_sts(found: &[String]) -> Verdict {
    let verdict = one_of_version(found, "stsv1", "MTA-STS");
    let records = of_version(found, "stsv1");
    match (verdict, records.first().and_then(|tags| tag(tags, "id"))) {
        (Verdict::Found, Some(id)) if (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Verdict::Found
        }
        (Verdict::Found, _) => differs("its id is not 1 to 32 letters and digits"),
        (verdict, _) => verdict,
    }
}

/// RFC 8460 §3.
fn tls_rpt(found: &[String]) -> Verdict {
    let verdict = one_of_version(found, "tlsrptv1", "TLS-RPT");
    let records = of_version(found, "tlsrptv1");
    let rua = records.first().and_then(|tags| tag(tags, "rua")).unwrap_or("");
    let known = rua.split(',').map(str::trim).any(|uri| uri.starts_with("mailto:") || uri.starts_with("https:"));
    match verdict {
        Verdict::Found if !known => differs("its rua names no mailto: or https: address"),
        verdict => verdict,
    }
}

fn bimi(found: &[String]) -> Verdict {
    let verdict = one_of_version(found, "bimi1", "BIMI");
    let records = of_version(found, "bimi1");
    let logo = records.first().and_then(|tags| tag(tags, "l")).unwrap_or("");
    match verdict {
        Verdict::Found if logo.is_empty() => differs("its l= is empty: the domain declines to show a logo"),
        Verdict::Found if !logo.starts_with("https://") => differs("its l= is no https address"),
        verdict => verdict,
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
