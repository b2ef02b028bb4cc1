//! The return-path listener: takes what comes back to our VERP addresses, and what feedback loops report, nothing else.
//!
//! It never relays and never sends a bounce of its own (no backscatter): every refusal is a reply in the session.
//! Strategies: refuse at RCPT what is not a return path of ours; answer 250 only after the report is settled or kept.

mod feedback;
mod figures;
mod lines;
mod report;
mod session;
#[cfg(test)]
mod tests;

pub use figures::Figures;

use crate::peers::Peers;
use bounce::verp;
use mail::Domain;
use std::net::IpAddr;
use std::sync::Arc;
use storage::{Storage, WorkspaceId};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::Clock;

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
    /// DMARC and TLS reports.
    pub figures: Figures,
    /// Told what is heard of mail that had left.
    pub heard: Box<dyn Fn(&Heard) + Send + Sync>,
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

/// Serves until `stop`; sessions under way end after their present command.
pub async fn serve(listener: TcpListener, inbound: Arc<Inbound>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
        let Some(place) = peers.enter(peer.ip()) else { continue };
        let Ok(permit) = Arc::clone(&places).try_acquire_owned() else { continue };
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
