//! The types that a setting may have: how each is read, and how it is named to people.

use mail::Domain;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeArray, DeValue};

/// Lowest and highest value as TOML text.
pub(crate) type Bounds = Option<[&'static str; 2]>;

/// What is wrong with a value.
pub(crate) struct Wrong {
    /// Where, in bytes of the text.
    pub at: Range<usize>,
    /// The part of the value, appended to the key's path: `[1].weight`.
    pub within: String,
    /// What it must be, when that is not what the declaration says.
    pub must: Option<String>,
    /// The reason, where the value alone doesn't show it.
    pub because: Option<&'static str>,
    /// The whole complaint, when "must be …, is …" doesn't fit.
    pub why: Option<String>,
}

impl Wrong {
    fn at(value: &Spanned<DeValue<'_>>) -> Vec<Wrong> {
        vec![Wrong { at: value.span(), within: String::new(), must: None, because: None, why: None }]
    }

    fn why(at: Range<usize>, why: String) -> Wrong {
        Wrong { at, within: String::new(), must: None, because: None, why: Some(why) }
    }
}

/// A type that a setting may have.
pub(crate) trait Setting: Sized {
    /// What it is, for people: `a whole number`.
    fn kind() -> String;

    /// The checked value.
    fn read(value: &Spanned<DeValue<'_>>, bounds: Bounds) -> Result<Self, Vec<Wrong>>;

    /// The value of a setting without default that isn't in the file; only options have one.
    fn unset() -> Option<Self> {
        None
    }
}

impl<T: Setting> Setting for Option<T> {
    fn kind() -> String {
        T::kind()
    }

    fn read(value: &Spanned<DeValue<'_>>, bounds: Bounds) -> Result<Self, Vec<Wrong>> {
        T::read(value, bounds).map(Some)
    }

    fn unset() -> Option<Self> {
        Some(None)
    }
}

impl Setting for bool {
    fn kind() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_bool().ok_or_else(|| Wrong::at(value))
    }
}

macro_rules! whole_number {
    ($($type:ty)+) => { $(
        impl Setting for $type {
            fn kind() -> String {
                "a whole number".to_owned()
            }

            fn read(value: &Spanned<DeValue<'_>>, bounds: Bounds) -> Result<Self, Vec<Wrong>> {
                let number = value
                    .get_ref()
                    .as_integer()
                    .and_then(|integer| <$type>::from_str_radix(integer.as_str(), integer.radix()).ok())
                    .ok_or_else(|| Wrong::at(value))?;
                let bound = |text: &str| text.replace('_', "").parse::<$type>();
                let within = bounds.is_none_or(|[low, high]| {
                    bound(low).is_ok_and(|low| low <= number) && bound(high).is_ok_and(|high| number <= high)
                });
                if within { Ok(number) } else { Err(Wrong::at(value)) }
            }
        }
    )+ };
}
whole_number!(u16 u32 u64);

impl Setting for Duration {
    fn kind() -> String {
        "a duration such as \"90s\", \"5m\" or \"48h\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, bounds: Bounds) -> Result<Self, Vec<Wrong>> {
        let duration = value.get_ref().as_str().and_then(parse_duration).ok_or_else(|| Wrong::at(value))?;
        let bound = |text: &str| parse_duration(text.trim_matches('"')).unwrap_or_default();
        if bounds.is_none_or(|[low, high]| (bound(low)..=bound(high)).contains(&duration)) {
            Ok(duration)
        } else {
            Err(Wrong::at(value))
        }
    }
}

/// Reads `1h30m`, `500ms`, `2d`: numbers with units, largest first or not, at least one.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_ms: u64 = match &rest[..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit_ms)?))?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

impl Setting for String {
    fn kind() -> String {
        "a text".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().map(str::to_owned).ok_or_else(|| Wrong::at(value))
    }
}

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

impl Setting for PathBuf {
    fn kind() -> String {
        "an absolute path".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let path = value.get_ref().as_str().map(PathBuf::from).filter(|path| path.is_absolute());
        path.ok_or_else(|| Wrong::at(value))
    }
}

impl Setting for Domain {
    fn kind() -> String {
        "a domain name such as \"mail.example.com\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let text = value.get_ref().as_str().ok_or_else(|| Wrong::at(value))?;
        let because = |error: mail::NotADomain| {
            Wrong::at(value).into_iter().map(|wrong| Wrong { because: Some(error.why), ..wrong }).collect()
        };
        Domain::parse(text).map_err(because)
    }
}

impl Setting for IpAddr {
    fn kind() -> String {
        "an IPv4 or IPv6 address such as \"198.51.100.7\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().and_then(|text| text.parse().ok()).ok_or_else(|| Wrong::at(value))
    }
}

impl Setting for SocketAddr {
    fn kind() -> String {
        "an IP address and port such as \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().and_then(|text| text.parse().ok()).ok_or_else(|| Wrong::at(value))
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

impl<T: Setting> Setting for Vec<T> {
    fn kind() -> String {
        format!("a list, each {}", T::kind())
    }

    fn read(value: &Spanned<DeValue<'_>>, bounds: Bounds) -> Result<Self, Vec<Wrong>> {
        let array: &DeArray<'_> = value.get_ref().as_array().ok_or_else(|| Wrong::at(value))?;
        let mut good = Vec::new();
        let mut wrongs = Vec::new();
        for (number, item) in array.iter().enumerate() {
            match T::read(item, bounds) {
                Ok(item) => good.push(item),
                Err(found) => wrongs.extend(found.into_iter().map(|mut wrong| {
                    wrong.within.insert_str(0, &format!("[{number}]"));
                    let range = bounds.map(|[low, high]| {
                        format!("{}, {} to {}", T::kind(), low.trim_matches('"'), high.trim_matches('"'))
                    });
                    wrong.must.get_or_insert_with(|| range.unwrap_or_else(T::kind));
                    wrong
                })),
            }
        }
        if wrongs.is_empty() { Ok(good) } else { Err(wrongs) }
    }
}

/// Declares an enum of words.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// The word that stands in the file.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl $crate::setting::Setting for $name {
            fn kind() -> String {
                $crate::setting::one_of(&[$($word),+])
            }

            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                _: $crate::setting::Bounds,
            ) -> Result<Self, Vec<$crate::setting::Wrong>> {
                match value.get_ref().as_str() {
                    $(Some($word) => Ok($name::$variant),)+
                    _ => Err($crate::setting::wrong_choice(value)),
                }
            }
        }
    };
}
pub(crate) use choice;

pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

pub(crate) fn wrong_choice(value: &Spanned<DeValue<'_>>) -> Vec<Wrong> {
    Wrong::at(value)
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
    fn durations() {
        for (text, expected_ms) in [
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("2d", Some(172_800_000)),
            ("0s", Some(0)),
            ("5", None),
            ("m", None),
            ("5 m", None),
            ("-5m", None),
            ("5y", None),
            ("", None),
            ("99999999999999999999h", None),
            ("9999999999999999h", None),
        ] {
            assert_eq!(parse_duration(text), expected_ms.map(Duration::from_millis), "{text}");
        }
    }
}
