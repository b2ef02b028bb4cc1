//! How the sources stand: whether this host has their addresses, and how much of their rate is left.
//!
//! Strategies: a source whose address is gone is taken out at once and comes back by itself. A rate is held at two gates.
//! The first one, where a source is chosen, lets in what leaves within seconds, and tells everybody else when to come
//! again, one after the other, so that nobody asks over and over. The second one, before a transaction, is exact: slots
//! follow each other at the rate's interval, over all sites and connections.

use crate::shared::lock;
use config::{Rate, Source};
use mail::WaitReason;
use std::sync::Mutex;
use std::time::Duration;
use storage::queue::Wait;

/// What is let in leaves within this.
const LEAD_US: i64 = 10_000_000;
/// A connection waits for its slot at most this long; what would wait longer goes back.
const SLOT_WAIT_US: i64 = 15_000_000;
/// Who finds no room comes again after at most this: a raised rate is noticed, and the line begins anew.
const LINE_US: i64 = 3_600_000_000;
/// Who finds its only sources gone comes again after at least this, and at most this much later.
const GONE_WAIT_MS: i64 = 60_000;
const GONE_SPREAD_MS: i64 = 240_000;

/// The sources, in the order of the configuration.
pub(crate) struct SourceStates(Vec<State>);

struct State {
    /// Why its address cannot be used, while it cannot.
    gone: Mutex<Option<String>>,
    pacer: Option<Mutex<Pacer>>,
}

/// When a message may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// After this.
    In(Duration),
    /// Not soon: it is to come again then.
    Later(i64),
}

impl SourceStates {
    pub fn new(sources: &[Source]) -> SourceStates {
        let state = |source: &Source| State {
            gone: Mutex::default(),
            pacer: source.max_rate.and_then(Rate::interval).map(|interval| Mutex::new(Pacer::new(interval))),
        };
        SourceStates(sources.iter().map(state).collect())
    }

    /// Why and until when nothing can be given to the source. `draw` is any random number.
    pub fn held(&self, source: usize, now_ms: i64, draw: u64) -> Option<Wait> {
        let state = &self.0[source];
        if lock(&state.gone).is_some() {
            let spread = i64::try_from(draw % GONE_SPREAD_MS.unsigned_abs()).unwrap_or(0);
            return Some(Wait { reason: WaitReason::Local, due_ms: now_ms + GONE_WAIT_MS + spread });
        }
        let due_ms = lock(state.pacer.as_ref()?).full_until(now_ms)?;
        Some(Wait { reason: WaitReason::Rate, due_ms })
    }

    /// A recipient was given to the source.
    pub fn given(&self, source: usize, now_ms: i64) {
        if let Some(pacer) = &self.0[source].pacer {
            lock(pacer).give(now_ms);
        }
    }

    /// A recipient was told to come again when the source has room: the next one comes after it.
    pub fn told_to_wait(&self, source: usize, now_ms: i64) {
        if let Some(pacer) = &self.0[source].pacer {
            lock(pacer).put_in_line(now_ms);
        }
    }

    /// Whether the source has a rate.
    pub fn is_paced(&self, source: usize) -> bool {
        self.0[source].pacer.is_some()
    }

    /// The next message's slot; `None` where the source has no rate.
    pub fn slot(&self, source: usize, now_ms: i64) -> Option<Slot> {
        self.0[source].pacer.as_ref().map(|pacer| lock(pacer).slot(now_ms))
    }

    /// Notes whether this host has the address; whether that is news.
    pub fn note(&self, source: usize, gone: Option<String>) -> bool {
        let mut now = lock(&self.0[source].gone);
        let is_news = now.is_some() != gone.is_some();
        *now = gone;
        is_news
    }

    /// Why the source is out, if it is.
    pub fn gone(&self, source: usize) -> Option<String> {
        lock(&self.0[source].gone).clone()
    }
}

/// Holds one rate. Times are microseconds since 1970.
struct Pacer {
    interval_us: i64,
    /// When everything that was let in will have left.
    given_until_us: i64,
    /// The end of the line of those who were told to come again.
    line_end_us: i64,
    /// The next free slot.
    next_slot_us: i64,
}

impl Pacer {
    fn new(interval: Duration) -> Pacer {
        // The longest is a day, so it always fits; slots a little too far apart keep the rate.
        let interval_us = i64::try_from(interval.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
        Pacer { interval_us, given_until_us: 0, line_end_us: 0, next_slot_us: 0 }
    }

    /// When there is room again; `None` when there is now.
    fn full_until(&self, now_ms: i64) -> Option<i64> {
        let room_us = self.given_until_us - LEAD_US;
        (room_us > now_ms * 1000).then(|| room_us.max(self.line_end_us).div_euclid(1000) + 1)
    }

    fn give(&mut self, now_ms: i64) {
        self.given_until_us = self.given_until_us.max(now_ms * 1000) + self.interval_us;
    }

    fn put_in_line(&mut self, now_ms: i64) {
        let end_us = self.line_end_us.max(self.given_until_us - LEAD_US) + self.interval_us;
        self.line_end_us = end_us.min(now_ms * 1000 + LINE_US);
    }

    fn slot(&mut self, now_ms: i64) -> Slot {
        let now_us = now_ms * 1000;
        let slot_us = self.next_slot_us.max(now_us);
        if slot_us - now_us > SLOT_WAIT_US {
            return Slot::Later(slot_us.div_euclid(1000) + 1);
        }
        self.next_slot_us = slot_us + self.interval_us;
        Slot::In(Duration::from_micros((slot_us - now_us).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pacer(messages: u32, per: Duration) -> Pacer {
        Pacer::new(per / messages)
    }

    #[test]
    fn those_without_room_come_one_after_the_other() {
        let mut pacer = pacer(1, Duration::from_secs(1));
        let mut due = Vec::new();
        for _ in 0..14 {
            match pacer.full_until(0) {
                None => pacer.give(0),
                Some(due_ms) => {
                    due.push(due_ms);
                    pacer.put_in_line(0);
                }
            }
        }
        // Eleven are let in: ten seconds' worth, and the one that leaves now.
        assert_eq!(due, [1001, 2001, 3001]);
        assert_eq!(pacer.full_until(1000), None);
        for _ in 0..10_000 {
            pacer.put_in_line(1000);
        }
        assert_eq!(pacer.line_end_us, 1_000_000 + LINE_US);
    }

    #[test]
    fn a_source_that_is_gone_holds_and_comes_back() {
        let config = config::parse("x", "[[source]]\nname = \"a\"\nip = \"127.0.1.1\"").unwrap();
        let states = SourceStates::new(&config.sources);
        assert_eq!(states.held(0, 5, 7), None);
        assert!(states.note(0, Some("not here".to_owned())));
        assert!(!states.note(0, Some("still not here".to_owned())), "no news");
        assert_eq!(states.held(0, 5, 7), Some(Wait { reason: WaitReason::Local, due_ms: 60_012 }));
        assert_eq!(states.gone(0).as_deref(), Some("still not here"));
        assert!(states.note(0, None));
        assert_eq!(states.held(0, 5, 7), None);
    }

    proptest! {
        /// Whoever asks whenever: in no span of the rate's length do more leave than it says.
        #[test]
        fn never_above_the_rate(messages in 1_u32..50, steps in prop::collection::vec(0_i64..3_000, 1..400)) {
            let mut pacer = pacer(messages, Duration::from_mins(1));
            let mut now_ms = 1_700_000_000_000;
            let mut left_us = Vec::new();
            for step in steps {
                now_ms += step;
                match pacer.slot(now_ms) {
                    Slot::In(wait) => left_us.push(now_ms * 1000 + i64::try_from(wait.as_micros()).unwrap()),
                    Slot::Later(due_ms) => prop_assert!(due_ms * 1000 > now_ms * 1000 + SLOT_WAIT_US),
                }
            }
            for (place, first) in left_us.iter().enumerate() {
                let within = left_us[place..].iter().filter(|at| **at - first < 60_000_000).count();
                prop_assert!(within <= messages as usize, "{within} in a minute");
            }
        }
    }
}
