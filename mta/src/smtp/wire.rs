//! Content as it goes over the wire: dots doubled (RFC 5321 §4.5.2), the final dot at the end.

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

/// Where a line begins with a dot, the first line apart.
fn find_dot_line(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\n.").map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
