//! A submitted message: checked, completed, and freed of what only we should see (RFC 6409 §8).
//!
//! On the hot path of submission: one pass finds every line end, the header fields are slices of what came, and the
//! content is copied only when a field has to be added or taken out.

mod error;
mod fields;
pub mod letter;
mod lines;
#[cfg(test)]
mod tests;

use crate::Address;
use crate::compose::rfc5322_date;
use crate::mailbox::Mailbox;
pub use error::NotAMessage;
pub use fields::has_field;
use fields::{Field, Fields, Kind};
use mail_parser::{HeaderName, MessageParser};
use std::borrow::Cow;

/// Tags of one message at most.
pub const TAGS_MAX: usize = 10;
/// Characters of a tag at most.
pub const TAG_CHARS_MAX: usize = 64;

/// What a message that lacks it gets.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// The Message-ID's part before the `@`, used by no other message; the From domain follows it.
    pub id: &'a str,
    /// Milliseconds since 1970, UTC: the Date.
    pub date_ms: i64,
}

/// A message that may be sent, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared<'a> {
    /// Headers and body, lines ending in CR LF; what came, unless something was added or taken out.
    pub content: Cow<'a, [u8]>,
    /// The Message-ID, without its brackets.
    pub header_id: String,
    /// The From address.
    pub from: Address,
    /// The subject, decoded.
    pub subject: String,
    /// The stream that the message asks for.
    pub stream: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whether the content has bytes above 127.
    pub eight_bit: bool,
    /// Whether its headers have any, and so need SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

/// Checks a message's shape, adds Message-ID and Date where they are missing, and takes out Bcc and our own headers.
///
/// # Errors
/// What is wrong with it, and where.
pub fn prepare<'a>(raw: &'a [u8], defaults: &Defaults<'_>) -> Result<Prepared<'a>, NotAMessage> {
    lines::check(raw)?;
    let fields = Fields::read(raw)?;
    let from = from(&fields)?;
    let found_id = fields.one(Kind::MessageId).map(message_id).transpose()?;
    let mut added = String::new();
    let header_id = match found_id {
        Some(id) => id,
        None => {
            let id = format!("{}@{}", defaults.id, from.domain());
            added.push_str(&format!("Message-ID: <{id}>\r\n"));
            id
        }
    };
    if fields.one(Kind::Date).is_none() {
        let date = rfc5322_date(defaults.date_ms).map_err(|_| NotAMessage::Date(defaults.date_ms))?;
        added.push_str(&format!("Date: {date}\r\n"));
    }
    let head_is_ascii = fields.head().is_ascii();
    Ok(Prepared {
        header_id,
        subject: fields.one(Kind::Subject).map(decoded).unwrap_or_default(),
        stream: fields.one(Kind::Stream).map(|field| unfolded(field.value)).filter(|name| !name.is_empty()),
        tags: fields
            .one(Kind::Tags)
            .map(|field| tags(unfolded(field.value).split(',')))
            .transpose()?
            .unwrap_or_default(),
        eight_bit: !head_is_ascii || !raw.is_ascii(),
        smtputf8: !head_is_ascii,
        content: content(raw, &fields, &added),
        from,
    })
}

/// Exactly one author, since one domain signs for the message and DMARC looks at one (RFC 7489 §6.6.1).
fn from(fields: &Fields<'_>) -> Result<Address, NotAMessage> {
    let field = fields.one(Kind::From).ok_or(NotAMessage::NoFrom)?;
    let mailbox = Mailbox::parse(&String::from_utf8_lossy(field.value));
    mailbox.map(|mailbox| mailbox.address).map_err(NotAMessage::From)
}

/// RFC 5322 §3.6.4, without asking for more than the brackets: what others wrote in between is theirs.
fn message_id(field: &Field<'_>) -> Result<String, NotAMessage> {
    let text = unfolded(field.value);
    let id = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    match id {
        Some(id) if !id.is_empty() && !id.contains(|c: char| c.is_whitespace() || c == '<' || c == '>') => {
            Ok(id.to_owned())
        }
        _ => Err(NotAMessage::MessageId(text)),
    }
}

/// Tags, in the order given: blanks around them and empty ones do not count.
///
/// # Errors
/// Too many, one too long, or one with a control character or comma.
pub fn tags<'t>(words: impl Iterator<Item = &'t str>) -> Result<Vec<String>, NotAMessage> {
    let mut tags: Vec<String> = Vec::new();
    for tag in words.map(str::trim).filter(|tag| !tag.is_empty()) {
        if tag.chars().count() > TAG_CHARS_MAX || tag.contains(|c: char| c.is_control() || c == ',') {
            return Err(NotAMessage::Tag(tag.chars().take(TAG_CHARS_MAX).collect()));
        }
        if tags.iter().any(|there| there == tag) {
            continue;
        }
        if tags.len() == TAGS_MAX {
            return Err(NotAMessage::Tags);
        }
        tags.push(tag.to_owned());
    }
    Ok(tags)
}

/// RFC 5322 §2.2.3: a fold is the blank that follows it.
fn unfolded(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace("\r\n", "").trim().to_owned()
}

fn decoded(field: &Field<'_>) -> String {
    subject(field.value)
}

/// A Subject field's value as people read it (RFC 2047).
#[must_use]
pub fn subject(value: &[u8]) -> String {
    let plain = unfolded(value);
    if !plain.contains("=?") {
        return plain;
    }
    let line = [b"Subject:", value, b"\r\n\r\n"].concat();
    let parsed = MessageParser::new().header_text(HeaderName::Subject).parse_headers(&line[..]);
    let subject = parsed.as_ref().and_then(|message| message.subject()).map(str::to_owned);
    // Decoded words may hide line ends and the like.
    subject.unwrap_or(plain).chars().filter(|c| !c.is_control()).collect()
}

/// What came, with `added` before it, without the fields that only we should see, and with an empty line behind its
/// header when it was all header.
fn content<'a>(raw: &'a [u8], fields: &Fields<'_>, added: &str) -> Cow<'a, [u8]> {
    let hidden = || fields.all().iter().filter(|field| field.kind.is_hidden());
    let all_header = fields.head().len() == raw.len();
    if added.is_empty() && hidden().next().is_none() && !all_header {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len() + added.len() + 2);
    out.extend_from_slice(added.as_bytes());
    let mut at = 0;
    for field in hidden() {
        out.extend_from_slice(&raw[at..field.span.start]);
        at = field.span.end;
    }
    out.extend_from_slice(&raw[at..]);
    if all_header {
        out.extend_from_slice(b"\r\n");
    }
    Cow::Owned(out)
}
