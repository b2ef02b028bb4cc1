//! What was understood of a mail that came in: the types that [`crate::parse`] fills.

use crate::classify::{Classified, Kind, Stage};
use crate::diagnostic::{reply_in, trouble_in};
use crate::rules::Rules;
use mail::{BounceClass, EnhancedStatus, Reply};

/// What sort of mail it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A delivery status notification with its machine-readable part (RFC 3464).
    DeliveryReport,
    /// A report of (non-)delivery in words only.
    Bounce,
    /// A complaint or authentication failure (RFC 5965, RFC 6591, RFC 9477).
    Feedback,
    /// Somebody saw the message, or deleted it unseen (RFC 8098).
    DispositionNotice,
    /// A vacation note or another automatic answer (RFC 3834).
    AutoReply,
    /// The recipient's system wants the sender to prove that they are a person.
    Challenge,
    /// Somebody asks not to get more.
    Unsubscribe,
    /// A DMARC aggregate report (RFC 7489, RFC 9990).
    DmarcReport,
    /// A TLS report (RFC 8460).
    TlsReport,
    /// Anything else.
    #[default]
    Ordinary,
}

impl Sort {
    /// For people and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::DeliveryReport => "delivery_report",
            Sort::Bounce => "bounce",
            Sort::Feedback => "feedback",
            Sort::DispositionNotice => "disposition_notice",
            Sort::AutoReply => "auto_reply",
            Sort::Challenge => "challenge",
            Sort::Unsubscribe => "unsubscribe",
            Sort::DmarcReport => "dmarc_report",
            Sort::TlsReport => "tls_report",
            Sort::Ordinary => "ordinary",
        }
    }
}

/// A mail as far as it was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What sort of mail it is.
    pub sort: Sort,
    /// What happened to each recipient; empty unless it is a delivery report or a bounce.
    pub recipients: Vec<RecipientReport>,
    /// The complaint, where it is one.
    pub feedback: Option<Feedback>,
    /// The figures of a DMARC aggregate report.
    pub dmarc: Option<DmarcFigures>,
    /// The figures of a TLS report.
    pub tls: Option<TlsFigures>,
    /// The address that an automatic answer, challenge or unsubscribe request comes from.
    pub from: Option<String>,
    /// Message-ID of the returned (or answered) message, without angle brackets.
    pub original_message_id: Option<String>,
    /// The header fields of the returned message, names as written; at most [`crate::ORIGINAL_HEADERS_MAX`].
    pub original_headers: Vec<(String, String)>,
    /// The system that writes.
    pub reporting_mta: Option<String>,
    /// When the original message arrived there; milliseconds since 1970, UTC.
    pub arrival_ms: Option<i64>,
    /// Why it was read so, for people.
    pub evidence: Vec<String>,
    /// What was odd or missing, for people.
    pub complaints: Vec<String>,
}

impl Report {
    /// The class of a mail that answers for its sender; what a report means stands with each of its recipients.
    #[must_use]
    pub fn class(&self) -> Option<BounceClass> {
        (self.sort == Sort::AutoReply).then_some(BounceClass::Vacation)
    }

    /// A field of the returned message by its name in any case.
    #[must_use]
    pub fn original_header(&self, name: &str) -> Option<&str> {
        let found = self.original_headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A complaint (RFC 5965 §3), from its feedback part or, where there is none, from its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// `abuse`, `fraud`, `virus`, `not-spam`, `opt-out`, `auth-failure`, or whatever was written; lower case.
    pub feedback_type: String,
    /// The program that writes.
    pub user_agent: Option<String>,
    /// Who complained, from Original-Rcpt-To, Removal-Recipient, or the returned message's headers; redacted ones are
    /// left out.
    pub recipients: Vec<String>,
    /// The return path of the message that the complaint is about.
    pub original_mail_from: Option<String>,
    /// Our address that the message came from, as written.
    pub source_ip: Option<String>,
    /// The domains that the complaint is about.
    pub reported_domains: Vec<String>,
    /// What failed in an `auth-failure` report (RFC 6591 §3.1): `dkim`, `spf`, `dmarc`, `bodyhash` ...
    pub auth_failure: Option<String>,
    /// The signatures that failed, in such a report.
    pub failed_signatures: Vec<FailedSignature>,
    /// What was done with the mail, in such a report: `delivered`, `spam`, `policy`, `reject`, `other`.
    pub delivery_result: Option<String>,
    /// The sender's own mark in the returned message (RFC 9477 §3.2), or Feedback-ID.
    pub feedback_id: Option<String>,
    /// When the message arrived; milliseconds since 1970, UTC.
    pub arrival_ms: Option<i64>,
    /// How many complaints this one report stands for (RFC 5965 §3.2).
    pub incidents: u32,
}

impl Feedback {
    /// Whether it says that a mail failed authentication (RFC 6591), and so nothing of its recipient.
    #[must_use]
    pub fn is_auth_failure(&self) -> bool {
        matches!(self.feedback_type.as_str(), "auth-failure" | "dkim")
    }
}

/// A DKIM signature that failed, as an authentication failure report names it; lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedSignature {
    /// `d=`.
    pub domain: String,
    /// `s=`; empty where it is not told.
    pub selector: String,
}

/// A DMARC aggregate report in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmarcFigures {
    /// Who reports.
    pub organization: String,
    /// Their name for the report.
    pub report_id: String,
    /// The domain that it is about.
    pub domain: String,
    /// The policy as they saw it: `none`, `quarantine`, `reject`.
    pub policy: String,
    /// The first second of the time told of; seconds since 1970, UTC.
    pub begin_s: u64,
    /// The last second.
    pub end_s: u64,
    /// One entry per row.
    pub rows: Vec<DmarcRow>,
}

/// A row of a DMARC aggregate report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcRow {
    /// The address that the messages came from.
    pub source_ip: Option<std::net::IpAddr>,
    /// The domain in their From field.
    pub header_from: String,
    /// How many messages.
    pub messages: u64,
    /// Whether DKIM passed, aligned.
    pub dkim_pass: bool,
    /// Whether SPF passed, aligned.
    pub spf_pass: bool,
    /// What was done with them: `none`, `quarantine`, `reject`.
    pub disposition: String,
    /// The domain of their return path, where it is told.
    pub envelope_from: String,
    /// The signatures that were looked at; at most ten.
    pub signatures: Vec<DmarcSignature>,
    /// The domain that SPF was asked about, and what came of it: `pass`, `fail`, `softfail` ...
    pub spf: Option<(String, String)>,
}

/// A DKIM signature, as a DMARC report tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcSignature {
    /// `d=`.
    pub domain: String,
    /// `s=`, where it is told.
    pub selector: String,
    /// What came of it: `pass`, `fail`, `neutral` ...
    pub result: String,
}

/// A TLS report in figures (RFC 8460 §4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFigures {
    /// Who reports.
    pub organization: String,
    /// Their name for the report.
    pub report_id: String,
    /// The first moment of the time told of: RFC 3339, as written.
    pub begin: String,
    /// The last one.
    pub end: String,
    /// One entry per policy.
    pub policies: Vec<TlsPolicyFigures>,
}

/// What a TLS report says of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPolicyFigures {
    /// The policy's domain.
    pub domain: String,
    /// `tlsa`, `sts`, `no-policy-found`.
    pub policy: String,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
    /// Why they did; at most a hundred.
    pub failures: Vec<TlsFailure>,
}

/// One sort of failed sessions (RFC 8460 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    /// What went wrong: `certificate-expired`, `starttls-not-supported`, `sts-policy-fetch-error` ...
    pub result: String,
    /// The receiving host, where it is told.
    pub mx: String,
    /// The sender's address, where it is told.
    pub sending_ip: String,
    /// How many sessions.
    pub sessions: u64,
    /// More about it, where it is told.
    pub detail: String,
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
    /// Whether the report says so itself, in a word of RFC 3464 §2.3.3; else it was concluded from other words or codes.
    pub is_stated: bool,
    /// The enhanced status.
    pub status: Option<EnhancedStatus>,
    /// The remote server's words, without the type before them.
    pub diagnostic: Option<String>,
    /// The server that said them.
    pub remote_mta: Option<String>,
    /// When it was last tried; milliseconds since 1970, UTC.
    pub last_attempt_ms: Option<i64>,
    /// Whose server `remote_mta` is. No mail says so: whoever knows the providers fills it in, for rules that are for one
    /// of them.
    pub provider: Option<String>,
    /// Where in its session the remote server said it, where the report tells.
    pub stage: Option<Stage>,
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
    pub(crate) fn parse(text: &str) -> Option<Action> {
        // "failed (bad destination mailbox)" occurs.
        let word = text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or("");
        Some(match word.to_ascii_lowercase().as_str() {
            // "expired" is SendGrid's: its time was over.
            "failed" | "failure" | "fail" | "error" | "undeliverable" | "expired" => Action::Failed,
            "delayed" | "delay" | "deferred" | "transient" => Action::Delayed,
            "delivered" | "deliverable" | "delivery" => Action::Delivered,
            "relayed" | "relay" => Action::Relayed,
            "expanded" => Action::Expanded,
            _ => return None,
        })
    }

    pub(crate) fn of_status(status: EnhancedStatus) -> Action {
        match status.class {
            2 => Action::Delivered,
            4 => Action::Delayed,
            _ => Action::Failed,
        }
    }

    /// The word of RFC 3464.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }
}

impl RecipientReport {
    /// One of which nothing is known but what happened.
    pub(crate) fn of(action: Action) -> RecipientReport {
        RecipientReport {
            original_recipient: None,
            final_recipient: None,
            action,
            is_stated: false,
            status: None,
            diagnostic: None,
            remote_mta: None,
            last_attempt_ms: None,
            provider: None,
            stage: None,
        }
    }

    /// The SMTP reply that stands in the diagnostic.
    #[must_use]
    pub fn quoted_reply(&self) -> Option<Reply> {
        reply_in(self.diagnostic.as_deref()?)
    }

    /// The enhanced status that stands in the diagnostic.
    #[must_use]
    pub fn quoted_status(&self) -> Option<EnhancedStatus> {
        let text = self.diagnostic.as_deref()?;
        let code = self.quoted_reply().map(|reply| (reply.code, reply.enhanced));
        match code {
            Some((_, Some(status))) => Some(status),
            // A status of another class than the reply's is part of the words.
            Some((code, None)) => trouble_in(text).filter(|status| u16::from(status.class) == code / 100),
            None => trouble_in(text),
        }
    }

    /// The SMTP reply that the report is about, to be classified. Where the remote server's words aren't known, one is
    /// made of the status.
    #[must_use]
    pub fn reply(&self) -> Option<Reply> {
        let text = self.diagnostic.as_deref().unwrap_or("");
        if let Some(reply) = self.quoted_reply() {
            // Sendmail writes "Status: 5.1.1" about any refused RCPT, an SPF rejection too: with a real reply at hand
            // only that reply's own status counts.
            return Some(reply);
        }
        let status = self.status.or_else(|| trouble_in(text));
        let class = status.map_or(if self.action == Action::Failed { 5 } else { 4 }, |status| status.class);
        if class == 2 || (text.is_empty() && status.is_none()) {
            return None;
        }
        Some(Reply { code: u16::from(class) * 100 + 50, enhanced: status, text: text.to_owned() })
    }

    /// The reporter's own status, where the server gave none and its words say nothing: all but 5.1.1, which sendmail
    /// and others write about whatever was refused.
    fn status_for(&self, reply: &Reply) -> Option<EnhancedStatus> {
        let vague = |status: &EnhancedStatus| matches!((status.subject, status.detail), (1, 1) | (_, 0));
        self.status.filter(|status| !vague(status) && u16::from(status.class) == reply.code / 100)
    }

    /// What it means; `None` when it tells of no trouble. A delay is never more than a delay, whatever its words.
    #[must_use]
    pub fn classify(&self, rules: &Rules) -> Option<Classified> {
        let found = match self.action {
            Action::Delivered | Action::Relayed | Action::Expanded => return None,
            Action::Failed | Action::Delayed => {
                let rules = rules.at(self.provider.as_deref().unwrap_or(""));
                let reply = self.reply()?;
                let found = rules.classify_reported(&reply, self.stage);
                match self.status_for(&reply).filter(|_| found.class == BounceClass::Unclassified) {
                    Some(status) => rules.classify_reported(&Reply { enhanced: Some(status), ..reply }, self.stage),
                    None => found,
                }
            }
        };
        let kind = if self.action == Action::Delayed { Kind::Delay } else { found.kind };
        Some(Classified { kind, ..found })
    }
}
