//! The types that a setting may have: how each is read, and how it is named to people.

use mail::Domain;
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
    pub fn at(value: &Spanned<DeValue<'_>>) -> Vec<Wrong> {
        vec![Wrong { at: value.span(), within: String::new(), must: None, because: None, why: None }]
    }

    pub fn why(at: Range<usize>, why: String) -> Wrong {
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
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
