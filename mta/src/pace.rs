//! How many connections a lane may have now, how fast it moves, and when it will get to who has no room.

/// A lowered limit of connections grows by one after this.
const RECOVERY_MS: i64 = 60_000;
/// A recipient without room comes again after at least and at most this.
const NO_ROOM_MIN_MS: i64 = 1_000;
const NO_ROOM_MAX_MS: i64 = 900_000;
/// The same where a rate is the limit: what is lifted, or raised, has its effect after this at the latest.
const AT_A_RATE_MAX_MS: i64 = 3_600_000;
/// The same while nothing is known of the lane's pace.
const NO_ROOM_UNKNOWN_MS: i64 = 5_000;

/// Connections allowed: the provider's number, or less for a while.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limit {
    pub lowered: Option<(u32, i64)>,
}

impl Limit {
    pub fn at(&self, full: u32, now_ms: i64) -> u32 {
        let Some((lowered, since_ms)) = self.lowered else { return full };
        let grown = u32::try_from((now_ms - since_ms).max(0) / RECOVERY_MS).unwrap_or(u32::MAX);
        lowered.saturating_add(grown).min(full)
    }
}

/// How fast the lane moves, and when it will get to who has no room.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pace {
    /// Messages a second, smoothed.
    rate: f64,
    since_ms: i64,
    left: u32,
    /// The place in the line behind the last one who was sent away.
    line_end_ms: f64,
}

impl Pace {
    pub fn since(now_ms: i64) -> Pace {
        Pace { since_ms: now_ms, ..Pace::default() }
    }

    pub fn left(&mut self, now_ms: i64) {
        self.left += 1;
        let span = now_ms - self.since_ms;
        if span >= 1000 {
            let seen = f64::from(self.left) * 1000.0 / span as f64;
            // A long silence says nothing about the pace of now.
            self.rate = if self.rate == 0.0 || span > 10_000 { seen } else { 0.7 * self.rate + 0.3 * seen };
            (self.since_ms, self.left) = (now_ms, 0);
        }
    }

    /// Messages a second now: a lane that has come to a stop does not keep its old pace.
    pub fn now(&self, now_ms: i64) -> f64 {
        let span = now_ms - self.since_ms;
        if span < 2000 { self.rate } else { self.rate.min(f64::from(self.left + 1) * 1000.0 / span as f64) }
    }

    /// The same behind `waiting` others where a rate, in messages a second, is the limit: that one is known, and is not
    /// waited for less.
    pub fn place_at_rate(&mut self, waiting: usize, rate: f64, now_ms: i64) -> i64 {
        let each_ms = 1000.0 / rate;
        let behind_ms = now_ms as f64 + waiting as f64 * each_ms;
        let latest_ms = (now_ms + AT_A_RATE_MAX_MS) as f64;
        self.line_end_ms = (self.line_end_ms.max(behind_ms) + each_ms).min(latest_ms);
        (self.line_end_ms as i64).max(now_ms + NO_ROOM_MIN_MS)
    }

    /// When a recipient that finds no room is to come again, behind `waiting` others. A little early rather than late:
    /// who comes early is sent away once more, but a lane must not run dry. A young lane is not trusted far.
    pub fn place_in_line(&mut self, waiting: usize, age_ms: i64, now_ms: i64) -> i64 {
        let rate = self.now(now_ms);
        if rate <= 0.0 {
            return now_ms + NO_ROOM_UNKNOWN_MS;
        }
        let each_ms = 800.0 / rate;
        let behind_ms = now_ms as f64 + waiting as f64 * each_ms;
        self.line_end_ms = self.line_end_ms.max(behind_ms) + each_ms;
        let latest_ms = now_ms + age_ms.clamp(NO_ROOM_UNKNOWN_MS, NO_ROOM_MAX_MS);
        // The line is longer than can be foreseen: its end is looked at again then, and begins anew behind it.
        self.line_end_ms = self.line_end_ms.min(latest_ms as f64);
        (self.line_end_ms as i64).max(now_ms + NO_ROOM_MIN_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_limit_grows_back() {
        let limit = Limit { lowered: Some((2, 1000)) };
        let at = |now_ms| limit.at(4, now_ms);
        assert_eq!((at(1000), at(60_999), at(61_000), at(121_000), at(999_000)), (2, 2, 3, 4, 4));
        assert_eq!(Limit::default().at(4, 0), 4);
    }

    #[test]
    fn who_finds_no_room_comes_when_the_lane_gets_there() {
        let mut pace = Pace { rate: 8.0, ..Pace::default() };
        let hour = 3_600_000;
        assert_eq!(pace.place_in_line(50, hour, 0), 5_100);
        assert_eq!(pace.place_in_line(50, hour, 0), 5_200);
        pace.since_ms = 1_500;
        assert_eq!(pace.place_in_line(50, hour, 2_000), 7_100);
        let mut slow = Pace { rate: 0.01, ..Pace::default() };
        assert_eq!(slow.place_in_line(50, hour, 0), NO_ROOM_MAX_MS);
        assert_eq!(slow.place_in_line(50, 20_000, 0), 20_000, "a young lane is not trusted far");
        assert_eq!(Pace::default().place_in_line(50, hour, 0), NO_ROOM_UNKNOWN_MS);
    }

    #[test]
    fn at_a_rate_the_line_is_as_long_as_the_rate_says() {
        let mut pace = Pace::default();
        assert_eq!(pace.place_at_rate(2, 1.0 / 6.0, 0), 18_000);
        assert_eq!(pace.place_at_rate(2, 1.0 / 6.0, 0), 24_000);
        assert_eq!(pace.place_at_rate(2, 1.0 / 6.0, 600_000), 618_000, "the line has moved on");
        assert_eq!(pace.place_at_rate(5_000, 0.1, 0), AT_A_RATE_MAX_MS);
    }

    #[test]
    fn the_pace_is_measured() {
        let mut pace = Pace::default();
        for n in 1..=2000 {
            pace.left(n * 10);
        }
        assert!((90.0..110.0).contains(&pace.rate), "{}", pace.rate);
    }
}
