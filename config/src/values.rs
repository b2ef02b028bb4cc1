//! The configuration's own types: what is more than a number or a text and not of `mail` either.

use crate::setting::{Bounds, Setting, Wrong};
use mail::{Domain, StreamKind};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use toml::Spanned;
use toml::de::DeValue;

/// A name that an operator gives to a thing: it occurs in the console, in metrics and in other settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name of our own, for what the operator left out.
    pub(crate) fn coined(text: &'static str) -> Name {
        Name(text.to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Name {
    fn kind() -> String {
        "a name of 1 to 40 lower-case letters, digits, \"-\", \"_\" or \".\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let good = |text: &&str| {
            (1..=40).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        };
        value.get_ref().as_str().filter(good).map(|text| Name(text.to_owned())).ok_or_else(|| Wrong::at(value))
    }
}

/// One label of a domain name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(String);

impl Label {
    /// The label, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Label {
    fn kind() -> String {
        "one label of a domain name, such as \"bounce\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let text = value.get_ref().as_str().filter(|text| !text.contains('.')).ok_or_else(|| Wrong::at(value))?;
        // A label is good when a domain made with it is.
        Domain::parse(&format!("{text}.example")).map_err(|_| Wrong::at(value))?;
        Ok(Label(text.to_ascii_lowercase()))
    }
}

/// The address of a DNS server; port 53 when none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsServer(pub SocketAddr);

impl Setting for DnsServer {
    fn kind() -> String {
        "an IP address with or without port, such as \"127.0.0.1\" or \"127.0.0.1:5353\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let text = value.get_ref().as_str().ok_or_else(|| Wrong::at(value))?;
        let ip_only = || text.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        text.parse().ok().or_else(ip_only).map(DnsServer).ok_or_else(|| Wrong::at(value))
    }
}

/// `http://` or `https://`, host, port, perhaps a path; without slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL without slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is HTTPS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The name of its host; `None` where that is an address, or a name that only this host knows.
    #[must_use]
    pub fn host(&self) -> Option<Domain> {
        let (_, rest) = self.0.split_once("://")?;
        let host = Domain::parse(rest.split(['/', ':']).next()?).ok()?;
        let text = host.as_str();
        let is_public = text.contains('.') && text.parse::<IpAddr>().is_err() && !text.ends_with(".localhost");
        is_public.then_some(host)
    }

    /// The URL of a plain HTTP listener.
    pub(crate) fn of_listener(listen: SocketAddr) -> PublicUrl {
        PublicUrl(format!("http://{listen}"))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for PublicUrl {
    fn kind() -> String {
        "an http or https URL such as \"https://mail.example.com\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let text = value.get_ref().as_str().ok_or_else(|| Wrong::at(value))?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let good = |rest: &&str| {
            // Links in mails are made by appending to it, so query and fragment have no place here.
            !rest.is_empty()
                && !rest.starts_with(['/', ':'])
                && rest.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"'<>\\@".contains(&b))
        };
        rest.filter(good).ok_or_else(|| Wrong::at(value))?;
        Ok(PublicUrl(text.trim_end_matches('/').to_owned()))
    }
}

impl Setting for StreamKind {
    fn kind() -> String {
        let words: Vec<&str> = StreamKind::ALL.iter().map(|kind| kind.as_str()).collect();
        crate::setting::one_of(&words)
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().and_then(StreamKind::parse).ok_or_else(|| Wrong::at(value))
    }
}

/// One source of a pool and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMember {
    /// Name of a `[[source]]`.
    pub source: Name,
    /// Its share of the pool's mail relative to the others' weights; 1 to 1000.
    pub weight: u32,
}

impl Setting for PoolMember {
    fn kind() -> String {
        "a table such as { source = \"mx1\", weight = 1 }, weight 1 to 1000 and 1 when left out".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let table = value.get_ref().as_table().ok_or_else(|| Wrong::at(value))?;
        let mut wrongs = Vec::new();
        let mut note = |within: &str, must: String, found: Vec<Wrong>| {
            wrongs.extend(found.into_iter().map(|wrong| Wrong {
                within: within.to_owned(),
                must: wrong.must.or(Some(must.clone())),
                ..wrong
            }));
        };
        let source = match table.get("source") {
            Some(source) => Name::read(source, None).map_err(|found| note(".source", Name::kind(), found)).ok(),
            None => {
                note("", String::new(), vec![Wrong::why(value.span(), "has no source".to_owned())]);
                None
            }
        };
        let weight = match table.get("weight") {
            Some(weight) => u32::read(weight, Some(["1", "1000"]))
                .map_err(|found| note(".weight", "a whole number, 1 to 1000".to_owned(), found))
                .ok(),
            None => Some(1),
        };
        for (key, _) in table.iter().filter(|(key, _)| !matches!(key.get_ref().as_ref(), "source" | "weight")) {
            let why = format!("has the unknown key {}; known here: source, weight", key.get_ref());
            note("", String::new(), vec![Wrong::why(key.span(), why)]);
        }
        match (source, weight) {
            (Some(source), Some(weight)) if wrongs.is_empty() => Ok(PoolMember { source, weight }),
            _ => Err(wrongs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_public_urls() {
        for (url, host) in [
            ("https://Mail.example.com", Some("mail.example.com")),
            ("http://mail.example.com:8443/boat", Some("mail.example.com")),
            ("http://127.0.0.1:8080", None),
            ("http://[::1]:8080", None),
            ("http://localhost:8080", None),
            ("http://boat.localhost", None),
        ] {
            let found = PublicUrl(url.to_owned()).host();
            assert_eq!(found.as_ref().map(Domain::as_str), host, "{url}");
        }
    }
}
