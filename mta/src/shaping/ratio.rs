//! Shares of bounces and complaints among the outcomes of the last hour, in slots of ten minutes. A restart begins anew;
//! what a share has led to is kept.
//!
//! What comes later by a report is counted in the hour in which it comes: that is when something can be done about it.

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
    complained: u32,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// An outcome that was no bounce.
    Taken,
    /// A bounce in the session.
    Bounced,
    /// A bounce of what has been counted as taken.
    BouncedLater,
    /// A complaint about what has been counted as taken.
    Complained,
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
    pub complained: u32,
}

impl Hour {
    /// Whether `n` of the outcomes are at least so many per mille, of at least so many outcomes.
    pub fn reaches(self, n: u32, permille: u32, minimum: u32) -> bool {
        self.all >= minimum && u64::from(n) * 1000 >= u64::from(self.all) * u64::from(permille)
    }
}

impl<K: Eq + Hash> Ratios<K> {
    pub fn new() -> Ratios<K> {
        Ratios { counts: HashMap::new() }
    }

    /// Counts; the figures of the last hour with it.
    pub fn count(&mut self, key: K, tell: Tell, now_ms: i64) -> Hour {
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
        slot.all = slot.all.saturating_add(u32::from(matches!(tell, Tell::Taken | Tell::Bounced)));
        slot.bounced = slot.bounced.saturating_add(u32::from(matches!(tell, Tell::Bounced | Tell::BouncedLater)));
        slot.complained = slot.complained.saturating_add(u32::from(tell == Tell::Complained));
        let recent = slots.iter().filter(|slot| slot.number > number - SLOTS as i64);
        recent.fold(Hour::default(), |hour, slot| Hour {
            all: hour.all.saturating_add(slot.all),
            bounced: hour.bounced.saturating_add(slot.bounced),
            complained: hour.complained.saturating_add(slot.complained),
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

    fn hour(all: u32, bounced: u32, complained: u32) -> Hour {
        Hour { all, bounced, complained }
    }

    #[test]
    fn an_hour_slides() {
        let mut ratios = Ratios::new();
        let minute = 60_000;
        for n in 0..60 {
            ratios.count("a", if n % 10 == 0 { Tell::Bounced } else { Tell::Taken }, n * minute);
        }
        assert_eq!(ratios.count("a", Tell::Taken, 59 * minute), hour(61, 6, 0));
        // The first ten minutes, with one bounce, are over an hour old.
        assert_eq!(ratios.count("a", Tell::Taken, 60 * minute), hour(52, 5, 0));
        assert_eq!(ratios.count("b", Tell::Bounced, 60 * minute), hour(1, 1, 0));
        ratios.reset(&"a");
        assert_eq!(ratios.count("a", Tell::Bounced, 60 * minute), hour(1, 1, 0));
        assert_eq!(ratios.count("a", Tell::BouncedLater, 61 * minute), hour(1, 2, 0));
        assert_eq!(ratios.count("a", Tell::Complained, 62 * minute), hour(1, 2, 1));
        ratios.forget(300 * minute);
        assert!(ratios.counts.is_empty());
    }

    #[test]
    fn shares_need_a_volume() {
        assert!(hour(100, 5, 0).reaches(5, 50, 100));
        assert!(!hour(99, 99, 0).reaches(99, 50, 100));
        assert!(!hour(1000, 49, 0).reaches(49, 50, 100));
        assert!(hour(1000, 0, 1).reaches(1, 1, 1000));
        assert!(!hour(2001, 0, 2).reaches(2, 1, 1000));
    }
}
