//! The header fields of the message that a report returns, from a MIME part or from the lines below "original message".

use crate::ORIGINAL_HEADERS_MAX;
use mail_parser::Message;

/// So many bytes are searched for fields.
const HEAD_MAX: usize = 64 * 1024;
/// So many characters of a field's value are kept.
const VALUE_MAX: usize = 2_000;

/// Fields of a message that mail-parser has read.
pub(crate) fn of_message(message: &Message<'_>) -> Vec<(String, String)> {
    let start = message.parts.first().map_or(0, |part| part.offset_header as usize);
    let raw = message.raw_message.get(start..).unwrap_or_default();
    fields(&String::from_utf8_lossy(&raw[..raw.len().min(HEAD_MAX)]))
}

fn unfolded(value: &str) -> String {
    let value = &value[..value.floor_char_boundary(VALUE_MAX)];
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads fields from text that should begin with them, whatever stands before; some systems quote them with `>` or
/// indent them.
pub(crate) fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let indent = indentation(text);
    for line in text.lines().take(2_000) {
        let line = line.strip_prefix("> ").or_else(|| line.strip_prefix('>')).unwrap_or(line);
        let line = line.get(indent..).filter(|_| line.len() > indent).unwrap_or(line);
        if line.trim().is_empty() {
            if fields.len() > 1 {
                break;
            }
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut()
                && value.len() < VALUE_MAX
            {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = field(line) {
            if fields.len() == ORIGINAL_HEADERS_MAX {
                break;
            }
            fields.push((name.to_owned(), unfolded(value)));
        }
    }
    fields
}

/// How far the first field is indented; fields that belong together are indented alike.
fn indentation(text: &str) -> usize {
    let first = text.lines().take(60).find(|line| field(line.trim_start()).is_some());
    first.map_or(0, |line| line.len() - line.trim_start().len()).min(8)
}

/// `Name: value`, where the name may be one (RFC 5322 §2.2) and none of the words before a colon in a sentence.
pub(crate) fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let good = !name.is_empty()
        && name.len() <= 60
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    // "Received:from" occurs; "http://x" is no field.
    (good && !value.starts_with("//")).then_some((name, value.trim()))
}

/// Whether these are fields of a message, not of some list in the words.
pub(crate) fn is_message(fields: &[(String, String)]) -> bool {
    let known = ["from", "to", "subject", "date", "message-id", "received", "return-path", "mime-version"];
    fields.iter().filter(|(name, _)| known.contains(&name.to_ascii_lowercase().as_str())).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found: Vec<String> = fields(text).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found.join("|"), expected, "{text}");
    }

    #[test]
    fn fields_are_read_as_they_come() {
        check("\nFrom: a\nTo: b\n c\n\nbody: x\n", "From=a|To=b c");
        check("Message follows\n\n> From: a\n> To: b\n>\n> c", "From=a|To=b");
        check("   Subject: a b\n   Date: c\n", "Subject=a b|Date=c");
        check(">Return-Path: <x>\n>Received: y\n", "Return-Path=<x>|Received=y");
        check("nothing here\n", "");
    }
}
