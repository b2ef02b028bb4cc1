//! Lines and counted bytes of a mailbox server: each with a bound, and each within a time.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::Stream;

/// Longest line of a server; literals are counted apart.
const LINE_MAX: usize = 64 * 1024;
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

    async fn fill(&mut self) -> Result<(), PullError> {
        self.buffer.reserve(CHUNK);
        let read = tokio::time::timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await;
        if read.map_err(|_| PullError::Slow)?? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }
}
