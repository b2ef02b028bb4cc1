//! Rotation: a signing key's life, from the day it is made to the day it may be forgotten.
//!
//! Strategies: nothing signs before its record is visible; a new key waits until those who asked too early have
//! forgotten the answer "no such record"; an old key's record stays while mail that it signed is under way; a record
//! that goes missing is looked for twice before its key stops signing, and the key before it takes over again where
//! that one is still published. The two algorithms go their own ways: each has at most one key that signs.

use crate::key::Algorithm;

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Made; its record is not visible yet. Doesn't sign.
    Waiting,
    /// Its record is visible; answers that said otherwise are still remembered here and there. Doesn't sign.
    Seen,
    /// Signs.
    Active,
    /// A newer key signs; the record stays for the mail under way.
    Replaced,
    /// No mail of its time is under way any more: its record is to be emptied (RFC 6376 §3.6.1: "revoked").
    Retired,
    /// The record is empty or gone.
    Revoked,
    /// Record and key may be removed.
    Removable,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 7] =
        [Step::Waiting, Step::Seen, Step::Active, Step::Replaced, Step::Retired, Step::Revoked, Step::Removable];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Waiting => "waiting",
            Step::Seen => "seen",
            Step::Active => "active",
            Step::Replaced => "replaced",
            Step::Retired => "retired",
            Step::Revoked => "revoked",
            Step::Removable => "removable",
        }
    }

    /// The step of a stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

/// What a look-up of a key's record found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The record, as wanted for signing.
    Visible,
    /// The record with an empty `p=`.
    Emptied,
    /// No record.
    Missing,
    /// Something else: another key, or several.
    Different,
    /// The look-up failed for now, or was not made.
    Unknown,
}

/// How long the steps last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From "seen" to "active", where another key signs meanwhile: negative answers are cached (RFC 2308 §5).
    pub settle_ms: i64,
    /// How long an active key's record may be missing before the key stops signing.
    pub patience_ms: i64,
    /// From "replaced" to "retired".
    pub overlap_ms: i64,
    /// From "revoked" to "removable".
    pub revoked_ms: i64,
}

/// A key as rotation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it is.
    pub step: Step,
    /// Since when.
    pub since_ms: i64,
    /// Since when its record has been missing, where it should be visible.
    pub missing_ms: Option<i64>,
    /// Somebody said that it signs although its record was never seen. Ends when it is seen.
    pub excused: bool,
}

impl KeyState {
    /// A key just made.
    #[must_use]
    pub fn new(algorithm: Algorithm, now_ms: i64) -> KeyState {
        KeyState { algorithm, step: Step::Waiting, since_ms: now_ms, missing_ms: None, excused: false }
    }

    fn go(&mut self, step: Step, now_ms: i64) {
        (self.step, self.since_ms) = (step, now_ms);
        if !matches!(step, Step::Active | Step::Waiting) {
            self.missing_ms = None;
        }
    }
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Which of the keys.
    pub key: usize,
    /// Where it is now.
    pub to: Step,
    /// Why, for people.
    pub why: &'static str,
}

/// Takes every step that is due. `keys` in the order in which they were made, `sights` beside them.
pub fn advance(policy: &Policy, keys: &mut [KeyState], sights: &[Sight], now_ms: i64) -> Vec<Move> {
    let mut moves = Vec::new();
    for (n, key) in keys.iter_mut().enumerate() {
        let sight = sights.get(n).copied().unwrap_or(Sight::Unknown);
        note_sight(key, sight, now_ms);
        if let Some((to, why)) = alone(policy, key, sight, now_ms) {
            key.go(to, now_ms);
            moves.push(Move { key: n, to, why });
        }
    }
    for algorithm in [Algorithm::RsaSha256, Algorithm::Ed25519Sha256] {
        together(policy, algorithm, (keys, sights), now_ms, &mut moves);
    }
    moves
}

fn note_sight(key: &mut KeyState, sight: Sight, now_ms: i64) {
    let watched = matches!(key.step, Step::Waiting | Step::Seen | Step::Active | Step::Replaced);
    match sight {
        Sight::Visible => (key.missing_ms, key.excused) = (None, false),
        Sight::Emptied | Sight::Missing | Sight::Different if watched => {
            key.missing_ms.get_or_insert(now_ms);
        }
        _ => {}
    }
}

/// The steps that don't depend on other keys.
fn alone(policy: &Policy, key: &KeyState, sight: Sight, now_ms: i64) -> Option<(Step, &'static str)> {
    let absent = matches!(sight, Sight::Emptied | Sight::Missing | Sight::Different);
    let lasted = |span_ms: i64| now_ms - key.since_ms >= span_ms;
    match key.step {
        Step::Waiting if sight == Sight::Visible => Some((Step::Seen, "its record is in the DNS")),
        Step::Seen if absent => Some((Step::Waiting, "its record went away before the key was used")),
        Step::Active
            if absent && !key.excused && key.missing_ms.is_some_and(|at| now_ms - at >= policy.patience_ms) =>
        {
            Some((Step::Waiting, "its record is gone from the DNS, so it signs no more"))
        }
        Step::Retired if matches!(sight, Sight::Emptied | Sight::Missing) => {
            Some((Step::Revoked, "its record is empty or gone"))
        }
        Step::Revoked if lasted(policy.revoked_ms) => Some((Step::Removable, "it was revoked long enough ago")),
        _ => None,
    }
}

/// The steps of one algorithm's keys with respect to each other.
fn together(
    policy: &Policy,
    algorithm: Algorithm,
    (keys, sights): (&mut [KeyState], &[Sight]),
    now_ms: i64,
    moves: &mut Vec<Move>,
) {
    let newest = |keys: &[KeyState], step: Step| {
        (0..keys.len()).rev().find(|n| keys[*n].algorithm == algorithm && keys[*n].step == step)
    };
    let active = newest(keys, Step::Active);
    if let Some(ready) = newest(keys, Step::Seen) {
        let settled = now_ms - keys[ready].since_ms >= policy.settle_ms;
        match active {
            None => sign_with(keys, ready, "its record is in the DNS and no other key signs", now_ms, moves),
            Some(active) if settled && ready > active => {
                sign_with(keys, ready, "its record has been visible for long enough", now_ms, moves);
            }
            Some(_) => {}
        }
    } else if active.is_none() {
        let published = |n: &usize| {
            let key = &keys[*n];
            key.algorithm == algorithm
                && key.step == Step::Replaced
                && sights.get(*n).is_some_and(|sight| *sight == Sight::Visible)
        };
        if let Some(before) = (0..keys.len()).rev().find(published) {
            sign_with(keys, before, "the newer key's record is gone and this one's is still there", now_ms, moves);
        }
    }
    if newest(keys, Step::Active).is_none() {
        return;
    }
    for (n, key) in keys.iter_mut().enumerate() {
        if key.algorithm == algorithm && key.step == Step::Replaced && now_ms - key.since_ms >= policy.overlap_ms {
            key.go(Step::Retired, now_ms);
            moves.push(Move { key: n, to: Step::Retired, why: "mail that it signed is no longer under way" });
        }
    }
}

/// Lets one key sign; older ones of its algorithm are replaced by it.
fn sign_with(keys: &mut [KeyState], chosen: usize, why: &'static str, now_ms: i64, moves: &mut Vec<Move>) {
    let algorithm = keys[chosen].algorithm;
    keys[chosen].go(Step::Active, now_ms);
    moves.push(Move { key: chosen, to: Step::Active, why });
    for (n, key) in keys.iter_mut().enumerate().take(chosen) {
        if key.algorithm == algorithm && matches!(key.step, Step::Waiting | Step::Seen | Step::Active) {
            key.go(Step::Replaced, now_ms);
            moves.push(Move { key: n, to: Step::Replaced, why: "a newer key signs" });
        }
    }
}

/// Lets a key sign whose record is not visible, because somebody says so. `None` when it is past waiting.
pub fn sign_anyway(keys: &mut [KeyState], chosen: usize, now_ms: i64) -> Option<Vec<Move>> {
    if !keys.get(chosen).is_some_and(|key| matches!(key.step, Step::Waiting | Step::Seen)) {
        return None;
    }
    let mut moves = Vec::new();
    keys[chosen].excused = keys[chosen].step == Step::Waiting;
    sign_with(keys, chosen, "somebody said so, without waiting for its record", now_ms, &mut moves);
    Some(moves)
}

/// Whether mail can be signed: every receiver understands RSA, few Ed25519, so that one never signs alone.
#[must_use]
pub fn can_sign(keys: &[KeyState]) -> bool {
    keys.iter().any(|key| key.algorithm == Algorithm::RsaSha256 && key.step == Step::Active)
}

/// Whether a key waits to take over: another rotation would only add to the records to publish. Ed25519 keys may wait for
/// ever, since nobody needs their records.
#[must_use]
pub fn is_pending(keys: &[KeyState]) -> bool {
    let waits = |key: &KeyState| matches!(key.step, Step::Waiting | Step::Seen);
    keys.iter().any(|key| key.algorithm == Algorithm::RsaSha256 && waits(key))
}

/// When a key that signs is to be replaced, with a rotation every so often. `None` while one is pending.
#[must_use]
pub fn rotation_due(keys: &[KeyState], every_ms: i64) -> Option<i64> {
    if is_pending(keys) {
        return None;
    }
    let signing = keys.iter().filter(|key| key.step == Step::Active);
    signing.map(|key| key.since_ms + every_ms).min()
}

/// When a key's present step ends by time alone.
#[must_use]
pub fn ends_at(policy: &Policy, key: &KeyState) -> Option<i64> {
    Some(match key.step {
        Step::Seen => key.since_ms + policy.settle_ms,
        Step::Active if !key.excused => key.missing_ms? + policy.patience_ms,
        Step::Replaced => key.since_ms + policy.overlap_ms,
        Step::Revoked => key.since_ms + policy.revoked_ms,
        _ => return None,
    })
}
