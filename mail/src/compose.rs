//! Writing a message: headers and a text and HTML body as RFC 5322 and MIME bytes.
//!
//! mail-builder encodes and folds; it formats addresses and custom headers unchecked, so everything that goes into
//! a header is validated here first (a line end in a display name would inject headers).

use crate::Address;
use mail_builder::MessageBuilder;
use mail_builder::encoders::QuotedPrintableEncoder;
use mail_builder::headers::address::Address as BuilderAddress;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;
use std::borrow::Cow;

/// What a message is made of. Times and ids are arguments, so that the same draft gives the same bytes.
pub struct Draft<'a> {
    /// The From mailbox.
    pub from: &'a Address,
    /// The From display name, empty for none.
    pub from_name: &'a str,
    /// The To mailbox.
    pub to: &'a Address,
    /// Where answers go, when not to From.
    pub reply_to: Option<&'a Address>,
    /// The subject, in UTF-8.
    pub subject: &'a str,
    /// Milliseconds since 1970, UTC.
    pub date_ms: i64,
    /// Without angle brackets; one per recipient (Google has a quota per Message-ID).
    pub message_id: &'a str,
    /// Further headers, already in their final ASCII form, in order: List-Unsubscribe and the like.
    pub headers: &'a [(&'a str, String)],
    /// The bodies.
    pub body: Body<'a>,
    /// Separates the MIME parts; must not occur in them. Derive it from the recipient's id.
    pub boundary: &'a str,
}

/// The bodies of a message.
pub struct Body<'a> {
    /// text/plain.
    pub text: &'a str,
    /// text/html, where there is one.
    pub html: Option<&'a str>,
}

/// Why a message could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A header's value has a line end or another control character.
    #[error("the {header} header has a control character")]
    ControlCharacter {
        /// Which header.
        header: String,
    },
    /// A further header is not ASCII.
    #[error("the {header} header is not ASCII")]
    NotAscii {
        /// Which header.
        header: String,
    },
    /// The date is out of range.
    #[error("{0} ms is not a date")]
    Date(i64),
}

/// Writes the message, CRLF line ends, ready to be signed and sent.
///
/// # Errors
/// When a header's value has a control character, or a further header is not ASCII.
pub fn compose(draft: &Draft<'_>) -> Result<Vec<u8>, ComposeError> {
    for (header, value) in [("From", draft.from_name), ("Subject", draft.subject), ("Message-ID", draft.message_id)] {
        no_control(header, value)?;
    }
    for (name, value) in draft.headers {
        no_control(name, value)?;
        if !name.is_ascii() || !value.is_ascii() {
            return Err(ComposeError::NotAscii { header: (*name).to_owned() });
        }
    }
    let mut builder = MessageBuilder::new()
        .header("From", mailbox(draft.from, draft.from_name))
        .header("To", mailbox(draft.to, ""))
        .header("Subject", Text::new(draft.subject.to_owned()))
        .header("Date", Raw::new(rfc5322_date(draft.date_ms)?))
        .header("Message-ID", Raw::new(format!("<{}>", draft.message_id)));
    if let Some(reply_to) = draft.reply_to {
        builder = builder.header("Reply-To", mailbox(reply_to, ""));
    }
    for (name, value) in draft.headers {
        builder = builder.header((*name).to_owned(), Raw::new(value.clone()));
    }
    let (text, html) = (clean(draft.body.text), draft.body.html.map(clean));
    let builder = match html {
        Some(html) => builder.body(MimePart::new(
            ContentType::new("multipart/alternative").attribute("boundary", draft.boundary.to_owned()),
            vec![part("text/plain", text), part("text/html", html)],
        )),
        None => builder.text_body(text),
    };
    let mut out = Vec::with_capacity(1024 + (draft.body.text.len() + draft.body.html.map_or(0, str::len)) * 5 / 4);
    // Writing to a Vec cannot fail.
    let _ = builder.write_to(&mut out);
    Ok(out)
}

/// A line of this length needs no encoding (RFC 2045 §6.7).
const LINE_MAX: usize = 76;

/// A part as the builder would write it. What is plainly for quoted-printable is encoded here: the builder looks at every
/// byte by itself before it decides, which took longer than the encoding.
fn part<'a>(media_type: &'static str, body: Cow<'a, str>) -> MimePart<'a> {
    if !is_for_quoted_printable(body.as_bytes()) {
        return MimePart::new(media_type, body);
    }
    let mut encoded = Vec::with_capacity(body.len() * 5 / 4);
    QuotedPrintableEncoder::new().preserve_line_breaks().encode_into(body.as_bytes(), &mut encoded);
    let content_type = ContentType::new(media_type).attribute("charset", "utf-8");
    MimePart::new(content_type, encoded).header("Content-Transfer-Encoding", Raw::new("quoted-printable"))
}

/// Whether a line is too long, and few enough bytes need three that base64 would be longer for certain.
fn is_for_quoted_printable(body: &[u8]) -> bool {
    // Counts many bytes at a time: so few that their number is a byte too.
    let is_escaped = |b: &u8| u8::from((*b >= 127) | (*b == b'='));
    let escaped: usize = body.chunks(255).map(|some| usize::from(some.iter().map(is_escaped).sum::<u8>())).sum();
    escaped < body.len() / 8 && has_long_line(body)
}

fn has_long_line(body: &[u8]) -> bool {
    let mut begin = 0;
    let mut ends = memchr::memchr_iter(b'\n', body).chain(std::iter::once(body.len()));
    ends.any(|end| {
        let long = end - begin > LINE_MAX + 1;
        begin = end + 1;
        long
    })
}

/// A body without bare CR and other control characters. The builder takes them for ordinary ones and writes them as they
/// are, though a bare CR must not be sent (RFC 5321 §2.3.8) and NUL neither (RFC 5322 §3.5).
pub(crate) fn clean(body: &str) -> Cow<'_, str> {
    let odd = |b: u8| ((b < 0x20) & (b != b'\n') & (b != b'\t')) | (b == 0x7f);
    // Looks at all of it, many bytes at a time; bodies with such a character are rare.
    if !body.bytes().fold(false, |found, b| found | odd(b)) {
        return Cow::Borrowed(body);
    }
    let lines = body.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(lines.chars().filter(|c| !c.is_ascii() || !odd(*c as u8)).collect())
}

fn mailbox<'a>(address: &Address, name: &str) -> BuilderAddress<'a> {
    let name = (!name.is_empty()).then(|| name.to_owned());
    BuilderAddress::new_address(name, address.to_string())
}

fn no_control(header: &str, value: &str) -> Result<(), ComposeError> {
    if value.chars().any(char::is_control) {
        return Err(ComposeError::ControlCharacter { header: header.to_owned() });
    }
    Ok(())
}

/// RFC 5322 §3.3, always in UTC.
pub(crate) fn rfc5322_date(at_ms: i64) -> Result<String, ComposeError> {
    let at = jiff::Timestamp::from_millisecond(at_ms).map_err(|_| ComposeError::Date(at_ms))?;
    jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).map_err(|_| ComposeError::Date(at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, subject: &str, headers: &[(&str, String)]) -> Result<String, ComposeError> {
        let from = Address::parse("news@example.com").unwrap();
        let to = Address::parse("ana@example.net").unwrap();
        let draft = Draft {
            from: &from,
            from_name: name,
            to: &to,
            reply_to: None,
            subject,
            date_ms: 1_700_000_000_000,
            message_id: "1.abc@example.com",
            headers,
            body: Body { text: "Hello", html: Some("<p>Hello</p>") },
            boundary: "b-1",
        };
        compose(&draft).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn headers_and_parts() {
        let text = write("Ana, \"the\" First", "Olá", &[("List-Id", "<x.example.com>".to_owned())]).unwrap();
        expect_test::expect_file!["../tests/composed.eml.txt"].assert_eq(&text.replace("\r\n", "\n"));
        assert!(!text.replace("\r\n", "").contains('\n'), "only CRLF line ends");
    }

    #[test]
    fn a_part_is_what_the_builder_would_write() {
        let long = "a=b ".repeat(40);
        let accents = "é".repeat(100);
        for body in
            ["short\n", "", &long, &accents, &format!("{long}\n\n{accents}\n."), &format!("é{}", "x".repeat(90))]
        {
            let write = |part: MimePart<'_>| {
                let mut out = Vec::new();
                part.write_part(&mut out);
                String::from_utf8(out).unwrap()
            };
            assert_eq!(write(part("text/html", body.into())), write(MimePart::new("text/html", body)), "{body:?}");
        }
    }

    #[test]
    fn bodies_have_no_bare_line_ends_and_no_control_characters() {
        for (body, expected) in
            [("a\rb\0c", "a\nbc"), ("a\r\nb\tc\n", "a\nb\tc\n"), ("é\u{7f}", "é"), ("plain", "plain")]
        {
            assert_eq!(clean(body), expected, "{body:?}");
        }
    }

    #[test]
    fn a_line_end_never_reaches_a_header() {
        assert!(write("a\r\nBcc: x@example.com", "s", &[]).is_err());
        assert!(write("a", "s\nBcc: x@example.com", &[]).is_err());
        assert!(write("a", "s", &[("X", "y\r\nZ: 1".to_owned())]).is_err());
    }
}
