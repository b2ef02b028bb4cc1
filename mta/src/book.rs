//! The book: marks and outcomes of all connections, written together.
//!
//! One loop with one write under way: what comes meanwhile goes into the next one, and writes begin a little apart from
//! each other, further apart the more there is to write, so that the cost of a commit is shared by many messages: twenty
//! in a commit cost little more than half of what they cost in commits of five (the example `queue_cost` of `storage`). Marks are answered after the commit. Outcomes
//! are not waited for; they are written until they are: a full disk keeps them waiting here, bounded by the recipients
//! in memory.

use crate::metric;
use crate::shaping::Change;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use storage::queue::{self, Deferral, GiveBack, MarkRequest, Marked, Settlement};
use storage::warmup::{self, Fate, Key};
use storage::{RecipientId, Storage, StorageError, automation};
use tokio::sync::{Notify, mpsc, oneshot};
use world::Clock;

/// Entries in one commit at most.
const BATCH_MAX: usize = 2048;
/// Writes begin at least so far apart.
const PACE_MIN: Duration = Duration::from_millis(2);
/// And at most. Connections mark ahead, so a fast one seldom waits for this.
const PACE_MAX: Duration = Duration::from_millis(8);
/// Between them: so much for each entry. What comes slower than this is written as soon as it may be.
const PACE_PER_ENTRY: Duration = Duration::from_micros(400);
/// After a failed write: until the next try.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

/// The lines and days of a message's warm-ups; empty for most mail.
pub(crate) type WarmupPlaces = Vec<(Arc<Key>, i64)>;

/// An entry, with what it means for warm-ups: written in the same commit.
enum Entry {
    Mark(MarkRequest, WarmupPlaces, oneshot::Sender<Marked>),
    Settle(Settlement, WarmupFate),
    Defer(Deferral, WarmupFate),
    GiveBack(GiveBack, WarmupPlaces),
    Automation(Change),
    /// Answered when everything before it is on disk.
    Flush(oneshot::Sender<()>),
}

/// What became of a message that was marked under warm-ups.
#[derive(Default)]
pub(crate) struct WarmupFate {
    pub places: WarmupPlaces,
    pub fate: Option<Fate>,
}

/// A handle to the book; clones share it.
#[derive(Clone)]
pub(crate) struct Book {
    entries: mpsc::UnboundedSender<Entry>,
    pub counts: Arc<Counts>,
}

/// What the scheduler needs to know of what is in memory.
#[derive(Default)]
pub(crate) struct Counts {
    /// Recipients claimed and not yet put down again.
    pub in_hand: AtomicUsize,
    /// The scheduler waits for places below this; 0 when it does not wait.
    pub wanted_below: AtomicUsize,
    /// When the scheduler looks again by itself.
    pub next_look_ms: AtomicI64,
    /// Something was written that makes events.
    pub events_written: AtomicBool,
    /// Wakes the scheduler.
    pub wake: Notify,
    /// Wakes the mover of events.
    pub events: Notify,
}

impl Book {
    /// Opens the book: the handle, and the loop that writes, which ends when every handle is gone.
    pub fn open(storage: Storage, clock: Arc<dyn Clock>) -> (Book, impl Future<Output = ()> + Send) {
        let (entries, incoming) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let book = Book { entries, counts: counts.clone() };
        (book, write_all(storage, clock, counts, incoming))
    }

    /// Asks for the mark; the answer comes when it is on disk, and never when that cannot be had.
    pub fn mark(&self, request: MarkRequest, places: WarmupPlaces) -> oneshot::Receiver<Marked> {
        let (answer, marked) = oneshot::channel();
        self.put(Entry::Mark(request, places, answer));
        marked
    }

    pub fn settle(&self, settlement: Settlement, warmup: WarmupFate) {
        self.put(Entry::Settle(settlement, warmup));
    }

    pub fn defer(&self, deferral: Deferral, warmup: WarmupFate) {
        self.put(Entry::Defer(deferral, warmup));
    }

    /// `marked` are the places of one whose mark was asked for: it may be on disk, and then it was counted as sent.
    pub fn give_back(&self, back: GiveBack, marked: WarmupPlaces) {
        self.put(Entry::GiveBack(back, marked));
    }

    /// What shaping does by itself is written with everything else.
    pub fn automation(&self, change: Change) {
        self.put(Entry::Automation(change));
    }

    /// Returns when everything put down so far is on disk.
    pub async fn flush(&self) {
        let (answer, flushed) = oneshot::channel();
        self.put(Entry::Flush(answer));
        // When the loop has ended there is nothing left to wait for.
        let _ = flushed.await;
    }

    /// A recipient that needs no entry: its mark said that it is out of our hands already.
    pub fn let_go(&self) {
        self.counts.put_down(1);
    }

    fn put(&self, entry: Entry) {
        // The loop outlives every handle, unless the program is being torn down: then recovery does the rest.
        let _ = self.entries.send(entry);
    }
}

impl Counts {
    fn put_down(&self, n: usize) {
        let left = self.in_hand.fetch_sub(n, SeqCst).saturating_sub(n);
        if left < self.wanted_below.load(SeqCst) {
            self.wake.notify_one();
        }
    }
}

/// What one write does.
#[derive(Default)]
struct Batch {
    marks: Vec<MarkRequest>,
    settlements: Vec<Settlement>,
    deferrals: Vec<Deferral>,
    back: Vec<GiveBack>,
    automations: Vec<Change>,
    /// For warm-ups: with marks, in their order; with outcomes; with those of `back` that may be marked.
    marked_under: Vec<WarmupPlaces>,
    fates: Vec<WarmupFate>,
    back_from: Vec<(RecipientId, WarmupPlaces)>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.put_down() == 0 && self.automations.is_empty()
    }

    fn put_down(&self) -> usize {
        self.settlements.len() + self.deferrals.len() + self.back.len()
    }

    fn earliest_due_ms(&self) -> Option<i64> {
        let deferred = self.deferrals.iter().map(|d| d.wait.due_ms);
        deferred.chain(self.back.iter().map(|b| b.wait.due_ms)).min()
    }

    /// Marks come first: what is given back in the same batch may have been marked in it.
    fn write(&self, tx: &storage::Transaction<'_>, now_ms: i64) -> Result<Vec<Marked>, StorageError> {
        let marked = queue::mark_sending(tx, &self.marks, now_ms)?;
        self.count(tx, &marked)?;
        queue::settle(tx, &self.settlements)?;
        queue::defer(tx, &self.deferrals)?;
        queue::give_back(tx, &self.back, now_ms)?;
        for change in &self.automations {
            match change {
                Change::Put(row, told) => {
                    automation::put(tx, row, told.as_ref().map(|(at_ms, text)| (*at_ms, text.as_str())))?;
                }
                Change::Ended(id, at_ms, by) => {
                    automation::end(tx, *id, *at_ms, *by)?;
                }
            }
        }
        Ok(marked)
    }

    /// Counts for warm-ups; before those of `back` lose their marks.
    fn count(&self, tx: &storage::Transaction<'_>, marked: &[Marked]) -> Result<(), StorageError> {
        let mut counts = warmup::Counts::default();
        let mut add = |places: &WarmupPlaces, fate| places.iter().for_each(|(key, day)| counts.add(key, *day, fate));
        for (places, _) in self.marked_under.iter().zip(marked).filter(|(_, marked)| **marked == Marked::Go) {
            add(places, Fate::Sent);
        }
        for WarmupFate { places, fate } in &self.fates {
            fate.iter().for_each(|fate| add(places, *fate));
        }
        for (id, places) in &self.back_from {
            if warmup::is_sending(tx, *id)? {
                add(places, Fate::Returned);
            }
        }
        counts.write(tx)
    }
}

async fn write_all(
    storage: Storage,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
    mut incoming: mpsc::UnboundedReceiver<Entry>,
) {
    let mut entries = Vec::new();
    while incoming.recv_many(&mut entries, BATCH_MAX).await > 0 {
        let pace = clock.sleep(pace(entries.len()));
        let mut batch = Batch::default();
        let mut answers = Vec::new();
        let mut flushed = Vec::new();
        for entry in entries.drain(..) {
            match entry {
                Entry::Mark(request, places, answer) => {
                    batch.marks.push(request);
                    batch.marked_under.push(places);
                    answers.push(answer);
                }
                Entry::Settle(settlement, warmup) => {
                    batch.settlements.push(settlement);
                    batch.fates.extend((!warmup.places.is_empty()).then_some(warmup));
                }
                Entry::Defer(deferral, warmup) => {
                    batch.deferrals.push(deferral);
                    batch.fates.extend((!warmup.places.is_empty()).then_some(warmup));
                }
                Entry::GiveBack(back, places) => {
                    batch.back_from.extend((!places.is_empty()).then_some((back.id, places)));
                    batch.back.push(back);
                }
                Entry::Automation(change) => batch.automations.push(change),
                Entry::Flush(answer) => flushed.push(answer),
            }
        }
        if !batch.is_empty() {
            let now_ms = clock.now_ms();
            let (put_down, due_ms) = (batch.put_down(), batch.earliest_due_ms());
            let told = put_down > 0 || !batch.automations.is_empty();
            metrics::histogram!(metric::COMMIT_ENTRIES).record((put_down + batch.marks.len()) as f64);
            for (answer, marked) in answers.into_iter().zip(write(&storage, &*clock, batch, now_ms).await) {
                // A connection that has ended meanwhile has put its recipient down already.
                let _ = answer.send(marked);
            }
            counts.put_down(put_down);
            if told && !counts.events_written.swap(true, SeqCst) {
                counts.events.notify_one();
            }
            if due_ms.is_some_and(|due_ms| due_ms < counts.next_look_ms.load(SeqCst)) {
                counts.wake.notify_one();
            }
        }
        let busy = flushed.is_empty();
        for answer in flushed {
            let _ = answer.send(());
        }
        if busy {
            pace.await;
        }
    }
}

/// How long after the beginning of a write of so many entries the next one begins.
fn pace(entries: usize) -> Duration {
    let entries = u32::try_from(entries).unwrap_or(u32::MAX);
    PACE_PER_ENTRY.saturating_mul(entries).clamp(PACE_MIN, PACE_MAX)
}

/// Writes until it is written. Answers the marks, or nothing when the database is closed for good.
async fn write(storage: &Storage, clock: &dyn Clock, batch: Batch, now_ms: i64) -> Vec<Marked> {
    let batch = Arc::new(batch);
    loop {
        let (storage, attempt) = (storage.clone(), batch.clone());
        match crate::hold::blocking(move || storage.queue().write_blocking(move |tx| attempt.write(tx, now_ms))).await {
            Some(Ok(marked)) => return marked,
            None | Some(Err(StorageError::Closed)) => return Vec::new(),
            Some(Err(error)) => {
                tracing::error!(%error, entries = batch.put_down(), "outcomes cannot be written; trying again");
                clock.sleep(TROUBLE_WAIT).await;
            }
        }
    }
}
