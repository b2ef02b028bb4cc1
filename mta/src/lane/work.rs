//! What a connection finds when it asks its lane for work: the next recipient, when its content is there, nothing holds
//! the lane, every rate has room, and nothing bars its domain or workspace.

use super::{Lane, RATE_PAUSE_MS};
use crate::content::Prepared;
use crate::shaping::Restraint;
use crate::shared::{Shared, lock};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An idle connection looks so often whether another lane waits for its place.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// What a connection finds when it asks for work.
enum Look {
    /// The next recipient.
    Taken(Box<Prepared>),
    /// None is ready.
    Nothing,
    /// One is ready, and may go from then on.
    Rate(i64),
    /// This connection is to end.
    End,
}

impl Lane {
    /// The next recipient, if its content is there and every rate has room for it.
    pub fn try_next(self: &Arc<Self>, shared: &Arc<Shared>) -> Option<Prepared> {
        match self.look(shared) {
            Look::Taken(prepared) => Some(*prepared),
            Look::Nothing | Look::Rate(_) | Look::End => None,
        }
    }

    fn look(self: &Arc<Self>, shared: &Arc<Shared>) -> Look {
        let now_ms = shared.clock.now_ms();
        let restraint = self.restraint(shared, now_ms);
        let at_provider = restraint.connections[1].map(|most| (most, self.connections_at_provider(shared)));
        let mut state = lock(&self.state);
        let too_many = state.established > state.allowed_now(&self.limits, &restraint, now_ms)
            || at_provider.is_some_and(|(most, here)| here > most);
        if restraint.hold.is_some() || state.held(now_ms).is_some() || shared.stopping.is_cancelled() || too_many {
            return Look::End;
        }
        let look = match state.prepared.is_empty() {
            true => Look::Nothing,
            false => match self.let_through(shared, &restraint, now_ms) {
                Err(due_ms) => Look::Rate(due_ms),
                Ok(()) => state.prepared.pop_front().map_or(Look::Nothing, |prepared| Look::Taken(Box::new(prepared))),
            },
        };
        let more = !state.ready.is_empty() || !state.urgent.is_empty();
        drop(state);
        if more && !matches!(look, Look::Rate(_)) {
            self.drive(shared);
        }
        self.unless_barred(shared, look, now_ms)
    }

    fn connections_at_provider(&self, shared: &Shared) -> u32 {
        shared.places.at_provider(self.source, &self.site.provider.name)
    }

    fn let_through(&self, shared: &Shared, restraint: &Restraint, now_ms: i64) -> Result<(), i64> {
        if restraint.rates.is_empty() && self.messages.is_empty() {
            return Ok(());
        }
        lock(&shared.shaping.messages).take(&self.counted(restraint), now_ms)
    }

    /// Who signs it is known for certain now that it is made: what is barred goes back, and the next one comes.
    fn unless_barred(self: &Arc<Self>, shared: &Arc<Shared>, look: Look, now_ms: i64) -> Look {
        let Look::Taken(prepared) = look else { return look };
        match shared.shaping.barred(&prepared.hand.claimed, &self.site.provider.name, now_ms) {
            None => Look::Taken(prepared),
            Some(wait) => {
                prepared.hand.give_back(wait);
                self.look(shared)
            }
        }
    }

    /// The next recipient; `None` when none came in time, or the lane is held or stopping, or has connections enough.
    pub async fn next(self: &Arc<Self>, shared: &Arc<Shared>, idle: Duration) -> Option<Prepared> {
        let deadline = Instant::now() + idle;
        loop {
            // Enrolled before looking, so that what comes in between is not missed.
            let woken = self.work.notified();
            match self.look(shared) {
                Look::Taken(next) => return Some(*next),
                Look::End => return None,
                Look::Nothing => {}
                Look::Rate(due_ms) => {
                    let wait_ms = due_ms - shared.clock.now_ms();
                    if wait_ms > RATE_PAUSE_MS {
                        return None;
                    }
                    let due = Instant::now() + Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0).max(1));
                    // Being woken means more work, which does not make room.
                    tokio::select! {
                        () = tokio::time::sleep_until(due) => continue,
                        () = shared.stopping.cancelled() => return None,
                    }
                }
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
}
