//! Kill switches: what is paused takes effect at once on what is in memory.
//!
//! Strategy: the mark before the final dot asks the database and is always right (`storage::queue::mark_sending`); the
//! copy here keeps recipients from being made ready for nothing, takes them out of the lanes when something is paused,
//! and makes them due when a pause ends.

use crate::hand::Hand;
use crate::hold::blocking;
use crate::shared::Shared;
use mail::WaitReason;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use storage::pause::{self, PauseSet};
use storage::queue::Wait;
use storage::{StorageError, Transaction};
use tokio::sync::Notify;

/// Recipients that are made due in one commit after a pause.
const RESUME_CHUNK: u32 = 5_000;
/// After trouble with the database.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

/// What is paused, as far as this process has heard.
#[derive(Default)]
pub(crate) struct Pauses {
    set: RwLock<Arc<PauseSet>>,
    changed: Notify,
}

impl Pauses {
    /// What is paused.
    pub fn now(&self) -> Arc<PauseSet> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something was paused or resumed.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    fn replace(&self, set: PauseSet) -> Arc<PauseSet> {
        let mut place = self.set.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, Arc::new(set))
    }
}

/// How a recipient waits whose workspace, domain or provider is paused; the provider is empty while it is not known.
pub(crate) fn stopped(pauses: &PauseSet, hand: &Hand, provider: &str, now_ms: i64) -> Option<Wait> {
    if pauses.is_empty() {
        return None;
    }
    let claimed = &hand.claimed;
    let domain = claimed.address.domain().to_string();
    let due_ms = pauses.waits_until(claimed.workspace_id, &domain, provider, now_ms)?;
    Some(Wait { reason: WaitReason::Paused, due_ms })
}

/// How a paused source looks to whoever chooses one.
pub(crate) fn held_source(pauses: &PauseSet, source: &str, now_ms: i64) -> Option<Wait> {
    let wait = Wait { reason: WaitReason::Paused, due_ms: now_ms + pause::LOOK_AGAIN_MS };
    pauses.stops_source(source).then_some(wait)
}

/// Keeps the copy, and acts on what changed.
pub(crate) async fn run(shared: Arc<Shared>) {
    // A pause may have ended while nobody was here to see it.
    let mut ended = true;
    loop {
        let Some(set) = persist(&shared, |tx| pause::in_force(tx)).await else { return };
        let before = shared.pauses.replace(set.clone());
        if !set.is_empty() {
            take_out(&shared, &set);
        }
        if ended || !set.covers(&before) {
            make_due(&shared).await;
        }
        ended = false;
        shared.pauses.changed.notified().await;
    }
}

/// Whoever waits because of a pause is due again. What is still paused goes back by itself.
async fn make_due(shared: &Arc<Shared>) {
    shared.book.flush().await;
    let mut after = Some(0);
    while let Some(from) = after {
        let now_ms = shared.clock.now_ms();
        after = persist(shared, move |tx| pause::resume(tx, from, now_ms, RESUME_CHUNK)).await.flatten();
    }
    shared.book.counts.wake.notify_one();
}

/// Whoever waits in a lane and is stopped now goes back, or looks for another source.
fn take_out(shared: &Arc<Shared>, set: &PauseSet) {
    let now_ms = shared.clock.now_ms();
    for lane in shared.lanes() {
        let provider = &*lane.site.provider.name;
        if set.stops_source(shared.sources[lane.source].name.as_str()) || set.stops_provider(provider) {
            shared.route(&lane.site, lane.take_all());
            continue;
        }
        let goes_on = |claimed: &storage::queue::Claimed| {
            let domain = claimed.address.domain().to_string();
            set.waits_until(claimed.workspace_id, &domain, provider, now_ms).is_none()
        };
        for hand in lane.take_unless(goes_on) {
            let wait = stopped(set, &hand, provider, now_ms);
            hand.give_back(wait.unwrap_or(Wait { reason: WaitReason::Turn, due_ms: now_ms }));
        }
    }
}

/// Writes until it is written; `None` when the database is closed.
async fn persist<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl Fn(&Transaction<'_>) -> Result<T, StorageError> + Clone + Send + 'static,
) -> Option<T> {
    loop {
        let (storage, attempt) = (shared.storage.clone(), work.clone());
        match blocking(move || storage.queue().write_blocking(move |tx| attempt(tx))).await {
            Some(Ok(value)) => return Some(value),
            None | Some(Err(StorageError::Closed)) => return None,
            Some(Err(error)) => {
                tracing::error!(%error, "pauses cannot be read; trying again");
                shared.clock.sleep(TROUBLE_WAIT).await;
            }
        }
    }
}
