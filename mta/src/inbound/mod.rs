//! What comes in: returned mail at our VERP addresses, complaints at the feedback address, wishes to get no more, and
//! answers at reply addresses. Over the listener, or fed from elsewhere: both end in the same settling.
//!
//! It never relays and never sends a bounce of its own (no backscatter): every refusal is a reply in the session.
//! Strategies: each address has one purpose, and what has none is refused at RCPT; 250 is answered only after the mail is
//! settled or kept; forged and expired addresses are counted, their mail is kept, and nothing follows from it.

mod auth_failure;
mod feed;
mod feedback;
mod figures;
mod forward;
mod guard;
mod head;
mod lines;
pub mod pull;
mod purpose;
mod reply;
mod report;
mod session;
#[cfg(test)]
mod tests;

pub use feed::{Fed, FeedError, feed};
pub use figures::Figures;
pub use reply::{Desk, may_answer_for};

use crate::peers::Peers;
use crate::shaping::Snapshot;
use crate::submission::Certificate;
use crate::unknown_text::UnknownTexts;
use bounce::verp;
use config::Streams;
use mail::{Address, BounceClass, Domain};
use std::net::IpAddr;
use std::sync::Arc;
use storage::{RecipientId, Storage, WorkspaceId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Random};

/// Bytes of a mail at most, announced as SIZE. A report may carry back all that was sent, of which
/// `submission.message_max_mb` allows 150 MB: refusing it would leave the sender in the belief that the message has arrived.
pub const REPORT_MAX: usize = 160 * 1024 * 1024;
/// What is kept whole may have so much: answers, DMARC and TLS reports. Of other mail the beginning says everything.
pub const WHOLE_MAX: usize = 10 * 1024 * 1024;
/// Connections served at the same time.
const CONNECTIONS_MAX: usize = 200;
/// Of those, from one address.
const CONNECTIONS_PER_PEER_MAX: u32 = 20;

/// What the listener needs.
pub struct Inbound {
    /// The database.
    pub storage: Storage,
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// Signs and checks return paths.
    pub verp: Arc<verp::Key>,
    /// Said in greeting and EHLO.
    pub hostname: Domain,
    /// Feedback loops report to this local part at every return-path domain.
    pub feedback: String,
    /// Says what replies mean, and whose servers are whose.
    pub shaping: Arc<Snapshot>,
    /// Where texts are noted that no rule knows.
    pub unknown_texts: Arc<UnknownTexts>,
    /// DMARC and TLS reports.
    pub figures: Figures,
    /// With it TLS is offered (STARTTLS, RFC 3207).
    pub certificate: Option<Arc<Certificate>>,
    /// Message-IDs of forwarded answers.
    pub random: Arc<dyn Random>,
    /// The streams that mail can take.
    pub streams: Streams,
    /// What is remembered of answers.
    pub desk: Desk,
    /// Called when something new may be due.
    pub wake: Box<dyn Fn() + Send + Sync>,
    /// Told what is heard of mail that had left.
    pub heard: Box<dyn Fn(&Heard) + Send + Sync>,
}

impl Inbound {
    /// Whether the local part has a purpose of its own at every return-path domain.
    #[must_use]
    pub fn has_purpose(&self, address: &Address) -> bool {
        purpose::by_local_part(self, address.local().as_str()).is_some()
    }
}

/// What is heard of mail that had left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What happened.
    pub happened: Happened,
    /// Whose mail.
    pub workspace: WorkspaceId,
    /// From which source it left.
    pub source: Arc<str>,
    /// To which site.
    pub site: Arc<str>,
    /// Whose site.
    pub provider: Arc<str>,
    /// The domain that it was sent from, where that is known.
    pub domain: Option<Arc<str>>,
}

/// What happened to mail that had been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It bounced after all.
    Bounced,
    /// It was reported as spam.
    Complained,
}

/// What was done with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it says of a delivery.
    pub class: Option<BounceClass>,
    /// For each address that it came to.
    pub told: Vec<Told>,
}

/// What was done with a mail, for one of the addresses that it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The address; empty where none of the mail's is ours.
    pub rcpt: String,
    /// What that is for: `return_path`, `feedback`, `figures`, `unsubscribe`, `reply`; else `elsewhere`.
    pub purpose: &'static str,
    /// What sort of mail it was.
    pub sort: bounce::Sort,
    /// Whom it was about, where that was found.
    pub recipient: Option<RecipientId>,
    /// Whether anything follows from it, or did already.
    pub matched: bool,
    /// What was done, or why nothing.
    pub what: &'static str,
}

/// Whom an address stands for: of IPv6 one host has as many as it likes, since the last 64 bits are its own.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Serves until `stop`; sessions under way end after their present command.
pub async fn serve(listener: TcpListener, inbound: Arc<Inbound>, stop: CancellationToken) {
    let peers = Peers::new(CONNECTIONS_PER_PEER_MAX);
    let sessions = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: accepting at once again would spin.
                tracing::warn!(%error, "the return-path listener cannot accept a connection");
                inbound.clock.sleep(std::time::Duration::from_millis(200)).await;
                continue;
            }
        };
        let place = peers.enter(network(peer.ip()));
        let permit = Arc::clone(&inbound.desk.places).try_acquire_owned();
        let (Some(place), Ok(permit)) = (place, permit) else {
            // As far as it can be said at once: nobody is waited for who is not served.
            let _ = stream.try_write(b"421 4.7.0 too many connections, try again later\r\n");
            continue;
        };
        let (inbound, stop) = (Arc::clone(&inbound), stop.clone());
        sessions.spawn(async move {
            session::run(&inbound, stream, peer.ip(), &stop).await;
            drop((permit, place));
        });
    }
    sessions.close();
    sessions.wait().await;
}

/// Serves one connection, whatever it comes over.
pub async fn serve_one(inbound: &Inbound, stream: impl world::Stream, peer: IpAddr, stop: &CancellationToken) {
    session::run(inbound, stream, peer, stop).await;
}
