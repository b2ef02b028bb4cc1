//! Which source a recipient leaves from. A plain function: weighted rotation in the pool; a retry keeps to its source,
//! unless that one is held there; when all are held, the recipient waits for the first that is free again.

use mail::WaitReason;
use storage::queue::Wait;

/// A source of the pool, as it stands at the recipient's site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which source.
    pub source: usize,
    /// Its share.
    pub weight: u32,
    /// Why and until when nothing goes from it to this site.
    pub held: Option<Wait>,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This source.
    Use(usize),
    /// None for now.
    Wait(Wait),
}

/// How long to wait when the pool has no source at all: until the operator mends the configuration.
const NO_SOURCE_WAIT_MS: i64 = 60_000;

/// Chooses. `draw` is any random number; `last` the source of the attempt before.
#[must_use]
pub fn choose(candidates: &[Candidate], last: Option<usize>, now_ms: i64, draw: u64) -> Choice {
    let held = |c: &Candidate| c.held.filter(|wait| wait.due_ms > now_ms);
    let free = || candidates.iter().filter(|c| held(c).is_none());
    if let Some(same) = free().find(|c| Some(c.source) == last) {
        return Choice::Use(same.source);
    }
    let total: u64 = free().map(|c| u64::from(c.weight.max(1))).sum();
    if total > 0 {
        let mut place = draw % total;
        for candidate in free() {
            let weight = u64::from(candidate.weight.max(1));
            if place < weight {
                return Choice::Use(candidate.source);
            }
            place -= weight;
        }
    }
    let first = candidates.iter().filter_map(held).min_by_key(|wait| wait.due_ms);
    let no_source = Wait { reason: WaitReason::Local, due_ms: now_ms + NO_SOURCE_WAIT_MS };
    Choice::Wait(first.unwrap_or(no_source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(source: usize, weight: u32, held_until_ms: Option<i64>) -> Candidate {
        let held = held_until_ms.map(|due_ms| Wait { reason: WaitReason::SourceBlocked, due_ms });
        Candidate { source, weight, held }
    }

    #[test]
    fn choices() {
        let pool = [candidate(0, 1, None), candidate(1, 3, None), candidate(2, 1, Some(500))];
        for (last, now_ms, draw, expected) in [
            (None, 100, 0, 0),
            (None, 100, 1, 1),
            (None, 100, 3, 1),
            (None, 100, 4, 0),
            (Some(1), 100, 0, 1),
            // Held at this site: another one of the pool.
            (Some(2), 100, 2, 1),
            (Some(2), 500, 0, 2),
            // Not of this pool any more.
            (Some(9), 100, 0, 0),
        ] {
            assert_eq!(choose(&pool, last, now_ms, draw), Choice::Use(expected), "{last:?} {now_ms} {draw}");
        }
    }

    #[test]
    fn all_held_or_none_there() {
        let wait = |reason, due_ms| Choice::Wait(Wait { reason, due_ms });
        let pool = [candidate(0, 1, Some(900)), candidate(1, 1, Some(500))];
        assert_eq!(choose(&pool, Some(0), 100, 0), wait(WaitReason::SourceBlocked, 500));
        assert_eq!(choose(&[], None, 100, 0), wait(WaitReason::Local, 60_100));
    }
}
