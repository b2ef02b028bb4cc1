//! A lane: one source to one site. Connections, limits and penalties live here.
//!
//! Strategies: connections as the work asks for them, up to the limits in force, beginning with one (slow start); "too
//! many connections" lowers the limit to what the server bore, and it grows back by one a minute; a message leaves when
//! every rate has room for it; what replies have led to restrains the lane (`shaping::register`); a site that cannot be
//! reached is tried again after the retry schedule's waits.
//!
//! Room: a lane that would not be through with what it has within seconds may hold as many waiting recipients in memory
//! as there are free places for all others ("dynamic threshold"), so that slow sites never fill the memory, however many
//! there are of them. What finds no room goes back into the queue until about the time that the lane gets to it. Where a
//! rate is the limit, only what it lets through within seconds waits in memory.

mod state;
mod trouble;
mod work;

use crate::connection;
use crate::content::Prepared;
use crate::hand::Hand;
use crate::pace::Pace;
use crate::places::Urgency;
use crate::shaping::{Counted, Limits, Restraint, Shaping, Target};
use crate::shared::{Shared, lock};
use crate::site::Site;
use config::Rate;
use mail::{StreamKind, WaitReason};
use state::{SOON_MS, State};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use storage::queue::{Claimed, Origin, Wait};
use tokio::sync::Notify;
pub(crate) use trouble::Trouble;

/// Work per connection that justifies opening another one.
const WORK_PER_CONNECTION: usize = 4;
/// Messages made ahead per connection, besides those whose marks are asked for ahead.
const AHEAD_PER_CONNECTION: usize = 2;
/// So many wait in memory however slow the rate: the one that goes next, and the one behind it.
const AT_A_RATE_MIN: f64 = 2.0;
/// A lane whose rate has no room for longer than this opens no connection, and keeps none.
const RATE_PAUSE_MS: i64 = 10_000;
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
    /// The limits in force here.
    pub limits: Limits,
    /// What each message, and each new connection, is counted for.
    messages: Vec<(Counted, Rate)>,
    connections: Vec<(Counted, Rate)>,
    /// What automations may be about.
    at_site: Target,
    at_provider: Target,
    state: Mutex<State>,
    /// For how many messages a connection asks ahead for marks, lately.
    marks_ahead: AtomicUsize,
    /// Wakes one connection that waits for work.
    work: Notify,
}

impl Lane {
    pub fn new(shared: &Shared, source: usize, site: &Arc<Site>, now_ms: i64) -> Lane {
        let limits = shared.limits(source, site);
        let name = &shared.source_names[source];
        Lane {
            source,
            site: site.clone(),
            messages: Shaping::counted(source, site, limits.message_rates),
            connections: Shaping::counted(source, site, limits.connection_rates),
            at_site: Target::SourceSite(name.clone(), site.name.clone()),
            at_provider: Target::SourceProvider(name.clone(), site.provider.name.clone()),
            limits,
            state: Mutex::new(State { pace: Pace::since(now_ms), began_ms: now_ms, ..State::default() }),
            marks_ahead: AtomicUsize::new(1),
            work: Notify::new(),
        }
    }

    /// A connection asks ahead for so many marks: so much more content is made ahead.
    pub fn marks_ahead(&self, messages: usize) {
        self.marks_ahead.store(messages, Relaxed);
    }

    /// What replies have led to for this lane.
    fn restraint(&self, shared: &Shared, now_ms: i64) -> Restraint {
        shared.shaping.register.restraint(&self.at_site, &self.at_provider, now_ms)
    }

    /// Why and until when nothing of this kind goes over this lane of itself; automations not counted.
    pub fn held_itself(&self, kind: StreamKind, now_ms: i64) -> Option<Wait> {
        lock(&self.state).held_for(kind, now_ms)
    }

    /// Why and until when nothing of this kind goes over this lane.
    fn held(&self, shared: &Shared, kind: StreamKind, now_ms: i64) -> Option<Wait> {
        self.restraint(shared, now_ms).hold.or_else(|| self.held_itself(kind, now_ms))
    }

    /// What a message is counted for now.
    fn counted(&self, restraint: &Restraint) -> Vec<(Counted, Rate)> {
        let restrained = restraint.rates.iter().map(|(id, rate)| (Counted::Automation(*id), *rate));
        self.messages.iter().cloned().chain(restrained).collect()
    }

    /// Whether another recipient finds room; else when it is to come again.
    pub fn room(&self, shared: &Shared, now_ms: i64) -> Option<Wait> {
        let rate = self.slowest(&self.restraint(shared, now_ms));
        let mut state = lock(&self.state);
        let waiting = state.waiting();
        if let Some(rate) = rate.filter(|rate| waiting as f64 >= (rate * SOON_MS as f64 / 1000.0).max(AT_A_RATE_MIN)) {
            let due_ms = state.pace.place_at_rate(waiting, rate, now_ms);
            return Some(Wait { reason: WaitReason::Rate, due_ms });
        }
        if state.stuck(now_ms) == 0 || waiting < shared.places_left() {
            return None;
        }
        let age_ms = now_ms - state.began_ms;
        let due_ms = state.pace.place_in_line(waiting, age_ms, now_ms);
        Some(Wait { reason: WaitReason::LaneFull, due_ms })
    }

    /// The slowest rate that counts here, in messages a second.
    fn slowest(&self, restraint: &Restraint) -> Option<f64> {
        let restrained = restraint.rates.iter().map(|(_, rate)| rate);
        let rates = self.messages.iter().map(|(_, rate)| rate).chain(restrained);
        rates.filter_map(|rate| rate.per_second()).min_by(f64::total_cmp)
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

    /// Opens connections and has content made for them, as far as there is work.
    pub fn drive(self: &Arc<Self>, shared: &Arc<Shared>) {
        if shared.stopping.is_cancelled() {
            return;
        }
        let now_ms = shared.clock.now_ms();
        let restraint = self.restraint(shared, now_ms);
        let (to_open, urgency) = {
            let mut state = lock(&self.state);
            state.used_ms = now_ms;
            let kind = if state.is_urgent() { StreamKind::Transactional } else { StreamKind::Bulk };
            if restraint.hold.is_some() || state.held_for(kind, now_ms).is_some() {
                return;
            }
            let urgency = if state.urgent.is_empty() { Urgency::Bulk } else { Urgency::Urgent };
            (self.claim_connections(shared, &mut state, &restraint, now_ms), urgency)
        };
        let mut opened = 0;
        while opened < to_open
            && let Some(permit) = shared.connection_permit(self, urgency, restraint.connections[1])
        {
            connection::spawn(shared, self, permit);
            opened += 1;
        }
        let to_make = {
            let mut state = lock(&self.state);
            state.connections -= to_open - opened;
            self.take_to_make(shared, &mut state)
        };
        for hand in to_make {
            shared.makers.make(hand, self.clone(), shared);
        }
    }

    /// How many connections are to be opened; they are counted already.
    fn claim_connections(&self, shared: &Shared, state: &mut State, restraint: &Restraint, now_ms: i64) -> u32 {
        let limit = state.allowed(&self.limits, restraint, now_ms);
        let wanted = u32::try_from(state.waiting().div_ceil(WORK_PER_CONNECTION)).unwrap_or(u32::MAX).min(limit);
        // One at a time after a failure: it shows whether the site is back.
        let wanted = if state.failures > 0 || state.in_trouble { wanted.min(1) } else { wanted };
        if state.connections >= wanted || self.is_out_of_rate(shared, restraint, now_ms) {
            return 0;
        }
        let to_open = wanted - state.connections;
        state.connections = wanted;
        to_open
    }

    /// Whose content is to be made now. There is little room for content: what is made for a lane that has no place for a
    /// connection would only keep it from others that have one.
    fn take_to_make(&self, shared: &Shared, state: &mut State) -> Vec<Hand> {
        let ahead = state.connections as usize * (AHEAD_PER_CONNECTION + self.marks_ahead.load(Relaxed));
        let mut to_make = Vec::new();
        // What is urgent is made however much else is ready: it overtakes that.
        while state.making + state.prepared.len() < 2 * ahead && shared.makers.has_room() {
            // Who gets the same message goes with it, and has nothing made.
            if state.urgent.front().is_none_or(|hand| self.limits.recipients > 1 && state.is_led(hand)) {
                break;
            }
            let Some(hand) = state.urgent.pop_front() else { break };
            state.making += 1;
            state.making_of.push(hand.claimed.origin);
            to_make.push(hand);
        }
        while state.making + state.prepared.len() < ahead && shared.makers.has_room() {
            let Some(hand) = state.ready.pop_front() else { break };
            state.making += 1;
            to_make.push(hand);
        }
        to_make
    }

    /// Whether no message may go for a while, so that a connection would only stand open.
    fn is_out_of_rate(&self, shared: &Shared, restraint: &Restraint, now_ms: i64) -> bool {
        let due_ms = lock(&shared.shaping.messages).due_ms(&self.counted(restraint));
        due_ms > now_ms + RATE_PAUSE_MS
    }

    /// When a new connection may be opened, where that is not now.
    pub fn may_connect(&self, shared: &Shared, now_ms: i64) -> Result<(), i64> {
        if self.connections.is_empty() {
            return Ok(());
        }
        lock(&shared.shaping.connections).take(&self.connections, now_ms)
    }

    /// A recipient's content is there.
    pub fn prepared(self: &Arc<Self>, shared: &Arc<Shared>, prepared: Prepared) {
        let now_ms = shared.clock.now_ms();
        let held = self.held(shared, prepared.hand.claimed.kind, now_ms).is_some();
        let mut state = lock(&self.state);
        state.made(prepared.hand.claimed.kind, prepared.hand.claimed.origin);
        if held {
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
    pub fn not_prepared(self: &Arc<Self>, shared: &Arc<Shared>, kind: StreamKind, origin: Origin) {
        lock(&self.state).made(kind, origin);
        self.drive(shared);
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
        let mut state = lock(&self.state);
        state.pace.left(now_ms);
        state.left += 1;
    }

    /// A message was taken: the slow start goes a step further.
    pub fn one_taken(&self) {
        let mut state = lock(&self.state);
        state.taken = state.taken.saturating_add(1);
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
        let State { ready, urgent, prepared, .. } = &mut *state;
        for line in [ready, urgent] {
            let (keep, unwanted): (VecDeque<_>, VecDeque<_>) = line.drain(..).partition(|hand| wanted(&hand.claimed));
            *line = keep;
            out.extend(unwanted);
        }
        let (keep, unwanted): (VecDeque<_>, VecDeque<_>) =
            prepared.drain(..).partition(|prepared| wanted(&prepared.hand.claimed));
        *prepared = keep;
        out.extend(unwanted.into_iter().map(|prepared| prepared.hand));
        out
    }

    /// How many have left so far, and how many wait.
    pub fn progress(&self) -> (u64, usize) {
        let state = lock(&self.state);
        (state.left, state.waiting())
    }

    pub fn is_forgettable(&self, now_ms: i64) -> bool {
        let state = lock(&self.state);
        let remembers = state.hold.is_some_and(|hold| hold.due_ms + FORGET_MS > now_ms)
            || state.limit.at(self.limits.connections, now_ms) < self.limits.connections;
        state.connections == 0 && state.waiting() == 0 && !remembers && now_ms - state.used_ms > FORGET_MS
    }

    pub fn status(&self, shared: &Shared) -> LaneStatus {
        let now_ms = shared.clock.now_ms();
        let restraint = self.restraint(shared, now_ms);
        let state = lock(&self.state);
        let hold = restraint.hold.or_else(|| state.held(now_ms));
        LaneStatus {
            source: shared.sources[self.source].name.to_string(),
            site: self.site.name.to_string(),
            provider: self.site.provider.name.to_string(),
            connections: state.connections,
            connections_max: state.allowed(&self.limits, &restraint, now_ms),
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
