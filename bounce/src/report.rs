//! Delivery status notifications (RFC 3464), read the way they are really written.
//!
//! What counts is the message/delivery-status part, wherever it stands (OpenSMTPD puts it into multipart/mixed), but
//! never one inside the returned message: that would be an older report about somebody else.

use crate::classify::{Classified, Kind, Stage, classify};
use mail::{EnhancedStatus, Reply};
use mail_parser::{DateTime, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// A report as far as it was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// One entry per recipient group.
    pub recipients: Vec<RecipientReport>,
    /// Message-ID of the returned message, without angle brackets.
    pub original_message_id: Option<String>,
    /// The system that writes.
    pub reporting_mta: Option<String>,
    /// When the original message arrived there; milliseconds since 1970, UTC.
    pub arrival_ms: Option<i64>,
    /// What was odd or missing, for people.
    pub complaints: Vec<String>,
}

/// What a report says of one recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct RecipientReport {
    /// The address that we sent to, if the reporter knows it.
    pub original_recipient: Option<String>,
    /// The address that delivery ended at, perhaps after forwarding.
    pub final_recipient: Option<String>,
    /// What happened.
    pub action: Action,
    /// The enhanced status.
    pub status: Option<EnhancedStatus>,
    /// The remote server's words, without the type before them.
    pub diagnostic: Option<String>,
    /// The server that said them.
    pub remote_mta: Option<String>,
    /// When it was last tried; milliseconds since 1970, UTC.
    pub last_attempt_ms: Option<i64>,
}

/// RFC 3464 §2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet delivered, still being tried.
    Delayed,
    /// Delivered.
    Delivered,
    /// Handed on to a system that doesn't report.
    Relayed,
    /// Delivered to a list that sends it on.
    Expanded,
}

impl Action {
    fn parse(text: &str) -> Option<Action> {
        // "failed (bad destination mailbox)" occurs.
        let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
        Some(match word.to_ascii_lowercase().as_str() {
            "failed" | "failure" => Action::Failed,
            "delayed" => Action::Delayed,
            "delivered" | "deliverable" => Action::Delivered,
            "relayed" => Action::Relayed,
            "expanded" => Action::Expanded,
            _ => return None,
        })
    }

    fn of_status(status: EnhancedStatus) -> Action {
        match status.class {
            2 => Action::Delivered,
            4 => Action::Delayed,
            _ => Action::Failed,
        }
    }
}

impl RecipientReport {
    /// The SMTP reply that the report is about, to be classified. Where the remote server's words aren't known, one is
    /// made of the status.
    #[must_use]
    pub fn reply(&self) -> Option<Reply> {
        let text = self.diagnostic.as_deref().unwrap_or("");
        if let Some(reply) = reply_in(text) {
            // Sendmail writes "Status: 5.1.1" about any refused RCPT, an SPF rejection too: with a real reply at hand
            // only that reply's own status counts.
            return Some(reply);
        }
        let class = self.status.map_or(if self.action == Action::Failed { 5 } else { 4 }, |status| status.class);
        if class == 2 || (text.is_empty() && self.status.is_none()) {
            return None;
        }
        Some(Reply { code: u16::from(class) * 100 + 50, enhanced: self.status, text: text.to_owned() })
    }

    /// What it means; `None` when it tells of no trouble. A delay is never more than a delay, whatever its words.
    #[must_use]
    pub fn classify(&self) -> Option<Classified> {
        let found = match self.action {
            Action::Delivered | Action::Relayed | Action::Expanded => return None,
            Action::Failed | Action::Delayed => classify(&self.reply()?, Stage::Report),
        };
        let kind = if self.action == Action::Delayed { Kind::Delay } else { found.kind };
        Some(Classified { kind, ..found })
    }
}

/// Reads a returned mail.
#[must_use]
pub fn parse(raw: &[u8]) -> Report {
    let mut report = Report::default();
    let Some(message) = MessageParser::default().parse(raw) else {
        report.complaints.push("this is no mail at all".to_owned());
        return report;
    };
    let status_parts: Vec<&MessagePart<'_>> = message
        .parts
        .iter()
        .filter(|part| {
            part.is_content_type("message", "delivery-status")
                || part.is_content_type("message", "global-delivery-status")
        })
        .collect();
    if status_parts.is_empty() {
        report.complaints.push("it has no message/delivery-status part".to_owned());
    }
    for part in status_parts {
        read_status(&contents(&message, part), &mut report);
    }
    report.original_message_id = message.parts.iter().find_map(|part| returned_message_id(&message, part));
    report
}

/// The decoded content of a part, however mail-parser filed it.
fn contents<'m>(message: &'m Message<'_>, part: &'m MessagePart<'_>) -> Vec<u8> {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.as_bytes().to_vec(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.to_vec(),
        PartType::Message(_) | PartType::Multipart(_) => {
            let range = part.offset_body as usize..part.offset_end as usize;
            message.raw_message.get(range).unwrap_or_default().to_vec()
        }
    }
}

fn returned_message_id(message: &Message<'_>, part: &MessagePart<'_>) -> Option<String> {
    if let PartType::Message(returned) = &part.body {
        return returned.message_id().map(str::to_owned);
    }
    let headers_only = part.is_content_type("text", "rfc822-headers")
        || part.is_content_type("message", "rfc822-headers")
        || part.is_content_type("message", "global-headers")
        || part.is_content_type("message", "rfc822")
        || part.is_content_type("message", "global");
    if !headers_only {
        return None;
    }
    let content = contents(message, part);
    MessageParser::default().parse_headers(&content)?.message_id().map(str::to_owned)
}

/// A field's name in lower case and its unfolded value.
type Field = (String, String);

/// RFC 3464 §2.1: groups of fields with an empty line between them, the first about the message.
fn read_status(content: &[u8], report: &mut Report) {
    let text = String::from_utf8_lossy(content);
    for group in groups(&text, &mut report.complaints) {
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
    let status = field("status").and_then(status_in);
    if status.is_none() {
        complaints.push("a recipient has no readable Status".to_owned());
    }
    let (original_recipient, final_recipient) = (address_of("original-recipient"), address_of("final-recipient"));
    if original_recipient.is_none() && final_recipient.is_none() {
        complaints.push("a recipient group names no recipient".to_owned());
    }
    let action = match (field("action").and_then(Action::parse), status) {
        (Some(action), _) => action,
        (None, Some(status)) => {
            complaints.push("a recipient has no readable Action; taken from its Status".to_owned());
            Action::of_status(status)
        }
        (None, None) => {
            complaints.push("a recipient has neither Action nor Status; left out".to_owned());
            return None;
        }
    };
    Some(RecipientReport {
        original_recipient,
        final_recipient,
        action,
        status,
        diagnostic,
        remote_mta: field("remote-mta").map(|value| after_type(value).trim_matches(['[', ']']).to_owned()),
        last_attempt_ms: field("last-attempt-date").and_then(date_ms),
    })
}

/// Takes the fields apart. A recipient field that occurs again begins a new group even without an empty line, since
/// some reporters forget it.
fn groups(text: &str, complaints: &mut Vec<String>) -> Vec<Vec<Field>> {
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
                None => complaints.push("a continuation line without a field".to_owned()),
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
            complaints.push("a line of the delivery status is no field".to_owned());
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// `rfc822; ana@example.com` without its type.
fn after_type(value: &str) -> &str {
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

/// `5.1.1 (bad destination mailbox address)` occurs.
fn status_in(value: &str) -> Option<EnhancedStatus> {
    value.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(EnhancedStatus::parse)
}

fn date_ms(value: &str) -> Option<i64> {
    let date = DateTime::parse_rfc822(value)?;
    (date.is_valid()).then(|| date.to_timestamp().saturating_mul(1000))
}

/// The SMTP reply in a diagnostic text: `550 5.1.1 no such user`, `550-5.1.1 no such 550 5.1.1 user` (lines joined),
/// or with words before it, which are kept since they may say more than the reply does.
fn reply_in(text: &str) -> Option<Reply> {
    let code_of = |word: &str| {
        let digits = word.get(..3)?;
        let good = digits.bytes().all(|b| b.is_ascii_digit()) && matches!(word.as_bytes()[0], b'4' | b'5');
        let ends = matches!(word.as_bytes().get(3), None | Some(b'-' | b':' | b'#'));
        (good && ends).then(|| digits.parse::<u16>().ok()).flatten()
    };
    let code = text.split_ascii_whitespace().find_map(code_of)?;
    let mut rest = String::with_capacity(text.len());
    let mut status = None;
    let mut at_line_start = false;
    for word in text.split_ascii_whitespace() {
        let mut word = word;
        if code_of(word) == Some(code) {
            // The code again: another line of the same reply, perhaps glued to its status.
            word = word.get(4..).unwrap_or("");
            at_line_start = true;
            if word.is_empty() {
                continue;
            }
        }
        let own_status = EnhancedStatus::parse(word).filter(|found| u16::from(found.class) == code / 100);
        if at_line_start && own_status.is_some() {
            status = status.or(own_status);
        } else {
            if !rest.is_empty() {
                rest.push(' ');
            }
            rest.push_str(word);
        }
        at_line_start = false;
    }
    Some(Reply { code, enhanced: status, text: rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_in_diagnostics() {
        for (text, expected) in [
            ("550 5.1.1 no such user", Some("550 5.1.1 no such user")),
            ("550-5.1.1 no such 550-5.1.1 user 550 5.1.1 here", Some("550 5.1.1 no such user here")),
            ("550 no such user", Some("550 no such user")),
            (
                "host mx.example [192.0.2.1] said: 452 4.2.2 full",
                Some("452 4.2.2 host mx.example [192.0.2.1] said: full"),
            ),
            ("421", Some("421")),
            ("550 #5.1.0 Address rejected.", Some("550 #5.1.0 Address rejected.")),
            ("5.1.1 user unknown", None),
            ("connect to mx.example[192.0.2.1]:25: Connection timed out", None),
            ("", None),
            ("4é", None),
        ] {
            assert_eq!(reply_in(text).map(|reply| reply.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn fields() {
        assert_eq!(after_type("smtp; 550 a; b"), "550 a; b");
        assert_eq!(after_type("550 a; b"), "550 a; b");
        assert_eq!(after_type("dns;mx.example"), "mx.example");
        assert_eq!(address("RFC822; <Ana@example.com>").as_deref(), Some("Ana@example.com"));
        assert_eq!(address("rfc822;"), None);
        assert_eq!(status_in("5.1.1 (bad)").map(|s| s.to_string()).as_deref(), Some("5.1.1"));
        assert_eq!(Action::parse("Failed (x)"), Some(Action::Failed));
        assert_eq!(Action::parse("sleeping"), None);
        assert_eq!(date_ms("Fri, 20 Nov 2026 10:37:03 +0000 (UTC)"), Some(1_795_171_023_000));
    }
}
