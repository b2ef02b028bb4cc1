//! Reading replies (RFC 5321 §4.2): multi-line, in pieces, several at once, bounded.

use mail::Reply;

/// Longest reply, all lines together. Real ones stay under two thousand bytes.
const REPLY_MAX: usize = 16 * 1024;

/// Bytes that came and have not been read as replies yet.
#[derive(Default)]
pub(super) struct Replies {
    bytes: Vec<u8>,
    start: usize,
}

/// Why bytes are no reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAReply(pub String);

impl Replies {
    /// Where the next bytes go.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    /// Whether nothing waits to be read: what comes before TLS must not be taken for part of it (RFC 3207 §6).
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// The next whole reply; `None` when more bytes are needed.
    pub fn next(&mut self) -> Result<Option<Reply>, NotAReply> {
        let bytes = &self.bytes[self.start..];
        let mut lines = Vec::new();
        let mut at = 0;
        let mut code = None;
        while let Some(length) = bytes[at..].iter().position(|b| *b == b'\n') {
            // Some servers end lines with LF alone; RFC 5321 §4.1.1.1 wants clients to be tolerant in what they take.
            let line = bytes[at..at + length].strip_suffix(b"\r").unwrap_or(&bytes[at..at + length]);
            let (this, last, text) = split(line)?;
            if *code.get_or_insert(this) != this {
                return Err(NotAReply(quoted(line)));
            }
            lines.push(text);
            at += length + 1;
            if last {
                let reply = Reply::new(this, lines.iter().map(AsRef::as_ref));
                self.start += at;
                return Ok(Some(reply));
            }
        }
        if bytes.len() > REPLY_MAX {
            return Err(NotAReply(quoted(&bytes[..bytes.len().min(80)])));
        }
        Ok(None)
    }
}

/// `250-text`: code, whether it is the last line, text.
fn split(line: &[u8]) -> Result<(u16, bool, std::borrow::Cow<'_, str>), NotAReply> {
    let wrong = || NotAReply(quoted(line));
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit)).ok_or_else(wrong)?;
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    if !(200..600).contains(&code) {
        return Err(wrong());
    }
    let last = match line.get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return Err(wrong()),
    };
    Ok((code, last, String::from_utf8_lossy(line.get(4..).unwrap_or_default())))
}

fn quoted(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(80)]).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> (Vec<String>, Option<NotAReply>) {
        let mut replies = Replies::default();
        replies.buffer().extend_from_slice(bytes);
        let mut found = Vec::new();
        loop {
            match replies.next() {
                Ok(Some(reply)) => found.push(reply.to_string()),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
            }
        }
    }

    #[test]
    fn replies() {
        for (bytes, expected) in [
            ("250 2.0.0 Ok\r\n", &["250 2.0.0 Ok"][..]),
            ("250-one\r\n250 two\r\n354 go\r\n", &["250 one two", "354 go"]),
            ("250\r\n250 \n", &["250", "250"]),
            ("550-5.1.1 no\r\n550 5.1.1 such user\r\n", &["550 5.1.1 no such user"]),
            ("250 par", &[]),
            ("250-more\r\n", &[]),
        ] {
            assert_eq!(
                read_all(bytes.as_bytes()),
                (expected.iter().map(|s| (*s).to_owned()).collect(), None),
                "{bytes:?}"
            );
        }
        for bytes in ["hello\r\n", "25\r\n", "250_x\r\n", "999 x\r\n", "250-a\r\n251 b\r\n", "\r\n"] {
            assert!(read_all(bytes.as_bytes()).1.is_some(), "{bytes:?}");
        }
        assert!(read_all(&[b'2'; REPLY_MAX + 1]).1.is_some());
    }

    #[test]
    fn in_pieces() {
        let whole = b"250-first line\r\n250 2.1.0 second\r\n";
        for cut in 0..whole.len() {
            let mut replies = Replies::default();
            replies.buffer().extend_from_slice(&whole[..cut]);
            assert_eq!(replies.next(), Ok(None), "{cut}");
            replies.buffer().extend_from_slice(&whole[cut..]);
            assert!(replies.next().unwrap().is_some() && replies.is_empty());
        }
    }
}
