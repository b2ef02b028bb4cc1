//! Sources and their checks as words and tones.

use api_types::{Source, SourceCheck, SourceLevel};

use crate::tone::{Status, Tone};

/// How a source stands.
#[must_use]
pub fn state(source: &Source) -> Status {
    match (source.enabled, &source.out, source.level) {
        (false, ..) => (Tone::Neutral, "Switched off"),
        (true, Some(_), _) => (Tone::Danger, "Out"),
        (true, None, SourceLevel::Bad) => (Tone::Danger, "In use, with trouble"),
        (true, None, SourceLevel::Warning) => (Tone::Warning, "In use, with doubts"),
        (true, None, _) => (Tone::Success, "In use"),
    }
}

/// How a check stands.
#[must_use]
pub fn level(level: SourceLevel) -> Status {
    match level {
        SourceLevel::Off => (Tone::Neutral, "Not looked at"),
        SourceLevel::Good => (Tone::Success, "Good"),
        SourceLevel::Unsure => (Tone::Later, "Unsure"),
        SourceLevel::Warning => (Tone::Warning, "Doubtful"),
        SourceLevel::Bad => (Tone::Danger, "Bad"),
    }
}

/// What a check looks at.
#[must_use]
pub fn subject(check: &SourceCheck) -> String {
    let name = match check.subject.as_str() {
        "address" => "Address on this host",
        "ptr" => "Name of the address",
        "forward" => "Name leads back",
        "ehlo" => "EHLO says that name",
        "blocklist" if check.item.is_empty() => "Blocklists",
        "blocklist" => return format!("Blocklist {}", check.item),
        "port25" => "Port 25 outwards",
        other => return crate::tone::words(other),
    };
    name.to_owned()
}

/// Address, EHLO name, pools and rate as a sentence.
#[must_use]
pub fn sentence(source: &Source) -> String {
    let address = source.ip.as_deref().unwrap_or("an address that the system chooses");
    let pools = match source.pools.as_slice() {
        [] => "in no pool".to_owned(),
        [one] => format!("in the pool {one}"),
        many => format!("in the pools {}", many.join(", ")),
    };
    let rate = source.max_rate.as_deref().map(|rate| format!(", at most {rate}")).unwrap_or_default();
    format!("From {address}, says EHLO {}, {pools}{rate}.", source.ehlo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            name: "mx1".to_owned(),
            ip: Some("198.51.100.7".to_owned()),
            ehlo: "mx1.example.com".to_owned(),
            enabled: true,
            max_rate: None,
            pools: vec!["default".to_owned()],
            out: None,
            level: SourceLevel::Good,
            checked_at: None,
            checks: Vec::new(),
        }
    }

    #[test]
    fn words() {
        assert_eq!(state(&source()), (Tone::Success, "In use"));
        assert_eq!(state(&Source { out: Some("gone".to_owned()), ..source() }), (Tone::Danger, "Out"));
        let off = Source { enabled: false, out: Some("gone".to_owned()), ..source() };
        assert_eq!(state(&off), (Tone::Neutral, "Switched off"));
        assert_eq!(sentence(&source()), "From 198.51.100.7, says EHLO mx1.example.com, in the pool default.");
        let other = Source { ip: None, pools: vec![], max_rate: Some("20/s".to_owned()), ..source() };
        let expected = "From an address that the system chooses, says EHLO mx1.example.com, in no pool, at most 20/s.";
        assert_eq!(sentence(&other), expected);
    }
}
