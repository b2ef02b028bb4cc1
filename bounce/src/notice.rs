//! Whether words are a report of delivery, what they say has become of the message, and where they end.

use crate::original;
use crate::report::Action;
use crate::vocabulary::WORDS;
use mail::EnhancedStatus;

/// So many lines of words are looked at.
pub(crate) const LINES_MAX: usize = 600;

/// Where the words end and the returned message begins, as offsets.
pub(crate) struct Cut {
    pub words: usize,
    pub original: Option<usize>,
}

/// Finds the line that announces the returned message, or the header fields of one that nothing announces.
pub(crate) fn cut(text: &str) -> Cut {
    let mut at = 0;
    let mut said_something = false;
    for line in text.split_inclusive('\n').take(LINES_MAX) {
        if said_something && announces_original(line) {
            return Cut { words: at, original: Some(at + line.len()) };
        }
        if original::field(line).is_some() && begins_message(&text[at..]) {
            return Cut { words: at, original: Some(at) };
        }
        said_something |= !line.trim().is_empty();
        at += line.len();
    }
    Cut { words: text.len(), original: None }
}

/// A line of its own, short, and one of the phrases: within a sentence they announce nothing.
fn announces_original(line: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.len() > 160 {
        return false;
    }
    let dressed = line.starts_with(['-', '=', '*', '|', '_', '+', '#', '[', '<', '【', '>'])
        || line.ends_with([':', '-', '*', '：', '.', '】', '|', '=']);
    let lower = line.to_lowercase();
    // "A transcript of the attempts to send the message follows." announces what we want to read.
    // Postfix ends a paragraph with "delete your own text from the attached returned message.".
    let tells_of_it = lower.contains("transcript of") || lower.contains("the attached returned message");
    dressed && WORDS.originals.occurs(&lower) && !tells_of_it
}

/// Three fields of a message in the next lines, one of them such as no list in the words has.
fn begins_message(text: &str) -> bool {
    let (mut known, mut telling) = (0, 0);
    for line in text.lines().take(12) {
        if line.trim().is_empty() {
            break;
        }
        let Some((name, _)) = original::field(line) else {
            if line.starts_with([' ', '\t']) {
                continue;
            }
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "received" | "return-path" | "message-id" | "mime-version" | "dkim-signature" | "x-mailer"
            | "delivered-to" => telling += 1,
            "from" | "to" | "subject" | "date" | "content-type" | "reply-to" | "sender" | "cc" => known += 1,
            _ => {}
        }
    }
    telling >= 1 && telling + known >= 3
}

/// The first phrase of failure or delay in words; quoted lines do not count.
pub(crate) fn telling_phrase(words: &str) -> Option<String> {
    let mut own = String::with_capacity(words.len().min(16_384));
    for line in words.lines().take(200).filter(|line| !line.trim_start().starts_with('>') || line.contains(">>>")) {
        own.extend(line.split_whitespace().flat_map(|word| [word, " "]));
        if own.len() > 16_384 {
            break;
        }
    }
    let own = own.to_lowercase();
    let phrase = WORDS.failures.find(&own).or_else(|| WORDS.delays.find(&own)).map(str::to_owned);
    phrase.or_else(|| telling_codes(&own))
}

/// A reply code with its enhanced status (RFC 2034 §4), in whatever language the rest is.
fn telling_codes(words: &str) -> Option<String> {
    let mut before: Option<&str> = None;
    for word in words.split(|c: char| c.is_whitespace() || "#-:;,()<>[]'\"".contains(c)) {
        let code = before.filter(|code| code.len() == 3 && code.starts_with(['4', '5']));
        let status = EnhancedStatus::parse(word).filter(|status| matches!(status.class, 4 | 5));
        if let (Some(code), Some(status)) = (code.and_then(|code| code.parse::<u16>().ok()), status)
            && code / 100 == u16::from(status.class)
        {
            return Some(format!("{code} {status}"));
        }
        before = (!word.is_empty()).then_some(word).or(before);
    }
    None
}

/// Delayed, given up, or delivered, by the words of subject and notice.
pub(crate) fn action(subject: &str, words: &str) -> Action {
    let joined = words.lines().take(200).flat_map(str::split_whitespace).fold(String::new(), |mut all, word| {
        if all.len() < 16_384 {
            all.push_str(word);
            all.push(' ');
        }
        all
    });
    let all = format!("{subject} {joined}").to_lowercase();
    // "Delivery to the following recipients was successful": nothing failed.
    let arrived = ["was successful", "successfully delivered", "successful mail delivery", "has been successfully"];
    if arrived.iter().any(|phrase| all.contains(phrase)) {
        return Action::Delivered;
    }
    // "It could not be delivered for 4 hours" is no end where it goes on like this.
    let goes_on = ["will be retried until", "will keep trying until", "a warning only", "not need to resend"];
    if goes_on.iter().any(|phrase| all.contains(phrase)) {
        return Action::Delayed;
    }
    if WORDS.delays.occurs(&all) && !WORDS.given_up.occurs(&all) { Action::Delayed } else { Action::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words: &str) {
        assert_eq!(&text[..cut(text).words], words, "{text}");
    }

    #[test]
    fn words_end_where_the_original_begins() {
        check("It failed.\n--- Below this line is a copy of the message.\nFrom: a\n", "It failed.\n");
        check("It failed.\n\nReceived: x\nFrom: a\nTo: b\n", "It failed.\n\n");
        check("Your message\n  To: a\n  Subject: b\nfailed\n", "Your message\n  To: a\n  Subject: b\nfailed\n");
        check(
            "The original message follows as a separate attachment\nok",
            "The original message follows as a separate attachment\nok",
        );
    }

    #[test]
    fn codes_tell_in_any_language() {
        for (words, expected) in [
            ("เซิร์ฟเวอร์ตอบว่า #550 5.1.1 x", Some("550 5.1.1")),
            ("said: 452-4.2.2 full", Some("452 4.2.2")),
            ("version 550 4.2.2", None),
            ("550 items, 5.1.1 of them", None),
        ] {
            assert_eq!(telling_codes(words).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn actions() {
        for (subject, words, expected) in [
            ("Delivery Status Notification (Delay)", "", Action::Delayed),
            ("Warning", "has not yet been delivered", Action::Delayed),
            ("failure", "not yet been delivered; giving up", Action::Failed),
            ("failure", "it failed", Action::Failed),
            ("Delayed", "could not be delivered for more than 4 hour(s).\nIt will be retried until", Action::Delayed),
            ("Returned", "could not be delivered for 5 days\nMessage will be deleted from queue", Action::Failed),
            ("report", "Delivery to the following recipients was successful", Action::Delivered),
        ] {
            assert_eq!(action(subject, words), expected, "{subject} {words}");
        }
    }
}
