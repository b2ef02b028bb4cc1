//! Small forms of text that many handlers need: times, tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use world::Random;

/// A stored moment as the API shows it: RFC 3339, UTC, milliseconds.
pub(crate) fn time(at_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(at_ms) {
        Ok(at) => format!("{at:.3}"),
        // Beyond the year 9999: nothing of ours writes that.
        Err(_) => String::new(),
    }
}

/// A moment as mail writes it: RFC 5322 §3.3, UTC.
pub(crate) fn mail_date(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC));
    // Beyond the year 9999: nothing of ours writes that.
    at.and_then(|at| jiff::fmt::rfc2822::to_string(&at)).unwrap_or_default()
}

/// 256 random bits as text that may stand in URLs and cookies.
pub(crate) fn token(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_milliseconds() {
        assert_eq!(super::time(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        assert_eq!(super::time(0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn mail_dates() {
        assert_eq!(super::mail_date(1_700_000_000_007), "Tue, 14 Nov 2023 22:13:20 +0000");
    }

    #[test]
    fn tokens_differ() {
        let (one, other) = (super::token(&world::SystemRandom), super::token(&world::SystemRandom));
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
    }
}
