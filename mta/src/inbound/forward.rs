//! An answer as it goes on to the people who read it: through our own queue, from our own return path, so that SPF
//! holds; from the reply address, so that DMARC holds, with the author in Reply-To and in the display name.

use super::guard::LOOP_FIELD;
use super::head::{Field, Head};
use mail::{Address, Mailbox};

/// Longest display name that is taken over.
const NAME_MAX: usize = 120;

/// Fields that are not true of the forwarded mail, or are written anew.
const TAKEN_OUT: &[&str] = &[
    "From",
    "Sender",
    "Reply-To",
    "Message-ID",
    "References",
    "Return-Path",
    "Delivered-To",
    "X-Original-To",
    "Bcc",
    // Signatures over another From are broken, and what others judged of it is not for the next to believe.
    "DKIM-Signature",
    "DomainKey-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Authentication-Results",
    "Received-SPF",
    // Who reads it would answer to its author without knowing.
    "Disposition-Notification-To",
    "Return-Receipt-To",
    mail::FEEDBACK_MARK,
    "CFBL-Address",
];

/// The forwarded mail: `id` is its Message-ID, `via` the reply address, `author` who wrote it.
pub(super) fn write(head: &Head<'_>, via: &Address, author: &Mailbox, id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.body.len() + 4096);
    let mut line = |text: String| out.extend_from_slice(format!("{text}\r\n").as_bytes());
    line(format!("{LOOP_FIELD}: {}", via.to_string().to_lowercase()));
    line(format!("From: {} <{via}>", shown(author)));
    if head.all("Reply-To").next().is_none() {
        line(format!("Reply-To: {}", author.address));
    }
    line(format!("Message-ID: <{id}>"));
    // So that programs show the conversation as one.
    let thread = [head.text("References"), head.text("Message-ID")].into_iter().flatten().collect::<Vec<_>>();
    if !thread.is_empty() {
        line(format!("References: {}", thread.join("\r\n ").replace("> <", ">\r\n <")));
    }
    for field in &head.fields {
        if kept(field) {
            push_lines(field.whole, &mut out);
        }
    }
    out.extend_from_slice(b"\r\n");
    push_lines(head.body, &mut out);
    out
}

fn kept(field: &Field<'_>) -> bool {
    // The author's own wish where answers go stays.
    field.is("Reply-To") || !TAKEN_OUT.iter().any(|name| field.is(name))
}

/// The author's name as display name: encoded words stay encoded words, which are none within quotes (RFC 2047 §5).
fn shown(author: &Mailbox) -> String {
    let name = author.name.trim();
    let is_short = !name.is_empty() && name.len() <= NAME_MAX;
    let plain = |c: char| c.is_ascii_alphanumeric() || " =?_-*+!/'".contains(c);
    if is_short && name.contains("=?") && name.chars().all(plain) {
        return name.to_owned();
    }
    let name = match is_short && name.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
        true => name.to_owned(),
        // An address in the name looks like a forgery to filters.
        false => author.address.to_string().replace('@', " at "),
    };
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Lines with CR LF at their ends, whatever ends they had: a bare CR or LF must not be sent (RFC 5321 §2.3.8).
fn push_lines(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = memchr::memchr2(b'\r', b'\n', rest) else {
            out.extend_from_slice(rest);
            out.extend_from_slice(b"\r\n");
            return;
        };
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[at + if rest[at..].starts_with(b"\r\n") { 2 } else { 1 }..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(raw: &str, expected: Expect) {
        let head = Head::read(raw.as_bytes());
        let author = Mailbox::parse(&head.text("From").unwrap()).unwrap();
        let via = Address::parse("Hello@news.example").unwrap();
        let written = write(&head, &via, &author, "1.2@news.example");
        expected.assert_eq(&String::from_utf8(written).unwrap().replace("\r\n", "\n"));
    }

    #[test]
    fn what_goes_on() {
        check(
            "Return-Path: <ana@example.net>\r\nReceived: from a by b\r\nDKIM-Signature: v=1;\r\n b=x\r\n\
             From: \"Ana \\\"A\\\" Lee\" <ana@example.net>\r\nTo: hello@news.example\r\nSubject: Re: Spring\r\n\
             Message-ID: <7@example.net>\r\nIn-Reply-To: <1.2.3@news.example>\r\n\
             References: <1.2.3@news.example>\r\n\r\nThank you!\n.\rbye",
            expect![[r#"
                Packetboat-Loop: hello@news.example
                From: "Ana \"A\" Lee" <Hello@news.example>
                Reply-To: ana@example.net
                Message-ID: <1.2@news.example>
                References: <1.2.3@news.example>
                 <7@example.net>
                Received: from a by b
                To: hello@news.example
                Subject: Re: Spring
                In-Reply-To: <1.2.3@news.example>

                Thank you!
                .
                bye
            "#]],
        );
        check(
            "From: =?utf-8?q?J=C3=BCrg?= <j@example.net>\nReply-To: other@example.net\n\nhi\n",
            expect![[r#"
                Packetboat-Loop: hello@news.example
                From: =?utf-8?q?J=C3=BCrg?= <Hello@news.example>
                Message-ID: <1.2@news.example>
                Reply-To: other@example.net

                hi
            "#]],
        );
        check(
            "From: ana@example.net\n\n",
            expect![[r#"
                Packetboat-Loop: hello@news.example
                From: "ana at example.net" <Hello@news.example>
                Reply-To: ana@example.net
                Message-ID: <1.2@news.example>

            "#]],
        );
    }
}
