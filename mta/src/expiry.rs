//! Expiry: whoever's time is over ends, wherever it waits; held mail too, and that of paused campaigns.
//!
//! Strategy: the queue is known in blocks of ids with the time at which the first of each block ends, so that a look costs
//! what is due and what is new, however long the queue is. That holds because ids ascend with the time of acceptance, and
//! nobody's time is changed afterwards. The blocks are learnt by one walk after a start. An index would be kept at the
//! cost of a page written for each recipient.

use crate::hold::off_clock;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use storage::queue::{self, Walked};
use storage::{RecipientId, StorageError};

/// Between two passes.
const EVERY: Duration = Duration::from_secs(30);
/// Recipients of a block, which are looked at together: some 50 ms of one reader.
const CHUNK: u32 = 50_000;
/// Recipients that end in one commit.
const COMMIT: usize = 1_000;
/// Between two blocks and between two commits: the writer and the readers are there for sending first.
const PAUSE: Duration = Duration::from_millis(100);

/// Ids above the first, up to the second.
type Range = (RecipientId, RecipientId);

/// What is known of the queue.
#[derive(Debug)]
struct Blocks {
    /// By their last id: the id before the first, and when the first of them ends.
    known: BTreeMap<RecipientId, (RecipientId, i64)>,
    /// Ids above this one are in no block yet.
    new_after: RecipientId,
}

impl Blocks {
    /// Nothing is known yet.
    fn new() -> Blocks {
        Blocks { known: BTreeMap::new(), new_after: RecipientId(0) }
    }

    /// What to look at next, in a pass that has come to `at`: a block in which somebody's time is over, or what is new.
    fn next(&self, at: RecipientId, now_ms: i64) -> Range {
        let later = self.known.range(RecipientId(at.0.saturating_add(1))..);
        let mut due = later.filter(|(_, (_, earliest_ms))| *earliest_ms <= now_ms);
        due.next().map_or((self.new_after, RecipientId(i64::MAX)), |(last, (after, _))| (*after, *last))
    }

    /// A range was walked, and whoever is over has ended. Where the pass has come to; `None` at its end.
    fn walked(
        &mut self,
        (after, last): Range,
        earliest_ms: Option<i64>,
        full: Option<RecipientId>,
    ) -> Option<RecipientId> {
        let last = if after < self.new_after {
            last
        } else {
            // What is not a whole block yet is walked again with what joins it.
            self.new_after = full?;
            self.new_after
        };
        match earliest_ms {
            Some(earliest_ms) => self.known.insert(last, (after, earliest_ms)),
            None => self.known.remove(&last),
        };
        Some(last)
    }
}

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut blocks = Blocks::new();
    loop {
        shared.clock.sleep(EVERY).await;
        shared.shaping.forget(shared.clock.now_ms());
        match pass(&shared, &mut blocks).await {
            Ok(()) => {}
            Err(StorageError::Closed) => return,
            Err(error) => tracing::error!(%error, "expired recipients cannot be settled; trying again"),
        }
    }
}

/// Goes through the whole queue, as far as it has to be looked at.
async fn pass(shared: &Shared, blocks: &mut Blocks) -> Result<(), StorageError> {
    let mut at = RecipientId(0);
    loop {
        let now_ms = shared.clock.now_ms();
        let range = blocks.next(at, now_ms);
        let storage = shared.storage.clone();
        let walked = off_clock(async move { queue::overdue(&storage, range, CHUNK, now_ms).await }).await;
        let Walked { over, earliest_ms, full } = walked.unwrap_or(Err(StorageError::Closed))?;
        let all_ended = expire(shared, &over, now_ms).await?;
        // Who went on the wire meanwhile may come back from there.
        let earliest_ms = if all_ended { earliest_ms } else { Some(now_ms) };
        match blocks.walked(range, earliest_ms, full) {
            Some(last) => at = last,
            None => return Ok(()),
        }
        shared.clock.sleep(PAUSE).await;
    }
}

/// Whether all of them ended.
async fn expire(shared: &Shared, over: &[RecipientId], now_ms: i64) -> Result<bool, StorageError> {
    let mut ended = 0;
    for (n, part) in over.chunks(COMMIT).enumerate() {
        if n > 0 {
            shared.clock.sleep(PAUSE).await;
        }
        let (storage, ids) = (shared.storage.clone(), part.to_vec());
        let settled = off_clock(async move { queue::expire(&storage, ids, now_ms).await }).await;
        ended += settled.unwrap_or(Err(StorageError::Closed))?;
        shared.book.counts.events.notify_one();
    }
    Ok(ended == over.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// A queue in memory, in blocks of three.
    struct Queue {
        blocks: Blocks,
        /// By id: when their time is over.
        live: BTreeMap<i64, i64>,
    }

    impl Queue {
        fn walk(&mut self, (after, last): Range, now_ms: i64) -> Walked {
            let found: Vec<(i64, i64)> =
                self.live.range(after.0 + 1..=last.0).take(3).map(|(id, expires_ms)| (*id, *expires_ms)).collect();
            let over = found.iter().filter(|(_, expires_ms)| *expires_ms <= now_ms);
            let earliest_ms =
                found.iter().map(|(_, expires_ms)| *expires_ms).filter(|expires_ms| *expires_ms > now_ms).min();
            Walked {
                over: over.map(|(id, _)| RecipientId(*id)).collect(),
                earliest_ms,
                full: (found.len() == 3).then(|| RecipientId(found[2].0)),
            }
        }

        fn pass(&mut self, now_ms: i64) -> String {
            let mut story = format!("{now_ms}:");
            let mut at = RecipientId(0);
            loop {
                let range = self.blocks.next(at, now_ms);
                let walked = self.walk(range, now_ms);
                let to = if range.1.0 == i64::MAX { "...".to_owned() } else { range.1.to_string() };
                let over: Vec<i64> = walked.over.iter().map(|id| id.0).collect();
                story.push_str(&format!(" {}-{to} {over:?}", range.0.0 + 1));
                self.live.retain(|id, _| !over.contains(id));
                match self.blocks.walked(range, walked.earliest_ms, walked.full) {
                    Some(last) => at = last,
                    None => break,
                }
            }
            assert!(self.live.values().all(|expires_ms| *expires_ms > now_ms), "{story}: one pass ends all");
            story + "\n"
        }
    }

    fn check(queued: &[i64], steps: &[(i64, &[i64])], expected: Expect) {
        let mut queue = Queue { blocks: Blocks::new(), live: (1..).zip(queued.iter().copied()).collect() };
        let mut next = queued.len() as i64 + 1;
        let mut story = String::new();
        for (now_ms, arrive) in steps {
            queue.live.extend((next..).zip(arrive.iter().copied()));
            next += arrive.len() as i64;
            story.push_str(&queue.pass(*now_ms));
        }
        expected.assert_eq(&story);
    }

    #[test]
    fn only_what_is_due_or_new_is_looked_at() {
        let queued = [100, 100, 100, 50, 100, 60, 100, 100];
        let steps: [(i64, &[i64]); 8] = [
            (0, &[]),
            (30, &[]),
            // A short-lived one at the end, which makes a block.
            (40, &[45]),
            (50, &[]),
            (60, &[70]),
            (100, &[]),
            (130, &[]),
            (160, &[300, 300, 300, 160]),
        ];
        check(
            &queued,
            &steps,
            expect![[r#"
            0: 1-... [] 4-... [] 7-... []
            30: 7-... []
            40: 7-... [] 10-... []
            50: 4-6 [4] 7-9 [9] 10-... []
            60: 4-6 [6] 10-... []
            100: 1-3 [1, 2, 3] 4-6 [5] 7-9 [7, 8] 10-... [10]
            130: 10-... []
            160: 10-... [] 14-... [14]
        "#]],
        );
    }

    #[test]
    fn a_whole_queue_ends_in_one_pass() {
        check(
            &[7; 10],
            &[(6, &[]), (7, &[]), (8, &[])],
            expect![[r#"
            6: 1-... [] 4-... [] 7-... [] 10-... []
            7: 1-3 [1, 2, 3] 4-6 [4, 5, 6] 7-9 [7, 8, 9] 10-... [10]
            8: 10-... []
        "#]],
        );
    }
}
