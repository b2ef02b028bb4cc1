//! What all parts of the engine share.

use crate::book::Book;
use crate::content::Makers;
use crate::conversation::Keeper;
use crate::egress::{Asking, Candidate, Choice, choose};
use crate::hand::Hand;
use crate::lane::Lane;
use crate::pause::{self, Pauses};
use crate::places::{Place, Places, Urgency, Wanted};
use crate::route::Routes;
use crate::shaping::{Shaping, Target};
use crate::site::{Resolver, Site};
use crate::smtp::Timeouts;
use crate::source::SourceStates;
use crate::stream::StreamRules;
use crate::tls::Policies;
use crate::unknown_text::UnknownTexts;
use crate::warmup::{Board, Look, Permits, Subject, Tracks};
use crate::watchdog::Watchdog;
use config::{SmtpSection, Source};
use mail::WaitReason;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::Storage;
use storage::queue::Wait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dial, Random};

/// A lock whose holder never panics while the data is half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Places for connections are scarce for this long after one was refused. Lanes ask every second.
const CROWDED_MS: i64 = 2_500;

/// Memory holds this part of `ready_max` besides, for transactional recipients only.
const URGENT_PART: usize = 4;

pub(crate) struct Shared {
    pub storage: Storage,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub dial: Arc<dyn Dial>,
    pub resolver: Resolver,
    pub smtp: SmtpSection,
    pub sources: Vec<Source>,
    /// Their names, for what is keyed by them.
    pub source_names: Vec<Arc<str>>,
    pub pools: HashMap<String, Vec<(usize, u32)>>,
    /// Which pool takes what another may not send.
    pub overflow: HashMap<String, String>,
    pub warmup: Arc<Board>,
    pub streams: StreamRules,
    pub routes: Routes,
    pub source_states: SourceStates,
    pub tls: Arc<rustls::ClientConfig>,
    pub policies: Arc<Policies>,
    pub book: Book,
    pub makers: Makers,
    pub places: Arc<Places>,
    pub shaping: Shaping,
    pub open: Open,
    pub pauses: Pauses,
    pub keeper: Keeper,
    pub unknown_texts: Arc<UnknownTexts>,
    pub watchdog: Watchdog,
    /// No new work; what is under way is finished.
    pub stopping: CancellationToken,
    /// What is still under way is dropped.
    pub aborting: CancellationToken,
    pub tasks: TaskTracker,
}

/// A lane is one source to one site.
type LaneKey = (usize, Arc<str>);

/// Lanes and connections that exist now.
#[derive(Default)]
pub(crate) struct Open {
    lanes: Mutex<HashMap<LaneKey, Arc<Lane>>>,
    /// When a connection was last refused a place.
    crowded_ms: AtomicI64,
}

/// The right to have one connection open on a lane. Dropping it gives the place back.
pub(crate) struct ConnectionPermit {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    _place: Place,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let source = self.shared.sources[self.lane.source].name.to_string();
        metrics::gauge!(crate::metric::CONNECTIONS_OPEN, "source" => source).decrement(1.0);
        // Nothing is begun here: the runtime may be ending. The connection's task goes on, or the look at all lanes.
        self.lane.connection_closed();
    }
}

/// What was chosen for a recipient.
enum Chosen {
    /// This source's lane, with what it may use up.
    Source(usize, Permits),
    /// Back into the queue.
    Wait(Wait),
}

impl Shared {
    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            command: self.smtp.command_timeout,
            data: self.smtp.data_timeout,
            block: self.smtp.block_timeout,
            final_dot: self.smtp.final_dot_timeout,
        }
    }

    /// Whether any source may reach what this one cannot because of its address's family.
    pub fn has_other_family(&self, source: &Source) -> bool {
        let is_other = |ip: IpAddr| source.ip.is_some_and(|ours| ours.is_ipv4() != ip.is_ipv4());
        self.sources.iter().any(|other| other.enabled && other.ip.is_none_or(is_other))
    }

    /// A place for one more connection of this lane, if every limit above the lane's own allows it. `restrained` is how
    /// many the source may have at the provider for now.
    pub fn connection_permit(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        urgency: Urgency,
        restrained: Option<u32>,
    ) -> Option<ConnectionPermit> {
        let (site, provider, limits) = (&lane.site.name, &lane.site.provider.name, &lane.limits);
        let wanted = Wanted { source: lane.source, site, provider, limits, restrained, urgency };
        let Some(place) = self.places.take(wanted) else {
            self.open.crowded_ms.store(self.clock.now_ms(), SeqCst);
            return None;
        };
        // No room at this rate: the look at all lanes comes back to it.
        lane.may_connect(self, self.clock.now_ms()).ok()?;
        let source = self.sources[lane.source].name.to_string();
        metrics::gauge!(crate::metric::CONNECTIONS_OPEN, "source" => source).increment(1.0);
        Some(ConnectionPermit { shared: self.clone(), lane: lane.clone(), _place: place })
    }

    /// Whether a lane has waited for a place for a connection just now: idle ones make room.
    pub fn is_crowded(&self) -> bool {
        self.clock.now_ms() - self.open.crowded_ms.load(SeqCst) < CROWDED_MS
    }

    /// Brings recipients of one site to their lanes, or back into the queue with a reason.
    pub fn route(self: &Arc<Self>, site: &Arc<Site>, hands: Vec<Hand>) {
        let now_ms = self.clock.now_ms();
        let mut touched: Vec<Arc<Lane>> = Vec::new();
        let pauses = self.pauses.now();
        for mut hand in hands {
            // Of a way that it did not go.
            hand.permits.clear();
            let provider = &site.provider.name;
            let barred = || self.shaping.barred(&hand.claimed, provider, now_ms);
            let slowed = || self.shaping.slowed(&hand.claimed, now_ms);
            if let Some(wait) = pause::stopped(&pauses, &hand, provider, now_ms).or_else(barred).or_else(slowed) {
                hand.give_back(wait);
                continue;
            }
            match self.choose(site, &hand, now_ms) {
                Chosen::Wait(wait) => hand.give_back(wait),
                Chosen::Source(source, permits) => {
                    hand.permits = permits;
                    let lane = self.lane(source, site, now_ms);
                    match lane.room(self, now_ms) {
                        Some(wait) => hand.give_back(wait),
                        None => {
                            lane.add(hand);
                            if !touched.iter().any(|t| Arc::ptr_eq(t, &lane)) {
                                touched.push(lane);
                            }
                        }
                    }
                }
            }
        }
        for lane in touched {
            lane.drive(self);
        }
    }

    fn choose(&self, site: &Arc<Site>, hand: &Hand, now_ms: i64) -> Chosen {
        let provider = &site.provider.name;
        // Behind a relay nobody at the provider sees the source.
        let idle = self.warmup.is_idle() || site.way.is_some();
        // Held until the permits are taken, so that what was seen is still there.
        let mut tracks = (!idle).then(|| self.warmup.tracks());
        let mut look =
            |subject| tracks.as_mut().map_or(Look::Open, |tracks| self.warmup.look(tracks, subject, provider, now_ms));
        let sender = hand.sender.map(Subject::Domain);
        let draw = self.random.below(u64::MAX);
        if let Some(sender) = sender
            && !matches!(look(sender), Look::Open | Look::Now)
        {
            return self.in_line(sender, tracks, provider, now_ms);
        }
        let last = hand.claimed.source.as_deref();
        let last = last.and_then(|name| self.sources.iter().position(|source| source.name.as_str() == name));
        let asking = Asking { kind: hand.claimed.kind, last, now_ms, draw };
        let pools = self.candidates(site, hand, &mut look, (now_ms, draw));
        match choose(&pools, &asking) {
            Choice::Wait(wait) => {
                if wait.reason == WaitReason::Rate
                    && let Some(waited_for) = pools.iter().flatten().find(|candidate| candidate.held == Some(wait))
                {
                    self.source_states.told_to_wait(waited_for.source, now_ms);
                }
                Chosen::Wait(wait)
            }
            Choice::Queue(source) => self.in_line(Subject::Source(source), tracks, provider, now_ms),
            Choice::Use(source) => {
                self.source_states.given(source, now_ms);
                let subjects = [Some(Subject::Source(source)), sender].into_iter().flatten();
                let permits = tracks.as_mut().map(|tracks| {
                    subjects.filter_map(|subject| self.warmup.take(tracks, subject, provider, now_ms)).collect()
                });
                Chosen::Source(source, permits.unwrap_or_default())
            }
        }
    }

    /// A place in the line of who waits for a warm-up.
    fn in_line(
        &self,
        subject: Subject,
        tracks: Option<MutexGuard<'_, Tracks>>,
        provider: &Arc<str>,
        now_ms: i64,
    ) -> Chosen {
        let due_ms = tracks.map_or(now_ms, |mut tracks| self.warmup.queue(&mut tracks, subject, provider, now_ms));
        Chosen::Wait(Wait { reason: WaitReason::WarmUp, due_ms })
    }

    /// The sources of a pool, of its overflow pool, and so on, as they stand at a site.
    fn candidates(
        &self,
        site: &Arc<Site>,
        hand: &Hand,
        look: &mut impl FnMut(Subject) -> Look,
        (now_ms, draw): (i64, u64),
    ) -> Vec<Vec<Candidate>> {
        let pauses = self.pauses.now();
        let lanes = lock(&self.open.lanes);
        let mut all = Vec::new();
        let own = &hand.claimed.pool;
        let mut pool = if self.pools.contains_key(own) { own } else { &self.streams.of(&hand.claimed).pool };
        loop {
            let candidate = |(source, weight): &(usize, u32)| {
                let itself = || {
                    lanes
                        .get(&(*source, site.name.clone()))
                        .and_then(|lane| lane.held_itself(hand.claimed.kind, now_ms))
                };
                let paused = pause::held_source(&pauses, self.sources[*source].name.as_str(), now_ms);
                let held = paused.or_else(|| self.restrained(*source, site, now_ms)).or_else(itself);
                let held = held.or_else(|| self.source_states.held(*source, now_ms, draw));
                Candidate { source: *source, weight: *weight, held, look: look(Subject::Source(*source)) }
            };
            all.push(self.pools.get(pool).into_iter().flatten().map(candidate).collect());
            // The configuration refuses circles.
            match self.overflow.get(pool) {
                Some(overflow) => pool = overflow,
                None => return all,
            }
        }
    }

    /// Why and until when replies keep the source away from the site.
    fn restrained(&self, source: usize, site: &Site, now_ms: i64) -> Option<Wait> {
        let name = &self.source_names[source];
        let at_site = Target::SourceSite(name.clone(), site.name.clone());
        let at_provider = Target::SourceProvider(name.clone(), site.provider.name.clone());
        self.shaping.register.restraint(&at_site, &at_provider, now_ms).hold
    }

    fn lane(&self, source: usize, site: &Arc<Site>, now_ms: i64) -> Arc<Lane> {
        let mut lanes = lock(&self.open.lanes);
        let lane =
            lanes.entry((source, site.name.clone())).or_insert_with(|| Arc::new(Lane::new(self, source, site, now_ms)));
        lane.clone()
    }

    pub fn lanes(&self) -> Vec<Arc<Lane>> {
        lock(&self.open.lanes).values().cloned().collect()
    }

    /// Forgets lanes that have neither work, nor connections, nor anything to remember.
    pub fn forget_idle_lanes(&self, now_ms: i64) {
        let mut lanes = lock(&self.open.lanes);
        lanes.retain(|_, lane| !lane.is_forgettable(now_ms));
        metrics::gauge!(crate::metric::LANES).set(lanes.len() as f64);
    }

    /// Recipients that may still be taken into memory.
    pub fn places_left(&self) -> usize {
        let in_hand = self.book.counts.in_hand.load(SeqCst);
        (self.smtp.ready_max as usize).saturating_sub(in_hand)
    }

    /// Transactional recipients that may be taken into memory, however many bulk ones are there.
    pub fn urgent_places_left(&self) -> usize {
        let in_hand = self.book.counts.in_hand.load(SeqCst);
        let ready_max = self.smtp.ready_max as usize;
        (ready_max + ready_max / URGENT_PART).saturating_sub(in_hand)
    }

    /// Recipients in memory that are on the move: those of slow lanes do not count, so that others are looked for.
    pub fn moving(&self) -> usize {
        let in_hand = self.book.counts.in_hand.load(SeqCst);
        if in_hand < self.low_water() {
            return in_hand;
        }
        let now_ms = self.clock.now_ms();
        in_hand.saturating_sub(self.lanes().iter().map(|lane| lane.stuck(now_ms)).sum())
    }

    /// Below this, more are claimed.
    pub fn low_water(&self) -> usize {
        (self.smtp.ready_max as usize / 2).max(1)
    }

    /// What is waiting in memory goes back into the queue.
    pub fn put_everything_back(&self) {
        for lane in self.lanes() {
            drop(lane.take_all());
        }
    }
}
