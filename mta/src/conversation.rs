//! Which conversations are kept, and how they get to disk: a bounded heap in memory, written together. They are for
//! people; mail never waits for them.

use crate::hold::off_clock;
use crate::metric;
use crate::outcome::Verdict;
use crate::shared::{Shared, lock};
use crate::smtp::Live;
use config::ConversationMode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::RecipientId;
use storage::conversation::{self, NewConversation};
use tokio::sync::Notify;

/// Conversations that wait to be written, at most; further ones are dropped and counted.
const WAITING_MAX: usize = 2_000;
/// Written at most so often.
const WRITE_EVERY: Duration = Duration::from_millis(250);
/// Recipients looked at live, at most.
const LIVE_MAX: usize = 64;
/// A look ends by itself after this.
const LIVE_MS: i64 = 3_600_000;

/// Keeps conversations.
pub(crate) struct Keeper {
    mode: ConversationMode,
    bytes_max: u64,
    waiting: Mutex<Vec<NewConversation>>,
    written: Notify,
    live: Mutex<HashMap<RecipientId, (i64, Live)>>,
    /// As many as `live` has, so that nobody waits for its lock when there is none.
    lives: AtomicUsize,
}

impl Keeper {
    pub fn new(mode: ConversationMode, bytes_max: u64) -> Keeper {
        let (waiting, live) = (Mutex::default(), Mutex::default());
        Keeper { mode, bytes_max, waiting, written: Notify::new(), live, lives: AtomicUsize::new(0) }
    }

    /// Whether anything is written down at all.
    pub fn records(&self) -> bool {
        self.mode != ConversationMode::Off
    }

    /// Whether this conversation is kept: as configured, and always where somebody looks.
    pub fn wants(&self, id: RecipientId, verdict: Verdict) -> bool {
        let wanted = match self.mode {
            ConversationMode::Failures => verdict != Verdict::Delivered,
            ConversationMode::All => true,
            ConversationMode::Off => false,
        };
        wanted || self.live(id).is_some()
    }

    pub fn keep(&self, new: NewConversation) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= WAITING_MAX {
            metrics::counter!(metric::CONVERSATIONS_LOST).increment(1);
            return;
        }
        waiting.push(new);
        drop(waiting);
        self.written.notify_one();
    }

    /// Somebody wants to look at a recipient's transactions as they go on.
    pub fn look(&self, id: RecipientId, now_ms: i64) {
        let mut live = lock(&self.live);
        live.retain(|_, (since_ms, _)| now_ms - *since_ms < LIVE_MS);
        if live.len() < LIVE_MAX {
            live.insert(id, (now_ms, Live::default()));
        }
        self.lives.store(live.len(), SeqCst);
    }

    /// The transaction of a recipient that somebody looks at.
    pub fn live(&self, id: RecipientId) -> Option<Live> {
        if self.lives.load(SeqCst) == 0 {
            return None;
        }
        lock(&self.live).get(&id).map(|(_, live)| live.clone())
    }
}

/// Writes what waits, until the engine ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        shared.keeper.written.notified().await;
        shared.clock.sleep(WRITE_EVERY).await;
        write(&shared).await;
    }
}

/// Writes what waits.
pub(crate) async fn write(shared: &Shared) {
    let waiting = std::mem::take(&mut *lock(&shared.keeper.waiting));
    if waiting.is_empty() {
        return;
    }
    let (storage, bytes_max) = (shared.storage.clone(), shared.keeper.bytes_max);
    // Twice as many as came, so that it shrinks when there is less room than before.
    let limit = u32::try_from(waiting.len() * 2).unwrap_or(u32::MAX);
    let work = move |tx: &storage::Transaction<'_>| {
        conversation::keep(tx, &waiting)?;
        conversation::forget(tx, i64::MIN, bytes_max, limit)
    };
    let kept = off_clock(async move { storage.events().write(work).await }).await;
    if let Some(Err(error)) = kept {
        tracing::warn!(%error, "conversations cannot be kept");
    }
}
