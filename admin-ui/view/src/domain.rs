//! Sending domains in words and tones.

use api_types::{DomainEventKind, DomainHealth, DomainKey, KeyStep, RecordNeed, Requirement, RequirementMet};

use crate::tone::{Status, Tone};

/// How a domain stands as a whole.
#[must_use]
pub fn health(health: DomainHealth) -> Status {
    match health {
        DomainHealth::Unchecked => (Tone::Neutral, "Not checked yet"),
        DomainHealth::Good => (Tone::Success, "Good"),
        DomainHealth::Attention => (Tone::Warning, "Needs attention"),
        DomainHealth::Broken => (Tone::Danger, "Broken"),
        DomainHealth::CannotSign => (Tone::Danger, "Cannot send"),
    }
}

/// Whether mail can be sent from it with a good conscience.
#[must_use]
pub fn is_ready(health: DomainHealth) -> bool {
    matches!(health, DomainHealth::Good | DomainHealth::Attention)
}

/// How much a record is needed.
#[must_use]
pub fn need(need: RecordNeed) -> &'static str {
    match need {
        RecordNeed::Required => "required",
        RecordNeed::Recommended => "recommended",
        RecordNeed::Optional => "optional",
    }
}

/// Where a key is in its life.
#[must_use]
pub fn step(step: KeyStep) -> Status {
    match step {
        KeyStep::Waiting => (Tone::Warning, "Waiting for its record"),
        KeyStep::Seen => (Tone::Later, "Seen in the DNS"),
        KeyStep::Active => (Tone::Success, "Signs"),
        KeyStep::Replaced => (Tone::Later, "Replaced"),
        KeyStep::Retired => (Tone::Warning, "Retired"),
        KeyStep::Revoked => (Tone::Neutral, "Revoked"),
        KeyStep::Removable => (Tone::Neutral, "May be removed"),
    }
}

/// Whether a demand is met.
#[must_use]
pub fn met(met: RequirementMet) -> Status {
    match met {
        RequirementMet::Met => (Tone::Success, "Met"),
        RequirementMet::NotMet => (Tone::Danger, "Not met"),
        RequirementMet::NotCheckable => (Tone::Neutral, "Cannot tell"),
    }
}

/// The tone of an event.
#[must_use]
pub fn event(kind: DomainEventKind) -> Tone {
    match kind {
        DomainEventKind::Lost => Tone::Danger,
        DomainEventKind::Forced => Tone::Warning,
        DomainEventKind::Back | DomainEventKind::Added => Tone::Success,
        DomainEventKind::Rotation | DomainEventKind::Key => Tone::Active,
        DomainEventKind::Schedule | DomainEventKind::Removed => Tone::Neutral,
    }
}

/// The demands of a provider in one line.
#[must_use]
pub fn summary(requirements: &[Requirement]) -> String {
    let count = |met| requirements.iter().filter(|requirement| requirement.met == met).count();
    let (yes, no) = (count(RequirementMet::Met), count(RequirementMet::NotMet));
    match (no, count(RequirementMet::NotCheckable)) {
        (0, 0) => format!("all {yes} met"),
        (0, unknown) => format!("{yes} met, {unknown} nobody here can tell"),
        (no, _) => format!("{no} not met"),
    }
}

/// The steps that a key has come through, oldest first: words and moments.
#[must_use]
pub fn history(key: &DomainKey) -> Vec<(&'static str, String)> {
    let steps = [
        ("made", Some(&key.created_at)),
        ("seen in the DNS", key.seen_at.as_ref()),
        ("signs since", key.active_at.as_ref()),
        ("replaced", key.replaced_at.as_ref()),
        ("retired", key.retired_at.as_ref()),
        ("revoked", key.revoked_at.as_ref()),
        ("may be removed since", key.removable_at.as_ref()),
    ];
    let mut out: Vec<(&'static str, String)> =
        steps.into_iter().filter_map(|(word, at)| at.map(|at| (word, at.clone()))).collect();
    // A key may go back a step; RFC 3339 in UTC sorts as text.
    out.sort_by(|a, b| a.1.cmp(&b.1));
    out
}

/// Whether somebody may let a key sign without its record.
#[must_use]
pub fn can_be_forced(step: KeyStep) -> bool {
    matches!(step, KeyStep::Waiting | KeyStep::Seen)
}

/// Whether a key may be removed: it never signed, or what it signed is long gone.
#[must_use]
pub fn can_be_removed(key: &DomainKey) -> bool {
    match key.step {
        KeyStep::Waiting | KeyStep::Seen => key.active_at.is_none(),
        KeyStep::Revoked | KeyStep::Removable => true,
        KeyStep::Active | KeyStep::Replaced | KeyStep::Retired => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(step: KeyStep, active_at: Option<&str>) -> DomainKey {
        DomainKey {
            id: 1,
            selector: "pb202601r".to_owned(),
            algorithm: "rsa-sha256".to_owned(),
            created_at: "2026-01-01T00:00:00.000Z".to_owned(),
            step,
            step_at: "2026-01-01T00:00:00.000Z".to_owned(),
            seen_at: Some("2026-03-01T00:00:00.000Z".to_owned()),
            active_at: active_at.map(str::to_owned),
            replaced_at: None,
            retired_at: None,
            revoked_at: None,
            removable_at: None,
            missing_since: None,
            forced_by: None,
            forced_at: None,
            next: String::new(),
            next_at: None,
        }
    }

    #[test]
    fn a_key_that_went_back_is_told_in_the_order_of_time() {
        let words: Vec<&str> = history(&key(KeyStep::Waiting, Some("2026-02-01T00:00:00.000Z")))
            .into_iter()
            .map(|(word, _)| word)
            .collect();
        assert_eq!(words, ["made", "signs since", "seen in the DNS"]);
    }

    #[test]
    fn only_keys_that_nobody_needs_are_removed() {
        let since = Some("2026-02-01T00:00:00.000Z");
        assert!(can_be_removed(&key(KeyStep::Waiting, None)));
        assert!(!can_be_removed(&key(KeyStep::Waiting, since)), "it signed, and its record went away");
        for (step, removable) in
            [(KeyStep::Active, false), (KeyStep::Replaced, false), (KeyStep::Retired, false), (KeyStep::Revoked, true)]
        {
            assert_eq!(can_be_removed(&key(step, since)), removable, "{step:?}");
        }
    }

    #[test]
    fn demands_in_one_line() {
        let list = |met: &[RequirementMet]| -> Vec<Requirement> {
            met.iter().map(|met| Requirement { wants: String::new(), met: *met, why: String::new() }).collect()
        };
        use RequirementMet::{Met, NotCheckable, NotMet};
        for (met, words) in [
            (&[Met, Met][..], "all 2 met"),
            (&[Met, NotCheckable], "1 met, 1 nobody here can tell"),
            (&[Met, NotMet, NotCheckable], "1 not met"),
        ] {
            assert_eq!(summary(&list(met)), words);
        }
    }

    #[test]
    fn words_are_told_apart() {
        let mut words: Vec<&str> = KeyStep::ALL.into_iter().map(|of| step(of).1).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), KeyStep::ALL.len());
        assert!(is_ready(DomainHealth::Good) && !is_ready(DomainHealth::CannotSign));
    }
}
