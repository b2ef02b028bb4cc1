//! A dialogue over a stream: lines in, replies out, TLS in between.
//!
//! Replies to pipelined commands leave in one write (RFC 2920 §3.2). Everything has a bound: line, content, silence.

use super::content::{find_end, unstuff};
use super::dialogue::{Dialogue, Next, Turn};
use crate::host::{Host, Network, Visit};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use world::Stream;

/// A command line's length (RFC 5321 §4.5.3.1.4 asks for 512 and more for parameters).
const LINE_MAX: usize = 4096;
/// How long a client may take to read the last words.
const LINGER_WAIT: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 16 * 1024;

/// Serves one connection until it ends, from either side.
pub(crate) async fn serve(network: Arc<Network>, host: Arc<Host>, server: IpAddr, source: IpAddr, io: Box<dyn Stream>) {
    let (visit, open, open_all) = host.enter(source);
    network.note(&host, |summary| {
        summary.connections += 1;
        summary.connections_peak = summary.connections_peak.max(u64::from(open_all));
    });
    let idle = Duration::from_millis(host.provider.manners.idle_ms);
    let latency = Duration::from_millis(host.provider.manners.latency_ms);
    let dialogue = Dialogue::new(network.clone(), host.clone(), server, source);
    let (input, output) = (Vec::new(), Vec::new());
    let mut connection = Connection { io, dialogue, visit: Some(visit), input, output, idle, latency };
    // The ledger has what matters; a client that goes away is no news.
    if let Err(error) = connection.run(&host, open).await {
        tracing::trace!(%source, %server, "connection ended: {error}");
    }
}

struct Connection {
    io: Box<dyn Stream>,
    dialogue: Dialogue,
    /// The place among the provider's connections.
    visit: Option<Visit>,
    input: Vec<u8>,
    output: Vec<u8>,
    idle: Duration,
    latency: Duration,
}

impl Connection {
    async fn run(&mut self, host: &Host, open: u32) -> io::Result<()> {
        let mut turn = self.dialogue.greeting(open);
        loop {
            self.say(&turn).await?;
            turn = match turn.next {
                Next::Command => self.command().await?,
                Next::Content { cut_after } => match self.content(cut_after).await? {
                    Some(turn) => turn,
                    None => return Ok(()),
                },
                Next::Chunk { size, last, cut_after } => match self.chunk(size, last, cut_after).await? {
                    Some(turn) => turn,
                    None => return Ok(()),
                },
                Next::StartTls => {
                    self.start_tls(host).await?;
                    self.command().await?
                }
                Next::Close => return self.close(!turn.reply.is_empty()).await,
            };
        }
    }

    /// Ends the connection; after last words only when the client had the time to read them. A socket that is closed
    /// with unread input resets the connection, and the words are lost.
    async fn close(&mut self, last_words: bool) -> io::Result<()> {
        self.flush().await?;
        self.io.shutdown().await?;
        self.visit = None;
        if last_words {
            // That the client does not go by itself changes nothing.
            let _ = timeout(LINGER_WAIT, tokio::io::copy(&mut self.io, &mut tokio::io::sink())).await;
        }
        Ok(())
    }

    async fn say(&mut self, turn: &Turn) -> io::Result<()> {
        self.output.extend_from_slice(turn.reply.as_bytes());
        if !self.latency.is_zero() && !turn.reply.is_empty() {
            tokio::time::sleep(self.latency).await;
            self.flush().await?;
        }
        Ok(())
    }

    /// Reads and answers the next command line.
    async fn command(&mut self) -> io::Result<Turn> {
        loop {
            if let Some(end) = self.input.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                return Ok(match line.strip_suffix(b"\r\n") {
                    Some(line) if !line.contains(&b'\r') => self.dialogue.line(line),
                    _ => self.dialogue.broken_line("bare CR or LF in a command"),
                });
            }
            if self.input.len() > LINE_MAX {
                return Ok(self.dialogue.broken_line("a command line that is too long"));
            }
            if !self.read().await? {
                return Ok(self.dialogue.timed_out());
            }
        }
    }

    /// Reads the content; `None` when the connection shall end within it.
    async fn content(&mut self, cut_after: Option<usize>) -> io::Result<Option<Turn>> {
        let size_max = self.dialogue.manners().size_max;
        let mut too_long = false;
        let mut searched = 0;
        loop {
            if cut_after.is_some_and(|bytes| self.input.len() >= bytes) {
                self.dialogue.cut_in_content();
                return Ok(None);
            }
            if let Some((end, next)) = find_end(&self.input, searched) {
                if cut_after.is_some() {
                    self.dialogue.cut_in_content();
                    return Ok(None);
                }
                let (content, breach) = unstuff(&self.input[..end]);
                self.input.drain(..next);
                let too_long = too_long || content.len() > size_max;
                let turn =
                    if too_long { self.dialogue.content_too_long() } else { self.dialogue.content(content, breach) };
                return Ok(Some(turn));
            }
            searched = self.input.len().saturating_sub(4);
            // Twice the size leaves room for stuffed dots; what is beyond is read and thrown away.
            if self.input.len() > size_max.saturating_mul(2) {
                too_long = true;
                self.input.drain(..searched);
                searched = 0;
            }
            if !self.read().await? {
                return Ok(Some(self.dialogue.timed_out()));
            }
        }
    }

    /// Reads a chunk; `None` when the connection shall end within it.
    async fn chunk(&mut self, size: usize, last: bool, cut_after: Option<usize>) -> io::Result<Option<Turn>> {
        let is_kept = size <= self.dialogue.manners().size_max;
        let mut chunk = Vec::new();
        let mut left = size;
        loop {
            let came = left.min(self.input.len());
            let bytes = self.input.drain(..came);
            if is_kept {
                chunk.extend(bytes);
            } else {
                drop(bytes);
            }
            left -= came;
            if cut_after.is_some_and(|after| size - left >= after) {
                self.dialogue.cut_in_content();
                return Ok(None);
            }
            if left == 0 {
                return Ok(Some(self.dialogue.chunk(is_kept.then_some(chunk), last)));
            }
            if !self.read().await? {
                return Ok(Some(self.dialogue.timed_out()));
            }
        }
    }

    async fn start_tls(&mut self, host: &Host) -> io::Result<()> {
        self.flush().await?;
        if !self.input.is_empty() {
            self.dialogue.words_before_tls();
            self.input.clear();
        }
        let Some(acceptor) = &host.tls else { return Err(io::ErrorKind::Unsupported.into()) };
        let plain = std::mem::replace(&mut self.io, Box::new(tokio::io::empty()));
        let secured = timeout(self.idle, acceptor.accept(plain)).await??;
        self.io = Box::new(secured);
        self.dialogue.secured();
        Ok(())
    }

    /// Reads more; false when the client was silent for too long.
    async fn read(&mut self) -> io::Result<bool> {
        self.flush().await?;
        self.input.reserve(READ_BYTES);
        match timeout(self.idle, self.io.read_buf(&mut self.input)).await {
            Err(_) => Ok(false),
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => Err(error),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            timeout(self.idle, self.io.write_all(&self.output)).await??;
            timeout(self.idle, self.io.flush()).await??;
            self.output.clear();
        }
        Ok(())
    }
}

/// Takes everything, says nothing, until the client goes.
pub(crate) async fn say_nothing(mut io: Box<dyn Stream>) {
    // How it ends does not matter.
    let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
}
