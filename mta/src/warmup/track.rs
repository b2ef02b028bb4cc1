//! One line on its present day: how much of the allowance is left, when the next message may leave, and where the line of
//! those who wait ends. Plain values; the caller brings the time.

use super::{DAY_MS, JUDGE_AFTER_MS, Plan, day_of};
use std::sync::Arc;

/// The whole allowance is never spent in less than this, however late in the day the mail comes.
const SPREAD_MIN_MS: i64 = 3_600_000;
/// Places that nobody took are kept for so long: who comes a little late still finds its own.
const LATE_MS: f64 = 10_000.0;

/// How a track stands for one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing is limited.
    Open,
    /// One may leave now.
    Now,
    /// One may leave today, about then.
    Today(i64),
    /// Today is used up; about then.
    Later(i64),
}

/// A source or sending domain at a provider, today.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    plan: Arc<Plan>,
    stage: u32,
    done: bool,
    /// Days since 1970, UTC; judged up to here.
    day: i64,
    /// Left today.
    sent: u64,
    /// Permits out.
    outstanding: u64,
    /// When the next one may leave.
    next_ms: f64,
    /// The end of the line of those who wait.
    line_ms: f64,
}

impl Track {
    pub fn new(plan: &Arc<Plan>, (stage, done): (u32, bool), day: i64, sent: u64) -> Track {
        let opens_ms = (day * DAY_MS + JUDGE_AFTER_MS) as f64;
        Track { plan: plan.clone(), stage, done, day, sent, outstanding: 0, next_ms: opens_ms, line_ms: opens_ms }
    }

    /// Goes on where the track was that stood for the same day. Permits of an earlier day are void: see `put_back`.
    pub fn inherit(&mut self, before: &Track) {
        if before.day == self.day {
            self.sent = before.sent;
            self.outstanding = before.outstanding;
            self.next_ms = before.next_ms;
        }
    }

    /// Whether it must be kept as it is: what is stored does not know of permits that are out.
    pub fn is_busy(&self) -> bool {
        self.outstanding > 0
    }

    /// How it stands.
    pub fn look(&self, now_ms: i64) -> Look {
        if self.is_open() {
            return Look::Open;
        }
        if day_of(now_ms) > self.day {
            // Not judged yet: in a moment.
            return Look::Today((day_of(now_ms) * DAY_MS + JUDGE_AFTER_MS).max(now_ms) + 1_000);
        }
        if self.left() > 0 && self.next_ms <= now_ms as f64 {
            return Look::Now;
        }
        let place = self.line_end(now_ms);
        if place < self.end_ms() as f64 { Look::Today(whole_second(place)) } else { Look::Later(whole_second(place)) }
    }

    /// Takes a permit; only where `look` says that one may leave now, or that nothing is limited. Whether it is to be
    /// given back.
    pub fn take(&mut self, now_ms: i64) -> bool {
        if self.look(now_ms) != Look::Now {
            return false;
        }
        self.next_ms = self.next_ms.max(now_ms as f64 - LATE_MS) + self.gap_today(now_ms);
        self.outstanding += 1;
        true
    }

    /// Gives a place in the line to one that waits: when it is to come.
    pub fn queue(&mut self, now_ms: i64) -> i64 {
        if let (Look::Today(due_ms), true) = (self.look(now_ms), day_of(now_ms) > self.day) {
            return due_ms;
        }
        let place = self.line_end(now_ms);
        self.line_ms = place + self.gap_at(place, now_ms);
        whole_second(place)
    }

    /// Those who had places are asked to come now: the line begins anew, or its old places would stand empty.
    pub fn begin_line(&mut self) {
        self.line_ms = self.next_ms;
    }

    /// A permit of that day comes back, and whether its message left. One of an earlier day changes nothing: its message
    /// left on that day, or needs a new permit.
    pub fn put_back(&mut self, day: i64, left: bool) {
        if day == self.day {
            self.outstanding = self.outstanding.saturating_sub(1);
            self.sent += u64::from(left);
        }
    }

    fn is_open(&self) -> bool {
        self.done || self.plan.target(self.stage).is_none()
    }

    fn target(&self) -> u64 {
        self.plan.target(self.stage).unwrap_or(u64::MAX)
    }

    fn left(&self) -> u64 {
        self.target().saturating_sub(self.sent + self.outstanding)
    }

    fn end_ms(&self) -> i64 {
        (self.day + 1) * DAY_MS
    }

    /// Time between two messages, so that what is left lasts until the day ends.
    fn gap_today(&self, now_ms: i64) -> f64 {
        gap_ms(self.target(), self.left(), self.end_ms() - now_ms)
    }

    /// The end of the line, not before the next place and never on a day that is used up.
    fn line_end(&self, now_ms: i64) -> f64 {
        let place = self.line_ms.max(self.next_ms).max(now_ms as f64);
        let next_day_ms = (self.end_ms() + JUDGE_AFTER_MS) as f64;
        if self.left() == 0 || place >= self.end_ms() as f64 { place.max(next_day_ms) } else { place }
    }

    /// Time between two places in the line. Of the days to come the best is assumed: who comes too early is sent to the
    /// end of the line once more, but a stage whose mail comes too late would never be left.
    fn gap_at(&self, place_ms: f64, now_ms: i64) -> f64 {
        if place_ms < self.end_ms() as f64 {
            return self.gap_today(now_ms);
        }
        let days = u32::try_from(day_of(place_ms as i64) - self.day).unwrap_or(0);
        let target = self.plan.target(self.stage + days).or(self.plan.stages.last().copied()).unwrap_or(1);
        DAY_MS as f64 / target.max(1) as f64
    }
}

/// Time between two messages when `left` of a day's `target` are to last for `span_ms`.
pub(super) fn gap_ms(target: u64, left: u64, span_ms: i64) -> f64 {
    let even = span_ms.max(0) as f64 / left.max(1) as f64;
    even.max(SPREAD_MIN_MS as f64 / target.max(1) as f64)
}

/// Up to the next whole second, so that those of one second are claimed together.
fn whole_second(ms: f64) -> i64 {
    ((ms / 1000.0).ceil() as i64).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn track(stages: &[u64], day: i64) -> Track {
        let plan = Arc::new(Plan { name: "p".into(), stages: stages.to_vec() });
        Track::new(&plan, (0, false), day, 0)
    }

    /// Somebody asks every second from `from` until the day's end; what left, hour by hour.
    fn check(target: u64, from: i64, expected: Expect) {
        let mut track = track(&[target], 0);
        let mut hours = [0_u64; 24];
        let mut first_minute = 0;
        for second in (from / 1000)..(DAY_MS / 1000) {
            while track.take(second * 1000) {
                track.put_back(0, true);
                hours[(second / 3600) as usize] += 1;
                first_minute += u64::from(second * 1000 - from < MINUTE);
            }
        }
        let told = hours.iter().skip((from / HOUR) as usize).map(u64::to_string).collect::<Vec<_>>().join(" ");
        expected
            .assert_eq(&format!("{told}; {first_minute} in the first minute, {} in all", hours.iter().sum::<u64>()));
    }

    #[test]
    fn a_day_is_spread() {
        check(200, 0, expect!["9 8 8 9 8 8 9 8 8 9 8 8 9 8 8 9 8 8 9 8 8 9 8 8; 1 in the first minute, 200 in all"]);
        check(
            200,
            9 * HOUR,
            expect!["14 13 14 13 13 14 13 13 14 13 13 14 13 13 13; 1 in the first minute, 200 in all"],
        );
        check(200, 20 * HOUR, expect!["51 50 50 49; 1 in the first minute, 200 in all"]);
        check(100_000, 23 * HOUR + 30 * MINUTE, expect!["50251; 1917 in the first minute, 50251 in all"]);
        check(
            10_000_000,
            12 * HOUR,
            expect![
                "835234 833150 833150 833150 833150 833150 833150 833150 833150 833151 833150 833136; 15969 in the first minute, 9999871 in all"
            ],
        );
    }

    #[test]
    fn who_waits_is_laid_along_the_days() {
        let mut track = track(&[4, 8, 16], 0);
        assert_eq!(track.look(0), Look::Today(30_000));
        assert_eq!(track.look(HOUR), Look::Now);
        assert!(track.take(HOUR));
        let hours: Vec<f64> = (0..16).map(|_| track.queue(HOUR) as f64 / HOUR as f64).collect();
        let told: Vec<String> = hours.iter().map(|hours| format!("{hours:.2}")).collect();
        expect!["6.75 14.41 22.08 29.75 32.75 35.75 38.75 41.75 44.75 47.75 50.75 52.25 53.75 55.25 56.75 58.25"]
            .assert_eq(&told.join(" "));
        // Nobody else comes between them today.
        assert!(matches!(track.look(HOUR), Look::Later(_)));
        track.put_back(0, false);
        assert_eq!(track.look(23 * HOUR), Look::Now, "a place that came back is there for who comes");
    }

    #[test]
    fn a_line_that_begins_anew_has_its_places_again() {
        let mut track = track(&[4, 8, 16], 0);
        let first = track.queue(HOUR);
        let second = track.queue(HOUR);
        assert!(second > first);
        track.begin_line();
        assert_eq!([track.queue(HOUR), track.queue(HOUR)], [first, second]);
    }

    #[test]
    fn a_stage_that_is_behind_the_last_is_open() {
        let mut track = track(&[4], 0);
        track.stage = 1;
        assert_eq!((track.look(0), track.take(0)), (Look::Open, false));
        assert_eq!(track.look(9 * DAY_MS), Look::Open, "whatever the day");
    }

    #[test]
    fn until_a_day_is_judged_nothing_leaves() {
        let mut track = track(&[4, 8], 0);
        assert_eq!(track.look(DAY_MS + 1), Look::Today(DAY_MS + 31_000));
        assert_eq!(track.queue(DAY_MS + 40_000), DAY_MS + 41_000, "it may take longer");
        assert!(!track.take(DAY_MS + 40_000));
    }

    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Take,
        Queue,
        Leave,
        Drop,
        Restart,
        Judge { stage: u32 },
    }

    fn deeds() -> impl Strategy<Value = Vec<(i64, Deed)>> {
        let deed = prop_oneof![
            8 => Just(Deed::Take),
            2 => Just(Deed::Queue),
            6 => Just(Deed::Leave),
            2 => Just(Deed::Drop),
            1 => Just(Deed::Restart),
            1 => (0..3_u32).prop_map(|stage| Deed::Judge { stage }),
        ];
        prop::collection::vec((0..4 * HOUR, deed), 1..400)
    }

    proptest! {
        #[test]
        fn never_above_in_any_order_of_arrivals(deeds in deeds()) {
            let plan = Arc::new(Plan { name: "p".into(), stages: vec![5, 9, 20] });
            let mut track = Track::new(&plan, (0, false), 0, 0);
            // What is on disk: counted when a message leaves. Permits are known by their days.
            let (mut stage, mut sent) = (0_u32, 0_u64);
            let mut permits: Vec<i64> = Vec::new();
            let mut now_ms = 0;
            for (pause_ms, deed) in deeds {
                now_ms += pause_ms;
                let today = day_of(now_ms);
                match deed {
                    Deed::Take if track.take(now_ms) => permits.push(today),
                    Deed::Queue => prop_assert!(track.queue(now_ms) >= now_ms),
                    Deed::Leave => {
                        if let Some(day) = permits.pop() {
                            // One of an earlier day must be taken anew.
                            let valid = day == today || track.take(now_ms);
                            track.put_back(if valid { today } else { day }, valid);
                            sent += u64::from(valid);
                        }
                    }
                    Deed::Drop => permits.pop().into_iter().for_each(|day| track.put_back(day, false)),
                    // Permits die with the program.
                    Deed::Restart => {
                        permits.clear();
                        track = Track::new(&plan, (stage, false), track.day, sent);
                    }
                    Deed::Judge { stage: to } if today > track.day => {
                        (stage, sent) = (to, 0);
                        let mut next = Track::new(&plan, (stage, false), today, 0);
                        next.inherit(&track);
                        track = next;
                    }
                    Deed::Take | Deed::Judge { .. } => {}
                }
                prop_assert_eq!(track.sent, sent);
                let of_today = permits.iter().filter(|day| **day == track.day).count() as u64;
                prop_assert_eq!(track.outstanding, of_today);
                prop_assert!(sent + of_today <= plan.stages[stage as usize], "{} and {} of stage {}", sent, of_today, stage);
            }
        }
    }
}
