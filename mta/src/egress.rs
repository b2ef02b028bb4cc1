//! Which source a recipient leaves from. A plain function: weighted rotation in the pool; a retry keeps to its source,
//! unless that one is held there; a source that warms up goes first while it may; what a pool may not send goes to its
//! overflow pool; when nobody may, the recipient waits for the first that may again.

use crate::warmup::Look;
use mail::{StreamKind, WaitReason};
use storage::queue::Wait;

/// A source of the pool, as it stands at the recipient's site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Which source.
    pub source: usize,
    /// Its share.
    pub weight: u32,
    /// Why and until when nothing goes from it to this site.
    pub held: Option<Wait>,
    /// What its warm-up allows.
    pub look: Look,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This source.
    Use(usize),
    /// In line for this source's warm-up.
    Queue(usize),
    /// None for now.
    Wait(Wait),
}

/// How long to wait when the pool has no source at all: until the operator mends the configuration.
const NO_SOURCE_WAIT_MS: i64 = 60_000;

/// What is known of the recipient, beside its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// Campaign mail waits in line for a place of today; a single mail does so only when nobody else may take it.
    pub kind: StreamKind,
    /// The source of the attempt before.
    pub last: Option<usize>,
    /// Now.
    pub now_ms: i64,
    /// Any random number.
    pub draw: u64,
}

/// Chooses among the pool's sources, then among those of its overflow pool, and so on.
pub(crate) fn choose(pools: &[Vec<Candidate>], asking: &Asking) -> Choice {
    let chosen = pools.iter().find_map(|pool| choose_in(pool, asking));
    chosen.unwrap_or_else(|| first_again(pools, asking.now_ms))
}

fn choose_in(pool: &[Candidate], asking: &Asking) -> Option<Choice> {
    let patient = asking.kind == StreamKind::Bulk;
    let is_held = |c: &Candidate| c.held.is_some_and(|wait| wait.due_ms > asking.now_ms);
    let may = |c: &&Candidate| {
        let has_place = matches!(c.look, Look::Open | Look::Now) || (patient && matches!(c.look, Look::Today(_)));
        !is_held(c) && has_place
    };
    let chosen = |c: &Candidate| match c.look {
        Look::Open | Look::Now => Choice::Use(c.source),
        Look::Today(_) | Look::Later(_) => Choice::Queue(c.source),
    };
    if let Some(same) = pool.iter().filter(may).find(|c| Some(c.source) == asking.last) {
        return Some(chosen(same));
    }
    // Its allowance of the moment would be lost otherwise, and its stage never left.
    let warming = drawn(pool.iter().filter(may).filter(|c| c.look == Look::Now), asking.draw);
    warming.or_else(|| drawn(pool.iter().filter(may), asking.draw)).map(chosen)
}

/// One of them, by weight.
fn drawn<'c>(candidates: impl Iterator<Item = &'c Candidate> + Clone, draw: u64) -> Option<&'c Candidate> {
    let weight = |c: &Candidate| u64::from(c.weight.max(1));
    let total: u64 = candidates.clone().map(weight).sum();
    let mut place = draw.checked_rem(total)?;
    candidates.into_iter().find(|c| {
        let found = place < weight(c);
        place = place.saturating_sub(weight(c));
        found
    })
}

/// Nobody may: the first that may again.
fn first_again(pools: &[Vec<Candidate>], now_ms: i64) -> Choice {
    let again = |c: &Candidate| match (c.held.filter(|wait| wait.due_ms > now_ms), c.look) {
        (Some(wait), _) => (wait.due_ms, Choice::Wait(wait)),
        (None, Look::Today(due_ms) | Look::Later(due_ms)) => (due_ms, Choice::Queue(c.source)),
        (None, Look::Open | Look::Now) => (now_ms, Choice::Use(c.source)),
    };
    let first = pools.iter().flatten().map(again).min_by_key(|(due_ms, _)| *due_ms);
    let no_source = Wait { reason: WaitReason::Local, due_ms: now_ms + NO_SOURCE_WAIT_MS };
    first.map_or(Choice::Wait(no_source), |(_, choice)| choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(source: usize, weight: u32, held_until_ms: Option<i64>) -> Candidate {
        let held = held_until_ms.map(|due_ms| Wait { reason: WaitReason::SourceBlocked, due_ms });
        Candidate { source, weight, held, look: Look::Open }
    }

    fn warming(source: usize, look: Look) -> Candidate {
        Candidate { look, ..candidate(source, 1, None) }
    }

    fn bulk(last: Option<usize>, now_ms: i64, draw: u64) -> Asking {
        Asking { kind: StreamKind::Bulk, last, now_ms, draw }
    }

    #[test]
    fn choices() {
        let pool = [vec![candidate(0, 1, None), candidate(1, 3, None), candidate(2, 1, Some(500))]];
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
            let found = choose(&pool, &bulk(last, now_ms, draw));
            assert_eq!(found, Choice::Use(expected), "{last:?} {now_ms} {draw}");
        }
    }

    #[test]
    fn all_held_or_none_there() {
        let wait = |reason, due_ms| Choice::Wait(Wait { reason, due_ms });
        let pool = [vec![candidate(0, 1, Some(900)), candidate(1, 1, Some(500))]];
        assert_eq!(choose(&pool, &bulk(Some(0), 100, 0)), wait(WaitReason::SourceBlocked, 500));
        assert_eq!(choose(&[], &bulk(None, 100, 0)), wait(WaitReason::Local, 60_100));
    }

    #[test]
    fn warm_up_and_overflow() {
        use Choice as C;
        use Look as L;
        let warm = candidate(9, 1, None);
        let blocked = candidate(5, 1, Some(700));
        let (kinds, t) = ((StreamKind::Bulk, StreamKind::Transactional), 100);
        for (what, first, overflow, expected) in [
            ("a place now goes before a warm one", vec![warm, warming(0, L::Now)], vec![], (C::Use(0), C::Use(0))),
            ("one pool, a place today", vec![warming(0, L::Today(400))], vec![], (C::Queue(0), C::Queue(0))),
            ("the line before the overflow", vec![warming(0, L::Today(400))], vec![warm], (C::Queue(0), C::Use(9))),
            ("used up", vec![warming(0, L::Later(900))], vec![warm], (C::Use(9), C::Use(9))),
            ("used up, another one", vec![warming(0, L::Later(900)), warm], vec![], (C::Use(9), C::Use(9))),
            ("blocked", vec![blocked], vec![warm], (C::Use(9), C::Use(9))),
            (
                "all of it used up",
                vec![warming(0, L::Later(900))],
                vec![warming(1, L::Later(800))],
                (C::Queue(1), C::Queue(1)),
            ),
            ("blocked for less", vec![warming(0, L::Later(900)), blocked], vec![], {
                let wait = C::Wait(Wait { reason: WaitReason::SourceBlocked, due_ms: 700 });
                (wait, wait)
            }),
        ] {
            let pools = [first, overflow];
            let asking = |kind| Asking { kind, last: None, now_ms: t, draw: 0 };
            let found = (choose(&pools, &asking(kinds.0)), choose(&pools, &asking(kinds.1)));
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn a_retry_keeps_to_its_source() {
        let pools = [vec![warming(0, Look::Today(400)), candidate(1, 1, None), warming(2, Look::Now)]];
        assert_eq!(choose(&pools, &bulk(Some(0), 100, 0)), Choice::Queue(0));
        assert_eq!(choose(&pools, &bulk(Some(1), 100, 0)), Choice::Use(1));
        let single = Asking { kind: StreamKind::Transactional, ..bulk(Some(0), 100, 0) };
        assert_eq!(choose(&pools, &single), Choice::Use(2), "a single mail does not stand in line");
    }
}
