//! What goes wrong with a lane: holds, connections that do not come about, hosts that cannot be reached.

use super::Lane;
use crate::shared::{Shared, lock};
use mail::{BounceClass, StreamKind, WaitReason};
use std::sync::Arc;
use std::time::Duration;
use storage::queue::{Answer, Deferral, DeferralKind, Wait};

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
        let (waiting, failures) = {
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
