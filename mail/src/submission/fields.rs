//! The header fields of a message whose line ends are in order, as slices of it.

use super::NotAMessage;
use std::ops::Range;

/// Header fields at most.
const FIELDS_MAX: usize = 500;
/// Bytes of the header at most; receivers stop at about as much.
const HEADER_BYTES_MAX: usize = 128 * 1024;

/// Which field it is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    From,
    MessageId,
    Date,
    Subject,
    /// Another one that occurs at most once.
    Single(&'static str),
    /// Which stream the submitter wants.
    Stream,
    /// The submitter's tags.
    Tags,
    /// For nobody but us: Bcc (RFC 5322 §3.6.3), Return-Path (RFC 5321 §4.4), whatever else begins with our name.
    Hidden,
    Other,
}

impl Kind {
    fn of(name: &[u8]) -> Kind {
        const KNOWN: &[(&str, Kind)] = &[
            ("from", Kind::From),
            ("message-id", Kind::MessageId),
            ("date", Kind::Date),
            ("subject", Kind::Subject),
            ("sender", Kind::Single("Sender")),
            ("reply-to", Kind::Single("Reply-To")),
            ("to", Kind::Single("To")),
            ("cc", Kind::Single("Cc")),
            ("in-reply-to", Kind::Single("In-Reply-To")),
            ("references", Kind::Single("References")),
            ("bcc", Kind::Hidden),
            ("resent-bcc", Kind::Hidden),
            ("return-path", Kind::Hidden),
            ("x-packetboat-stream", Kind::Stream),
            ("x-packetboat-tags", Kind::Tags),
        ];
        let known = KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        let ours = || name.get(..OURS.len()).is_some_and(|head| head.eq_ignore_ascii_case(OURS));
        match known {
            Some((_, kind)) => *kind,
            None if ours() => Kind::Hidden,
            None => Kind::Other,
        }
    }

    pub fn is_hidden(self) -> bool {
        matches!(self, Kind::Hidden | Kind::Stream | Kind::Tags)
    }

    /// The name, where the field occurs at most once.
    fn single(self) -> Option<&'static str> {
        match self {
            Kind::From => Some("From"),
            Kind::MessageId => Some("Message-ID"),
            Kind::Date => Some("Date"),
            Kind::Subject => Some("Subject"),
            Kind::Single(name) => Some(name),
            Kind::Stream => Some("X-Packetboat-Stream"),
            Kind::Tags => Some("X-Packetboat-Tags"),
            Kind::Hidden | Kind::Other => None,
        }
    }
}

/// What our own fields begin with.
const OURS: &[u8] = b"x-packetboat-";

/// One field.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub kind: Kind,
    /// Behind the colon, folds and all, without the last line end.
    pub value: &'a [u8],
    /// Where it stands, line ends included.
    pub span: Range<usize>,
}

/// All fields, in order.
pub(super) struct Fields<'a> {
    fields: Vec<Field<'a>>,
    head: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the fields up to the empty line or the end.
    pub fn read(raw: &'a [u8]) -> Result<Fields<'a>, NotAMessage> {
        let mut fields: Vec<Field<'a>> = Vec::with_capacity(16);
        let (mut at, mut line) = (0, 0);
        while at < raw.len() && !raw[at..].starts_with(b"\r\n") {
            line += 1;
            let end = memchr::memchr(b'\n', &raw[at..]).map_or(raw.len(), |found| at + found + 1);
            if end > HEADER_BYTES_MAX {
                return Err(NotAMessage::Header { what: "bytes", max: HEADER_BYTES_MAX });
            }
            match (raw[at], fields.last_mut()) {
                (b' ' | b'\t', Some(folded)) => {
                    folded.span.end = end;
                    folded.value = value(raw, &folded.span).ok_or(NotAMessage::NotAField { line })?;
                }
                _ => fields.push(field(raw, at..end).ok_or(NotAMessage::NotAField { line })?),
            }
            if fields.len() > FIELDS_MAX {
                return Err(NotAMessage::Header { what: "fields", max: FIELDS_MAX });
            }
            at = end;
        }
        let head = &raw[..at];
        std::str::from_utf8(head).map_err(|_| NotAMessage::NotUtf8)?;
        let fields = Fields { fields, head };
        fields.no_twins()?;
        Ok(fields)
    }

    fn no_twins(&self) -> Result<(), NotAMessage> {
        for (at, field) in self.fields.iter().enumerate() {
            let Some(name) = field.kind.single() else { continue };
            if self.fields[..at].iter().any(|before| before.kind == field.kind) {
                return Err(NotAMessage::Twice(name));
            }
        }
        Ok(())
    }

    pub fn all(&self) -> &[Field<'a>] {
        &self.fields
    }

    pub fn one(&self, kind: Kind) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.kind == kind)
    }

    /// The whole header, without the empty line.
    pub fn head(&self) -> &'a [u8] {
        self.head
    }
}

/// Whether a message that was prepared has a field of this name.
#[must_use]
pub fn has_field(message: &[u8], name: &str) -> bool {
    let mut rest = message;
    while !rest.is_empty() && !rest.starts_with(b"\r\n") {
        let found = rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()));
        // A line that begins with white space goes on with the field before it.
        if found && !matches!(rest[0], b' ' | b'\t') && rest.get(name.len()) == Some(&b':') {
            return true;
        }
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        rest = &rest[end..];
    }
    false
}

fn field(raw: &[u8], span: Range<usize>) -> Option<Field<'_>> {
    let colon = memchr::memchr(b':', &raw[span.clone()])?;
    // Obsolete syntax allows blanks before the colon (RFC 5322 §4.5); receivers disagree about them, so we do not.
    let name = &raw[span.start..span.start + colon];
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some(Field { kind: Kind::of(name), value: value(raw, &span)?, span })
}

fn value<'a>(raw: &'a [u8], span: &Range<usize>) -> Option<&'a [u8]> {
    let text = &raw[span.clone()];
    let colon = memchr::memchr(b':', text)?;
    text[colon + 1..].strip_suffix(b"\r\n")
}
