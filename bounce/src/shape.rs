//! The shape of a text: what remains of it when addresses, hosts, numbers, ids and URLs are taken out, so that texts of
//! one making fall together and a rule can be made of them.

/// So many characters make a shape.
const SHAPE_MAX: usize = 300;

/// `550 5.1.1 <ana@example.com>: no (id 4f3a)` and `550 5.1.1 <bo@example.org>: no (id 99ab)` have one shape.
#[must_use]
pub fn shape(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHAPE_MAX));
    for word in text.split_whitespace() {
        if out.len() >= SHAPE_MAX {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word_shape(&word.to_lowercase()));
    }
    out.truncate(out.floor_char_boundary(SHAPE_MAX));
    out
}

/// Whether a word (lower case) would stand in any text of this making.
pub(crate) fn is_word(word: &str) -> bool {
    let is_text = word.chars().all(|c| c.is_alphanumeric() || c.is_ascii_punctuation());
    is_text
        && !word.contains(['*', '@'])
        && word_shape(word) == word
        && !word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn word_shape(word: &str) -> String {
    let inner = word.trim_matches(|c: char| "<>()[]{}\"'.,;:!?".contains(c));
    if inner.is_empty() {
        return word.to_owned();
    }
    let Some(sign) = stands_for(inner) else { return word.to_owned() };
    word.replacen(inner, sign, 1)
}

/// What a word is an instance of; `None` where it is just a word. Reply codes and enhanced codes are words: they say what
/// the text is about.
fn stands_for(word: &str) -> Option<&'static str> {
    let is_code = word.len() == 3 && word.starts_with(['2', '4', '5']) && word.bytes().all(|b| b.is_ascii_digit());
    if is_code
        || mail::EnhancedStatus::parse(word).is_some()
        || mail::EnhancedStatus::parse(word.trim_start_matches('#')).is_some()
    {
        return None;
    }
    if word.contains("://") || word.starts_with("www.") {
        return Some("URL");
    }
    if word.contains('@') {
        return Some("ADDRESS");
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if word.parse::<std::net::IpAddr>().is_ok() {
        return Some("IP");
    }
    if digits > 0 && word.bytes().all(|b| b.is_ascii_digit() || b".,:/-+%".contains(&b)) {
        return Some("NUMBER");
    }
    let labels = word.split('.').count();
    let host = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if host
        && labels >= 2
        && word.split('.').all(|label| !label.is_empty())
        && word.rsplit('.').next().is_some_and(|last| last.len() >= 2 && last.bytes().all(|b| b.is_ascii_alphabetic()))
    {
        return Some("HOST");
    }
    // An id: letters and digits mixed, or long.
    (digits >= 2 && word.len() >= 6 || digits >= 1 && word.len() >= 12).then_some("ID")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_of_one_making_fall_together() {
        for (text, expected) in [
            ("550 5.1.1 <ana@example.com>: no such user", "550 5.1.1 <ADDRESS>: no such user"),
            ("Host mx1.example.com [192.0.2.1] said no", "host HOST [IP] said no"),
            ("see https://x.example/a?b=1 now", "see URL now"),
            ("try again in 300 seconds (id 4F3a99-0b)", "try again in NUMBER seconds (id ID)"),
            ("451 4.7.1 id=20025-09 later", "451 4.7.1 ID later"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_shape_is_bounded_and_stands(text in "\\PC{0,400}") {
            let once = shape(&text);
            prop_assert!(once.len() <= SHAPE_MAX);
        }
    }
}
