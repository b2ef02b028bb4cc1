//! One client's session with the return-path listener (RFC 5321 §4), over TLS where the client wants it (RFC 3207).

use super::lines::{Content, Line, Reader};
use super::purpose::{self, Purpose};
use super::report::{self, Incoming};
use super::{CONNECTIONS_MAX, Inbound, REPORT_MAX, WHOLE_MAX, network};
use mail::Address;
use smtp_proto::Request;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use storage::StorageError;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// Of a report, what is read for meaning: its own parts stand before the returned message. The rest is thrown away as it
/// comes.
const KEEP_MAX: usize = 1024 * 1024;
/// Recipients in one transaction: a report goes to one return path.
const RCPT_MAX: usize = 10;
/// Refused commands until we hang up.
const ERRORS_MAX: u32 = 10;
/// Commands in one session.
const COMMANDS_MAX: u32 = 1000;
/// RFC 5321 §4.5.3.2.7: wait five minutes for the next command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);
// Deviates from RFC 5321 §4.5.3.2.7 while three quarters of the places are taken: whoever says nothing must not keep those
// away who have something to say.
const CROWDED_TIMEOUT: Duration = Duration::from_secs(20);
const CROWDED_LEFT: usize = CONNECTIONS_MAX / 4;
/// Who waits looks so often whether it is crowded.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A whole message may take this long.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(600);

/// TLS has to be agreed on within this time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the session is in the middle of.
#[derive(Default)]
struct Transaction {
    mail: bool,
    /// Absent where it is a report: those have none.
    from: Option<Address>,
    null_path: bool,
    rcpts: Vec<(Address, Purpose)>,
}

struct Session<'a> {
    inbound: &'a Inbound,
    peer: IpAddr,
    return_paths: HashSet<String>,
    greeted: bool,
    secured: bool,
    transaction: Transaction,
    replies: String,
    errors: u32,
    commands: u32,
}

/// What happens after a command's reply.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    ReadContent,
    StartTls,
    HangUp,
}

/// Serves one client until it leaves, misbehaves, or `stop`.
pub(super) async fn run<S>(inbound: &Inbound, stream: S, peer: IpAddr, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outcome = tokio::select! {
        // Nothing is lost: what has not been answered with 250 is sent again by the other side.
        () = stop.cancelled() => Ok(()),
        outcome = serve(inbound, stream, peer) => outcome,
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, %error, "a session with the return-path listener broke off");
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(inbound: &Inbound, stream: S, peer: IpAddr) -> io::Result<()> {
    let return_paths = inbound.storage.read(storage::domain::return_paths).await.map_err(io::Error::other)?;
    let mut session = Session {
        inbound,
        peer,
        return_paths: return_paths.into_iter().collect(),
        greeted: false,
        secured: false,
        transaction: Transaction::default(),
        replies: format!("220 {} ESMTP Packetboat return path\r\n", inbound.hostname),
        errors: 0,
        commands: 0,
    };
    let Some(stream) = converse(&mut session, stream).await? else { return Ok(()) };
    let Some(certificate) = &inbound.certificate else { return Ok(()) };
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, certificate.acceptor().accept(stream));
    let stream = handshake.await.map_err(|_| io::ErrorKind::TimedOut)??;
    // RFC 3207 §4.2: what was said before is forgotten.
    (session.secured, session.greeted) = (true, false);
    session.transaction = Transaction::default();
    converse(&mut session, stream).await?;
    Ok(())
}

/// Talks until the session is over; gives the stream back where TLS begins.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(session: &mut Session<'_>, stream: S) -> io::Result<Option<S>> {
    let (read, mut write) = tokio::io::split(stream);
    let mut reader = Reader::new(read);
    let mut are_too_many = true;
    while session.commands < COMMANDS_MAX {
        session.commands += 1;
        if !reader.has_more() {
            write.write_all(session.replies.as_bytes()).await?;
            session.replies.clear();
        }
        let Some(line) = patiently(session.inbound, reader.line()).await else {
            session.reply(421, "4.4.2", "nothing was said for too long, closing");
            are_too_many = false;
            break;
        };
        let next = match line? {
            Line::Closed => return Ok(None),
            Line::Bad(why) => session.refuse(500, "5.5.2", why),
            Line::Command(line) => session.command(&line).await,
        };
        if next == Next::ReadContent && !read_content(session, &mut reader, &mut write).await? {
            return Ok(None);
        }
        if next == Next::StartTls {
            // What was sent along in plain text could come from anybody, and would be taken for said under TLS.
            if reader.has_more() {
                return Ok(None);
            }
            write.write_all(session.replies.as_bytes()).await?;
            session.replies.clear();
            return Ok(Some(reader.into_inner().unsplit(write)));
        }
        if next == Next::HangUp || session.errors > ERRORS_MAX {
            are_too_many = false;
            break;
        }
    }
    if are_too_many {
        session.reply(421, "4.7.0", "too many commands, closing");
    }
    write.write_all(session.replies.as_bytes()).await?;
    write.shutdown().await?;
    Ok(None)
}

/// What the client says next; `None` when it has been silent for too long.
async fn patiently<T>(inbound: &Inbound, says: impl Future<Output = T>) -> Option<T> {
    let mut says = std::pin::pin!(says);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(said) = tokio::time::timeout(LOOK_EVERY, &mut says).await {
            return Some(said);
        }
        waited += LOOK_EVERY;
        let is_crowded = inbound.desk.places.available_permits() < CROWDED_LEFT;
        if waited >= if is_crowded { CROWDED_TIMEOUT } else { COMMAND_TIMEOUT } {
            return None;
        }
    }
}

/// Reads and settles the message after DATA; `false` when the client has gone.
async fn read_content<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    session: &mut Session<'_>,
    reader: &mut Reader<R>,
    write: &mut W,
) -> io::Result<bool> {
    let inbound = session.inbound;
    // Answers go on whole, and half a zipped report is none; of other reports the beginning says everything.
    let is_whole = |(_, purpose): &(Address, Purpose)| matches!(purpose, Purpose::Reply(_) | Purpose::Figures);
    let whole = session.transaction.rcpts.iter().any(is_whole);
    let room =
        whole.then(|| inbound.desk.with_room.enter(network(session.peer)).zip(inbound.desk.room.try_acquire().ok()));
    if matches!(room, Some(None)) {
        session.reply(452, "4.3.1", "too many mails at once, try again later");
        session.transaction = Transaction::default();
        return Ok(true);
    }
    session.replies.push_str("354 end with CRLF.CRLF\r\n");
    write.write_all(session.replies.as_bytes()).await?;
    session.replies.clear();
    let (keep, limit) = if whole { (WHOLE_MAX, WHOLE_MAX) } else { (KEEP_MAX, REPORT_MAX) };
    let content = tokio::time::timeout(CONTENT_TIMEOUT, reader.content(keep, limit)).await;
    match content.map_err(|_| io::ErrorKind::TimedOut)?? {
        Content::Closed => return Ok(false),
        Content::TooLarge => session.reply(552, "5.3.4", "message too large"),
        Content::Message(message) => session.settle(message).await,
    };
    session.transaction = Transaction::default();
    Ok(true)
}

impl Session<'_> {
    fn reply(&mut self, code: u16, status: &str, text: &str) -> Next {
        // Writing to a String cannot fail.
        let _ = write!(self.replies, "{code} {status} {text}\r\n");
        Next::GoOn
    }

    fn refuse(&mut self, code: u16, status: &str, text: &str) -> Next {
        self.errors += 1;
        self.reply(code, status, text);
        if self.errors > ERRORS_MAX {
            self.reply(421, "4.7.0", "too many errors, closing");
            return Next::HangUp;
        }
        Next::GoOn
    }

    async fn command(&mut self, line: &[u8]) -> Next {
        match Request::parse(&mut line.iter()) {
            Ok(Request::Ehlo { .. }) => {
                self.greeted = true;
                self.transaction = Transaction::default();
                let starttls = if self.may_start_tls() { "250-STARTTLS\r\n" } else { "" };
                let _ = write!(
                    self.replies,
                    "250-{}\r\n250-PIPELINING\r\n250-SIZE {REPORT_MAX}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n{starttls}\
                     250 ENHANCEDSTATUSCODES\r\n",
                    self.inbound.hostname
                );
                Next::GoOn
            }
            Ok(Request::Helo { .. }) => {
                self.greeted = true;
                self.transaction = Transaction::default();
                let _ = write!(self.replies, "250 {}\r\n", self.inbound.hostname);
                Next::GoOn
            }
            Ok(Request::Mail { from }) => self.mail(&from.address, from.size),
            Ok(Request::Rcpt { to }) => self.rcpt(&to.address).await,
            Ok(Request::Data) if self.transaction.rcpts.is_empty() => self.refuse(503, "5.5.1", "RCPT first"),
            Ok(Request::Data) => Next::ReadContent,
            Ok(Request::StartTls) if self.may_start_tls() => {
                self.reply(220, "2.0.0", "go ahead");
                Next::StartTls
            }
            Ok(Request::Rset) => {
                self.transaction = Transaction::default();
                self.reply(250, "2.0.0", "forgotten")
            }
            Ok(Request::Noop { .. }) => self.reply(250, "2.0.0", "still here"),
            Ok(Request::Vrfy { .. }) => self.reply(252, "2.5.2", "send it and see"),
            Ok(Request::Quit) => {
                self.reply(221, "2.0.0", "bye");
                Next::HangUp
            }
            Ok(_) => self.refuse(502, "5.5.1", "not offered here"),
            Err(_) => self.refuse(500, "5.5.2", "not understood"),
        }
    }

    fn mail(&mut self, from: &str, size: usize) -> Next {
        if !self.greeted {
            return self.refuse(503, "5.5.1", "EHLO first");
        }
        if self.transaction.mail {
            return self.refuse(503, "5.5.1", "one transaction at a time");
        }
        if size > REPORT_MAX {
            return self.refuse(552, "5.3.4", "message too large");
        }
        self.transaction.mail = true;
        self.transaction.from = Address::parse(from).ok();
        self.transaction.null_path = from.is_empty();
        self.reply(250, "2.1.0", "go on")
    }

    async fn rcpt(&mut self, address: &str) -> Next {
        if !self.transaction.mail {
            return self.refuse(503, "5.5.1", "MAIL first");
        }
        let Ok(address) = Address::parse(address) else {
            return self.refuse(553, "5.1.3", "not a mail address");
        };
        let purpose = match purpose::of(self.inbound, &self.return_paths, &address).await {
            Ok(Some(purpose)) => purpose,
            Ok(None) if self.return_paths.contains(address.domain().as_str()) => {
                return self.refuse(550, "5.1.1", "no such return path");
            }
            Ok(None) => return self.refuse(550, "5.7.1", "no mail is relayed here"),
            Err(error) => {
                tracing::error!(%error, "whether an address is ours cannot be told; the other side will try again");
                return self.reply(451, "4.3.0", "try again later");
            }
        };
        if self.transaction.rcpts.len() >= RCPT_MAX {
            return self.reply(452, "4.5.3", "too many recipients");
        }
        self.transaction.rcpts.push((address, purpose));
        self.reply(250, "2.1.5", "go on")
    }

    fn may_start_tls(&self) -> bool {
        self.inbound.certificate.is_some() && !self.secured
    }

    async fn settle(&mut self, message: Vec<u8>) -> Next {
        let rcpts = std::mem::take(&mut self.transaction.rcpts);
        let (from, null_path) = (self.transaction.from.take(), self.transaction.null_path);
        let incoming = Incoming { peer: self.peer.to_string(), from, null_path, rcpts, message, is_cut: false };
        let report = report::read(self.inbound, &incoming.message);
        match report::settle(self.inbound, &incoming, &report).await {
            Ok(Some(_)) => self.reply(250, "2.6.0", "taken"),
            Ok(None) => self.reply(451, "4.3.0", "try again later"),
            // Told once by who writes.
            Err(StorageError::DiskFull) => self.reply(452, "4.3.1", "the disk is full; try again later"),
            Err(error) => {
                tracing::error!(%error, "a returned mail could not be settled; the other side will send it again");
                self.reply(451, "4.3.0", "try again later")
            }
        }
    }
}
