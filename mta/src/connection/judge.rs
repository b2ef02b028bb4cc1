//! What came of an attempt, written down for each recipient, and what it means for the lane.

use super::transact::Connection;
use crate::hand::{self, Hand};
use crate::metric;
use crate::outcome::{Case, Happening, LaneEffect, Verdict, decide};
use crate::shared::Shared;
use std::sync::Arc;
use storage::conversation::NewConversation;
use storage::queue::{Answer, Attempt, Claimed};

/// Which message the attempt was about.
pub(super) struct Of {
    pub signing_domain: Option<Arc<str>>,
    pub began_ms: i64,
}

impl Connection<'_> {
    /// Writes what came of an attempt for recipients that share it: one reply is one experience with the server, and an
    /// outcome for each of them.
    pub(super) fn judge(&self, hands: Vec<Hand>, of: &Of, happening: Happening<'_>, answer: &Answer) {
        let Some(first) = hands.first() else { return };
        let now_ms = self.shared.clock.now_ms();
        let context = self.shared.context(self.lane, first.claimed.workspace_id, of.signing_domain.as_ref());
        let mut answered = None;
        let mut is_answered = false;
        let mut effect = LaneEffect::None;
        let mut is_taken = false;
        for hand in hands {
            let claimed = &hand.claimed;
            let case = Case {
                rules: self.shared.rules_at(self.lane),
                kind: claimed.kind,
                attempts: claimed.attempts + 1,
                now_ms,
                expires_ms: claimed.expires_ms,
                draw: self.shared.random.below(u64::MAX),
            };
            let policy = &self.shared.streams.of(claimed).retry;
            let (by_class, on_lane) = decide(policy, happening, &case);
            effect = on_lane;
            if let Happening::Reply(reply, stage) = happening
                && by_class != Verdict::Delivered
                && !std::mem::replace(&mut is_answered, true)
            {
                answered = self.shared.answered((reply, stage), &context, Some(&claimed.address));
            }
            let verdict = Shared::verdict(answered.as_ref(), by_class, policy, &case);
            self.conclude(hand, verdict, (now_ms, of.began_ms), answer);
            match verdict {
                Verdict::Delivered => {
                    is_taken = true;
                    self.shared.outcome(&context, false, &self.lane.limits);
                }
                Verdict::Bounced { .. } => self.shared.outcome(&context, true, &self.lane.limits),
                _ => {}
            }
        }
        if answered.is_some() {
            self.lane.told(answer.text.clone());
        }
        if effect == LaneEffect::FewerConnections {
            self.lane.fewer_connections(self.shared, answer.text.clone());
        }
        if is_taken {
            self.lane.one_taken();
        }
    }

    fn conclude(&self, hand: Hand, verdict: Verdict, (now_ms, began_ms): (i64, i64), answer: &Answer) {
        let claimed = &hand.claimed;
        let attempt = self.attempt(now_ms - began_ms);
        self.count(verdict, now_ms - began_ms);
        tracing::debug!(rcpt.id = %claimed.id, site = %self.lane.site.name, source = %self.source, ?verdict, "attempt");
        self.keep_conversation(claimed, verdict, now_ms);
        hand::conclude(hand, verdict, (now_ms, attempt), answer.clone());
        self.lane.one_left(now_ms);
    }

    fn keep_conversation(&self, claimed: &Claimed, verdict: Verdict, at_ms: i64) {
        if !self.shared.keeper.wants(claimed.id, verdict) {
            return;
        }
        self.shared.keeper.keep(NewConversation {
            at_ms,
            workspace_id: claimed.workspace_id,
            recipient_id: claimed.id,
            source: self.source.to_string(),
            mx: self.mx.to_string(),
            outcome: verdict.word(),
            text: self.session.conversation(),
        });
    }

    pub(super) fn attempt(&self, took_ms: i64) -> Attempt {
        Attempt {
            source: self.source.clone(),
            site: self.lane.site.name.clone(),
            provider: self.lane.site.provider.name.clone(),
            mx: self.mx.clone(),
            tls: self.session.tls(),
            reports: self.session.capabilities().dsn,
            took_ms: u32::try_from(took_ms).unwrap_or(0),
        }
    }

    fn count(&self, verdict: Verdict, took_ms: i64) {
        let outcome = verdict.word();
        let provider = self.lane.site.provider.name.clone();
        let source = self.source.clone();
        metrics::counter!(metric::ATTEMPTS, "source" => source.clone(), "provider" => provider, "outcome" => outcome)
            .increment(1);
        metrics::histogram!(metric::ATTEMPT_SECONDS, "source" => source).record(took_ms as f64 / 1000.0);
    }
}
