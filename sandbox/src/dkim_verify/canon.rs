//! Canonicalization (RFC 6376 §3.4).

use super::message::Header;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Canon {
    Simple,
    Relaxed,
}

/// One header field, without its line end.
pub(super) fn header(header: &Header<'_>, canon: Canon, out: &mut Vec<u8>) {
    match canon {
        // RFC 6376 §3.4.1: not changed in any way.
        Canon::Simple => {
            out.extend_from_slice(header.name);
            out.push(b':');
            out.extend_from_slice(header.value);
        }
        // RFC 6376 §3.4.2: lower case name, unfolded, space squeezed, none at the ends or around the colon.
        Canon::Relaxed => {
            out.extend(header.name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            let begin = out.len();
            let unfolded = header.value.iter().filter(|b| !matches!(b, b'\r' | b'\n'));
            let mut space = false;
            for byte in unfolded {
                if matches!(byte, b' ' | b'\t') {
                    space = true;
                    continue;
                }
                if space && out.len() > begin {
                    out.push(b' ');
                }
                space = false;
                out.push(*byte);
            }
        }
    }
}

/// The whole body.
pub(super) fn body(body: &[u8], canon: Canon) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    for line in lines(body) {
        if canon == Canon::Relaxed {
            relax_line(line, &mut out);
        } else {
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b"\r\n");
    }
    while out.ends_with(b"\r\n\r\n") {
        out.truncate(out.len() - 2);
    }
    match (canon, out.as_slice()) {
        // RFC 6376 §3.4.3: an empty body is one line end; §3.4.4: it is nothing.
        (Canon::Simple, b"") => out.extend_from_slice(b"\r\n"),
        (Canon::Relaxed, b"\r\n") => out.clear(),
        _ => {}
    }
    out
}

/// The lines, without their ends; a last line that does not end is one too.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(at) => (&rest[..at], &rest[at + 2..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        Some(line)
    })
}

/// RFC 6376 §3.4.4: runs of space become one, none at the line's end.
fn relax_line(line: &[u8], out: &mut Vec<u8>) {
    let mut space = false;
    for byte in line {
        if matches!(byte, b' ' | b'\t') {
            space = true;
            continue;
        }
        if space {
            out.push(b' ');
        }
        space = false;
        out.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6376 §3.4.5 and its edges: an empty body, lines of space only, no last line end.
    #[test]
    fn bodies() {
        for (text, simple, relaxed) in [
            (" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"),
            ("", "\r\n", ""),
            ("\r\n\r\n", "\r\n", ""),
            (" \t\r\n \r\n", " \t\r\n \r\n", ""),
            ("A", "A\r\n", "A\r\n"),
            ("A\r\n \r\n", "A\r\n \r\n", "A\r\n"),
            ("\r\nA\r\n", "\r\nA\r\n", "\r\nA\r\n"),
        ] {
            let show = |canon| String::from_utf8(body(text.as_bytes(), canon)).unwrap();
            assert_eq!(show(Canon::Simple), simple, "simple {text:?}");
            assert_eq!(show(Canon::Relaxed), relaxed, "relaxed {text:?}");
        }
    }

    #[test]
    fn headers() {
        for (name, value, relaxed) in [
            ("A", " X", "a:X"),
            ("B ", " Y\t\r\n\tZ  ", "b:Y Z"),
            ("Subject", "", "subject:"),
            ("subJect", " \r\n ", "subject:"),
        ] {
            let field = Header { name: name.as_bytes(), value: value.as_bytes() };
            let mut out = Vec::new();
            header(&field, Canon::Relaxed, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), relaxed, "{name:?} {value:?}");
            let mut out = Vec::new();
            header(&field, Canon::Simple, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{name}:{value}"));
        }
    }
}
