//! What was understood as plain words and one shape for every sort of mail, for other programs and for comparison with
//! other readers: one object per mail, one event per recipient.

use crate::classify::{Classified, Kind};
use crate::report::{Action, RecipientReport, Report, Sort};
use crate::rules::Rules;
use mail::{BounceClass, EnhancedStatus};
use serde::Serialize;

/// One mail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormalForm {
    /// What sort of mail it is.
    pub sort: &'static str,
    /// Message-ID of the returned message, in angle brackets.
    pub orig_message_id: Option<String>,
    /// One per recipient.
    pub events: Vec<Event>,
}

/// What has happened to one recipient.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Event {
    /// Lower case.
    pub recipient: Option<String>,
    /// `failed`, `delayed`, `delivered`, `relayed`, `expanded`, `feedback`, `vacation`. Where the report has no such word of
    /// its own, a message whose time was over is `delayed`: it may be sent again, and nothing is known against its
    /// recipient. `given_up` tells whether the reporter goes on.
    pub action: &'static str,
    /// Whether the reporter tries no more; of failures and delays.
    pub given_up: Option<bool>,
    /// `hard`, `soft`, `block`, `delay`, `delivered`, `feedback`, `vacation`.
    pub kind: &'static str,
    /// `permanent` or `temporary`; none for a delay.
    pub permanence: Option<&'static str>,
    /// The enhanced status.
    pub status: Option<String>,
    /// The reply code.
    pub reply: Option<String>,
    /// The class in the words that readers of bounces share.
    pub class: Option<&'static str>,
    /// The rule that says so.
    pub rule: Option<String>,
    /// What decided: `own_rule`, `builtin_rule`, `codes`, `nothing`.
    pub decided_by: Option<&'static str>,
    /// The type of a complaint.
    pub feedback_type: Option<String>,
}

/// Puts a report into the normal form.
#[must_use]
pub fn normal_form(report: &Report, rules: &Rules) -> NormalForm {
    let events = match report.sort {
        Sort::DeliveryReport | Sort::Bounce => {
            report.recipients.iter().map(|group| of_recipient(group, rules)).collect()
        }
        Sort::Feedback => of_feedback(report),
        Sort::AutoReply => vec![Event {
            recipient: report.from.clone(),
            action: "vacation",
            kind: kind(Kind::AutoReply),
            class: report.class().map(class),
            ..Event::default()
        }],
        _ => Vec::new(),
    };
    let orig_message_id = report.original_message_id.as_ref().map(|id| format!("<{id}>"));
    NormalForm { sort: report.sort.as_str(), orig_message_id, events }
}

/// The class of a reply's bare text, which begins with its code or does not, in the shared words.
#[must_use]
pub fn class_of_text(text: &str, rules: &Rules) -> &'static str {
    let reply = RecipientReport { diagnostic: Some(text.to_owned()), ..RecipientReport::of(Action::Failed) };
    reply.classify(rules).map_or("undefined", |found| word(&found))
}

fn of_feedback(report: &Report) -> Vec<Event> {
    let Some(feedback) = &report.feedback else { return Vec::new() };
    let event = |recipient: Option<&String>| Event {
        recipient: recipient.map(|address| address.to_lowercase()),
        action: "feedback",
        kind: kind(Kind::Feedback),
        class: Some("feedback"),
        feedback_type: Some(feedback.feedback_type.clone()),
        ..Event::default()
    };
    match feedback.recipients.is_empty() {
        true => vec![event(None)],
        false => feedback.recipients.iter().map(|address| event(Some(address))).collect(),
    }
}

fn of_recipient(group: &RecipientReport, rules: &Rules) -> Event {
    let recipient = group.final_recipient.as_ref().or(group.original_recipient.as_ref());
    let found = group.classify(rules);
    let reply = group.quoted_reply();
    let status = status(group);
    let given_up = group.action == Action::Failed;
    let says_for_good = group.is_stated || status.is_some_and(|status| u16::from(status.class) == 5);
    let time_over = given_up && !says_for_good && found.as_ref().is_some_and(|found| word(found) == "expired");
    let action = if time_over { Action::Delayed } else { group.action };
    let failed = action == Action::Failed;
    Event {
        recipient: recipient.map(|address| address.to_lowercase()),
        action: action.as_str(),
        given_up: matches!(group.action, Action::Failed | Action::Delayed).then_some(given_up),
        kind: match &found {
            Some(_) if time_over => kind(Kind::Delay),
            Some(found) => kind_of(found, failed),
            None => without_reason(action),
        },
        permanence: failed.then(|| permanence(group, status, reply.as_ref(), found.as_ref())),
        status: status.map(|status| status.to_string()),
        reply: reply.map(|reply| reply.code.to_string()),
        rule: found.as_ref().map(|found| found.rule.to_string()),
        decided_by: found.as_ref().map(|found| found.by.as_str()),
        class: match &found {
            Some(found) => Some(word(found)),
            None if matches!(group.action, Action::Failed | Action::Delayed) => Some(class(BounceClass::Unclassified)),
            None => None,
        },
        feedback_type: None,
    }
}

/// The status that says most: the remote server's own, unless it says nothing (5.0.0) and the reporter's says more.
fn status(group: &RecipientReport) -> Option<EnhancedStatus> {
    let own = group.quoted_status();
    let vague = |status: &EnhancedStatus| status.subject == 0 && status.detail == 0;
    match (group.status, own) {
        (Some(status), Some(own)) if vague(&status) && !vague(&own) => Some(own),
        (Some(status), _) => Some(status),
        (None, own) => own,
    }
}

fn permanence(
    group: &RecipientReport,
    status: Option<EnhancedStatus>,
    reply: Option<&mail::Reply>,
    found: Option<&Classified>,
) -> &'static str {
    // Exim writes 5.0.0 about a 4yz reply too.
    let told = status.filter(|status| status.subject != 0 || status.detail != 0).map(|status| u16::from(status.class));
    let digit = told.or(reply.map(|reply| reply.code / 100)).or(status.map(|status| u16::from(status.class)));
    let passing = |class| {
        matches!(class, BounceClass::Expired | BounceClass::Connection | BounceClass::Dns | BounceClass::Greylist)
    };
    match digit {
        Some(4) => "temporary",
        Some(_) => "permanent",
        None if group.action == Action::Failed && found.is_some_and(|found| passing(found.class)) => "temporary",
        None => "permanent",
    }
}

/// Of what the report gives no reason for.
fn without_reason(action: Action) -> &'static str {
    kind(match action {
        Action::Failed => Kind::Unknown,
        Action::Delayed => Kind::Delay,
        Action::Delivered | Action::Relayed | Action::Expanded => Kind::Delivered,
    })
}

/// What was given up is no delay any more: a rate was about us, a greylist about their system.
fn kind_of(found: &Classified, failed: bool) -> &'static str {
    match found.kind {
        Kind::Delay if failed && found.class == BounceClass::Greylist => kind(Kind::Soft),
        Kind::Delay if failed => kind(Kind::Block),
        other => kind(other),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Hard => "hard",
        Kind::Block => "block",
        Kind::Delay => "delay",
        Kind::Delivered => "delivered",
        Kind::Feedback => "feedback",
        Kind::AutoReply => "vacation",
        Kind::Soft | Kind::Unknown => "soft",
    }
}

/// Words that rules may have. What a reply is called there is not always what follows from it here.
const RULES_WORDS: [&str; 4] = ["content", "policy", "security", "sender_rejected"];

/// A rule's own word, if it is one of the shared words.
pub(crate) fn shared_word(written: &str) -> Option<&'static str> {
    RULES_WORDS.into_iter().find(|word| *word == written)
}

/// What was found, in the shared words.
fn word(found: &Classified) -> &'static str {
    found.word.unwrap_or_else(|| class(found.class))
}

/// Our class in the shared words. There, "network" is names and routes, and what could not be reached until its time was
/// over has "expired".
fn class(class: BounceClass) -> &'static str {
    use BounceClass as C;
    match class {
        C::BadMailbox => "user_unknown",
        C::Moved => "moved",
        C::Inactive | C::Suspended => "mailbox_disabled",
        C::BadDomain => "host_unknown",
        C::TakesNoMail => "not_accept",
        C::MailboxFull => "mailbox_full",
        C::TooLarge => "too_big",
        C::Policy => "policy",
        C::Authentication => "auth_failure",
        C::ReverseDns => "ptr",
        C::SenderRefused => "sender_rejected",
        C::Reputation | C::DomainReputation | C::Blocklist => "reputation",
        C::Content => "spam",
        C::Virus => "virus",
        C::Malformed => "rfc_noncompliant",
        C::Greylist => "greylist",
        C::RateLimit | C::TooManyConnections => "rate_limit",
        C::Dns | C::Loop => "network",
        C::Tls => "tls",
        C::Protocol => "syntax",
        C::RelayDenied => "relay",
        C::System => "system",
        C::Connection | C::Expired => "expired",
        C::Vacation => "vacation",
        C::Unclassified => "undefined",
    }
}
