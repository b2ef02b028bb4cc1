//! A letter written by a program: addresses, subject, bodies, attachments and headers as one message.
//!
//! What it says is checked first, field by field, since mail-builder writes names and values unchecked. It carries no
//! Message-ID and no Date of its own making: `prepare` adds what is missing and checks the whole.

use crate::Mailbox;
use mail_builder::headers::Header;
use mail_builder::headers::address::Address as BuilderAddress;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};
use std::borrow::Cow;

/// Header fields of the program's own at most.
const HEADERS_MAX: usize = 100;
/// Characters of a file's name at most.
const NAME_CHARS_MAX: usize = 255;

/// What a letter is made of.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The author.
    pub from: &'a Mailbox,
    /// Whom it is addressed to.
    pub to: &'a [Mailbox],
    /// Who gets a copy, for all to see.
    pub cc: &'a [Mailbox],
    /// Where answers go, when not to the author.
    pub reply_to: Option<&'a Mailbox>,
    /// The subject.
    pub subject: &'a str,
    /// The plain text.
    pub text: &'a str,
    /// The HTML, where there is some.
    pub html: Option<&'a str>,
    /// Files.
    pub attachments: &'a [Attachment],
    /// Further header fields, name and value.
    pub headers: &'a [(String, String)],
    /// Used by no other message: what the boundaries between the parts are made of.
    pub id: &'a str,
}

/// A file in a letter.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its content.
    pub content: Vec<u8>,
    /// With an id it is shown where the HTML says `cid:ID` (RFC 2392), and not listed.
    pub content_id: Option<String>,
}

/// A field that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct LetterError {
    /// Which, for example `attachments[2].name`.
    pub field: String,
    /// What is wrong and what to do.
    pub why: String,
}

fn wrong<T>(field: impl Into<String>, why: impl Into<String>) -> Result<T, LetterError> {
    Err(LetterError { field: field.into(), why: why.into() })
}

/// Writes the letter, lines ending in CR LF.
///
/// # Errors
/// The first field that cannot be written.
pub fn write(letter: &Letter<'_>) -> Result<Vec<u8>, LetterError> {
    check(letter)?;
    let mut out = Vec::with_capacity(size(letter));
    field(&mut out, "From", &mailboxes(std::slice::from_ref(letter.from)));
    for (name, list) in [("To", letter.to), ("Cc", letter.cc)] {
        if !list.is_empty() {
            field(&mut out, name, &mailboxes(list));
        }
    }
    if let Some(reply_to) = letter.reply_to {
        field(&mut out, "Reply-To", &mailboxes(std::slice::from_ref(reply_to)));
    }
    field(&mut out, "Subject", &Text::new(letter.subject));
    for (name, value) in letter.headers {
        // Identifiers and the like must stay as they are; words that are not ASCII have to be encoded.
        if value.is_ascii() {
            field(&mut out, name, &Raw::new(value.as_str()));
        } else {
            field(&mut out, name, &Text::new(value.as_str()));
        }
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    body(letter).write_part(&mut out);
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

fn field(out: &mut Vec<u8>, name: &str, value: &impl Header) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    value.write_header(out, name.len() + 2);
}

fn mailboxes(list: &[Mailbox]) -> BuilderAddress<'_> {
    let one = |mailbox: &Mailbox| {
        let name = (!mailbox.name.is_empty()).then(|| mailbox.name.clone());
        BuilderAddress::new_address(name, mailbox.address.to_string())
    };
    match list {
        [mailbox] => one(mailbox),
        list => BuilderAddress::new_list(list.iter().map(one).collect()),
    }
}

/// Text and HTML as alternatives, what the HTML shows beside it, and the files behind (RFC 2046 §5.1, RFC 2387).
fn body<'a>(letter: &Letter<'a>) -> MimePart<'a> {
    let text = MimePart::new("text/plain", crate::compose::clean(letter.text));
    let main = match letter.html {
        None => text,
        Some(html) => {
            let html = MimePart::new("text/html", crate::compose::clean(html));
            let shown = parts(letter, true);
            let html = if shown.is_empty() { html } else { multipart(letter, "related", html, shown) };
            multipart(letter, "alternative", text, vec![html])
        }
    };
    let files = parts(letter, letter.html.is_none());
    if files.is_empty() { main } else { multipart(letter, "mixed", main, files) }
}

/// The files that the HTML shows or, without HTML, all of them; otherwise those that it does not show.
fn parts<'a>(letter: &Letter<'a>, shown: bool) -> Vec<MimePart<'a>> {
    let wanted = |file: &&Attachment| letter.html.is_none() || file.content_id.is_some() == shown;
    letter.attachments.iter().filter(wanted).map(part).collect()
}

fn part(file: &Attachment) -> MimePart<'_> {
    let part = MimePart {
        // Written raw, so that the builder does not take text for its own to encode: whatever its charset and line
        // ends, a file arrives as it was.
        headers: vec![(Cow::Borrowed("Content-Type"), Raw::new(file.content_type.as_str()).into())],
        contents: BodyPart::Binary(Cow::Borrowed(&file.content)),
    };
    let shown = if file.content_id.is_some() { "inline" } else { "attachment" };
    let part = part.header("Content-Disposition", ContentType::new(shown).attribute("filename", file.name.as_str()));
    match &file.content_id {
        Some(id) => part.cid(id.as_str()),
        None => part,
    }
}

fn multipart<'a>(letter: &Letter<'a>, kind: &str, first: MimePart<'a>, rest: Vec<MimePart<'a>>) -> MimePart<'a> {
    // `=_` stands in no quoted-printable or base64 text (RFC 2045 §6.7).
    let boundary = format!("=_{kind}_{}", letter.id);
    let mut parts = vec![first];
    parts.extend(rest);
    MimePart::new(ContentType::new(format!("multipart/{kind}")).attribute("boundary", boundary), parts)
}

fn size(letter: &Letter<'_>) -> usize {
    let files: usize = letter.attachments.iter().map(|file| file.content.len() * 7 / 5 + 512).sum();
    files + (letter.text.len() + letter.html.map_or(0, str::len)) * 5 / 4 + 2048
}

fn check(letter: &Letter<'_>) -> Result<(), LetterError> {
    let lists = [("from", std::slice::from_ref(letter.from)), ("to", letter.to), ("cc", letter.cc)];
    let reply_to = ("reply_to", letter.reply_to.map_or(&[][..], std::slice::from_ref));
    for (field, list) in lists.into_iter().chain([reply_to]) {
        for mailbox in list {
            no_control(field, &mailbox.name)?;
        }
    }
    no_control("subject", letter.subject)?;
    if letter.headers.len() > HEADERS_MAX {
        return wrong("headers", format!("at most {HEADERS_MAX} headers"));
    }
    for (name, value) in letter.headers {
        header(name, value)?;
    }
    for (at, file) in letter.attachments.iter().enumerate() {
        attachment(at, file)?;
    }
    Ok(())
}

fn no_control(field: &str, value: &str) -> Result<(), LetterError> {
    if value.chars().any(char::is_control) {
        return wrong(field, "it has a line end or another control character");
    }
    Ok(())
}

/// What we write ourselves, what only the way may add (RFC 5321 §4.4), and what names how the body is made.
const NOT_YOURS: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "reply-to",
    "mime-version",
    "return-path",
    "received",
    "dkim-signature",
    "authentication-results",
];

fn header(name: &str, value: &str) -> Result<(), LetterError> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let field = format!("headers.{shown}");
    // RFC 5322 §3.6.8.
    let good = |b: u8| b.is_ascii_graphic() && b != b':';
    if name.is_empty() || name.len() > 76 || !name.bytes().all(good) {
        return wrong(field, "a header's name has 1 to 76 letters, digits and hyphens");
    }
    let lower = name.to_ascii_lowercase();
    if NOT_YOURS.contains(&lower.as_str()) || lower.starts_with("content-") || lower.starts_with("x-packetboat-") {
        return wrong(field, "this header is written for you; use the field of the request that stands for it");
    }
    no_control(&field, value)
}

fn attachment(at: usize, file: &Attachment) -> Result<(), LetterError> {
    let field = |name: &str| format!("attachments[{at}].{name}");
    if file.name.is_empty() || file.name.chars().count() > NAME_CHARS_MAX {
        return wrong(field("name"), format!("a file's name has 1 to {NAME_CHARS_MAX} characters"));
    }
    no_control(&field("name"), &file.name)?;
    if !is_media_type(&file.content_type) {
        return wrong(field("content_type"), "a media type looks like application/pdf");
    }
    let id = file.content_id.as_deref();
    if id.is_some_and(|id| {
        id.is_empty() || id.len() > 200 || !id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>')
    }) {
        return wrong(field("content_id"), "a content id has 1 to 200 letters and digits, without blanks and brackets");
    }
    Ok(())
}

/// `type/subtype` (RFC 2045 §5.1), perhaps with parameters. Composite types are not for files.
fn is_media_type(text: &str) -> bool {
    let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let Some((main, sub)) = kind.trim_end().split_once('/') else { return false };
    text.len() <= 200
        && token(main)
        && token(sub)
        && !main.eq_ignore_ascii_case("multipart")
        && parameters.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::{Defaults, prepare};
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    struct Parts {
        from: Mailbox,
        to: Vec<Mailbox>,
        subject: String,
        text: String,
        html: Option<String>,
        headers: Vec<(String, String)>,
        attachments: Vec<Attachment>,
    }

    fn parts() -> Parts {
        Parts {
            from: Mailbox::parse("Ana <ana@example.com>").unwrap(),
            to: vec![Mailbox::parse("bo@example.net").unwrap(), Mailbox::parse("Cé <c@example.net>").unwrap()],
            subject: "Olá".to_owned(),
            text: "Hello".to_owned(),
            html: None,
            headers: Vec::new(),
            attachments: Vec::new(),
        }
    }

    fn written(parts: &Parts) -> Result<Vec<u8>, LetterError> {
        write(&Letter {
            from: &parts.from,
            to: &parts.to,
            cc: &[],
            reply_to: Some(&parts.from),
            subject: &parts.subject,
            text: &parts.text,
            html: parts.html.as_deref(),
            attachments: &parts.attachments,
            headers: &parts.headers,
            id: "7",
        })
    }

    fn file(name: &str, content_id: Option<&str>) -> Attachment {
        Attachment {
            name: name.to_owned(),
            content_type: "text/csv; charset=utf-8".to_owned(),
            content: b"a;b\nc;d\r\n".to_vec(),
            content_id: content_id.map(str::to_owned),
        }
    }

    fn check(parts: &Parts, expected: Expect) {
        let found = match written(parts) {
            Ok(message) => String::from_utf8(message).unwrap().replace("\r\n", "\n"),
            Err(e) => e.to_string(),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn text_alone() {
        let headers = vec![("X-Order".to_owned(), "17".to_owned()), ("X-Name".to_owned(), "Zoë".to_owned())];
        check(
            &Parts { headers, ..parts() },
            expect![[r#"
            From: "Ana" <ana@example.com>
            To: <bo@example.net>, =?utf-8?B?Q8Op?= <c@example.net>
            Reply-To: "Ana" <ana@example.com>
            Subject: =?utf-8?B?T2zDoQ==?=
            X-Order: 17
            X-Name: =?utf-8?B?Wm/Dqw==?=
            MIME-Version: 1.0
            Content-Type: text/plain; charset="utf-8"
            Content-Transfer-Encoding: 7bit

            Hello
        "#]],
        );
    }

    #[test]
    fn alternatives_pictures_and_files() {
        let html = Some("<img src='cid:logo'>".to_owned());
        let attachments = vec![file("data.csv", None), file("logo", Some("logo"))];
        check(
            &Parts { html, attachments, ..parts() },
            expect![[r#"
            From: "Ana" <ana@example.com>
            To: <bo@example.net>, =?utf-8?B?Q8Op?= <c@example.net>
            Reply-To: "Ana" <ana@example.com>
            Subject: =?utf-8?B?T2zDoQ==?=
            MIME-Version: 1.0
            Content-Type: multipart/mixed; boundary="=_mixed_7"


            --=_mixed_7
            Content-Type: multipart/alternative; boundary="=_alternative_7"


            --=_alternative_7
            Content-Type: text/plain; charset="utf-8"
            Content-Transfer-Encoding: 7bit

            Hello
            --=_alternative_7
            Content-Type: multipart/related; boundary="=_related_7"


            --=_related_7
            Content-Type: text/html; charset="utf-8"
            Content-Transfer-Encoding: 7bit

            <img src='cid:logo'>
            --=_related_7
            Content-Type: text/csv; charset=utf-8
            Content-Disposition: inline; filename="logo"
            Content-ID: <logo>
            Content-Transfer-Encoding: base64

            YTtiCmM7ZA0K

            --=_related_7--

            --=_alternative_7--

            --=_mixed_7
            Content-Type: text/csv; charset=utf-8
            Content-Disposition: attachment; filename="data.csv"
            Content-Transfer-Encoding: base64

            YTtiCmM7ZA0K

            --=_mixed_7--
        "#]],
        );
    }

    #[test]
    fn refused() {
        let header = |name: &str, value: &str| Parts { headers: vec![(name.to_owned(), value.to_owned())], ..parts() };
        let with = |file: Attachment| Parts { attachments: vec![file], ..parts() };
        for (parts, expected) in [
            (
                Parts { subject: "a\r\nBcc: x@example.com".to_owned(), ..parts() },
                expect!["subject: it has a line end or another control character"],
            ),
            (
                header("X-A", "b\nBcc: c@example.com"),
                expect!["headers.X-A: it has a line end or another control character"],
            ),
            (header("X A", "b"), expect!["headers.X A: a header's name has 1 to 76 letters, digits and hyphens"]),
            (
                header("X-A: b\r\nBcc", "c@example.com"),
                expect!["headers.X-A: bBcc: a header's name has 1 to 76 letters, digits and hyphens"],
            ),
            (
                header("Bcc", "c@example.com"),
                expect!["headers.Bcc: this header is written for you; use the field of the request that stands for it"],
            ),
            (
                header("content-type", "text/html"),
                expect![
                    "headers.content-type: this header is written for you; use the field of the request that stands for it"
                ],
            ),
            (
                header("X-Packetboat-Stream", "bulk"),
                expect![
                    "headers.X-Packetboat-Stream: this header is written for you; use the field of the request that stands for it"
                ],
            ),
            (with(file("", None)), expect!["attachments[0].name: a file's name has 1 to 255 characters"]),
            (with(file("a\nb", None)), expect!["attachments[0].name: it has a line end or another control character"]),
            (
                with(file("a", Some("<b>"))),
                expect![
                    "attachments[0].content_id: a content id has 1 to 200 letters and digits, without blanks and brackets"
                ],
            ),
            (
                with(Attachment { content_type: "multipart/mixed".to_owned(), ..file("a", None) }),
                expect!["attachments[0].content_type: a media type looks like application/pdf"],
            ),
            (
                with(Attachment { content_type: "text/plain\r\nX: y".to_owned(), ..file("a", None) }),
                expect!["attachments[0].content_type: a media type looks like application/pdf"],
            ),
        ] {
            check(&parts, expected);
        }
    }

    #[test]
    fn files_arrive_as_they_were() {
        let attachments = vec![file("données, \"2\".csv", None), file("b.csv", None)];
        let message = written(&Parts { attachments, ..parts() }).unwrap();
        let read = mail_parser::MessageParser::default().parse(&message).unwrap();
        let found: Vec<_> = read
            .attachments()
            .map(|part| (mail_parser::MimeHeaders::attachment_name(part).unwrap().to_owned(), part.contents().to_vec()))
            .collect();
        let content = b"a;b\nc;d\r\n".to_vec();
        assert_eq!(found, [("données, \"2\".csv".to_owned(), content.clone()), ("b.csv".to_owned(), content)]);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_a_message(
            subject in "\\PC{0,200}", name in "\\PC{0,60}", text in any::<String>(), html in any::<Option<String>>(),
            value in "\\PC{0,300}", content in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let from = Mailbox { name, ..parts().from };
            let attachments = vec![Attachment { content, ..file("a", None) }];
            let headers = vec![("X-Value".to_owned(), value)];
            let Ok(message) = written(&Parts { from, subject, text, html, headers, attachments, ..parts() }) else { return Ok(()) };
            match prepare(&message, &Defaults { id: "1", date_ms: 0 }) {
                Ok(prepared) => prop_assert_eq!(prepared.from.to_string(), "ana@example.com"),
                // A header's value without any blank cannot be folded.
                Err(e) => prop_assert!(matches!(e, crate::submission::NotAMessage::LongLine { .. }), "{}", e),
            }
        }
    }
}
