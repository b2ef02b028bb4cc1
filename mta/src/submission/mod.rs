//! Submission by SMTP (RFC 6409): programs that have a credential hand in mail, over TLS alone (RFC 8314).
//!
//! In the order of a message's way: `proxy` and `certificate` make the connection, `wire` reads it, `command` and `login`
//! understand it, `session` decides what may be said when, `accounts` and `attempts` who may, `take` brings the message
//! into the queue. 250 is answered after the commit that has it (RFC 5321 §6.1); sessions that end a message at the same
//! time share a commit, and none waits for another's bytes.
//!
//! RFC 5321, 6409, 8314, 4954, 3207, 1870, 2920, 3030, 6152, 6531, 3461, 2034.

mod accounts;
mod attempts;
mod budget;
mod certificate;
mod command;
mod login;
mod proxy;
mod session;
mod take;
#[cfg(test)]
mod tests;
mod wire;

pub use certificate::{Certificate, CertificateError};

use crate::metric;
use crate::peers::Peers;
use accounts::Accounts;
use attempts::Attempts;
use budget::Budget;
use config::{NoticeMode, Streams, SubmissionSection};
use mail::Domain;
use session::{End, Session};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use storage::credential::SecretKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Wire;
use world::{Clock, Random};

const MIB: u64 = 1024 * 1024;

/// When a client speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// After STARTTLS (RFC 3207), port 587.
    StartTls,
    /// From the first byte (RFC 8314 §3.3), port 465.
    Implicit,
}

/// Says when nothing more can be taken in.
pub trait Pressure: Send + Sync + 'static {
    /// What is short, such as "disk space".
    fn shortage(&self) -> Option<&'static str>;
}

/// What the listener needs.
pub struct Parts {
    /// The database.
    pub storage: Storage,
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// Message-IDs.
    pub random: Arc<dyn Random>,
    /// Checks secrets.
    pub key: SecretKey,
    /// Said in greeting and EHLO.
    pub hostname: Domain,
    /// Limits.
    pub section: SubmissionSection,
    /// Who is told by mail what becomes of messages.
    pub notices: NoticeMode,
    /// The streams that mail can take.
    pub streams: Streams,
    /// For TLS.
    pub certificate: Arc<Certificate>,
    /// Back-pressure.
    pub pressure: Arc<dyn Pressure>,
    /// Called when something new may be due.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

/// The submission service, one for all its listeners: limits hold over all of them.
pub struct Submission {
    storage: Storage,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    hostname: Domain,
    section: SubmissionSection,
    notices: NoticeMode,
    streams: Streams,
    certificate: Arc<Certificate>,
    pressure: Arc<dyn Pressure>,
    wake: Box<dyn Fn() + Send + Sync>,
    accounts: Accounts,
    attempts: Attempts,
    budget: Arc<Budget>,
    places: Arc<Semaphore>,
    peers: Arc<Peers>,
}

impl Submission {
    /// The service, without a listener yet.
    #[must_use]
    pub fn new(parts: Parts) -> Submission {
        let section = parts.section;
        let memory = usize::try_from(u64::from(section.memory_mb) * MIB).unwrap_or(usize::MAX);
        Submission {
            accounts: Accounts::new(parts.storage.clone(), parts.key),
            attempts: Attempts::default(),
            budget: Budget::new(memory),
            places: Arc::new(Semaphore::new(section.connections_max as usize)),
            peers: Peers::new(section.connections_per_peer),
            storage: parts.storage,
            clock: parts.clock,
            random: parts.random,
            hostname: parts.hostname,
            section,
            notices: parts.notices,
            streams: parts.streams,
            certificate: parts.certificate,
            pressure: parts.pressure,
            wake: parts.wake,
        }
    }

    /// A credential was changed or taken back: what open sessions know of it is looked up anew.
    pub fn forget(&self, login: &str) {
        self.accounts.forget(login);
    }

    /// Bytes of a message at most.
    fn message_max(&self) -> u64 {
        u64::from(self.section.message_max_mb) * MIB
    }
}

/// Serves one listener until `stop`; what is being committed then is still answered.
pub async fn serve(listener: TcpListener, security: Security, submission: Arc<Submission>, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) => {
                // Out of file descriptors, most likely: accepting at once again would spin.
                tracing::warn!(%error, "the submission listener cannot accept a connection");
                submission.clock.sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&submission.places).try_acquire_owned() else {
            turn_away(&stream, security);
            continue;
        };
        let (submission, stop) = (Arc::clone(&submission), stop.clone());
        sessions.spawn(async move {
            metrics::gauge!(metric::SUBMISSION_SESSIONS).increment(1);
            if let Err(error) = connection(&submission, stream, peer, security, &stop).await {
                tracing::debug!(%peer, %error, "a submission session broke off");
            }
            metrics::gauge!(metric::SUBMISSION_SESSIONS).decrement(1);
            drop(place);
        });
    }
    sessions.close();
    sessions.wait().await;
}

/// Says why, where the client can hear it without TLS; nothing is waited for.
fn turn_away(stream: &TcpStream, security: Security) {
    if security == Security::StartTls {
        // The socket's buffer is empty: it takes a line, or the client has gone.
        let _ = stream.try_write(b"421 4.7.0 too many connections, try again later\r\n");
    }
}

async fn connection(
    submission: &Submission,
    mut stream: TcpStream,
    peer: IpAddr,
    security: Security,
    stop: &CancellationToken,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let trusted = submission.section.proxy_networks.iter().any(|network| network.contains(peer));
    let peer = if trusted {
        let header = tokio::time::timeout(submission.section.login_timeout, proxy::read(&mut stream));
        let Some(header) = unless(stop, header).await else { return Ok(()) };
        header??.unwrap_or(peer)
    } else {
        peer
    };
    let Some(_place) = submission.peers.enter(peer) else {
        turn_away(&stream, security);
        return Ok(());
    };
    conversation(submission, stream, peer, security, stop).await
}

/// Serves one client, whatever it comes over.
async fn conversation<S>(
    submission: &Submission,
    stream: S,
    peer: IpAddr,
    security: Security,
    stop: &CancellationToken,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut session = Session::new(submission, peer);
    let stream = match security {
        Security::Implicit => stream,
        Security::StartTls => {
            session.greet();
            let mut wire = Wire::new(stream);
            if session.converse(&mut wire, stop).await? == End::Closed {
                return Ok(());
            }
            wire.into_stream()
        }
    };
    let handshake = timeout_at(session.login_until(), submission.certificate.acceptor().accept(stream));
    let Some(stream) = unless(stop, handshake).await else { return Ok(()) };
    let stream = stream??;
    session.begin_tls();
    if security == Security::Implicit {
        session.greet();
    }
    session.converse(&mut Wire::new(stream), stop).await?;
    Ok(())
}

/// Does the work unless the daemon stops first.
async fn unless<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = stop.cancelled() => None,
        done = work => Some(done),
    }
}
