//! What a reply, or a share of bounces, makes of the recipient and of the lane: plain functions from rule and context.

use super::limits::span;
use super::recovery;
use super::rules::{Action, Hold};
use crate::outcome::{Case, RetryPolicy, Verdict};
use mail::{BounceClass, WaitReason};
use std::sync::Arc;
use std::time::Duration;
use storage::automation::{Automation, Scope};
use storage::{AutomationId, CampaignId, WorkspaceId};

/// Where a reply came, and to whose mail.
#[derive(Clone, Debug)]
pub struct Context {
    /// Whose mail.
    pub workspace: WorkspaceId,
    /// From which source.
    pub source: Arc<str>,
    /// At which site.
    pub site: Arc<str>,
    /// Whose site.
    pub provider: Arc<str>,
    /// The domain that signs the mail, where there is mail.
    pub domain: Option<Arc<str>>,
    /// How long the limits in force hold a source that is refused.
    pub block_hold: Duration,
}

/// What exactly something is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A source at a site.
    SourceSite(Arc<str>, Arc<str>),
    /// A source at a provider.
    SourceProvider(Arc<str>, Arc<str>),
    /// A signing domain at a provider.
    DomainProvider(Arc<str>, Arc<str>),
    /// A workspace at a provider.
    WorkspaceProvider(WorkspaceId, Arc<str>),
    /// A workspace's bulk mail.
    Workspace(WorkspaceId),
    /// The bulk mail of a signing domain of a workspace.
    Domain(WorkspaceId, Arc<str>),
    /// A campaign's mail.
    Campaign(CampaignId),
}

impl Context {
    /// What a scope is here; `None` where nobody knows the signing domain, or no reply is about it.
    #[must_use]
    pub fn target(&self, scope: Scope) -> Option<Target> {
        let provider = self.provider.clone();
        Some(match scope {
            Scope::SourceSite => Target::SourceSite(self.source.clone(), self.site.clone()),
            Scope::SourceProvider => Target::SourceProvider(self.source.clone(), provider),
            Scope::DomainProvider => Target::DomainProvider(self.domain.clone()?, provider),
            Scope::WorkspaceProvider => Target::WorkspaceProvider(self.workspace, provider),
            Scope::Workspace | Scope::Domain | Scope::Campaign => return None,
        })
    }
}

/// The target of a stored automation; `None` where its row lacks what its scope needs.
pub(crate) fn target_of(a: &Automation) -> Option<Target> {
    let provider: Arc<str> = a.provider.as_str().into();
    Some(match a.scope {
        Scope::SourceSite => Target::SourceSite(a.source.as_deref()?.into(), a.site.as_deref()?.into()),
        Scope::SourceProvider => Target::SourceProvider(a.source.as_deref()?.into(), provider),
        Scope::DomainProvider => Target::DomainProvider(a.domain.as_deref()?.into(), provider),
        Scope::WorkspaceProvider => Target::WorkspaceProvider(a.workspace_id, provider),
        Scope::Workspace => Target::Workspace(a.workspace_id),
        Scope::Domain => Target::Domain(a.workspace_id, a.domain.as_deref()?.into()),
        Scope::Campaign => Target::Campaign(a.campaign_id?),
    })
}

/// How long an action holds, where it does.
pub(crate) fn hold_span(action: &Action, context: &Context) -> Option<Duration> {
    match action.hold {
        None => None,
        Some(Hold::For(span)) => Some(span),
        Some(Hold::AsLimited) => Some(context.block_hold),
    }
}

/// The automation that an action begins, without its id. `None` where its target is not known.
#[must_use]
pub fn begin(rule: &str, action: &Action, context: &Context, reply: &str, now_ms: i64) -> Option<Automation> {
    context.target(action.scope)?;
    let after = |span: Duration| now_ms.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    let hold_until_ms = hold_span(action, context).map(after);
    let until_ms = match hold_until_ms {
        Some(hold_until_ms) if action.recovery => recovery::end_ms(hold_until_ms),
        Some(hold_until_ms) => hold_until_ms,
        None => after(action.span),
    };
    let of_source = matches!(action.scope, Scope::SourceSite | Scope::SourceProvider);
    let of_domain = action.scope == Scope::DomainProvider;
    Some(Automation {
        id: AutomationId(0),
        workspace_id: context.workspace,
        scope: action.scope,
        source: of_source.then(|| context.source.to_string()),
        site: (action.scope == Scope::SourceSite).then(|| context.site.to_string()),
        provider: context.provider.to_string(),
        domain: context.domain.as_deref().filter(|_| of_domain).map(str::to_owned),
        campaign_id: None,
        rule: rule.to_owned(),
        hold_until_ms,
        rate: action.rate.map(|rate| rate.to_string()),
        connections: if action.recovery { Some(1) } else { action.connections },
        recovers: action.recovery,
        alarm: action.alarm.clone(),
        reply: without_addresses(reply),
        since_ms: now_ms,
        until_ms,
        ended_ms: None,
        ended_by: None,
    })
}

/// What an action does, as a sentence: `Nothing goes for 2 h.`
#[must_use]
pub fn sentence(action: &Action, block_hold: Duration) -> String {
    let hold = match action.hold {
        None => None,
        Some(Hold::For(span)) => Some(span),
        Some(Hold::AsLimited) => Some(block_hold),
    };
    let mut parts = Vec::new();
    parts.extend(hold.map(|hold| format!("nothing goes for {}", span(hold))));
    if action.recovery {
        parts.push("then one connection, and one more with each minute that goes well".to_owned());
    }
    parts.extend(action.rate.map(|rate| format!("at most {rate} messages")));
    let slow = |n: u32| format!("at most {n} connection{}", if n == 1 { "" } else { "s" });
    parts.extend(action.connections.map(slow));
    if parts.is_empty() {
        parts.push("goes on, but a person should look".to_owned());
    }
    let how_long = if hold.is_none() { format!(", for {}", span(action.span)) } else { String::new() };
    let mut text = parts.join(", ");
    text.push_str(&how_long);
    let what = match action.scope {
        Scope::SourceSite => "from this source to this site",
        Scope::SourceProvider => "from this source to this provider",
        Scope::DomainProvider => "of this sending domain to this provider",
        Scope::WorkspaceProvider => "of this workspace to this provider",
        // No reply leads to these.
        Scope::Workspace => "of this workspace",
        Scope::Domain => "of this sending domain",
        Scope::Campaign => "of this campaign",
    };
    format!("Mail {what}: {text}.")
}

/// What becomes of a recipient whose reply an action answers: its attempts are not used up, and nobody is suppressed.
/// `by_class` is what the reply alone would make of it.
#[must_use]
pub fn recipient(
    action: &Action,
    by_class: Verdict,
    policy: &RetryPolicy,
    case: &Case<'_>,
    hold_until_ms: Option<i64>,
) -> Verdict {
    let class = match by_class {
        Verdict::Delivered | Verdict::Unknown | Verdict::Bounced { suppress: true, .. } => return by_class,
        Verdict::Bounced { class, .. }
        | Verdict::Deferred { class, .. }
        | Verdict::Expired { class }
        | Verdict::Blocked { class }
        | Verdict::Held { class, .. } => class,
    };
    // A greylisting asks for the same source again, whatever else is slowed down.
    if class == BounceClass::Greylist {
        return by_class;
    }
    let (reason, due_ms) = match (action.scope, hold_until_ms) {
        // Due at once: the scheduler finds another source, or until when this one is held.
        (Scope::SourceSite | Scope::SourceProvider, Some(_)) => {
            (wait_reason(action.scope, action.recovery), case.now_ms)
        }
        (scope, Some(until_ms)) => (wait_reason(scope, false), until_ms),
        (_, None) => {
            let wait = policy.wait(case.attempts, case.draw);
            let due_ms = case.now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            (WaitReason::ProviderHold, due_ms)
        }
    };
    if case.now_ms >= case.expires_ms {
        return Verdict::Expired { class };
    }
    Verdict::Held { class, reason, due_ms }
}

/// What becomes of a recipient whose reply led to nothing, because nobody knows who signs its mail, or too much is in
/// force already. Refused because of our own name, and with no hold that it could wait for, it must not come back at once.
pub(crate) fn unanswered(by_class: Verdict, policy: &RetryPolicy, case: &Case<'_>) -> Verdict {
    let Verdict::Blocked { class } = by_class else { return by_class };
    let wait = policy.wait(case.attempts, case.draw);
    let due_ms = case.now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    Verdict::Held { class, reason: WaitReason::SourceBlocked, due_ms }
}

/// What the operator is shown of a recipient that waits for the end of a hold.
pub(crate) fn wait_reason(scope: Scope, recovers: bool) -> WaitReason {
    match scope {
        Scope::DomainProvider => WaitReason::DomainHold,
        Scope::WorkspaceProvider => WaitReason::ProviderHold,
        Scope::Workspace | Scope::Domain | Scope::Campaign => WaitReason::Reputation,
        Scope::SourceSite | Scope::SourceProvider if recovers => WaitReason::ProviderHold,
        Scope::SourceSite | Scope::SourceProvider => WaitReason::SourceBlocked,
    }
}

/// Why recipients may wait because of an automation.
pub(crate) fn reasons(a: &Automation) -> Vec<WaitReason> {
    match (a.scope, a.hold_until_ms) {
        (scope, Some(_)) => vec![wait_reason(scope, a.recovers)],
        (_, None) => vec![WaitReason::Rate, WaitReason::ProviderHold],
    }
}

/// A reply is shown to everybody who sends from the source, so nobody's recipient may stand in it.
fn without_addresses(reply: &str) -> String {
    let word = |word: &str| match word.contains('@') {
        true => mail::mask(word),
        false => word.to_owned(),
    };
    reply.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Happening, decide};
    use crate::shaping::rules::{Rules, class_of, parse_reply};
    use expect_test::expect;
    use mail::StreamKind;

    fn context(provider: &str) -> Context {
        Context {
            workspace: WorkspaceId::MAIN,
            source: "mx1".into(),
            site: "mx.example".into(),
            provider: provider.into(),
            domain: Some("news.example".into()),
            block_hold: Duration::from_hours(2),
        }
    }

    fn told(rules: &Rules, provider: &str, text: &str) -> String {
        let (reply, stage) = parse_reply(text).unwrap();
        let policy = RetryPolicy { waits: vec![Duration::from_mins(5)], jitter_percent: 0 };
        let meaning = bounce::Rules::builtin().at("");
        let case = Case {
            rules: meaning,
            kind: StreamKind::Bulk,
            attempts: 1,
            now_ms: 0,
            expires_ms: 48 * 3_600_000,
            draw: 0,
        };
        let (by_class, _) = decide(&policy, Happening::Reply(&reply, stage), &case);
        let Some(rule) = rules.find(&reply, class_of(&reply, stage), provider) else {
            return format!("{provider}: {text}\n    no rule, {by_class:?}\n");
        };
        let begun = begin(&rule.name, &rule.action, &context(provider), &reply.to_string(), 0).unwrap();
        let verdict = recipient(&rule.action, by_class, &policy, &case, begun.hold_until_ms);
        let sentence = sentence(&rule.action, Duration::from_hours(2));
        format!(
            "{provider}: {text}\n    {}: {sentence}\n    {verdict:?}, until {} min\n",
            rule.name,
            begun.until_ms / 60_000
        )
    }

    #[test]
    fn reactions() {
        let rules = Rules::builtin();
        let lines = [
            ("Google", "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail"),
            ("Google", "550 5.7.26 This mail has been blocked because the sender is unauthenticated"),
            ("Yahoo", "[mail] 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred"),
            ("Yahoo", "[mail] 421 4.7.1 [TS02] Messages from 192.0.2.1 temporarily deferred"),
            ("Microsoft consumer", "[mail] 550 5.7.1 messages weren't sent, our block list (S3140)"),
            ("Microsoft 365", "[mail] 451 4.7.500 Server busy. Please try again later"),
            ("Microsoft 365", "550 5.7.515 Access denied, sending domain example.com does not meet the required level"),
            ("Apple", "554 5.7.1 [BS02] Message rejected"),
            ("mx.example", "554 5.7.1 <ana@example.com> blocked using dbl.spamhaus.org"),
            ("mx.example", "[mail] 554 5.7.1 client host blocked using zen.spamhaus.org"),
            ("mx.example", "[rcpt] 550 5.1.1 User unknown"),
            ("mx.example", "[rcpt] 451 4.7.1 Greylisted, try again in 5 minutes"),
        ];
        let all: String = lines.iter().map(|(provider, text)| told(&rules, provider, text)).collect();
        expect![[r#"
            Google: 421 4.7.28 Gmail has detected an unusual rate of unsolicited mail
                google-unusual-rate: Mail from this source to this provider: nothing goes for 10 min, then one connection, and one more with each minute that goes well.
                Held { class: RateLimit, reason: ProviderHold, due_ms: 0 }, until 70 min
            Google: 550 5.7.26 This mail has been blocked because the sender is unauthenticated
                google-authentication: Mail of this sending domain to this provider: nothing goes for 1 h.
                Held { class: Authentication, reason: DomainHold, due_ms: 3600000 }, until 60 min
            Yahoo: [mail] 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred
                yahoo-tss04: Mail from this source to this provider: nothing goes for 2 h.
                Held { class: Reputation, reason: SourceBlocked, due_ms: 0 }, until 120 min
            Yahoo: [mail] 421 4.7.1 [TS02] Messages from 192.0.2.1 temporarily deferred
                yahoo-ts02: Mail from this source to this provider: at most 1/min messages, for 30 min.
                Held { class: Reputation, reason: ProviderHold, due_ms: 300000 }, until 30 min
            Microsoft consumer: [mail] 550 5.7.1 messages weren't sent, our block list (S3140)
                microsoft-blocklist: Mail from this source to this provider: nothing goes for 2 h.
                Held { class: Blocklist, reason: SourceBlocked, due_ms: 0 }, until 120 min
            Microsoft 365: [mail] 451 4.7.500 Server busy. Please try again later
                microsoft-rate: Mail from this source to this provider: at most 1/min messages, at most 1 connection, for 90 min.
                Held { class: RateLimit, reason: ProviderHold, due_ms: 300000 }, until 90 min
            Microsoft 365: 550 5.7.515 Access denied, sending domain example.com does not meet the required level
                microsoft-authentication: Mail of this sending domain to this provider: nothing goes for 1 h.
                Held { class: Authentication, reason: DomainHold, due_ms: 3600000 }, until 60 min
            Apple: 554 5.7.1 [BS02] Message rejected
                apple-blocked: Mail from this source to this provider: nothing goes for 15 min.
                Held { class: Reputation, reason: SourceBlocked, due_ms: 0 }, until 15 min
            mx.example: 554 5.7.1 <ana@example.com> blocked using dbl.spamhaus.org
                spamhaus-dbl: Mail of this sending domain to this provider: nothing goes for 4 h.
                Held { class: Blocklist, reason: DomainHold, due_ms: 14400000 }, until 240 min
            mx.example: [mail] 554 5.7.1 client host blocked using zen.spamhaus.org
                blocked: Mail from this source to this site: nothing goes for 2 h.
                Held { class: Blocklist, reason: SourceBlocked, due_ms: 0 }, until 120 min
            mx.example: [rcpt] 550 5.1.1 User unknown
                no rule, Bounced { class: BadMailbox, suppress: true }
            mx.example: [rcpt] 451 4.7.1 Greylisted, try again in 5 minutes
                no rule, Deferred { class: Greylist, reason: Greylisted, wait: 300s }
        "#]].assert_eq(&all);
    }

    #[test]
    fn what_leads_to_nothing_does_not_come_back_at_once() {
        let policy = RetryPolicy { waits: vec![Duration::from_mins(5)], jitter_percent: 0 };
        let meaning = bounce::Rules::builtin().at("");
        let case =
            Case { rules: meaning, kind: StreamKind::Bulk, attempts: 1, now_ms: 1_000, expires_ms: i64::MAX, draw: 0 };
        let class = BounceClass::Reputation;
        let held = Verdict::Held { class, reason: WaitReason::SourceBlocked, due_ms: 301_000 };
        assert_eq!(unanswered(Verdict::Blocked { class }, &policy, &case), held);
        assert_eq!(unanswered(Verdict::Delivered, &policy, &case), Verdict::Delivered);
        let unsigned = Context { domain: None, ..context("mx.example") };
        let rules = Rules::builtin();
        let (reply, stage) = parse_reply("554 5.7.1 blocked using dbl.spamhaus.org").unwrap();
        let rule = rules.find(&reply, class_of(&reply, stage), "mx.example").unwrap();
        assert_eq!(begin(&rule.name, &rule.action, &unsigned, "", 0), None);
    }

    #[test]
    fn no_recipient_stands_in_a_reply() {
        assert_eq!(without_addresses("554 <ana@example.com>: no\n more"), "554 <***@example.com>: no more");
    }
}
