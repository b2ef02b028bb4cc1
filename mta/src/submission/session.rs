//! One client's session: what it may say when, and what it is answered (RFC 5321 §4, RFC 6409).
//!
//! Order of the gates: TLS, EHLO, AUTH, then transactions. Nothing is relayed for whoever has not signed in, and nothing
//! from a domain that the credential may not use.

mod auth;
mod content;

use super::accounts::Account;
use super::command::{self, Command, Mail, Rcpt};
use super::take::Envelope;
use super::wire::{Gathering, Line, Wire};
use super::{Submission, login};
use crate::metric;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Refused commands since the last accepted message until we hang up.
const ERRORS_MAX: u32 = 20;
/// Commands since the last accepted message, recipients and large chunks apart, until we hang up.
const IDLE_MAX: u32 = 200;
/// A chunk of at least this size brings the message forward.
const CHUNK_MIN: u64 = 1024;

/// The last reply may take so long to leave.
const FAREWELL_MAX: Duration = Duration::from_secs(5);

/// One session.
pub(super) struct Session<'a> {
    house: &'a Submission,
    peer: IpAddr,
    tls: bool,
    greeted: bool,
    /// Until when somebody must have signed in.
    login_until: Instant,
    account: Option<Arc<Account>>,
    /// The part of AUTH that is awaited.
    asked: Option<login::Asked>,
    transaction: Option<Transaction>,
    replies: Vec<u8>,
    errors: u32,
    idle: u32,
}

/// Between MAIL and the end of the content.
struct Transaction {
    envelope: Envelope,
    /// What BDAT has brought so far.
    chunks: Option<Gathering>,
}

/// What happens after a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    StartTls,
    Data,
    Chunk { size: u64, last: bool },
    HangUp,
}

/// How the conversation over one stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    /// It goes on over TLS on the same stream.
    StartTls,
}

impl<'a> Session<'a> {
    pub fn new(house: &'a Submission, peer: IpAddr) -> Session<'a> {
        Session {
            house,
            peer,
            tls: false,
            greeted: false,
            login_until: Instant::now() + house.section.login_timeout,
            account: None,
            asked: None,
            transaction: None,
            replies: Vec::new(),
            errors: 0,
            idle: 0,
        }
    }

    /// Until when TLS must be agreed on.
    pub fn login_until(&self) -> Instant {
        self.login_until
    }

    /// From here on the stream is encrypted. What was said before is forgotten (RFC 3207 §4.2).
    pub fn begin_tls(&mut self) {
        self.tls = true;
        self.greeted = false;
        self.transaction = None;
    }

    /// Says who we are.
    pub fn greet(&mut self) {
        let greeting = format!("220 {} ESMTP Packetboat submission\r\n", self.house.hostname);
        self.replies.extend_from_slice(greeting.as_bytes());
    }

    /// Converses until the client leaves, misbehaves, wants TLS, or `stop`.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn converse<S>(&mut self, wire: &mut Wire<S>, stop: &CancellationToken) -> io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let until = self.patience();
            if !wire.has_line() {
                tokio::select! {
                    // Replies go first: a client that hears no 250 submits again what is here already.
                    biased;
                    sent = timeout_at(until, wire.send(&mut self.replies)) => sent??,
                    () = stop.cancelled() => return Ok(End::Closed),
                }
            }
            let line = tokio::select! {
                // Nothing is lost: what has not been answered with 250 is submitted again by the client.
                () = stop.cancelled() => None,
                line = timeout_at(until, wire.line()) => Some(line),
            };
            let next = match line {
                None => self.farewell("4.3.2", "the server is stopping"),
                Some(Err(_)) => self.farewell("4.4.2", "nothing was heard for too long"),
                Some(Ok(line)) => match line? {
                    Line::Closed => return Ok(End::Closed),
                    Line::Bad(why) => self.refuse((500, "5.5.2", why)),
                    Line::Command(line) => self.line(line).await,
                },
            };
            let next = match next {
                Next::Data => self.data(wire, stop).await?,
                Next::Chunk { size, last } => self.chunk(wire, (size, last), stop).await?,
                Next::StartTls => return self.start_tls(wire).await,
                next => next,
            };
            if next == Next::HangUp {
                timeout(FAREWELL_MAX, wire.close(&mut self.replies)).await??;
                return Ok(End::Closed);
            }
        }
    }

    /// Until when the next command is waited for.
    fn patience(&self) -> Instant {
        let idle = Instant::now() + self.house.section.idle_timeout;
        if self.account.is_some() { idle } else { idle.min(self.login_until) }
    }

    fn reply(&mut self, code: u16, status: &str, text: impl Display) -> Next {
        // Writing to a vector cannot fail.
        let _ = write!(self.replies, "{code} {status} {text}\r\n");
        Next::GoOn
    }

    fn refuse(&mut self, (code, status, text): (u16, &str, &str)) -> Next {
        self.reply(code, status, text);
        self.errors += 1;
        if self.errors > ERRORS_MAX {
            return self.farewell("4.7.0", "too many errors");
        }
        Next::GoOn
    }

    fn farewell(&mut self, status: &str, text: &str) -> Next {
        self.reply(421, status, format_args!("{text}, closing"));
        Next::HangUp
    }

    async fn line(&mut self, line: &[u8]) -> Next {
        if let Some(asked) = self.asked.take() {
            return self.answer(asked, line).await;
        }
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(refusal) => return self.refuse(refusal),
        };
        let forward = match &command {
            Command::Rcpt(_) => true,
            Command::Bdat { size, .. } => *size >= CHUNK_MIN,
            _ => false,
        };
        self.idle += u32::from(!forward);
        if self.idle > IDLE_MAX {
            return self.farewell("4.7.0", "too many commands without a message");
        }
        self.command(command).await
    }

    async fn command(&mut self, command: Command<'_>) -> Next {
        match command {
            Command::Ehlo => self.ehlo(),
            Command::Helo => self.helo(),
            Command::StartTls if self.tls => self.refuse((503, "5.5.1", "TLS is in use already")),
            Command::StartTls => Next::StartTls,
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial).await,
            Command::Mail(mail) => self.mail(*mail).await,
            Command::Rcpt(rcpt) => self.rcpt(*rcpt),
            Command::Data => self.may_send_content().unwrap_or(Next::Data),
            Command::Bdat { size, last } => Next::Chunk { size, last },
            Command::Rset => {
                self.transaction = None;
                self.reply(250, "2.0.0", "forgotten")
            }
            Command::Noop => self.reply(250, "2.0.0", "still here"),
            Command::Vrfy => self.reply(252, "2.5.2", "send it and see"),
            Command::Help => self.reply(214, "2.0.0", "this takes mail from programs that have a credential"),
            Command::Quit => {
                self.reply(221, "2.0.0", "bye");
                Next::HangUp
            }
        }
    }

    fn helo(&mut self) -> Next {
        self.greeted = true;
        self.transaction = None;
        let _ = write!(self.replies, "250 {}\r\n", self.house.hostname);
        Next::GoOn
    }

    fn ehlo(&mut self) -> Next {
        self.greeted = true;
        self.transaction = None;
        let _ = write!(
            self.replies,
            "250-{}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n\
             250-ENHANCEDSTATUSCODES\r\n",
            self.house.hostname
        );
        if !self.tls {
            self.replies.extend_from_slice(b"250-STARTTLS\r\n");
        } else if self.account.is_none() {
            // RFC 4954 §3, and only over TLS: a secret never travels in clear.
            self.replies.extend_from_slice(b"250-AUTH PLAIN LOGIN\r\n");
        }
        let _ = write!(self.replies, "250 SIZE {}\r\n", self.house.message_max());
        Next::GoOn
    }

    async fn start_tls<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) -> io::Result<End> {
        // Whoever sits between could have put it there, and it would be taken for what came over TLS.
        if wire.has_more() {
            self.reply(501, "5.5.1", "nothing may follow STARTTLS before its reply");
            wire.close(&mut self.replies).await?;
            return Ok(End::Closed);
        }
        self.reply(220, "2.0.0", "go on");
        timeout_at(self.login_until, wire.send(&mut self.replies)).await??;
        Ok(End::StartTls)
    }

    async fn mail(&mut self, mail: Mail) -> Next {
        if !self.greeted {
            return self.refuse((503, "5.5.1", "EHLO first"));
        }
        if !self.tls {
            return self.refuse((530, "5.7.0", "STARTTLS first"));
        }
        let Some(account) = self.account.clone() else {
            return self.refuse((530, "5.7.0", "AUTH first"));
        };
        if self.transaction.is_some() {
            return self.refuse((503, "5.5.1", "one message at a time"));
        }
        if mail.size.is_some_and(|size| size > self.house.message_max()) {
            return self.refuse((552, "5.3.4", "message too large"));
        }
        self.begin(&account, mail).await
    }

    /// The gates that change with time.
    async fn begin(&mut self, account: &Account, mail: Mail) -> Next {
        let house = self.house;
        let now_ms = house.clock.now_ms();
        let account = match house.accounts.again(account).await {
            Ok(Some(account)) => account,
            Ok(None) => return self.farewell("4.7.0", "this credential works no longer"),
            Err(error) => {
                tracing::error!(%error, "a credential could not be looked up");
                return self.reply(451, "4.3.0", "try again later");
            }
        };
        if let Some(from) = &mail.from
            && account.domain(from.domain()).is_none()
        {
            self.reply(550, "5.7.1", format_args!("this credential may not send from {}", from.domain()));
            return self.count_error();
        }
        if let Some(what) = house.pressure.shortage() {
            metrics::counter!(metric::SUBMISSIONS, "outcome" => "later").increment(1);
            return self.reply(452, "4.3.1", format_args!("short of {what}; try again later"));
        }
        if let Err(wait) = account.take_one(now_ms) {
            metrics::counter!(metric::SUBMISSIONS, "outcome" => "later").increment(1);
            let seconds = wait.as_secs() + 1;
            return self.reply(
                450,
                "4.7.0",
                format_args!("this credential's rate is used up; try again in {seconds} s"),
            );
        }
        self.account = Some(account);
        self.transaction = Some(Transaction { envelope: Envelope::new(mail), chunks: None });
        self.reply(250, "2.1.0", "go on")
    }

    /// Counts an error whose reply was given.
    fn count_error(&mut self) -> Next {
        self.errors += 1;
        if self.errors > ERRORS_MAX { self.farewell("4.7.0", "too many errors") } else { Next::GoOn }
    }

    fn rcpt(&mut self, rcpt: Rcpt) -> Next {
        let recipients_max = self.house.section.recipients_max as usize;
        let Some(transaction) = self.transaction.as_mut().filter(|transaction| transaction.chunks.is_none()) else {
            return self.refuse((503, "5.5.1", "MAIL first"));
        };
        let envelope = &mut transaction.envelope;
        if rcpt.to.needs_smtputf8() && !envelope.mail.smtputf8 {
            return self.refuse((553, "5.6.7", "an address that is not ASCII needs SMTPUTF8"));
        }
        if envelope.recipients.len() >= recipients_max {
            // RFC 5321 §4.5.3.1.10.
            return self.refuse((452, "4.5.3", "too many recipients"));
        }
        envelope.add(rcpt);
        self.reply(250, "2.1.5", "go on")
    }

    /// The refusal, unless content may come now.
    fn may_send_content(&mut self) -> Option<Next> {
        match &self.transaction {
            Some(transaction) if transaction.chunks.is_some() => Some(self.refuse((503, "5.5.1", "BDAT goes on"))),
            Some(transaction) if !transaction.envelope.recipients.is_empty() => None,
            _ => Some(self.refuse((503, "5.5.1", "RCPT first"))),
        }
    }
}
