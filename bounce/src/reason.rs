//! What the report says about why, where the delivery status does not: the words about the recipient, the conversation
//! that the report quotes, the words as a whole.

use crate::classify::Stage;
use crate::diagnostic::{self, reply_in};
use crate::pieces::Pieces;
use crate::report::{Action, RecipientReport, Report};
use crate::rules::Rules;
use crate::session::{self, Heard};
use crate::words::Found;
use mail::BounceClass;

/// So many characters of words are taken for a reason.
const WORDS_MAX: usize = 2_000;

/// Completes each recipient with what the words say.
pub(crate) fn complete(report: &mut Report, pieces: &Pieces, found: &[Found], rules: &Rules) {
    let conversation = session::transcript(&pieces.words);
    let whole = Whole::of(&pieces.words, rules);
    let alone = report.recipients.len() == 1;
    let answer = session::announced(&pieces.words).filter(|answer| alone && tells(answer, rules));
    let anywhere = alone.then(|| session::stage_said(&pieces.words)).flatten();
    for group in &mut report.recipients {
        without_file(group);
        let own = found.iter().find(|found| names(group, &found.recipient));
        let only = own.or(if found.len() == 1 { found.first() } else { None });
        if group.final_recipient.is_none() && group.original_recipient.is_none() {
            group.final_recipient = only.map(|found| found.recipient.clone()).filter(|found| !found.is_empty());
        }
        if group.original_recipient.is_none() {
            group.original_recipient = only.and_then(|found| found.original.clone());
        }
        let said = Said {
            reason: only.map_or("", |found| found.reason.as_str()),
            conversation: &conversation,
            answer: answer.as_deref(),
            whole: &whole,
        };
        group.stage = group.stage.or_else(|| said.stage(group)).or(anywhere);
        without_cut(group, &conversation);
        complete_one(group, &said, rules);
        if is_over(group) {
            group.action = Action::Failed;
        }
    }
}

/// RFC 3463 §3.5: X.4.7 is a message whose time is over. Exchange writes it beside a delay that goes on, OpenSMTPD beside
/// "Envelope expired", which it says of none that it keeps; some of its versions call even that delayed.
fn is_over(group: &RecipientReport) -> bool {
    let time_over = group.status.is_some_and(|status| (status.subject, status.detail) == (4, 7));
    let said = group.diagnostic.as_deref().unwrap_or("");
    group.action == Action::Delayed && time_over && said.to_ascii_lowercase().starts_with("envelope expired")
}

/// A file or a program that mail is delivered to is nobody's address.
fn without_file(group: &mut RecipientReport) {
    let is_file = |name: &String| name.starts_with(['/', '|', ':']) && !name.contains('@') || name.starts_with("|\"");
    if group.final_recipient.as_ref().is_some_and(is_file) {
        group.final_recipient = None;
    }
}

fn names(group: &RecipientReport, recipient: &str) -> bool {
    let is = |address: &Option<String>| address.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(recipient));
    is(&group.final_recipient) || is(&group.original_recipient)
}

/// What a report says of one recipient outside the delivery status.
struct Said<'a> {
    reason: &'a str,
    conversation: &'a [Heard],
    /// The server's answer that a sentence announces, where it says what went wrong.
    answer: Option<&'a str>,
    whole: &'a Whole,
}

/// All words of a report, looked at once for all its recipients.
struct Whole {
    /// Without the ends of their lines, shortened.
    text: String,
    tells: bool,
}

impl Whole {
    fn of(words: &str, rules: &Rules) -> Whole {
        let mut text = String::new();
        for word in words.split_whitespace() {
            if text.len() >= WORDS_MAX {
                break;
            }
            text.push_str(word);
            text.push(' ');
        }
        text.truncate(text.floor_char_boundary(WORDS_MAX));
        let tells = tells(&text, rules);
        Whole { text, tells }
    }
}

impl<'a> Said<'a> {
    /// Of the replies that the report quotes, the one about this recipient, or the first.
    fn heard(&self, group: &RecipientReport) -> Option<&'a Heard> {
        let address = group.final_recipient.as_deref().unwrap_or("").to_lowercase();
        let about = || self.conversation.iter().find(|heard| heard.names(&address));
        self.conversation.first().filter(|_| address.is_empty()).or_else(about).or(self.conversation.first())
    }

    /// Where in the session the reply about this recipient came.
    fn stage(&self, group: &RecipientReport) -> Option<Stage> {
        session::stage_said(self.reason).or_else(|| self.heard(group).and_then(|heard| heard.stage))
    }
}

/// A reply of several lines of which the delivery status has only the first, whole as the transcript has it.
fn without_cut(group: &mut RecipientReport, conversation: &[Heard]) {
    let Some(cut) = group.diagnostic.as_deref().filter(|text| session::is_open(text)) else { return };
    let cut = cut.trim_end();
    let whole = conversation.iter().find(|heard| heard.text.len() > cut.len() && heard.text.starts_with(cut));
    group.diagnostic = whole.map(|heard| heard.text.clone()).or(group.diagnostic.take());
}

fn complete_one(group: &mut RecipientReport, said: &Said<'_>, rules: &Rules) {
    let Said { reason, answer, whole, .. } = *said;
    let tells = |text: &str| tells(text, rules);
    if tells(group.diagnostic.as_deref().unwrap_or("")) || !matches!(group.action, Action::Failed | Action::Delayed) {
        group.status = group.status.or_else(|| status_of(group.diagnostic.as_deref().unwrap_or("")));
        return;
    }
    let heard = said.heard(group);
    let quoted = heard.map_or("", |heard| heard.text.as_str());
    let is_named = heard.is_some_and(|heard| heard.local.is_some());
    // A server's own reply says more than the reporter's sentences around it.
    let first = (is_named || reply_in(reason).is_none()) && reply_in(quoted).is_some() && tells(quoted);
    let best = if first { Some(quoted) } else { [reason, quoted].into_iter().find(|text| tells(text)) };
    let best = answer.filter(|_| best.and_then(reply_in).is_none()).or(best);
    let best = best.or(Some(whole.text.as_str()).filter(|_| whole.tells));
    let candidates = [reason, quoted, whole.text.as_str()].into_iter();
    let quoting = || candidates.clone().find(|text| reply_in(text).is_some());
    let speaking = || candidates.clone().find(|text| !text.is_empty());
    let chosen = best.or_else(quoting).or_else(speaking).unwrap_or("");
    if group.diagnostic.as_deref().unwrap_or("").is_empty() || best.is_some() {
        group.diagnostic = (!chosen.trim().is_empty()).then(|| chosen.trim().to_owned());
    }
    group.status = group.status.or_else(|| status_of(group.diagnostic.as_deref().unwrap_or("")));
}

/// Whether a text says what went wrong by itself.
fn tells(text: &str, rules: &Rules) -> bool {
    if text.is_empty() {
        return false;
    }
    let reply = reply_in(text).unwrap_or_else(|| mail::Reply::new(550, [text]));
    if reply.text.is_empty() && reply.enhanced.is_none() {
        return false;
    }
    let found = rules.classify(&reply, Stage::Report);
    !matches!(found.class, BounceClass::Unclassified)
}

fn status_of(text: &str) -> Option<mail::EnhancedStatus> {
    diagnostic::trouble_in(text)
}
