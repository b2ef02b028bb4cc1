//! Complaints (RFC 5965, RFC 6591, RFC 9477), with their feedback part or without.
//!
//! Original-Rcpt-To is often redacted or absent: then the returned message must say whom it went to, and the sender's own
//! mark in it (CFBL-Feedback-ID, Feedback-ID) is worth more than any address.

use crate::address;
use crate::auth_failure;
use crate::delivery_status::{after_type, date_ms, groups};
use crate::pieces::{self, Pieces};
use crate::report::{Feedback, Report, Sort};
use crate::vocabulary::WORDS;
use mail_parser::Message;

/// Reads a complaint; `false` where it is none.
pub(crate) fn read(message: &Message<'_>, pieces: &Pieces, is_bounce: bool, report: &mut Report) -> bool {
    let feedback = match &pieces.feedback {
        Some(part) => of_part(part, report),
        // The reason of a bounce may speak of complaints.
        None if is_bounce && !message.content_type_is_feedback() => return false,
        None => match of_words(message, pieces) {
            Some((feedback, evidence)) => {
                report.evidence.push(evidence);
                feedback
            }
            None => return false,
        },
    };
    report.sort = Sort::Feedback;
    report.recipients.clear();
    report.arrival_ms = report.arrival_ms.or(feedback.arrival_ms);
    let feedback = completed(feedback, report);
    report.feedback = Some(feedback);
    true
}

fn of_part(part: &str, report: &mut Report) -> Feedback {
    report.evidence.push("it has a feedback report (RFC 5965)".to_owned());
    let mut feedback = Feedback { incidents: 1, ..Feedback::default() };
    let mut told = auth_failure::Told::default();
    for (name, value) in groups(part, &mut report.complaints).into_iter().flatten() {
        told.take(&name, &value);
        let bare = || Some(value.trim_matches(['<', '>']).to_owned()).filter(|value| !value.is_empty());
        match name.as_str() {
            "feedback-type" => feedback.feedback_type = value.to_ascii_lowercase(),
            "user-agent" => feedback.user_agent = bare(),
            "original-rcpt-to" | "removal-recipient" => feedback.recipients.extend(recipient(&value)),
            "original-mail-from" => feedback.original_mail_from = bare(),
            "source-ip" => feedback.source_ip = bare(),
            "reported-domain" => feedback.reported_domains.extend(bare()),
            "auth-failure" => feedback.auth_failure = Some(value.to_ascii_lowercase()),
            "delivery-result" => feedback.delivery_result = bare().map(|word| word.to_ascii_lowercase()),
            "arrival-date" | "received-date" => feedback.arrival_ms = date_ms(&value),
            "incidents" => feedback.incidents = value.parse().unwrap_or(1).max(1),
            _ => {}
        }
    }
    if feedback.feedback_type.is_empty() {
        report.complaints.push("the feedback report has no Feedback-Type".to_owned());
        "abuse".clone_into(&mut feedback.feedback_type);
    }
    if feedback.is_auth_failure() {
        feedback.failed_signatures = told.failed(report);
    }
    feedback
}

fn of_words(message: &Message<'_>, pieces: &Pieces) -> Option<(Feedback, String)> {
    let declared = message.content_type_is_feedback();
    let subject = pieces::subject(message).to_lowercase();
    let words: String = pieces.words.lines().take(20).collect::<Vec<_>>().join(" ").to_lowercase();
    let said = WORDS.complaints.find(&subject).or_else(|| WORDS.complaints.find(&words));
    // A mail about complaints returns nothing.
    let evidence = match said {
        _ if declared => "it calls itself a feedback report".to_owned(),
        Some(said) if pieces.returned && pieces.status.is_empty() => {
            format!("it says \"{said}\" and returns a message")
        }
        _ => return None,
    };
    let kind = if subject.contains("dmarc") || words.contains("dmarc") || subject.contains("authentication") {
        "auth-failure"
    } else {
        "abuse"
    };
    Some((Feedback { feedback_type: kind.to_owned(), incidents: 1, ..Feedback::default() }, evidence))
}

trait DeclaredFeedback {
    fn content_type_is_feedback(&self) -> bool;
}

impl DeclaredFeedback for Message<'_> {
    fn content_type_is_feedback(&self) -> bool {
        use mail_parser::MimeHeaders;
        let kind = self.content_type().and_then(|found| found.attribute("report-type"));
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("feedback-report"))
    }
}

fn recipient(value: &str) -> Option<String> {
    let found =
        address::only(after_type(value)).or_else(|| address::all(value).into_iter().next().map(|hit| hit.address))?;
    // Redacted or hashed, as RFC 6590 has it: of no use here.
    let local = found.split('@').next().unwrap_or("").to_lowercase();
    let redacted = local.contains("redacted")
        || local == "hashed"
        || local.contains("*")
        || local == "undisclosed"
        || local.starts_with("xxx");
    (!redacted && found.contains('@')).then_some(found)
}

fn completed(mut feedback: Feedback, report: &Report) -> Feedback {
    let mut seen: Vec<String> = Vec::new();
    feedback.recipients.retain(|address| {
        let lower = address.to_lowercase();
        let new = !seen.contains(&lower);
        seen.push(lower);
        new
    });
    if feedback.recipients.is_empty() {
        for name in [
            "X-HmXmrOriginalRecipient",
            "X-Original-To",
            "Delivered-To",
            "X-Apparently-To",
            "X-Envelope-To",
            "Envelope-To",
            "X-Rcpt-To",
            "To",
        ] {
            let found = report.original_header(name).and_then(recipient);
            if found.is_some() {
                feedback.recipients.extend(found);
                break;
            }
        }
    }
    if feedback.original_mail_from.is_none() {
        let path = report.original_header("Return-Path").map(|value| value.trim_matches(['<', '>', ' ']).to_owned());
        feedback.original_mail_from = path.filter(|path| !path.is_empty());
    }
    let mark = report.original_header("CFBL-Feedback-ID").or_else(|| report.original_header("Feedback-ID"));
    feedback.feedback_id = mark.map(str::to_owned);
    feedback
}
