//! Memory for the content of messages that are being received, all sessions together. What is reserved is given back
//! when the reservation is dropped, which is after the message is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Reserved in steps of this size, so that the common counter is touched once for most messages.
const STEP: usize = 64 * 1024;

/// Bytes that there are.
pub(super) struct Budget {
    left: AtomicUsize,
}

/// Bytes that one message has.
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes: usize) -> Arc<Budget> {
        Arc::new(Budget { left: AtomicUsize::new(bytes) })
    }

    pub fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Reservation {
    /// Grows to at least `wanted` bytes; `false` when there are not so many left.
    pub fn grow_to(&mut self, wanted: usize) -> bool {
        if wanted <= self.bytes {
            return true;
        }
        let more = (wanted - self.bytes).next_multiple_of(STEP);
        let taken =
            self.budget.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(more)).is_ok();
        if taken {
            self.bytes += more;
        }
        taken
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_there_is_and_all_of_it_comes_back() {
        let budget = Budget::new(4 * STEP);
        let (mut one, mut other) = (budget.reserve(), budget.reserve());
        assert!(one.grow_to(1) && one.grow_to(STEP) && one.grow_to(STEP + 1));
        assert!(other.grow_to(2 * STEP) && !other.grow_to(2 * STEP + 1) && !one.grow_to(3 * STEP));
        drop(one);
        assert!(other.grow_to(4 * STEP) && !budget.reserve().grow_to(1));
        drop(other);
        assert_eq!(budget.left.load(Ordering::Acquire), 4 * STEP);
    }
}
