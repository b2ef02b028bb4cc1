//! Why a submission is no message, in words that say what to do.

use super::{TAG_CHARS_MAX, TAGS_MAX};
use crate::mailbox::NotAMailbox;

/// Why a submission is not a message that may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAMessage {
    /// A line ends in a bare CR or LF (RFC 5321 §2.3.8).
    #[error("line {line} has a bare CR or LF; lines end in CR LF")]
    LineEnd {
        /// From 1.
        line: usize,
    },
    /// NUL (RFC 5322 §3.5).
    #[error("line {line} has a NUL byte; encode binary content as base64")]
    Nul {
        /// From 1.
        line: usize,
    },
    /// RFC 5322 §2.1.1.
    #[error("line {line} is longer than 998 bytes; encode the text as quoted-printable or base64")]
    LongLine {
        /// From 1.
        line: usize,
    },
    /// Neither a field nor the continuation of one (RFC 5322 §2.2).
    #[error("line {line} is not a header field; an empty line ends the header")]
    NotAField {
        /// From 1.
        line: usize,
    },
    /// The header is larger than anybody takes.
    #[error("the header has more than {max} {what}")]
    Header {
        /// Fields or bytes.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// RFC 6532 §3.1.
    #[error("the header has bytes that are not UTF-8; encode them as RFC 2047 says")]
    NotUtf8,
    /// A field that occurs at most once (RFC 5322 §3.6) occurs again.
    #[error("there are two {0} fields; one is allowed")]
    Twice(&'static str),
    /// No author.
    #[error("there is no From field")]
    NoFrom,
    /// The author.
    #[error("the From field cannot be used: {0}")]
    From(NotAMailbox),
    /// The id.
    #[error("the Message-ID {0:?} is not of the form <left@right>")]
    MessageId(String),
    /// A tag.
    #[error("the tag {0:?} is longer than {TAG_CHARS_MAX} characters, or has a comma or control character")]
    Tag(String),
    /// Too many tags.
    #[error("there are more than {TAGS_MAX} tags")]
    Tags,
    /// The caller's date.
    #[error("{0} ms is not a date")]
    Date(i64),
}
