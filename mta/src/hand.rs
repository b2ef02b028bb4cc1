//! A recipient in our hands. Whoever has it owes it a transition; dropping it pays that debt in the safe way, so that a
//! task that ends, by panic too, loses nobody and doubles nobody.

use crate::book::{Book, WarmupFate, WarmupPlaces};
use crate::content::MakeError;
use crate::outcome::Verdict;
use crate::warmup::{Board, Permit, Permits, fate};
use mail::{BounceClass, StreamKind, WaitReason};
use std::sync::Arc;
use storage::DomainId;
use storage::queue::{
    Answer, Attempt, Claimed, Deferral, DeferralKind, Ending, GiveBack, MarkRequest, Marked, Settlement, Wait,
};
use storage::warmup::Fate;

/// How long a recipient rests whose message cannot be made for now.
const LOCAL_WAIT_MS: i64 = 60_000;

/// A claimed recipient, to be put down exactly once.
pub(crate) struct Hand {
    pub claimed: Claimed,
    /// The sending domain, where sending domains warm up.
    pub sender: Option<DomainId>,
    /// What it may use up of warm-ups, once it has its lane.
    pub permits: Permits,
    /// Its mark was asked for: its permits count as used on disk, if the mark came there.
    mark_asked: bool,
    /// Whether the final dot may have gone out whole.
    dot_sent: bool,
    /// The date of the last step, for what `Drop` writes.
    seen_ms: i64,
    book: Option<Book>,
}

impl Hand {
    pub fn new(claimed: Claimed, book: Book, now_ms: i64) -> Hand {
        Hand {
            claimed,
            sender: None,
            permits: Vec::new(),
            mark_asked: false,
            dot_sent: false,
            seen_ms: now_ms,
            book: Some(book),
        }
    }

    /// From here on nobody can say whether the message arrived, until there is an answer.
    pub fn dot_goes_out(&mut self, now_ms: i64) {
        self.dot_sent = true;
        self.seen_ms = now_ms;
    }

    /// The final dot did not go out after all.
    pub fn dot_stayed(&mut self) {
        self.dot_sent = false;
    }

    pub fn is_dot_sent(&self) -> bool {
        self.dot_sent
    }

    /// Makes sure that today's warm-ups still allow it, who may have waited over midnight; else until when to wait.
    pub fn renew_permits(&mut self, board: &Arc<Board>, now_ms: i64) -> Option<Wait> {
        let due_ms = board.renew(&mut self.permits, now_ms)?;
        Some(Wait { reason: WaitReason::WarmUp, due_ms })
    }

    /// Asks for the durable mark, to leave from this source to this provider.
    pub fn mark(&mut self, source: &Arc<str>, provider: &Arc<str>) -> tokio::sync::oneshot::Receiver<Marked> {
        self.mark_asked = true;
        let (source, provider) = (source.clone(), provider.clone());
        match &self.book {
            Some(book) => book.mark(MarkRequest { id: self.claimed.id, source, provider }, self.places()),
            None => tokio::sync::oneshot::channel().1,
        }
    }

    pub fn settle(mut self, settlement: Settlement) {
        if let Some(book) = self.book.take() {
            let class = settlement.answer.as_ref().and_then(|answer| answer.class);
            let fate = match settlement.ending {
                Ending::Delivered => Some(Fate::Delivered),
                Ending::Bounced { .. } => Some(Fate::Bounced),
                Ending::Expired => Some(fate(class, Fate::Deferred)),
                // It may have arrived: it stays counted as sent.
                Ending::Unknown | Ending::Suppressed(_) | Ending::LeftList | Ending::LeftStream | Ending::Cancelled => {
                    None
                }
            };
            let warmup = self.use_up(fate);
            book.settle(settlement, warmup);
        }
    }

    pub fn defer(mut self, deferral: Deferral) {
        if let Some(book) = self.book.take() {
            let fate = match deferral.kind {
                DeferralKind::Attempted => fate(deferral.answer.class, Fate::Deferred),
                DeferralKind::NotReached => Fate::Returned,
                DeferralKind::Blocked => Fate::Blocked,
            };
            let warmup = self.use_up(Some(fate));
            book.defer(deferral, warmup);
        }
    }

    fn places(&self) -> WarmupPlaces {
        self.permits.iter().map(Permit::place).collect()
    }

    /// Redeems the permits of a marked message, unless it stayed here after all; what is to be counted.
    fn use_up(&mut self, fate: Option<Fate>) -> WarmupFate {
        let permits = std::mem::take(&mut self.permits);
        if !self.mark_asked {
            return WarmupFate::default();
        }
        let places = permits.iter().map(Permit::place).collect();
        if fate != Some(Fate::Returned) {
            permits.into_iter().for_each(Permit::redeem);
        }
        WarmupFate { places, fate }
    }

    /// Back into the queue; nothing was attempted.
    pub fn give_back(mut self, wait: Wait) {
        if let Some(book) = self.book.take() {
            book.give_back(GiveBack { id: self.claimed.id, wait }, self.marked_places());
        }
    }

    fn marked_places(&self) -> WarmupPlaces {
        if self.mark_asked { self.places() } else { Vec::new() }
    }

    /// Its row has moved on without us (paused, cancelled, suppressed).
    pub fn let_go(mut self) {
        if let Some(book) = self.book.take() {
            book.let_go();
        }
    }

    pub fn cannot_be_made(self, error: &MakeError, now_ms: i64) {
        match error {
            MakeError::Temporary(why) => {
                tracing::warn!(rcpt.id = %self.claimed.id, why, "a message cannot be made for now");
                self.give_back(Wait { reason: WaitReason::Local, due_ms: now_ms + LOCAL_WAIT_MS });
            }
            MakeError::Permanent(why) => {
                let answer = Answer::of_trouble(BounceClass::Content, format!("the message cannot be made: {why}"));
                let id = self.claimed.id;
                let ending = Ending::Cancelled;
                self.settle(Settlement { id, at_ms: now_ms, ending, attempt: None, answer: Some(answer) });
            }
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let Some(book) = self.book.take() else { return };
        if self.dot_sent && self.claimed.kind == StreamKind::Bulk {
            let settlement = Settlement {
                id: self.claimed.id,
                at_ms: self.seen_ms,
                ending: Ending::Unknown,
                attempt: None,
                answer: Some(Answer::of_trouble(BounceClass::Connection, "the answer to the message never came")),
            };
            let warmup = self.use_up(None);
            book.settle(settlement, warmup);
        } else {
            let wait = Wait { reason: WaitReason::Turn, due_ms: self.seen_ms };
            book.give_back(GiveBack { id: self.claimed.id, wait }, self.marked_places());
        }
    }
}

/// Puts a recipient down as the verdict says.
pub(crate) fn conclude(hand: Hand, verdict: Verdict, (at_ms, attempt): (i64, Attempt), answer: Answer) {
    let id = hand.claimed.id;
    let attempt = Some(attempt);
    let settled = |ending, class| {
        let answer = Some(Answer { class, ..answer.clone() });
        Settlement { id, at_ms, ending, attempt: attempt.clone(), answer }
    };
    let deferred = |kind, class, wait| {
        let answer = Answer { class: Some(class), ..answer.clone() };
        Deferral { id, at_ms, kind, wait, attempt: attempt.clone(), answer }
    };
    match verdict {
        Verdict::Delivered => hand.settle(settled(Ending::Delivered, None)),
        Verdict::Bounced { class, suppress } => hand.settle(settled(Ending::Bounced { suppress }, Some(class))),
        Verdict::Expired { class } => hand.settle(settled(Ending::Expired, Some(class))),
        Verdict::Unknown => hand.settle(settled(Ending::Unknown, Some(BounceClass::Connection))),
        Verdict::Deferred { class, reason, wait } => {
            let due_ms = at_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            hand.defer(deferred(DeferralKind::Attempted, class, Wait { reason, due_ms }));
        }
        Verdict::Held { class, reason, due_ms } => {
            hand.defer(deferred(DeferralKind::Blocked, class, Wait { reason, due_ms }));
        }
        Verdict::Blocked { class } => {
            // Due at once: the scheduler finds another source, or until when this one is held.
            let wait = Wait { reason: WaitReason::SourceBlocked, due_ms: at_ms };
            hand.defer(deferred(DeferralKind::Blocked, class, wait));
        }
    }
}
