//! The signs by which a mail without a delivery status is a report: who sends it, its subject, its words.

use crate::notice::telling_phrase;
use crate::pieces::{self, Pieces};
use crate::vocabulary::WORDS;
use mail_parser::{Message, MimeHeaders};

/// What makes a mail a report, each with the words that show it.
#[derive(Default)]
pub(crate) struct Signs {
    /// It comes from a program that reports.
    pub sender: Option<String>,
    /// Its subject says so.
    pub subject: Option<String>,
    /// Its words say so.
    pub words: Option<String>,
    /// Its subject or its words speak of mail: parcels and orders are not delivered either.
    pub about_mail: bool,
    /// It is part of a conversation between people.
    pub conversation: bool,
}

impl Signs {
    /// Two of the three, the words or the sender among them.
    pub fn are_enough(&self) -> bool {
        let (sender, subject, words) = (self.sender.is_some(), self.subject.is_some(), self.words.is_some());
        !self.conversation && ((sender && (subject || words)) || (subject && words && self.about_mail))
    }
}

/// Looks for them.
pub(crate) fn of(message: &Message<'_>, pieces: &Pieces) -> Signs {
    let subject = pieces::subject(message).to_lowercase();
    let from = pieces::header(message, "From").unwrap_or("").to_lowercase();
    let name = message.from().and_then(|from| from.first()).and_then(|from| from.name()).unwrap_or("").to_lowercase();
    let mut signs = Signs { words: telling_phrase(&pieces.words), ..Signs::default() };
    let empty_path = pieces::header(message, "Return-Path").is_some_and(|path| path == "<>" || path.is_empty());
    signs.sender = if let Some(sender) = WORDS.senders.find(&from).or_else(|| WORDS.senders.find(&name)) {
        Some(format!("it comes from \"{sender}\""))
    } else if pieces::header(message, "X-Failed-Recipients").is_some() {
        Some("it has X-Failed-Recipients".to_owned())
    } else if !pieces.status.is_empty() {
        Some("it has a delivery status".to_owned())
    } else if message.content_type_is("multipart", "report") {
        Some("it is a multipart/report".to_owned())
    } else if empty_path {
        Some("its return path is empty".to_owned())
    } else {
        None
    };
    signs.subject = WORDS.subjects.find(&subject).map(str::to_owned);
    let answer =
        ["re:", "aw:", "fw:", "fwd:", "sv:", "antw:", "wg:", "[fwd:"].iter().any(|start| subject.starts_with(start));
    let by_a_person = pieces::header(message, "User-Agent").is_some() || pieces::header(message, "X-Mailer").is_some();
    // A list forwards what anybody wrote, so that its mail must show every sign; and who offers to unsubscribe sends letters.
    let listed = is_list(message);
    signs.about_mail = signs.sender.is_some()
        || WORDS.about_mail.occurs(&subject)
        || WORDS.about_mail.occurs(&pieces.words.to_lowercase());
    let incomplete = signs.sender.is_none() || signs.words.is_none();
    let certain = pieces::header(message, "X-Failed-Recipients").is_some() || !pieces.status.is_empty();
    signs.conversation = !certain
        && ((answer && signs.sender.is_none())
            || (pieces::header(message, "In-Reply-To").is_some() && signs.sender.is_none() && by_a_person)
            || (listed && incomplete));
    signs
}

trait ContentTypeIs {
    fn content_type_is(&self, kind: &str, sub: &str) -> bool;
}

impl ContentTypeIs for Message<'_> {
    fn content_type_is(&self, kind: &str, sub: &str) -> bool {
        self.content_type().is_some_and(|found| {
            found.ctype().eq_ignore_ascii_case(kind) && found.subtype().is_some_and(|own| own.eq_ignore_ascii_case(sub))
        })
    }
}

/// Whether it came through a list, or offers to unsubscribe.
pub(crate) fn is_list(message: &Message<'_>) -> bool {
    pieces::header(message, "List-Id").is_some() || pieces::header(message, "List-Unsubscribe").is_some()
}
