//! The audience on its way into the queue.
//!
//! One task for all campaigns. Each round takes a chunk of every running audience into the queue: recipients and the
//! cursor behind them in one commit, so that a crash at any moment neither leaves out nor doubles anybody. Nobody is left
//! out in silence: suppressed contacts become recipients too, and end as `suppressed` at the last moment before
//! sending. Of cancelled campaigns each round settles a chunk. "Finished" is derived where the last recipient ends.

use super::control::Waker;
use super::egress::expiry_of;
use crate::segment;
use config::Streams;
use std::sync::Arc;
use std::time::Duration;
use storage::campaign_run::{self, AudienceChunk, Change, Run, RunState};
use storage::{ContactId, Storage, StorageError, campaign, contact, queue};
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
    waker: Waker,
    /// Told when recipients came into the queue, so that nobody waits for the delivery's next look.
    on_release: Box<dyn Fn() + Send + Sync>,
}

impl Releaser {
    /// `streams` say at which age recipients are given up.
    #[must_use]
    pub fn new(storage: Storage, clock: Arc<dyn Clock>, streams: Streams) -> Releaser {
        Releaser { storage, clock, streams, waker: Waker::default(), on_release: Box::new(|| ()) }
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
        match self.chunk(run).await? {
            Ok(chunk) => {
                let taken =
                    self.storage.queue().write(move |tx| campaign_run::take_in(tx, (workspace, id), chunk)).await?;
                Ok(taken.is_some())
            }
            // What compiled at launch compiles now, unless somebody changed the database by hand.
            Err(why) => {
                let (reason, now_ms) = (format!("paused: the audience cannot be found: {why}"), self.clock.now_ms());
                tracing::error!(campaign.id = %id, "{reason}");
                let whose = (workspace, id);
                self.storage
                    .queue()
                    .write(move |tx| campaign_run::change(tx, whose, Change::Pause, &reason, now_ms))
                    .await?;
                Ok(false)
            }
        }
    }

    /// The next contacts behind the cursor; relative dates are those of the launch, however long the audience takes.
    async fn chunk(&self, run: &Run) -> Result<Result<AudienceChunk, String>, StorageError> {
        let (workspace, id, after) = (run.workspace_id, run.campaign_id, run.audience_cursor);
        let now_ms = self.clock.now_ms();
        let expiry = expiry_of(&self.streams, &run.stream);
        let expires_ms = now_ms.saturating_add(i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX));
        self.storage
            .read(move |tx| {
                let Some(launch) = campaign::find(tx, workspace, id)?.and_then(|campaign| campaign.launch) else {
                    return Ok(Err("the campaign is gone".to_owned()));
                };
                let filter = match segment::compile(tx, workspace, &launch.filter, launch.launched_ms) {
                    Ok(filter) => filter,
                    Err(crate::Refused::Storage(e)) => return Err(e),
                    Err(refused) => return Ok(Err(refused.to_string())),
                };
                let last = launch.audience_limit;
                let members = contact::audience(tx, workspace, &filter, (after, last), CHUNK)?;
                let complete = members.len() < CHUNK as usize;
                let up_to: ContactId = if complete { last } else { members.last().map_or(last, |member| member.id) };
                Ok(Ok(AudienceChunk { after, up_to, complete, members, now_ms, expires_ms }))
            })
            .await
    }
}
