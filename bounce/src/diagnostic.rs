//! The words of a diagnostic: the SMTP reply in them.

use mail::{EnhancedStatus, Reply};

/// The SMTP reply in a diagnostic text: `550 5.1.1 no such user`, `550-5.1.1 no such 550 5.1.1 user` (lines joined),
/// or with words before it, which are kept since they may say more than the reply does.
pub(crate) fn reply_in(text: &str) -> Option<Reply> {
    let code_of = |word: &str| {
        let digits = word.get(..3)?;
        let good = digits.bytes().all(|b| b.is_ascii_digit()) && matches!(word.as_bytes()[0], b'4' | b'5');
        let ends = matches!(word.as_bytes().get(3), None | Some(b'-' | b':' | b'#'));
        (good && ends).then(|| digits.parse::<u16>().ok()).flatten()
    };
    let code = text.split_ascii_whitespace().find_map(code_of)?;
    let mut rest = String::with_capacity(text.len());
    let mut status = None;
    let mut at_line_start = false;
    for word in text.split_ascii_whitespace() {
        let mut word = word;
        if code_of(word) == Some(code) {
            // The code again: another line of the same reply, perhaps glued to its status.
            // IronPort puts the server's words in quotes: "5.1.0 - Unknown address error 550-'5.2.2 full'".
            word = word.get(4..).unwrap_or("").trim_start_matches('\'');
            at_line_start = true;
            if word.is_empty() {
                continue;
            }
        }
        let own_status = EnhancedStatus::parse(word).filter(|found| u16::from(found.class) == code / 100);
        if at_line_start && own_status.is_some() {
            status = status.or(own_status);
        } else {
            if !rest.is_empty() {
                rest.push(' ');
            }
            rest.push_str(word);
        }
        at_line_start = false;
    }
    Some(Reply { code, enhanced: status, text: rest })
}

/// `5.1.1 (bad destination mailbox address)` occurs.
pub(crate) fn status_in(value: &str) -> Option<EnhancedStatus> {
    statuses(value).next()
}

/// The first status of trouble.
pub(crate) fn trouble_in(value: &str) -> Option<EnhancedStatus> {
    statuses(value).find(|status| status.class != 2)
}

fn statuses(value: &str) -> impl Iterator<Item = EnhancedStatus> {
    let words = value.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter_map(|word| EnhancedStatus::parse(word.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_in_diagnostics() {
        for (text, expected) in [
            ("550 5.1.1 no such user", Some("550 5.1.1 no such user")),
            ("550-5.1.1 no such 550-5.1.1 user 550 5.1.1 here", Some("550 5.1.1 no such user here")),
            ("550 no such user", Some("550 no such user")),
            (
                "host mx.example [192.0.2.1] said: 452 4.2.2 full",
                Some("452 4.2.2 host mx.example [192.0.2.1] said: full"),
            ),
            (
                "5.1.0 - Unknown address error 550-'5.2.2 Mailbox full'",
                Some("550 5.2.2 5.1.0 - Unknown address error Mailbox full'"),
            ),
            ("421", Some("421")),
            ("550 #5.1.0 Address rejected.", Some("550 #5.1.0 Address rejected.")),
            ("5.1.1 user unknown", None),
            ("connect to mx.example[192.0.2.1]:25: Connection timed out", None),
            ("", None),
            ("4é", None),
        ] {
            assert_eq!(reply_in(text).map(|reply| reply.to_string()).as_deref(), expected, "{text}");
        }
    }
}
