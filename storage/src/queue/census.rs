//! The live queue in figures: one walk over its rows counts everything at once.
//!
//! Counters kept with every transition would cost the way to the wire more than they are worth to whoever looks: a
//! recipient changes its state four times, and a million of them are walked in about a second. So the walk is done when
//! somebody looks, by a reader, and its result is kept for a while by the caller.

use super::ledger::{self, Ledger};
use crate::{CampaignId, StorageError, WorkspaceId};
use mail::{RecipientState, WaitReason};
use rusqlite::{Connection, Row};
use std::collections::HashMap;

/// Ages that are told apart: below so many milliseconds; the last class has no bound.
pub const AGE_BOUNDS_MS: [i64; 6] = [60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 172_800_000];
/// Classes of age.
pub const AGES: usize = AGE_BOUNDS_MS.len() + 1;
/// Domains that are told apart; what comes beyond is counted under the empty name.
const DOMAINS_MAX: usize = 50_000;

/// Recipients by age, youngest class first.
pub type Ages = [u64; AGES];

/// What is counted of recipients that share a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many.
    pub count: u64,
    /// By age.
    pub ages: Ages,
    /// When the oldest was accepted, of those that wait.
    pub oldest_ms: Option<i64>,
}

/// What is counted of a recipient domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainFigures {
    /// The figures.
    pub figures: Figures,
    /// The provider that the last of its attempted recipients went to.
    pub provider: Option<String>,
}

/// The live queue in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// When it was taken.
    pub at_ms: i64,
    /// Everything together.
    pub all: Figures,
    /// By state.
    pub states: HashMap<RecipientState, u64>,
    /// By wait reason.
    pub reasons: HashMap<WaitReason, u64>,
    /// By recipient domain.
    pub domains: HashMap<String, DomainFigures>,
    /// By the source of the last attempt; empty where there was none.
    pub sources: HashMap<String, u64>,
    /// By stream.
    pub streams: HashMap<String, u64>,
    /// By campaign; `None` for submitted mail.
    pub campaigns: HashMap<Option<CampaignId>, u64>,
    /// The sums of the same moment.
    pub ledger: Ledger,
}

const WALK: &str = "
    SELECT state, wait_reason, domain, provider, source, stream, campaign_id, accepted_ms
    FROM recipient WHERE workspace_id = ?1";

/// Counts a workspace's live recipients.
///
/// # Errors
/// The database's.
pub fn census(connection: &Connection, workspace: WorkspaceId, now_ms: i64) -> Result<Census, StorageError> {
    // One transaction, so that rows and tallies are of the same moment.
    let _moment = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
    let mut census = Census { at_ms: now_ms, ..Census::default() };
    let mut statement = connection.prepare_cached(WALK)?;
    let mut rows = statement.query([workspace])?;
    while let Some(row) = rows.next()? {
        census.add(row)?;
    }
    census.ledger = ledger::with_live(connection, workspace, census.all.count)?;
    Ok(census)
}

impl Census {
    fn add(&mut self, row: &Row<'_>) -> Result<(), StorageError> {
        let state = crate::words::word(row, 0, RecipientState::parse)?;
        let accepted_ms: i64 = row.get(7)?;
        let waits = matches!(state, RecipientState::Queued | RecipientState::Held);
        let age = age_class(self.at_ms - accepted_ms);
        let text = |column| row.get_ref(column).map(|value| value.as_str().unwrap_or_default());
        self.all.add(age, waits.then_some(accepted_ms));
        *self.states.entry(state).or_default() += 1;
        if let Some(reason) = crate::words::word_opt(row, 1, WaitReason::parse)? {
            *self.reasons.entry(reason).or_default() += 1;
        }
        let mut domain = text(2)?;
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(domain) {
            domain = "";
        }
        let of_domain = named(&mut self.domains, domain);
        of_domain.figures.add(age, waits.then_some(accepted_ms));
        let provider = text(3)?;
        if !provider.is_empty() && !domain.is_empty() && of_domain.provider.as_deref() != Some(provider) {
            of_domain.provider = Some(provider.to_owned());
        }
        *named(&mut self.sources, text(4)?) += 1;
        *named(&mut self.streams, text(5)?) += 1;
        *self.campaigns.entry(row.get(6)?).or_default() += 1;
        Ok(())
    }
}

/// The entry of a name; the name is copied only where it is new.
fn named<'a, T: Default>(map: &'a mut HashMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was put there just now")
}

impl Figures {
    fn add(&mut self, age: usize, waiting_since_ms: Option<i64>) {
        self.count += 1;
        self.ages[age] += 1;
        self.oldest_ms = [self.oldest_ms, waiting_since_ms].into_iter().flatten().min();
    }

    /// Adds what was counted under another name.
    pub fn join(&mut self, other: &Figures) {
        self.count += other.count;
        for (age, n) in self.ages.iter_mut().zip(other.ages) {
            *age += n;
        }
        self.oldest_ms = [self.oldest_ms, other.oldest_ms].into_iter().flatten().min();
    }
}

fn age_class(age_ms: i64) -> usize {
    AGE_BOUNDS_MS.iter().position(|bound| age_ms < *bound).unwrap_or(AGES - 1)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[WALK];
