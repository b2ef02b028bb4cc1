//! A rate of messages, such as `100/h`.

use crate::setting::{Bounds, Setting, Wrong};
use std::fmt;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// Highest number of messages that a rate may name.
const MESSAGES_MAX: u32 = 1_000_000;

/// So many messages in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages, at least one.
    pub messages: u32,
    /// In how much time.
    pub per: Per,
}

/// The time that a rate counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// `/s`
    Second,
    /// `/m`
    Minute,
    /// `/h`
    Hour,
}

impl Rate {
    /// The time between two messages.
    #[must_use]
    pub fn interval(self) -> Duration {
        let span = match self.per {
            Per::Second => Duration::from_secs(1),
            Per::Minute => Duration::from_secs(60),
            Per::Hour => Duration::from_secs(3600),
        };
        span / self.messages
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => 's',
            Per::Minute => 'm',
            Per::Hour => 'h',
        };
        write!(f, "{}/{per}", self.messages)
    }
}

impl Setting for Rate {
    fn kind() -> String {
        "a rate of messages such as \"20/s\", \"600/m\" or \"5000/h\", 1 to 1000000".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().and_then(parse).ok_or_else(|| Wrong::at(value))
    }
}

fn parse(text: &str) -> Option<Rate> {
    let (number, per) = text.split_once('/')?;
    let per = match per.trim() {
        "s" => Per::Second,
        "m" => Per::Minute,
        "h" => Per::Hour,
        _ => return None,
    };
    let messages = number.trim().parse().ok().filter(|messages| (1..=MESSAGES_MAX).contains(messages))?;
    Some(Rate { messages, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, shown, interval_us) in [
            ("20/s", "20/s", 50_000),
            (" 600 / m", "600/m", 100_000),
            ("1/h", "1/h", 3_600_000_000),
            ("1000000/s", "1000000/s", 1),
        ] {
            let rate = parse(text).unwrap();
            assert_eq!((rate.to_string().as_str(), rate.interval().as_micros()), (shown, interval_us));
        }
        for text in ["", "20", "0/s", "20/d", "-1/s", "1.5/s", "1000001/s", "/s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
