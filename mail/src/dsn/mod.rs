//! Reports of our own to whoever handed a message in (RFC 3461 §6): multipart/report (RFC 6522) with a text for people,
//! the delivery status (RFC 3464), and the message or its headers. Where an address has UTF-8, the parts of RFC 6533.

mod xtext;

use crate::compose::rfc5322_date;
use crate::{Address, EnhancedStatus};
use std::fmt::Write as _;
pub use xtext::{decoded, orcpt};

/// Longest text of another server in a report.
const DIAGNOSTIC_MAX: usize = 900;

/// What became of a message for one recipient (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet delivered, still being tried.
    Delayed,
    /// Handed on to a system that does not report.
    Relayed,
    /// Delivered to a list that sends it on.
    Expanded,
    /// Delivered.
    Delivered,
}

impl Action {
    /// The word of the Action field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
            Action::Delivered => "delivered",
        }
    }

    /// The action of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Action> {
        [Action::Failed, Action::Delayed, Action::Relayed, Action::Expanded, Action::Delivered]
            .into_iter()
            .find(|action| action.as_str() == word)
    }

    /// Whether NOTIFY with these words asks to be told of it (RFC 3461 §4.1).
    #[must_use]
    pub fn is_asked(self, notify: &str) -> bool {
        let wanted = match self {
            Action::Failed => "FAILURE",
            Action::Delayed => "DELAY",
            Action::Relayed | Action::Expanded | Action::Delivered => "SUCCESS",
        };
        notify.split(',').any(|word| word == wanted)
    }

    fn subject(self) -> &'static str {
        match self {
            Action::Failed => "Not delivered",
            Action::Delayed => "Not delivered yet",
            Action::Relayed => "Handed on",
            Action::Expanded | Action::Delivered => "Delivered",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Action::Failed => "Your message could not be delivered. It is not tried any more:",
            Action::Delayed => {
                "Your message could not be delivered yet. It is still being tried; nothing need be done:"
            }
            Action::Relayed => {
                "Your message was handed on to a server that reports nothing, so no more will be heard of it:"
            }
            Action::Expanded => "Your message was delivered to a list, which sends it on:",
            Action::Delivered => "Your message was delivered:",
        }
    }
}

/// What is told of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The recipient.
    pub address: Address,
    /// The value of ORCPT, as the submitter gave it.
    pub orcpt: Option<String>,
    /// What became of it.
    pub action: Action,
    /// The status, of the class that belongs to the action.
    pub status: EnhancedStatus,
    /// What was answered, code and status before it; or what happened instead of an answer.
    pub diagnostic: Option<Diagnostic>,
    /// The host that answered.
    pub remote_mta: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Until when it is tried.
    pub until_ms: Option<i64>,
}

/// Why, in whose words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnostic {
    /// The other server's reply.
    Smtp(String),
    /// Our own.
    Own(String),
}

/// The message that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Original {
    /// All of it (RET=FULL).
    Whole(Vec<u8>),
    /// Its header fields.
    Headers(Vec<u8>),
}

/// A report.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// The name that we go by.
    pub reporting_mta: &'a str,
    /// Who says it.
    pub from: &'a Address,
    /// Who handed the message in.
    pub to: &'a Address,
    /// The report's own Message-ID, without its brackets.
    pub header_id: &'a str,
    /// The message's Message-ID.
    pub about: &'a str,
    /// ENVID as it was given (RFC 3461 §4.4).
    pub envid: Option<&'a str>,
    /// When the message was taken in.
    pub arrival_ms: i64,
    /// Now.
    pub now_ms: i64,
    /// At least one.
    pub told: &'a [Told],
    /// The message.
    pub original: &'a Original,
}

impl Notice<'_> {
    /// The subject, after the gravest of what is told.
    #[must_use]
    pub fn subject(&self) -> String {
        let gravest = self.told.iter().map(|told| told.action).min().map_or("Delivery report", Action::subject);
        let who = match self.told {
            [only] if only.address.to_string().is_ascii() => format!(" to {}", only.address),
            [_] => String::new(),
            several => format!(" to {} recipients", several.len()),
        };
        format!("{gravest}{who}")
    }

    /// The whole message, lines ending in CR LF.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let utf8 = self.told.iter().any(|told| told.address.needs_smtputf8())
            || self.told.iter().any(|told| told.orcpt.as_ref().is_some_and(|orcpt| !orcpt.is_ascii()));
        let boundary = self.boundary();
        let mut out = self.head(&boundary);
        let _ = write!(out, "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n");
        part(&mut out, &self.text());
        let kind = if utf8 { "message/global-delivery-status" } else { "message/delivery-status" };
        let _ = write!(out, "--{boundary}\r\nContent-Type: {kind}\r\n");
        part(&mut out, &self.status(utf8));
        let (kind, bytes) = match self.original {
            Original::Whole(bytes) => (if utf8 { "message/global" } else { "message/rfc822" }, bytes),
            Original::Headers(bytes) => (if utf8 { "message/global-headers" } else { "text/rfc822-headers" }, bytes),
        };
        let _ = write!(out, "--{boundary}\r\nContent-Type: {kind}\r\n");
        if !bytes.is_ascii() {
            out.push_str("Content-Transfer-Encoding: 8bit\r\n");
        }
        out.push_str("\r\n");
        let mut out = out.into_bytes();
        out.extend_from_slice(bytes);
        if !bytes.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    }

    /// Of the report's own id, which nothing in the original can have known.
    fn boundary(&self) -> String {
        let word: String = self.header_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        format!("=_report_{word}")
    }

    fn head(&self, boundary: &str) -> String {
        let date = rfc5322_date(self.now_ms).unwrap_or_default();
        format!(
            "From: Mail Delivery System <{}>\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{}>\r\n\
             In-Reply-To: <{about}>\r\nReferences: <{about}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\r\n",
            self.from,
            self.to,
            self.subject(),
            self.header_id,
            about = self.about,
        )
    }

    fn text(&self) -> String {
        let mut out = format!("This is the mail system at {}.\r\n", self.reporting_mta);
        let mut last = None;
        for told in self.told {
            if last != Some(told.action) {
                let _ = write!(out, "\r\n{}\r\n", told.action.sentence());
                last = Some(told.action);
            }
            let why = match &told.diagnostic {
                Some(Diagnostic::Smtp(text)) => format!(": {} answered: {}", told.remote(), one_line(text)),
                Some(Diagnostic::Own(text)) => format!(": {}", one_line(text)),
                None => String::new(),
            };
            let _ = write!(out, "\r\n  {}{why}\r\n", told.address);
        }
        out
    }

    fn status(&self, utf8: bool) -> String {
        let arrival = rfc5322_date(self.arrival_ms).unwrap_or_default();
        let mut out = String::new();
        if let Some(envid) = self.envid {
            let _ = write!(out, "Original-Envelope-Id: {}\r\n", one_line(&decoded(envid)));
        }
        let _ = write!(out, "Reporting-MTA: dns; {}\r\nArrival-Date: {arrival}\r\n", self.reporting_mta);
        for told in self.told {
            out.push_str("\r\n");
            told.push(&mut out, utf8);
        }
        out
    }
}

impl Told {
    fn remote(&self) -> &str {
        self.remote_mta.as_deref().unwrap_or("the other server")
    }

    /// Its fields (RFC 3464 §2.3).
    fn push(&self, out: &mut String, utf8: bool) {
        if let Some(orcpt) = &self.orcpt {
            let _ = match orcpt.split_once(';') {
                Some((kind, _)) if kind.eq_ignore_ascii_case("utf-8") => {
                    write!(out, "Original-Recipient: {}\r\n", one_line(orcpt))
                }
                _ => write!(out, "Original-Recipient: {}\r\n", one_line(&decoded(orcpt))),
            };
        }
        let kind = if self.address.needs_smtputf8() { "utf-8" } else { "rfc822" };
        let _ = write!(out, "Final-Recipient: {kind}; {}\r\n", self.address);
        let _ = write!(out, "Action: {}\r\nStatus: {}\r\n", self.action.as_str(), self.status);
        if let Some(host) = &self.remote_mta {
            let _ = write!(out, "Remote-MTA: dns; {host}\r\n");
        }
        let diagnostic = match &self.diagnostic {
            Some(Diagnostic::Smtp(text)) => Some(("smtp", text)),
            Some(Diagnostic::Own(text)) => Some(("X-Packetboat", text)),
            None => None,
        };
        if let Some((kind, text)) = diagnostic {
            let text = one_line(text);
            let text = if utf8 || text.is_ascii() { text } else { text.replace(|c: char| !c.is_ascii(), "?") };
            let _ = write!(out, "Diagnostic-Code: {kind}; {text}\r\n");
        }
        for (name, at_ms) in [("Last-Attempt-Date", Some(self.at_ms)), ("Will-Retry-Until", self.until_ms)] {
            if let Some(date) = at_ms.and_then(|at_ms| rfc5322_date(at_ms).ok()) {
                let _ = write!(out, "{name}: {date}\r\n");
            }
        }
    }
}

fn part(out: &mut String, body: &str) {
    if !body.is_ascii() {
        out.push_str("Content-Transfer-Encoding: 8bit\r\n");
    }
    let _ = write!(out, "\r\n{body}\r\n");
}

/// Foreign words as one line of bounded length: they must not become fields or parts.
fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let mut line = words.join(" ");
    if line.len() > DIAGNOSTIC_MAX {
        let end = (0..=DIAGNOSTIC_MAX).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(end);
    }
    line
}

/// The header fields of a message, at most so many bytes of them, whole lines.
#[must_use]
pub fn headers_of(message: &[u8], most: usize) -> &[u8] {
    let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    if end <= most {
        return &message[..end];
    }
    let cut = memchr::memmem::rfind(&message[..most], b"\r\n").map_or(0, |at| at + 2);
    &message[..cut]
}

#[cfg(test)]
mod tests;
