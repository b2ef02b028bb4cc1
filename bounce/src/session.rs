//! The session that a report tells of. Two grammars: sentences that say where a reply came ("in reply to RCPT TO", as
//! Postfix, Exim and qmail write them), and the transcript that sendmail and its kin quote (`>>> RCPT To:<…>`,
//! `<<< 550 …`), where the server's own words stand before what the reporter makes of them.

use crate::classify::Stage;
use crate::notice::LINES_MAX;
use crate::vocabulary::WORDS;
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

/// So many replies of a transcript are kept.
const REPLIES_MAX: usize = 200;
/// So many bytes of a command are kept: more than RFC 5321 §4.5.3.1.4 allows.
const COMMAND_MAX: usize = 1_000;
/// So many bytes of one reply are kept.
const REPLY_MAX: usize = 2_000;

/// What each phrase says about where the reply came. Lower case.
const SAID: &[(&str, Stage)] = &[
    // Postfix: "host mx.example said: 550 … (in reply to RCPT TO command)".
    ("in reply to rcpt to", Stage::Rcpt),
    ("in reply to mail from", Stage::Mail),
    ("in reply to end of data", Stage::Message),
    ("in reply to data", Stage::Data),
    ("in reply to ehlo", Stage::Hello),
    ("in reply to helo", Stage::Hello),
    ("in reply to starttls", Stage::Hello),
    ("refused to talk to me", Stage::Greeting),
    // Exim: "SMTP error from remote mail server after RCPT TO:<…>: 550 …"; "remote mailer" before 4.80.
    ("server after rcpt to", Stage::Rcpt),
    ("mailer after rcpt to", Stage::Rcpt),
    ("server after pipelined rcpt to", Stage::Rcpt),
    ("server after mail from", Stage::Mail),
    ("mailer after mail from", Stage::Mail),
    ("server after pipelined mail from", Stage::Mail),
    ("server after data", Stage::Data),
    ("mailer after data", Stage::Data),
    ("server after pipelined data", Stage::Data),
    ("server after end of data", Stage::Message),
    ("mailer after end of data", Stage::Message),
    ("server after pipelined end of data", Stage::Message),
    ("server after ehlo", Stage::Hello),
    ("mailer after ehlo", Stage::Hello),
    ("server after helo", Stage::Hello),
    ("mailer after helo", Stage::Hello),
    ("server after starttls", Stage::Hello),
    ("after initial connection", Stage::Greeting),
    // qmail-remote.
    ("does not like recipient", Stage::Rcpt),
    ("but sender was rejected", Stage::Mail),
    ("but my name was rejected", Stage::Hello),
    ("but greeting failed", Stage::Greeting),
    ("failed on data command", Stage::Data),
    ("failed after i sent the message", Stage::Message),
];

/// All of them at once: each report is looked through twice.
static SAYING: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let phrases = SAID.iter().map(|(phrase, _)| phrase);
    // A test looks for each of them.
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(phrases).expect("a few phrases")
});

/// Where in the session the reply came that a reporter's sentence is about: the first that says so.
pub(crate) fn stage_said(text: &str) -> Option<Stage> {
    SAYING.find(&text.to_lowercase()).map(|hit| SAID[hit.pattern().as_usize()].1)
}

/// A reply in a transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The reply, its lines joined.
    pub text: String,
    /// The reporter's own line about it, which names the recipient: `550 5.1.1 <ana@…>... User unknown`.
    pub local: Option<String>,
    /// What it answers, where the transcript shows it.
    pub stage: Option<Stage>,
    /// The command that it answers and what was said, in lower case: many recipients are looked for in it.
    lower: String,
}

impl Heard {
    /// Whether it is about this recipient, who is given in lower case.
    pub fn names(&self, recipient: &str) -> bool {
        self.lower.contains(recipient)
    }
}

/// Reads the replies that the words quote.
pub(crate) fn transcript(words: &str) -> Vec<Heard> {
    let mut all: Vec<Heard> = Vec::new();
    let mut stage = None;
    let mut asked = String::new();
    // The last line came from the server and nothing has been said about it yet.
    let mut fresh = false;
    for line in words.lines().take(LINES_MAX) {
        let line = line.trim();
        if let Some(command) = line.strip_prefix(">>>") {
            stage = stage_of(command.trim_start());
            asked = command[..command.floor_char_boundary(COMMAND_MAX)].trim().to_lowercase();
            fresh = false;
            continue;
        }
        if line.to_ascii_lowercase().contains("while talking to") {
            stage = Some(Stage::Greeting);
            asked.clear();
            fresh = false;
            continue;
        }
        let remote = line.starts_with("<<<");
        let text = line.trim_start_matches(['<', '>', '-', ' ', '|']);
        if !begins_with_code(text) || all.len() == REPLIES_MAX {
            fresh = false;
            continue;
        }
        match all.last_mut() {
            Some(last) if remote && fresh && is_open(&last.text) => join(&mut last.text, text),
            // What the reporter makes of the reply above: its own words may be wrong, those above are the server's.
            Some(last) if !remote && fresh => last.local = Some(text.to_owned()),
            _ => {
                let stage = stage.filter(|_| remote);
                let lower = if remote { asked.clone() } else { String::new() };
                all.push(Heard { text: text.to_owned(), stage, lower, ..Heard::default() });
            }
        }
        fresh = remote;
    }
    for heard in &mut all {
        let said = format!(" {} {}", heard.text, heard.local.as_deref().unwrap_or(""));
        heard.lower.push_str(&said.to_lowercase());
    }
    all
}

/// What a sentence announces as the server's answer ("The response was:"), up to an empty line.
pub(crate) fn announced(words: &str) -> Option<String> {
    let mut lines = words.lines().take(LINES_MAX);
    let mut text = loop {
        let line = lines.next()?;
        // "mx.example gave this error:" ends its line, "Reported error: 550 …" goes on in it.
        if let Some(rest) = behind_announcement(line) {
            break rest.trim().to_owned();
        }
    };
    for line in lines {
        match line.trim() {
            "" if text.is_empty() => {}
            "" => break,
            line => {
                text.push(' ');
                join(&mut text, line);
            }
        }
    }
    (!text.trim().is_empty()).then(|| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn behind_announcement(line: &str) -> Option<&str> {
    let lower = line.to_lowercase();
    // Hardly a line has one.
    if !WORDS.announcements.occurs(&lower) {
        return None;
    }
    // Lengths are the same where the words are; elsewhere nothing is cut out of it.
    let (at, phrase) =
        WORDS.announcements.all().iter().find_map(|phrase| Some((lower.find(phrase.as_str())?, phrase)))?;
    (lower.len() == line.len()).then(|| line.get(at + phrase.len()..)).flatten()
}

fn stage_of(command: &str) -> Option<Stage> {
    let verb = command.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
    Some(match verb.as_str() {
        "EHLO" | "HELO" | "LHLO" | "STARTTLS" => Stage::Hello,
        "MAIL" => Stage::Mail,
        "RCPT" => Stage::Rcpt,
        "DATA" | "BDAT" => Stage::Data,
        "." => Stage::Message,
        _ => return None,
    })
}

fn begins_with_code(text: &str) -> bool {
    let code =
        text.get(..3).is_some_and(|code| code.starts_with(['4', '5']) && code.bytes().all(|b| b.is_ascii_digit()));
    code && text.as_bytes().get(3).is_none_or(|b| matches!(b, b' ' | b'-' | b':'))
}

fn join(all: &mut String, line: &str) {
    if all.len() < REPLY_MAX {
        all.push(' ');
        all.push_str(&line[..line.floor_char_boundary(REPLY_MAX)]);
    }
}

/// Whether a reply is cut: each line but the last has a hyphen behind its code (RFC 5321 §4.2.1).
pub(crate) fn is_open(reply: &str) -> bool {
    let Some(code) = reply.get(..3).filter(|_| begins_with_code(reply)) else { return false };
    // The last line has its code alone.
    reply.as_bytes().get(3) == Some(&b'-') && !reply.split_ascii_whitespace().any(|word| word == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_found() {
        for (phrase, stage) in SAID {
            assert_eq!(stage_said(&format!("Host {phrase}: 550 no")), Some(*stage), "{phrase}");
        }
    }

    #[test]
    fn stages_in_sentences() {
        for (text, expected) in [
            ("host mx[192.0.2.1] said: 550 no (in reply to RCPT TO command)", Some(Stage::Rcpt)),
            ("host mx said: 554 no (in reply to end of DATA command)", Some(Stage::Message)),
            ("host mx[192.0.2.1] refused to talk to me: 554 no", Some(Stage::Greeting)),
            ("SMTP error from remote mail server after MAIL FROM:<x@y.example> SIZE=1: 550 no", Some(Stage::Mail)),
            ("SMTP error from remote mail server after pipelined end of data: 550 no", Some(Stage::Message)),
            ("SMTP error from remote mail server after EHLO me.example: 550 no", Some(Stage::Hello)),
            ("192.0.2.1 does not like recipient. Remote host said: 550 no", Some(Stage::Rcpt)),
            ("Connected to 192.0.2.1 but sender was rejected. Remote host said: 550 no", Some(Stage::Mail)),
            ("550 no (in reply to DATA), then: refused to talk to me", Some(Stage::Data)),
            ("550 no", None),
        ] {
            assert_eq!(stage_said(text), expected, "{text}");
        }
    }

    #[test]
    fn transcripts() {
        let heard = transcript(
            "... while talking to mx.example.:\n<<< 554 not you\n... while talking to mx2.example.:\n\
             >>> RCPT To:<ana@example.com>\n<<< 550-5.7.1 we do\n<<< 550 5.7.1 not know you\n\
             550 5.1.1 <ana@example.com>... User unknown\n>>> DATA\n<<< 503 need RCPT\n554 5.0.0 Service unavailable\n\n\
             550 nowhere.example (smtp)... 550 Host unknown\n",
        );
        let shown: Vec<_> = heard.iter().map(|one| (one.text.as_str(), one.local.as_deref(), one.stage)).collect();
        assert_eq!(
            shown,
            [
                ("554 not you", None, Some(Stage::Greeting)),
                (
                    "550-5.7.1 we do 550 5.7.1 not know you",
                    Some("550 5.1.1 <ana@example.com>... User unknown"),
                    Some(Stage::Rcpt)
                ),
                ("503 need RCPT", Some("554 5.0.0 Service unavailable"), Some(Stage::Data)),
                ("550 nowhere.example (smtp)... 550 Host unknown", None, None),
            ]
        );
        assert!(heard[1].names("ana@example.com"));
    }

    #[test]
    fn announced_answers() {
        for (words, expected) in [
            ("It failed.\n\nThe response was:\n\n550 no\nsuch user\n\nBye", Some("550 no such user")),
            ("mx.example gave this error:\nno such user\n", Some("no such user")),
            (
                "Reported error: 550 5.1.10 not found\nDSN generated by: x",
                Some("550 5.1.10 not found DSN generated by: x"),
            ),
            ("It failed.\n", None),
            ("The response was:\n", None),
        ] {
            assert_eq!(announced(words).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn replies_that_are_cut() {
        for (reply, expected) in [
            ("550-5.7.1 we do", true),
            ("550-5.7.1 we do 550 5.7.1 not", false),
            ("550-we 550-do", true),
            ("550 no", false),
            ("no", false),
        ] {
            assert_eq!(is_open(reply), expected, "{reply}");
        }
    }
}
