//! Takes what is due and brings it to its lane.
//!
//! Strategy: a bounded number of recipients is in memory; when it falls below the low-water mark, the next batch is
//! claimed in one transaction, in turns between workspaces and campaigns. Transactional mail has places of its own in
//! memory, so that it is taken however full of bulk mail the memory is. Domains are resolved beside each other. The loop
//! sleeps until the next recipient is due, and is woken by whoever puts one in before that.

use crate::hand::Hand;
use crate::shared::Shared;
use crate::site::NoSite;
use crate::{hold, metric, pause};
use mail::{BounceClass, WaitReason};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use storage::queue::{self, Answer, Deferral, DeferralKind, Due, Ending, Origin, Settlement, Taken, Turn, Wait};
use storage::{CampaignId, DomainId, StorageError, warmup};

/// Recipients claimed in one transaction.
const BATCH_MAX: usize = 500;
/// Even if nobody wakes it, the loop looks again after this: a campaign may have been launched by another hand.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// While memory is full of recipients on the move, the loop looks so often whether they still are.
const FULL_WAIT: Duration = Duration::from_millis(250);
/// After trouble with the database.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);
/// Domains asked for at a time.
const LOOKUPS_MAX: usize = 64;

/// Runs until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let lookups = Arc::new(tokio::sync::Semaphore::new(LOOKUPS_MAX));
    let counts = shared.book.counts.clone();
    let mut state = State::default();
    while !shared.stopping.is_cancelled() {
        let bulk_wanted = shared.places_left() > 0 && shared.moving() < shared.low_water();
        let look_again_ms = if bulk_wanted || shared.urgent_places_left() > 0 {
            match claim(&shared, &mut state, bulk_wanted).await {
                Ok(taken) => {
                    // There was no room for bulk mail, so it is due whenever there is.
                    let latest_ms = if bulk_wanted { i64::MAX } else { shared.clock.now_ms() + millis(FULL_WAIT) };
                    let look_again_ms = next_look_ms(&shared, &taken).min(latest_ms);
                    let senders = senders(&shared, &taken).await;
                    distribute(&shared, &lookups, taken, senders);
                    look_again_ms
                }
                Err(error) => {
                    tracing::error!(%error, "recipients cannot be claimed; trying again");
                    shared.clock.now_ms() + millis(TROUBLE_WAIT)
                }
            }
        } else {
            shared.clock.now_ms() + millis(FULL_WAIT)
        };
        counts.next_look_ms.store(look_again_ms, SeqCst);
        counts.wanted_below.store(shared.low_water(), SeqCst);
        // Places may have become free before the mark was set.
        let is_full = counts.in_hand.load(SeqCst) >= shared.low_water();
        let pause = u64::try_from(look_again_ms - shared.clock.now_ms()).unwrap_or(0);
        if pause > 0 {
            tokio::select! {
                () = counts.wake.notified() => {}
                () = shared.clock.sleep(Duration::from_millis(pause)) => {}
                () = shared.stopping.cancelled() => {}
            }
        } else if is_full {
            // Many at once come in a row here; the others shall have their turn on this thread too.
            tokio::task::yield_now().await;
        }
        counts.wanted_below.store(0, SeqCst);
    }
}

#[derive(Default)]
struct State {
    turn: Turn,
    running: HashSet<CampaignId>,
}

async fn claim(shared: &Arc<Shared>, state: &mut State, bulk_wanted: bool) -> Result<Taken, StorageError> {
    let due = Due {
        now_ms: shared.clock.now_ms(),
        bulk: if bulk_wanted { shared.places_left().min(BATCH_MAX) } else { 0 },
        transactional: shared.urgent_places_left().min(BATCH_MAX),
        turn: state.turn.clone(),
    };
    let storage = shared.storage.clone();
    let taken = hold::blocking(move || storage.queue().write_blocking(move |tx| queue::take_due(tx, due))).await;
    let taken = taken.unwrap_or(Err(StorageError::Closed))?;
    let in_hand = shared.book.counts.in_hand.fetch_add(taken.claimed.len(), SeqCst) + taken.claimed.len();
    metrics::gauge!(metric::IN_MEMORY).set(in_hand as f64);
    state.turn = taken.turn.clone();
    let running: HashSet<CampaignId> = taken.running.iter().copied().collect();
    if state.running.iter().any(|campaign| !running.contains(campaign)) {
        put_back_others(shared, &running);
    }
    state.running = running;
    if taken.settled > 0 && !shared.book.counts.events_written.swap(true, SeqCst) {
        shared.book.counts.events.notify_one();
    }
    Ok(taken)
}

/// What waits in memory of campaigns that do not run any more goes back. The mark would stop it too, but only after
/// its content was made.
fn put_back_others(shared: &Arc<Shared>, running: &HashSet<CampaignId>) {
    let wait = Wait { reason: WaitReason::Paused, due_ms: shared.clock.now_ms() };
    for lane in shared.lanes() {
        for hand in
            lane.take_unless(|claimed| claimed.origin.campaign().is_none_or(|campaign| running.contains(&campaign)))
        {
            hand.give_back(wait);
        }
    }
}

fn next_look_ms(shared: &Shared, taken: &Taken) -> i64 {
    let now_ms = shared.clock.now_ms();
    if taken.more {
        return now_ms;
    }
    let latest_ms = now_ms + millis(LOOK_MAX);
    taken.next_due_ms.map_or(latest_ms, |due_ms| due_ms.clamp(now_ms, latest_ms))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The sending domains of what was taken, where sending domains warm up; `None` when they cannot be read.
async fn senders(shared: &Arc<Shared>, taken: &Taken) -> Option<HashMap<Origin, DomainId>> {
    if taken.claimed.is_empty() || !shared.warmup.has_domains() {
        return Some(HashMap::new());
    }
    let origins: HashSet<Origin> = taken.claimed.iter().map(|claimed| claimed.origin).collect();
    let storage = shared.storage.clone();
    let found = hold::blocking(move || storage.read_blocking(|c| warmup::senders(c, origins))).await;
    match found.unwrap_or(Err(StorageError::Closed)) {
        Ok(senders) => Some(senders),
        Err(error) => {
            tracing::error!(%error, "the sending domains of claimed recipients cannot be read; trying again");
            None
        }
    }
}

/// Brings each domain's recipients to their site; domains that are not known yet are asked for beside each other.
fn distribute(
    shared: &Arc<Shared>,
    lookups: &Arc<tokio::sync::Semaphore>,
    taken: Taken,
    senders: Option<HashMap<Origin, DomainId>>,
) {
    let now_ms = shared.clock.now_ms();
    let mut by_domain: HashMap<String, Vec<Hand>> = HashMap::new();
    // Domains of one site go to it together, so that its lanes are driven once.
    let mut by_site: HashMap<*const crate::site::Site, (Arc<crate::site::Site>, Vec<Hand>)> = HashMap::new();
    let pauses = shared.pauses.now();
    for claimed in taken.claimed {
        let mut hand = Hand::new(claimed, shared.book.clone(), now_ms);
        if let Some(wait) = pause::stopped(&pauses, &hand, "", now_ms) {
            hand.give_back(wait);
            continue;
        }
        let Some(senders) = &senders else {
            hand.give_back(Wait { reason: WaitReason::Local, due_ms: now_ms + millis(TROUBLE_WAIT) });
            continue;
        };
        hand.sender = senders.get(&hand.claimed.origin).copied();
        let domain = hand.claimed.address.domain();
        match shared.routes.find(&shared.streams.of(&hand.claimed).name, domain.as_str(), now_ms) {
            Some(site) => &mut by_site.entry(Arc::as_ptr(site)).or_insert_with(|| (site.clone(), Vec::new())).1,
            None => by_domain.entry(domain.to_string()).or_default(),
        }
        .push(hand);
    }
    for (domain, hands) in by_domain {
        match shared.resolver.known(&domain, now_ms) {
            Some(Ok(site)) => {
                by_site.entry(Arc::as_ptr(&site)).or_insert_with(|| (site, Vec::new())).1.extend(hands);
            }
            Some(Err(no_site)) => without_site(shared, &no_site, hands),
            None => {
                let (shared, lookups) = (shared.clone(), lookups.clone());
                shared.tasks.clone().spawn(async move {
                    // The semaphore is never closed.
                    let _turn = lookups.acquire().await;
                    tokio::select! {
                        () = shared.stopping.cancelled() => {}
                        found = shared.resolver.resolve(&domain, shared.clock.now_ms()) => match found {
                            Ok(site) => shared.route(&site, hands),
                            Err(no_site) => without_site(&shared, &no_site, hands),
                        },
                    }
                });
            }
        }
    }
    for (site, hands) in by_site.into_values() {
        shared.route(&site, hands);
    }
}

/// Recipients of a domain that has no site now, or never.
fn without_site(shared: &Shared, no_site: &NoSite, hands: Vec<Hand>) {
    let at_ms = shared.clock.now_ms();
    for hand in hands {
        let id = hand.claimed.id;
        match no_site {
            NoSite::Never { status, why } => {
                let answer =
                    Answer { enhanced: Some(*status), ..Answer::of_trouble(BounceClass::BadDomain, why.as_str()) };
                let ending = Ending::Bounced { suppress: true };
                hand.settle(Settlement { id, at_ms, ending, attempt: None, answer: Some(answer) });
            }
            NoSite::NotNow { why } => {
                let answer = Answer::of_trouble(BounceClass::Dns, why.as_str());
                let wait = shared
                    .streams
                    .of(&hand.claimed)
                    .retry
                    .wait(hand.claimed.attempts + 1, shared.random.below(u64::MAX));
                let wait = Wait { reason: WaitReason::Dns, due_ms: at_ms + millis(wait) };
                let kind = DeferralKind::Attempted;
                hand.defer(Deferral { id, at_ms, kind, wait, attempt: None, answer });
            }
        }
    }
}
