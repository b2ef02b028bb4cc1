//! How sure it is that an address in a line is a recipient.

use super::source_of;
use crate::address::{self, Hit};
use crate::vocabulary::WORDS;

/// How sure it is that an address is a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    Anywhere,
    Sentence,
    Conversation,
    Label,
    LineStart,
    Certain,
}

pub(super) struct Candidate {
    pub line: usize,
    pub address: String,
    pub strength: Strength,
    /// What stands behind the address in its line.
    pub rest: String,
}

/// The addresses of a line, each with how sure it is.
pub(super) fn in_line(line: &str, number: usize, labelled: bool) -> Vec<Candidate> {
    if let Some(address) = source_of(line) {
        // An address that nobody may see ("an undisclosed address") still has this one.
        return vec![Candidate { line: number, address, strength: Strength::Sentence, rest: String::new() }];
    }
    let undressed = line.trim_start_matches(|c: char| c.is_whitespace() || "*-•·|>=#→●■".contains(c));
    let offset = line.len() - undressed.len();
    let mut hits = address::all(line);
    if hits.is_empty() {
        hits.extend(bare_in_brackets(line, offset));
    }
    let mut found = Vec::new();
    for (place, hit) in hits.iter().enumerate() {
        let strength = strength(line, offset, hit, place, labelled);
        if let Some(strength) = strength {
            let rest = line[hit.end..].to_owned();
            found.push(Candidate { line: number, address: hit.address.clone(), strength, rest });
        }
    }
    found
}

/// `<ana>:` at the beginning of a line.
fn bare_in_brackets(line: &str, offset: usize) -> Option<Hit> {
    let text = &line[offset..];
    let close = text.strip_prefix('<')?.find('>')? + 1;
    let behind = &text[close + 1..];
    let address = address::only(&text[..=close]).filter(|_| behind.starts_with(':') || behind.starts_with("..."))?;
    Some(Hit { address, start: offset, end: offset + close + 1 })
}

/// Local parts of those who help or report, never of a recipient in a sentence.
fn is_helper(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or("").to_lowercase();
    [
        "postmaster",
        "abuse",
        "support",
        "help",
        "helpdesk",
        "noc",
        "mailer-daemon",
        "hostmaster",
        "webmaster",
        "admin",
        "delist",
    ]
    .contains(&local.as_str())
}

fn strength(line: &str, offset: usize, hit: &Hit, place: usize, labelled: bool) -> Option<Strength> {
    let before = line[..hit.start].trim_end_matches(['<', '"', '\'', '(', '[', ' ', '\t', '“', '‘', '「']);
    let after = line[hit.end..].trim_start();
    if let Some(strength) = in_conversation(line, offset, before) {
        return strength;
    }
    // X.400 as gateways write it: "c=US;a= ;p=IKON;dda:SMTP=ana@example.com;".
    if before.ends_with("SMTP=") {
        return Some(Strength::LineStart);
    }
    let spoken = before.trim_end_matches([':', ' ']).to_lowercase();
    if WORDS.certain.iter().any(|phrase| spoken.ends_with(phrase.as_str())) && !is_helper(&hit.address) {
        // In a server's reply it may be another name of the recipient.
        return Some(if is_reply(line, offset) { Strength::Conversation } else { Strength::Certain });
    }
    if before.len() <= offset {
        return starts_line(line, hit, after, place, labelled);
    }
    // "Ana<mailto:ana@example.com>" and "Ana <ana@example.com>", alone in its line.
    let named = line[..hit.start].ends_with(['<', '('])
        || line[hit.start..].starts_with('<')
        || before.ends_with("<mailto:")
        || before.ends_with("mailto:");
    if named
        && after.trim_matches(['>', ')', ' ', ':']).is_empty()
        && before.len() - offset < 60
        && !before.contains([':', '.'])
        && !is_helper(&hit.address)
    {
        return other_before(before).then_some(Strength::Anywhere).or(Some(Strength::Label));
    }
    by_label(line, offset, before, after, hit)
}

/// An address at the beginning of a line: more than a sentence that happens to begin with one.
fn starts_line(line: &str, hit: &Hit, after: &str, place: usize, labelled: bool) -> Option<Strength> {
    let glued = line[hit.end..].chars().next();
    let listed = after.is_empty()
        || glued.is_some_and(|c| ":;,.)".contains(c))
        || after.starts_with(['(', '[', '<', '-', ':', ';', ',', '|', '=', '–', '：', '→', '"', '#'])
        || after.starts_with("...")
        || [
            "on ",
            "delivery ",
            "is ",
            "was ",
            "has ",
            "said",
            "said:",
            "user ",
            "unknown",
            "failed",
            "does ",
            "could ",
            "cannot ",
            "not ",
            "couldn",
            "Invalid ",
            "invalid ",
        ]
        .iter()
        .any(|word| after.starts_with(word))
        || after.starts_with(|c: char| c.is_ascii_digit());
    match (place, listed) {
        (0, true) => Some(Strength::LineStart),
        (0, false) if labelled => Some(Strength::LineStart),
        _ if is_helper(&hit.address) => None,
        _ => Some(Strength::Sentence),
    }
}

/// `550 5.1.1 <ana@example.com>... User unknown`, `>>> RCPT TO:<…>`, `<<< 550 …`.
fn in_conversation(line: &str, offset: usize, before: &str) -> Option<Option<Strength>> {
    let upper = before.trim_end_matches([':', ' ']).to_ascii_uppercase();
    if upper.ends_with("RCPT TO") {
        return Some(Some(Strength::Conversation));
    }
    if upper.ends_with("MAIL FROM") {
        return Some(None);
    }
    let close = before.len().saturating_sub(offset) < 24;
    (is_reply(line, offset) && close).then_some(Some(Strength::Conversation))
}

/// Whether a line, from `offset` on, is a server's reply.
fn is_reply(line: &str, offset: usize) -> bool {
    let text = &line[offset..];
    let text = text.strip_prefix("<<<").map_or(text, str::trim_start);
    text.get(..3).is_some_and(|code| code.starts_with(['4', '5']) && code.bytes().all(|b| b.is_ascii_digit()))
}

fn by_label(line: &str, offset: usize, before: &str, after: &str, hit: &Hit) -> Option<Strength> {
    if other_before(before) {
        return None;
    }
    let spoken = before.trim_end_matches(|c: char| c.is_whitespace() || ":：='\"<(".contains(c));
    let text = spoken.get(offset..).unwrap_or("").to_lowercase();
    let whole_line = WORDS.labels.contains(text.trim());
    let colon =
        before[spoken.len()..].contains([':', '：', '=']) || line[spoken.len()..hit.start].contains([':', '：', '=']);
    if whole_line
        && (colon || after.is_empty() || hit.end >= line.trim_end().len())
        && !(text.trim() == "to" && indented_field(line))
    {
        return Some(Strength::Label);
    }
    if is_helper(&hit.address) {
        return None;
    }
    let last = last_words(&text);
    let labelled = last.iter().any(|words| WORDS.labels.contains(words.as_str()));
    Some(if labelled { Strength::Sentence } else { Strength::Anywhere })
}

/// `  To:      ana@example.com` of Exchange's summary of the message: a field, not the recipient.
fn indented_field(line: &str) -> bool {
    line.starts_with([' ', '\t']) && line.trim_start().to_ascii_lowercase().starts_with("to:")
}

fn other_before(before: &str) -> bool {
    let spoken = before.trim_end_matches(|c: char| c.is_whitespace() || ":='\"<(".contains(c)).to_lowercase();
    last_words(&spoken).iter().any(|words| WORDS.others.contains(words.as_str()))
}

/// The last one to five words of a text, as phrases.
fn last_words(text: &str) -> Vec<String> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || ",;()".contains(c)).filter(|word| !word.is_empty()).collect();
    (1..=5.min(words.len()))
        .map(|count| words[words.len() - count..].join(" ").trim_start_matches(['-', '*']).to_owned())
        .collect()
}
