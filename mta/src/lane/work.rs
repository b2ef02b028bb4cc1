//! What a connection finds when it asks its lane for work: the next recipient, when its content is there, nothing holds
//! the lane, every rate has room, and nothing bars its domain or workspace.

use super::state::State;
use super::{Lane, RATE_PAUSE_MS};
use crate::content::Prepared;
use crate::hand::Hand;
use crate::shaping::Restraint;
use crate::shared::{Shared, lock};
use mail::StreamKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An idle connection looks so often whether another lane waits for its place.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// Waiting recipients that are looked at for some who get the same message.
const LOOK_AT: usize = 1_000;

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
                Ok(()) => match state.prepared.pop_front() {
                    Some(prepared) => Look::Taken(Box::new(self.with_company(shared, &mut state, prepared, now_ms))),
                    None => Look::Nothing,
                },
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

    /// With the other recipients of the same message that wait here and may go now. Each is one for every rate, and has
    /// permits of its own; none needs its message made.
    fn with_company(&self, shared: &Shared, state: &mut State, mut lead: Prepared, now_ms: i64) -> Prepared {
        let most = (self.limits.recipients as usize).saturating_sub(1);
        // A paced source lets each leave in a slot of its own. UTF-8 in an address asks more of the server.
        if lead.made.shared_path.is_none()
            || lead.hand.claimed.address.needs_smtputf8()
            || shared.source_states.is_paced(self.source)
        {
            return lead;
        }
        let origin = lead.hand.claimed.origin;
        let restraint = self.restraint(shared, now_ms);
        let goes_along = |hand: &Hand| hand.claimed.origin == origin && !hand.claimed.address.needs_smtputf8();
        let may_go = || self.let_through(shared, &restraint, now_ms).is_ok();
        while lead.companions.len() < most {
            let Some(place) = state.prepared.iter().position(|other| goes_along(&other.hand)) else { break };
            if !may_go() {
                return lead;
            }
            lead.companions.extend(state.prepared.remove(place).map(|prepared| prepared.hand));
        }
        let line = match lead.hand.claimed.kind {
            StreamKind::Transactional => &mut state.urgent,
            StreamKind::Bulk => &mut state.ready,
        };
        // Recipients of one message come into the line together: a look at its front finds them.
        let mut place = 0;
        while lead.companions.len() < most && place < line.len().min(LOOK_AT) {
            if !goes_along(&line[place]) {
                place += 1;
            } else if may_go() {
                lead.companions.extend(line.remove(place));
            } else {
                break;
            }
        }
        lead
    }

    /// Who signs it is known for certain now that it is made: what is barred goes back, and the next one comes.
    fn unless_barred(self: &Arc<Self>, shared: &Arc<Shared>, look: Look, now_ms: i64) -> Look {
        let Look::Taken(prepared) = look else { return look };
        match shared.shaping.barred(&prepared.hand.claimed, &self.site.provider.name, now_ms) {
            None => Look::Taken(prepared),
            Some(wait) => {
                prepared.give_back(wait);
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
