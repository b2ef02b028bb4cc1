//! A campaign's figures: the parts of the bar, the sentence below it, the provider table's sums. States are never merged.

use api_types::{CampaignState, Progress, ProviderProgress};

use crate::number::{counted, grouped};
use crate::tone::Tone;

/// One state's share of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As the recipient log filters by it.
    pub state: &'static str,
    /// For people.
    pub label: &'static str,
    /// What it means, for people who hover or listen.
    pub meaning: &'static str,
    /// How it stands.
    pub tone: Tone,
    /// How many.
    pub count: u64,
    /// 0 to 100, of all that were accepted.
    pub percent: f64,
}

/// Every state, in the order of a recipient's life.
#[must_use]
pub fn parts(progress: &Progress) -> Vec<Part> {
    let rows = [
        ("delivered", "Accepted", "the receiving server took the message", Tone::Success, progress.delivered),
        ("sending", "Sending", "being sent right now", Tone::Active, progress.sending),
        ("queued", "Waiting", "waiting for the first attempt", Tone::Neutral, progress.queued),
        (
            "deferred",
            "Retrying",
            "the receiving server said not now; waiting for the next attempt",
            Tone::Later,
            progress.deferred,
        ),
        ("bounced", "Bounced", "refused for good", Tone::Danger, progress.bounced),
        ("expired", "Expired", "deferred until the time was over", Tone::Danger, progress.expired),
        ("suppressed", "Suppressed", "on the suppression list when the turn came", Tone::Warning, progress.suppressed),
        ("cancelled", "Cancelled", "not sent, the campaign was cancelled", Tone::Neutral, progress.cancelled),
        (
            "unknown",
            "Unknown",
            "the answer never came; not sent again, so that nobody gets it twice",
            Tone::Warning,
            progress.unknown,
        ),
    ];
    let whole = progress.accepted.max(1) as f64;
    rows.into_iter()
        .map(|(state, label, meaning, tone, count)| {
            let percent = (count as f64 / whole * 100.0).min(100.0);
            Part { state, label, meaning, tone, count, percent }
        })
        .collect()
}

/// Recipients that have their final state.
#[must_use]
pub fn settled(progress: &Progress) -> u64 {
    progress.delivered
        + progress.bounced
        + progress.expired
        + progress.suppressed
        + progress.cancelled
        + progress.unknown
}

/// `3,200 of 5,000 settled`, with a word of caution while the audience is still being read.
#[must_use]
pub fn headline(progress: &Progress) -> String {
    let settled = grouped(settled(progress));
    let whole = grouped(progress.accepted);
    if progress.audience_complete {
        format!("{settled} of {whole} settled")
    } else {
        format!("{settled} of {whole} settled so far, the audience is still being read")
    }
}

/// What can still be kept from being sent, said before cancelling.
#[must_use]
pub fn cancel_warning(progress: &Progress) -> String {
    let gone = counted(progress.delivered, "message is", "messages are");
    let left = counted(progress.queued + progress.deferred, "recipient", "recipients");
    format!(
        "{gone} delivered already and cannot be recalled. {left} will never get this campaign. This cannot be undone."
    )
}

/// Whether figures still move.
#[must_use]
pub fn is_live(state: CampaignState) -> bool {
    matches!(state, CampaignState::Running | CampaignState::Paused)
}

/// What a provider bounced, over all classes.
#[must_use]
pub fn bounced(provider: &ProviderProgress) -> u64 {
    provider.bounced.iter().map(|class| class.count).sum()
}

/// A column of the provider table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderColumn {
    /// Its name.
    Name,
    /// Accepted.
    Delivered,
    /// Recipients retried.
    Retried,
    /// Bounced.
    Bounced,
    /// Reported as spam.
    Complained,
    /// Blocked attempts.
    Blocked,
    /// Unknown.
    Unknown,
}

impl ProviderColumn {
    /// The column of this word in the URL; accepted first when there is none.
    #[must_use]
    pub fn parse(word: &str) -> ProviderColumn {
        match word {
            "name" => ProviderColumn::Name,
            "retried" => ProviderColumn::Retried,
            "bounced" => ProviderColumn::Bounced,
            "complained" => ProviderColumn::Complained,
            "blocked" => ProviderColumn::Blocked,
            "unknown" => ProviderColumn::Unknown,
            _ => ProviderColumn::Delivered,
        }
    }
}

/// Providers in the order of a column: names upwards, figures downwards.
#[must_use]
pub fn sorted(providers: &[ProviderProgress], column: ProviderColumn) -> Vec<ProviderProgress> {
    let mut rows = providers.to_vec();
    let figure = |row: &ProviderProgress| match column {
        ProviderColumn::Name => 0,
        ProviderColumn::Delivered => row.delivered,
        ProviderColumn::Retried => row.retried,
        ProviderColumn::Bounced => bounced(row),
        ProviderColumn::Complained => row.complained,
        ProviderColumn::Blocked => row.blocked,
        ProviderColumn::Unknown => row.unknown,
    };
    rows.sort_by(|a, b| figure(b).cmp(&figure(a)).then_with(|| a.provider.cmp(&b.provider)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::Count;

    fn some() -> Progress {
        Progress {
            accepted: 1000,
            audience_complete: true,
            delivered: 800,
            bounced: 50,
            queued: 100,
            deferred: 50,
            ..Progress::default()
        }
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let parts = parts(&some());
        assert_eq!(parts.iter().map(|part| part.count).sum::<u64>(), 1000);
        assert!((parts.iter().map(|part| part.percent).sum::<f64>() - 100.0).abs() < 1e-9);
        assert_eq!(headline(&some()), "850 of 1,000 settled");
    }

    #[test]
    fn nothing_accepted_divides_by_nothing() {
        assert!(parts(&Progress::default()).iter().all(|part| part.percent == 0.0));
        assert!(headline(&Progress::default()).contains("still being read"));
    }

    #[test]
    fn cancelling_says_what_is_gone_and_what_is_left() {
        let text = cancel_warning(&some());
        assert!(text.starts_with("800 messages are delivered already"), "{text}");
        assert!(text.contains("150 recipients will never"), "{text}");
    }

    #[test]
    fn providers_sort_by_figure_then_name() {
        let row = |provider: &str, delivered, bad| ProviderProgress {
            provider: provider.to_owned(),
            delivered,
            deferrals: 0,
            retried: 0,
            bounced: vec![Count { name: "bad_mailbox".to_owned(), count: bad }],
            blocked: 0,
            unknown: 0,
            complained: 0,
            expired: 0,
        };
        let rows = [row("b", 5, 1), row("a", 5, 0), row("c", 9, 7)];
        let names = |column| sorted(&rows, column).into_iter().map(|row| row.provider).collect::<String>();
        assert_eq!(names(ProviderColumn::Delivered), "cab");
        assert_eq!(names(ProviderColumn::Bounced), "cba");
        assert_eq!(names(ProviderColumn::Name), "abc");
    }
}
