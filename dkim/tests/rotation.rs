//! Rotation as stories over time.

use dkim::Algorithm::{self, Ed25519Sha256, RsaSha256};
use dkim::rotation::{
    KeyState, Policy, Sight, Step, advance, can_sign, ends_at, is_pending, rotation_due, sign_anyway,
};
use expect_test::{Expect, expect};
use std::fmt::Write;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const POLICY: Policy = Policy { settle_ms: HOUR, patience_ms: HOUR / 6, overlap_ms: 7 * DAY, revoked_ms: 30 * DAY };

/// What happens at a moment.
enum Act {
    /// A key is made.
    Make(Algorithm),
    /// The records are looked up; one letter per key: v(isible) e(mptied) m(issing) d(ifferent) ?(failed).
    Look(&'static str),
    /// Somebody lets a key sign.
    Anyway(usize),
}
use Act::{Anyway, Look, Make};

fn sight(letter: char) -> Sight {
    match letter {
        'v' => Sight::Visible,
        'e' => Sight::Emptied,
        'm' => Sight::Missing,
        'd' => Sight::Different,
        _ => Sight::Unknown,
    }
}

fn check(story: &[(i64, Act)], expected: &Expect) {
    let mut keys: Vec<KeyState> = Vec::new();
    let mut out = String::new();
    for (at_ms, act) in story {
        let moves = match act {
            Make(algorithm) => {
                keys.push(KeyState::new(*algorithm, *at_ms));
                Vec::new()
            }
            Look(letters) => {
                let sights: Vec<Sight> = letters.chars().map(sight).collect();
                advance(&POLICY, &mut keys, &sights, *at_ms)
            }
            Anyway(key) => sign_anyway(&mut keys, *key, *at_ms).unwrap_or_default(),
        };
        for algorithm in [RsaSha256, Ed25519Sha256] {
            let signing = keys.iter().filter(|key| key.algorithm == algorithm && key.step == Step::Active);
            assert!(signing.count() <= 1, "two keys of one algorithm sign");
        }
        let steps: Vec<&str> = keys.iter().map(|key| key.step.as_str()).collect();
        let can = if can_sign(&keys) { "signs" } else { "cannot sign" };
        writeln!(out, "{:<5.2} d  {can:<11} {}", *at_ms as f64 / DAY as f64, steps.join(" ")).unwrap();
        for step in moves {
            writeln!(out, "          {} {}: {}", step.key, step.to.as_str(), step.why).unwrap();
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn a_new_domain_signs_at_the_first_look_that_finds_its_records() {
    check(
        &[
            (0, Make(RsaSha256)),
            (0, Make(Ed25519Sha256)),
            (HOUR, Look("m?")),
            (2 * HOUR, Look("?v")),
            (3 * HOUR, Look("vv")),
        ],
        &expect![[r#"
            0.00  d  cannot sign waiting
            0.00  d  cannot sign waiting waiting
            0.04  d  cannot sign waiting waiting
            0.08  d  cannot sign waiting active
                      1 seen: its record is in the DNS
                      1 active: its record is in the DNS and no other key signs
            0.12  d  signs       active active
                      0 seen: its record is in the DNS
                      0 active: its record is in the DNS and no other key signs
        "#]],
    );
}

#[test]
fn a_rotation_from_making_to_forgetting() {
    check(
        &[
            (0, Make(RsaSha256)),
            (0, Look("v")),
            (10 * DAY, Make(RsaSha256)),
            (10 * DAY + HOUR, Look("vm")),
            (11 * DAY, Look("vv")),
            // Not visible everywhere yet.
            (11 * DAY + HOUR / 2, Look("vv")),
            (11 * DAY + HOUR, Look("vv")),
            (17 * DAY, Look("vv")),
            (18 * DAY + HOUR, Look("vv")),
            (19 * DAY, Look("vv")),
            (20 * DAY, Look("ev")),
            (49 * DAY, Look("ev")),
            (50 * DAY, Look("ev")),
        ],
        &expect![[r#"
            0.00  d  cannot sign waiting
            0.00  d  signs       active
                      0 seen: its record is in the DNS
                      0 active: its record is in the DNS and no other key signs
            10.00 d  signs       active waiting
            10.04 d  signs       active waiting
            11.00 d  signs       active seen
                      1 seen: its record is in the DNS
            11.02 d  signs       active seen
            11.04 d  signs       replaced active
                      1 active: its record has been visible for long enough
                      0 replaced: a newer key signs
            17.00 d  signs       replaced active
            18.04 d  signs       retired active
                      0 retired: mail that it signed is no longer under way
            19.00 d  signs       retired active
            20.00 d  signs       revoked active
                      0 revoked: its record is empty or gone
            49.00 d  signs       revoked active
            50.00 d  signs       removable active
                      0 removable: it was revoked long enough ago
        "#]],
    );
}

#[test]
fn a_record_that_goes_missing_is_looked_for_twice() {
    check(
        &[
            (0, Make(RsaSha256)),
            (0, Look("v")),
            (DAY, Look("m")),
            (DAY + HOUR / 12, Look("?")),
            (DAY + HOUR / 9, Look("m")),
            (DAY + HOUR / 8, Look("v")),
            (2 * DAY, Look("d")),
            // A failed look-up proves nothing, however late.
            (3 * DAY, Look("?")),
            (4 * DAY, Look("d")),
            (5 * DAY, Look("v")),
        ],
        &expect![[r#"
            0.00  d  cannot sign waiting
            0.00  d  signs       active
                      0 seen: its record is in the DNS
                      0 active: its record is in the DNS and no other key signs
            1.00  d  signs       active
            1.00  d  signs       active
            1.00  d  signs       active
            1.01  d  signs       active
            2.00  d  signs       active
            3.00  d  signs       active
            4.00  d  cannot sign waiting
                      0 waiting: its record is gone from the DNS, so it signs no more
            5.00  d  signs       active
                      0 seen: its record is in the DNS
                      0 active: its record is in the DNS and no other key signs
        "#]],
    );
}

#[test]
fn the_key_before_takes_over_again() {
    check(
        &[
            (0, Make(RsaSha256)),
            (0, Look("v")),
            (DAY, Make(RsaSha256)),
            (DAY, Look("vv")),
            (DAY + HOUR, Look("vv")),
            (2 * DAY, Look("vm")),
            (2 * DAY + HOUR, Look("vm")),
            // The old one is not retired while it signs.
            (20 * DAY, Look("vm")),
            (21 * DAY, Look("vv")),
            (21 * DAY + HOUR, Look("vv")),
        ],
        &expect![[r#"
            0.00  d  cannot sign waiting
            0.00  d  signs       active
                      0 seen: its record is in the DNS
                      0 active: its record is in the DNS and no other key signs
            1.00  d  signs       active waiting
            1.00  d  signs       active seen
                      1 seen: its record is in the DNS
            1.04  d  signs       replaced active
                      1 active: its record has been visible for long enough
                      0 replaced: a newer key signs
            2.00  d  signs       replaced active
            2.04  d  signs       active waiting
                      1 waiting: its record is gone from the DNS, so it signs no more
                      0 active: the newer key's record is gone and this one's is still there
            20.00 d  signs       active waiting
            21.00 d  signs       active seen
                      1 seen: its record is in the DNS
            21.04 d  signs       replaced active
                      1 active: its record has been visible for long enough
                      0 replaced: a newer key signs
        "#]],
    );
}

#[test]
fn a_new_record_that_goes_away_again_never_signed() {
    check(
        &[
            (0, Make(RsaSha256)),
            (0, Look("v")),
            (DAY, Make(RsaSha256)),
            (DAY, Look("vv")),
            (DAY + HOUR / 2, Look("vm")),
            (DAY + HOUR, Look("vv")),
            (DAY + 2 * HOUR, Look("vv")),
        ],
        &expect![[r#"
            0.00  d  cannot sign waiting
            0.00  d  signs       active
                      0 seen: its record is in the DNS
                      0 active: its record is in the DNS and no other key signs
            1.00  d  signs       active waiting
            1.00  d  signs       active seen
                      1 seen: its record is in the DNS
            1.02  d  signs       active waiting
                      1 waiting: its record went away before the key was used
            1.04  d  signs       active seen
                      1 seen: its record is in the DNS
            1.08  d  signs       replaced active
                      1 active: its record has been visible for long enough
                      0 replaced: a newer key signs
        "#]],
    );
}

#[test]
fn somebody_says_so() {
    check(
        &[
            (0, Make(RsaSha256)),
            (0, Anyway(0)),
            // Never seen, and told to sign: it goes on.
            (DAY, Look("m")),
            (3 * DAY, Look("m")),
            // Seen once, the excuse is over.
            (4 * DAY, Look("v")),
            (5 * DAY, Look("m")),
            (6 * DAY, Look("m")),
            (7 * DAY, Make(RsaSha256)),
            (7 * DAY, Anyway(1)),
            (7 * DAY, Anyway(0)),
        ],
        &expect![[r#"
            0.00  d  cannot sign waiting
            0.00  d  signs       active
                      0 active: somebody said so, without waiting for its record
            1.00  d  signs       active
            3.00  d  signs       active
            4.00  d  signs       active
            5.00  d  signs       active
            6.00  d  cannot sign waiting
                      0 waiting: its record is gone from the DNS, so it signs no more
            7.00  d  cannot sign waiting waiting
            7.00  d  signs       replaced active
                      1 active: somebody said so, without waiting for its record
                      0 replaced: a newer key signs
            7.00  d  signs       replaced active
        "#]],
    );
}

#[test]
fn when_the_next_step_is_due() {
    let mut keys = vec![KeyState::new(RsaSha256, 0)];
    assert!(is_pending(&keys) && rotation_due(&keys, DAY).is_none() && ends_at(&POLICY, &keys[0]).is_none());
    advance(&POLICY, &mut keys, &[Sight::Visible], HOUR);
    assert_eq!((is_pending(&keys), rotation_due(&keys, DAY)), (false, Some(DAY + HOUR)));
    keys.push(KeyState::new(RsaSha256, DAY));
    assert_eq!(rotation_due(&keys, DAY), None, "one is pending");
    advance(&POLICY, &mut keys, &[Sight::Missing, Sight::Visible], DAY);
    let ends: Vec<_> = keys.iter().map(|key| ends_at(&POLICY, key)).collect();
    assert_eq!(ends, [Some(DAY + POLICY.patience_ms), Some(DAY + POLICY.settle_ms)]);
    for step in Step::ALL {
        assert_eq!(Step::parse(step.as_str()), Some(step));
    }
}
