//! A mail taken apart: what its writer says, the parts for machines, and the message that it returns.
//!
//! Real reports hide the parts for machines in multipart/mixed, send the returned headers as a text attachment, or have
//! no MIME at all, so that the words and the returned message must be told apart by their lines.

use crate::mended;
use crate::notice;
use crate::original;
use mail_parser::{Address, HeaderValue, Message, MessagePart, MimeHeaders, PartType};

/// So many bytes of words are read; reports say what they have to say at the top.
const WORDS_MAX: usize = 64 * 1024;
/// So many parts are looked at.
const PARTS_MAX: usize = 200;

/// What a mail consists of.
#[derive(Default)]
pub(crate) struct Pieces {
    /// The words outside of the returned message.
    pub words: String,
    /// The contents of message/delivery-status parts.
    pub status: Vec<String>,
    /// The content of a message/feedback-report part.
    pub feedback: Option<String>,
    /// The content of a message/disposition-notification part.
    pub disposition: Option<String>,
    /// Header fields of the returned message.
    pub original: Vec<(String, String)>,
    /// Whether something was returned, headers or not.
    pub returned: bool,
    /// Where the returned message lies in the mail, to be looked at when it is itself a report.
    pub nested: Option<std::ops::Range<usize>>,
    /// The returned message where it stands below the words.
    pub below: Option<String>,
}

impl Pieces {
    pub fn of(message: &Message<'_>) -> Pieces {
        let mut pieces = Pieces::default();
        let mut html = String::new();
        if is_without_its_parts(message) {
            pieces.read_raw(&message.raw_message);
            return pieces;
        }
        for part in message.parts.iter().take(PARTS_MAX) {
            pieces.take(message, part, &mut html);
        }
        if pieces.words.trim().is_empty() {
            pieces.words = html;
        }
        let cut = notice::cut(&pieces.words);
        pieces.take_below(&cut);
        pieces.words.truncate(cut.words);
        pieces
    }

    /// Takes everything behind the header as words, where MIME is broken beyond reading.
    pub fn read_raw(&mut self, raw: &[u8]) {
        let text = lossy(raw);
        let body = text.find("\n\n").or_else(|| text.find("\r\n\r\n")).map_or("", |end| text[end..].trim_start());
        body.clone_into(&mut self.words);
        let cut = notice::cut(body);
        self.take_below(&cut);
        self.words.truncate(cut.words);
    }

    fn take_below(&mut self, cut: &notice::Cut) {
        if let Some(after) = cut.original {
            let below = self.words[after..].to_owned();
            self.take_original(original::fields(&below));
            self.below = Some(below);
        }
    }

    fn take(&mut self, message: &Message<'_>, part: &MessagePart<'_>, html: &mut String) {
        let is = |kind: &str, sub: &str| part.is_content_type(kind, sub);
        if is("message", "delivery-status") || is("message", "global-delivery-status") {
            self.status.push(text_of(message, part));
        } else if is("message", "feedback-report") {
            self.feedback.get_or_insert_with(|| text_of(message, part));
        } else if is("message", "disposition-notification") || is("message", "global-disposition-notification") {
            self.disposition.get_or_insert_with(|| text_of(message, part));
        } else if is("text", "rfc822-headers") || is("message", "rfc822-headers") || is("message", "global-headers") {
            self.take_original(original::fields(&text_of(message, part)));
        } else if let PartType::Message(returned) = &part.body {
            self.take_original(original::of_message(returned));
            if self.nested.is_none() {
                self.nested = Some(part.offset_body as usize..part.offset_end as usize);
            }
        } else if is("message", "rfc822") || is("message", "global") {
            self.take_original(original::fields(&text_of(message, part)));
        } else {
            self.take_words(message, part, html);
        }
    }

    fn take_original(&mut self, fields: Vec<(String, String)>) {
        self.returned = true;
        if self.original.is_empty() {
            self.original = fields;
        }
    }

    fn take_words(&mut self, message: &Message<'_>, part: &MessagePart<'_>, html: &mut String) {
        if let Some(text) = broken_base64(message, part) {
            push(&mut self.words, &text);
            return;
        }
        match &part.body {
            // The returned headers as an attachment of plain text.
            PartType::Text(text) if part.content_disposition().is_some_and(|found| found.is_attachment()) => {
                let fields = original::fields(text);
                if fields.len() >= 3 && original::is_message(&fields) {
                    self.take_original(fields);
                } else {
                    push(&mut self.words, text);
                }
            }
            PartType::Text(text) if looks_like_html(text) => push(html, &without_tags(bounded(text))),
            PartType::Text(text) => push(&mut self.words, text),
            PartType::Html(text) => push(html, &without_tags(bounded(text))),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) if part.content_type().is_none() => {
                push(&mut self.words, &String::from_utf8_lossy(&bytes[..bytes.len().min(WORDS_MAX)]));
            }
            _ => {}
        }
    }
}

/// A multipart whose boundary occurs nowhere: the words stand in the body all the same.
fn is_without_its_parts(message: &Message<'_>) -> bool {
    let Some(boundary) = message.content_type().and_then(|kind| kind.attribute("boundary")) else { return false };
    let line = format!("--{boundary}");
    !String::from_utf8_lossy(&message.raw_message[..message.raw_message.len().min(WORDS_MAX)]).contains(&line)
}

/// What can be read of a text in base64 that broke.
fn broken_base64(message: &Message<'_>, part: &MessagePart<'_>) -> Option<String> {
    let encoding = part.content_transfer_encoding().filter(|_| part.is_encoding_problem)?;
    let is_text = part.content_type().is_none_or(|kind| kind.ctype().eq_ignore_ascii_case("text"));
    if !is_text || !encoding.eq_ignore_ascii_case("base64") {
        return None;
    }
    let encoded = message.raw_message.get(part.offset_body as usize..part.offset_end as usize)?;
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    mended::base64_text(&encoded[..encoded.len().min(WORDS_MAX)], charset)
}

/// The decoded content of a part, however mail-parser filed it.
fn text_of(message: &Message<'_>, part: &MessagePart<'_>) -> String {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => bounded(text).to_owned(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => lossy(bytes),
        PartType::Message(_) | PartType::Multipart(_) => {
            let range = part.offset_body as usize..part.offset_end as usize;
            lossy(message.raw_message.get(range).unwrap_or_default())
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(WORDS_MAX)]).into_owned()
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(WORDS_MAX)]
}

fn push(words: &mut String, text: &str) {
    let room = WORDS_MAX.saturating_sub(words.len());
    words.push_str(&text[..text.floor_char_boundary(room)]);
    words.push('\n');
}

/// A part that says text/plain, or nothing, and is HTML all the same.
fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start();
    ["<html", "<!doctype html", "<HTML", "<!DOCTYPE"].iter().any(|tag| start.starts_with(tag))
}

/// HTML without its tags, one line per block. Not a browser: what remains is read by phrases and addresses.
pub(crate) fn without_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    // Where tags say where lines end, an end of a line in the source is no more than a space.
    let lower = html.to_ascii_lowercase();
    let by_tags = ["<br", "<p>", "<p ", "<div", "<tr", "<li"].iter().any(|tag| lower.contains(tag));
    let mut preformatted = false;
    while let Some(open) = rest.find('<') {
        push_text(&mut out, &rest[..open], by_tags && !preformatted);
        let Some(close) = rest[open..].find('>') else {
            rest = "";
            break;
        };
        let tag = &rest[open + 1..open + close];
        // An address in angle brackets that was never escaped.
        if tag.contains('@') && !tag.contains([' ', '"', '=']) {
            out.push_str(&rest[open..=open + close]);
        }
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        rest = &rest[open + close + 1..];
        let name = name.to_ascii_lowercase();
        if name == "pre" {
            preformatted = !tag.starts_with('/');
        }
        match name.as_str() {
            "br" | "p" | "div" | "tr" | "li" | "h1" | "h2" | "h3" | "pre" | "table" | "hr" | "blockquote" => {
                out.push('\n');
            }
            "td" | "th" => out.push(' '),
            name @ ("style" | "script" | "head") if !tag.starts_with('/') => {
                let end = format!("</{name}");
                let skip = rest.to_ascii_lowercase().find(&end).unwrap_or(rest.len());
                rest = &rest[skip..];
            }
            _ => {}
        }
    }
    push_text(&mut out, rest, by_tags && !preformatted);
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&quot;", "\""), ("&#39;", "'"), ("&#64;", "@")];
    let out = plain.iter().fold(out, |text, (entity, sign)| text.replace(entity, sign));
    out.replace("&amp;", "&")
}

fn push_text(out: &mut String, text: &str, in_one_line: bool) {
    match in_one_line {
        true => out.extend(text.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c })),
        false => out.push_str(text),
    }
}

/// The text of a header field, unfolded.
pub(crate) fn header<'m>(message: &'m Message<'_>, name: &'static str) -> Option<&'m str> {
    message.header_raw(name).map(str::trim)
}

/// The subject, decoded.
pub(crate) fn subject(message: &Message<'_>) -> String {
    message.subject().unwrap_or("").to_owned()
}

/// Every address of an address field, lower case.
pub(crate) fn addresses(message: &Message<'_>, name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in message.header_values(name.to_owned()) {
        match value {
            HeaderValue::Address(address) => found.extend(of_address(address)),
            HeaderValue::Text(text) => found.extend(crate::address::all(text).into_iter().map(|hit| hit.address)),
            _ => {}
        }
    }
    found.iter().map(|address| address.to_lowercase()).collect()
}

fn of_address(address: &Address<'_>) -> Vec<String> {
    address.iter().take(100).filter_map(|addr| addr.address().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_taken_off() {
        for (html, expected) in [
            ("<p>Hello<br>you</p>", "\nHello\nyou\n"),
            ("one<br>\ntwo\nthree<br>", "one\n two three\n"),
            ("<br><pre>one\ntwo</pre>", "\n\none\ntwo\n"),
            ("<html>one\ntwo", "one\ntwo"),
            ("<style>p { x }</style>a", "a"),
            ("&lt;ana@example.com&gt; <ana@example.com>", "<ana@example.com> <ana@example.com>"),
            ("a <b", "a "),
            ("<a href=\"mailto:x@y.example\">ana</a>", "ana"),
        ] {
            assert_eq!(without_tags(html), expected, "{html}");
        }
    }
}
