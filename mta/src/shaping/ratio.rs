//! Shares of bounces among the outcomes of the last hour, in slots of ten minutes. A restart begins anew; what a share has
//! led to is kept.

use std::collections::HashMap;
use std::hash::Hash;

const SLOT_MS: i64 = 600_000;
const SLOTS: usize = 6;
/// What is counted at most; beyond it the oldest are forgotten.
const KEYS_MAX: usize = 10_000;

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Which ten minutes.
    number: i64,
    all: u32,
    bounced: u32,
}

/// Outcomes of the last hour by what they are counted for.
pub(crate) struct Ratios<K> {
    counts: HashMap<K, [Slot; SLOTS]>,
}

/// Figures of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hour {
    pub all: u32,
    pub bounced: u32,
}

impl Hour {
    /// Whether at least so many percent bounced, of at least so many outcomes.
    pub fn reaches(self, percent: u32, minimum: u32) -> bool {
        self.all >= minimum && u64::from(self.bounced) * 100 >= u64::from(self.all) * u64::from(percent)
    }
}

impl<K: Eq + Hash> Ratios<K> {
    pub fn new() -> Ratios<K> {
        Ratios { counts: HashMap::new() }
    }

    /// Counts an outcome; the figures of the last hour with it.
    pub fn count(&mut self, key: K, bounced: bool, now_ms: i64) -> Hour {
        let number = now_ms.div_euclid(SLOT_MS);
        if self.counts.len() >= KEYS_MAX {
            self.forget(now_ms);
        }
        let slots = self.counts.entry(key).or_default();
        let place = usize::try_from(number.rem_euclid(SLOTS as i64)).unwrap_or(0);
        let slot = &mut slots[place];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.all = slot.all.saturating_add(1);
        slot.bounced = slot.bounced.saturating_add(u32::from(bounced));
        let recent = slots.iter().filter(|slot| slot.number > number - SLOTS as i64);
        recent.fold(Hour::default(), |hour, slot| Hour {
            all: hour.all.saturating_add(slot.all),
            bounced: hour.bounced.saturating_add(slot.bounced),
        })
    }

    /// Begins anew for one key: what it has led to is done, and must not follow again from the same outcomes.
    pub fn reset(&mut self, key: &K) {
        self.counts.remove(key);
    }

    /// Forgets what had no outcome in the last hour; everything when that is not enough.
    pub fn forget(&mut self, now_ms: i64) {
        let number = now_ms.div_euclid(SLOT_MS);
        self.counts.retain(|_, slots| slots.iter().any(|slot| slot.number > number - SLOTS as i64));
        if self.counts.len() >= KEYS_MAX {
            self.counts.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_slides() {
        let mut ratios = Ratios::new();
        let minute = 60_000;
        for n in 0..60 {
            ratios.count("a", n % 10 == 0, n * minute);
        }
        assert_eq!(ratios.count("a", false, 59 * minute), Hour { all: 61, bounced: 6 });
        // The first ten minutes, with one bounce, are over an hour old.
        assert_eq!(ratios.count("a", false, 60 * minute), Hour { all: 52, bounced: 5 });
        assert_eq!(ratios.count("b", true, 60 * minute), Hour { all: 1, bounced: 1 });
        ratios.reset(&"a");
        assert_eq!(ratios.count("a", true, 60 * minute), Hour { all: 1, bounced: 1 });
        ratios.forget(300 * minute);
        assert!(ratios.counts.is_empty());
    }

    #[test]
    fn shares_need_a_volume() {
        let hour = |all, bounced| Hour { all, bounced };
        assert!(hour(100, 5).reaches(5, 100));
        assert!(!hour(99, 99).reaches(5, 100));
        assert!(!hour(1000, 49).reaches(5, 100));
    }
}
