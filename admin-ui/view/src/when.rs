//! Moments and spans in words. The browser knows the local zone; here are only differences.

/// A span as one or two units: `45 s`, `12 min`, `3 h 20 min`, `4 days`.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} min", seconds / 60),
        3_600..=86_399 => match seconds % 3600 / 60 {
            0 => format!("{} h", seconds / 3600),
            minutes => format!("{} h {minutes} min", seconds / 3600),
        },
        86_400..=172_799 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A moment relative to now, in milliseconds: `in 3 h`, `5 min ago`, `just now`.
#[must_use]
pub fn relative(moment_ms: f64, now_ms: f64) -> String {
    let seconds = ((moment_ms - now_ms) / 1000.0).abs().floor() as u64;
    // Coarser than `span`: "3 h ago", not "3 h 20 min ago".
    let words = match seconds {
        0..=9 if moment_ms > now_ms => return "in a few seconds".to_owned(),
        0..=9 => return "just now".to_owned(),
        3_600..=86_399 => format!("{} h", seconds / 3600),
        _ => span(seconds),
    };
    if moment_ms > now_ms { format!("in {words}") } else { format!("{words} ago") }
}

/// `29 Oct` of `2026-10-29`, for where there is little room; anything else as it is.
#[must_use]
pub fn short_day(day: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = day.split('-').skip(1).map(|part| part.parse::<usize>().ok());
    let (month, date) = (parts.next().flatten(), parts.next().flatten());
    match month.and_then(|month| MONTHS.get(month.checked_sub(1)?)).zip(date) {
        Some((month, date)) => format!("{date} {month}"),
        None => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_in_words() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_600, "1 h"),
            (3_660, "1 h 1 min"),
            (86_400, "1 day"),
            (338_400, "3 days"),
        ];
        for (seconds, words) in cases {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn moments_relative_to_now() {
        let now = 1_000_000_000.0;
        let cases = [
            (now, "just now"),
            (now - 9_000.0, "just now"),
            (now + 4_000.0, "in a few seconds"),
            (now - 30_000.0, "30 s ago"),
            (now + 3.4 * 3_600_000.0, "in 3 h"),
            (now - 2.0 * 86_400_000.0, "2 days ago"),
        ];
        for (moment, words) in cases {
            assert_eq!(relative(moment, now), words);
        }
    }

    #[test]
    fn short_days() {
        for (day, short) in [("2026-10-29", "29 Oct"), ("2026-01-02", "2 Jan"), ("2026-13-01", "2026-13-01"), ("", "")]
        {
            assert_eq!(short_day(day), short);
        }
    }
}
