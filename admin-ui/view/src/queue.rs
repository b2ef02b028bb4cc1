//! The queue as people read it: actions and what they do, how many are meant, ages.

use crate::number::{counted, grouped};
use crate::when::span;
use api_types::{MatchCount, QueueActionKind, QueueFilter, QueueJob, QueueJobState};

use crate::tone::{Status, Tone};

/// Every action, in the order of its buttons.
pub const ACTIONS: [QueueActionKind; 5] = [
    QueueActionKind::Hold,
    QueueActionKind::Release,
    QueueActionKind::Retry,
    QueueActionKind::Reroute,
    QueueActionKind::Bounce,
];

/// The word on an action's button.
#[must_use]
pub fn action(kind: QueueActionKind) -> &'static str {
    match kind {
        QueueActionKind::Hold => "Hold",
        QueueActionKind::Release => "Release",
        QueueActionKind::Retry => "Retry now",
        QueueActionKind::Bounce => "Give up",
        QueueActionKind::Reroute => "Re-route",
    }
}

/// What an action does, and to whom it does nothing.
#[must_use]
pub fn action_about(kind: QueueActionKind) -> &'static str {
    match kind {
        QueueActionKind::Hold => {
            "They are kept back until somebody releases them. Their time goes on: who is held for too long expires."
        }
        QueueActionKind::Release => {
            "Those that are held go back into the queue; who was put off by a server keeps the time of the next attempt."
        }
        QueueActionKind::Retry => {
            "Those that wait for a retry are due at once. Servers that asked for patience may mind."
        }
        QueueActionKind::Bounce => {
            "They end as bounced and are never sent. Their addresses are not suppressed. This cannot be undone."
        }
        QueueActionKind::Reroute => "From their next attempt on they leave from another pool.",
    }
}

/// `12 recipients`, `12,000 or more recipients`, `nobody`.
#[must_use]
pub fn meant(matching: MatchCount) -> String {
    match (matching.count, matching.exact) {
        (0, true) => "nobody".to_owned(),
        (count, true) => counted(count, "recipient", "recipients"),
        (count, false) => format!("{} or more recipients", grouped(count)),
    }
}

/// The names of the classes of age that end at `bounds` (seconds).
#[must_use]
pub fn ages(bounds: &[u64]) -> Vec<String> {
    let mut names = Vec::with_capacity(bounds.len() + 1);
    let mut from = 0;
    for bound in bounds {
        names.push(if from == 0 {
            format!("under {}", span(*bound))
        } else {
            format!("{} to {}", span(from), span(*bound))
        });
        from = *bound;
    }
    names.push(format!("over {}", span(from)));
    names
}

/// The same in so few letters that they stand beside each other below the bars on a phone: where each class ends.
#[must_use]
pub fn age_ticks(bounds: &[u64]) -> Vec<String> {
    let end = |bound: &u64| match bound {
        0..3600 => format!("{} m", bound / 60),
        3600..86_400 => format!("{} h", bound / 3600),
        _ => format!("{} d", bound / 86_400),
    };
    bounds.iter().map(end).chain(["more".to_owned()]).collect()
}

/// A job's state.
#[must_use]
pub fn job(state: QueueJobState) -> Status {
    match state {
        QueueJobState::Running => (Tone::Active, "Running"),
        QueueJobState::Finished => (Tone::Success, "Finished"),
        QueueJobState::Cancelled => (Tone::Warning, "Cancelled"),
    }
}

/// How far a job is, 0 to 100.
#[must_use]
pub fn job_percent(job: &QueueJob) -> f64 {
    match (job.state, job.expected) {
        (QueueJobState::Finished, _) => 100.0,
        (_, Some(expected)) if expected > 0 => (job.matched.min(expected) as f64 * 100.0) / expected as f64,
        _ => 0.0,
    }
}

/// What became of a job: `1,200 changed, 3 skipped`.
#[must_use]
pub fn job_figures(job: &QueueJob) -> String {
    let skipped = if job.skipped > 0 { format!(", {} skipped", grouped(job.skipped)) } else { String::new() };
    format!("{} changed{skipped}", grouped(job.changed))
}

/// The filter of the page's parameters, by name.
#[must_use]
pub fn filter(parameters: &[(&str, &str)]) -> QueueFilter {
    let mut filter = QueueFilter::default();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        let text = Some((*value).to_owned());
        match *name {
            "state" => filter.state = text,
            "reason" => filter.reason = text,
            "domain" => filter.domain = text,
            "provider" => filter.provider = text,
            "source" => filter.source = text,
            "class" => filter.class = text,
            "submitted" => filter.submitted = *value == "true",
            "stream" => filter.stream = text,
            "q" => filter.q = text,
            "campaign_id" => filter.campaign_id = value.parse().ok(),
            "min_age_seconds" => filter.min_age_seconds = value.parse().ok(),
            _ => {}
        }
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_are_meant() {
        let cases = [
            (0, true, "nobody"),
            (1, true, "1 recipient"),
            (1200, true, "1,200 recipients"),
            (1200, false, "1,200 or more recipients"),
        ];
        for (count, exact, words) in cases {
            assert_eq!(meant(MatchCount { count, exact }), words);
        }
    }

    #[test]
    fn classes_of_age() {
        assert_eq!(ages(&[60, 3600, 86_400]), ["under 1 min", "1 min to 1 h", "1 h to 1 day", "over 1 day"]);
        assert_eq!(age_ticks(&[60, 600, 3600, 21_600, 172_800]), ["1 m", "10 m", "1 h", "6 h", "2 d", "more"]);
    }

    #[test]
    fn a_job_in_figures() {
        let job = QueueJob {
            id: 1,
            action: QueueActionKind::Hold,
            filter: String::new(),
            pool: None,
            reason: String::new(),
            created_by: String::new(),
            state: QueueJobState::Running,
            expected: Some(200),
            matched: 50,
            changed: 40,
            skipped: 10,
            created_at: String::new(),
            finished_at: None,
        };
        assert_eq!((job_percent(&job), job_figures(&job).as_str()), (25.0, "40 changed, 10 skipped"));
        let more = QueueJob { matched: 300, expected: Some(200), ..job.clone() };
        assert_eq!(job_percent(&more), 100.0);
        let ended = QueueJob { state: QueueJobState::Finished, expected: None, skipped: 0, ..job };
        assert_eq!((job_percent(&ended), job_figures(&ended).as_str()), (100.0, "40 changed"));
    }

    #[test]
    fn parameters_become_a_filter() {
        let found = filter(&[
            ("q", "ana"),
            ("state", ""),
            ("campaign_id", "7"),
            ("class", "greylist"),
            ("submitted", "true"),
            ("min_age_seconds", "3600"),
            ("tab", "x"),
        ]);
        let wanted = QueueFilter {
            q: Some("ana".to_owned()),
            campaign_id: Some(7),
            class: Some("greylist".to_owned()),
            submitted: true,
            min_age_seconds: Some(3600),
            ..QueueFilter::default()
        };
        assert_eq!(found, wanted);
        assert_eq!(filter(&[("state", "")]), QueueFilter::default());
    }
}
