//! Reading an SMTP client's side: command lines and the message after DATA, each with a bound.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest command line: RFC 5321 §4.5.3.1.4 wants 512, extensions add to it.
const COMMAND_MAX: usize = 2048;
/// Read at once.
const CHUNK: usize = 16 * 1024;

/// What came instead of a command.
#[derive(Debug)]
pub(super) enum Line {
    /// A line with its CRLF.
    Command(Vec<u8>),
    /// A line over the bound, or without CR before LF: skipped.
    Bad(&'static str),
    /// The client has gone.
    Closed,
}

/// What came after DATA.
#[derive(Debug)]
pub(super) enum Content {
    /// The message, dots unstuffed; at most `keep` bytes of it.
    Message(Vec<u8>),
    /// Over the limit: read to its end and thrown away.
    TooLarge,
    /// The client has gone before the final dot.
    Closed,
}

/// Buffers what a client sends.
pub(super) struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    pub(super) fn new(stream: S) -> Reader<S> {
        Reader { stream, buffer: Vec::new() }
    }

    /// Whether the client has already sent more (pipelining): replies can wait to be written together.
    pub(super) fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The stream; what was read and not yet asked for is gone.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    pub(super) async fn line(&mut self) -> io::Result<Line> {
        let mut skipping = false;
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if skipping || line.len() > COMMAND_MAX {
                    return Ok(Line::Bad("line too long"));
                }
                return Ok(if line.ends_with(b"\r\n") {
                    Line::Command(line)
                } else {
                    Line::Bad("lines end with CRLF")
                });
            }
            if self.buffer.len() > COMMAND_MAX {
                self.buffer.clear();
                skipping = true;
            }
            if !self.fill().await? {
                return Ok(Line::Closed);
            }
        }
    }

    /// Reads up to CRLF.CRLF; nothing else ends a message, so that none can be smuggled in after a bare LF.
    pub(super) async fn content(&mut self, keep: usize, limit: usize) -> io::Result<Content> {
        let mut kept = Vec::new();
        let mut seen = 0;
        let mut at_line_start = true;
        loop {
            while let Some(end) = find_crlf(&self.buffer) {
                let line = &self.buffer[..end];
                if at_line_start && line == b".\r\n" {
                    self.buffer.drain(..end);
                    return Ok(if seen > limit { Content::TooLarge } else { Content::Message(kept) });
                }
                take(line, at_line_start, keep, &mut kept, &mut seen);
                self.buffer.drain(..end);
                at_line_start = true;
            }
            // A long line without its end yet: take it as it comes, but leave a CR that may belong to the end.
            if self.buffer.len() > CHUNK {
                let end = self.buffer.len() - 1;
                take(&self.buffer[..end], at_line_start, keep, &mut kept, &mut seen);
                self.buffer.drain(..end);
                at_line_start = false;
            }
            if !self.fill().await? {
                return Ok(Content::Closed);
            }
        }
    }
}

/// The index behind the first CRLF.
fn find_crlf(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == b"\r\n").map(|at| at + 2)
}

fn take(line: &[u8], at_line_start: bool, keep: usize, kept: &mut Vec<u8>, seen: &mut usize) {
    // RFC 5321 §4.5.2: a leading dot was doubled.
    let line = if at_line_start && line.starts_with(b".") { &line[1..] } else { line };
    *seen += line.len();
    let room = keep.saturating_sub(kept.len());
    kept.extend_from_slice(&line[..line.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn content(sent: &str) -> (Option<String>, String) {
        let mut reader = Reader::new(sent.as_bytes());
        let kept = match reader.content(100, 1000).await.unwrap() {
            Content::Message(bytes) => Some(String::from_utf8(bytes).unwrap()),
            _ => None,
        };
        (kept, String::from_utf8(reader.buffer).unwrap())
    }

    #[tokio::test]
    async fn only_crlf_dot_crlf_ends_a_message() {
        for (sent, kept, rest) in [
            ("a\r\n.\r\nQUIT\r\n", Some("a\r\n"), "QUIT\r\n"),
            ("a\n.\nMAIL FROM:<x@y.example>\r\n.\r\n", Some("a\n.\nMAIL FROM:<x@y.example>\r\n"), ""),
            ("a\r\n.\nb\r\n.\r\n", Some("a\r\n\nb\r\n"), ""),
            ("..a\r\n.\r\n", Some(".a\r\n"), ""),
            (".\r\n", Some(""), ""),
            ("a\r\n", None, ""),
        ] {
            assert_eq!(content(sent).await, (kept.map(str::to_owned), rest.to_owned()), "{sent:?}");
        }
    }

    #[tokio::test]
    async fn what_is_too_large_is_read_to_its_end() {
        let sent = format!("{}\r\n.\r\nQUIT\r\n", "x".repeat(50_000));
        assert_eq!(content(&sent).await, (None, "QUIT\r\n".to_owned()));
        let sent = format!("{}\r\n.\r\n", "x".repeat(500));
        assert_eq!(content(&sent).await.0.unwrap().len(), 100, "only the beginning is kept");
    }

    #[tokio::test]
    async fn lines() {
        let sent = format!("EHLO x\r\nNOOP\n{}\r\nQUIT\r\n", "y".repeat(5000));
        let mut reader = Reader::new(sent.as_bytes());
        assert!(matches!(reader.line().await.unwrap(), Line::Command(line) if line == b"EHLO x\r\n"));
        assert!(matches!(reader.line().await.unwrap(), Line::Bad("lines end with CRLF")));
        assert!(matches!(reader.line().await.unwrap(), Line::Bad("line too long")));
        assert!(matches!(reader.line().await.unwrap(), Line::Command(line) if line == b"QUIT\r\n"));
        assert!(matches!(reader.line().await.unwrap(), Line::Closed));
    }
}
