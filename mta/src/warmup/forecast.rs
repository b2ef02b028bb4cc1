//! When everybody who waits will have left, if every day goes well. Plain functions over plans and what left today.

use super::track::gap_ms;
use super::{DAY_MS, Plan, day_of};

/// Days looked ahead.
const DAYS_MAX: u32 = 400;

/// One source, or sending domain, at a provider.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// The plan that it follows.
    pub plan: &'a Plan,
    /// From 0.
    pub stage: u32,
    /// Whether it stays at this stage until a person resumes it.
    pub paused: bool,
    /// Left today.
    pub sent: u64,
}

/// What the warm-ups allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Messages that may still leave today; `None` where nothing is limited.
    pub today: Option<u64>,
    /// When the last one leaves; `None` when that is too far to be seen.
    pub finishes_ms: Option<i64>,
}

impl Forecast {
    /// What is left where this and another limit both hold.
    #[must_use]
    pub fn and(self, other: Forecast) -> Forecast {
        let today = [self.today, other.today].into_iter().flatten().min();
        let finishes_ms = self.finishes_ms.zip(other.finishes_ms).map(|(one, other)| one.max(other));
        Forecast { today, finishes_ms }
    }

    /// Nothing is limited.
    #[must_use]
    pub fn open(now_ms: i64) -> Forecast {
        Forecast { today: None, finishes_ms: Some(now_ms) }
    }
}

/// When `waiting` messages that are due now will have left over these ways together. Each stage is assumed to be left
/// after its day.
#[must_use]
pub fn forecast(waiting: u64, ways: &[Way<'_>], now_ms: i64) -> Forecast {
    if ways.is_empty() || ways.iter().any(|way| way.at(0).is_none()) {
        return Forecast::open(now_ms);
    }
    let end_ms = (day_of(now_ms) + 1) * DAY_MS;
    let today = ways.iter().map(|way| way.left_today(end_ms - now_ms)).sum();
    let mut rest = waiting;
    let mut from_ms = now_ms;
    let mut allowed: u64 = today;
    for days in 1..=DAYS_MAX {
        let span_ms = (day_of(from_ms) + 1) * DAY_MS - from_ms;
        if rest <= allowed {
            let part = rest as f64 / allowed.max(1) as f64;
            return Forecast { today: Some(today), finishes_ms: Some(from_ms + (part * span_ms as f64) as i64) };
        }
        rest -= allowed;
        from_ms += span_ms;
        let next: Option<u64> = ways.iter().map(|way| way.at(days)).sum();
        let Some(next) = next else {
            // One of them is warm from here on.
            return Forecast { today: Some(today), finishes_ms: Some(from_ms) };
        };
        allowed = next;
    }
    Forecast { today: Some(today), finishes_ms: None }
}

impl Way<'_> {
    /// The number of a day to come; `None` when nothing is limited then.
    fn at(&self, days: u32) -> Option<u64> {
        self.plan.target(if self.paused { self.stage } else { self.stage.saturating_add(days) })
    }

    /// What may still leave today, as close together as it may.
    fn left_today(&self, span_ms: i64) -> u64 {
        let target = self.at(0).unwrap_or(u64::MAX);
        let left = target.saturating_sub(self.sent);
        left.min((span_ms as f64 / gap_ms(target, left, span_ms)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn finishing_times() {
        let plan = Plan { name: "p".into(), stages: vec![200, 500, 1000] };
        let way = |stage, sent| Way { plan: &plan, stage, paused: false, sent };
        let paused = |stage| Way { paused: true, ..way(stage, 0) };
        let hours = |from: i64, waiting, ways: &[Way<'_>]| {
            let found = forecast(waiting, ways, from * HOUR);
            (found.today, found.finishes_ms.map(|at| at / HOUR))
        };
        assert_eq!(hours(12, 0, &[way(0, 0)]), (Some(200), Some(12)));
        assert_eq!(hours(12, 100, &[way(0, 0)]), (Some(200), Some(18)));
        assert_eq!(hours(12, 100, &[way(0, 150)]), (Some(50), Some(24 + 2)));
        assert_eq!(hours(12, 200 + 250, &[way(0, 0)]), (Some(200), Some(24 + 12)));
        assert_eq!(hours(12, 200 + 500 + 1000, &[way(0, 0)]), (Some(200), Some(72)));
        // Behind the last stage nothing is limited.
        assert_eq!(hours(12, 1_000_000, &[way(0, 0)]), (Some(200), Some(72)));
        assert_eq!(hours(12, 1_000_000, &[way(3, 0)]), (None, Some(12)));
        // Two sources together; one that is warm takes everything.
        assert_eq!(hours(0, 600, &[way(0, 0), way(1, 100)]), (Some(600), Some(24)));
        assert_eq!(hours(0, 600, &[way(0, 0), way(3, 0)]), (None, Some(0)));
        assert_eq!(hours(0, 1000, &[paused(0)]), (Some(200), Some(120)));
        assert_eq!(forecast(1_000_000, &[paused(0)], 0).finishes_ms, None);
        // Late in the day the day's number has no room any more.
        assert_eq!(forecast(600, &[way(1, 0)], 24 * HOUR - HOUR / 2).today, Some(250));
    }
}
