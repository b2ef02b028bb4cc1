//! Rates, kept strictly: in no span of a rate's length more than its number, whatever the order of arrivals.
//!
//! Strategy: a small burst, then evenly spaced (GCRA). A bucket of `burst` places that refills one place per interval
//! lets through at most `burst + span / interval - 1` in a half-open span; the interval is chosen so that this is the
//! rate's number. The price is that a rate is used up to 95 % only.

use config::Rate;
use std::collections::HashMap;
use std::hash::Hash;

/// One in so many of a rate's number may go at once, and at most `BURST_MAX`.
const BURST_PART: u32 = 20;
const BURST_MAX: u32 = 20;

/// A bucket's memory: the moment by which everything let through would have gone evenly spaced, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    even_us: i64,
}

/// Interval and slack of a rate, in microseconds.
#[derive(Clone, Copy)]
struct Spacing {
    interval_us: i64,
    slack_us: i64,
}

fn spacing(rate: Rate) -> Option<Spacing> {
    let Rate::Per { count, per } = rate else { return None };
    let burst = (count / BURST_PART).clamp(1, BURST_MAX);
    let per_us = i64::try_from(per.as_micros()).unwrap_or(i64::MAX / 4);
    let places = i64::from(count - burst + 1);
    let interval_us = (per_us + places - 1) / places;
    Some(Spacing { interval_us, slack_us: i64::from(burst - 1) * interval_us })
}

impl Bucket {
    /// From when on one more may go.
    fn due_us(self, spacing: Spacing) -> i64 {
        self.even_us - spacing.slack_us
    }

    fn let_through(&mut self, spacing: Spacing, now_us: i64) {
        self.even_us = self.even_us.max(now_us) + spacing.interval_us;
    }
}

/// Buckets by what they count.
pub(crate) struct Meter<K> {
    buckets: HashMap<K, Bucket>,
}

impl<K: Eq + Hash + Clone> Meter<K> {
    pub fn new() -> Meter<K> {
        Meter { buckets: HashMap::new() }
    }

    /// Lets one through when every rate allows it; else says from when on they all would.
    pub fn take(&mut self, wanted: &[(K, Rate)], now_ms: i64) -> Result<(), i64> {
        let due_ms = self.due_ms(wanted);
        if due_ms > now_ms {
            return Err(due_ms);
        }
        let now_us = now_ms.saturating_mul(1000);
        for (key, rate) in wanted {
            let Some(spacing) = spacing(*rate) else { continue };
            match self.buckets.get_mut(key) {
                Some(bucket) => bucket.let_through(spacing, now_us),
                None => {
                    let mut bucket = Bucket { even_us: now_us };
                    bucket.let_through(spacing, now_us);
                    self.buckets.insert(key.clone(), bucket);
                }
            }
        }
        Ok(())
    }

    /// From when on every rate allows one more; may lie in the past.
    pub fn due_ms(&self, wanted: &[(K, Rate)]) -> i64 {
        let due = |(key, rate): &(K, Rate)| Some(self.buckets.get(key)?.due_us(spacing(*rate)?));
        let due_us = wanted.iter().filter_map(due).max().unwrap_or(i64::MIN);
        // Rounded up: not a moment too early.
        due_us.saturating_add(999).div_euclid(1000)
    }

    /// Forgets buckets that are as good as new.
    pub fn forget(&mut self, now_ms: i64) {
        let now_us = now_ms.saturating_mul(1000);
        self.buckets.retain(|_, bucket| bucket.even_us > now_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    #[test]
    fn a_burst_then_evenly() {
        let mut meter = Meter::new();
        let wanted = [("lane", rate("60/min"))];
        let mut gone = Vec::new();
        for now_ms in (0..5_000).step_by(50) {
            if meter.take(&wanted, now_ms).is_ok() {
                gone.push(now_ms);
            }
        }
        assert_eq!(gone, [0, 50, 100, 1_050, 2_100, 3_150, 4_150]);
        assert_eq!(meter.take(&wanted, 4_300), Err(5_173));
        meter.forget(60_000);
        assert!(meter.buckets.is_empty());
    }

    #[test]
    fn no_limit_is_no_bucket() {
        let mut meter = Meter::new();
        let wanted = [("lane", Rate::Unlimited)];
        assert!((0..1000).all(|_| meter.take(&wanted, 0).is_ok()));
        assert!(meter.buckets.is_empty());
    }

    proptest! {
        /// Whatever the order, and whoever shares a bucket: never more than the number in any span of the rate's length.
        #[test]
        fn never_above(
            count in 1..300_u32,
            shared in 1..300_u32,
            per_s in prop::sample::select(vec![1_u64, 60, 3600]),
            steps in prop::collection::vec((0..3_usize, 0..2000_i64, 1..40_u32), 1..200),
        ) {
            let per = Duration::from_secs(per_s);
            let own = Rate::Per { count, per };
            let all = Rate::Per { count: shared, per };
            let mut meter = Meter::new();
            let mut now_ms = 0;
            let mut gone: Vec<(usize, i64)> = Vec::new();
            for (lane, pause_ms, tries) in steps {
                now_ms += pause_ms * i64::try_from(per_s).unwrap() / 20;
                for _ in 0..tries {
                    let wanted = [(Some(lane), own), (None, all)];
                    match meter.take(&wanted, now_ms) {
                        Ok(()) => gone.push((lane, now_ms)),
                        Err(due_ms) => {
                            prop_assert!(due_ms > now_ms, "nobody is told to try at once");
                            break;
                        }
                    }
                }
                meter.forget(now_ms);
            }
            let per_ms = i64::try_from(per.as_millis()).unwrap();
            let most = |of: &dyn Fn(usize) -> bool| {
                let times: Vec<i64> = gone.iter().filter(|(lane, _)| of(*lane)).map(|(_, at)| *at).collect();
                (0..times.len()).map(|n| times[n..].iter().take_while(|at| **at < times[n] + per_ms).count()).max().unwrap_or(0)
            };
            for lane in 0..3 {
                prop_assert!(most(&|l| l == lane) <= count as usize);
            }
            prop_assert!(most(&|_| true) <= shared as usize);
        }
    }
}
