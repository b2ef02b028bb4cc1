//! From a reply to its meaning.

use crate::rules::{NEAR_MAX, Question, Rules, RulesAt};
use mail::{BounceClass, EnhancedStatus, Reply, Severity};
use std::borrow::Cow;
use std::sync::Arc;

/// Where in a session a reply came, or that it stands in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Instead of a greeting.
    Greeting,
    /// To EHLO, HELO or STARTTLS.
    Hello,
    /// To MAIL FROM.
    Mail,
    /// To RCPT TO.
    Rcpt,
    /// To DATA or BDAT, before the content.
    Data,
    /// To the content.
    Message,
    /// In a report, stage unknown.
    Report,
}

impl Stage {
    pub(crate) fn parse(text: &str) -> Option<Stage> {
        Some(match text {
            "greeting" => Stage::Greeting,
            "hello" => Stage::Hello,
            "mail" => Stage::Mail,
            "rcpt" => Stage::Rcpt,
            "data" => Stage::Data,
            "message" => Stage::Message,
            "report" => Stage::Report,
            _ => return None,
        })
    }

    /// The word that rules and people use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Greeting => "greeting",
            Stage::Hello => "hello",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
            Stage::Message => "message",
            Stage::Report => "report",
        }
    }

    /// Whether the recipient had been named: before that, no reply can be about them.
    fn knows_recipient(self) -> bool {
        matches!(self, Stage::Rcpt | Stage::Data | Stage::Message | Stage::Report)
    }
}

/// What a class means for the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// This address will not work: suppress.
    Hard,
    /// Trouble on their side that may pass.
    Soft,
    /// It is about us: our address, domain, content. Never a reason to suppress.
    Block,
    /// We are to come back later, or slower.
    Delay,
    /// No trouble: it has arrived.
    Delivered,
    /// Somebody complains, or asks not to get more.
    Feedback,
    /// A machine answered for the recipient: the mail has arrived.
    AutoReply,
    /// Not understood.
    Unknown,
}

impl Kind {
    /// For people and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Hard => "hard",
            Kind::Soft => "soft",
            Kind::Block => "block",
            Kind::Delay => "delay",
            Kind::Delivered => "delivered",
            Kind::Feedback => "feedback",
            Kind::AutoReply => "auto_reply",
            Kind::Unknown => "unknown",
        }
    }

    /// What a rule may say instead of what its class says.
    pub(crate) fn of_rule(word: &str) -> Option<Kind> {
        [Kind::Hard, Kind::Soft, Kind::Block, Kind::Delay].into_iter().find(|kind| kind.as_str() == word)
    }

    /// What a class means for the recipient. A "not now" never proves that an address will not work.
    #[must_use]
    pub fn of(class: BounceClass, severity: Severity) -> Kind {
        use BounceClass as C;
        match class {
            C::BadMailbox | C::Moved | C::Inactive | C::BadDomain | C::TakesNoMail => match severity {
                Severity::Permanent => Kind::Hard,
                _ => Kind::Soft,
            },
            C::Policy
            | C::Authentication
            | C::ReverseDns
            | C::SenderRefused
            | C::Reputation
            | C::DomainReputation
            | C::Blocklist
            | C::Content
            | C::Virus
            | C::Malformed
            | C::RelayDenied => Kind::Block,
            C::Greylist | C::RateLimit | C::TooManyConnections => Kind::Delay,
            C::Vacation => Kind::AutoReply,
            C::Unclassified => Kind::Unknown,
            // A lock may be opened again.
            C::Suspended
            | C::MailboxFull
            | C::TooLarge
            | C::Dns
            | C::Connection
            | C::Tls
            | C::Protocol
            | C::System
            | C::Loop
            | C::Expired => Kind::Soft,
        }
    }
}

/// What decided the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecidedBy {
    /// A rule of the operator.
    OwnRule,
    /// A rule that comes with the product.
    BuiltinRule,
    /// The codes alone: no rule knew the words.
    Codes,
    /// Nothing.
    Nothing,
}

impl DecidedBy {
    /// Whether the words were understood; else a rule is to be made of them.
    #[must_use]
    pub fn understood(self) -> bool {
        matches!(self, DecidedBy::OwnRule | DecidedBy::BuiltinRule)
    }

    /// For people and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DecidedBy::OwnRule => "own_rule",
            DecidedBy::BuiltinRule => "builtin_rule",
            DecidedBy::Codes => "codes",
            DecidedBy::Nothing => "nothing",
        }
    }
}

/// What a reply means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The class.
    pub class: BounceClass,
    /// What the class means for the recipient, or what the rule says instead.
    pub kind: Kind,
    /// The rule that said so, for the operator.
    pub rule: Arc<str>,
    /// Whose rule it is.
    pub by: DecidedBy,
    /// How the normal form calls it, where that is not what it calls the class.
    pub word: Option<&'static str>,
}

impl RulesAt<'_> {
    /// Says what a reply means. Success has no class; ask only about the others.
    #[must_use]
    pub fn classify(self, reply: &Reply, stage: Stage) -> Classified {
        self.judged(reply, stage, None)
    }

    /// The same for a reply that a report tells of, and where in its session it came, if that is told too.
    #[must_use]
    pub fn classify_reported(self, reply: &Reply, stage: Option<Stage>) -> Classified {
        self.judged(reply, stage.unwrap_or(Stage::Report), stage.map(|_| Stage::Report))
    }

    fn judged(self, reply: &Reply, stage: Stage, also: Option<Stage>) -> Classified {
        let text = normalized(&reply.text);
        let status = reply.enhanced.or_else(|| status_within(&text, reply.code));
        let question = Question { code: reply.code, status, text: &text, stage, also, provider: self.provider() };
        let Some((found, is_own)) = self.find(&question) else {
            let (class, kind) = (BounceClass::Unclassified, Kind::Unknown);
            return Classified { class, kind, rule: "none".into(), by: DecidedBy::Nothing, word: None };
        };
        let by = match (is_own, found.fallback) {
            (true, _) => DecidedBy::OwnRule,
            (false, false) => DecidedBy::BuiltinRule,
            (false, true) => DecidedBy::Codes,
        };
        let kind = match found.kind {
            Some(Kind::Hard) if reply.severity() != Severity::Permanent => Kind::Soft,
            Some(kind) => kind,
            None => Kind::of(found.class, reply.severity()),
        };
        match kind {
            // "User unknown" to MAIL FROM is about our own address; before that, about who we are.
            Kind::Hard if !stage.knows_recipient() => {
                let class = if stage == Stage::Mail { BounceClass::SenderRefused } else { BounceClass::Policy };
                Classified { class, kind: Kind::Block, rule: "before-recipient".into(), by, word: None }
            }
            kind => Classified { class: found.class, kind, rule: found.name.clone(), by, word: found.word },
        }
    }
}

impl Rules {
    /// As [`RulesAt::classify`], for nobody's server in particular.
    #[must_use]
    pub fn classify(&self, reply: &Reply, stage: Stage) -> Classified {
        self.at("").classify(reply, stage)
    }
}

/// Lower case, white space as single spaces, a space at both ends, and without addresses: what somebody is called
/// (`spam@…`, `blocked@…`) says nothing about the reply. Where one stands alone there is `<>` for it, and the text
/// follows a second time without that: "mailbox <ana@…> not found" is "mailbox not found" too.
pub(crate) fn normalized(text: &str) -> String {
    let mut marked = String::with_capacity(text.len() + 2);
    marked.push(' ');
    let mut bare = marked.clone();
    for word in text.split_whitespace() {
        let word: Cow<'_, str> = match word.contains('@') {
            true => Cow::Owned(without_address(word)),
            false => Cow::Borrowed(word),
        };
        let stands_alone = matches!(word, Cow::Owned(_)) && !word.contains(char::is_alphanumeric);
        if stands_alone {
            marked.push_str("<> ");
            continue;
        }
        let start = marked.len();
        marked.extend(word.chars().flat_map(char::to_lowercase));
        marked.push(' ');
        bare.push_str(&marked[start..]);
    }
    if bare.len() < marked.len() {
        // No phrase has an end of a line in it, and what stands in one text is not near what stands in the other.
        marked.push_str(&"\n".repeat(NEAR_MAX + 1));
        marked.push_str(&bare);
    }
    marked
}

/// `<ana@example.com>:blocked` becomes `<>:blocked`.
fn without_address(word: &str) -> String {
    let part_of_address = |c: char| c.is_alphanumeric() || "@.!#$%&*+-/=?^_`{|}~\"".contains(c);
    word.split_inclusive(|c: char| !part_of_address(c))
        .map(|piece| {
            let end = piece.char_indices().next_back().filter(|(_, c)| !part_of_address(*c));
            match (piece.contains('@'), end) {
                (true, Some((at, _))) => &piece[at..],
                (true, None) => "",
                (false, _) => piece,
            }
        })
        .collect()
}

/// An enhanced status somewhere in the text, as `(#5.1.1)`; of the reply's own class.
pub(crate) fn status_within(text: &str, code: u16) -> Option<EnhancedStatus> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter_map(|word| EnhancedStatus::parse(word.trim_end_matches('.')))
        .find(|status| u16::from(status.class) == code / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classed(line: &str, stage: Stage) -> (BounceClass, Kind) {
        let (code, text) = line.split_at(3);
        let found = Rules::builtin().classify(&Reply::new(code.parse().unwrap(), [text.trim_start()]), stage);
        (found.class, found.kind)
    }

    #[test]
    fn kinds() {
        use BounceClass as C;
        for (line, stage, class, kind) in [
            ("550 5.1.1 no such user", Stage::Rcpt, C::BadMailbox, Kind::Hard),
            ("450 4.1.1 no such user", Stage::Rcpt, C::BadMailbox, Kind::Soft),
            ("550 5.1.1 no such user", Stage::Mail, C::SenderRefused, Kind::Block),
            ("550 5.1.1 <spam@blocked.example>: user unknown", Stage::Rcpt, C::BadMailbox, Kind::Hard),
            ("550 5.1.1 blocked using zen.spamhaus.org", Stage::Rcpt, C::Blocklist, Kind::Block),
            ("554 no SMTP service here", Stage::Greeting, C::Reputation, Kind::Block),
            ("554 5.2.2 mailbox full", Stage::Rcpt, C::MailboxFull, Kind::Soft),
            ("452 too many recipients", Stage::Rcpt, C::RateLimit, Kind::Delay),
            ("552 too many recipients", Stage::Rcpt, C::RateLimit, Kind::Delay),
            ("550 mumble", Stage::Rcpt, C::Unclassified, Kind::Unknown),
        ] {
            assert_eq!(classed(line, stage), (class, kind), "{line} at {stage:?}");
        }
    }

    #[test]
    fn normal_form() {
        for (text, expected) in [
            ("User  Unknown\nhere", " user unknown here "),
            ("<Ana@Example.com>: Unknown", " <> unknown \n unknown "),
            ("no ana@example.com here", " no <> here \n no here "),
            ("(user=ana@example.com:blocked)", " (:blocked) "),
            ("", " "),
        ] {
            let joined = normalized(text).replace(&"\n".repeat(NEAR_MAX + 1), "\n");
            assert_eq!(joined, expected, "{text}");
        }
        assert_eq!(status_within(" sorry (#5.1.1 - chkusr) ", 550).unwrap().to_string(), "5.1.1");
        assert_eq!(status_within(" server 4.5.6 and 192.0.2.1 ", 550), None);
    }

    proptest! {
        #[test]
        fn no_reply_panics(code in 200..600_u16, text in "\\PC{0,200}|[ @<>.:a-z\u{e9}]{0,60}") {
            let reply = Reply::new(code, [text.as_str()]);
            for stage in [Stage::Greeting, Stage::Rcpt, Stage::Report] {
                let found = Rules::builtin().classify(&reply, stage);
                prop_assert!(found.kind != Kind::Hard || (code >= 500 && stage != Stage::Greeting));
            }
        }
    }
}
