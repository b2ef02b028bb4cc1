//! The terms of an SPF record (RFC 7208 §4.6.1, §5, §6).

use std::net::IpAddr;

/// A record, its terms in order.
#[derive(Debug)]
pub(super) struct Record {
    pub terms: Vec<Term>,
    pub redirect: Option<String>,
}

/// A mechanism with its sign.
#[derive(Debug)]
pub(super) struct Term {
    pub qualifier: Qualifier,
    pub mechanism: Mechanism,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// Domains as written: with macros, and `None` where the record's own is meant.
#[derive(Debug)]
pub(super) enum Mechanism {
    All,
    Ip(IpAddr, u8),
    Include(String),
    A(Option<String>, Cidr),
    Mx(Option<String>, Cidr),
    Ptr(Option<String>),
    Exists(String),
}

/// How many bits of an address count, per family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    pub four: u8,
    pub six: u8,
}

impl Record {
    /// The record without its version; a term that is not understood is the error.
    pub fn parse(text: &str) -> Result<Record, String> {
        let mut record = Record { terms: Vec::new(), redirect: None };
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            match modifier(term) {
                Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                    // RFC 7208 §6: at most one.
                    if value.is_empty() || record.redirect.replace(value.to_owned()).is_some() {
                        return Err(term.to_owned());
                    }
                }
                // RFC 7208 §6: modifiers that nobody knows are left alone.
                Some(_) => {}
                None => record.terms.push(mechanism(term).ok_or_else(|| term.to_owned())?),
            }
        }
        // RFC 7208 §6.1: with `all` there is nothing left to redirect.
        if record.terms.iter().any(|term| matches!(term.mechanism, Mechanism::All)) {
            record.redirect = None;
        }
        Ok(record)
    }
}

/// `name=value`, where the name is one and no mechanism's argument comes before the equals sign.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut bytes = name.bytes();
    let first = bytes.next()?;
    let good = first.is_ascii_alphabetic() && bytes.all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    good.then_some((name, value))
}

fn mechanism(text: &str) -> Option<Term> {
    let (qualifier, rest) = match text.as_bytes().first()? {
        b'+' => (Qualifier::Pass, &text[1..]),
        b'-' => (Qualifier::Fail, &text[1..]),
        b'~' => (Qualifier::SoftFail, &text[1..]),
        b'?' => (Qualifier::Neutral, &text[1..]),
        _ => (Qualifier::Pass, text),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, argument) = rest.split_at(end);
    let spec = argument.strip_prefix(':');
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if argument.is_empty() => Mechanism::All,
        "ip4" => ip(spec?, true)?,
        "ip6" => ip(spec?, false)?,
        "include" => Mechanism::Include(named(spec?)?),
        "exists" => Mechanism::Exists(named(spec?)?),
        "a" => {
            let (spec, cidr) = dual_cidr(argument)?;
            Mechanism::A(spec, cidr)
        }
        "mx" => {
            let (spec, cidr) = dual_cidr(argument)?;
            Mechanism::Mx(spec, cidr)
        }
        "ptr" if argument.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(named(spec?)?)),
        _ => return None,
    };
    Some(Term { qualifier, mechanism, text: text.to_owned() })
}

fn named(spec: &str) -> Option<String> {
    (!spec.is_empty()).then(|| spec.to_owned())
}

fn ip(text: &str, four: bool) -> Option<Mechanism> {
    let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
    let ip: IpAddr = ip.parse().ok()?;
    let all = if four { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| length(bits, all))?;
    (ip.is_ipv4() == four).then_some(Mechanism::Ip(ip, bits))
}

/// RFC 7208 §5.6: digits without a leading zero.
fn length(text: &str, max: u8) -> Option<u8> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let bits: u8 = text.parse().ok()?;
    (plain && bits <= max).then_some(bits)
}

/// `:domain/24//64`, each part optional. A slash inside a macro's braces is none of these.
fn dual_cidr(argument: &str) -> Option<(Option<String>, Cidr)> {
    let after_macros = argument.rfind('}').unwrap_or(0);
    let slash = argument[after_macros..].find('/').map(|at| at + after_macros);
    let (spec, cidr) = argument.split_at(slash.unwrap_or(argument.len()));
    let spec = match spec {
        "" => None,
        spec => Some(named(spec.strip_prefix(':')?)?),
    };
    let (four, six) = match cidr.split_once("//") {
        Some((four, six)) => (four, Some(six)),
        None => (cidr, None),
    };
    let four = match four.strip_prefix('/') {
        Some(bits) => length(bits, 32)?,
        None => 32,
    };
    let six = six.map_or(Some(128), |bits| length(bits, 128))?;
    Some((spec, Cidr { four, six }))
}

/// Whether the first bits of both addresses are the same.
pub(super) fn covers(network: IpAddr, bits: u8, ip: IpAddr) -> bool {
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let shift = 32 - u32::from(bits);
            network.to_bits().checked_shr(shift).unwrap_or(0) == ip.to_bits().checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let shift = 128 - u32::from(bits);
            network.to_bits().checked_shr(shift).unwrap_or(0) == ip.to_bits().checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}
