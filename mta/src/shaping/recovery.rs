//! The way back after a provider's "too much": nothing for a while, then one connection, then one more at a time
//! (additive increase), and from the beginning at the next refusal.

use std::time::Duration;
use storage::automation::Automation;

/// One more connection is allowed after each minute in which something was taken and nothing refused.
const STEP_MS: i64 = 60_000;
/// When the whole is over even where too little was sent to climb all steps, counted from the end of the hold.
const TAIL_MS: i64 = 3_600_000;

/// When a recovery that begins or begins anew now is over at the latest.
pub(crate) fn end_ms(hold_until_ms: i64) -> i64 {
    hold_until_ms.saturating_add(TAIL_MS)
}

/// What a refusal changes: nothing while the hold of an earlier one lasts, which it only proves right.
pub(crate) fn refused(a: &mut Automation, hold: Duration, now_ms: i64) -> bool {
    if a.hold_until_ms.is_some_and(|until_ms| now_ms < until_ms) {
        return false;
    }
    let hold_until_ms = now_ms.saturating_add(i64::try_from(hold.as_millis()).unwrap_or(i64::MAX));
    a.hold_until_ms = Some(hold_until_ms);
    a.connections = Some(1);
    a.until_ms = end_ms(hold_until_ms);
    true
}

/// What follows when something was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    None,
    /// One more connection.
    More,
    /// As many as ever: it is over.
    Over,
}

/// What a success changes. `stepped_ms` is when the last connection was added; `full` how many there are without it.
pub(crate) fn taken(a: &mut Automation, stepped_ms: &mut i64, full: u32, now_ms: i64) -> Step {
    let hold_until_ms = a.hold_until_ms.unwrap_or(a.since_ms);
    if now_ms < hold_until_ms {
        // The answer to what was under way when the hold began.
        return Step::None;
    }
    *stepped_ms = (*stepped_ms).max(hold_until_ms);
    if now_ms - *stepped_ms < STEP_MS {
        return Step::None;
    }
    let connections = a.connections.unwrap_or(1) + 1;
    if connections > full {
        return Step::Over;
    }
    *stepped_ms = now_ms;
    a.connections = Some(connections);
    Step::More
}
