//! What was understood, and why, in sentences for people.

use crate::classify::{DecidedBy, Kind};
use crate::report::{Action, Feedback, RecipientReport, Report, Sort};
use crate::rules::Rules;
use std::fmt::Write as _;

impl Sort {
    /// The sort in a few words.
    fn sentence(self) -> &'static str {
        match self {
            Sort::DeliveryReport => "a delivery report",
            Sort::Bounce => "a report of delivery in words",
            Sort::Feedback => "a complaint",
            Sort::DispositionNotice => "a notice of what the reader did",
            Sort::AutoReply => "an automatic answer",
            Sort::Challenge => "a challenge: the sender is to prove that they are a person",
            Sort::Unsubscribe => "a request to get no more",
            Sort::DmarcReport => "a DMARC aggregate report",
            Sort::TlsReport => "a TLS report",
            Sort::Ordinary => "ordinary mail",
        }
    }
}

impl Kind {
    /// What is to be done about the recipient. The class says what happened; this is another question.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Kind::Hard => "Suppress the address: it will not work.",
            Kind::Soft => "Keep the address; try again with the next mail.",
            Kind::Block => "Keep the address, and look after our own name: this is about us.",
            Kind::Delay => "Wait: it is still being tried, or is to be tried again more slowly.",
            Kind::Delivered | Kind::AutoReply => "Nothing: it has arrived.",
            Kind::Feedback => "Send them no more.",
            Kind::Unknown => "Keep the address; read the text, and make a rule of it.",
        }
    }
}

/// Tells of a mail: its sort, why, whom it is about, what is to be done.
#[must_use]
pub fn explain(report: &Report, rules: &Rules) -> String {
    let mut out = format!("This is {}.\n", report.sort.sentence());
    for evidence in &report.evidence {
        let _ = writeln!(out, "  because {evidence}");
    }
    if let Some(id) = &report.original_message_id {
        let _ = writeln!(out, "About the message <{id}>.");
    }
    for recipient in &report.recipients {
        about(&mut out, recipient, rules);
    }
    complaint(&mut out, report);
    figures(&mut out, report);
    if matches!(report.sort, Sort::AutoReply | Sort::Challenge | Sort::Unsubscribe) {
        let _ = writeln!(out, "From {}.", report.from.as_deref().unwrap_or("somebody who is not named"));
    }
    if let Some(class) = report.class() {
        let _ = writeln!(out, "  {class} ({}). {}", Kind::AutoReply.as_str(), Kind::AutoReply.advice());
    }
    for complaint in &report.complaints {
        let _ = writeln!(out, "Odd: {complaint}.");
    }
    out
}

fn about(out: &mut String, group: &RecipientReport, rules: &Rules) {
    let name = group.final_recipient.as_ref().or(group.original_recipient.as_ref());
    let _ = write!(out, "{}: {}", name.map_or("somebody who is not named", String::as_str), group.action.as_str());
    match group.classify(rules) {
        Some(found) => {
            let by = match found.by {
                DecidedBy::OwnRule => format!("your own rule {}", found.rule),
                DecidedBy::BuiltinRule => format!("the rule {}", found.rule),
                DecidedBy::Codes => format!("its codes alone ({})", found.rule),
                DecidedBy::Nothing => "no rule".to_owned(),
            };
            let _ = writeln!(out, ", {} ({}), by {by}", found.class, found.kind.as_str());
            if let Some(reply) = group.reply() {
                let _ = writeln!(out, "  they said: {reply}");
            }
            let _ = writeln!(out, "  {}", found.kind.advice());
        }
        None if matches!(group.action, Action::Failed | Action::Delayed) => {
            let _ = writeln!(out, ", without a reason\n  {}", Kind::Unknown.advice());
        }
        None => {
            let _ = writeln!(out, "\n  {}", Kind::Delivered.advice());
        }
    }
}

fn complaint(out: &mut String, report: &Report) {
    let Some(feedback) = &report.feedback else { return };
    if feedback.is_auth_failure() {
        return auth_failure(out, feedback);
    }
    let whom = match feedback.recipients.as_slice() {
        [] => "somebody who is not named".to_owned(),
        named => named.join(", "),
    };
    let _ = writeln!(out, "{whom}: complaint of the type {}", feedback.feedback_type);
    if let Some(mark) = &feedback.feedback_id {
        let _ = writeln!(out, "  the message bears the mark {mark}");
    }
    let _ = writeln!(out, "  {}", Kind::Feedback.advice());
}

fn auth_failure(out: &mut String, feedback: &Feedback) {
    let ip = feedback.source_ip.as_deref().unwrap_or("an address that is not named");
    let what = feedback.auth_failure.as_deref().unwrap_or("what, it does not say");
    let _ = writeln!(out, "Mail from {ip} failed authentication: {what}.");
    for one in &feedback.failed_signatures {
        let selector = if one.selector.is_empty() { "?" } else { &one.selector };
        let _ = writeln!(out, "  the signature of {selector}._domainkey.{} failed", one.domain);
    }
    let _ =
        writeln!(out, "  Nothing against the recipient. If it is mail of yours, look at the key and the SPF record.");
}

fn figures(out: &mut String, report: &Report) {
    if let Some(dmarc) = &report.dmarc {
        let messages: u64 = dmarc.rows.iter().map(|row| row.messages).sum();
        let passed: u64 = dmarc.rows.iter().filter(|row| row.dkim_pass || row.spf_pass).map(|row| row.messages).sum();
        let (who, domain) = (&dmarc.organization, &dmarc.domain);
        let _ = writeln!(out, "{who} saw {messages} messages of {domain}; {passed} passed DMARC.");
    }
    for policy in report.tls.iter().flat_map(|tls| &tls.policies) {
        let (domain, good, bad) = (&policy.domain, policy.successful, policy.failed);
        let _ = writeln!(out, "{domain} ({}): {good} sessions went well, {bad} failed.", policy.policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(raw: &str, expected: Expect) {
        expected.assert_eq(&explain(&crate::parse(raw.as_bytes()), Rules::builtin()));
    }

    #[test]
    fn a_bounce() {
        check(
            "From: MAILER-DAEMON@mx.example\nTo: me@example.net\nSubject: failure notice\n\nI'm afraid I wasn't able \
             to deliver your message.\n\n<ana@example.com>:\n550 5.1.1 no such user\n\n--- Below this line is a \
             copy of the message.\n\nMessage-ID: <1@example.net>\nFrom: me@example.net\n",
            expect![[r#"
                This is a report of delivery in words.
                  because it comes from "mailer-daemon"
                  because its subject says "failure notice"
                  because its words say "wasn't able to deliver"
                About the message <1@example.net>.
                ana@example.com: failed, bad_mailbox (hard), by the rule bad-mailbox-words
                  they said: 550 5.1.1 no such user
                  Suppress the address: it will not work.
            "#]],
        );
    }

    #[test]
    fn an_authentication_failure() {
        check(
            "From: r@big.example\nTo: me@a.example\nSubject: FW: Hello\nMIME-Version: 1.0\nContent-Type: multipart/report; \
             report-type=feedback-report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\n\
             Feedback-Type: auth-failure\nVersion: 1\nUser-Agent: R/1\nAuth-Failure: bodyhash\nDKIM-Domain: a.example\n\
             DKIM-Selector: s1\nSource-IP: 192.0.2.1\nOriginal-Rcpt-To: ana@big.example\n\n--b--\n",
            expect![[r#"
                This is a complaint.
                  because it has a feedback report (RFC 5965)
                Mail from 192.0.2.1 failed authentication: bodyhash.
                  the signature of s1._domainkey.a.example failed
                  Nothing against the recipient. If it is mail of yours, look at the key and the SPF record.
            "#]],
        );
    }

    #[test]
    fn a_vacation_note() {
        check(
            "From: ana@example.com\nTo: me@example.net\nSubject: Out of office: Hello\nAuto-Submitted: auto-replied\n\n\
             I am away.\n",
            expect![[r#"
                This is an automatic answer.
                  because its subject says "out of office"
                From ana@example.com.
                  vacation (auto_reply). Nothing: it has arrived.
            "#]],
        );
    }

    #[test]
    fn ordinary_mail() {
        check(
            "From: bo@example.com\nSubject: Lunch\n\nAt twelve?\n",
            expect![[r#"
            This is ordinary mail.
              because nothing in it is a report of any sort
        "#]],
        );
    }
}
