//! How far a campaign is: counters from the tallies, rates from samples, the finishing time from both.

use super::run_state;
use crate::time::rfc3339;
use api_types::{Count, Progress, ProviderProgress, ResponseShare};
use mail::RecipientState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use storage::campaign_run::{self, Live, Run, RunState};
use storage::response::Response;
use storage::tally::{self, Measure, Tally};
use storage::{CampaignId, Connection, StorageError};

/// The rate "now" is that of the last ten seconds.
const WINDOW_MS: i64 = 10_000;
/// Campaigns whose samples are kept.
const CAMPAIGNS_MAX: usize = 256;

/// Samples of how many messages have gone, for rates. One for the whole daemon; whoever looks at progress adds one.
#[derive(Debug, Default)]
pub struct Rates {
    samples: Mutex<HashMap<CampaignId, VecDeque<(i64, u64)>>>,
}

impl Rates {
    /// Adds a sample and tells the messages a second over the window; nothing with less than a second to look at.
    fn sample(&self, campaign: CampaignId, now_ms: i64, sent: u64) -> Option<f64> {
        // A sample list is whole at every moment, so a panic elsewhere leaves nothing half done.
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= CAMPAIGNS_MAX && !samples.contains_key(&campaign) {
            samples.retain(|_, list| list.back().is_some_and(|(at, _)| now_ms - at < WINDOW_MS));
        }
        let list = samples.entry(campaign).or_default();
        // Several consoles look at once: a few samples a second are enough.
        if list.back().is_none_or(|(at, _)| now_ms - at >= 250) {
            list.push_back((now_ms, sent));
        }
        // After a pause in looking, samples from before it say nothing about now.
        let is_old = |at: i64| now_ms - at > 2 * WINDOW_MS;
        while list.len() > 1 && (list[1].0 <= now_ms - WINDOW_MS || is_old(list[0].0)) {
            list.pop_front();
        }
        let (at, before) = *list.front()?;
        let span_ms = now_ms - at;
        (span_ms >= 1000).then(|| per_second(sent.saturating_sub(before), span_ms))
    }
}

fn per_second(n: u64, span_ms: i64) -> f64 {
    if span_ms <= 0 { 0.0 } else { n as f64 * 1000.0 / span_ms as f64 }
}

/// The figures of a launched campaign.
///
/// # Errors
/// The database's.
pub fn progress(tx: &Connection, run: &Run, rates: &Rates, now_ms: i64) -> Result<Progress, StorageError> {
    // One moment for all figures: the states are never merged, and their sum holds.
    let moment = tx.is_autocommit().then(|| tx.unchecked_transaction()).transpose()?;
    let tallies = tally::of_campaign(tx, run.workspace_id, run.campaign_id)?;
    let live = campaign_run::live(tx, run.campaign_id)?;
    drop(moment);
    let mut progress = figures(run, &tallies, live);
    let end_ms = run.finished_ms.unwrap_or(now_ms);
    let sent = progress.delivered + progress.bounced + progress.unknown;
    let elapsed_ms = (end_ms - run.started_ms).max(0);
    progress.elapsed_seconds = (elapsed_ms / 1000) as u64;
    progress.rate_average = per_second(sent, elapsed_ms);
    if run.state == RunState::Running {
        let sampled = rates.sample(run.campaign_id, now_ms, sent);
        progress.rate_now = sampled.unwrap_or(progress.rate_average);
        progress.finishes_at = finish(&progress, now_ms);
    }
    Ok(progress)
}

/// The counters alone.
fn figures(run: &Run, tallies: &[Tally], live: Live) -> Progress {
    let mut p = Progress {
        audience_complete: run.audience_complete,
        deferred: live.deferred,
        sending: live.sending,
        state: Some(run_state(run.state)),
        ..Progress::default()
    };
    let (mut unsubscribed, mut left, mut replied) = (0, 0, 0);
    let mut providers: BTreeMap<&str, ProviderProgress> = BTreeMap::new();
    for tally in tallies {
        let n = u64::try_from(tally.n).unwrap_or(0);
        match tally.measure {
            Measure::Accepted => p.accepted += n,
            Measure::Final(RecipientState::Delivered) => p.delivered += n,
            Measure::Final(RecipientState::Bounced) => p.bounced += n,
            Measure::Final(RecipientState::Expired) => p.expired += n,
            Measure::Final(RecipientState::Suppressed) => p.suppressed += n,
            Measure::Final(RecipientState::Cancelled) => p.cancelled += n,
            Measure::Final(RecipientState::Unknown) => p.unknown += n,
            Measure::Complained => p.complained += n,
            Measure::Unsubscribed => unsubscribed += n,
            Measure::Left => left += n,
            Measure::Replied => replied += n,
            _ => {}
        }
        if !tally.provider.is_empty() && n > 0 {
            add_to_provider(
                providers.entry(&tally.provider).or_insert_with(|| empty(&tally.provider)),
                tally.measure,
                n,
            );
        }
    }
    let finished = p.delivered + p.bounced + p.expired + p.suppressed + p.cancelled + p.unknown;
    p.queued = p.accepted.saturating_sub(finished + p.deferred + p.sending);
    let share = |response: Response, count: u64| ResponseShare {
        response: response.as_str().to_owned(),
        count,
        percent: if p.delivered == 0 { 0.0 } else { count as f64 * 100.0 / p.delivered as f64 },
    };
    p.responses = vec![
        share(Response::Unsubscribed, unsubscribed),
        share(Response::Left, left),
        share(Response::Complained, p.complained),
        share(Response::Replied, replied),
    ];
    p.providers = providers.into_values().collect();
    p.providers.sort_by_key(|provider| std::cmp::Reverse(provider.delivered));
    p
}

fn empty(provider: &str) -> ProviderProgress {
    ProviderProgress {
        provider: provider.to_owned(),
        delivered: 0,
        deferrals: 0,
        retried: 0,
        bounced: Vec::new(),
        blocked: 0,
        unknown: 0,
        complained: 0,
        expired: 0,
    }
}

fn add_to_provider(provider: &mut ProviderProgress, measure: Measure, n: u64) {
    match measure {
        Measure::Final(RecipientState::Delivered) => provider.delivered += n,
        Measure::Final(RecipientState::Unknown) => provider.unknown += n,
        Measure::Final(RecipientState::Expired) => provider.expired += n,
        Measure::Deferral => provider.deferrals += n,
        Measure::Retried => provider.retried += n,
        Measure::Blocked => provider.blocked += n,
        Measure::Complained => provider.complained += n,
        Measure::Class(class) => provider.bounced.push(Count { name: class.as_str().to_owned(), count: n }),
        Measure::Accepted | Measure::Final(_) | Measure::Unsubscribed | Measure::Left | Measure::Replied => {}
    }
}

/// When the last one will be settled at the present rate; unknown while the audience is not complete.
fn finish(p: &Progress, now_ms: i64) -> Option<api_types::Time> {
    let left = p.queued + p.deferred + p.sending;
    if !p.audience_complete || left == 0 || p.rate_now < 0.001 {
        return None;
    }
    let wait_ms = (left as f64 / p.rate_now * 1000.0) as i64;
    Some(rfc3339(now_ms.saturating_add(wait_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_ten_seconds() {
        let rates = Rates::default();
        let id = CampaignId(1);
        let story = [
            (0, 0, None),
            (500, 50, None),
            (1_000, 100, Some(100.0)),
            (5_000, 500, Some(100.0)),
            (10_000, 1_000, Some(100.0)),
            // It stops: the window empties.
            (15_000, 1_000, Some(50.0)),
            (20_000, 1_000, Some(0.0)),
            // Nobody looked for an hour.
            (3_600_000, 9_000, None),
            (3_602_000, 9_100, Some(50.0)),
            (3_612_000, 10_100, Some(100.0)),
        ];
        for (at, sent, expected) in story {
            assert_eq!(rates.sample(id, at, sent), expected, "at {at}");
        }
    }
}
