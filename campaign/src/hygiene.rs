//! List hygiene: the rules for contacts that stay silent.
//!
//! Strategy: a rule works through the contacts in the order of their ids, in batches that the mail on its way hardly
//! notices; breaking off anywhere is safe, since whoever is dealt with does not match any more. A rule's doing is undone
//! by the next sign of engagement.

use crate::error::{self, Refused};
use crate::segment;
use crate::time::rfc3339;
use api_types::{Filter, HygieneRan, HygieneSettings};
use std::sync::Arc;
use std::time::Duration;
use storage::contact::{self, Left, Member};
use storage::hygiene::{self, Rule};
use storage::{ContactId, Storage, StorageError, SuppressionId, Transaction, WorkspaceId};
use world::Clock;

/// Contacts in one commit.
const BATCH: u32 = 500;
/// Between two commits.
const PAUSE: Duration = Duration::from_millis(5);
/// A twelfth of a year.
const MONTH_MS: i64 = 2_629_746_000;
/// Runs shown.
const RUNS_SHOWN: u32 = 30;

/// Those whom the sunset rule means: silent for so long, and not suppressed already.
#[must_use]
pub fn silent(months: u32) -> Filter {
    let active = Filter::Not { filter: Box::new(Filter::Suppressed) };
    Filter::And { filters: vec![Filter::Unengaged { months }, active] }
}

/// Those whom the other rule means: silent, and without the tag.
fn untagged(settings: &HygieneSettings) -> Filter {
    let tag = Filter::Tag { name: settings.reengage_tag.clone() };
    Filter::And { filters: vec![silent(settings.reengage_months), Filter::Not { filter: Box::new(tag) }] }
}

/// Rules as they are kept.
///
/// # Errors
/// A value that is wrong.
fn checked(settings: HygieneSettings) -> Result<HygieneSettings, Refused> {
    for (field, months) in [("sunset_months", settings.sunset_months), ("reengage_months", settings.reengage_months)] {
        if !(1..=120).contains(&months) {
            return Err(Refused::invalid(field, "choose 1 to 120 months"));
        }
    }
    if settings.sunset && settings.reengage && settings.reengage_months >= settings.sunset_months {
        let message = "ask before you stop: choose fewer months than those after which the mail ends";
        return Err(Refused::invalid("reengage_months", message));
    }
    let reengage_tag = error::name("reengage_tag", &settings.reengage_tag)?;
    if reengage_tag.chars().count() > 100 {
        return Err(Refused::invalid("reengage_tag", "a tag has at most 100 characters"));
    }
    Ok(HygieneSettings { reengage_tag, ..settings })
}

/// The rules, whom they would reach now (those that are off too), and what they did. For readers.
///
/// # Errors
/// The database's.
pub fn show(
    connection: &storage::Connection,
    workspace: WorkspaceId,
    settings: HygieneSettings,
    now_ms: i64,
) -> Result<api_types::Hygiene, Refused> {
    let count = |filter: &Filter| -> Result<u64, Refused> {
        let compiled = segment::compile(connection, workspace, filter, now_ms)?;
        Ok(contact::count_matching(connection, workspace, &compiled, now_ms)?.matching)
    };
    let run = |run: hygiene::Run| api_types::HygieneRun {
        rule: run.rule,
        started_by: run.started_by,
        started_at: rfc3339(run.started_ms),
        finished_at: run.finished_ms.map(rfc3339),
        changed: run.changed,
    };
    Ok(api_types::Hygiene {
        sunset_would: count(&silent(settings.sunset_months))?,
        reengage_would: count(&untagged(&settings))?,
        engagement_known: is_measured(connection, workspace, settings.sunset_months, now_ms)?,
        sunset_now: hygiene::sunset_now(connection, workspace)?,
        runs: hygiene::runs(connection, workspace, RUNS_SHOWN)?.into_iter().map(run).collect(),
        settings,
    })
}

/// Whether somebody was engaged in so many months: else everybody would count as silent.
///
/// # Errors
/// The database's.
pub fn is_measured(
    connection: &storage::Connection,
    workspace: WorkspaceId,
    months: u32,
    now_ms: i64,
) -> Result<bool, StorageError> {
    hygiene::engaged_since(connection, workspace, now_ms.saturating_sub(i64::from(months) * MONTH_MS))
}

/// Replaces the workspace's rules.
///
/// # Errors
/// A value that is wrong; stopping mail where nothing measures engagement.
pub async fn set(
    storage: &Storage,
    workspace: WorkspaceId,
    settings: HygieneSettings,
    (by, now_ms): (String, i64),
) -> Result<HygieneSettings, Refused> {
    let settings = checked(settings)?;
    let kept = settings.clone();
    let put = move |tx: &Transaction<'_>| {
        if kept.sunset && !is_measured(tx, workspace, kept.sunset_months, now_ms)? {
            return Ok(false);
        }
        hygiene::put(tx, workspace, &kept, &by, now_ms)?;
        Ok(true)
    };
    if !storage.main().write(put).await? {
        let message = "nobody showed a sign of engagement in these months as far as is known, so the rule would mean \
            everybody; bring in engaged_at with contacts or imports first";
        return Err(Refused::invalid("sunset", message));
    }
    Ok(settings)
}

/// Notes who was mailed since the last look, and gives their mail back to those who came back.
///
/// # Errors
/// The database's.
pub async fn look(storage: &Storage, clock: &Arc<dyn Clock>) -> Result<usize, StorageError> {
    while hygiene::note_mailed(storage).await? {
        clock.sleep(PAUSE).await;
    }
    let (mut after, mut lifted) = (SuppressionId(0), 0);
    while let Some((last, n)) = hygiene::lift(storage, after, clock.now_ms()).await? {
        (after, lifted) = (last, lifted + n);
        clock.sleep(PAUSE).await;
    }
    Ok(lifted)
}

/// Applies those of these rules that are on.
///
/// # Errors
/// The database's; what was done by then stays done.
pub async fn run(
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    workspace: WorkspaceId,
    (rules, by): (Vec<Rule>, String),
) -> Result<HygieneRan, Refused> {
    look(storage, clock).await?;
    let settings = storage.read(move |c| hygiene::get(c, workspace)).await?;
    let house = House { storage: storage.clone(), clock: clock.clone(), workspace };
    let mut ran = HygieneRan { sunset: 0, reengage: 0 };
    if settings.reengage && rules.contains(&Rule::Reengage) {
        let (tag, months) = (settings.reengage_tag.clone(), settings.reengage_months);
        house.batches(&spoken_again(&tag, months), &Work::Untag(tag.clone()), None).await?;
        ran.reengage = house.noted(Rule::Reengage, &by, &untagged(&settings), &Work::Tag(tag)).await?;
    }
    let (months, now_ms) = (settings.sunset_months, clock.now_ms());
    if settings.sunset
        && rules.contains(&Rule::Sunset)
        && storage.read(move |c| is_measured(c, workspace, months, now_ms)).await?
    {
        ran.sunset = house.noted(Rule::Sunset, &by, &silent(months), &Work::Sunset { months }).await?;
    }
    Ok(ran)
}

/// Those who have the tag and are silent no more.
fn spoken_again(tag: &str, months: u32) -> Filter {
    let not_silent = Filter::Not { filter: Box::new(Filter::Unengaged { months }) };
    Filter::And { filters: vec![Filter::Tag { name: tag.to_owned() }, not_silent] }
}

/// What is done to contacts.
enum Work {
    /// They get no marketing mail any more.
    Sunset { months: u32 },
    /// They get the tag.
    Tag(String),
    /// They lose it.
    Untag(String),
}

struct House {
    storage: Storage,
    clock: Arc<dyn Clock>,
    workspace: WorkspaceId,
}

impl House {
    /// Does `work` to all who match, with a row that says how far it is.
    async fn noted(&self, rule: Rule, by: &str, filter: &Filter, work: &Work) -> Result<u64, Refused> {
        let (workspace, by, now_ms) = (self.workspace, by.to_owned(), self.clock.now_ms());
        let begin = move |tx: &Transaction<'_>| hygiene::begin(tx, (workspace, rule), &by, now_ms);
        let id = self.storage.main().write(begin).await?;
        let changed = self.batches(filter, work, Some(id)).await?;
        self.progress(id, changed, Some(self.clock.now_ms())).await?;
        Ok(changed)
    }

    async fn progress(&self, id: i64, changed: u64, finished_ms: Option<i64>) -> Result<(), StorageError> {
        let run = (self.workspace, id);
        self.storage.main().write(move |tx| hygiene::progress(tx, run, changed, finished_ms)).await
    }

    async fn batches(&self, filter: &Filter, work: &Work, noted: Option<i64>) -> Result<u64, Refused> {
        let now_ms = self.clock.now_ms();
        let last = self.storage.read(contact::last_id).await?;
        let (mut after, mut changed) = (ContactId(0), 0);
        loop {
            let members = self.next(filter.clone(), (after, last), now_ms).await?;
            let Some(end) = members.last().map(|member| member.id) else { return Ok(changed) };
            changed += self.act(work, members).await?;
            if let Some(id) = noted {
                self.progress(id, changed, None).await?;
            }
            after = end;
            self.clock.sleep(PAUSE).await;
        }
    }

    async fn next(&self, filter: Filter, between: (ContactId, ContactId), now_ms: i64) -> Result<Vec<Member>, Refused> {
        let workspace = self.workspace;
        let found = self.storage.read(move |c| {
            let compiled = match segment::compile(c, workspace, &filter, now_ms) {
                Ok(compiled) => compiled,
                Err(refused) => return Ok(Err(refused)),
            };
            contact::audience(c, workspace, &compiled, between, Left::Nobody, BATCH).map(Ok)
        });
        found.await?
    }

    async fn act(&self, work: &Work, members: Vec<Member>) -> Result<u64, StorageError> {
        let workspace = self.workspace;
        match work {
            Work::Sunset { months } => {
                let (months, now_ms) = (*months, self.clock.now_ms());
                let sunset = move |tx: &Transaction<'_>| hygiene::sunset(tx, workspace, (&members, months), now_ms);
                self.storage.queue().write(sunset).await
            }
            Work::Tag(tag) => {
                let tag = tag.clone();
                self.storage.main().write(move |tx| hygiene::tag(tx, workspace, &tag, &members)).await
            }
            Work::Untag(tag) => {
                let tag = tag.clone();
                self.storage.main().write(move |tx| hygiene::untag(tx, workspace, &tag, &members)).await?;
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
