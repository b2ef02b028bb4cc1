//! Macros in the domains of SPF terms (RFC 7208 §7).

use super::Mail;
use std::net::IpAddr;

/// RFC 7208 §7.3: a longer name loses labels on the left.
const NAME_MAX: usize = 253;

/// The domain with its macros replaced; `None` where one is not understood.
pub(super) fn expand(spec: &str, mail: &Mail<'_>, domain: &str) -> Option<String> {
    let mut out = String::with_capacity(spec.len());
    let mut rest = spec;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next()? {
            '%' => out.push('%'),
            '_' => out.push(' '),
            '-' => out.push_str("%20"),
            '{' => {
                let (body, after) = chars.as_str().split_once('}')?;
                out.push_str(&one(body, mail, domain)?);
                rest = after;
                continue;
            }
            _ => return None,
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Some(shortened(out.trim_end_matches('.')).to_owned())
}

fn shortened(mut name: &str) -> &str {
    while name.len() > NAME_MAX {
        match name.split_once('.') {
            Some((_, rest)) => name = rest,
            None => return name,
        }
    }
    name
}

/// `ir`, `d2`, `l1r-`: a letter, how many parts from the right, reversed or not, and what separates the parts.
fn one(body: &str, mail: &Mail<'_>, domain: &str) -> Option<String> {
    let letter = body.chars().next()?.to_ascii_lowercase();
    let value = match letter {
        's' => format!("{}@{}", mail.local, mail.domain),
        'l' => mail.local.to_owned(),
        'o' => mail.domain.to_owned(),
        'd' => domain.to_owned(),
        'i' => dotted(mail.ip),
        // Finding out costs look-ups and is advised against; "unknown" is allowed (RFC 7208 §7.3).
        'p' => "unknown".to_owned(),
        'v' => if mail.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        'h' => mail.helo.to_owned(),
        _ => return None,
    };
    let transformers = &body[1..];
    let digits = transformers.bytes().take_while(u8::is_ascii_digit).count();
    let (count, rest) = transformers.split_at(digits);
    let keep: usize = if count.is_empty() { usize::MAX } else { count.parse().ok()? };
    let (reversed, separators) = match rest.strip_prefix(['r', 'R']) {
        Some(separators) => (true, separators),
        None => (false, rest),
    };
    let known = separators.chars().all(|c| ".-+,/_=".contains(c));
    if keep == 0 || !known {
        return None;
    }
    let mut parts: Vec<&str> = if separators.is_empty() {
        value.split('.').collect()
    } else {
        value.split(|c| separators.contains(c)).collect()
    };
    if reversed {
        parts.reverse();
    }
    let from = parts.len().saturating_sub(keep);
    Some(parts[from..].join("."))
}

/// RFC 7208 §7.3: IPv6 as nibbles.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7208 §7.4.
    #[test]
    fn the_examples_of_the_standard() {
        let mail = |ip: &str| Mail {
            ip: ip.parse().unwrap(),
            local: "strong-bad",
            domain: "email.example.com",
            helo: "mx.example.org",
        };
        let four = mail("192.0.2.3");
        let six = mail("2001:db8::cb01");
        for (spec, expanded) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ] {
            assert_eq!(expand(spec, &four, "email.example.com").as_deref(), Some(expanded), "{spec}");
        }
        let expanded = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com";
        assert_eq!(expand("%{ir}.%{v}._spf.%{d2}", &six, "email.example.com").as_deref(), Some(expanded));
        for wrong in ["%{x}", "%{d0}", "%{d", "%d", "%{d2!}", "%"] {
            assert_eq!(expand(wrong, &four, "email.example.com"), None, "{wrong}");
        }
        let long = format!("%{{d}}.{}example.net", "a.".repeat(150));
        assert!(expand(&long, &four, "email.example.com").unwrap().len() <= NAME_MAX);
    }
}
