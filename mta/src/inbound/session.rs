//! One client's session with the return-path listener (RFC 5321 §4).

use super::Inbound;
use super::lines::{Content, Line, Reader};
use super::report::{self, Incoming};
use mail::Address;
use smtp_proto::Request;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// Announced as SIZE. Reports carry back at most what we sent, mostly headers.
const MESSAGE_MAX: usize = 10 * 1024 * 1024;
/// Of a message, what is read for meaning. The report's own parts stand before the returned message; a report of figures
/// is read whole.
const KEEP_MAX: usize = 1024 * 1024;
/// Recipients in one transaction: a report goes to one return path.
const RCPT_MAX: usize = 10;
/// Refused commands until we hang up.
const ERRORS_MAX: u32 = 10;
/// Commands in one session.
const COMMANDS_MAX: u32 = 1000;
/// RFC 5321 §4.5.3.2.7: wait five minutes for the next command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);
/// A whole message may take this long.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(600);

/// What the session is in the middle of.
#[derive(Default)]
struct Transaction {
    mail: bool,
    /// Absent where it is a report: those have none.
    from: Option<Address>,
    rcpts: Vec<Address>,
    /// The right to hold a whole report of figures in memory.
    place: Option<OwnedSemaphorePermit>,
}

struct Session<'a> {
    inbound: &'a Inbound,
    peer: IpAddr,
    return_paths: HashSet<String>,
    greeted: bool,
    transaction: Transaction,
    replies: String,
    errors: u32,
}

/// What happens after a command's reply.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    ReadContent,
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
    let (read, mut write) = tokio::io::split(stream);
    let mut reader = Reader::new(read);
    let mut session = Session {
        inbound,
        peer,
        return_paths: return_paths.into_iter().collect(),
        greeted: false,
        transaction: Transaction::default(),
        replies: format!("220 {} ESMTP Packetboat return path\r\n", inbound.hostname),
        errors: 0,
    };
    for _ in 0..COMMANDS_MAX {
        if !reader.has_more() {
            write.write_all(session.replies.as_bytes()).await?;
            session.replies.clear();
        }
        let line = tokio::time::timeout(COMMAND_TIMEOUT, reader.line()).await;
        let next = match line.map_err(|_| io::ErrorKind::TimedOut)?? {
            Line::Closed => return Ok(()),
            Line::Bad(why) => session.refuse(500, "5.5.2", why),
            Line::Command(line) => session.command(&line),
        };
        if next == Next::ReadContent {
            write.write_all(session.replies.as_bytes()).await?;
            session.replies.clear();
            let content = tokio::time::timeout(CONTENT_TIMEOUT, reader.content(session.keep_max(), MESSAGE_MAX)).await;
            match content.map_err(|_| io::ErrorKind::TimedOut)?? {
                Content::Closed => return Ok(()),
                Content::TooLarge => session.reply(552, "5.3.4", "message too large"),
                Content::Message(message) => session.settle(message).await,
            };
            session.transaction = Transaction::default();
        }
        if next == Next::HangUp || session.errors > ERRORS_MAX {
            break;
        }
    }
    write.write_all(session.replies.as_bytes()).await?;
    write.shutdown().await
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

    fn command(&mut self, line: &[u8]) -> Next {
        match Request::parse(&mut line.iter()) {
            Ok(Request::Ehlo { .. }) => {
                self.greeted = true;
                self.transaction = Transaction::default();
                let _ = write!(
                    self.replies,
                    "250-{}\r\n250-PIPELINING\r\n250-SIZE {MESSAGE_MAX}\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
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
            Ok(Request::Rcpt { to }) => self.rcpt(&to.address),
            Ok(Request::Data) if self.transaction.rcpts.is_empty() => self.refuse(503, "5.5.1", "RCPT first"),
            Ok(Request::Data) => self.data(),
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
        if size > MESSAGE_MAX {
            return self.refuse(552, "5.3.4", "message too large");
        }
        self.transaction.mail = true;
        self.transaction.from = Address::parse(from).ok();
        self.reply(250, "2.1.0", "go on")
    }

    fn rcpt(&mut self, address: &str) -> Next {
        if !self.transaction.mail {
            return self.refuse(503, "5.5.1", "MAIL first");
        }
        let Ok(address) = Address::parse(address) else {
            return self.refuse(553, "5.1.3", "not a mail address");
        };
        if !self.return_paths.contains(address.domain().as_str()) {
            return self.refuse(550, "5.7.1", "no mail is relayed here");
        }
        if !report::is_ours(self.inbound, &address) {
            return self.refuse(550, "5.1.1", "no such return path");
        }
        if self.transaction.rcpts.len() >= RCPT_MAX {
            return self.reply(452, "4.5.3", "too many recipients");
        }
        self.transaction.rcpts.push(address);
        self.reply(250, "2.1.5", "go on")
    }

    fn data(&mut self) -> Next {
        let of_figures = |rcpt: &Address| report::is_figures_address(self.inbound, rcpt);
        if self.transaction.rcpts.iter().any(of_figures) {
            let Some(place) = self.inbound.figures.place() else {
                return self.reply(451, "4.3.2", "many reports come at once, try again later");
            };
            self.transaction.place = Some(place);
        }
        self.replies.push_str("354 end with CRLF.CRLF\r\n");
        Next::ReadContent
    }

    fn keep_max(&self) -> usize {
        if self.transaction.place.is_some() { MESSAGE_MAX } else { KEEP_MAX }
    }

    async fn settle(&mut self, message: Vec<u8>) -> Next {
        let rcpts = std::mem::take(&mut self.transaction.rcpts);
        let from = self.transaction.from.take();
        let incoming = Incoming { peer: self.peer, from, rcpts, message };
        match report::settle(self.inbound, incoming).await {
            Ok(true) => self.reply(250, "2.6.0", "taken"),
            Ok(false) => self.reply(451, "4.3.0", "try again later"),
            Err(error) => {
                tracing::error!(%error, "a returned mail could not be settled; the other side will send it again");
                self.reply(451, "4.3.0", "try again later")
            }
        }
    }
}
