//! Relaxed canonicalization (RFC 6376 §3.4.2 and §3.4.4). Lines end with CRLF; a lone CR or LF is content.

use std::borrow::Cow;

/// One header field of a message: its bytes without the CRLF at the end, folds included.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    /// The name, as written, without white space.
    pub name: &'a [u8],
    /// What follows the colon.
    pub value: &'a [u8],
}

/// Takes a message apart: its header fields in order, and its body.
pub(crate) fn split(message: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let mut fields = Vec::with_capacity(24);
    let mut rest = message;
    while !rest.is_empty() {
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            return (fields, body);
        }
        let (end, next) = field_end(rest);
        let raw = &rest[..end];
        // A line without colon is no field; receivers ignore it and so do we.
        if let Some(colon) = raw.iter().position(|&b| b == b':') {
            fields.push(Field { name: trim(&raw[..colon]), value: &raw[colon + 1..] });
        }
        rest = &rest[next..];
    }
    (fields, b"")
}

/// Where a field ends (before its CRLF) and where the next one begins; continuation lines begin with white space.
fn field_end(text: &[u8]) -> (usize, usize) {
    let mut from = 0;
    loop {
        match line_end(&text[from..]) {
            None => return (text.len(), text.len()),
            Some(at) => {
                let next = from + at + 2;
                if !matches!(text.get(next), Some(b' ' | b'\t')) {
                    return (from + at, next);
                }
                from = next;
            }
        }
    }
}

/// Where the next CRLF begins.
fn line_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&b| b == b'\n') {
        let at = from + at;
        if at > 0 && text[at - 1] == b'\r' {
            return Some(at - 1);
        }
        from = at + 1;
    }
    None
}

/// RFC 6376 §3.4.2: name in lower case, unfolded, runs of white space as one space, none around the colon or at the
/// end. Without the CRLF that follows a field (the signature's own field is hashed without it, §3.7).
pub(crate) fn relaxed_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let start = out.len();
    let mut gap = false;
    for (at, &b) in value.iter().enumerate() {
        let fold = match b {
            b'\r' => value.get(at + 1) == Some(&b'\n'),
            b'\n' => at > 0 && value[at - 1] == b'\r',
            _ => false,
        };
        if fold {
            continue;
        }
        if b == b' ' || b == b'\t' {
            gap = true;
            continue;
        }
        if gap && out.len() > start {
            out.push(b' ');
        }
        gap = false;
        out.push(b);
    }
}

/// RFC 6376 §3.4.4: white space at line ends goes, other runs become one space, empty lines at the end go (also those
/// that are empty only after the first step), and a body that isn't empty ends with CRLF.
///
/// Every message goes through this whole, so that what needs no change is neither looked at byte by byte nor copied.
pub(crate) fn relaxed_body(body: &[u8]) -> Cow<'_, [u8]> {
    let mut canonical = match odd_space(body, 0) {
        None => Cow::Borrowed(body),
        Some(first) => Cow::Owned(without_odd_spaces(body, first)),
    };
    let whole = match content_end(&canonical) {
        0 => 0,
        end => end + 2,
    };
    if whole > canonical.len() {
        canonical.to_mut().extend_from_slice(b"\r\n");
    }
    match canonical {
        Cow::Borrowed(body) => Cow::Borrowed(&body[..whole]),
        Cow::Owned(mut body) => {
            body.truncate(whole);
            Cow::Owned(body)
        }
    }
}

/// Where the last line that is not empty ends, before its CRLF.
fn content_end(text: &[u8]) -> usize {
    let mut end = text.len();
    while text[..end].ends_with(b"\r\n") {
        end -= 2;
    }
    end
}

/// The body with each run of white space as one space, and none at the ends of lines. The first place to be changed is known.
fn without_odd_spaces(body: &[u8], first: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    let (mut copied, mut next) = (0, Some(first));
    while let Some(at) = next {
        out.extend_from_slice(&body[copied..at]);
        let run = body[at..].iter().position(|&b| b != b' ' && b != b'\t');
        copied = run.map_or(body.len(), |run| at + run);
        let rest = &body[copied..];
        if !rest.is_empty() && !rest.starts_with(b"\r\n") {
            out.push(b' ');
        }
        next = odd_space(body, copied);
    }
    out.extend_from_slice(&body[copied..]);
    out
}

/// The first white space from here on that may have to change: a tab, or a space before another one, before a CR or at
/// the end. Blocks without one are passed over in a few instructions each.
fn odd_space(body: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 64;
    let is_odd = |b: u8, next: u8| (b == b'\t') | ((b == b' ') & ((next == b' ') | (next == b'\t') | (next == b'\r')));
    let mut at = from;
    while at + BLOCK < body.len() {
        let pairs = body[at..at + BLOCK].iter().zip(&body[at + 1..at + BLOCK + 1]);
        if pairs.fold(false, |odd, (b, next)| odd | is_odd(*b, *next)) {
            break;
        }
        at += BLOCK;
    }
    (at..body.len()).find(|&at| is_odd(body[at], body.get(at + 1).copied().unwrap_or(b' ')))
}

fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&b| b != b' ' && b != b'\t').map_or(0, |at| at + 1);
    &line[..end]
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&b| b != b' ' && b != b'\t').unwrap_or(text.len());
    trim_end(&text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> String {
        String::from_utf8(relaxed_body(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn bodies() {
        for (text, expected) in [
            // RFC 6376 §3.4.5.
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("", ""),
            ("\r\n", ""),
            ("\r\n\r\n", ""),
            ("abc", "abc\r\n"),
            ("abc\r\n", "abc\r\n"),
            // Lines of white space only at the end: mail-auth 0.13 keeps them.
            ("abc\r\n \t\r\n  \r\n", "abc\r\n"),
            ("abc\r\n \t", "abc\r\n"),
            (" \r\n\t", ""),
            ("a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n"),
            ("a\nb \n c\r\n", "a\nb \n c\r\n"),
            ("a\r b\r\n", "a\r b\r\n"),
            ("\t x\t\ty \t\r\n", " x y\r\n"),
            (" \rb \r\n", " \rb\r\n"),
        ] {
            assert_eq!(body(text), expected, "{text:?}");
            // The same behind lines that need no change, and across the places where blocks of them end.
            for before in [61, 62, 63, 64, 65, 127, 200] {
                let line = format!("{}\r\n", "x y".repeat(before / 3 + 1));
                let moved = if expected.is_empty() { line.clone() } else { format!("{line}{expected}") };
                assert_eq!(body(&format!("{line}{text}")), moved, "{text:?} after {before}");
            }
        }
        assert!(matches!(relaxed_body(b"a b\r\n\r\nc\r\n\r\n"), Cow::Borrowed(b"a b\r\n\r\nc\r\n")));
    }

    #[test]
    fn fields() {
        // RFC 6376 §3.4.5.
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\n";
        let (fields, rest) = split(message);
        let mut out = Vec::new();
        for field in &fields {
            relaxed_field(field.name, field.value, &mut out);
            out.extend_from_slice(b"\r\n");
        }
        assert_eq!(String::from_utf8(out).unwrap(), "a:X\r\nb:Y Z\r\n");
        assert_eq!(rest, b" C \r\n");
        assert_eq!(split(b"A: 1").0.len(), 1);
        assert_eq!(split(b"").0.len(), 0);
        assert_eq!(split(b"no colon\r\nA: 1\r\n").0[0].name, b"A");
    }
}
