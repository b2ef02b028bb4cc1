//! What goes wrong with a lane: holds, connections that do not come about, hosts that cannot be reached.

use super::Lane;
use super::state::State;
use crate::shared::{Shared, lock};
use mail::{BounceClass, StreamKind, WaitReason};
use std::sync::Arc;
use std::time::Duration;
use storage::queue::{Answer, Claimed, Deferral, DeferralKind, Wait};

/// Why a connection did not come about, for the lane.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub class: BounceClass,
    pub answer: Answer,
}

impl Lane {
    /// Fewer connections for a while: what the server bears now, if it bears any.
    pub fn fewer_connections(&self, shared: &Shared, reply: String) {
        lock(&self.state).lower_limit(self.limits.connections, shared.clock.now_ms(), reply);
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
            state.urgent_from_ms = None;
            state.taken = 0;
            state.reply = Some(reply);
            state.take_waiting()
        };
        self.work.notify_waiters();
        shared.route(&self.site, waiting);
    }

    /// An automation holds the lane now: what waits in it looks for another way, and it begins slowly afterwards.
    pub fn make_way(self: &Arc<Self>, shared: &Arc<Shared>) {
        let waiting = {
            let mut state = lock(&self.state);
            state.taken = 0;
            state.take_waiting()
        };
        self.work.notify_waiters();
        shared.route(&self.site, waiting);
    }

    /// What the server said, for whoever looks at the lane.
    pub fn told(&self, reply: String) {
        lock(&self.state).reply = Some(reply);
    }

    /// A connection did not come about. When there is no other, the lane rests, and who waited for it is told why; else
    /// those that work are what there is for a while.
    pub fn could_not_connect(self: &Arc<Self>, shared: &Arc<Shared>, trouble: Trouble) {
        let now_ms = shared.clock.now_ms();
        let (waiting, wait) = {
            let mut state = lock(&self.state);
            if state.established > 0 {
                return state.lower_limit(self.limits.connections, now_ms, trouble.answer.text);
            }
            state.reply = Some(trouble.answer.text.clone());
            if state.connections > 1 {
                // Others were opened at the same time: the last of them tells how it stands.
                state.in_trouble = true;
                return;
            }
            state.in_trouble = false;
            (state.take_waiting(), state.rest(shared, &trouble, now_ms))
        };
        let is_silent = trouble.answer.code.is_none();
        tracing::debug!(site = %self.site.name, ?wait, "no connection: {}", trouble.answer.text);
        if self.site.way.as_ref().is_some_and(|way| way.gives_way(wait.due_ms)) {
            // Due at once: the scheduler brings them to their domains' own hosts.
            let wait = Wait { due_ms: now_ms, ..wait };
            waiting.into_iter().for_each(|hand| hand.give_back(wait));
            return;
        }
        for hand in waiting {
            let id = hand.claimed.id;
            // A server that refuses us wants to be left alone by everybody.
            let wait = if is_silent { own_wait(shared, &hand.claimed, wait, now_ms) } else { wait };
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

    /// Whether content goes by BDAT where the server offers it.
    pub fn takes_chunks(&self) -> bool {
        self.limits.chunking && !lock(&self.state).no_chunks
    }

    /// The server does not know what it offers: content goes by DATA from now on.
    pub fn without_chunks(&self, reply: String) {
        let mut state = lock(&self.state);
        state.no_chunks = true;
        state.reply = Some(reply);
    }
}

impl State {
    /// The lane rests, the longer the more often no connection has come about. That one which transactional mail has
    /// tried meanwhile did not come about either is no news.
    fn rest(&mut self, shared: &Shared, trouble: &Trouble, now_ms: i64) -> Wait {
        let after = |span: Duration| now_ms.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let draw = shared.random.below(u64::MAX);
        let is_silent = trouble.answer.code.is_none();
        let urgent = &shared.streams.of_kind(StreamKind::Transactional).retry;
        self.urgent_from_ms = is_silent.then(|| after(urgent.wait(1, draw)));
        if let Some(wait) = self.held(now_ms) {
            return wait;
        }
        self.failures += 1;
        let reason = match trouble.class {
            BounceClass::Tls => WaitReason::Tls,
            BounceClass::Dns => WaitReason::Dns,
            _ => WaitReason::Connect,
        };
        let bulk = &shared.streams.of_kind(StreamKind::Bulk).retry;
        *self.hold.insert(Wait { reason, due_ms: after(bulk.wait(self.failures, draw)) })
    }
}

/// Bulk mail waits with its lane; transactional mail as long as its own stream says, where that is less.
fn own_wait(shared: &Shared, claimed: &Claimed, wait: Wait, now_ms: i64) -> Wait {
    if claimed.kind == StreamKind::Bulk {
        return wait;
    }
    let age = Duration::from_millis(u64::try_from(now_ms - claimed.accepted_ms).unwrap_or(0));
    let own = shared.streams.of(claimed).retry.wait_at_age(age, shared.random.below(u64::MAX));
    let own_ms = now_ms.saturating_add(i64::try_from(own.as_millis()).unwrap_or(i64::MAX));
    Wait { due_ms: wait.due_ms.min(own_ms), ..wait }
}
