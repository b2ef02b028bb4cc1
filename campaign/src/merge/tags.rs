//! Merge tags in a text: finding them, reading Liquid's spelling, hiding them from other languages.
//!
//! The look is Liquid's, the engine is minijinja. What differs between the two is respelled here, one tag at a time and
//! without moving a line, so that the engine's line numbers are those of the source: filter arguments
//! (`| default: "x"` becomes `| default("x")`), `elsif`, `unless`, `assign`, `capture`.
//!
//! A text with its tags hidden has a placeholder for each, which neither MJML nor HTML changes; revealing puts the tags
//! back.

use std::collections::HashSet;

/// Begins and ends a placeholder. Printable (MJML writes some values with escapes for what is not), and used in no
/// living language; where a source has them nevertheless, they are written as references.
pub(crate) const OPEN: char = '⸨';
const CLOSE: char = '⸩';

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not a tag.
    Text,
    /// `{{ … }}`: stands for a value, wherever it is.
    Value,
    /// `{% … %}`: opens, divides or closes; its order among the others matters.
    Block,
    /// `{# … #}`, `{% comment %} … {% endcomment %}`: stands for nothing.
    Comment,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

/// Cuts a text into tags and what stands between them. A tag that does not end is text: the engine names its line.
pub(crate) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut text_end = 0;
    while let Some(at) = rest[text_end..].find('{').map(|at| at + text_end) {
        let Some((kind, length)) = tag_at(&rest[at..]) else {
            text_end = at + 1;
            continue;
        };
        if at > 0 {
            pieces.push(Piece { kind: Kind::Text, text: &rest[..at] });
        }
        pieces.push(Piece { kind, text: &rest[at..at + length] });
        rest = &rest[at + length..];
        text_end = 0;
    }
    if !rest.is_empty() {
        pieces.push(Piece { kind: Kind::Text, text: rest });
    }
    pieces
}

/// The tag that `text` begins with, and its length.
fn tag_at(text: &str) -> Option<(Kind, usize)> {
    let kind = match text.as_bytes().get(1)? {
        b'{' => Kind::Value,
        b'%' => Kind::Block,
        b'#' => return Some((Kind::Comment, 4 + text.get(2..)?.find("#}")?)),
        _ => return None,
    };
    let end = tag_end(text, if kind == Kind::Value { "}}" } else { "%}" })?;
    if kind == Kind::Block {
        // What stands in `raw` and `comment` is one piece: no tags in it.
        match keyword(&text[2..end - 2]) {
            "raw" => return Some((Kind::Block, whole_block(text, end, "endraw")?)),
            "comment" => return Some((Kind::Comment, whole_block(text, end, "endcomment")?)),
            _ => {}
        }
    }
    Some((kind, end))
}

/// Where the tag ends: behind the first `close` that is in no quotes.
fn tag_end(text: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(2) {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if text[at..].starts_with(close) => return Some(at + close.len()),
            None => {}
        }
    }
    None
}

/// Where the block that opened ends: behind the tag with the keyword `end`.
fn whole_block(text: &str, opened: usize, end: &str) -> Option<usize> {
    let mut from = opened;
    while let Some(at) = text[from..].find("{%").map(|at| at + from) {
        let closes = at + text[at..].find("%}")? + 2;
        if keyword(&text[at + 2..closes - 2]) == end {
            return Some(closes);
        }
        from = at + 2;
    }
    None
}

/// The first word of a block tag's inside.
fn keyword(inner: &str) -> &str {
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner).trim_start();
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    &inner[..end]
}

/// The whole text in the engine's spelling. Lines stay where they are.
pub(crate) fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for piece in pieces(source) {
        translate_piece(piece, &mut out);
    }
    out
}

fn translate_piece(piece: Piece<'_>, out: &mut String) {
    match piece.kind {
        Kind::Text => out.push_str(piece.text),
        // Its line ends keep the following lines at their numbers.
        Kind::Comment => out.extend(piece.text.chars().filter(|c| *c == '\n')),
        Kind::Value => translate_arguments(piece.text, out),
        Kind::Block if keyword(&piece.text[2..]) == "raw" => out.push_str(piece.text),
        Kind::Block => translate_arguments(&translate_keyword(piece.text), out),
    }
}

fn translate_keyword(tag: &str) -> String {
    let inner = &tag[2..tag.len() - 2];
    let word = keyword(inner);
    let (new, negate) = match word {
        "elsif" => ("elif", false),
        "unless" => ("if not", true),
        "endunless" => ("endif", false),
        "assign" | "capture" => ("set", false),
        "endcapture" => ("endset", false),
        _ => return tag.to_owned(),
    };
    // `word` is a slice of `inner`.
    let at = inner.find(word).unwrap_or(0);
    let (before, after) = (&inner[..at], &inner[at + word.len()..]);
    if negate {
        let (condition, dash) = match after.strip_suffix('-') {
            Some(condition) => (condition, "-"),
            None => (after, ""),
        };
        return format!("{{%{before}{new} ({condition}) {dash}%}}");
    }
    format!("{{%{before}{new}{after}%}}")
}

/// `| name: a, b` becomes `| name(a, b)`.
fn translate_arguments(tag: &str, out: &mut String) {
    let end = tag.len() - 2;
    let mut at = 0;
    while at < end {
        let Some(pipe) = next_outside_quotes(tag, at, end, &['|']) else { break };
        out.push_str(&tag[at..=pipe]);
        at = pipe + 1;
        let name_end = filter_name_end(tag, at, end);
        out.push_str(&tag[at..name_end]);
        let gap = tag[name_end..end].len() - tag[name_end..end].trim_start().len();
        if name_end > at && tag[name_end + gap..end].starts_with(':') {
            let first = name_end + gap + 1;
            let last = next_outside_quotes(tag, first, end, &['|', ')']).unwrap_or(end);
            let arguments = &tag[first..last];
            let kept = arguments.trim_end_matches('-').trim();
            out.push('(');
            out.push_str(kept);
            out.push(')');
            // White space with its line ends, and the dash of `-}}`, stay behind the call.
            let behind = arguments.find(kept).map_or(arguments, |from| &arguments[from + kept.len()..]);
            out.push_str(behind);
            at = last;
        } else {
            at = name_end;
        }
    }
    out.push_str(&tag[at..]);
}

fn filter_name_end(tag: &str, from: usize, end: usize) -> usize {
    let blank = tag[from..end].len() - tag[from..end].trim_start().len();
    let name = &tag[from + blank..end];
    let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    if length == 0 { from } else { from + blank + length }
}

fn next_outside_quotes(text: &str, from: usize, end: usize, wanted: &[char]) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    for (at, c) in text[from..end].char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if depth == 0 && wanted.contains(&c) => return Some(from + at),
            None if c == '(' && wanted.len() > 1 => depth += 1,
            None if c == ')' => depth = depth.saturating_sub(1),
            None => {}
        }
    }
    None
}

/// Texts whose tags are hidden behind placeholders.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    tags: Vec<(Kind, String)>,
}

impl Hidden {
    /// The text with a placeholder for each tag; comments are gone.
    pub(crate) fn hide(&mut self, source: &str) -> String {
        let source = source.replace(OPEN, "&#x2E28;").replace(CLOSE, "&#x2E29;");
        let mut out = String::with_capacity(source.len());
        for piece in pieces(&source) {
            let mut text = String::new();
            translate_piece(piece, &mut text);
            if matches!(piece.kind, Kind::Text | Kind::Comment) {
                out.push_str(&text);
            } else {
                out.push_str(&self.keep(piece.kind, text));
            }
        }
        out
    }

    /// A placeholder for any text, to be put back as it is.
    pub(crate) fn keep(&mut self, kind: Kind, text: String) -> String {
        self.tags.push((kind, text));
        format!("{OPEN}{}{CLOSE}", self.tags.len() - 1)
    }

    /// The text with its tags again.
    pub(crate) fn reveal(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 32 * self.tags.len());
        let mut rest = text;
        while let Some((before, index, after)) = next_placeholder(rest) {
            out.push_str(before);
            if let Some((_, tag)) = self.tags.get(index) {
                // A kept text may have placeholders itself: an address of a link.
                out.push_str(&if tag.contains(OPEN) { self.reveal(tag) } else { tag.clone() });
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Whether another language left the tags of `before` usable in `after`: every block tag exactly once and in its
    /// order, and every value between the same block tags as before. A text that is rendered for its words may lose
    /// values (the address of an image); with `all` none may be missing.
    pub(crate) fn survived(&self, before: &str, after: &str, all: bool) -> bool {
        let (was, is) = (self.placed(before), self.placed(after));
        was.blocks == is.blocks
            && is.values.iter().all(|value| was.values.contains(value))
            && (!all || was.values.iter().all(|value| is.values.contains(value)))
    }

    fn placed(&self, text: &str) -> Placed {
        let mut placed = Placed::default();
        self.place(text, &mut placed);
        placed
    }

    fn place(&self, text: &str, placed: &mut Placed) {
        for index in indexes(text) {
            match self.tags.get(index) {
                Some((Kind::Block, _)) => placed.blocks.push(index),
                // A kept text counts by the tags in it.
                Some((_, tag)) if tag.contains(OPEN) => self.place(tag, placed),
                Some((_, tag)) if tag.starts_with("{{") => {
                    placed.values.insert((index, placed.blocks.len()));
                }
                _ => {}
            }
        }
    }

    /// The text without its block tags and with a `1` for each value: the bare structure.
    pub(crate) fn bare(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, index, after)) = next_placeholder(rest) {
            out.push_str(before);
            if !self.is_block(index) {
                out.push('1');
            }
            rest = after;
        }
        out + rest
    }

    fn is_block(&self, index: usize) -> bool {
        self.tags.get(index).is_some_and(|(kind, _)| *kind == Kind::Block)
    }

    /// The line of the source at which a place of the hidden text is.
    pub(crate) fn line(&self, text: &str, offset: usize) -> u32 {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let lines = 1 + self.reveal(before).matches('\n').count();
        u32::try_from(lines).unwrap_or(u32::MAX)
    }
}

/// Where the tags of a text are: the block tags in their order, and each value with the number of block tags before it.
#[derive(Default)]
struct Placed {
    blocks: Vec<usize>,
    values: HashSet<(usize, usize)>,
}

/// Which tags a text has placeholders of, in order.
fn indexes(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, index, after)) = next_placeholder(rest) {
        found.push(index);
        rest = after;
    }
    found
}

fn next_placeholder(text: &str) -> Option<(&str, usize, &str)> {
    let at = text.find(OPEN)?;
    let inside = &text[at + OPEN.len_utf8()..];
    let end = inside.find(CLOSE)?;
    let index = inside[..end].parse().ok()?;
    Some((&text[..at], index, &inside[end + CLOSE.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn liquid_is_respelled() {
        let table = [
            ("Hi {{ contact.first_name | default: \"there\" }}!", "Hi {{ contact.first_name | default(\"there\") }}!"),
            ("{{ a | default: 'x|y:z' | upcase }}", "{{ a | default('x|y:z') | upcase }}"),
            ("{{ a|truncate: 5, '…' }}", "{{ a|truncate(5, '…') }}"),
            ("{{ a | default(\"there\") }}", "{{ a | default(\"there\") }}"),
            ("{{- a | default: \"b\" -}}", "{{- a | default(\"b\") -}}"),
            ("{{ (a | default: \"b\") ~ c }}", "{{ (a | default(\"b\")) ~ c }}"),
            ("{{ \"}}\" }} {{ '|x: y' }}", "{{ \"}}\" }} {{ '|x: y' }}"),
            ("{% if a %}1{% elsif b %}2{%- else %}3{% endif %}", "{% if a %}1{% elif b %}2{%- else %}3{% endif %}"),
            ("{% unless a or b %}x{% endunless %}", "{% if not ( a or b ) %}x{% endif %}"),
            ("{%- unless a -%}x{% endunless %}", "{%- if not ( a ) -%}x{% endif %}"),
            ("{% assign x = a | default: 1 %}", "{% set x = a | default(1) %}"),
            ("{% capture x %}y{% endcapture %}", "{% set x %}y{% endset %}"),
            ("{% for t in {'a': 1} %}{% endfor %}", "{% for t in {'a': 1} %}{% endfor %}"),
            ("a{# one\ntwo #}b{% comment %}\n{{ x }}{% endcomment %}c", "a\nb\nc"),
            ("{% raw %}{{ a | b: c }}{% endraw %}", "{% raw %}{{ a | b: c }}{% endraw %}"),
            ("a { b } {{ never closed", "a { b } {{ never closed"),
            ("{", "{"),
            ("{{", "{{"),
        ];
        for (source, expected) in table {
            assert_eq!(translate(source), expected, "{source}");
        }
    }

    #[test]
    fn hidden_tags_come_back() {
        let mut hidden = Hidden::default();
        let text = hidden.hide("<p>{{ a | default: 'x' }}{% if b %}⸨1{% endif %}</p>{# gone #}");
        assert!(!text.contains('{'));
        assert_eq!(hidden.reveal(&text), "<p>{{ a | default('x') }}{% if b %}&#x2E28;1{% endif %}</p>");
        assert!(hidden.survived(&text, &text, true));
        assert!(hidden.survived(&text, &format!("⸨0⸩{text}"), true), "a value may stand twice");
        assert!(!hidden.survived(&text, &format!("{text}⸨1⸩"), false), "a block tag may not");
        assert!(!hidden.survived(&text, "⸨1⸩⸨2⸩", true), "a value is missing");
        assert!(hidden.survived(&text, "⸨1⸩⸨2⸩", false), "which words do not mind");
        let moved = "⸨1⸩⸨0⸩⸨2⸩";
        assert!(!hidden.survived(&text, moved, false), "a value came into a block");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_lines_stay(source in "([{}%#|:'\"\\-\n ]|raw|endraw|comment|unless|elsif|a){0,24}|\\PC*") {
            let lines = |text: &str| text.matches('\n').count();
            prop_assert_eq!(lines(&translate(&source)), lines(&source));
            let mut hidden = Hidden::default();
            let text = hidden.hide(&source);
            hidden.reveal(&text);
            prop_assert_eq!(pieces(&source).iter().map(|p| p.text).collect::<String>(), source);
        }
    }
}
