//! Mailboxes elsewhere, whose mail is taken as if it had come to the listener: for hosts whose port 25 is taken.
//!
//! Strategies: a mail is deleted, marked or moved only after everything that follows from it is on disk; what was taken is
//! remembered in between, so that a visit that breaks off in the middle changes nothing when it comes again. A mailbox
//! that cannot be read says so, and is visited again after growing waits. Of a large mail the beginning is kept while the
//! rest goes by; what is larger than the listener takes stays there, is told, and is not fetched again.
//!
//! POP3 (RFC 1939), IMAP (RFC 9051), TLS always (RFC 8314, RFC 2595).

mod imap;
mod pop3;
#[cfg(test)]
mod tests;
mod visit;
mod wire;

pub use wire::PullError;

use super::Inbound;
use crate::shared::lock;
use crate::smtp::verified_config;
use config::Mailbox;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use world::{Dial, Dns};

/// Longest wait after failures.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// A visit is broken off after this; the next one goes on.
const VISIT_MAX: Duration = Duration::from_secs(1800);

/// A mailbox with what lies outside the configuration file.
pub struct Setup {
    /// As configured.
    pub mailbox: Mailbox,
    /// Its password.
    pub password: String,
    /// Certificates that are trusted besides those of the system, as PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// How a mailbox is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Its name.
    pub name: String,
    /// When it was last read to its end.
    pub good_ms: Option<i64>,
    /// Mails taken since the start.
    pub taken: u64,
    /// Mails that lie there because they are larger than [`super::REPORT_MAX`], as of the last visit that came to its end.
    pub left: u64,
    /// Why it cannot be read.
    pub trouble: Option<String>,
    /// Since when.
    pub trouble_ms: Option<i64>,
}

/// What visiting needs of the world.
pub struct Outside {
    /// Names of servers.
    pub dns: Arc<dyn Dns>,
    /// Connections.
    pub dial: Arc<dyn Dial>,
    /// Authorities that the system trusts.
    pub roots: Arc<RootCertStore>,
    /// A server may be silent for this long.
    pub patience: Duration,
}

/// All mailboxes.
pub struct Puller {
    inbound: Arc<Inbound>,
    outside: Outside,
    boxes: Vec<One>,
}

/// One mailbox.
struct One {
    mailbox: Mailbox,
    password: String,
    tls: Arc<ClientConfig>,
    status: Mutex<MailboxStatus>,
}

impl Puller {
    /// Makes the mailboxes ready; nothing is dialed yet.
    ///
    /// # Errors
    /// A file of certificates that cannot be used.
    pub fn new(setups: Vec<Setup>, outside: Outside, inbound: Arc<Inbound>) -> Result<Puller, rustls::Error> {
        let one = |setup: Setup| {
            let tls = verified_config(&outside.roots, setup.ca_pem.as_deref())?;
            let name = setup.mailbox.name.to_string();
            let status = Mutex::new(MailboxStatus { name, ..MailboxStatus::default() });
            Ok(One { mailbox: setup.mailbox, password: setup.password, tls, status })
        };
        let boxes = setups.into_iter().map(one).collect::<Result<_, rustls::Error>>()?;
        Ok(Puller { inbound, outside, boxes })
    }

    /// How each mailbox is doing.
    #[must_use]
    pub fn statuses(&self) -> Vec<MailboxStatus> {
        self.boxes.iter().map(|one| lock(&one.status).clone()).collect()
    }

    /// Visits each again and again until `stop`.
    pub async fn run(&self, stop: &CancellationToken) {
        let all = futures_util::future::join_all(self.boxes.iter().map(|one| self.watch(one)));
        tokio::select! {
            // Nothing is lost: what was not deleted is there at the next start, and what was settled is known.
            () = stop.cancelled() => {}
            _ = all => {}
        }
    }

    async fn watch(&self, one: &One) {
        let mut failures = 0;
        loop {
            let visited = tokio::time::timeout(VISIT_MAX, visit::visit(self, one)).await;
            let visited = visited.unwrap_or(Err(visit::VisitError::Pull(PullError::Slow)));
            failures = if visited.is_ok() { 0 } else { failures + 1 };
            self.note(one, visited);
            self.inbound.clock.sleep(wait(one.mailbox.every, failures)).await;
        }
    }

    /// Tells what has changed: once when trouble begins or becomes another one, and once when it is over.
    fn note(&self, one: &One, visited: Result<u64, visit::VisitError>) {
        let (name, now_ms) = (&one.mailbox.name, self.inbound.clock.now_ms());
        let mut status = lock(&one.status);
        match visited {
            Ok(taken) => {
                if status.trouble.take().is_some() {
                    tracing::info!(mailbox = %name, "the mailbox can be read again");
                }
                (status.good_ms, status.trouble_ms) = (Some(now_ms), None);
                if taken > 0 {
                    tracing::debug!(mailbox = %name, taken, "mail was taken");
                }
            }
            Err(error) => {
                let text = error.to_string();
                if status.trouble.as_deref() != Some(text.as_str()) {
                    tracing::warn!(mailbox = %name, error = text, "the mailbox cannot be read; trying again");
                }
                status.trouble_ms.get_or_insert(now_ms);
                status.trouble = Some(text);
            }
        }
    }
}

/// The wait after so many failures in a row.
fn wait(every: Duration, failures: u32) -> Duration {
    if failures == 0 {
        return every;
    }
    every.saturating_mul(1 << failures.min(16)).min(WAIT_MAX.max(every))
}
