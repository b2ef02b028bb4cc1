//! What stands in the line: one task per connection, which passes one command at a time and reads its reply before the
//! next. To pipelined commands (RFC 2920) that is a server which answers each by itself.

use super::{BadLine, Harm, Moment, Way};
use crate::session::find_end;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use world::Stream;

/// How much the pipe to the client holds before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;
/// Waiting bytes of a side at most; what sends more without an end is no dialogue of a test.
const WAITING_MAX: usize = 16 * 1024 * 1024;
/// More than any reader of lines keeps.
const ENORMOUS_BYTES: usize = 128 * 1024;
/// Of a chunk so many bytes are its end: as many as a final dot has.
const CHUNK_END: usize = 3;
const GARBAGE: &[u8] = b"\x16\xff\x00 what is this?\r\n";
/// A TLS record's head, and the type of sealed ones.
const RECORD_HEAD: usize = 5;
const APPLICATION_DATA: u8 = 23;

/// The client's end of a bad line to `server`. Must be called within a tokio runtime.
#[must_use]
pub fn interpose(server: Box<dyn Stream>, line: Arc<BadLine>) -> Box<dyn Stream> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let reset = Arc::new(AtomicBool::new(false));
    let end = |io| End { io, waiting: Vec::new() };
    let mut proxy = Proxy { client: end(Box::new(far)), server: end(server), line, message: 0, reset: reset.clone() };
    tokio::spawn(async move {
        // It always ends with an error: somebody went away, or was cut off.
        if let Err(error) = proxy.run().await {
            tracing::trace!(%error, "a bad line ended");
        }
    });
    Box::new(Near { io: near, reset })
}

/// The client's end of the pipe, which can be reset.
struct Near {
    io: DuplexStream,
    reset: Arc<AtomicBool>,
}

impl Near {
    fn is_there(&self) -> io::Result<()> {
        if self.reset.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Near {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        // What had come before the reset is still read, as on Linux.
        Poll::Ready(if buf.filled().len() == before { self.is_there() } else { Ok(()) })
    }
}

impl AsyncWrite for Near {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_there()?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// One side, with what it said and nobody has passed on.
struct End {
    io: Box<dyn Stream>,
    waiting: Vec<u8>,
}

impl End {
    /// Reads more. Nothing is lost when this is dropped.
    async fn fill(&mut self) -> io::Result<()> {
        if self.waiting.len() > WAITING_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        match self.io.read_buf(&mut self.waiting).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Takes as much as `whole` says, once it says so. Nothing is lost when this is dropped.
    async fn take(&mut self, whole: impl Fn(&[u8]) -> Option<usize>) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = whole(&self.waiting) {
                return Ok(self.waiting.drain(..end).collect());
            }
            self.fill().await?;
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }
}

struct Proxy {
    client: End,
    server: End,
    line: Arc<BadLine>,
    /// Transactions begun.
    message: u32,
    reset: Arc<AtomicBool>,
}

impl Proxy {
    async fn run(&mut self) -> io::Result<()> {
        self.answer(Some(Moment::Greeting)).await?;
        loop {
            let command = self.command().await?;
            if let Some(size) = chunk_size(&command) {
                self.chunk(&command, size).await?;
                continue;
            }
            let moment = moment_of(&command);
            self.message += u32::from(moment == Some(Moment::Mail));
            self.pass(moment, Way::Out, &command).await?;
            let code = self.answer(moment).await?;
            match (moment, &code) {
                (Some(Moment::StartTls), b"220") => return self.sealed().await,
                (Some(Moment::Data), b"354") => self.content().await?,
                _ => {}
            }
        }
    }

    /// The client's next command; what the server says unasked passes meanwhile.
    async fn command(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if !self.server.waiting.is_empty() {
                let unasked = std::mem::take(&mut self.server.waiting);
                self.client.say(&unasked).await?;
            }
            tokio::select! {
                biased;
                line = self.client.take(line_end) => return line,
                more = self.server.fill() => more?,
            }
        }
    }

    /// Passes the server's reply; its true code.
    async fn answer(&mut self, moment: Option<Moment>) -> io::Result<[u8; 3]> {
        let reply = self.server.take(reply_end).await?;
        self.pass(moment, Way::Back, &reply).await?;
        Ok(reply.first_chunk().copied().unwrap_or_default())
    }

    async fn content(&mut self) -> io::Result<()> {
        let half = self.client.take(|bytes| (bytes.len() > 1).then_some(bytes.len() / 2)).await?;
        self.server.say(&half).await?;
        self.pass(Some(Moment::Content), Way::Out, b"").await?;
        // The end is looked for with the last bytes that passed already; what is before them begins no line.
        let tail = [b"x", &half[half.len().saturating_sub(4)..]].concat();
        let whole = |bytes: &[u8]| find_end(&[&tail, bytes].concat(), 0).map(|(_, next)| next - tail.len());
        let rest = self.client.take(whole).await?;
        let dot = rest.len().saturating_sub(b".\r\n".len());
        self.server.say(&rest[..dot]).await?;
        self.pass(Some(Moment::Dot), Way::Out, &rest[dot..]).await?;
        self.answer(Some(Moment::Dot)).await.map(drop)
    }

    /// BDAT with its chunk, whatever the server thinks of it (RFC 3030 §2). Only the last chunk has moments: its answer is
    /// the one that counts.
    async fn chunk(&mut self, command: &[u8], size: usize) -> io::Result<()> {
        let of_last = |moment| command.to_ascii_uppercase().trim_ascii_end().ends_with(b" LAST").then_some(moment);
        self.pass(of_last(Moment::Data), Way::Out, command).await?;
        let half = self.client.take(|bytes| (bytes.len() > 1 || size < 2).then(|| bytes.len().min(size) / 2)).await?;
        self.server.say(&half).await?;
        self.pass(of_last(Moment::Content), Way::Out, b"").await?;
        let left = size - half.len();
        let rest = self.client.take(|bytes| (bytes.len() >= left).then_some(left)).await?;
        let end = left.saturating_sub(CHUNK_END);
        self.server.say(&rest[..end]).await?;
        self.pass(of_last(Moment::Dot), Way::Out, &rest[end..]).await?;
        self.answer(of_last(Moment::Dot)).await.map(drop)
    }

    /// Passes TLS records. The client's first sealed one ends its handshake, and the second is EHLO.
    async fn sealed(&mut self) -> io::Result<()> {
        let mut sealed = 0;
        loop {
            let (way, record) = tokio::select! {
                record = self.client.take(record_end) => (Way::Out, record?),
                record = self.server.take(record_end) => (Way::Back, record?),
            };
            sealed += u32::from(way == Way::Out && record.first() == Some(&APPLICATION_DATA));
            let moment = match sealed {
                0 | 1 => Some(Moment::Handshake),
                2 => Some(Moment::SecondHello),
                _ => None,
            };
            self.pass(moment, way, &record).await?;
        }
    }

    /// Passes something on, harmed where that is due.
    async fn pass(&mut self, moment: Option<Moment>, way: Way, bytes: &[u8]) -> io::Result<()> {
        let harm = moment.and_then(|moment| self.line.due(moment, way, self.message));
        let to = if way == Way::Out { &mut self.server } else { &mut self.client };
        match harm {
            None => to.say(bytes).await,
            Some(Harm::Reset) => {
                self.reset.store(true, Ordering::Relaxed);
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Some(Harm::Close) => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Harm::Half) => {
                to.say(&bytes[..bytes.len() / 2]).await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some(Harm::Late(span)) => {
                tokio::time::sleep(span).await;
                to.say(bytes).await
            }
            Some(harm) => to.say(&corrupted(harm, bytes)).await,
        }
    }
}

fn corrupted(harm: Harm, bytes: &[u8]) -> Vec<u8> {
    match harm {
        Harm::Garbage => GARBAGE.to_vec(),
        Harm::Doubled => bytes.repeat(2),
        Harm::BareLf => bytes.iter().copied().filter(|b| *b != b'\r').collect(),
        Harm::Enormous => {
            let (head, rest) = bytes.split_at(bytes.len().min(4));
            [head, &[b'x'; ENORMOUS_BYTES], rest].concat()
        }
        Harm::WrongCode => {
            let code = if bytes.starts_with(b"354") { "250" } else { "354" };
            let text = String::from_utf8_lossy(bytes);
            let lines = text.split_inclusive('\n').map(|line| format!("{code}{}", line.get(3..).unwrap_or_default()));
            lines.collect::<String>().into_bytes()
        }
        Harm::Reset | Harm::Close | Harm::Half | Harm::Late(_) => bytes.to_vec(),
    }
}

fn moment_of(command: &[u8]) -> Option<Moment> {
    let word: Vec<u8> = command.iter().copied().take_while(u8::is_ascii_alphabetic).collect();
    Some(match word.to_ascii_uppercase().as_slice() {
        b"EHLO" | b"HELO" => Moment::Hello,
        b"STARTTLS" => Moment::StartTls,
        b"MAIL" => Moment::Mail,
        b"RCPT" => Moment::Rcpt,
        b"DATA" => Moment::Data,
        b"QUIT" => Moment::Quit,
        _ => return None,
    })
}

/// The size that BDAT announces.
fn chunk_size(command: &[u8]) -> Option<usize> {
    let mut words = std::str::from_utf8(command).ok()?.split_ascii_whitespace();
    words.next()?.eq_ignore_ascii_case("BDAT").then_some(())?;
    words.next()?.parse().ok()
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| *b == b'\n').map(|at| at + 1)
}

/// Where the first reply ends: after a line whose code no hyphen follows (RFC 5321 §4.2.1).
fn reply_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(length) = line_end(&bytes[at..]) {
        let is_last = bytes[at..at + length].get(3) != Some(&b'-');
        at += length;
        if is_last {
            return Some(at);
        }
    }
    None
}

fn record_end(bytes: &[u8]) -> Option<usize> {
    let [_, _, _, high, low] = *bytes.first_chunk::<RECORD_HEAD>()?;
    let end = RECORD_HEAD + usize::from(u16::from_be_bytes([high, low]));
    (bytes.len() >= end).then_some(end)
}
