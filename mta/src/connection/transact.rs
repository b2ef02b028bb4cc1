//! The transactions of one connection, one after the other.
//!
//! At most once: a message's last byte goes out only after the marks of all its recipients are on disk. The wait for
//! that commit is hidden by marking ahead: the next message, and on a fast connection as many as it sends meanwhile.

use super::upcoming::{Current, Upcoming};
use crate::hand::Hand;
use crate::lane::Lane;
use crate::outcome::Happening;
use crate::shared::Shared;
use crate::smtp::{Answered, Session, SessionError, Stop};
use bounce::Stage;
use mail::{BounceClass, Reply, StreamKind, WaitReason};
use std::collections::VecDeque;
use std::sync::Arc;
use storage::queue::{Answer, Wait};

/// How long a mark takes, at most, while much is written.
const MARK_MS: i64 = 20;
/// Messages whose marks are asked for ahead, at most. After a crash nobody knows of their recipients whether they have got
/// them, so there should be few.
const MARKS_AHEAD_MAX: i64 = 4;

/// For how many messages a connection whose last one took so long asks ahead for marks: as many as it sends until they
/// are there.
fn marks_ahead(took_ms: i64) -> usize {
    let ahead = 1 + MARK_MS / took_ms.max(1);
    usize::try_from(ahead.min(MARKS_AHEAD_MAX)).unwrap_or(1)
}

/// Whether the connection is good for another message.
#[derive(PartialEq, Eq)]
pub(super) enum After {
    GoOn,
    End,
}

/// An open connection at work.
pub(super) struct Connection<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) lane: &'a Arc<Lane>,
    pub(super) session: Session,
    pub(super) mx: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) upcoming: VecDeque<Upcoming>,
    /// Transactions begun; what a server counts, however many recipients each has.
    pub(super) sent: u32,
    /// For how many messages marks are asked for ahead; one, where a message takes longer than a mark.
    pub(super) marks_ahead: usize,
}

impl<'a> Connection<'a> {
    pub fn new(shared: &'a Arc<Shared>, lane: &'a Arc<Lane>, session: Session, mx: Arc<str>) -> Connection<'a> {
        let source = shared.sources[lane.source].name.as_str().into();
        let mut session = session;
        session.record(shared.keeper.records());
        session.use_chunks(lane.takes_chunks());
        Connection { shared, lane, session, mx, source, upcoming: VecDeque::new(), sent: 0, marks_ahead: 1 }
    }

    pub async fn serve(mut self) {
        let mut next = None;
        loop {
            let current = match next.take() {
                Some(current) => current,
                None if self.sent >= self.lane.limits.messages => break,
                None => match self.next_marked().await {
                    Some(current) => current,
                    None => break,
                },
            };
            self.sent += 1;
            let after;
            (after, next) = self.transact(current).await;
            if after == After::End {
                // Whoever was announced or marked ahead goes back: their messages did not go out.
                return;
            }
        }
        self.session.quit().await;
    }

    /// Sends one message; returns the next one, where its envelope went out already or would have.
    async fn transact(&mut self, mut current: Current) -> (After, Option<Current>) {
        let live = current.hands.iter().find_map(|hand| self.shared.keeper.live(hand.claimed.id));
        self.session.watch(live);
        let at_once = self.goes_at_once(&current);
        if at_once {
            current.end_goes_out(self.shared.clock.now_ms());
        }
        let content = at_once.then(|| current.made.message.clone());
        let begun = self.session.begin(&current.envelope, current.is_announced, content.as_deref()).await;
        if at_once {
            self.take_back_end(&mut current, begun.stop.as_ref());
        }
        // From behind, so that the places of the others stay.
        for (place, reply) in begun.refused.iter().rev() {
            let mut hand = current.hands.remove(*place);
            hand.dot_stayed();
            self.judge_reply(vec![hand], &current.of(), reply, Stage::Rcpt);
        }
        match begun.stop {
            Some(stop) => return (self.stopped(current, stop), None),
            None if current.hands.is_empty() => return (self.after(), None),
            None => {}
        }
        self.look_ahead();
        let next = match at_once {
            true => None,
            false => match self.send_content(&mut current).await {
                Ok(next) => next,
                Err(error) => {
                    self.judge_lost(current, &error);
                    return (After::End, None);
                }
            },
        };
        self.answered(current, next).await
    }

    /// Mail that may be sent again goes in one write with its envelope: what is lost then may have arrived.
    fn goes_at_once(&self, current: &Current) -> bool {
        let may_come_twice = current.hands.iter().all(|hand| hand.claimed.kind == StreamKind::Transactional);
        may_come_twice && !current.is_announced && self.session.can_go_at_once(current.made.message.len())
    }

    /// What went with its envelope, and was refused there or did not go whole, did not arrive.
    fn take_back_end(&self, current: &mut Current, stop: Option<&Stop>) {
        if matches!(stop, Some(Stop::Refused(..))) || !self.session.is_end_written() {
            current.end_stayed();
        }
    }

    /// Nobody of the rest gets the message now.
    fn stopped(&mut self, current: Current, stop: Stop) -> After {
        match stop {
            Stop::Broken(error) if self.sent > 1 && matches!(error, SessionError::Lost { .. }) => {
                // Servers close connections that they find old or idle. That says nothing about this recipient.
                tracing::debug!(site = %self.lane.site.name, "the server closed a used connection");
                self.give_back(current.hands);
                After::End
            }
            Stop::Broken(error) => {
                self.judge_lost(current, &error);
                After::End
            }
            Stop::Refused(Stage::Mail, reply) if self.sent > 1 && reply.code == 421 => {
                // It is the connection that is over, after so many messages or so long. A first message would count.
                tracing::debug!(site = %self.lane.site.name, %reply, "the server closes a used connection");
                self.give_back(current.hands);
                After::End
            }
            Stop::Refused(stage, reply) => {
                let of = current.of();
                self.judge_reply(current.hands, &of, &reply, stage);
                self.after()
            }
        }
    }

    /// Sends the content, and the next envelope with it where there is one.
    async fn send_content(&mut self, current: &mut Current) -> Result<Option<Current>, SessionError> {
        let mut next = if self.session.capabilities().pipelining { self.next_marked_soon().await } else { None };
        current.end_goes_out(self.shared.clock.now_ms());
        let envelope = next.as_ref().map(|next| &next.envelope);
        let announced = self.session.content(&current.made.message, envelope).await;
        if !self.session.is_end_written() {
            current.end_stayed();
        }
        if announced? && let Some(next) = &mut next {
            next.is_announced = true;
            next.began_ms = self.shared.clock.now_ms();
        }
        Ok(next)
    }

    /// Hears what becomes of the content.
    async fn answered(&mut self, mut current: Current, next: Option<Current>) -> (After, Option<Current>) {
        match self.session.answer().await {
            Ok(Answered::Reply(reply)) => {
                self.marks_ahead = marks_ahead(self.shared.clock.now_ms() - current.began_ms);
                self.lane.marks_ahead(self.marks_ahead);
                let of = current.of();
                self.judge_reply(current.hands, &of, &reply, Stage::Message);
                (self.after(), next)
            }
            Ok(Answered::NoChunks(reply)) => {
                tracing::info!(site = %self.lane.site.name, %reply, "the server offers BDAT and does not know it; DATA is used");
                self.lane.without_chunks(reply.to_string());
                current.end_stayed();
                self.give_back(current.hands);
                (After::End, None)
            }
            Err(error) => {
                self.judge_lost(current, &error);
                (After::End, None)
            }
        }
    }

    fn give_back(&self, hands: Vec<Hand>) {
        let wait = Wait { reason: WaitReason::Turn, due_ms: self.shared.clock.now_ms() };
        hands.into_iter().for_each(|hand| hand.give_back(wait));
    }

    fn after(&self) -> After {
        if self.session.is_closing() { After::End } else { After::GoOn }
    }

    fn judge_lost(&self, current: Current, error: &SessionError) {
        let of = current.of();
        let answer = Answer::of_trouble(BounceClass::Connection, error.to_string());
        let (after, before): (Vec<_>, Vec<_>) = current.hands.into_iter().partition(Hand::is_dot_sent);
        self.judge(before, &of, Happening::LostBeforeDot, &answer);
        self.judge(after, &of, Happening::LostAfterDot, &answer);
    }

    fn judge_reply(&self, hands: Vec<Hand>, of: &super::judge::Of, reply: &Reply, stage: Stage) {
        self.judge(hands, of, Happening::Reply(reply, stage), &Answer::of_reply(reply, None));
    }
}

#[cfg(test)]
mod tests {
    use super::marks_ahead;

    #[test]
    fn fast_connections_mark_further_ahead() {
        for (took_ms, ahead) in [(-5, 4), (0, 4), (6, 4), (7, 3), (10, 3), (11, 2), (20, 2), (21, 1), (200, 1)] {
            assert_eq!(marks_ahead(took_ms), ahead, "{took_ms} ms");
        }
    }
}
