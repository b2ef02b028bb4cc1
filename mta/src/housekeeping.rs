//! What has to be done again and again: lanes without a reason to stand still, events on their way
//! to their file, and what is older than its retention.

use crate::hold::off_clock;
use crate::metric;
use crate::shaping::reasons;
use crate::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use storage::automation::{Automation, Scope};
use storage::{
    RecipientId, Storage, StorageError, auth_failure, automation, bounces, conversation, dmarc_report, event,
    idempotency, job, journey_run, listing, message, outbox, queue, report_alarm, report_day, reputation, sent_to,
    soft_bounce, standing, suppression, tls_report, unknown_text, unmatched_report,
};

/// Lanes are looked at so often: what waits for a place among all connections gets its chance.
const LANES_EVERY: Duration = Duration::from_secs(1);
/// Recipients that are looked at together when an automation ends.
const RELEASE_CHUNK: u32 = 50_000;
/// Rolling figures are asked for the last thirty days at most.
const REPUTATION_KEEP: Duration = Duration::from_hours(31 * 24);
/// Reputation acts on figures of seven days.
const AUTOMATIONS_KEEP_MIN: Duration = Duration::from_hours(8 * 24);
/// What could not be judged is tried again after this.
const SOFT_BOUNCES_AGAIN: Duration = Duration::from_secs(30);
/// The longest time within which soft bounces can be counted.
const SOFT_BOUNCES_KEEP: Duration = Duration::from_hours(365 * 24);
/// Events are moved at most so often: the more at a time, the cheaper each.
const EVENTS_EVERY: Duration = Duration::from_millis(250);
const EVENTS_CHUNK: u32 = 2_000;
/// And looked for so often without being told of any: others than the book write events too.
const EVENTS_LOOK: Duration = Duration::from_secs(1);
/// No mail is tried for longer.
const PAST_ADDRESSES_LONGER: Duration = Duration::from_hours(31 * 24);
/// An alarm of failed authentication, which no report ends, is over after so long without one.
const AUTH_ALARM_KEEP_MS: i64 = 7 * 86_400_000;
const RETENTION_EVERY: Duration = Duration::from_hours(1);
const RETENTION_CHUNK: u32 = 1_000;
/// Of reports, each of which has up to thousands of rows.
const REPORTS_CHUNK: u32 = 10;
/// Between chunks, so that deleting history never holds up the present.
const RETENTION_PAUSE: Duration = Duration::from_millis(50);

/// Ended actions on many recipients are kept this long; what they did stands in the events.
const JOBS_KEEP: Duration = Duration::from_hours(30 * 24);

/// How long finished things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Events of single recipients.
    pub events: Duration,
    /// Finished recipients.
    pub finished: Duration,
    /// What became of suppressions, and those that have ended.
    pub suppressions: Duration,
    /// Reports that matched nobody.
    pub unmatched_reports: Duration,
    /// Texts that no rule knows, since they were last seen.
    pub unknown_texts: Duration,
    /// What others report about our domains.
    pub reports: Duration,
    /// Conversations with other servers.
    pub conversations: Duration,
    /// Bytes of conversations, all together.
    pub conversation_bytes: u64,
}

pub(crate) async fn lanes(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep(LANES_EVERY).await;
        let now_ms = shared.clock.now_ms();
        shared.forget_idle_lanes(now_ms);
        shared.end_automations(now_ms);
        for lane in shared.lanes() {
            lane.drive(&shared);
        }
    }
}

/// Each soft bounce is judged in its own commit. What was noted under another rule is judged once, by the present one.
pub(crate) async fn soft_bounces(shared: Arc<Shared>) {
    let mut after = None;
    loop {
        let (storage, now_ms) = (shared.storage.clone(), shared.clock.now_ms());
        let judged = off_clock(async move { soft_bounce::judge(&storage, after, now_ms).await }).await;
        match judged {
            Some(Ok(None)) => return,
            Some(Ok(last)) => after = last,
            Some(Err(error)) => {
                tracing::error!(%error, "soft bounces cannot be counted; trying again");
                shared.clock.sleep(SOFT_BOUNCES_AGAIN).await;
            }
            None => return,
        }
    }
}

/// What waited because of a lifted automation is due now. Whoever waits for another reason of the same kind is looked at
/// and sent back.
pub(crate) async fn release(shared: Arc<Shared>, lifted: Automation) {
    let workspace = match lifted.scope {
        Scope::SourceSite | Scope::SourceProvider => None,
        Scope::DomainProvider | Scope::WorkspaceProvider | Scope::Workspace | Scope::Domain | Scope::Campaign => {
            Some(lifted.workspace_id)
        }
    };
    for reason in reasons(&lifted) {
        let mut after = RecipientId(0);
        loop {
            let (storage, now_ms) = (shared.storage.clone(), shared.clock.now_ms());
            let whose = (reason, workspace);
            let walked =
                off_clock(async move { automation::release(&storage, whose, after, RELEASE_CHUNK, now_ms).await })
                    .await;
            match walked {
                Some(Ok(Some(next))) => after = next,
                Some(Ok(None)) => break,
                Some(Err(error)) => {
                    tracing::error!(%error, "what an automation held is not due at once; it comes at its own time");
                    return;
                }
                None => return,
            }
        }
    }
    shared.book.counts.wake.notify_one();
}

pub(crate) async fn events(shared: Arc<Shared>) {
    loop {
        drain(&shared).await;
        tokio::select! {
            () = shared.book.counts.events.notified() => shared.clock.sleep(EVENTS_EVERY).await,
            () = shared.clock.sleep(EVENTS_LOOK) => {}
        }
    }
}

/// Moves everything that is in the outbox.
pub(crate) async fn drain(shared: &Shared) {
    shared.book.counts.events_written.store(false, SeqCst);
    loop {
        let storage = shared.storage.clone();
        let moved = off_clock(async move { outbox::drain(&storage, EVENTS_CHUNK).await }).await;
        match moved {
            Some(Ok(0)) | None => return,
            Some(Ok(moved)) => {
                metrics::counter!(metric::EVENTS_MOVED).increment(moved as u64);
                if moved < EVENTS_CHUNK as usize {
                    return;
                }
            }
            Some(Err(error)) => {
                tracing::error!(%error, "events cannot be moved; trying again later");
                return;
            }
        }
    }
}

pub(crate) async fn retention(shared: Arc<Shared>, retention: Retention) {
    loop {
        if let Err(error) = forget(&shared, &retention).await {
            tracing::error!(%error, "old events and recipients cannot be deleted; trying again later");
        }
        let (storage, now_ms) = (shared.storage.clone(), shared.clock.now_ms());
        if let Some(Err(error)) = off_clock(async move { end_quiet_alarms(&storage, now_ms).await }).await {
            tracing::error!(%error, "alarms of failed authentication cannot be ended; trying again later");
        }
        shared.clock.sleep(RETENTION_EVERY).await;
    }
}

/// Ends the alarms of failed authentication that nothing was reported of for a while.
async fn end_quiet_alarms(storage: &Storage, now_ms: i64) -> Result<(), StorageError> {
    let before_ms = now_ms - AUTH_ALARM_KEEP_MS;
    loop {
        let end = move |tx: &storage::Transaction<'_>| {
            report_alarm::end_quiet(tx, report_alarm::Kind::Auth, before_ms, RETENTION_CHUNK, now_ms)
        };
        let ended = storage.events().write(end).await?;
        if ended.is_empty() {
            return Ok(());
        }
        let tell = move |tx: &storage::Transaction<'_>| {
            for (workspace, domain, item) in &ended {
                let text = format!("{domain}: nothing more is reported of {item}");
                let event = event::Event::new(now_ms, *workspace, event::Kind::AlarmEnded);
                outbox::put(tx, &event::Event { text: Some(&text), ..event })?;
            }
            Ok(())
        };
        storage.queue().write(tell).await?;
    }
}

/// Which history.
#[derive(Clone, Copy)]
enum Old {
    Events,
    Finished,
    /// Submitted messages, which go with their recipients.
    Messages,
    /// Answers to requests that may come again.
    Answers,
    UnmatchedReports,
    UnknownTexts,
    DmarcReports,
    TlsReports,
    AuthFailures,
    /// How many of them came.
    ReportDays,
    /// Alarms of reports that have ended.
    ReportAlarms,
    /// Listings on blocklists that nobody sees any more.
    Listings,
    /// Automations that have ended, as long as the events that tell of them.
    Automations,
    /// Actions on many recipients that have ended.
    Jobs,
    /// Soft bounces that are too old to count.
    SoftBounces,
    /// What became of suppressions.
    SuppressionChanges,
    /// Suppressions that have ended.
    EndedSuppressions,
    /// Rolling figures that no page looks back to.
    Reputation,
    /// Rolling figures that reputation does not act on any more.
    Standing,
    /// Bounces told apart, as long as their recipients.
    Bounces,
    /// Addresses that contacts gave up, as long as what was sent to them.
    PastAddresses,
    /// What contacts did in journeys, as long as what they were sent.
    JourneyRuns,
    /// By age, and beyond so many bytes.
    Conversations(u64),
}

async fn forget(shared: &Shared, retention: &Retention) -> Result<(), StorageError> {
    let now_ms = shared.clock.now_ms();
    for (old, keep) in [
        (Old::Events, retention.events),
        (Old::Finished, retention.finished),
        (Old::Messages, retention.finished),
        (Old::Answers, Duration::from_millis(idempotency::KEPT_MS.unsigned_abs())),
        (Old::UnmatchedReports, retention.unmatched_reports),
        (Old::UnknownTexts, retention.unknown_texts),
        // What has been acted on is known as long as its figures count.
        (Old::Automations, retention.events.max(AUTOMATIONS_KEEP_MIN)),
        (Old::DmarcReports, retention.reports),
        (Old::TlsReports, retention.reports),
        (Old::AuthFailures, retention.reports),
        (Old::ReportDays, retention.reports),
        (Old::ReportAlarms, retention.reports),
        (Old::Listings, retention.reports),
        (Old::Jobs, JOBS_KEEP),
        (Old::SoftBounces, SOFT_BOUNCES_KEEP),
        (Old::SuppressionChanges, retention.suppressions),
        (Old::EndedSuppressions, retention.suppressions),
        (Old::Reputation, REPUTATION_KEEP),
        (Old::Standing, AUTOMATIONS_KEEP_MIN),
        (Old::Bounces, retention.finished),
        (Old::JourneyRuns, retention.finished),
        // What was on its way when the address was given up ends later.
        (Old::PastAddresses, retention.finished + PAST_ADDRESSES_LONGER),
        (Old::Conversations(retention.conversation_bytes), retention.conversations),
    ] {
        let before_ms = now_ms.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        loop {
            let storage = shared.storage.clone();
            let gone = off_clock(async move { forget_some(&storage, old, before_ms).await }).await;
            if gone.unwrap_or(Err(StorageError::Closed))? == 0 {
                break;
            }
            shared.clock.sleep(RETENTION_PAUSE).await;
        }
    }
    Ok(())
}

async fn forget_some(storage: &Storage, old: Old, before_ms: i64) -> Result<usize, StorageError> {
    match old {
        Old::Events => event::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::Finished => queue::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::Messages => storage.queue().write(move |tx| message::forget(tx, before_ms, RETENTION_CHUNK)).await,
        Old::Automations => storage.queue().write(move |tx| automation::forget(tx, before_ms, RETENTION_CHUNK)).await,
        Old::Answers => storage.queue().write(move |tx| idempotency::forget(tx, before_ms, RETENTION_CHUNK)).await,
        Old::UnmatchedReports => unmatched_report::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::UnknownTexts => {
            storage.events().write(move |tx| unknown_text::forget(tx, before_ms, RETENTION_CHUNK)).await
        }
        Old::DmarcReports => dmarc_report::forget(storage, before_ms, REPORTS_CHUNK).await,
        Old::TlsReports => tls_report::forget(storage, before_ms, REPORTS_CHUNK).await,
        Old::AuthFailures => auth_failure::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::ReportDays => report_day::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::ReportAlarms => report_alarm::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::Listings => listing::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::Jobs => storage.queue().write(move |tx| job::forget(tx, before_ms, RETENTION_CHUNK)).await,
        Old::Reputation => reputation::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::Standing => standing::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::JourneyRuns => journey_run::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::Bounces => bounces::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::PastAddresses => storage.main().write(move |tx| sent_to::forget(tx, before_ms, RETENTION_CHUNK)).await,
        Old::SoftBounces => soft_bounce::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::SuppressionChanges => suppression::forget(storage, before_ms, RETENTION_CHUNK).await,
        Old::EndedSuppressions => suppression::forget_ended(storage, before_ms, RETENTION_CHUNK).await,
        Old::Conversations(bytes) => {
            storage.events().write(move |tx| conversation::forget(tx, before_ms, bytes, RETENTION_CHUNK)).await
        }
    }
}
