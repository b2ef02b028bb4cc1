//! A lane: one source to one site. Connections, limits and penalties live here.
//!
//! Strategies: connections as the work asks for them, up to the provider's limit; "too many connections" lowers the
//! limit to what the server bore, and it grows back by one a minute; a source that is refused is held for as long as
//! the provider's data says; a site that cannot be reached is tried again after the retry schedule's waits.
//!
//! Room: a lane that would not be through with what it has within seconds may hold as many waiting recipients in memory
//! as there are free places for all others ("dynamic threshold"), so that slow sites never fill the memory, however many
//! there are of them. What finds no room goes back into the queue until about the time that the lane gets to it.

use crate::connection;
use crate::content::Prepared;
use crate::hand::Hand;
use crate::pace::{Limit, Pace};
use crate::places::Urgency;
use crate::shared::{Shared, lock};
use crate::site::Site;
use mail::{BounceClass, StreamKind, WaitReason};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::queue::{Answer, Claimed, Deferral, DeferralKind, Wait};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Work per connection that justifies opening another one.
const WORK_PER_CONNECTION: usize = 4;
/// Messages made ahead per connection.
const AHEAD_PER_CONNECTION: usize = 3;
/// An idle connection looks so often whether another lane waits for its place.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// What a lane brings away within this time is not stuck.
const SOON_MS: i64 = 5_000;
/// A lane without work is remembered for this long.
const FORGET_MS: i64 = 600_000;

/// What the operator sees of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneStatus {
    /// Source.
    pub source: String,
    /// Site.
    pub site: String,
    /// Provider.
    pub provider: String,
    /// Open connections.
    pub connections: u32,
    /// Connections allowed now.
    pub connections_max: u32,
    /// Recipients waiting in memory.
    pub ready: usize,
    /// Messages a second, lately.
    pub rate: f64,
    /// Why it waits, if it does.
    pub wait_reason: Option<WaitReason>,
    /// Until when.
    pub wait_until_ms: Option<i64>,
    /// The last answer that was not a yes to everything: what made it wait, or slow.
    pub reply: Option<String>,
}

pub(crate) struct Lane {
    pub source: usize,
    pub site: Arc<Site>,
    state: Mutex<State>,
    /// Wakes one connection that waits for work.
    work: Notify,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Hand>,
    /// Transactional ones: they go first.
    urgent: VecDeque<Hand>,
    making: usize,
    prepared: VecDeque<Prepared>,
    /// Open ones, and those that are being opened.
    connections: u32,
    /// Of those, the open ones.
    established: u32,
    limit: Limit,
    hold: Option<Wait>,
    reply: Option<String>,
    /// Times in a row that no connection came about.
    failures: u32,
    /// One did not come about, others are still being opened.
    in_trouble: bool,
    /// Hosts that could not be reached lately, tried last.
    bad_hosts: Vec<(String, i64)>,
    pace: Pace,
    used_ms: i64,
    began_ms: i64,
}

/// Why a connection did not come about, for the lane.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub class: BounceClass,
    pub answer: Answer,
}

impl Lane {
    pub fn new(source: usize, site: &Arc<Site>, now_ms: i64) -> Lane {
        let state = State { pace: Pace::since(now_ms), began_ms: now_ms, ..State::default() };
        Lane { source, site: site.clone(), state: Mutex::new(state), work: Notify::new() }
    }

    /// Why and until when nothing goes over this lane.
    pub fn held(&self, now_ms: i64) -> Option<Wait> {
        lock(&self.state).hold.filter(|hold| hold.due_ms > now_ms)
    }

    /// Whether another recipient finds room; else when it is to come again.
    pub fn room(&self, shared: &Shared, now_ms: i64) -> Option<Wait> {
        let mut state = lock(&self.state);
        let waiting = state.waiting();
        if state.stuck(now_ms) == 0 || waiting < shared.places_left() {
            return None;
        }
        let age_ms = now_ms - state.began_ms;
        let due_ms = state.pace.place_in_line(waiting, age_ms, now_ms);
        Some(Wait { reason: WaitReason::LaneFull, due_ms })
    }

    /// Recipients that wait here and will not be gone soon.
    pub fn stuck(&self, now_ms: i64) -> usize {
        lock(&self.state).stuck(now_ms)
    }

    /// Puts a recipient in line. Call `drive` afterwards.
    pub fn add(&self, hand: Hand) {
        let mut state = lock(&self.state);
        match hand.claimed.kind {
            StreamKind::Transactional => state.urgent.push_back(hand),
            StreamKind::Bulk => state.ready.push_back(hand),
        }
    }

    /// Has content made and opens connections, as far as there is work for them.
    pub fn drive(self: &Arc<Self>, shared: &Arc<Shared>) {
        if shared.stopping.is_cancelled() {
            return;
        }
        let now_ms = shared.clock.now_ms();
        let mut to_make = Vec::new();
        let mut to_open = 0;
        let urgency;
        {
            let mut state = lock(&self.state);
            state.used_ms = now_ms;
            if state.hold.is_some_and(|hold| hold.due_ms > now_ms) {
                return;
            }
            let ahead = (state.connections as usize).max(1) * AHEAD_PER_CONNECTION;
            urgency = if state.urgent.is_empty() { Urgency::Bulk } else { Urgency::Urgent };
            // What is urgent is made however much else is ready: it overtakes that.
            while state.making + state.prepared.len() < 2 * ahead && shared.makers.has_room() {
                let Some(hand) = state.urgent.pop_front() else { break };
                state.making += 1;
                to_make.push(hand);
            }
            while state.making + state.prepared.len() < ahead && shared.makers.has_room() {
                let Some(hand) = state.ready.pop_front() else { break };
                state.making += 1;
                to_make.push(hand);
            }
            let work = state.waiting();
            let limit = state.limit.at(self.site.provider.connections, now_ms);
            let wanted = u32::try_from(work.div_ceil(WORK_PER_CONNECTION)).unwrap_or(u32::MAX).min(limit);
            // One at a time after a failure: it shows whether the site is back.
            let wanted = if state.failures > 0 || state.in_trouble { wanted.min(1) } else { wanted };
            while state.connections < wanted {
                state.connections += 1;
                to_open += 1;
            }
        }
        for hand in to_make {
            shared.makers.make(hand, self.clone(), shared);
        }
        for n in 0..to_open {
            let Some(permit) = shared.connection_permit(self, urgency) else {
                lock(&self.state).connections -= to_open - n;
                return;
            };
            connection::spawn(shared, self, permit);
        }
    }

    /// A recipient's content is there.
    pub fn prepared(self: &Arc<Self>, shared: &Arc<Shared>, prepared: Prepared) {
        let now_ms = shared.clock.now_ms();
        let mut state = lock(&self.state);
        state.making -= 1;
        if state.hold.is_some_and(|hold| hold.due_ms > now_ms) {
            // Held meanwhile: it looks for another way, like the others.
            drop(state);
            shared.route(&self.site, vec![prepared.hand]);
            return;
        }
        match prepared.hand.claimed.kind {
            StreamKind::Transactional => {
                let behind =
                    state.prepared.iter().take_while(|p| p.hand.claimed.kind == StreamKind::Transactional).count();
                state.prepared.insert(behind, prepared);
            }
            StreamKind::Bulk => state.prepared.push_back(prepared),
        }
        let without_connection = state.connections == 0;
        drop(state);
        self.work.notify_one();
        if without_connection {
            self.drive(shared);
        }
    }

    /// A recipient's content could not be made.
    pub fn not_prepared(self: &Arc<Self>, shared: &Arc<Shared>) {
        lock(&self.state).making -= 1;
        self.drive(shared);
    }

    /// The next recipient, if its content is there.
    pub fn try_next(self: &Arc<Self>, shared: &Arc<Shared>) -> Option<Prepared> {
        let now_ms = shared.clock.now_ms();
        let mut state = lock(&self.state);
        if state.hold.is_some_and(|hold| hold.due_ms > now_ms) || shared.stopping.is_cancelled() {
            return None;
        }
        let next = state.prepared.pop_front();
        let more = !state.ready.is_empty() || !state.urgent.is_empty();
        drop(state);
        if more {
            self.drive(shared);
        }
        next
    }

    /// The next recipient; `None` when none came in time, or the lane is held or stopping.
    pub async fn next(self: &Arc<Self>, shared: &Arc<Shared>, idle: Duration) -> Option<Prepared> {
        let deadline = Instant::now() + idle;
        loop {
            // Enrolled before looking, so that what comes in between is not missed.
            let woken = self.work.notified();
            if let Some(next) = self.try_next(shared) {
                return Some(next);
            }
            if self.held(shared.clock.now_ms()).is_some() {
                return None;
            }
            let look_again = deadline.min(Instant::now() + IDLE_LOOK);
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(look_again) => {
                    if look_again == deadline || shared.is_crowded() {
                        return None;
                    }
                }
                () = shared.stopping.cancelled() => return None,
            }
        }
    }

    /// A connection is up, as long as the value lives.
    pub fn connected(&self) -> Established<'_> {
        let mut state = lock(&self.state);
        state.failures = 0;
        state.in_trouble = false;
        state.established += 1;
        // A hold because of a bad name stays: that another connection was quicker changes nothing about it.
        if state.hold.is_some_and(|hold| matches!(hold.reason, WaitReason::Connect | WaitReason::Tls | WaitReason::Dns))
        {
            state.hold = None;
        }
        Established(self)
    }

    /// A recipient was settled or deferred over this lane.
    pub fn one_left(&self, now_ms: i64) {
        lock(&self.state).pace.left(now_ms);
    }

    /// A permit came back.
    pub fn connection_closed(&self) {
        lock(&self.state).connections -= 1;
    }

    /// After a connection has ended: another one may be due, or wait for work.
    pub fn go_on(self: &Arc<Self>, shared: &Arc<Shared>) {
        let has_work = lock(&self.state).waiting() > 0;
        if has_work {
            self.work.notify_one();
            self.drive(shared);
        }
    }

    /// Fewer connections for a while: what the server bears now, if it bears any.
    pub fn fewer_connections(&self, shared: &Shared, reply: String) {
        lock(&self.state).lower_limit(self.site.provider.connections, shared.clock.now_ms(), reply);
    }

    /// Holds the lane; what waits in it looks for another way.
    pub fn hold(self: &Arc<Self>, shared: &Arc<Shared>, reason: WaitReason, span: Duration, reply: String) {
        let now_ms = shared.clock.now_ms();
        let due_ms = now_ms.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let waiting = {
            let mut state = lock(&self.state);
            // A longer hold for a graver reason stays.
            if state.hold.is_none_or(|hold| hold.due_ms < due_ms) {
                state.hold = Some(Wait { reason, due_ms });
            }
            state.reply = Some(reply);
            state.take_waiting()
        };
        self.work.notify_waiters();
        shared.route(&self.site, waiting);
    }

    /// A connection did not come about. When there is no other, the lane rests, and who waited for it is told why; else
    /// those that work are what there is for a while.
    pub fn could_not_connect(self: &Arc<Self>, shared: &Arc<Shared>, trouble: Trouble) {
        let now_ms = shared.clock.now_ms();
        let (waiting, failures) = {
            let mut state = lock(&self.state);
            if state.established > 0 {
                return state.lower_limit(self.site.provider.connections, now_ms, trouble.answer.text);
            }
            state.reply = Some(trouble.answer.text.clone());
            if state.connections > 1 {
                // Others were opened at the same time: the last of them tells how it stands.
                state.in_trouble = true;
                return;
            }
            state.in_trouble = false;
            state.failures += 1;
            (state.take_waiting(), state.failures)
        };
        let span = shared.streams.of_kind(StreamKind::Bulk).retry.wait(failures, shared.random.below(u64::MAX));
        let due_ms = now_ms.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let reason = match trouble.class {
            BounceClass::Tls => WaitReason::Tls,
            BounceClass::Dns => WaitReason::Dns,
            _ => WaitReason::Connect,
        };
        let wait = Wait { reason, due_ms };
        lock(&self.state).hold = Some(wait);
        tracing::debug!(site = %self.site.name, failures, "no connection: {}", trouble.answer.text);
        if self.site.way.as_ref().is_some_and(|way| way.gives_way(due_ms)) {
            // Due at once: the scheduler brings them to their domains' own hosts.
            let wait = Wait { reason, due_ms: now_ms };
            waiting.into_iter().for_each(|hand| hand.give_back(wait));
            return;
        }
        for hand in waiting {
            let id = hand.claimed.id;
            let answer = Answer { class: Some(trouble.class), ..trouble.answer.clone() };
            hand.defer(Deferral { id, at_ms: now_ms, kind: DeferralKind::NotReached, wait, attempt: None, answer });
        }
    }

    /// Hosts that could not be reached come last for a while.
    pub fn remember_bad_host(&self, host: &str, until_ms: i64) {
        let mut state = lock(&self.state);
        state.bad_hosts.retain(|(known, _)| known != host);
        state.bad_hosts.push((host.to_owned(), until_ms));
    }

    pub fn is_bad_host(&self, host: &str, now_ms: i64) -> bool {
        lock(&self.state).bad_hosts.iter().any(|(known, until_ms)| known == host && now_ms < *until_ms)
    }

    /// Domains of those that wait here, each once; `most` of them.
    pub fn domains(&self, most: usize) -> Vec<String> {
        let state = lock(&self.state);
        let prepared = state.prepared.iter().map(|prepared| &prepared.hand);
        let mut domains: Vec<String> = Vec::new();
        for hand in prepared.chain(&state.urgent).chain(&state.ready) {
            let domain = hand.claimed.address.domain().to_string();
            if domains.len() < most && !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        domains
    }

    /// Everything that waits here.
    pub fn take_all(&self) -> Vec<Hand> {
        lock(&self.state).take_waiting()
    }

    /// Takes out who waits and is not wanted any more.
    pub fn take_unless(&self, wanted: impl Fn(&Claimed) -> bool) -> Vec<Hand> {
        let mut state = lock(&self.state);
        let mut out = Vec::new();
        let State { ready, urgent, .. } = &mut *state;
        for line in [ready, urgent] {
            let (keep, unwanted): (VecDeque<_>, VecDeque<_>) = line.drain(..).partition(|hand| wanted(&hand.claimed));
            *line = keep;
            out.extend(unwanted);
        }
        out
    }

    pub fn is_forgettable(&self, now_ms: i64) -> bool {
        let state = lock(&self.state);
        let remembers = state.hold.is_some_and(|hold| hold.due_ms + FORGET_MS > now_ms)
            || state.limit.at(self.site.provider.connections, now_ms) < self.site.provider.connections;
        state.connections == 0 && state.waiting() == 0 && !remembers && now_ms - state.used_ms > FORGET_MS
    }

    pub fn status(&self, shared: &Shared) -> LaneStatus {
        let now_ms = shared.clock.now_ms();
        let state = lock(&self.state);
        let hold = state.hold.filter(|hold| hold.due_ms > now_ms);
        LaneStatus {
            source: shared.sources[self.source].name.to_string(),
            site: self.site.name.to_string(),
            provider: self.site.provider.name.to_string(),
            connections: state.connections,
            connections_max: state.limit.at(self.site.provider.connections, now_ms),
            ready: state.waiting(),
            rate: state.pace.now(now_ms),
            wait_reason: hold.map(|hold| hold.reason),
            wait_until_ms: hold.map(|hold| hold.due_ms),
            reply: state.reply.clone(),
        }
    }
}

/// An open connection, counted.
pub(crate) struct Established<'a>(&'a Lane);

impl Drop for Established<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).established -= 1;
    }
}

impl State {
    fn lower_limit(&mut self, full: u32, now_ms: i64, reply: String) {
        let limit = self.limit.at(full, now_ms);
        self.limit.lowered = Some((self.established.max(1).min(limit), now_ms));
        self.reply = Some(reply);
    }

    fn waiting(&self) -> usize {
        self.ready.len() + self.urgent.len() + self.making + self.prepared.len()
    }

    fn stuck(&self, now_ms: i64) -> usize {
        if now_ms - self.began_ms < SOON_MS {
            return 0;
        }
        let soon = self.pace.now(now_ms) * (SOON_MS as f64 / 1000.0);
        self.waiting().saturating_sub(soon as usize)
    }

    fn take_waiting(&mut self) -> Vec<Hand> {
        let prepared = self.prepared.drain(..).map(|prepared| prepared.hand);
        prepared.chain(self.urgent.drain(..)).chain(self.ready.drain(..)).collect()
    }
}
