//! A mailbox as people and header fields write it: `Ana <ana@example.com>` (RFC 5322 §3.4).

use crate::{Address, NotAnAddress};

/// A display name and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, quotes and folds undone; empty when there is none. Encoded words stay as they are.
    pub name: String,
    /// The address.
    pub address: Address,
}

/// Why a text is not one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAMailbox {
    /// Nothing is there.
    #[error("there is no address")]
    Empty,
    /// Several are there.
    #[error("there is more than one address")]
    Several,
    /// Quotes, comments or brackets do not match.
    #[error("a quote, comment or bracket is not closed, or stands at the wrong place")]
    Open,
    /// A group is no mailbox (RFC 5322 §3.4).
    #[error("it names a group, not an address")]
    Group,
    /// The address.
    #[error(transparent)]
    Address(#[from] NotAnAddress),
}

impl Mailbox {
    /// Reads one mailbox, with or without display name and comments.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn parse(text: &str) -> Result<Mailbox, NotAMailbox> {
        let mut parts = Parts::default();
        for c in text.chars() {
            parts.take(c)?;
        }
        parts.finish()
    }
}

/// Where the reader is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Open,
    Quote,
    Angle,
    /// In a quote within the angle brackets.
    AngleQuote,
    AfterAngle,
}

#[derive(Default)]
struct Parts {
    place: Place,
    comments: u32,
    escaped: bool,
    /// Everything before the angle bracket, quotes undone; the name when a bracket comes.
    name: String,
    /// The same with its quotes; the address when none comes.
    bare: String,
    angle: String,
}

impl Parts {
    fn take(&mut self, c: char) -> Result<(), NotAMailbox> {
        if self.comments > 0 {
            self.comment(c);
            return Ok(());
        }
        match self.place {
            Place::Open => self.open(c)?,
            Place::Quote => self.quote(c),
            Place::Angle | Place::AngleQuote => self.angle(c),
            Place::AfterAngle => match c {
                '(' => self.comments = 1,
                ',' => return Err(NotAMailbox::Several),
                c if c.is_whitespace() => {}
                _ => return Err(NotAMailbox::Open),
            },
        }
        Ok(())
    }

    fn comment(&mut self, c: char) {
        match (self.escaped, c) {
            (true, _) => self.escaped = false,
            (false, '\\') => self.escaped = true,
            (false, '(') => self.comments += 1,
            (false, ')') => self.comments -= 1,
            _ => {}
        }
    }

    fn open(&mut self, c: char) -> Result<(), NotAMailbox> {
        match c {
            '(' => self.comments = 1,
            ',' => return Err(NotAMailbox::Several),
            ':' | ';' => return Err(NotAMailbox::Group),
            '>' | ')' => return Err(NotAMailbox::Open),
            '<' => self.place = Place::Angle,
            '"' => {
                self.place = Place::Quote;
                self.bare.push(c);
            }
            c => {
                let c = if c.is_whitespace() { ' ' } else { c };
                self.name.push(c);
                self.bare.push(c);
            }
        }
        Ok(())
    }

    fn quote(&mut self, c: char) {
        self.bare.push(c);
        match (self.escaped, c) {
            (false, '\\') => self.escaped = true,
            (false, '"') => self.place = Place::Open,
            // A fold within a quoted string means the blank behind it (RFC 5322 §3.2.4).
            (_, '\r' | '\n') => {}
            _ => {
                self.escaped = false;
                self.name.push(c);
            }
        }
    }

    fn angle(&mut self, c: char) {
        let quoted = self.place == Place::AngleQuote;
        match (quoted, self.escaped, c) {
            (false, _, '>') => {
                self.place = Place::AfterAngle;
                return;
            }
            (true, false, '\\') => self.escaped = true,
            (true, true, _) => self.escaped = false,
            (true, false, '"') => self.place = Place::Angle,
            (false, _, '"') => self.place = Place::AngleQuote,
            _ => {}
        }
        self.angle.push(c);
    }

    fn finish(self) -> Result<Mailbox, NotAMailbox> {
        let closed = matches!(self.place, Place::Open | Place::AfterAngle) && self.comments == 0;
        if !closed {
            return Err(NotAMailbox::Open);
        }
        let with_name = self.place == Place::AfterAngle;
        let address = if with_name { self.angle.trim() } else { self.bare.trim() };
        if address.is_empty() {
            return Err(NotAMailbox::Empty);
        }
        let name = if with_name { self.name.split_whitespace().collect::<Vec<_>>().join(" ") } else { String::new() };
        Ok(Mailbox { name, address: Address::parse(address)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        let found = Mailbox::parse(text).map(|m| (m.name, m.address.to_string())).map_err(|e| e.to_string());
        let found = found.as_ref().map(|(name, address)| (name.as_str(), address.as_str())).map_err(String::as_str);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn mailboxes() {
        check("ana@example.com", Ok(("", "ana@example.com")));
        check(" <ana@example.com> ", Ok(("", "ana@example.com")));
        check("Ana the First <ana@example.com>", Ok(("Ana the First", "ana@example.com")));
        check("\"Ana, \\\"A\\\" <First>\" <ana@example.com>", Ok(("Ana, \"A\" <First>", "ana@example.com")));
        check("Ana\r\n  First <ana@example.com>", Ok(("Ana First", "ana@example.com")));
        check("ana@example.com (Ana (the First))", Ok(("", "ana@example.com")));
        check("Ana <ana@example.com> (home)", Ok(("Ana", "ana@example.com")));
        check("\"a b\"@example.com", Ok(("", "\"a b\"@example.com")));
        check("<\"a>b\"@example.com>", Ok(("", "\"a>b\"@example.com")));
        check("José <josé@example.com>", Ok(("José", "josé@example.com")));
        check("", Err("there is no address"));
        check("Ana <>", Err("there is no address"));
        check("a@example.com, b@example.com", Err("there is more than one address"));
        check("A <a@example.com>, b@example.com", Err("there is more than one address"));
        check("friends: a@example.com;", Err("it names a group, not an address"));
        check("Ana <ana@example.com", Err("a quote, comment or bracket is not closed, or stands at the wrong place"));
        check(
            "\"Ana <ana@example.com>",
            Err("a quote, comment or bracket is not closed, or stands at the wrong place"),
        );
        check("<a@example.com> b", Err("a quote, comment or bracket is not closed, or stands at the wrong place"));
        check("Ana", Err("\"Ana\" is not a mail address: it has no @"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_address_carries_a_line_end(text in "[ab@.<>\"\\\\(),:; \r\n]*|.*") {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert!(!mailbox.address.to_string().contains(['\r', '\n']));
            }
        }
    }
}
