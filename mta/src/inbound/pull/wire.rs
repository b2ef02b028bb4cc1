//! Lines and counted bytes of a mailbox server: each with a bound, and each within a time.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::Stream;

/// Longest line of a server; literals and mails are counted apart. An answer to SEARCH names all that a folder has in one
/// line: some hundred thousand mails.
const LINE_MAX: usize = 4 * 1024 * 1024;
/// Read at once.
const CHUNK: usize = 16 * 1024;

/// Why talking to a mailbox failed.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No connection, or it broke.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// Nothing came in time.
    #[error("the server did not answer in time")]
    Slow,
    /// It said what it may not say.
    #[error("the server broke the protocol after {command}: {said:?}")]
    Protocol {
        /// What we had said.
        command: &'static str,
        /// What it said.
        said: String,
    },
    /// It said no.
    #[error("the server refuses {command}: {said}")]
    Refused {
        /// What we had said.
        command: &'static str,
        /// Its words.
        said: String,
    },
    /// User or password is wrong.
    #[error("the login fails: {0}")]
    Login(String),
    /// TLS cannot be had.
    #[error("TLS cannot be agreed on: {0}")]
    Tls(String),
}

/// A buffered connection.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// The server may take this long for its next bytes, and to take ours.
    patience: Duration,
}

impl Wire {
    pub fn new(stream: Box<dyn Stream>, patience: Duration) -> Wire {
        Wire { stream, buffer: Vec::new(), patience }
    }

    /// The stream, to begin TLS on. What the server said too early could come from anybody.
    pub fn into_stream(self) -> Result<Box<dyn Stream>, PullError> {
        if self.buffer.is_empty() {
            return Ok(self.stream);
        }
        Err(PullError::Tls("the server spoke before TLS began".to_owned()))
    }

    pub async fn send(&mut self, line: &str) -> Result<(), PullError> {
        let bytes = format!("{line}\r\n");
        let sent = tokio::time::timeout(self.patience, self.stream.write_all(bytes.as_bytes())).await;
        Ok(sent.map_err(|_| PullError::Slow)??)
    }

    /// A line without its end.
    pub async fn line(&mut self) -> Result<Vec<u8>, PullError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            if self.buffer.len() > LINE_MAX {
                return Err(PullError::Protocol { command: "a command", said: "a line without end".to_owned() });
            }
            self.fill().await?;
        }
    }

    pub async fn text(&mut self) -> Result<String, PullError> {
        Ok(String::from_utf8_lossy(&self.line().await?).into_owned())
    }

    /// So many bytes, of which at most `keep` are kept.
    pub async fn bytes(&mut self, count: u64, keep: usize) -> Result<Vec<u8>, PullError> {
        let (mut kept, mut left) = (Vec::new(), count);
        while left > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let take = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let room = keep.saturating_sub(kept.len());
            kept.extend_from_slice(&self.buffer[..take.min(room)]);
            self.buffer.drain(..take);
            left -= take as u64;
        }
        Ok(kept)
    }

    /// A mail up to the line that is only a dot, dots unstuffed (RFC 1939 §3): at most `keep` bytes of it, and how many it
    /// has. `None` when it has more than `limit`; then the connection is of no use any more.
    pub async fn dotted(&mut self, keep: usize, limit: usize) -> Result<Option<(Vec<u8>, usize)>, PullError> {
        let (mut kept, mut seen, mut at_line_start) = (Vec::new(), 0, true);
        let mut take = |piece: &[u8], ends: bool, seen: &mut usize| {
            for part in [piece, if ends { &b"\r\n"[..] } else { &[] }] {
                let room = keep.saturating_sub(kept.len());
                kept.extend_from_slice(&part[..part.len().min(room)]);
                *seen += part.len();
            }
        };
        loop {
            let mut at = 0;
            while let Some(end) = memchr::memchr(b'\n', &self.buffer[at..]) {
                let line = &self.buffer[at..at + end];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                at += end + 1;
                if at_line_start && line == b"." {
                    self.buffer.drain(..at);
                    return Ok(Some((kept, seen)));
                }
                let stuffed = at_line_start && line.starts_with(b".");
                take(&line[usize::from(stuffed)..], true, &mut seen);
                at_line_start = true;
            }
            self.buffer.drain(..at);
            // A long line: taken as it comes, but for a CR that may belong to its end.
            if self.buffer.len() > CHUNK {
                let end = self.buffer.len() - 1;
                let stuffed = at_line_start && self.buffer.starts_with(b".");
                take(&self.buffer[usize::from(stuffed)..end], false, &mut seen);
                self.buffer.drain(..end);
                at_line_start = false;
            }
            if seen > limit {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), PullError> {
        self.buffer.reserve(CHUNK);
        let read = tokio::time::timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await;
        if read.map_err(|_| PullError::Slow)?? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    fn wire(said: Vec<u8>) -> Wire {
        let (mut server, client) = duplex(64 * 1024);
        tokio::spawn(async move { server.write_all(&said).await });
        Wire::new(Box::new(client), Duration::from_secs(10))
    }

    #[tokio::test]
    async fn mails_end_with_a_dot() {
        let long = "x".repeat(3 * CHUNK);
        for (said, kept, seen, rest) in [
            ("a\r\n.\r\n+OK\r\n", "a\r\n", 3, "+OK"),
            ("a\n..b\n.\n+OK\r\n", "a\r\n.b\r\n", 7, "+OK"),
            (".\r\n+OK\r\n", "", 0, "+OK"),
            (&format!("{long}\r\n.\r\n+OK\r\n"), &long[..20], long.len() + 2, "+OK"),
            (&format!("..{long}\r\n.\r\n+OK\r\n"), &format!(".{}", &long[..19]), long.len() + 3, "+OK"),
        ] {
            let mut wire = wire(said.as_bytes().to_vec());
            let (found, bytes) = wire.dotted(20, 1_000_000).await.unwrap().unwrap();
            assert_eq!((std::str::from_utf8(&found).unwrap(), bytes), (kept, seen));
            assert_eq!(wire.text().await.unwrap(), rest);
        }
    }

    #[tokio::test]
    async fn what_has_no_end_is_given_up() {
        let mut endless = wire(vec![b'x'; 500_000]);
        assert!(endless.dotted(20, 100_000).await.unwrap().is_none());
        let mut lines = wire(b"line\r\n".repeat(50_000));
        assert!(lines.dotted(20, 100_000).await.unwrap().is_none());
        let mut cut = wire(b"half a mail\r\n".to_vec());
        assert!(matches!(cut.dotted(20, 100_000).await, Err(PullError::Io(_))));
    }

    /// The UIDs of a full folder stand in one line.
    #[tokio::test]
    async fn a_line_may_name_a_hundred_thousand_mails() {
        let uids: String = (0..100_000).map(|n| format!(" {}", 1_000_000_000 + n)).collect();
        let mut wire = wire(format!("* SEARCH{uids}\r\n").into_bytes());
        assert_eq!(wire.text().await.unwrap().split(' ').count(), 100_002);
    }
}
