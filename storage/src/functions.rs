//! SQL functions of our own, for what SQLite lacks: case folding beyond ASCII, local calendar days, steady draws.
//!
//! All are deterministic, so that SQLite may evaluate them once where their arguments are constant.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// Registers them on a connection.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection
        .create_scalar_function("fold", 1, flags, |context| Ok(context.get_raw(0).as_str_or_null()?.map(fold)))?;
    connection.create_scalar_function("month_day", 2, flags, |context| {
        let at_ms: Option<i64> = context.get(0)?;
        let zone = context.get_raw(1).as_str().map_err(|e| rusqlite::Error::UserFunctionError(e.into()))?;
        Ok(at_ms.and_then(|at_ms| month_day(at_ms, zone)))
    })?;
    connection.create_scalar_function("draw", 2, flags, |context| Ok(draw(context.get(0)?, context.get(1)?)))
}

/// How text is compared without regard to case.
#[must_use]
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() }
}

/// Month and day of a moment in a time zone, `MM-DD`; nothing where the moment or the zone does not exist.
fn month_day(at_ms: i64, zone: &str) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at_ms).ok()?;
    let at = at.in_tz(zone).ok()?;
    Some(format!("{:02}-{:02}", at.month(), at.day()))
}

/// A number in 0..10000 that is always the same for the same id and seed (splitmix64's finalizer).
fn draw(id: i64, seed: i64) -> i64 {
    let mut z = (id as u64).wrapping_add((seed as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % 10_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_knows_more_than_ascii() {
        assert_eq!(fold("ÁRVORE Ana"), "árvore ana");
    }

    #[test]
    fn a_moment_has_its_local_day() {
        // 2026-03-01T01:30Z is still February in Brazil.
        assert_eq!(month_day(1_772_328_600_000, "UTC").as_deref(), Some("03-01"));
        assert_eq!(month_day(1_772_328_600_000, "America/Sao_Paulo").as_deref(), Some("02-28"));
        assert_eq!(month_day(0, "Nowhere/There"), None);
    }

    #[test]
    fn draws_are_even() {
        for seed in 0..5 {
            let below = (1..=10_000).filter(|id| draw(*id, seed) < 3_000).count();
            assert!((2_800..3_200).contains(&below), "{seed}: {below}");
        }
    }
}
