//! A recipient in our hands. Whoever has it owes it a transition; dropping it pays that debt in the safe way, so that a
//! task that ends, by panic too, loses nobody and doubles nobody.

use crate::book::Book;
use crate::content::MakeError;
use crate::outcome::Verdict;
use mail::{BounceClass, StreamKind, WaitReason};
use std::sync::Arc;
use storage::queue::{
    Answer, Attempt, Claimed, Deferral, DeferralKind, Ending, GiveBack, MarkRequest, Marked, Settlement, Wait,
};

/// How long a recipient rests whose message cannot be made for now.
const LOCAL_WAIT_MS: i64 = 60_000;

/// A claimed recipient, to be put down exactly once.
pub(crate) struct Hand {
    pub claimed: Claimed,
    /// Whether the final dot may have gone out whole.
    dot_sent: bool,
    /// The date of the last step, for what `Drop` writes.
    seen_ms: i64,
    book: Option<Book>,
}

impl Hand {
    pub fn new(claimed: Claimed, book: Book, now_ms: i64) -> Hand {
        Hand { claimed, dot_sent: false, seen_ms: now_ms, book: Some(book) }
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

    /// Asks for the durable mark, to leave from this source to this provider.
    pub fn mark(&self, source: &Arc<str>, provider: &Arc<str>) -> tokio::sync::oneshot::Receiver<Marked> {
        let (source, provider) = (source.clone(), provider.clone());
        match &self.book {
            Some(book) => book.mark(MarkRequest { id: self.claimed.id, source, provider }),
            None => tokio::sync::oneshot::channel().1,
        }
    }

    pub fn settle(mut self, settlement: Settlement) {
        if let Some(book) = self.book.take() {
            book.settle(settlement);
        }
    }

    pub fn defer(mut self, deferral: Deferral) {
        if let Some(book) = self.book.take() {
            book.defer(deferral);
        }
    }

    /// Back into the queue; nothing was attempted.
    pub fn give_back(mut self, wait: Wait) {
        if let Some(book) = self.book.take() {
            book.give_back(GiveBack { id: self.claimed.id, wait });
        }
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
            book.settle(Settlement {
                id: self.claimed.id,
                at_ms: self.seen_ms,
                ending: Ending::Unknown,
                attempt: None,
                answer: Some(Answer::of_trouble(BounceClass::Connection, "the answer to the message never came")),
            });
        } else {
            let wait = Wait { reason: WaitReason::Turn, due_ms: self.seen_ms };
            book.give_back(GiveBack { id: self.claimed.id, wait });
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
