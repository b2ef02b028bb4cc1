//! Content on demand: the trait that makes a recipient's message, and the threads that do it ahead of the connections.
//!
//! Rendering and signing cost more CPU than everything else together, so they have threads of their own, one per
//! core; async threads only move bytes. How far ahead they work is bounded per lane and in bytes.

use crate::hand::Hand;
use crate::lane::Lane;
use crate::metric;
use crate::shared::Shared;
use bytes::Bytes;
use config::Signatures;
use crossbeam_channel::{Receiver, RecvError, Sender, unbounded};
use mail::{Address, StreamKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use storage::queue::{Claimed, Wait};

/// Bytes of made content that wait for their connection, at most; work beyond is begun when some have left.
const AHEAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Messages that a thread makes together, at most.
const TOGETHER_MAX: usize = 4;
/// How long bulk mail waits for company: one made alone costs half as much again as one of four.
const COMPANY_WAIT: Duration = Duration::from_millis(1);

/// Makes a recipient's message at the last moment. Blocking and heavy on CPU: called on threads of its own.
pub trait ContentMaker: Send + Sync + 'static {
    /// The message for this recipient, rendered and signed by these keys of its domain.
    ///
    /// # Errors
    /// When it cannot be made now, or never.
    fn make(&self, recipient: &Claimed, signatures: Signatures) -> Result<Made, MakeError>;

    /// The messages of some recipients, in their order: for what is cheaper together.
    fn make_all(&self, recipients: &[(&Claimed, Signatures)]) -> Vec<Result<Made, MakeError>> {
        recipients.iter().map(|(recipient, signatures)| self.make(recipient, *signatures)).collect()
    }
}

/// A message ready to go.
#[derive(Clone, Debug)]
pub struct Made {
    /// Headers and body, lines ending in CR LF, dots not doubled.
    pub message: Bytes,
    /// Where reports go; `None` for a message that none are sent about (`<>`).
    pub reverse_path: Option<Address>,
    /// The same for all recipients of the message: it names the message and not the recipient. Where there is one, the
    /// bytes are the same for all of them too, and they may share a transaction.
    pub shared_path: Option<Address>,
    /// What the submitter wants to be told, for servers that take such wishes (RFC 3461).
    pub dsn: Option<Arc<Wishes>>,
    /// The domain that signs it (the `d=` of DKIM); `None` where nobody signs.
    pub signing_domain: Option<Arc<str>>,
    /// Whether it has bytes above 127 and needs 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// Whether its headers need SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

/// What MAIL says of reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `full` or `hdrs` (RFC 3461 §4.3).
    pub ret: Option<String>,
    /// RFC 3461 §4.4, encoded.
    pub envid: Option<String>,
}

/// Why a message could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// It may work later: the database is busy, a key is not there yet.
    #[error("{0}")]
    Temporary(String),
    /// It never will: the template fails for this contact, the contact is gone.
    #[error("{0}")]
    Permanent(String),
}

/// A recipient with its message.
pub(crate) struct Prepared {
    pub hand: Hand,
    pub made: Made,
    /// Further recipients of the same bytes, who go in the same transaction.
    pub companions: Vec<Hand>,
    /// Counted while it waits.
    _ahead: Ahead,
}

impl Prepared {
    /// Back into the queue, all of them.
    pub fn give_back(self, wait: Wait) {
        std::iter::once(self.hand).chain(self.companions).for_each(|hand| hand.give_back(wait));
    }
}

/// Bytes of content that are in memory ahead of their connections; given back by `Drop`.
struct Ahead {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Relaxed);
    }
}

/// Two lines: transactional mail does not stand behind what campaigns have made ahead.
struct Jobs {
    urgent: Sender<Job>,
    bulk: Sender<Job>,
}

struct Job {
    hand: Hand,
    lane: Arc<Lane>,
    shared: Arc<Shared>,
}

impl Job {
    fn is_urgent(&self) -> bool {
        self.hand.claimed.kind == StreamKind::Transactional
    }
}

/// The threads that make content.
pub(crate) struct Makers {
    content: Arc<dyn ContentMaker>,
    /// `None`: made at once, on the caller's thread.
    jobs: Option<Jobs>,
    ahead_bytes: Arc<AtomicUsize>,
}

impl Makers {
    /// Starts `threads`; with 0 content is made where it is asked for, which simulated time needs.
    pub fn start(content: Arc<dyn ContentMaker>, threads: usize) -> std::io::Result<Makers> {
        let ahead_bytes = Arc::new(AtomicUsize::new(0));
        let (urgent, waiting_urgent) = unbounded();
        let (bulk, waiting_bulk) = unbounded();
        for n in 0..threads {
            let (content, ahead) = (content.clone(), ahead_bytes.clone());
            let (urgent, bulk) = (waiting_urgent.clone(), waiting_bulk.clone());
            let runtime = tokio::runtime::Handle::current();
            std::thread::Builder::new().name(format!("make-{n}")).spawn(move || {
                // What was made may make its lane open a connection, which is a task.
                let _entered = runtime.enter();
                serve(&*content, (&urgent, &bulk), &ahead);
            })?;
        }
        Ok(Makers { content, jobs: (threads > 0).then_some(Jobs { urgent, bulk }), ahead_bytes })
    }

    /// Whether more may be made now.
    pub fn has_room(&self) -> bool {
        self.ahead_bytes.load(Relaxed) < AHEAD_BYTES_MAX
    }

    /// Has a recipient's message made; it comes back to the lane.
    pub fn make(&self, hand: Hand, lane: Arc<Lane>, shared: &Arc<Shared>) {
        let job = Job { hand, lane, shared: shared.clone() };
        match &self.jobs {
            // The threads outlive the sender; if they are gone, the recipient goes back by being dropped.
            Some(jobs) => {
                drop(if job.is_urgent() { jobs.urgent.send(job) } else { jobs.bulk.send(job) });
            }
            None => run(&*self.content, vec![job], &self.ahead_bytes),
        }
    }
}

fn serve(content: &dyn ContentMaker, (urgent, bulk): (&Receiver<Job>, &Receiver<Job>), ahead: &Arc<AtomicUsize>) {
    loop {
        let job = urgent.try_recv().or_else(|_| {
            crossbeam_channel::select! {
                recv(urgent) -> job => job,
                recv(bulk) -> job => job,
            }
        });
        // Both senders are dropped together.
        let Ok(job) = job else { return };
        run(content, in_company(job, (urgent, bulk), Job::is_urgent), ahead);
    }
}

/// The job with what waits besides, and with what comes soon while none of them is urgent.
fn in_company<J>(first: J, (urgent, bulk): (&Receiver<J>, &Receiver<J>), is_urgent: impl Fn(&J) -> bool) -> Vec<J> {
    let until = Instant::now() + COMPANY_WAIT;
    let mut jobs = vec![first];
    while jobs.len() < TOGETHER_MAX {
        let is_patient = !jobs.iter().any(&is_urgent);
        let patience = if is_patient { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        let next = urgent.try_recv().or_else(|_| {
            crossbeam_channel::select! {
                recv(urgent) -> job => job,
                recv(bulk) -> job => job,
                default(patience) => Err(RecvError),
            }
        });
        let Ok(next) = next else { break };
        jobs.push(next);
    }
    jobs
}

fn run(content: &dyn ContentMaker, jobs: Vec<Job>, ahead: &Arc<AtomicUsize>) {
    let (dropped, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.shared.stopping.is_cancelled());
    for Job { hand, lane, shared } in dropped {
        let (kind, origin) = (hand.claimed.kind, hand.claimed.origin);
        drop(hand);
        lane.not_prepared(&shared, kind, origin);
    }
    let began = Instant::now();
    let made = make_all(content, &jobs);
    let each = began.elapsed().as_secs_f64() / jobs.len().max(1) as f64;
    for (job, made) in jobs.into_iter().zip(made) {
        metrics::histogram!(metric::MAKE_SECONDS).record(each);
        hand_over(job, made, ahead);
    }
}

/// A panic is a mistake of one template or one contact: the others go on, each by itself.
fn make_all(content: &dyn ContentMaker, jobs: &[Job]) -> Vec<Result<Made, MakeError>> {
    let recipients: Vec<_> = jobs.iter().map(|job| (&job.hand.claimed, job.lane.limits.signatures)).collect();
    let alone = |(recipient, signatures): &(&Claimed, Signatures)| {
        catch_unwind(AssertUnwindSafe(|| content.make(recipient, *signatures)))
            .unwrap_or_else(|_| Err(MakeError::Permanent("making the message failed within packetboat".to_owned())))
    };
    match recipients.len() {
        0 | 1 => recipients.iter().map(alone).collect(),
        _ => catch_unwind(AssertUnwindSafe(|| content.make_all(&recipients)))
            .unwrap_or_else(|_| recipients.iter().map(alone).collect()),
    }
}

fn hand_over(job: Job, made: Result<Made, MakeError>, ahead: &Arc<AtomicUsize>) {
    let Job { hand, lane, shared } = job;
    let (kind, origin) = (hand.claimed.kind, hand.claimed.origin);
    match made {
        Ok(made) => {
            shared.shaping.learn(hand.claimed.origin, made.signing_domain.as_ref());
            let bytes = made.message.len();
            ahead.fetch_add(bytes, Relaxed);
            let counted = Ahead { bytes, total: ahead.clone() };
            lane.prepared(&shared, Prepared { hand, made, companions: Vec::new(), _ahead: counted });
        }
        Err(error) => {
            hand.cannot_be_made(&error, shared.clock.now_ms());
            lane.not_prepared(&shared, kind, origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 100 on are urgent.
    #[test]
    fn company() {
        for (first, urgent, bulk, expected) in [
            (1, vec![], vec![], vec![1]),
            (1, vec![], vec![2, 3, 4, 5], vec![1, 2, 3, 4]),
            (1, vec![100], vec![2], vec![1, 100, 2]),
            (100, vec![101], vec![1, 2, 3], vec![100, 101, 1, 2]),
        ] {
            let ((to_urgent, from_urgent), (to_bulk, from_bulk)) = (unbounded(), unbounded());
            urgent.iter().for_each(|job| to_urgent.send(*job).unwrap());
            bulk.iter().for_each(|job| to_bulk.send(*job).unwrap());
            assert_eq!(in_company(first, (&from_urgent, &from_bulk), |job| *job >= 100), expected);
        }
    }

    /// Packetboat stops: what was taken is still made.
    #[test]
    fn lines_that_have_ended() {
        let ((to_urgent, from_urgent), (to_bulk, from_bulk)) = (unbounded(), unbounded());
        drop((to_urgent, to_bulk));
        assert_eq!(in_company(1, (&from_urgent, &from_bulk), |_| false), [1]);
    }
}
