//! What follows from an attempt. Strategies: a fixed ladder of waits with jitter, rest while the other side answers
//! nothing, an end after five deliveries in a row that were given up.

use std::time::Duration;
use world::{PostError, Posted, Random};

/// Waits before the second attempt and the ones after it.
const WAITS: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(12),
];
/// A wait is up to so many hundredths longer, so that what failed together does not come back together.
const JITTER_PERCENT: u64 = 10;
/// Deliveries given up in a row that disable a webhook.
pub(super) const GIVEN_UP_MAX: u32 = 5;
/// After so many failed attempts in a row the webhook rests: of what is new one thing is tried at a time.
pub(super) const REST_AFTER: u32 = 5;
/// Between two of those.
pub(super) const REST_MS: i64 = 60_000;

/// The other side may ask to be left alone for so long, and for no longer: the longest of our own waits.
const ASKED_MAX_MS: i64 = 12 * 3_600_000;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The other side took it.
    Taken,
    /// It did not.
    Failed,
    /// The other side says that nobody is there any more (410).
    Gone,
}

/// What an answer means. A redirect is not followed, so it is a failure.
pub(super) fn outcome(answer: &Result<Posted, PostError>) -> Outcome {
    match answer {
        Ok(Posted { status: 200..=299, .. }) => Outcome::Taken,
        Ok(Posted { status: 410, .. }) => Outcome::Gone,
        _ => Outcome::Failed,
    }
}

/// How long the other side asks to be left alone: RFC 9110 §10.2.3, in seconds or until a date. What cannot be read is not
/// asked.
pub(super) fn asked_ms(answer: &Result<Posted, PostError>, now_ms: i64) -> Option<i64> {
    let text = answer.as_ref().ok()?.retry_after.as_deref()?.trim();
    let wait_ms = match text.parse::<u32>() {
        Ok(seconds) => i64::from(seconds) * 1000,
        Err(_) => jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond() - now_ms,
    };
    (wait_ms > 0).then_some(wait_ms.min(ASKED_MAX_MS))
}

/// How long to wait after attempt `number` (from 1) has failed; `None` when it was the last.
pub(super) fn wait_ms(number: u32, random: &dyn Random) -> Option<i64> {
    let wait = WAITS.get(usize::try_from(number.checked_sub(1)?).ok()?)?;
    let wait_ms = u64::try_from(wait.as_millis()).ok()?;
    i64::try_from(wait_ms + random.below(wait_ms * JITTER_PERCENT / 100 + 1)).ok()
}

/// Whether attempt `number` is the last one that is made without being asked for.
pub(super) fn is_last(number: u32) -> bool {
    usize::try_from(number).is_ok_and(|number| number == WAITS.len() + 1)
}

/// How many new things may be tried now: as many as there are places, one at a time while the webhook rests, or none.
pub(super) fn fresh_places(attempts_failed: u32, failure_ms: Option<i64>, now_ms: i64, places: usize) -> usize {
    if attempts_failed < REST_AFTER {
        return places;
    }
    usize::from(failure_ms.is_none_or(|at_ms| now_ms - at_ms >= REST_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    struct Always(u8);

    impl Random for Always {
        fn below(&self, below: u64) -> u64 {
            if self.0 == 0 { 0 } else { below - 1 }
        }

        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn check(random: u8, expected: Expect) {
        let mut story = String::new();
        for number in 0..=7 {
            let wait = wait_ms(number, &Always(random)).map(|ms| ms / 1000);
            story.push_str(&format!("{number}: {wait:?}{}\n", if is_last(number) { ", the last" } else { "" }));
        }
        expected.assert_eq(&story);
    }

    #[test]
    fn waits_without_jitter_and_with_the_most() {
        check(
            0,
            expect![[r#"
            0: None
            1: Some(60)
            2: Some(300)
            3: Some(1800)
            4: Some(7200)
            5: Some(43200)
            6: None, the last
            7: None
        "#]],
        );
        check(
            255,
            expect![[r#"
            0: None
            1: Some(66)
            2: Some(330)
            3: Some(1980)
            4: Some(7920)
            5: Some(47520)
            6: None, the last
            7: None
        "#]],
        );
    }

    #[test]
    fn outcomes() {
        let answered = |status| outcome(&Ok(Posted { status, retry_after: None, body: Vec::new() }));
        for (status, expected) in [
            (200, Outcome::Taken),
            (204, Outcome::Taken),
            (299, Outcome::Taken),
            (199, Outcome::Failed),
            (302, Outcome::Failed),
            (404, Outcome::Failed),
            (410, Outcome::Gone),
            (429, Outcome::Failed),
            (503, Outcome::Failed),
        ] {
            assert_eq!(answered(status), expected, "{status}");
        }
        assert_eq!(outcome(&Err(PostError::Late)), Outcome::Failed);
    }

    #[test]
    fn what_the_other_side_asks_for() {
        let asked = |text: &str| {
            let answer = Posted { status: 503, retry_after: Some(text.to_owned()), body: Vec::new() };
            // Sunday, 6 November 1994, 08:49:37.
            asked_ms(&Ok(answer), 784_111_777_000)
        };
        for (text, expected) in [
            ("120", Some(120_000)),
            (" 3 ", Some(3_000)),
            ("0", None),
            ("-5", None),
            ("soon", None),
            ("4294967295", Some(ASKED_MAX_MS)),
            ("99999999999", None),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60_000)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None),
            ("Sat, 06 Nov 2094 08:48:37 GMT", Some(ASKED_MAX_MS)),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        assert_eq!(asked_ms(&Err(PostError::Late), 0), None);
    }

    #[test]
    fn rest() {
        for (failed, failure_ms, expected) in [
            (0, None, 64),
            (4, Some(99_999), 64),
            (5, Some(99_999), 0),
            (5, Some(40_001), 0),
            (5, Some(40_000), 1),
            (500, Some(0), 1),
            (5, None, 1),
        ] {
            assert_eq!(fresh_places(failed, failure_ms, 100_000, 64), expected, "{failed} {failure_ms:?}");
        }
    }
}
