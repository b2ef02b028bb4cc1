//! The simulated world for tests: clock, DNS, dialing and randomness without any socket, from one seed.
//!
//! Time is tokio's paused clock: use a current-thread runtime with `start_paused`. It moves when every task waits,
//! so a thread outside the runtime (a database's writer) does not hold it; wrap such a wait in [`holding_time`].

use crate::fault::{BadLine, interpose};
use crate::hash::mix;
use crate::host::{CertificateError, Host, Network};
use crate::ledger::{Ledger, LedgerOptions};
use crate::manners::{Door, Providers};
use crate::report::Reporter;
use crate::session;
use crate::web::SimWeb;
use crate::zone::{Answer, Kind, Record, Zone, reverse};
use futures_util::future::BoxFuture;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dial, Dns, DnsError, Dnssec, MxRecord, NoProof, Proof, Random, Stream, TlsaRecord};

/// How much a pipe holds before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;
/// Connections that a listener may be behind.
const BACKLOG: usize = 64;

/// What a simulated world begins with.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// From it comes all randomness.
    pub seed: u64,
    /// The date at the begin, in milliseconds since 1970.
    pub start_ms: i64,
    /// The sources that providers with `blocks_sources` block.
    pub blocked_sources: Vec<IpAddr>,
    /// The port that reports are sent to.
    pub report_port: u16,
    /// What to record.
    pub ledger: LedgerOptions,
}

impl Default for SimOptions {
    fn default() -> Self {
        SimOptions {
            seed: 1,
            // 2026-01-05 09:00 UTC, a Monday.
            start_ms: 1_767_603_600_000,
            blocked_sources: Vec::new(),
            report_port: 25,
            ledger: LedgerOptions::default(),
        }
    }
}

/// A world in memory.
pub struct SimWorld {
    /// Its clock.
    pub clock: Arc<SimClock>,
    /// Its DNS, over `zone`.
    pub dns: Arc<SimDns>,
    /// Its network.
    pub dial: Arc<SimDial>,
    /// Its randomness.
    pub random: Arc<SeededRandom>,
    /// What the providers received.
    pub ledger: Ledger,
    /// What its DNS answers.
    pub zone: Zone,
    /// Its web.
    pub fetch: Arc<SimWeb>,
    /// The authority that signed its trusted certificates.
    pub roots: Arc<RootCertStore>,
}

impl SimWorld {
    /// Makes a world of `providers`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When a provider's certificate cannot be made: its server has a name that no certificate can have.
    pub fn new(options: &SimOptions, providers: Providers) -> Result<SimWorld, CertificateError> {
        let clock = Arc::new(SimClock::starting_at(options.start_ms));
        let zone = Zone::of(&providers);
        let ledger = Ledger::new(zone.clone(), options.ledger);
        let reporter = Reporter::new(options.report_port, TaskTracker::new(), CancellationToken::new());
        let network = Network::new(
            providers,
            zone.clone(),
            ledger.clone(),
            clock.clone(),
            reporter,
            options.blocked_sources.clone(),
        )?;
        let dial = Arc::new(SimDial { network: Arc::new(network), state: Mutex::default() });
        let weak: Weak<dyn Dial> = Arc::downgrade(&(dial.clone() as Arc<dyn Dial>));
        dial.network.reporter.dial_with(weak);
        let dns = Arc::new(SimDns { zone: zone.clone(), questions: AtomicU64::new(0) });
        let random = Arc::new(SeededRandom::new(options.seed));
        let mut roots = RootCertStore::empty();
        let authority = dial.network.authority.clone();
        roots.add(authority).map_err(|cause| CertificateError::Use { provider: "the authority".to_owned(), cause })?;
        let (fetch, roots) = (Arc::new(SimWeb::default()), Arc::new(roots));
        Ok(SimWorld { clock, dns, dial, random, ledger, zone, fetch, roots })
    }

    /// The certificates that a provider's servers show, its own first; none where there is no TLS.
    #[must_use]
    pub fn chain(&self, provider: &str) -> Vec<CertificateDer<'static>> {
        let host = self.dial.network.hosts.iter().find(|host| host.provider.name == provider);
        host.map(|host| host.chain.clone()).unwrap_or_default()
    }
}

/// Tokio's clock as a date.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    start_ms: i64,
    start: tokio::time::Instant,
}

impl SimClock {
    /// A clock that shows `start_ms` now.
    #[must_use]
    pub fn starting_at(start_ms: i64) -> SimClock {
        SimClock { start_ms, start: tokio::time::Instant::now() }
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        self.start_ms + i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX - self.start_ms)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

/// Runs `work` while simulated time stands still, even when `work` waits for a thread outside the runtime.
pub async fn holding_time<F: Future>(work: F) -> F::Output {
    // A blocking task keeps the paused clock from moving on by itself.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let holder = tokio::task::spawn_blocking(move || held.recv().is_ok());
    let output = work.await;
    drop(release);
    // It ends as soon as `release` is gone.
    let _ = holder.await;
    output
}

/// Numbers from a seed (splitmix64).
#[derive(Debug)]
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom { state: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mix(self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }
}

impl Random for SeededRandom {
    fn below(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { self.next() % below }
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The zone, asked without sockets. Nothing is cached: every question sees what is published now.
pub struct SimDns {
    zone: Zone,
    questions: AtomicU64,
}

impl SimDns {
    /// How many questions were asked.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }

    fn ask<T>(&self, name: &str, kind: Kind, read: impl Fn(Record) -> Option<T>) -> Result<Vec<T>, DnsError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        match self.zone.ask(name, kind) {
            Answer::Records(records) => Ok(records.into_iter().filter_map(|(_, record)| read(record)).collect()),
            Answer::NoSuchName(_) => Err(DnsError::NoSuchName { name: name.to_owned() }),
            Answer::Servfail => Err(DnsError::Temporary { name: name.to_owned(), why: "SERVFAIL".to_owned() }),
        }
    }
}

impl Dns for SimDns {
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, DnsError>> {
        let read = |record| match record {
            Record::Mx { preference, host } => Some(MxRecord { preference, host }),
            _ => None,
        };
        Box::pin(async move { self.ask(name, Kind::Mx, read) })
    }

    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        let read = |record| match record {
            Record::Address(ip) => Some(ip),
            _ => None,
        };
        Box::pin(async move {
            let mut found = self.ask(name, Kind::A, read)?;
            found.extend(self.ask(name, Kind::Aaaa, read)?);
            Ok(found)
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        let read = |record| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        };
        Box::pin(async move { self.ask(name, Kind::Txt, read) })
    }

    fn ptr(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>> {
        let read = |record| match record {
            Record::Ptr(name) => Some(name),
            _ => None,
        };
        Box::pin(async move { self.ask(&reverse(ip), Kind::Ptr, read) })
    }
}

impl SimDns {
    /// What the zone says a validator finds; a name that gives no answer gives no proof.
    fn prove(&self, name: &str, kind: Kind) -> Result<(Proof, Vec<Record>), NoProof> {
        match self.ask(name, kind, Some) {
            Ok(records) => Ok((self.zone.proof(name), records)),
            Err(DnsError::NoSuchName { .. }) => Ok((self.zone.proof(name), Vec::new())),
            Err(DnsError::Temporary { name, why }) => Err(NoProof { name, why }),
        }
    }
}

impl Dnssec for SimDns {
    fn tlsa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(Proof, Vec<TlsaRecord>), NoProof>> {
        let read = |record| match record {
            Record::Tlsa(tlsa) => Some(tlsa),
            _ => None,
        };
        Box::pin(async move {
            let (proof, records) = self.prove(name, Kind::Tlsa)?;
            Ok((proof, records.into_iter().filter_map(read).collect()))
        })
    }

    fn mx_proof<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Proof, NoProof>> {
        Box::pin(async move { Ok(self.prove(name, Kind::Mx)?.0) })
    }

    fn address_proof<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Proof, NoProof>> {
        Box::pin(async move { Ok(self.prove(name, Kind::A)?.0) })
    }
}

/// A connection that came to a listener in memory.
pub struct Incoming {
    /// The listener's end of the pipe.
    pub stream: DuplexStream,
    /// Who connected.
    pub source: IpAddr,
}

/// Pipes to the providers' servers, at every port, and to listeners that tests open.
pub struct SimDial {
    network: Arc<Network>,
    state: Mutex<DialState>,
}

#[derive(Default)]
struct DialState {
    doors: HashMap<IpAddr, Door>,
    bad_lines: HashMap<IpAddr, Arc<BadLine>>,
    listeners: HashMap<SocketAddr, mpsc::Sender<Incoming>>,
    missing_sources: HashSet<IpAddr>,
}

enum Way {
    Provider(Arc<Host>, Door),
    Listener(mpsc::Sender<Incoming>),
    Nowhere,
}

impl SimDial {
    /// Opens a listener; connections to `address` arrive at the receiver, until it is dropped.
    pub fn listen(&self, address: SocketAddr) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.state().listeners.insert(address, sender);
        receiver
    }

    /// Changes what happens to connections to the server at `ip`, from now on.
    pub fn set_door(&self, ip: IpAddr, door: Door) {
        self.state().doors.insert(ip, door);
    }

    /// Connections to the server at `ip` go over this line, from now on.
    pub fn set_line(&self, ip: IpAddr, line: Arc<BadLine>) {
        self.state().bad_lines.insert(ip, line);
    }

    /// Takes a source address away from this host: connections from it fail as they do when it is not configured.
    pub fn remove_source(&self, source: IpAddr) {
        self.state().missing_sources.insert(source);
    }

    /// Gives a source address back to this host.
    pub fn return_source(&self, source: IpAddr) {
        self.state().missing_sources.remove(&source);
    }

    fn way(&self, peer: SocketAddr) -> Way {
        let state = self.state();
        if let Some(listener) = state.listeners.get(&peer) {
            return Way::Listener(listener.clone());
        }
        let servers = self.network.hosts.iter().flat_map(|host| host.provider.mx.iter().map(move |mx| (host, mx)));
        match servers.into_iter().find(|(_, mx)| mx.ip == peer.ip()) {
            Some((host, mx)) => Way::Provider(host.clone(), state.doors.get(&mx.ip).copied().unwrap_or(mx.door)),
            None => Way::Nowhere,
        }
    }

    fn state(&self) -> MutexGuard<'_, DialState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dial for SimDial {
    fn connect(&self, source: Option<IpAddr>, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let source = source.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            if self.state().missing_sources.contains(&source) {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            match self.way(peer) {
                Way::Provider(_, Door::Refuses) | Way::Nowhere => return Err(io::ErrorKind::ConnectionRefused.into()),
                Way::Provider(_, Door::Unreachable) => std::future::pending().await,
                Way::Provider(_, Door::Silent) => drop(tokio::spawn(session::say_nothing(Box::new(far)))),
                Way::Provider(host, Door::Open) => {
                    let network = self.network.clone();
                    drop(tokio::spawn(session::serve(network, host, peer.ip(), source, Box::new(far))));
                }
                Way::Listener(listener) => listener
                    .send(Incoming { stream: far, source })
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?,
            }
            let bad_line = self.state().bad_lines.get(&peer.ip()).cloned();
            Ok(match bad_line {
                Some(line) => interpose(Box::new(near), line),
                None => Box::new(near) as Box<dyn Stream>,
            })
        })
    }

    fn has_source(&self, source: IpAddr) -> bool {
        !self.state().missing_sources.contains(&source)
    }
}
