//! The audience on its way into the queue.
//!
//! One task for all campaigns. Each round takes a chunk of every running audience into the queue: recipients and the
//! cursor behind them in one commit, so that a crash at any moment neither leaves out nor doubles anybody. Nobody is left
//! out in silence: suppressed contacts become recipients too, and end as `suppressed` at the last moment before
//! sending. While a source or the sending domain earns its volume, who was engaged last comes first: receivers judge a
//! newcomer by what its first recipients do. Of cancelled campaigns each round settles a chunk. "Finished" is derived where the last recipient ends.

use super::control::Waker;
use super::egress::expiry_of;
use crate::segment;
use config::{Pool, Source, Streams};
use std::sync::Arc;
use std::time::Duration;
use storage::campaign::{self, Launch};
use storage::campaign_run::{self, AudienceChunk, Change, Run, RunState};
use storage::contact::{self, Left};
use storage::filter::CompiledFilter;
use storage::warmup::{self, Axis};
use storage::{Connection, ContactId, Storage, StorageError, queue};
use world::Clock;

/// Recipients in one commit: some 10 ms of the queue's writer, which deliveries wait for.
const CHUNK: u32 = 1000;
/// Between rounds when there is nothing to do and nobody wakes us.
const IDLE_WAIT: Duration = Duration::from_secs(5);
/// After a failure of the database.
const FAILURE_WAIT: Duration = Duration::from_secs(2);

/// Brings audiences into the queue.
pub struct Releaser {
    storage: Storage,
    clock: Arc<dyn Clock>,
    streams: Streams,
    sources: Vec<Source>,
    pools: Vec<Pool>,
    waker: Waker,
    /// Told when recipients came into the queue, so that nobody waits for the delivery's next look.
    on_release: Box<dyn Fn() + Send + Sync>,
}

impl Releaser {
    /// `streams` say at which age recipients are given up.
    #[must_use]
    pub fn new(storage: Storage, clock: Arc<dyn Clock>, streams: Streams) -> Releaser {
        let (sources, pools) = (Vec::new(), Vec::new());
        Releaser { storage, clock, streams, sources, pools, waker: Waker::default(), on_release: Box::new(|| ()) }
    }

    /// Sources and pools of the configuration: while one that a campaign leaves from earns its volume, the most engaged
    /// contacts come first.
    #[must_use]
    pub fn earning(self, sources: Vec<Source>, pools: Vec<Pool>) -> Releaser {
        Releaser { sources, pools, ..self }
    }

    /// Calls `hook` whenever recipients came into the queue.
    #[must_use]
    pub fn on_release(self, hook: impl Fn() + Send + Sync + 'static) -> Releaser {
        Releaser { on_release: Box::new(hook), ..self }
    }

    /// Wakes the releaser.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Runs until it is dropped, which is safe at every moment.
    pub async fn run(self) {
        loop {
            match self.round().await {
                Ok(true) => (self.on_release)(),
                Ok(false) => {
                    tokio::select! {
                        () = self.waker.0.notified() => {}
                        () = self.clock.sleep(IDLE_WAIT) => {}
                    }
                }
                Err(e) => {
                    tracing::error!(error = %e, "the audience of a campaign cannot be brought into the queue for now");
                    self.clock.sleep(FAILURE_WAIT).await;
                }
            }
        }
    }

    /// One chunk of every campaign; whether there was something to do.
    ///
    /// # Errors
    /// The database's; the next round tries again.
    pub async fn round(&self) -> Result<bool, StorageError> {
        let mut busy = false;
        for run in self.storage.read(campaign_run::open).await? {
            busy |= match run.state {
                RunState::Cancelled => self.settle_cancelled(&run).await?,
                RunState::Running if !run.audience_complete => self.take_in(&run).await?,
                RunState::Running | RunState::Paused | RunState::Finished => false,
            };
        }
        Ok(busy)
    }

    async fn settle_cancelled(&self, run: &Run) -> Result<bool, StorageError> {
        let (workspace, id, now_ms) = (run.workspace_id, run.campaign_id, self.clock.now_ms());
        self.storage
            .queue()
            .write(move |tx| {
                let settled = queue::cancel(tx, workspace, id, now_ms, CHUNK)?;
                if settled == 0 {
                    campaign_run::finish_if_done(tx, id, now_ms)?;
                }
                Ok(settled > 0)
            })
            .await
    }

    async fn take_in(&self, run: &Run) -> Result<bool, StorageError> {
        let (workspace, id) = (run.workspace_id, run.campaign_id);
        let whose = (workspace, id);
        if self.begins_engaged(run).await? {
            // The next round reads the new cursor.
            return self.storage.queue().write(move |tx| campaign_run::engaged_first(tx, whose)).await;
        }
        match self.chunk(run).await? {
            Ok(Part::ById(chunk)) => {
                let taken = self.storage.queue().write(move |tx| campaign_run::take_in(tx, whose, chunk)).await?;
                Ok(taken.is_some())
            }
            Ok(Part::Engaged(span, chunk)) => {
                let take = move |tx: &storage::Transaction<'_>| campaign_run::take_in_engaged(tx, whose, span, chunk);
                Ok(self.storage.queue().write(take).await?.is_some())
            }
            // What compiled at launch compiles now, unless somebody changed the database by hand.
            Err(why) => {
                let (reason, now_ms) = (format!("paused: the audience cannot be found: {why}"), self.clock.now_ms());
                tracing::error!(campaign.id = %id, "{reason}");
                self.storage
                    .queue()
                    .write(move |tx| campaign_run::change(tx, whose, Change::Pause, &reason, now_ms))
                    .await?;
                Ok(false)
            }
        }
    }

    /// The next contacts behind the cursor; relative dates are those of the launch, however long the audience takes.
    async fn chunk(&self, run: &Run) -> Result<Result<Part, String>, StorageError> {
        let run = run.clone();
        let (workspace, id) = (run.workspace_id, run.campaign_id);
        let now_ms = self.clock.now_ms();
        let expiry = expiry_of(&self.streams, &run.stream);
        let expires_ms = now_ms.saturating_add(i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX));
        self.storage
            .read(move |tx| {
                let Some(launch) = campaign::find(tx, workspace, id)?.and_then(|campaign| campaign.launch) else {
                    return Ok(Err("the campaign is gone".to_owned()));
                };
                let wanted = (&launch.filter, Some(run.stream.as_str()));
                let filter = match segment::compile_for(tx, workspace, wanted, launch.launched_ms) {
                    Ok(filter) => filter,
                    Err(crate::Refused::Storage(e)) => return Err(e),
                    Err(refused) => return Ok(Err(refused.to_string())),
                };
                let part = match run.engaged_cursor_ms {
                    Some(after_ms) => engaged_part(tx, &run, (&launch, &filter), after_ms, (now_ms, expires_ms))?,
                    None => part_by_id(tx, &run, (&launch, &filter), (now_ms, expires_ms))?,
                };
                Ok(Ok(part))
            })
            .await
    }

    /// Whether the audience begins now, and something that it leaves from earns its volume.
    async fn begins_engaged(&self, run: &Run) -> Result<bool, StorageError> {
        if run.engaged_first || run.audience_cursor != ContactId(0) {
            return Ok(false);
        }
        let members = self.pools.iter().filter(|pool| pool.name.as_str() == run.pool);
        let in_pool = |source: &&Source| {
            members.clone().any(|pool| pool.sources.iter().any(|member| member.source == source.name))
        };
        let with_plan: Vec<String> =
            self.sources.iter().filter(in_pool).filter(|source| has_plan(source)).map(|s| s.name.to_string()).collect();
        let (workspace, id) = (run.workspace_id, run.campaign_id);
        self.storage
            .read(move |tx| {
                for source in &with_plan {
                    if warmup::is_warming(tx, Axis::Source, source)? {
                        return Ok(true);
                    }
                }
                let launch = campaign::find(tx, workspace, id)?.and_then(|campaign| campaign.launch);
                let Some(launch) = launch else { return Ok(false) };
                let earns = warmup::domains(tx, Some(workspace))?;
                let Some(domain) = earns.iter().find(|domain| domain.domain_id == launch.domain_id) else {
                    return Ok(false);
                };
                warmup::is_warming(tx, Axis::Domain, &domain.domain)
            })
            .await
    }
}

/// A part of an audience.
enum Part {
    /// In the order of ids.
    ById(AudienceChunk),
    /// The last engaged first: engagement before it and behind it.
    Engaged((i64, Option<i64>), AudienceChunk),
}

/// Whether a source in use follows a plan at some provider.
fn has_plan(source: &Source) -> bool {
    source.enabled && (source.warmup.is_some() || source.warmup_providers.iter().any(|at| at.plan.is_some()))
}

fn part_by_id(
    tx: &Connection,
    run: &Run,
    (launch, filter): (&Launch, &CompiledFilter),
    (now_ms, expires_ms): (i64, i64),
) -> Result<Part, StorageError> {
    let (after, last) = (run.audience_cursor, launch.audience_limit);
    let left = if run.engaged_first { Left::Taken(run.campaign_id) } else { Left::Nobody };
    let members = contact::audience(tx, run.workspace_id, filter, (after, last), left, CHUNK)?;
    let complete = members.len() < CHUNK as usize;
    let up_to: ContactId = if complete { last } else { members.last().map_or(last, |member| member.id) };
    Ok(Part::ById(AudienceChunk { after, up_to, complete, members, now_ms, expires_ms }))
}

fn engaged_part(
    tx: &Connection,
    run: &Run,
    (launch, filter): (&Launch, &CompiledFilter),
    after_ms: i64,
    (now_ms, expires_ms): (i64, i64),
) -> Result<Part, StorageError> {
    let after = run.audience_cursor;
    let place = ((after_ms, after), launch.audience_limit);
    let found = contact::engaged_audience(tx, run.workspace_id, filter, place, CHUNK)?;
    // Behind the last of them all others follow, by id from the beginning.
    let behind = found.last().filter(|_| found.len() == CHUNK as usize).map(|(member, at_ms)| (member.id, *at_ms));
    let (up_to, up_to_ms) = behind.map_or((ContactId(0), None), |(id, at_ms)| (id, Some(at_ms)));
    let members = found.into_iter().map(|(member, _)| member).collect();
    let chunk = AudienceChunk { after, up_to, complete: false, members, now_ms, expires_ms };
    Ok(Part::Engaged((after_ms, up_to_ms), chunk))
}
