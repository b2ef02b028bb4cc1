//! The loops: one task for each webhook, so that one whose other side is slow or dead holds up no other.
//!
//! Each reads the events behind its cursor as they come, together with what is due again, sends a batch over a few
//! connections at a time, and writes what came of it and the cursor in one commit. A crash before that commit sends the
//! batch once more under the same ids. The backlog is the cursor: nothing is copied for later, but what failed.

use super::retry::{self, Outcome};
use super::sign::Signer;
use super::{METRIC_ATTEMPTS, METRIC_DISABLED, METRIC_SKIPPED, body};
use crate::app::Shared;
use api_types::WebhookType;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::webhook::cursor::{self, Cursor};
use storage::webhook::delivery::{self, ANSWER_MAX, About, Attempt, Delivery};
use storage::webhook::happening::{self, Stretch};
use storage::webhook::{self, Switch, Webhook};
use storage::{StorageError, WebhookId, WorkspaceId};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Requests of one webhook at a time.
const PARALLEL: usize = 8;
/// New things of one batch.
const BATCH: usize = 64;
/// Things that are due again, of one batch.
const DUE_BATCH: u32 = 32;
/// Events that are looked at for one batch.
const STRETCH: u32 = 1000;
/// Deliveries of one webhook that wait for another attempt; beyond it nothing new is tried.
const OPEN_MAX: u32 = 10_000;
/// What is due again is looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After the database failed.
const TROUBLE_WAIT: Duration = Duration::from_secs(10);
/// A cursor that passed nothing to tell is written after so many events.
const NOTE_AFTER: i64 = 5000;
/// What was queued, moved at a time.
const QUEUED_CHUNK: u32 = 500;
/// The webhooks are looked at so often without being told of a change.
const RELOAD_EVERY: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_hours(1);
const TIDY_CHUNK: u32 = 1000;
const TIDY_PAUSE: Duration = Duration::from_millis(50);

/// Runs every webhook that is enabled until the daemon stops.
pub(crate) async fn run(app: Shared) {
    let mut running: HashMap<WebhookId, Running> = HashMap::new();
    while !app.stop.is_cancelled() {
        match app.storage.read(webhook::enabled).await {
            Ok(wanted) => adjust(&app, &mut running, wanted).await,
            Err(e) => tracing::error!(error = %e, "the webhooks cannot be read; trying again"),
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.webhooks.changed.notified() => {}
            () = app.clock.sleep(RELOAD_EVERY) => {}
        }
    }
    for (_, one) in running {
        one.end().await;
    }
}

/// A webhook at work.
struct Running {
    webhook: Webhook,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it; what was sent is noted.
    async fn end(self) {
        self.cancel.cancel();
        if let Err(e) = self.task.await {
            tracing::error!(webhook.id = %self.webhook.id, error = %e, "the loop of a webhook broke");
        }
    }
}

/// Ends what is not wanted any more, or otherwise, and begins what is new.
async fn adjust(app: &Shared, running: &mut HashMap<WebhookId, Running>, wanted: Vec<Webhook>) {
    let stale = |one: &Running| one.task.is_finished() || !wanted.contains(&one.webhook);
    let ending: Vec<WebhookId> = running.iter().filter(|(_, one)| stale(one)).map(|(id, _)| *id).collect();
    for id in ending {
        if let Some(one) = running.remove(&id) {
            one.end().await;
        }
    }
    for webhook in wanted {
        if running.contains_key(&webhook.id) {
            continue;
        }
        let cancel = app.stop.child_token();
        let task = app.tasks.spawn(serve(app.clone(), webhook.clone(), cancel.clone()));
        running.insert(webhook.id, Running { webhook, cancel, task });
    }
}

/// Moves what is no event to the deliveries.
pub(crate) async fn move_queued(app: Shared) {
    while !app.stop.is_cancelled() {
        match webhook::drain(&app.storage, QUEUED_CHUNK, app.now_ms()).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(e) => tracing::error!(error = %e, "what is queued for webhooks cannot be moved; trying again"),
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.clock.sleep(LOOK_EVERY) => {}
        }
    }
}

/// Forgets old deliveries.
pub(crate) async fn tidy(app: Shared) {
    let keep_ms = i64::from(app.config.webhook.delivery_days) * 86_400_000;
    while !app.stop.is_cancelled() {
        let gone = delivery::forget(&app.storage, app.now_ms() - keep_ms, TIDY_CHUNK).await;
        let pause = match gone {
            Ok(0) => TIDY_EVERY,
            Ok(_) => TIDY_PAUSE,
            Err(e) => {
                tracing::error!(error = %e, "old deliveries of webhooks cannot be deleted; trying again later");
                TIDY_EVERY
            }
        };
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.clock.sleep(pause) => {}
        }
    }
}

/// Serves one webhook until it is cancelled or disabled.
async fn serve(app: Shared, webhook: Webhook, cancel: CancellationToken) {
    let id = webhook.id;
    let signer = match Signer::open(&app.keys.master, id, &webhook.secrets) {
        Ok(signer) => signer,
        Err(e) => {
            tracing::error!(webhook.id = %id, error = %e, "the secret of a webhook cannot be opened; rotate it");
            return;
        }
    };
    let hook = Arc::new(Hook { app, webhook, signer, cancel });
    loop {
        match hook.clone().work().await {
            Ok(()) => break,
            Err(e) => tracing::error!(webhook.id = %id, error = %e, "a webhook cannot go on; trying again"),
        }
        tokio::select! {
            () = hook.cancel.cancelled() => break,
            () = hook.app.clock.sleep(TROUBLE_WAIT) => {}
        }
    }
    hook.app.webhooks.ended(id);
}

/// One webhook at work.
struct Hook {
    app: Shared,
    webhook: Webhook,
    signer: Signer,
    cancel: CancellationToken,
}

/// One thing to tell.
struct Job {
    about: About,
    delivery: Option<i64>,
    kind: WebhookType,
    at_ms: i64,
    data: String,
    /// Which attempt this is, from 1.
    number: u32,
}

/// What an attempt came to.
struct Ended {
    attempt: Attempt,
    outcome: Outcome,
}

/// A batch: what is due again, then what is new.
struct Batch {
    jobs: Vec<Job>,
    /// How many of them are due again.
    due: usize,
    /// Where the cursor stands when all of it is told, and events that were deleted before.
    up_to: i64,
    skipped: u64,
}

impl Hook {
    fn whose(&self) -> (WorkspaceId, WebhookId) {
        (self.webhook.workspace_id, self.webhook.id)
    }

    /// Returns when cancelled or disabled.
    async fn work(self: Arc<Self>) -> Result<(), StorageError> {
        let (workspace, id) = self.whose();
        let mut cursor = self.app.storage.events().write(move |tx| cursor::open(tx, workspace, id)).await?;
        let mut noted = cursor.event_id;
        let mut newest = self.app.storage.newest_event();
        loop {
            if self.disable_if_hopeless(&cursor, None).await? || self.cancel.is_cancelled() {
                break;
            }
            newest.mark_unchanged();
            let batch = self.next(&cursor).await?;
            let (up_to, nothing_to_tell) = (batch.up_to, batch.jobs.is_empty());
            let moved = up_to > cursor.event_id;
            if nothing_to_tell && batch.skipped == 0 && up_to - noted < NOTE_AFTER {
                cursor.event_id = up_to;
            } else {
                let rested = cursor.attempts_failed >= retry::REST_AFTER;
                let (now, gone) = self.clone().tell(batch).await?;
                cursor = now;
                noted = cursor.event_id;
                if rested && cursor.attempts_failed == 0 {
                    self.hurry().await?;
                }
                if self.disable_if_hopeless(&cursor, gone).await? {
                    break;
                }
            }
            self.app.webhooks.passed(id, cursor.event_id);
            if nothing_to_tell && !moved {
                tokio::select! {
                    () = self.cancel.cancelled() => {}
                    _ = newest.changed() => {}
                    () = self.app.clock.sleep(LOOK_EVERY) => {}
                }
            }
        }
        if cursor.event_id > noted {
            let up_to = Some((cursor.event_id, 0));
            self.app.storage.events().write(move |tx| delivery::record(tx, workspace, id, &[], up_to)).await?;
        }
        Ok(())
    }

    /// What is to be told next.
    async fn next(&self, cursor: &Cursor) -> Result<Batch, StorageError> {
        let (workspace, id) = self.whose();
        let now_ms = self.app.now_ms();
        let places = retry::fresh_places(cursor.attempts_failed, cursor.failure_ms, now_ms, BATCH);
        let types = self.webhook.wish.types.clone();
        let after = cursor.event_id;
        let found = self.app.storage.read(move |c| {
            let due = delivery::due(c, workspace, id, now_ms, DUE_BATCH)?;
            if places == 0 || delivery::open(c, workspace, id, OPEN_MAX)? == OPEN_MAX {
                return Ok((due, Stretch { happenings: Vec::new(), up_to: after, skipped: 0 }));
            }
            Ok((due, happening::after(c, workspace, &types, after, STRETCH)?))
        });
        let (due, mut fresh) = found.await?;
        fresh.happenings.retain(|happening| body::is_asked(&self.webhook.wish, happening));
        if fresh.happenings.len() > places {
            fresh.happenings.truncate(places);
            fresh.up_to = fresh.happenings.last().map_or(after, |happening| happening.event.id);
        }
        let mut jobs: Vec<Job> = due.into_iter().map(again).collect();
        let due = jobs.len();
        for happening in fresh.happenings {
            let (about, kind, at_ms) = (About::Event(happening.event.id), happening.kind, happening.event.at_ms);
            let data = body::data(happening).map_err(|e| damaged(about, &e))?;
            jobs.push(Job { about, delivery: None, kind, at_ms, data, number: 1 });
        }
        Ok(Batch { jobs, due, up_to: fresh.up_to, skipped: fresh.skipped })
    }

    /// Sends a batch and writes what came of it; how the webhook fares then, and whether its other side is gone.
    async fn tell(self: Arc<Self>, batch: Batch) -> Result<(Cursor, Option<Outcome>), StorageError> {
        let (workspace, id) = self.whose();
        // The event of each job, in order; those that are due again stand behind the cursor already.
        let events: Vec<Option<i64>> = batch.jobs.iter().map(Job::event).collect();
        let ended = self.clone().send(batch.jobs).await;
        let mut has_ended = vec![false; events.len()];
        for (n, _) in &ended {
            has_ended[*n] = true;
        }
        // Cut short, it is told from the first one on that did not end.
        let first_open = (batch.due..events.len()).find(|n| !has_ended[*n]);
        let up_to = match first_open {
            None => Some((batch.up_to, batch.skipped)),
            Some(n) => events[batch.due..n].last().copied().flatten().map(|event| (event, batch.skipped)),
        };
        let counts = |n: usize| n < batch.due || first_open.is_none_or(|open| n < open);
        let kept: Vec<Ended> = ended.into_iter().filter(|(n, _)| counts(*n)).map(|(_, ended)| ended).collect();
        let gone = kept.iter().map(|ended| ended.outcome).find(|outcome| *outcome == Outcome::Gone);
        metrics::counter!(METRIC_SKIPPED).increment(batch.skipped);
        let attempts: Vec<Attempt> = kept.into_iter().map(|ended| ended.attempt).collect();
        let writing = self.app.storage.events().write(move |tx| delivery::record(tx, workspace, id, &attempts, up_to));
        Ok((writing.await?, gone))
    }

    /// Makes the attempts, a few at a time; those that ended before it was cancelled, in the order of their ends.
    async fn send(self: Arc<Self>, jobs: Vec<Job>) -> Vec<(usize, Ended)> {
        let mut waiting = jobs.into_iter().enumerate();
        let mut under_way = JoinSet::new();
        let mut ended = Vec::new();
        loop {
            while under_way.len() < PARALLEL
                && let Some((n, job)) = waiting.next()
            {
                let hook = self.clone();
                under_way.spawn(async move { (n, hook.attempt(job).await) });
            }
            tokio::select! {
                biased;
                next = under_way.join_next() => match next {
                    Some(Ok(one)) => ended.push(one),
                    Some(Err(e)) => tracing::error!(webhook.id = %self.webhook.id, error = %e, "a request broke"),
                    None => return ended,
                },
                // Dropping the rest ends it.
                () = self.cancel.cancelled() => return ended,
            }
        }
    }

    async fn attempt(&self, job: Job) -> Ended {
        let attempt_ms = self.app.now_ms();
        let begun = Instant::now();
        let message_id = job.about.message_id();
        let body = body::body(&message_id, (job.kind, job.at_ms), self.webhook.workspace_id, job.data.clone());
        let answer = match body {
            Ok(body) => {
                let headers = self.signer.headers(&message_id, &body, attempt_ms);
                self.app.webhooks.poster.post(&self.webhook.wish.url, &headers, body, ANSWER_MAX).await
            }
            Err(e) => Err(world::PostError::Failed(format!("what is to be sent is damaged: {e}"))),
        };
        let outcome = retry::outcome(&answer);
        let success = outcome == Outcome::Taken;
        metrics::counter!(METRIC_ATTEMPTS, "outcome" => if success { "success" } else { "failure" }).increment(1);
        let wait_ms = match outcome {
            Outcome::Failed => {
                let asked_ms = retry::asked_ms(&answer, self.app.now_ms()).unwrap_or(0);
                retry::wait_ms(job.number, &*self.app.random).map(|wait_ms| wait_ms.max(asked_ms))
            }
            Outcome::Taken | Outcome::Gone => None,
        };
        let (status, answer) = super::said(answer);
        let attempt = Attempt {
            about: job.about,
            delivery: job.delivery,
            kind: job.kind,
            at_ms: job.at_ms,
            data: job.data,
            number: job.number,
            success,
            next_ms: wait_ms.map(|wait| self.app.now_ms() + wait),
            attempt_ms,
            status,
            answer,
            took_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX),
            counts: retry::is_last(job.number),
        };
        Ended { attempt, outcome }
    }

    async fn hurry(&self) -> Result<(), StorageError> {
        let ((workspace, id), now_ms) = (self.whose(), self.app.now_ms());
        let hurried =
            self.app.storage.events().write(move |tx| delivery::hurry(tx, workspace, id, now_ms, OPEN_MAX)).await?;
        tracing::info!(webhook.id = %id, hurried, "a webhook answers again");
        Ok(())
    }

    /// Disables the webhook where nothing is to be hoped for; whether it was.
    async fn disable_if_hopeless(&self, cursor: &Cursor, gone: Option<Outcome>) -> Result<bool, StorageError> {
        let why = match gone {
            Some(_) => "the other side says that it is gone (410)".to_owned(),
            None if cursor.deliveries_failed >= retry::GIVEN_UP_MAX => format!(
                "{} deliveries in a row were given up; the last answer: {}",
                cursor.deliveries_failed,
                cursor.failure.as_deref().unwrap_or("none")
            ),
            None => return Ok(false),
        };
        let ((workspace, id), at_ms) = (self.whose(), self.app.now_ms());
        tracing::warn!(webhook.id = %id, why, "a webhook is disabled");
        let switching = self.app.storage.main().write(move |tx| {
            let disabled = Switch::Disabled { why: &why, at_ms };
            webhook::switch(tx, workspace, id, disabled)
        });
        if switching.await? {
            metrics::counter!(METRIC_DISABLED).increment(1);
        }
        self.app.webhooks.changed.notify_one();
        Ok(true)
    }
}

impl Job {
    fn event(&self) -> Option<i64> {
        match self.about {
            About::Event(id) => Some(id),
            About::Queued(_) => None,
        }
    }
}

fn again(delivery: Delivery) -> Job {
    Job {
        about: delivery.about,
        delivery: Some(delivery.id),
        kind: delivery.kind,
        at_ms: delivery.at_ms,
        // What waits has its data; see `storage::webhook::delivery`.
        data: delivery.data.unwrap_or_else(|| "null".to_owned()),
        number: delivery.attempts + 1,
    }
}

fn damaged(about: About, error: &serde_json::Error) -> StorageError {
    StorageError::Damaged { what: "event", value: format!("{}: {error}", about.message_id()) }
}
