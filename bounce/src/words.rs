//! Recipients and reasons in the words of a report. Strategies: an address that begins a line, as qmail, Postfix, Exim and
//! most others write it; an address behind a label; a line of an SMTP conversation; an address in a sentence. The
//! strongest that occurs is taken, so that the address of a help desk further down is none.

mod strength;

use crate::address;
use crate::diagnostic;
use crate::notice::LINES_MAX;
use crate::vocabulary::WORDS;
use strength::{Candidate, Strength, in_line};

/// So many recipients are taken of one report.
pub(crate) const RECIPIENTS_MAX: usize = 500;
/// So many bytes of a line are looked at.
const LINE_MAX: usize = 2_000;
/// So many characters of a reason are kept.
const REASON_MAX: usize = 1_500;

/// A recipient in words, with the words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub recipient: String,
    /// The address that it was reached through ("expanded from").
    pub original: Option<String>,
    pub reason: String,
    /// More than an address that happens to stand there.
    pub is_sure: bool,
}

/// Finds them. `own` are addresses of the one who gets the report, which are recipients only where nothing else is.
pub(crate) fn recipients(words: &str, own: &[String]) -> Vec<Found> {
    let lines: Vec<&str> = words.lines().take(LINES_MAX).collect();
    let mut candidates: Vec<Candidate> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let line = &line[..line.floor_char_boundary(LINE_MAX)];
        candidates.extend(in_line(line, number, label_before(&lines, number)));
    }
    without_continuations(&lines, &mut candidates);
    // "<ana@…>:" is as sure as any phrase.
    if candidates.iter().any(|found| found.strength == Strength::LineStart && found.rest.trim_start().starts_with(':'))
    {
        for found in candidates.iter_mut().filter(|found| found.strength == Strength::Certain) {
            found.strength = Strength::LineStart;
        }
    }
    let is_own = |candidate: &Candidate| own.contains(&candidate.address.to_lowercase());
    let strongest =
        |candidates: &[Candidate]| candidates.iter().filter(|found| !is_own(found)).map(|found| found.strength).max();
    let best = match strongest(&candidates) {
        Some(best) => {
            candidates.retain(|found| found.strength == best && !is_own(found));
            best
        }
        // All are our own: a report about a mail to oneself.
        None => {
            let best = candidates.iter().map(|found| found.strength).max().unwrap_or(Strength::Anywhere);
            candidates.retain(|found| found.strength == best && best >= Strength::Conversation);
            best
        }
    };
    if best == Strength::Anywhere {
        // An address anywhere is the recipient only if there is no other.
        let first = candidates.first().map(|found| found.address.to_lowercase());
        candidates.retain(|found| Some(found.address.to_lowercase()) == first || best > Strength::Anywhere);
    }
    gathered(&lines, candidates)
}

/// What stands indented below a recipient, up to an empty line, is about that one: addresses there are a server's words.
fn without_continuations(lines: &[&str], candidates: &mut Vec<Candidate>) {
    let mut starts = vec![false; lines.len()];
    for found in candidates.iter().filter(|found| found.strength == Strength::LineStart) {
        starts[found.line] = true;
    }
    let mut below = vec![false; lines.len()];
    let mut anchor: Option<usize> = None;
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() {
            anchor = None;
        } else if anchor.is_some_and(|above| indent > above) {
            below[number] = true;
        } else {
            anchor = starts[number].then_some(indent);
        }
    }
    candidates.retain(|found| !below[found.line]);
}

/// One entry per address, each with the lines about it.
fn gathered(lines: &[&str], candidates: Vec<Candidate>) -> Vec<Found> {
    let starts: Vec<usize> = candidates.iter().map(|found| found.line).collect();
    let mut found: Vec<Found> = Vec::new();
    for candidate in candidates {
        let next = starts.iter().copied().find(|line| *line > candidate.line).unwrap_or(lines.len());
        let reason = reason(lines, &candidate, next);
        let original = expanded_from(lines, candidate.line, next);
        let is_sure = candidate.strength > Strength::Anywhere;
        let known = found.iter().position(|known| known.recipient.eq_ignore_ascii_case(&candidate.address));
        match known {
            Some(place) => also(&mut found[place], &reason),
            None if found.len() < RECIPIENTS_MAX => {
                found.push(Found { recipient: candidate.address, original, reason, is_sure });
            }
            None => break,
        }
    }
    found
}

/// The address again, with more words about it.
fn also(known: &mut Found, reason: &str) {
    if diagnostic::reply_in(&known.reason).is_none() && !reason.is_empty() && known.reason.len() < REASON_MAX {
        known.reason = format!("{} {reason}", known.reason).trim().to_owned();
    }
}

/// The rest of the line and what follows it, up to an empty line behind something.
fn reason(lines: &[&str], candidate: &Candidate, next: usize) -> String {
    let mut text = candidate.rest.trim().trim_start_matches([':', ';', ',', '-', '.', '>', '|']).trim().to_owned();
    for line in lines.iter().take(next).skip(candidate.line + 1) {
        let line = line.trim();
        if line.is_empty() {
            if text.is_empty() {
                continue;
            }
            break;
        }
        if text.len() > REASON_MAX {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
    text.truncate(text.floor_char_boundary(REASON_MAX));
    text
}

fn expanded_from(lines: &[&str], line: usize, next: usize) -> Option<String> {
    // The address may stand in the line below the words.
    let about: Vec<&str> = lines
        .iter()
        .take(next.min(line + 3))
        .skip(line)
        .map(|line| &line[..line.floor_char_boundary(LINE_MAX)])
        .collect();
    source_of(&about.join(" "))
}

/// `(expanded from: <ana@example.com>)` and its like: the address that we sent to.
fn source_of(line: &str) -> Option<String> {
    let lower = line.to_lowercase();
    let phrase = [
        "expanded from",
        "generated from",
        "generated by",
        "was addressed to",
        "originally addressed to",
        "forwarded from",
    ]
    .into_iter()
    .find(|phrase| lower.contains(phrase))?;
    let at = lower.find(phrase)? + phrase.len();
    let rest = line.get(at..)?;
    address::all(rest).into_iter().next().map(|hit| hit.address)
}

/// The label in a line of its own before this one: "The following recipients were affected:" does not count, "Failed
/// Recipient:" does.
fn label_before(lines: &[&str], number: usize) -> bool {
    let before = lines[..number].iter().rev().find(|line| !line.trim().is_empty());
    before.is_some_and(|line| {
        let line = line.trim().to_lowercase();
        line.strip_suffix([':', '：']).is_some_and(|label| WORDS.labels.contains(label.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: &[(&str, &str)]) {
        let found = recipients(words, &["me@example.net".to_owned()]);
        let found: Vec<(&str, &str)> = found.iter().map(|f| (f.recipient.as_str(), f.reason.as_str())).collect();
        assert_eq!(found, expected, "{words}");
    }

    #[test]
    fn line_starts() {
        check(
            "Hi.\n\n<ana@example.com>:\nno such user\nhere\n\nBye to me@example.net",
            &[("ana@example.com", "no such user here")],
        );
        check(
            "failed:\n\n  ana@example.com\n    host mx said: 550 no\n\n  bo@example.com\n    full\n",
            &[("ana@example.com", "host mx said: 550 no"), ("bo@example.com", "full")],
        );
        check("\"ana@example.com\":\nquota\n", &[("ana@example.com", "quota")]);
        check("<ana>: unknown\n", &[("ana", "unknown")]);
    }

    #[test]
    fn what_stands_below_is_about_the_one_above() {
        check(
            "<ana@example.com>: host mx said: 550 5.1.1\n    <bo@example.org>: no such user\n",
            &[("ana@example.com", "host mx said: 550 5.1.1 <bo@example.org>: no such user")],
        );
        check(
            "  ana@example.com\n    550 Sorry, your message to bo@example.org was not taken\n  cy@example.com\n    full\n",
            &[
                ("ana@example.com", "550 Sorry, your message to bo@example.org was not taken"),
                ("cy@example.com", "full"),
            ],
        );
    }

    #[test]
    fn labels_and_sentences() {
        check("Failed Recipient: ana@example.com\nReason: no\n", &[("ana@example.com", "Reason: no")]);
        check(
            "Your message to <ana@example.com> was rejected, ask postmaster@example.com\n",
            &[("ana@example.com", "was rejected, ask postmaster@example.com")],
        );
        check(">>> RCPT TO:<ana@example.com>\n<<< 550 no\n", &[("ana@example.com", "<<< 550 no")]);
        check(
            "A message from <bo@example.com> to:\n-> ana@example.com\n\nwas bad\n",
            &[("ana@example.com", "was bad")],
        );
        check("Contact help@example.com\n", &[]);
    }

    #[test]
    fn expansions() {
        check(
            "<ana@example.com> (expanded from\n    <list@example.com>): full\n",
            &[("ana@example.com", "(expanded from <list@example.com>): full")],
        );
        check("  an undisclosed address\n    (generated from ana@example.com)\n", &[("ana@example.com", "")]);
    }
}
