//! Bytes that broke on their way here: ends of lines that lost their half, base64 that something was written into.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use std::borrow::Cow;

/// So much of a mail shows how its lines end.
const SEEN_MAX: usize = 4096;

/// The mail with ends of lines that can be read: where there is none but a bare CR, that is one.
pub(crate) fn lines(raw: &[u8]) -> Cow<'_, [u8]> {
    let seen = &raw[..raw.len().min(SEEN_MAX)];
    if seen.contains(&b'\n') || !seen.contains(&b'\r') {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect())
}

/// Text in base64 without the lines that are none, up to its end; what a scanner has added below is none either.
pub(crate) fn base64_text(encoded: &[u8], charset: Option<&str>) -> Option<String> {
    let mut clean = Vec::with_capacity(encoded.len());
    for line in encoded.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
            clean.extend_from_slice(line);
        }
        if line.ends_with(b"=") {
            break;
        }
    }
    // What was cut off within a group of four can't be read; the rest can.
    clean.truncate(clean.len() / 4 * 4);
    let bytes = base64_decode(&clean).filter(|bytes| !bytes.is_empty())?;
    let decode = charset.and_then(|name| charset_decoder(name.as_bytes()));
    Some(decode.map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), |decode| decode(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines() {
        for (raw, expected) in [("a\rb\r\rc", "a\nb\n\nc"), ("a\r\nb\rc", "a\r\nb\rc"), ("a\nb", "a\nb"), ("", "")] {
            assert_eq!(lines(raw.as_bytes()), expected.as_bytes(), "{raw:?}");
        }
    }

    #[test]
    fn base64_with_something_in_it() {
        for (encoded, charset, expected) in [
            ("SGVsbG8s\r\n!!*\r\nIHlvdQ==\r\n-- \r\nscanned", None, Some("Hello, you")),
            ("SGVsbG8sIHlvdQ", None, Some("Hello, yo")),
            ("4elsbOk=", Some("iso-8859-1"), Some("áéllé")),
            ("-- nothing --", None, None),
        ] {
            assert_eq!(base64_text(encoded.as_bytes(), charset).as_deref(), expected, "{encoded}");
        }
    }
}
