//! One connection of a lane: takes prepared recipients, marks the next ones ahead, sends, and writes what came of it.
//!
//! At most once: a message's final dot goes out only after its mark is on disk. The wait for that commit is hidden by
//! marking ahead: the next recipient, and on a fast connection the next two.

use crate::content::{Made, Prepared};
use crate::dialing::{self, NoSession};
use crate::hand::{self, Hand};
use crate::lane::{Lane, Trouble};
use crate::metric;
use crate::outcome::{Case, Happening, LaneEffect, Verdict, decide};
use crate::shared::{ConnectionPermit, Shared};
use crate::smtp::{Begun, Envelope, Session, SessionError};
use crate::source::Slot;
use crate::source_watch;
use bounce::Stage;
use mail::{BounceClass, EnhancedStatus, Reply, WaitReason};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use storage::WorkspaceId;
use storage::queue::{Answer, Attempt, Ending, Marked, Settlement, Wait};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// A connection whose messages take less is fast: it marks two ahead.
const FAST_MS: i64 = 20;
/// How long a slow connection holds back its content so that the next envelope can go with it.
const MARK_WAIT: Duration = Duration::from_millis(10);
/// A lane whose source has no address here is looked at again after this; the source itself is watched all the time.
const NO_SOURCE_HOLD: Duration = Duration::from_secs(30);
/// A site that has no address of the source's family is asked from it again after this.
const OTHER_FAMILY_HOLD: Duration = Duration::from_hours(1);

/// Opens a connection and works on it until there is nothing more to do.
pub(crate) fn spawn(shared: &Arc<Shared>, lane: &Arc<Lane>, permit: ConnectionPermit) {
    let (shared, lane) = (shared.clone(), lane.clone());
    shared.tasks.clone().spawn(async move {
        tokio::select! {
            biased;
            () = shared.aborting.cancelled() => {}
            () = run(&shared, &lane) => {}
        }
        drop(permit);
        lane.go_on(&shared);
    });
}

async fn run(shared: &Arc<Shared>, lane: &Arc<Lane>) {
    let no_session = tokio::select! {
        // Nothing is lost by not connecting.
        () = shared.stopping.cancelled() => return,
        opened = dialing::open(shared, lane) => match opened {
            Ok((session, mx)) => {
                let _established = lane.connected();
                return Connection::new(shared, lane, session, mx).serve().await;
            }
            Err(no_session) => no_session,
        },
    };
    match no_session {
        NoSession::NotReached(class, answer) => lane.could_not_connect(shared, Trouble { class, answer }),
        NoSession::NoSource(why) => {
            // The system says the same when it has no port left: the watch looks whether the address is there.
            let is_gone = shared.sources[lane.source].ip.is_some_and(|ip| !shared.dial.has_source(ip));
            if is_gone && shared.source_states.note(lane.source, Some(why.clone())) {
                source_watch::tell(shared, lane.source, Some(&why)).await;
            }
            lane.hold(shared, WaitReason::Local, NO_SOURCE_HOLD, why);
        }
        NoSession::OtherFamily(why) => {
            let source = &shared.sources[lane.source];
            tracing::debug!(source = %source.name, why, "the site has no address of the source's family");
            if shared.has_other_family(source) {
                lane.hold(shared, WaitReason::Connect, OTHER_FAMILY_HOLD, why);
            } else {
                // No source has: who waits is told so.
                let answer = Answer::of_trouble(BounceClass::Dns, why);
                lane.could_not_connect(shared, Trouble { class: BounceClass::Dns, answer });
            }
        }
        NoSession::Refused(stage, reply) => {
            let class = bounce::classify(&reply, stage).class;
            // Nobody's mail was named yet; what is about a source concerns everybody who sends from it.
            let context = shared.context(lane, WorkspaceId::MAIN, None);
            if shared.answered(&reply, stage, &context).is_some_and(|answered| answered.holds_lane()) {
                return lane.told(reply.to_string());
            }
            if matches!(class, BounceClass::TooManyConnections | BounceClass::RateLimit) {
                lane.fewer_connections(shared, reply.to_string());
            }
            let answer = Answer::of_reply(&reply, Some(class));
            lane.could_not_connect(shared, Trouble { class, answer });
        }
    }
}

/// A recipient whose mark is asked for.
struct Upcoming {
    hand: Hand,
    made: Made,
    envelope: Envelope,
    marked: oneshot::Receiver<Marked>,
}

/// A recipient whose turn it is; its mark is on disk.
struct Current {
    hand: Hand,
    made: Made,
    envelope: Envelope,
    began_ms: i64,
    /// The envelope went out with the content before.
    is_announced: bool,
}

/// Whether the connection is good for another message.
#[derive(PartialEq, Eq)]
enum After {
    GoOn,
    End,
}

struct Connection<'a> {
    shared: &'a Arc<Shared>,
    lane: &'a Arc<Lane>,
    session: Session,
    mx: Arc<str>,
    source: Arc<str>,
    upcoming: VecDeque<Upcoming>,
    sent: u32,
    is_fast: bool,
}

impl<'a> Connection<'a> {
    fn new(shared: &'a Arc<Shared>, lane: &'a Arc<Lane>, session: Session, mx: Arc<str>) -> Connection<'a> {
        let source = shared.sources[lane.source].name.as_str().into();
        Connection { shared, lane, session, mx, source, upcoming: VecDeque::new(), sent: 0, is_fast: false }
    }

    async fn serve(mut self) {
        let mut announced = None;
        loop {
            let current = match announced.take() {
                Some(current) => current,
                None if self.sent >= self.lane.limits.messages => break,
                None => match self.next_marked().await {
                    Some(current) => current,
                    None => break,
                },
            };
            self.sent += 1;
            let (after, next) = self.transact(current).await;
            if after == After::End {
                // Whoever was announced or marked ahead goes back: their dots did not go out.
                return;
            }
            announced = next;
        }
        self.session.quit().await;
    }

    /// Sends one message; returns the next one, where its envelope went out already.
    async fn transact(&mut self, mut current: Current) -> (After, Option<Current>) {
        let begun = self.session.begin(&current.envelope, current.is_announced).await;
        match begun {
            Err(error) if self.sent > 1 && matches!(error, SessionError::Lost { .. }) => {
                // Servers close connections that they find old or idle. That says nothing about this recipient.
                tracing::debug!(site = %self.lane.site.name, "the server closed a used connection");
                let wait = Wait { reason: WaitReason::Turn, due_ms: self.shared.clock.now_ms() };
                current.hand.give_back(wait);
                return (After::End, None);
            }
            Err(error) => {
                self.judge(current, Happening::LostBeforeDot, trouble(&error));
                return (After::End, None);
            }
            Ok(Begun::Refused { stage: Stage::Mail, reply }) if self.sent > 1 && reply.code == 421 => {
                // It is the connection that is over, after so many messages or so long. A first message would count.
                tracing::debug!(site = %self.lane.site.name, %reply, "the server closes a used connection");
                let wait = Wait { reason: WaitReason::Turn, due_ms: self.shared.clock.now_ms() };
                current.hand.give_back(wait);
                return (After::End, None);
            }
            Ok(Begun::Refused { stage, reply }) => {
                self.judge_reply(current, &reply, stage);
                return (self.after(), None);
            }
            Ok(Begun::Ready) => {}
        }
        self.look_ahead();
        let mut next = if self.session.capabilities().pipelining { self.next_marked_soon().await } else { None };
        current.hand.dot_goes_out(self.shared.clock.now_ms());
        let announced = next.as_ref().map(|next| &next.envelope);
        if let Err(error) = self.session.content(&current.made.message, announced).await {
            if !self.session.is_dot_written() {
                current.hand.dot_stayed();
            }
            self.judge_lost(current, &error);
            return (After::End, None);
        }
        if let Some(next) = &mut next {
            next.is_announced = true;
            next.began_ms = self.shared.clock.now_ms();
        }
        match self.session.outcome().await {
            Ok(reply) => {
                self.is_fast = self.shared.clock.now_ms() - current.began_ms < FAST_MS;
                self.judge_reply(current, &reply, Stage::Message);
                (self.after(), next)
            }
            Err(error) => {
                self.judge_lost(current, &error);
                (After::End, None)
            }
        }
    }

    fn after(&self) -> After {
        if self.session.is_closing() { After::End } else { After::GoOn }
    }

    /// Has the next recipients marked while this one's content travels.
    fn look_ahead(&mut self) {
        // A rate bounds what leaves, not the round trip: each message waits for its own slot.
        if self.shared.source_states.is_paced(self.lane.source) {
            return;
        }
        let depth = if self.is_fast { 2 } else { 1 };
        let left = self.lane.limits.messages.saturating_sub(self.sent) as usize;
        while self.upcoming.len() < depth.min(left) {
            let Some(prepared) = self.lane.try_next(self.shared) else { return };
            self.enlist(prepared);
        }
    }

    /// Asks for the mark of a recipient, unless this server cannot take its message at all.
    fn enlist(&mut self, prepared: Prepared) {
        let Prepared { mut hand, made, .. } = prepared;
        if let Some(wait) = hand.renew_permits(&self.shared.warmup, self.shared.clock.now_ms()) {
            hand.give_back(wait);
            return;
        }
        if let Some(answer) = self.misfit(&made, &hand) {
            let attempt = Some(self.attempt(0));
            let ending = Ending::Bounced { suppress: false };
            let at_ms = self.shared.clock.now_ms();
            let id = hand.claimed.id;
            hand.settle(Settlement { id, at_ms, ending, attempt, answer: Some(answer) });
            return;
        }
        let address = &hand.claimed.address;
        let envelope = Envelope {
            reverse_path: made.reverse_path.to_string(),
            recipient: address.to_string(),
            size: made.message.len(),
            eight_bit: made.eight_bit,
            smtputf8: needs_smtputf8(&made, &hand),
        };
        let marked = hand.mark();
        self.upcoming.push_back(Upcoming { hand, made, envelope, marked });
    }

    /// Why the server cannot take this message, whoever it is for.
    fn misfit(&self, made: &Made, hand: &Hand) -> Option<Answer> {
        let offered = self.session.capabilities();
        let size = made.message.len() as u64;
        let (class, detail, text) = match offered.size {
            Some(limit) if limit > 0 && size > limit => {
                let text = format!("the message has {size} bytes and {} takes {limit}", self.mx);
                (BounceClass::TooLarge, 4, text)
            }
            // RFC 6152 §3: 8-bit content is not sent to who did not offer to take it.
            _ if made.eight_bit && !offered.eight_bit => {
                (BounceClass::Protocol, 3, format!("{} takes no 8-bit content", self.mx))
            }
            _ if needs_smtputf8(made, hand) && !offered.smtputf8 => {
                (BounceClass::Protocol, 7, format!("{} takes no UTF-8 in addresses", self.mx))
            }
            _ => return None,
        };
        let subject = if class == BounceClass::TooLarge { 3 } else { 6 };
        Some(Answer { enhanced: Some(EnhancedStatus { class: 5, subject, detail }), ..Answer::of_trouble(class, text) })
    }

    /// The next recipient whose mark is on disk now.
    fn next_marked_now(&mut self) -> Option<Current> {
        while let Some(front) = self.upcoming.front_mut() {
            let marked = match front.marked.try_recv() {
                Ok(marked) => Some(marked),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Closed) => None,
            };
            let upcoming = self.upcoming.pop_front()?;
            if let Some(current) = self.admit(upcoming, marked) {
                return Some(current);
            }
        }
        None
    }

    /// The same; a slow connection, which marks late, may wait for a commit: that is little beside its round trips.
    async fn next_marked_soon(&mut self) -> Option<Current> {
        if self.is_fast {
            return self.next_marked_now();
        }
        let mut upcoming = self.upcoming.pop_front()?;
        match tokio::time::timeout(MARK_WAIT, &mut upcoming.marked).await {
            Ok(marked) => self.admit(upcoming, marked.ok()),
            Err(_) => {
                self.upcoming.push_front(upcoming);
                None
            }
        }
    }

    /// The next recipient, once its mark is on disk; `None` when there is no more work.
    async fn next_marked(&mut self) -> Option<Current> {
        let idle = self.lane.limits.idle.min(self.shared.smtp.idle_timeout);
        loop {
            while let Some(mut upcoming) = self.upcoming.pop_front() {
                let marked = (&mut upcoming.marked).await.ok();
                if let Some(current) = self.admit(upcoming, marked) {
                    return Some(current);
                }
            }
            let prepared = self.lane.next(self.shared, idle).await?;
            let Some(prepared) = in_its_slot(self.shared, self.lane, prepared).await else { continue };
            self.enlist(prepared);
            self.look_ahead();
        }
    }

    fn admit(&self, upcoming: Upcoming, marked: Option<Marked>) -> Option<Current> {
        let Upcoming { hand, made, envelope, .. } = upcoming;
        match marked {
            Some(Marked::Go) => {
                let began_ms = self.shared.clock.now_ms();
                Some(Current { hand, made, envelope, began_ms, is_announced: false })
            }
            Some(Marked::Paused | Marked::Suppressed | Marked::Gone) => {
                hand.let_go();
                None
            }
            // The mark could not be written: the recipient is not sent, and goes back by being dropped.
            None => None,
        }
    }

    fn judge_lost(&self, current: Current, error: &SessionError) {
        let happening = if current.hand.is_dot_sent() { Happening::LostAfterDot } else { Happening::LostBeforeDot };
        self.judge(current, happening, trouble(error));
    }

    fn judge_reply(&self, current: Current, reply: &Reply, stage: Stage) {
        self.judge(current, Happening::Reply(reply, stage), Answer::of_reply(reply, None));
    }

    /// Writes what came of an attempt, and what it means for the lane.
    fn judge(&self, current: Current, happening: Happening<'_>, answer: Answer) {
        let Current { hand, made, began_ms, .. } = current;
        let now_ms = self.shared.clock.now_ms();
        let claimed = &hand.claimed;
        let case = Case {
            kind: claimed.kind,
            attempts: claimed.attempts + 1,
            now_ms,
            expires_ms: claimed.expires_ms,
            draw: self.shared.random.below(u64::MAX),
        };
        let policy = &self.shared.streams.of(claimed).retry;
        let (by_class, effect) = decide(policy, happening, &case);
        let context = self.shared.context(self.lane, claimed.workspace_id, made.signing_domain.as_ref());
        let answered = match happening {
            Happening::Reply(reply, stage) if by_class != Verdict::Delivered => {
                self.shared.answered(reply, stage, &context)
            }
            _ => None,
        };
        let verdict = Shared::verdict(answered.as_ref(), by_class, policy, &case);
        let attempt = self.attempt(now_ms - began_ms);
        self.count(verdict, now_ms - began_ms);
        tracing::debug!(rcpt.id = %claimed.id, site = %self.lane.site.name, source = %self.source, ?verdict, "attempt");
        let told = answer.text.clone();
        hand::conclude(hand, verdict, (now_ms, attempt), answer);
        self.lane.one_left(now_ms);
        if answered.is_some() {
            self.lane.told(told.clone());
        }
        if effect == LaneEffect::FewerConnections {
            self.lane.fewer_connections(self.shared, told);
        }
        match verdict {
            Verdict::Delivered => {
                self.lane.one_taken();
                self.shared.outcome(&context, false, &self.lane.limits);
            }
            Verdict::Bounced { .. } => self.shared.outcome(&context, true, &self.lane.limits),
            _ => {}
        }
    }

    fn attempt(&self, took_ms: i64) -> Attempt {
        Attempt {
            source: self.source.clone(),
            site: self.lane.site.name.clone(),
            provider: self.lane.site.provider.name.clone(),
            mx: self.mx.clone(),
            tls: self.session.tls(),
            took_ms: u32::try_from(took_ms).unwrap_or(0),
        }
    }

    fn count(&self, verdict: Verdict, took_ms: i64) {
        let outcome = match verdict {
            Verdict::Delivered => "delivered",
            Verdict::Bounced { .. } => "bounced",
            Verdict::Deferred { .. } => "deferred",
            Verdict::Expired { .. } => "expired",
            Verdict::Blocked { .. } | Verdict::Held { .. } => "blocked",
            Verdict::Unknown => "unknown",
        };
        let provider = self.lane.site.provider.name.clone();
        let source = self.source.clone();
        metrics::counter!(metric::ATTEMPTS, "source" => source.clone(), "provider" => provider, "outcome" => outcome)
            .increment(1);
        metrics::histogram!(metric::ATTEMPT_SECONDS, "source" => source).record(took_ms as f64 / 1000.0);
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
            prepared.hand.give_back(Wait { reason: WaitReason::Rate, due_ms });
            None
        }
    }
}

fn needs_smtputf8(made: &Made, hand: &Hand) -> bool {
    made.smtputf8 || made.reverse_path.needs_smtputf8() || hand.claimed.address.needs_smtputf8()
}

fn trouble(error: &SessionError) -> Answer {
    Answer::of_trouble(BounceClass::Connection, error.to_string())
}
