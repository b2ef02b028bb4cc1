//! A rate as operators write it: `100/s`, `1000/min` (or `/m`), `5000/h`, or `none`.

use crate::setting::{Bounds, Setting, Wrong};
use std::fmt;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// How many things may happen in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As many as there are.
    Unlimited,
    /// So many in any span of this length.
    Per {
        /// How many; at least 1.
        count: u32,
        /// The span.
        per: Duration,
    },
}

// A rate is shown with the first unit of its span.
const UNITS: [(&str, Duration); 5] = [
    ("s", Duration::from_secs(1)),
    ("min", Duration::from_mins(1)),
    ("m", Duration::from_mins(1)),
    ("h", Duration::from_hours(1)),
    ("d", Duration::from_hours(24)),
];

/// Highest number before the stroke.
const COUNT_MAX: u32 = 100_000_000;

impl Rate {
    /// Reads `100/s`, `10/min`, `5000/h`, `20000/d` or `none`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Rate> {
        if text == "none" {
            return Some(Rate::Unlimited);
        }
        let (count, unit) = text.split_once('/')?;
        let count = count.trim().parse().ok().filter(|count| (1..=COUNT_MAX).contains(count))?;
        let per = UNITS.iter().find(|(name, _)| *name == unit.trim())?.1;
        Some(Rate::Per { count, per })
    }

    /// The time between two, where there is a limit.
    #[must_use]
    pub fn interval(self) -> Option<Duration> {
        match self {
            Rate::Unlimited => None,
            Rate::Per { count, per } => Some(per / count),
        }
    }

    /// How many a second, where there is a limit.
    #[must_use]
    pub fn per_second(self) -> Option<f64> {
        match self {
            Rate::Unlimited => None,
            Rate::Per { count, per } => Some(f64::from(count) / per.as_secs_f64()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Unlimited => f.write_str("none"),
            Rate::Per { count, per } => match UNITS.iter().find(|(_, span)| span == per) {
                Some((unit, _)) => write!(f, "{count}/{unit}"),
                None => write!(f, "{count} in {} s", per.as_secs()),
            },
        }
    }
}

impl Setting for Rate {
    fn kind() -> String {
        "a rate such as \"100/s\", \"1000/min\", \"5000/h\" or \"20000/d\", or \"none\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        value.get_ref().as_str().and_then(Rate::parse).ok_or_else(|| Wrong::at(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, expected) in [
            ("100/s", Some("100/s")),
            (" 10 / min", Some("10/min")),
            ("600/m", Some("600/min")),
            ("5000/h", Some("5000/h")),
            ("20000/d", Some("20000/d")),
            ("none", Some("none")),
            ("0/s", None),
            ("10", None),
            ("10/week", None),
            ("-1/s", None),
            ("999999999999/s", None),
        ] {
            assert_eq!(Rate::parse(text).map(|rate| rate.to_string()).as_deref(), expected, "{text}");
        }
    }
}
