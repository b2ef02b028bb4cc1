//! A message's bytes on the wire: its end, dot-stuffing, and what must not be in it (RFC 5321 §4.5.2, §2.3.8).

/// What a client did wrong with the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    /// A CR or LF alone.
    BareLineEnd,
    /// A line of more than 998 bytes (RFC 5322 §2.1.1).
    LongLine,
}

impl Breach {
    pub fn name(self) -> &'static str {
        match self {
            Breach::BareLineEnd => "bare CR or LF in the content",
            Breach::LongLine => "a content line longer than 998 bytes",
        }
    }
}

/// Where the content in `bytes` ends and where the next command begins. `from` is where an earlier search stopped:
/// everything before it is known not to begin an end.
pub(super) fn find_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    if bytes.starts_with(b".\r\n") {
        return Some((0, 3));
    }
    let mut at = from;
    while let Some(found) = bytes[at..].iter().position(|b| *b == b'\n') {
        let lf = at + found;
        if bytes[..=lf].ends_with(b"\r\n.\r\n") {
            return Some((lf - 2, lf + 1));
        }
        at = lf + 1;
    }
    None
}

/// What is wrong with content that came in chunks.
pub(super) fn inspect(content: &[u8]) -> Option<Breach> {
    let lines = content.split_inclusive(|b| *b == b'\n');
    let mut breach = None;
    for line in lines {
        match line.strip_suffix(b"\r\n") {
            Some(text) if !text.contains(&b'\r') => {
                if line.len() > 1000 {
                    breach.get_or_insert(Breach::LongLine);
                }
            }
            _ => return Some(Breach::BareLineEnd),
        }
    }
    breach
}

/// Takes the dots off that the client stuffed in, and looks at every line.
pub(super) fn unstuff(raw: &[u8]) -> (Vec<u8>, Option<Breach>) {
    let mut out = Vec::with_capacity(raw.len());
    let mut breach = None;
    let mut rest = raw;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
        let line = &rest[..end];
        let text = line.strip_suffix(b"\r\n");
        if text.is_none_or(|text| text.contains(&b'\r')) {
            breach = Some(Breach::BareLineEnd);
        } else if line.len() > 1000 && breach.is_none() {
            breach = Some(Breach::LongLine);
        }
        out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = &rest[end..];
    }
    (out, breach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        for (bytes, end) in [
            ("a\r\n.\r\n", Some((3, 6))),
            (".\r\n", Some((0, 3))),
            ("a\r\n.\r\nMAIL", Some((3, 6))),
            ("a\n.\r\n", None),
            ("a\r\n.\n", None),
            ("a\r\n..\r\n", None),
            ("a.\r\n", None),
        ] {
            assert_eq!(find_end(bytes.as_bytes(), 0), end, "{bytes:?}");
        }
    }

    #[test]
    fn an_end_in_pieces_is_found_from_any_place_where_the_search_stopped() {
        let whole = b"line\r\nother\r\n.\r\nNOOP\r\n";
        for cut in 0..whole.len() {
            let from = if find_end(&whole[..cut], 0).is_some() { continue } else { cut };
            assert_eq!(find_end(whole, from.saturating_sub(4)), Some((13, 16)), "{cut}");
        }
    }

    #[test]
    fn dots_and_breaches() {
        for (raw, content, breach) in [
            ("a\r\n..b\r\n.c\r\n", "a\r\n.b\r\nc\r\n", None),
            ("a\nb\r\n", "a\nb\r\n", Some(Breach::BareLineEnd)),
            ("a\rb\r\n", "a\rb\r\n", Some(Breach::BareLineEnd)),
            ("", "", None),
        ] {
            let (found, fault) = unstuff(raw.as_bytes());
            assert_eq!((String::from_utf8(found).unwrap().as_str(), fault), (content, breach), "{raw:?}");
        }
        assert_eq!(unstuff(format!("{}\r\n", "x".repeat(998)).as_bytes()).1, None);
        assert_eq!(unstuff(format!("{}\r\n", "x".repeat(999)).as_bytes()).1, Some(Breach::LongLine));
    }
}
