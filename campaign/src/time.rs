//! Moments as the API writes them.

/// RFC 3339 in UTC, with milliseconds.
#[must_use]
pub fn rfc3339(at_ms: i64) -> api_types::Time {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn milliseconds_always() {
        assert_eq!(super::rfc3339(1_772_328_600_000), "2026-03-01T01:30:00.000Z");
        assert_eq!(super::rfc3339(1_772_328_600_042), "2026-03-01T01:30:00.042Z");
        assert_eq!(super::rfc3339(i64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
