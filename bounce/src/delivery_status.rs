//! Delivery status notifications (RFC 3464), read the way they are really written.
//!
//! What counts is the message/delivery-status part, wherever it stands (OpenSMTPD puts it into multipart/mixed), but
//! never one inside the returned message: that would be an older report about somebody else.

use crate::diagnostic;
use crate::report::{Action, RecipientReport, Report};
use crate::words::RECIPIENTS_MAX;
use mail_parser::DateTime;

/// So many complaints about one mail are kept.
const COMPLAINTS_MAX: usize = 20;

/// A field's name in lower case and its unfolded value.
pub(crate) type Field = (String, String);

/// RFC 3464 §2.1: groups of fields with an empty line between them, the first about the message.
pub(crate) fn read(text: &str, report: &mut Report) {
    for group in groups(text, &mut report.complaints) {
        if report.recipients.len() == RECIPIENTS_MAX {
            complain(&mut report.complaints, "it names more recipients than are read");
            break;
        }
        let field = |name: &str| {
            group
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        if field("reporting-mta").is_some() && report.reporting_mta.is_none() {
            report.reporting_mta = field("reporting-mta").map(|value| after_type(value).to_owned());
        }
        if report.arrival_ms.is_none() {
            report.arrival_ms = field("arrival-date").and_then(date_ms);
        }
        let about_recipient = ["final-recipient", "original-recipient", "action", "status"];
        if about_recipient.iter().any(|name| field(name).is_some()) {
            let recipient = read_recipient(&field, &mut report.complaints);
            report.recipients.extend(recipient);
        }
    }
}

fn read_recipient<'f>(
    field: &impl Fn(&str) -> Option<&'f str>,
    complaints: &mut Vec<String>,
) -> Option<RecipientReport> {
    let address_of = |name| field(name).and_then(address);
    let diagnostic = field("diagnostic-code").map(after_type).filter(|text| !text.is_empty()).map(str::to_owned);
    // A comment may stand behind any value (RFC 5322 §3.2.2); some reporters say nothing elsewhere.
    let diagnostic = diagnostic.or_else(|| field("status").and_then(comment));
    let status = field("status").and_then(diagnostic::status_in);
    if status.is_none() {
        complain(complaints, "a recipient has no readable Status");
    }
    let (original_recipient, final_recipient) = (address_of("original-recipient"), address_of("final-recipient"));
    if original_recipient.is_none() && final_recipient.is_none() {
        complain(complaints, "a recipient group names no recipient");
    }
    let stated = field("action").and_then(|text| Some((Action::parse(text)?, text)));
    let is_stated =
        stated.is_some_and(|(action, text)| text.trim_start().to_ascii_lowercase().starts_with(action.as_str()));
    let action = match (stated.map(|(action, _)| action), status) {
        (Some(action), _) => action,
        (None, Some(status)) => {
            complain(complaints, "a recipient has no readable Action; taken from its Status");
            Action::of_status(status)
        }
        (None, None) => {
            complain(complaints, "a recipient has neither Action nor Status; left out");
            return None;
        }
    };
    Some(RecipientReport {
        original_recipient,
        final_recipient,
        is_stated,
        status,
        diagnostic,
        remote_mta: field("remote-mta").map(|value| after_type(value).trim_matches(['[', ']']).to_owned()),
        last_attempt_ms: field("last-attempt-date").and_then(date_ms),
        ..RecipientReport::of(action)
    })
}

/// `4.0.0 (mx.example: host name lookup failure)` without what it comments.
fn comment(value: &str) -> Option<String> {
    let (_, comment) = value.split_once('(')?;
    let comment = comment.trim_end().strip_suffix(')')?.trim();
    (!comment.is_empty()).then(|| comment.to_owned())
}

fn complain(complaints: &mut Vec<String>, why: &str) {
    if complaints.len() < COMPLAINTS_MAX {
        complaints.push(why.to_owned());
    }
}

/// Takes the fields apart. A recipient field that occurs again begins a new group even without an empty line, since
/// some reporters forget it.
pub(crate) fn groups(text: &str, complaints: &mut Vec<String>) -> Vec<Vec<Field>> {
    let mut groups: Vec<Vec<Field>> = vec![Vec::new()];
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        let Some(group) = groups.last_mut() else { continue };
        if line.trim().is_empty() {
            groups.push(Vec::new());
        } else if line.starts_with([' ', '\t']) {
            match group.last_mut() {
                Some((_, value)) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                None => complain(complaints, "a continuation line without a field"),
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            let begins = matches!(name.as_str(), "final-recipient" | "original-recipient");
            let field = (name, value.trim().to_owned());
            if begins && group.iter().any(|(found, _)| *found == field.0) {
                groups.push(vec![field]);
            } else {
                group.push(field);
            }
        } else {
            complain(complaints, "a line of the delivery status is no field");
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// `rfc822; ana@example.com` without its type.
pub(crate) fn after_type(value: &str) -> &str {
    match value.split_once(';') {
        // A type is one word; a semicolon further on belongs to the text.
        Some((kind, rest)) if !kind.trim().contains([' ', '@', '<']) => rest.trim(),
        _ => value.trim(),
    }
}

fn address(value: &str) -> Option<String> {
    let bare = after_type(value);
    let bare = match (bare.find('<'), bare.rfind('>')) {
        (Some(open), Some(close)) if open < close => &bare[open + 1..close],
        _ => bare,
    };
    let bare = bare.trim();
    (!bare.is_empty()).then(|| bare.to_owned())
}

pub(crate) fn date_ms(value: &str) -> Option<i64> {
    let date = DateTime::parse_rfc822(value)?;
    (date.is_valid()).then(|| date.to_timestamp().saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        assert_eq!(after_type("smtp; 550 a; b"), "550 a; b");
        assert_eq!(after_type("550 a; b"), "550 a; b");
        assert_eq!(after_type("dns;mx.example"), "mx.example");
        assert_eq!(address("RFC822; <Ana@example.com>").as_deref(), Some("Ana@example.com"));
        assert_eq!(address("rfc822;"), None);
        assert_eq!(Action::parse("Failed (x)"), Some(Action::Failed));
        assert_eq!(Action::parse("sleeping"), None);
        assert_eq!(date_ms("Fri, 20 Nov 2026 10:37:03 +0000 (UTC)"), Some(1_795_171_023_000));
    }
}
