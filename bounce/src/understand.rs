//! From bytes to what they say. Strategies, the surest first: figures for machines (DMARC, TLS), a feedback part, a
//! delivery status, a disposition notice, then words: report, complaint, challenge, automatic answer, request.

use crate::delivery_status;
use crate::event_json;
use crate::feedback;
use crate::figures;
use crate::mended;
use crate::notice;
use crate::pieces::{self, Pieces};
use crate::reason;
use crate::report::{Action, RecipientReport, Report, Sort};
use crate::rules::Rules;
use crate::signs::{self, Signs};
use crate::vocabulary::WORDS;
use crate::words;
use mail_parser::{Message, MessageParser};

/// So much of a mail is read. What a report has to say stands before the message that it returns; and figures for
/// machines come zipped.
const READ_MAX: usize = 8 * 1024 * 1024;

/// Reads a mail that came back, or any other.
#[must_use]
pub fn parse(raw: &[u8]) -> Report {
    parse_with(raw, Rules::builtin())
}

/// The same; of several texts in it the one that `rules` know is taken for the reason.
#[must_use]
pub fn parse_with(raw: &[u8], rules: &Rules) -> Report {
    let raw = &raw[..raw.len().min(READ_MAX)];
    if let Some(report) = figures::of_file(raw) {
        return report;
    }
    let mut report = understand(mended::lines(raw).trim_ascii_start(), rules, true);
    if report.sort == Sort::Ordinary && report.complaints.is_empty() {
        report.evidence.push("nothing in it is a report of any sort".to_owned());
    }
    report
}

fn understand(raw: &[u8], rules: &Rules, may_look_inside: bool) -> Report {
    let mut report = Report::default();
    // An mbox line before the header is no field (RFC 4155).
    let raw = match raw.starts_with(b"From ") {
        true => raw.iter().position(|b| *b == b'\n').map_or(raw, |end| &raw[end + 1..]),
        false => raw,
    };
    let Some(message) = MessageParser::default().parse(raw) else {
        report.complaints.push("this is no mail at all".to_owned());
        return report;
    };
    if let Some(figures) = figures::of_mail(&message) {
        return figures;
    }
    let mut pieces = Pieces::of(&message);
    if pieces.words.trim().is_empty() && pieces.status.is_empty() {
        pieces.read_raw(raw);
    }
    report.original_headers = std::mem::take(&mut pieces.original);
    if report.original_headers.is_empty() {
        // Some list fields of the message among their own words.
        let listed = crate::original::fields(&pieces.words);
        report.original_headers =
            listed.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("message-id")).collect();
    }
    report.original_message_id = original_message_id(&report);
    report.from = pieces::addresses(&message, "From").into_iter().next();
    if pieces.status.is_empty() {
        pieces.status.extend(status_in_words(&pieces.words));
    }
    for part in &pieces.status {
        delivery_status::read(part, &mut report);
    }
    if event_json::read(&pieces.words, &mut report) {
        return report;
    }
    decide(&message, &pieces, rules, &mut report);
    if report.recipients.is_empty() && report.sort != Sort::Feedback && may_look_inside {
        look_inside(raw, &pieces, rules, &mut report);
    }
    report
}

/// Settles what sort of mail it is.
fn decide(message: &Message<'_>, pieces: &Pieces, rules: &Rules, report: &mut Report) {
    let signs = signs::of(message, pieces);
    if feedback::read(message, pieces, signs.are_enough(), report) || challenge(message, pieces, report) {
        return;
    }
    if !report.recipients.is_empty() {
        delivery_report(message, pieces, rules, report);
        return;
    }
    if automatic(message, pieces, &signs, report) {
        return;
    }
    if signs.are_enough() && (pieces.disposition.is_none() || says_rejected(message, pieces)) {
        let found = bounce(message, pieces, &signs, report);
        reason::complete(report, pieces, &found, rules);
        return;
    }
    if let Some(part) = &pieces.disposition {
        disposition(part, report);
        return;
    }
    unsubscribe(message, report);
}

/// Fields of a delivery status that stand in the words: Amazon WorkMail writes a "technical report" of them.
fn status_in_words(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let begin = lower.find("reporting-mta:").or_else(|| lower.find("final-recipient:"))?;
    (lower.contains("final-recipient:") && lower.contains("action:")).then(|| text[begin..].to_owned())
}

fn delivery_report(message: &Message<'_>, pieces: &Pieces, rules: &Rules, report: &mut Report) {
    report.sort = Sort::DeliveryReport;
    report.evidence.push("it has a delivery status (RFC 3464)".to_owned());
    let found = words::recipients(&pieces.words, &own_addresses(message, report));
    reason::complete(report, pieces, &found, rules);
}

/// Addresses of the one who gets the report, lower case.
fn own_addresses(message: &Message<'_>, report: &Report) -> Vec<String> {
    let mut own = Vec::new();
    for name in ["To", "Cc", "From", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Reply-To"] {
        own.extend(pieces::addresses(message, name));
    }
    for name in ["From", "Return-Path", "Sender", "Reply-To", "Errors-To"] {
        let value = report.original_header(name).unwrap_or("");
        own.extend(crate::address::all(value).into_iter().map(|hit| hit.address.to_lowercase()));
    }
    own
}

/// A report in words; says whom they name.
fn bounce(message: &Message<'_>, pieces: &Pieces, signs: &Signs, report: &mut Report) -> Vec<words::Found> {
    report.sort = Sort::Bounce;
    report.evidence.extend(signs.sender.clone());
    report.evidence.extend(signs.subject.as_ref().map(|words| format!("its subject says \"{words}\"")));
    report.evidence.extend(signs.words.as_ref().map(|words| format!("its words say \"{words}\"")));
    let own = own_addresses(message, report);
    let subject = pieces::subject(message);
    let mut found = words::recipients(&pieces.words, &own);
    if signs.sender.is_none() {
        // Anybody may speak of mail that did not arrive, and of whom to ask about it.
        found.retain(|found| found.is_sure);
    }
    if found.is_empty() && !wraps_report(report) {
        found = elsewhere(message, report, &subject, &own);
    }
    if pieces.words.trim().is_empty() {
        // All that it says stands in its subject.
        found.iter_mut().for_each(|found| found.reason.clone_from(&subject));
    }
    let action = notice::action(&subject, &pieces.words);
    report.recipients = found
        .iter()
        .map(|found| RecipientReport {
            original_recipient: found.original.clone(),
            final_recipient: (!found.recipient.is_empty()).then(|| found.recipient.clone()),
            ..RecipientReport::of(action)
        })
        .collect();
    found
}

/// Whether what it returns is a report itself.
fn wraps_report(report: &Report) -> bool {
    report.original_header("From").is_some_and(|from| WORDS.senders.occurs(&from.to_lowercase()))
}

/// Where the words name nobody: a field of the header, the subject, the only recipient of the returned message; at last
/// somebody unnamed.
fn elsewhere(message: &Message<'_>, report: &mut Report, subject: &str, own: &[String]) -> Vec<words::Found> {
    let found = |recipient: String| words::Found { recipient, original: None, reason: String::new(), is_sure: true };
    let failed = pieces::header(message, "X-Failed-Recipients").unwrap_or("");
    let failed: Vec<_> = crate::address::all(failed).into_iter().map(|hit| found(hit.address)).collect();
    if !failed.is_empty() {
        report.evidence.push("X-Failed-Recipients names the recipient".to_owned());
        return failed;
    }
    let others = |text: &str| -> Vec<String> {
        let all = crate::address::all(text).into_iter().map(|hit| hit.address);
        all.filter(|address| !own.contains(&address.to_lowercase())).collect()
    };
    if let [one] = others(subject).as_slice() {
        report.evidence.push("the subject names the recipient".to_owned());
        return vec![found(one.clone())];
    }
    for name in
        ["X-Envelope-To", "X-Failed-Recipients", "Envelope-To", "X-HmXmrOriginalRecipient", "X-Original-To", "To"]
    {
        let value = report.original_header(name).unwrap_or("");
        if let [one] = others(value).as_slice() {
            let one = one.clone();
            report.evidence.push(format!("the returned message's {name} names the recipient"));
            return vec![found(one)];
        }
    }
    report.complaints.push("it names no recipient".to_owned());
    vec![found(String::new())]
}

fn says_rejected(message: &Message<'_>, pieces: &Pieces) -> bool {
    let all = format!("{} {}", pieces::subject(message), pieces.words).to_lowercase();
    ["rejected", "quota", "could not be delivered", "refused"].iter().any(|word| all.contains(word))
}

/// A gateway that wraps a whole report into one of its own says nothing itself: what it wraps does.
fn look_inside(raw: &[u8], pieces: &Pieces, rules: &Rules, report: &mut Report) {
    let unnamed = matches!(report.sort, Sort::Bounce | Sort::DeliveryReport) || !pieces.status.is_empty();
    let nested = pieces.nested.clone().and_then(|range| raw.get(range));
    let Some(inner) = nested.or(pieces.below.as_ref().map(String::as_bytes)).filter(|_| unnamed) else { return };
    let inner = understand(inner, rules, false);
    if matches!(inner.sort, Sort::DeliveryReport | Sort::Bounce)
        && inner.recipients.iter().any(|r| r.final_recipient.is_some())
    {
        let evidence = std::mem::take(&mut report.evidence);
        *report = inner;
        report.evidence.splice(0..0, evidence);
        report.evidence.push("the report that it wraps says so".to_owned());
    }
}

/// Message-ID, or what stands for it where a system lists it among its own fields.
fn original_message_id(report: &Report) -> Option<String> {
    let value = report.original_header("Message-ID")?;
    let value = value.split_whitespace().next()?;
    let bare = value.trim_start_matches('<').trim_end_matches('>');
    (!bare.is_empty()).then(|| bare.to_owned())
}

/// RFC 3834's signs, and those that systems had before it.
fn is_automatic(message: &Message<'_>) -> Option<&'static str> {
    let field = |name: &'static str| pieces::header(message, name).map(str::to_ascii_lowercase);
    if field("Auto-Submitted").is_some_and(|value| value.starts_with("auto-replied")) {
        return Some("Auto-Submitted: auto-replied");
    }
    for name in [
        "X-Autoreply",
        "X-Autorespond",
        "X-Autoresponder",
        "X-Auto-Response-Suppress",
        "X-Apple-Action",
        "X-Mail-Autoreply",
        "Delivered-By-The-Graces",
        "X-AutoReply-From",
    ] {
        if field(name).is_some_and(|value| value != "no") {
            return Some("it has a field of automatic answers");
        }
    }
    let precedence = field("Precedence").or_else(|| field("X-Precedence")).unwrap_or_default();
    ["auto_reply", "auto-reply"].contains(&precedence.as_str()).then_some("Precedence: auto_reply")
}

fn automatic(message: &Message<'_>, pieces: &Pieces, signs: &Signs, report: &mut Report) -> bool {
    let subject = pieces::subject(message).to_lowercase();
    let by_field = is_automatic(message);
    let by_subject = WORDS.automatic_subjects.find(&subject);
    let vacation_words = WORDS.automatic_words.find(&pieces.words.to_lowercase());
    let reports =
        signs.are_enough() && (pieces::header(message, "X-Failed-Recipients").is_some() || signs.subject.is_some());
    let evidence = match (by_field, by_subject, vacation_words) {
        (_, Some(words), _)
            if signs.subject.is_none()
                && !signs::is_list(message)
                && (by_field.is_some() || begins(&subject, words) || vacation_words.is_some()) =>
        {
            format!("its subject says \"{words}\"")
        }
        (Some(field), _, _) if !reports && !from_program(signs) => field.to_owned(),
        (None, None, Some(words))
            if signs.sender.as_deref() == Some("its return path is empty") && signs.subject.is_none() =>
        {
            format!("its words say \"{words}\"")
        }
        _ => return false,
    };
    report.sort = Sort::AutoReply;
    report.evidence.push(evidence);
    answered(message, report);
    true
}

fn begins(subject: &str, words: &str) -> bool {
    subject.trim_start_matches("re: ").starts_with(words)
}

fn from_program(signs: &Signs) -> bool {
    signs.sender.as_ref().is_some_and(|sender| sender.starts_with("it comes from"))
}

/// What is answered is named in the answer's own fields (RFC 3834 §3.1.5).
fn answered(message: &Message<'_>, report: &mut Report) {
    report.recipients.clear();
    if report.original_message_id.is_none() {
        let id = pieces::header(message, "In-Reply-To").and_then(|value| value.split_whitespace().next());
        report.original_message_id = id.map(|id| id.trim_matches(['<', '>']).to_owned()).filter(|id| !id.is_empty());
    }
}

fn challenge(message: &Message<'_>, pieces: &Pieces, report: &mut Report) -> bool {
    let all = format!("{} {}", pieces::subject(message), pieces.words).to_lowercase();
    let Some(words) = WORDS.challenges.find(&all) else { return false };
    // A mail about a challenge is none: it is an automatic mail that answers ours, or returns it.
    let answers = pieces::header(message, "In-Reply-To").is_some()
        || pieces.returned
        || pieces::header(message, "Return-Path") == Some("<>");
    let automatic = is_automatic(message).is_some()
        || !pieces.status.is_empty()
        || pieces::header(message, "Auto-Submitted").is_some_and(|value| !value.eq_ignore_ascii_case("no"));
    if signs::is_list(message) || !(automatic || answers) || failed_for_real(report) {
        return false;
    }
    report.sort = Sort::Challenge;
    report.evidence.push(format!("its words say \"{words}\""));
    answered(message, report);
    true
}

/// A delivery status with a server's own reply was not made by a challenge system.
fn failed_for_real(report: &Report) -> bool {
    report.recipients.iter().any(|group| {
        group.action == Action::Failed && group.diagnostic.as_deref().and_then(crate::diagnostic::reply_in).is_some()
    })
}

fn disposition(part: &str, report: &mut Report) {
    report.sort = Sort::DispositionNotice;
    for group in delivery_status::groups(part, &mut report.complaints) {
        for (name, value) in &group {
            match name.as_str() {
                "disposition" => report.evidence.push(format!("Disposition: {value}")),
                "final-recipient" => report.from = Some(delivery_status::after_type(value).to_owned()),
                "original-message-id" if report.original_message_id.is_none() => {
                    report.original_message_id = Some(value.trim_matches(['<', '>']).to_owned());
                }
                _ => {}
            }
        }
    }
}

fn unsubscribe(message: &Message<'_>, report: &mut Report) {
    let subject = pieces::subject(message).to_lowercase();
    let subject = subject.trim().trim_start_matches("re:").trim();
    let Some(words) = WORDS.unsubscribe_subjects.find(subject).filter(|words| subject.starts_with(words)) else {
        return;
    };
    // A long subject tells of something; a request has hardly more than the word.
    if subject.chars().count() > words.chars().count() + 30 || signs::is_list(message) {
        return;
    }
    report.sort = Sort::Unsubscribe;
    report.evidence.push(format!("its subject asks: \"{words}\""));
}
