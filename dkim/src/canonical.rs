//! Relaxed canonicalization (RFC 6376 §3.4.2 and §3.4.4). Lines end with CRLF; a lone CR or LF is content.

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
pub(crate) fn relaxed_body(body: &[u8], out: &mut Vec<u8>) {
    out.reserve(body.len() + 2);
    let mut empty_lines = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let (line, next) = match line_end(rest) {
            Some(at) => (&rest[..at], at + 2),
            None => (rest, rest.len()),
        };
        rest = &rest[next..];
        let line = trim_end(line);
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            out.extend_from_slice(b"\r\n");
        }
        collapse(line, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Copies a line with each run of white space as one space.
fn collapse(mut line: &[u8], out: &mut Vec<u8>) {
    while let Some(gap) = line.iter().position(|&b| b == b' ' || b == b'\t') {
        out.extend_from_slice(&line[..gap]);
        out.push(b' ');
        let after = &line[gap + 1..];
        let skip = after.iter().position(|&b| b != b' ' && b != b'\t').unwrap_or(after.len());
        line = &after[skip..];
    }
    out.extend_from_slice(line);
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
        let mut out = Vec::new();
        relaxed_body(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
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
        ] {
            assert_eq!(body(text), expected, "{text:?}");
        }
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
