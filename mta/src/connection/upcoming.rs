//! The messages that a connection sends next: their marks are asked for while the one before travels.

use super::judge::Of;
use super::transact::Connection;
use crate::content::{Made, Prepared};
use crate::hand::Hand;
use crate::lane::Lane;
use crate::shared::Shared;
use crate::smtp::Envelope;
use crate::source::Slot;
use mail::WaitReason;
use std::time::Duration;
use storage::queue::{Marked, Wait};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// How long a slow connection holds back its content so that the next envelope can go with it.
const MARK_WAIT: Duration = Duration::from_millis(10);

/// A message whose marks are asked for, one for each recipient.
pub(super) struct Upcoming {
    hands: Vec<Hand>,
    marks: Vec<Mark>,
    made: Made,
    envelope: Envelope,
}

/// A mark that was asked for.
enum Mark {
    Asked(oneshot::Receiver<Marked>),
    /// `None`: it could not be written.
    Answered(Option<Marked>),
}

impl Mark {
    /// Whether it is answered by now.
    fn is_answered(&mut self) -> bool {
        if let Mark::Asked(asked) = self {
            match asked.try_recv() {
                Ok(marked) => *self = Mark::Answered(Some(marked)),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Closed) => *self = Mark::Answered(None),
            }
        }
        true
    }

    async fn wait(&mut self) {
        if let Mark::Asked(asked) = self {
            *self = Mark::Answered(asked.await.ok());
        }
    }
}

impl Upcoming {
    pub fn new(mut hands: Vec<Hand>, made: Made, envelope: Envelope, connection: &Connection<'_>) -> Upcoming {
        let provider = &connection.lane.site.provider.name;
        let marks = hands.iter_mut().map(|hand| Mark::Asked(hand.mark(&connection.source, provider))).collect();
        Upcoming { hands, marks, made, envelope }
    }

    /// Whether every recipient's mark is answered by now.
    fn is_marked(&mut self) -> bool {
        self.marks.iter_mut().all(Mark::is_answered)
    }

    async fn marked(&mut self) {
        for mark in &mut self.marks {
            mark.wait().await;
        }
    }

    /// Those whose mark is on disk; `None` when there is nobody.
    fn admit(mut self, now_ms: i64) -> Option<Current> {
        for (place, mark) in self.marks.into_iter().enumerate().rev() {
            match mark {
                Mark::Answered(Some(Marked::Go)) => continue,
                Mark::Answered(Some(Marked::Paused | Marked::Suppressed | Marked::Gone)) => {
                    self.hands.remove(place).let_go();
                }
                // The mark could not be written: the recipient is not sent, and goes back by being dropped.
                Mark::Answered(None) | Mark::Asked(_) => drop(self.hands.remove(place)),
            }
            self.envelope.recipients.remove(place);
        }
        let Upcoming { hands, made, envelope, .. } = self;
        (!hands.is_empty()).then_some(Current { hands, made, envelope, began_ms: now_ms, is_announced: false })
    }
}

/// A message whose turn it is; the marks of its recipients are on disk.
pub(super) struct Current {
    /// In the order of the envelope.
    pub hands: Vec<Hand>,
    pub made: Made,
    pub envelope: Envelope,
    pub began_ms: i64,
    /// The envelope went out with the content before.
    pub is_announced: bool,
}

impl Current {
    /// What a verdict needs to know of the message.
    pub fn of(&self) -> Of {
        Of { signing_domain: self.made.signing_domain.clone(), began_ms: self.began_ms }
    }

    pub fn end_goes_out(&mut self, now_ms: i64) {
        self.hands.iter_mut().for_each(|hand| hand.dot_goes_out(now_ms));
    }

    pub fn end_stayed(&mut self) {
        self.hands.iter_mut().for_each(Hand::dot_stayed);
    }
}

impl Connection<'_> {
    /// Has the next recipients marked while this one's content travels.
    pub(super) fn look_ahead(&mut self) {
        // A rate bounds what leaves, not the round trip: each message waits for its own slot.
        if self.shared.source_states.is_paced(self.lane.source) {
            return;
        }
        let left = self.lane.limits.messages.saturating_sub(self.sent) as usize;
        while self.upcoming.len() < self.marks_ahead.min(left) {
            let Some(prepared) = self.lane.try_next(self.shared) else { return };
            self.enlist(prepared);
        }
    }

    /// The next message whose marks are on disk now.
    fn next_marked_now(&mut self) -> Option<Current> {
        while self.upcoming.front_mut()?.is_marked() {
            let upcoming = self.upcoming.pop_front()?;
            if let Some(current) = upcoming.admit(self.shared.clock.now_ms()) {
                return Some(current);
            }
        }
        None
    }

    /// The same; a slow connection, which marks late, may wait for a commit: that is little beside its round trips.
    pub(super) async fn next_marked_soon(&mut self) -> Option<Current> {
        if self.marks_ahead > 1 {
            return self.next_marked_now();
        }
        let mut upcoming = self.upcoming.pop_front()?;
        match tokio::time::timeout(MARK_WAIT, upcoming.marked()).await {
            Ok(()) => upcoming.admit(self.shared.clock.now_ms()),
            Err(_) => {
                self.upcoming.push_front(upcoming);
                None
            }
        }
    }

    /// The next message, once its marks are on disk; `None` when there is no more work.
    pub(super) async fn next_marked(&mut self) -> Option<Current> {
        let idle = self.lane.limits.idle.min(self.shared.smtp.idle_timeout);
        loop {
            while let Some(mut upcoming) = self.upcoming.pop_front() {
                upcoming.marked().await;
                if let Some(current) = upcoming.admit(self.shared.clock.now_ms()) {
                    return Some(current);
                }
            }
            let prepared = self.lane.next(self.shared, idle).await?;
            let Some(prepared) = in_its_slot(self.shared, self.lane, prepared).await else { continue };
            self.enlist(prepared);
            self.look_ahead();
        }
    }
}

/// The recipient, when its source's rate lets it leave; one that would wait long goes back.
async fn in_its_slot(shared: &Shared, lane: &Lane, prepared: Prepared) -> Option<Prepared> {
    match shared.source_states.slot(lane.source, shared.clock.now_ms()) {
        None => Some(prepared),
        Some(Slot::In(wait)) => tokio::select! {
            () = shared.clock.sleep(wait) => Some(prepared),
            // What was prepared goes back by being dropped.
            () = shared.stopping.cancelled() => None,
        },
        Some(Slot::Later(due_ms)) => {
            prepared.give_back(Wait { reason: WaitReason::Rate, due_ms });
            None
        }
    }
}
