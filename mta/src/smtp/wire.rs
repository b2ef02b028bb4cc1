//! Content as it goes over the wire: with DATA dots doubled (RFC 5321 §4.5.2) and a final dot, with BDAT as it is,
//! behind its length (RFC 3030 §2).

use std::io::Write as _;

/// Appends the content and its final dot; returns where the final dot's line ends.
pub(crate) fn push_content(out: &mut Vec<u8>, message: &[u8]) -> usize {
    out.reserve(message.len() + 16);
    let mut rest = message;
    if rest.first() == Some(&b'.') {
        out.push(b'.');
    }
    // Most messages have no such line and are copied at once.
    while let Some(at) = find_dot_line(rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'.');
        rest = &rest[at..];
    }
    out.extend_from_slice(rest);
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out.len()
}

/// Where a chunk is in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// More follow.
    Within,
    /// It is the last, or the only one.
    Last,
}

/// Appends BDAT and its chunk; returns where the chunk ends. A message ends with a line end, as with DATA.
pub(crate) fn push_chunk(out: &mut Vec<u8>, chunk: &[u8], place: Place) -> usize {
    let is_last = place == Place::Last;
    let line_end: &[u8] = if is_last && !chunk.is_empty() && !chunk.ends_with(b"\r\n") { b"\r\n" } else { b"" };
    out.reserve(chunk.len() + 32);
    // Writing to a vector cannot fail.
    let _ = write!(out, "BDAT {}{}\r\n", chunk.len() + line_end.len(), if is_last { " LAST" } else { "" });
    out.extend_from_slice(chunk);
    out.extend_from_slice(line_end);
    out.len()
}

/// Where a line begins with a dot, the first line apart.
fn find_dot_line(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\n.").map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        for (chunk, place, expected) in [
            (".a\r\n.\r\n", Place::Last, "BDAT 7 LAST\r\n.a\r\n.\r\n"),
            ("a", Place::Last, "BDAT 3 LAST\r\na\r\n"),
            ("a", Place::Within, "BDAT 1\r\na"),
            ("", Place::Last, "BDAT 0 LAST\r\n"),
        ] {
            let mut out = Vec::new();
            let end = push_chunk(&mut out, chunk.as_bytes(), place);
            assert_eq!((std::str::from_utf8(&out).unwrap(), end), (expected, expected.len()), "{chunk:?}");
        }
    }

    #[test]
    fn dots_and_the_end() {
        for (message, expected) in [
            ("a\r\nb\r\n", "a\r\nb\r\n.\r\n"),
            (".a\r\n", "..a\r\n.\r\n"),
            ("a\r\n.\r\n..b\r\n", "a\r\n..\r\n...b\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n.", "a\r\n..\r\n.\r\n"),
            ("", ".\r\n"),
            ("a.\r\nb.c\r\n", "a.\r\nb.c\r\n.\r\n"),
        ] {
            let mut out = Vec::new();
            let end = push_content(&mut out, message.as_bytes());
            assert_eq!((std::str::from_utf8(&out).unwrap(), end), (expected, expected.len()), "{message:?}");
        }
    }
}
