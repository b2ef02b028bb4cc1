//! What comes of an attempt: a plain function from reply, stage, attempt and age to a verdict. It never waits.
//!
//! Class and action are two things: `bounce` says what a reply means, here is what follows. Strategies: a retry
//! schedule with jitter per stream; a wait that the server asks for; another source where ours is refused; and at most
//! once for bulk mail whose final dot got no answer. A reply about our own name never suppresses anybody. What a reply
//! changes for others than the recipient is `shaping`'s.

use bounce::{Kind, RulesAt, Stage};
use mail::{BounceClass, Reply, Severity, StreamKind, WaitReason};
use std::time::Duration;

/// Longest wait that a server may ask for.
const ASKED_WAIT_MAX: Duration = Duration::from_hours(24);

/// When to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Waits before each new attempt; the last one repeats.
    pub waits: Vec<Duration>,
    /// Part of each wait that is left to chance.
    pub jitter_percent: u32,
}

impl RetryPolicy {
    /// The wait of one that could not be brought anywhere in all its age, as if it had been tried at each time.
    #[must_use]
    pub fn wait_at_age(&self, age: Duration, draw: u64) -> Duration {
        let mut ends = Duration::ZERO;
        let passed = self.waits.iter().take_while(|wait| {
            ends = ends.saturating_add(**wait);
            ends <= age
        });
        self.wait(u32::try_from(passed.count()).unwrap_or(u32::MAX).saturating_add(1), draw)
    }

    /// The wait after so many attempts. `draw` is any random number.
    #[must_use]
    pub fn wait(&self, attempts: u32, draw: u64) -> Duration {
        let place = (attempts.max(1) as usize - 1).min(self.waits.len().saturating_sub(1));
        let wait = self.waits.get(place).copied().unwrap_or(Duration::from_mins(5));
        let spread = wait * self.jitter_percent / 100;
        // Around the wait: half of the spread before it, half after it.
        let shift = spread.mul_f64((draw % 10_001) as f64 / 10_000.0);
        wait - spread / 2 + shift
    }
}

/// What happened to an attempt.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// The server answered at this stage.
    Reply(&'a Reply, Stage),
    /// The connection was lost before the final dot had gone out whole: provably not delivered.
    LostBeforeDot,
    /// The connection was lost, or the answer never came, after the final dot.
    LostAfterDot,
}

/// What else counts.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What replies mean, at the provider that answered.
    pub rules: RulesAt<'a>,
    /// What kind of mail.
    pub kind: StreamKind,
    /// Attempts, this one included.
    pub attempts: u32,
    /// Now.
    pub now_ms: i64,
    /// When it is given up.
    pub expires_ms: i64,
    /// Any random number, for the jitter.
    pub draw: u64,
}

/// What follows for the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken.
    Delivered,
    /// Refused for good.
    Bounced {
        /// What it means.
        class: BounceClass,
        /// Whether the address itself is at fault.
        suppress: bool,
    },
    /// Not now.
    Deferred {
        /// What it means.
        class: BounceClass,
        /// What the operator is shown.
        reason: WaitReason,
        /// Until the next attempt.
        wait: Duration,
    },
    /// Not now, and no further attempt would come before its time is over.
    Expired {
        /// What it means.
        class: BounceClass,
    },
    /// Refused because of our own address or name: another source may try, and the attempt is not used up.
    Blocked {
        /// What it means.
        class: BounceClass,
    },
    /// A rule of `shaping` answers the reply: the attempt is not used up, and the recipient waits for its end.
    Held {
        /// What it means.
        class: BounceClass,
        /// What the operator is shown.
        reason: WaitReason,
        /// Until when.
        due_ms: i64,
    },
    /// Nobody knows, and bulk mail is not sent again.
    Unknown,
}

impl Verdict {
    /// In a word, for metrics and logs of conversations.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Delivered => "delivered",
            Verdict::Bounced { .. } => "bounced",
            Verdict::Deferred { .. } => "deferred",
            Verdict::Expired { .. } => "expired",
            Verdict::Blocked { .. } | Verdict::Held { .. } => "blocked",
            Verdict::Unknown => "unknown",
        }
    }
}

/// What follows for the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneEffect {
    /// Nothing.
    None,
    /// Too much at a time: fewer connections for a while.
    FewerConnections,
}

/// What follows from what happened.
#[must_use]
pub fn decide(policy: &RetryPolicy, happening: Happening<'_>, case: &Case<'_>) -> (Verdict, LaneEffect) {
    let happening = match happening {
        // "Go on" after the final dot answers something else: what became of the message is not known.
        Happening::Reply(reply, Stage::Message) if reply.severity() == Severity::Intermediate => {
            Happening::LostAfterDot
        }
        happening => happening,
    };
    let (reply, stage) = match happening {
        Happening::LostAfterDot if case.kind == StreamKind::Bulk => return (Verdict::Unknown, LaneEffect::None),
        Happening::LostBeforeDot | Happening::LostAfterDot => {
            return (defer(policy, BounceClass::Connection, None, case), LaneEffect::None);
        }
        Happening::Reply(reply, Stage::Message) if reply.severity() == Severity::Positive => {
            return (Verdict::Delivered, LaneEffect::None);
        }
        Happening::Reply(reply, stage) => (reply, stage),
    };
    let found = case.rules.classify(reply, stage);
    let class = found.class;
    let effect = match class {
        BounceClass::TooManyConnections | BounceClass::RateLimit => LaneEffect::FewerConnections,
        _ => LaneEffect::None,
    };
    let not_now = || defer(policy, class, asked_wait(&reply.text), case);
    let verdict = match (class, reply.severity(), found.kind) {
        (BounceClass::Reputation | BounceClass::Blocklist, ..) if case.now_ms < case.expires_ms => {
            Verdict::Blocked { class }
        }
        // Something of ours is missing or wrong (DKIM, SPF, TLS): mended, the mail can still go. A "no" to our TLS or
        // DNS says nothing about the address.
        (
            BounceClass::Authentication
            | BounceClass::ReverseDns
            | BounceClass::Tls
            | BounceClass::Reputation
            | BounceClass::DomainReputation
            | BounceClass::Blocklist,
            ..,
        ) => not_now(),
        (_, Severity::Permanent, Kind::Hard) => Verdict::Bounced { class, suppress: true },
        // Some servers say 5yz where they mean "slower", or "later" (552 for 452: RFC 5321 §4.5.3.1.10).
        (_, Severity::Permanent, Kind::Delay) | (_, Severity::Transient, _) => not_now(),
        (_, Severity::Permanent, _) => Verdict::Bounced { class, suppress: false },
        // A positive reply where a refusal was read: the server broke the protocol.
        (_, Severity::Positive | Severity::Intermediate, _) => defer(policy, BounceClass::Protocol, None, case),
    };
    (verdict, effect)
}

fn defer(policy: &RetryPolicy, class: BounceClass, asked: Option<Duration>, case: &Case<'_>) -> Verdict {
    let wait = asked.unwrap_or_else(|| policy.wait(case.attempts, case.draw));
    let next_ms = case.now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    if next_ms >= case.expires_ms {
        return Verdict::Expired { class };
    }
    let reason = match class {
        BounceClass::Greylist => WaitReason::Greylisted,
        BounceClass::Tls => WaitReason::Tls,
        BounceClass::Connection => WaitReason::Connect,
        BounceClass::Dns => WaitReason::Dns,
        _ => WaitReason::Deferred,
    };
    Verdict::Deferred { class, reason, wait }
}

/// "try again in 300 seconds": the wait that a server asks for.
fn asked_wait(text: &str) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if !matches!(word, "in" | "after" | "for") {
            continue;
        }
        let Some(number) = words.peek().and_then(|number| number.parse::<u64>().ok()) else { continue };
        words.next();
        let seconds = match words.peek() {
            Some(unit) if unit.starts_with("sec") || *unit == "s" => number,
            Some(unit) if unit.starts_with("min") => number.saturating_mul(60),
            Some(unit) if unit.starts_with("hour") => number.saturating_mul(3600),
            _ => continue,
        };
        return Some(Duration::from_secs(seconds).clamp(Duration::from_secs(1), ASKED_WAIT_MAX));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn policy() -> RetryPolicy {
        RetryPolicy { waits: [5, 15, 30, 60].map(Duration::from_mins).into(), jitter_percent: 0 }
    }

    fn case(attempts: u32) -> Case<'static> {
        let rules = bounce::Rules::builtin().at("");
        Case { rules, kind: StreamKind::Bulk, attempts, now_ms: 0, expires_ms: 48 * 3_600_000, draw: 0 }
    }

    fn told(line: &str) -> String {
        let (stage, rest) = line.split_once(' ').unwrap();
        let stage = match stage {
            "mail" => Stage::Mail,
            "rcpt" => Stage::Rcpt,
            "data" => Stage::Data,
            _ => Stage::Message,
        };
        let (code, text) = rest.split_at(3);
        let reply = Reply::new(code.parse().unwrap(), [text.trim_start()]);
        let (verdict, effect) = decide(&policy(), Happening::Reply(&reply, stage), &case(2));
        format!("{line}\n    {verdict:?} {effect:?}\n")
    }

    #[test]
    fn a_wait_by_age_goes_through_the_schedule() {
        let minutes = Duration::from_mins;
        let policy = RetryPolicy { waits: vec![minutes(1), minutes(5), minutes(15)], jitter_percent: 0 };
        for (age, wait) in [(0, 1), (1, 5), (5, 5), (6, 15), (20, 15), (21, 15), (1000, 15)] {
            assert_eq!(policy.wait_at_age(minutes(age), 0), minutes(wait), "{age} min");
        }
    }

    #[test]
    fn replies() {
        let lines = [
            "message 250 2.0.0 Ok: queued as 12",
            "rcpt 550 5.1.1 User unknown",
            "rcpt 450 4.1.1 User unknown",
            "mail 550 5.1.1 User unknown",
            "rcpt 451 4.7.1 Greylisted, please try again later",
            "rcpt 450 4.2.0 Greylisted, try again in 120 seconds",
            "rcpt 552 5.2.2 Mailbox is over its quota",
            "rcpt 452 4.2.2 Mailbox is full",
            "rcpt 552 too many recipients",
            "mail 554 5.7.1 Your address has been blocked using zen.spamhaus.org",
            "mail 421 4.7.0 Too many connections from 192.0.2.1, try again later",
            "message 550 5.7.26 This mail has been blocked because the sender is unauthenticated. DKIM = did not pass",
            "message 554 5.7.1 Message rejected as spam by Content Filtering",
            "message 552 5.3.4 Message too big",
            "mail 530 5.7.0 Must issue a STARTTLS command first",
            "rcpt 550 mumble",
            "rcpt 451 4.3.2 System not accepting messages right now",
        ];
        expect![[r#"
            message 250 2.0.0 Ok: queued as 12
                Delivered None
            rcpt 550 5.1.1 User unknown
                Bounced { class: BadMailbox, suppress: true } None
            rcpt 450 4.1.1 User unknown
                Deferred { class: BadMailbox, reason: Deferred, wait: 900s } None
            mail 550 5.1.1 User unknown
                Bounced { class: SenderRefused, suppress: false } None
            rcpt 451 4.7.1 Greylisted, please try again later
                Deferred { class: Greylist, reason: Greylisted, wait: 900s } None
            rcpt 450 4.2.0 Greylisted, try again in 120 seconds
                Deferred { class: Greylist, reason: Greylisted, wait: 120s } None
            rcpt 552 5.2.2 Mailbox is over its quota
                Bounced { class: MailboxFull, suppress: false } None
            rcpt 452 4.2.2 Mailbox is full
                Deferred { class: MailboxFull, reason: Deferred, wait: 900s } None
            rcpt 552 too many recipients
                Deferred { class: RateLimit, reason: Deferred, wait: 900s } FewerConnections
            mail 554 5.7.1 Your address has been blocked using zen.spamhaus.org
                Blocked { class: Blocklist } None
            mail 421 4.7.0 Too many connections from 192.0.2.1, try again later
                Deferred { class: TooManyConnections, reason: Deferred, wait: 900s } FewerConnections
            message 550 5.7.26 This mail has been blocked because the sender is unauthenticated. DKIM = did not pass
                Deferred { class: Authentication, reason: Deferred, wait: 900s } None
            message 554 5.7.1 Message rejected as spam by Content Filtering
                Bounced { class: Content, suppress: false } None
            message 552 5.3.4 Message too big
                Bounced { class: TooLarge, suppress: false } None
            mail 530 5.7.0 Must issue a STARTTLS command first
                Deferred { class: Tls, reason: Tls, wait: 900s } None
            rcpt 550 mumble
                Bounced { class: Unclassified, suppress: false } None
            rcpt 451 4.3.2 System not accepting messages right now
                Deferred { class: System, reason: Deferred, wait: 900s } None
        "#]]
        .assert_eq(&lines.map(told).concat());
    }

    /// Every class at every stage with every severity, read by a rule of its own: only what tells of the address, and for
    /// good, is ever held against it.
    #[test]
    fn only_what_tells_of_the_address_suppresses() {
        use BounceClass as C;
        let of_the_address = [C::BadMailbox, C::Moved, C::Inactive, C::BadDomain, C::TakesNoMail];
        let words = |class: BounceClass| format!("zork {} zork", class.as_str().replace('_', " "));
        let rule = |class: &BounceClass| bounce::WrittenRule {
            name: class.to_string(),
            class: class.to_string(),
            text: vec![words(*class)],
            samples: vec![format!("550 {}", words(*class))],
            ..bounce::WrittenRule::default()
        };
        let written: Vec<_> = BounceClass::ALL.iter().map(rule).collect();
        let rules = bounce::Rules::with_own(&written).unwrap();
        let stages = [Stage::Greeting, Stage::Hello, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Message];
        let mut suppressing = std::collections::BTreeSet::new();
        for class in BounceClass::ALL.iter().copied() {
            for (code, stage) in [421, 450, 550, 554].into_iter().flat_map(|code| stages.map(|stage| (code, stage))) {
                for kind in [StreamKind::Bulk, StreamKind::Transactional] {
                    for expires_ms in [48 * 3_600_000, 0] {
                        let reply = Reply::new(code, [words(class).as_str()]);
                        let case = Case { rules: rules.at(""), kind, expires_ms, ..case(2) };
                        let verdict = decide(&policy(), Happening::Reply(&reply, stage), &case).0;
                        if let Verdict::Bounced { suppress: true, class: read } = verdict {
                            assert!(code >= 500 && read == class, "{reply:?} at {stage:?}");
                            suppressing.insert(class);
                        }
                    }
                }
            }
        }
        assert_eq!(suppressing, of_the_address.into());
    }

    #[test]
    fn greylisted_until_it_is_over() {
        let reply = Reply::new(451, ["4.7.1 Greylisted, please try again later"]);
        let mut case = Case { expires_ms: 4 * 3_600_000, ..case(0) };
        let mut story = String::new();
        loop {
            case.attempts += 1;
            let (verdict, _) = decide(&policy(), Happening::Reply(&reply, Stage::Rcpt), &case);
            story.push_str(&format!("{}m {verdict:?}\n", case.now_ms / 60_000));
            let Verdict::Deferred { wait, .. } = verdict else { break };
            case.now_ms += i64::try_from(wait.as_millis()).unwrap();
        }
        expect![[r#"
            0m Deferred { class: Greylist, reason: Greylisted, wait: 300s }
            5m Deferred { class: Greylist, reason: Greylisted, wait: 900s }
            20m Deferred { class: Greylist, reason: Greylisted, wait: 1800s }
            50m Deferred { class: Greylist, reason: Greylisted, wait: 3600s }
            110m Deferred { class: Greylist, reason: Greylisted, wait: 3600s }
            170m Deferred { class: Greylist, reason: Greylisted, wait: 3600s }
            230m Expired { class: Greylist }
        "#]]
        .assert_eq(&story);
    }

    #[test]
    fn a_lost_connection_depends_on_the_dot() {
        let decide = |happening, kind| decide(&policy(), happening, &Case { kind, ..case(1) }).0;
        assert_eq!(decide(Happening::LostAfterDot, StreamKind::Bulk), Verdict::Unknown);
        let again = Verdict::Deferred {
            class: BounceClass::Connection,
            reason: WaitReason::Connect,
            wait: Duration::from_mins(5),
        };
        assert_eq!(decide(Happening::LostAfterDot, StreamKind::Transactional), again);
        assert_eq!(decide(Happening::LostBeforeDot, StreamKind::Bulk), again);
        // A 354 that came twice stands where the answer is read.
        let doubled = Reply::new(354, ["go on"]);
        assert_eq!(decide(Happening::Reply(&doubled, Stage::Message), StreamKind::Bulk), Verdict::Unknown);
    }

    #[test]
    fn jitter_stays_within_its_part() {
        let policy = RetryPolicy { jitter_percent: 10, ..policy() };
        let waits: Vec<_> = (0..10_001).map(|draw| policy.wait(1, draw).as_millis()).collect();
        assert_eq!((*waits.iter().min().unwrap(), *waits.iter().max().unwrap()), (285_000, 315_000));
        assert_eq!(policy.wait(99, 5000), Duration::from_hours(1));
    }

    #[test]
    fn waits_that_are_asked_for() {
        for (text, seconds) in [
            ("Please try again in 5 minutes", Some(300)),
            ("retry after 90 seconds.", Some(90)),
            ("greylisted for 1 hour(s)", Some(3600)),
            ("try again in 999 hours", Some(86_400)),
            ("in 3 pieces", None),
            ("try again later", None),
        ] {
            assert_eq!(asked_wait(text).map(|wait| wait.as_secs()), seconds, "{text}");
        }
    }
}
