//! One connection: greeting, EHLO, STARTTLS, and bytes both ways. What is said of a message is in `transaction`.

use super::capabilities::Capabilities;
use super::record::{Live, Recorder};
use super::reply::{NotAReply, Replies};
use super::transaction::Course;
use bounce::Stage;
use mail::{Reply, Severity};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use world::Stream;

/// What is read at once; a few replies fit.
const READ_BYTES: usize = 4096;
/// Written at once. Between pieces the clock of `Timeouts::block` begins anew.
const WRITE_BYTES: usize = 64 * 1024;

/// How long to wait for what (RFC 5321 §4.5.3.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// Greeting, and the reply to a command.
    pub command: Duration,
    /// The reply to DATA.
    pub data: Duration,
    /// Each piece of content.
    pub block: Duration,
    /// The reply to the final dot.
    pub final_dot: Duration,
}

/// Why a session ended without an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The server does not want us, or not now.
    #[error("{reply}")]
    Refused { stage: Stage, reply: Reply },
    /// The connection broke.
    #[error("the connection was lost at {at}: {cause}")]
    Lost { at: &'static str, cause: io::Error },
    /// No answer in time.
    #[error("no answer to {at} in {} s", after.as_secs())]
    TimedOut { at: &'static str, after: Duration },
    /// The server's words are no SMTP.
    #[error("the answer to {at} is no SMTP: {line}")]
    Protocol { at: &'static str, line: String },
    /// TLS could not be had.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The server does not know us, and must.
    #[error("{0}")]
    Login(String),
}

/// What may be answered with "go on" (RFC 5321 §4.2.1). One to the final dot is judged where its message is known.
const ASKS_FOR_MORE: [&str; 3] = ["DATA", "AUTH", "the final dot"];

/// Brings TLS about; says its version, and what the server showed.
async fn handshake(
    io: Box<dyn Stream>,
    config: &Arc<ClientConfig>,
    host: &str,
    after: Duration,
) -> Result<(Box<dyn Stream>, &'static str, Vec<CertificateDer<'static>>), SessionError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|e| SessionError::Tls(e.to_string()))?;
    let connect = tokio_rustls::TlsConnector::from(config.clone()).connect(name, io);
    let secured = match timeout(after, connect).await {
        Ok(Ok(secured)) => secured,
        Ok(Err(e)) => return Err(SessionError::Tls(e.to_string())),
        Err(_) => return Err(SessionError::Tls("the handshake took too long".to_owned())),
    };
    let version = match secured.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let chain = secured.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|cert| cert.clone().into_owned()).collect();
    Ok((Box::new(secured), version, chain))
}

/// An open connection.
pub(crate) struct Session {
    io: Box<dyn Stream>,
    replies: Replies,
    pub(super) out: Vec<u8>,
    /// Bytes of `out` that are written.
    written: usize,
    pub(super) timeouts: Timeouts,
    pub(super) capabilities: Capabilities,
    tls: Option<&'static str>,
    /// What the server showed in the handshake, its own certificate first; nobody has judged it yet.
    chain: Vec<CertificateDer<'static>>,
    /// How far the transaction of now has come.
    pub(super) course: Course,
    pub(super) closing: bool,
    pub(super) recorder: Recorder,
}

impl Session {
    /// Reads the greeting and says EHLO; takes TLS where it is wanted and offered.
    ///
    /// # Errors
    /// With `Tls`, another connection without TLS may do.
    pub async fn open(
        io: Box<dyn Stream>,
        ehlo: &str,
        tls: Option<(&Arc<ClientConfig>, &str)>,
        timeouts: Timeouts,
    ) -> Result<Session, SessionError> {
        let mut session = Session::over(io, timeouts);
        session.greeted(ehlo).await?;
        match tls {
            Some((config, host)) if session.capabilities.starttls => session.secure(config, host, ehlo).await,
            _ => Ok(session),
        }
    }

    /// The same where TLS comes before the first word (RFC 8314 §3.3).
    pub async fn open_implicit(
        io: Box<dyn Stream>,
        ehlo: &str,
        (config, host): (&Arc<ClientConfig>, &str),
        timeouts: Timeouts,
    ) -> Result<Session, SessionError> {
        let (io, version, _) = handshake(io, config, host, timeouts.command).await?;
        let mut session = Session { tls: Some(version), ..Session::over(io, timeouts) };
        session.greeted(ehlo).await?;
        Ok(session)
    }

    fn over(io: Box<dyn Stream>, timeouts: Timeouts) -> Session {
        Session {
            io,
            replies: Replies::default(),
            out: Vec::new(),
            written: 0,
            timeouts,
            capabilities: Capabilities::default(),
            tls: None,
            chain: Vec::new(),
            course: Course::default(),
            closing: false,
            recorder: Recorder::new(),
        }
    }

    async fn greeted(&mut self, ehlo: &str) -> Result<(), SessionError> {
        let greeting = self.reply("the connection", self.timeouts.command).await?;
        if greeting.code != 220 {
            return Err(SessionError::Refused { stage: Stage::Greeting, reply: greeting });
        }
        self.hello(ehlo).await
    }

    /// What the server offers.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// TLS version, where there is TLS, and the policy that was met.
    pub fn tls(&self) -> Option<&'static str> {
        self.tls
    }

    /// Notes which policy TLS meets.
    pub fn set_tls(&mut self, label: impl FnOnce(&'static str) -> &'static str) {
        self.tls = self.tls.map(label);
    }

    /// The certificates that the server showed, to be judged once; `None` where there is no TLS.
    pub fn take_chain(&mut self) -> Option<Vec<CertificateDer<'static>>> {
        self.tls.map(|_| std::mem::take(&mut self.chain))
    }

    /// Whether the server has said that it will close the connection.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether transactions are written down.
    pub fn record(&mut self, on: bool) {
        self.recorder.turn(on);
    }

    /// Shows the next transaction to somebody, or to nobody any more.
    pub fn watch(&mut self, live: Option<Live>) {
        self.recorder.watch(live);
    }

    /// What was said when the connection was opened, and in the transaction of now.
    pub fn conversation(&self) -> String {
        self.recorder.text()
    }

    async fn hello(&mut self, ehlo: &str) -> Result<(), SessionError> {
        let mut reply = self.command(&format!("EHLO {ehlo}"), "EHLO").await?;
        // RFC 5321 §4.1.1.1: a server without extensions.
        if matches!(reply.code, 500 | 501 | 502 | 504 | 550) {
            reply = self.command(&format!("HELO {ehlo}"), "HELO").await?;
        }
        if reply.severity() != Severity::Positive {
            return Err(SessionError::Refused { stage: Stage::Hello, reply });
        }
        self.capabilities = Capabilities::read(&reply);
        Ok(())
    }

    async fn secure(mut self, config: &Arc<ClientConfig>, host: &str, ehlo: &str) -> Result<Session, SessionError> {
        let reply = self.command("STARTTLS", "STARTTLS").await?;
        if reply.code != 220 {
            // It goes on without; whether that is enough is not decided here.
            return Ok(self);
        }
        if !self.replies.is_empty() {
            return Err(SessionError::Tls("the server spoke between STARTTLS and TLS".to_owned()));
        }
        let (io, version, chain) = handshake(self.io, config, host, self.timeouts.command).await?;
        (self.io, self.tls, self.chain) = (io, Some(version), chain);
        self.recorder.did(format_args!("{version}"));
        self.hello(ehlo).await?;
        Ok(self)
    }

    /// Says QUIT and goes, without waiting for the answer: nothing depends on it.
    pub async fn quit(mut self) {
        if !self.closing {
            self.out.extend_from_slice(b"QUIT\r\n");
            if self.send("QUIT").await.is_ok() {
                // Closing a socket with unread bytes would reset it, and the server may lose the QUIT.
                let _ = self.reply("QUIT", Duration::from_secs(2)).await;
            }
        }
        let _ = timeout(Duration::from_secs(2), self.io.shutdown()).await;
    }

    pub(super) async fn command(&mut self, line: &str, at: &'static str) -> Result<Reply, SessionError> {
        // What is said to sign in is a secret, and conversations are kept.
        self.recorder.said(if at == "AUTH" { "AUTH and what belongs to it, not kept" } else { line });
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.send(at).await?;
        self.reply(at, self.timeouts.command).await
    }

    /// Writes what was pushed.
    pub async fn send(&mut self, at: &'static str) -> Result<(), SessionError> {
        self.written = 0;
        let outcome = self.write_out(at).await;
        self.course.wrote(self.written);
        if outcome.is_ok() {
            self.out.clear();
        }
        outcome
    }

    async fn write_out(&mut self, at: &'static str) -> Result<(), SessionError> {
        let after = self.timeouts.block;
        while self.written < self.out.len() {
            let end = self.out.len().min(self.written + WRITE_BYTES);
            match timeout(after, self.io.write(&self.out[self.written..end])).await {
                Ok(Ok(0)) => return Err(SessionError::Lost { at, cause: io::ErrorKind::WriteZero.into() }),
                Ok(Ok(n)) => self.written += n,
                Ok(Err(cause)) => return Err(SessionError::Lost { at, cause }),
                Err(_) => return Err(SessionError::TimedOut { at, after }),
            }
        }
        match timeout(after, self.io.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(SessionError::Lost { at, cause }),
            Err(_) => Err(SessionError::TimedOut { at, after }),
        }
    }

    pub(super) async fn reply(&mut self, at: &'static str, after: Duration) -> Result<Reply, SessionError> {
        // For the whole reply: a server that drips single bytes gains nothing.
        let began = Instant::now();
        let deadline = began + after;
        loop {
            match self.replies.next() {
                Ok(Some(reply)) => {
                    self.recorder.heard(&reply, began);
                    // RFC 5321 §3.8: 421 means that the server is going away, whatever was asked.
                    self.closing |= reply.code == 421;
                    if reply.code / 100 == 3 && !ASKS_FOR_MORE.contains(&at) {
                        // Replies and commands are out of step: what comes next would be taken for other recipients' answers.
                        return Err(SessionError::Protocol { at, line: reply.to_string() });
                    }
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(NotAReply(line)) => return Err(SessionError::Protocol { at, line }),
            }
            let buffer = self.replies.buffer();
            buffer.reserve(READ_BYTES);
            match timeout_at(deadline, self.io.read_buf(buffer)).await {
                Ok(Ok(0)) => return Err(SessionError::Lost { at, cause: io::ErrorKind::UnexpectedEof.into() }),
                Ok(Ok(_)) => {}
                Ok(Err(cause)) => return Err(SessionError::Lost { at, cause }),
                Err(_) => return Err(SessionError::TimedOut { at, after }),
            }
        }
    }
}
