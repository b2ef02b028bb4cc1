//! Warm-up: a new source, or a new sending domain, earns its volume at each provider day by day.
//!
//! Strategies: a ladder of stages, left only when nearly all of one was delivered, held otherwise, stepped back when the
//! provider's answers say so; a day's allowance spread over the day; permits as values, so that what is under way and
//! what has left never exceed the allowance together; what finds no place waits in a line that is laid along the days
//! to come, so that nobody asks in vain again and again. Days are those of UTC.
//!
//! `plan` and `ladder` know stages, `track` one day of one line, `forecast` the days to come: plain functions. `board`
//! holds all tracks and gives the permits, `night` judges days and reads what was changed by hand.

mod board;
pub mod forecast;
mod ladder;
mod night;
mod plan;
#[cfg(test)]
mod tests;
mod track;

pub use plan::{Plan, Plans};

pub(crate) use board::{Board, Permit, Permits, Subject, Tracks, fate};
pub(crate) use night::{nights, refresh};
pub(crate) use track::Look;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// A day is judged so long after its end: the last answers are in by then. Until then nothing new leaves.
pub(crate) const JUDGE_AFTER_MS: i64 = 30_000;

/// The day of a moment: days since 1970, UTC.
#[must_use]
pub fn day_of(now_ms: i64) -> i64 {
    now_ms.div_euclid(DAY_MS)
}
