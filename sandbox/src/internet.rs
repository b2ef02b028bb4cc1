//! The simulated internet on loopback sockets: every server at its own address, all at one port, and a DNS server.

use crate::dns_server;
use crate::host::{CertificateError, Host, Network};
use crate::ledger::{Ledger, LedgerOptions};
use crate::manners::{Door, Providers};
use crate::report::Reporter;
use crate::session;
use crate::zone::Zone;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use world::{Dial, SystemClock, TcpDial};

/// Connections of all providers together; more wait to be taken.
const CONNECTIONS_MAX: usize = 4096;
const BIND_ATTEMPTS: usize = 20;
const ACCEPT_WAIT: Duration = Duration::from_millis(50);

/// How the internet is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who is in it.
    pub providers: Providers,
    /// The port of every server; 0 lets the system choose one.
    pub smtp_port: u16,
    /// Where the DNS is; port 0 lets the system choose one.
    pub dns: SocketAddr,
    /// The port that reports are sent to, at the MX of the reverse-path's domain.
    pub report_port: u16,
    /// The sources that providers with `blocks_sources` block.
    pub blocked_sources: Vec<IpAddr>,
    /// What to record.
    pub ledger: LedgerOptions,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            providers: Providers::builtin(),
            smtp_port: 0,
            dns: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            report_port: 25,
            blocked_sources: Vec::new(),
            ledger: LedgerOptions::default(),
        }
    }
}

/// Why the internet did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A server's address and port cannot be had.
    #[error("the simulated server {host} cannot listen at {address}")]
    Listen {
        /// Which server.
        host: String,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The DNS server's address and port cannot be had.
    #[error("the simulated DNS cannot listen at {address}")]
    Dns {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Starts internets.
pub struct Internet;

/// An internet that runs until it is shut down or dropped.
pub struct Running {
    network: Arc<Network>,
    smtp_port: u16,
    dns: SocketAddr,
    tasks: TaskTracker,
    stop: DropGuard,
    _dial: Arc<dyn Dial>,
}

impl Internet {
    /// Opens every socket, then serves.
    ///
    /// # Errors
    /// When an address or port cannot be had.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let zone = Zone::of(&options.providers);
        let ledger = Ledger::new(zone.clone(), options.ledger);
        let reporter = Reporter::new(options.report_port, tasks.clone(), stop.clone());
        let dial: Arc<dyn Dial> = Arc::new(TcpDial);
        reporter.dial_with(Arc::downgrade(&dial));
        let blocked = options.blocked_sources;
        let network = Network::new(options.providers, zone.clone(), ledger, Arc::new(SystemClock), reporter, blocked)?;
        let network = Arc::new(network);
        let (listeners, smtp_port) = listen_all(&network, options.smtp_port).await?;
        let dns = dns_server::start(zone, options.dns, &tasks, &stop)
            .await
            .map_err(|cause| StartError::Dns { address: options.dns, cause })?;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        for listener in listeners {
            let server =
                Server { network: network.clone(), places: places.clone(), tasks: tasks.clone(), stop: stop.clone() };
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(server.run(listener)).await });
        }
        Ok(Running { network, smtp_port, dns, tasks, stop: stop.drop_guard(), _dial: dial })
    }
}

impl Running {
    /// The port of every server.
    #[must_use]
    pub fn smtp_port(&self) -> u16 {
        self.smtp_port
    }

    /// Where the DNS is.
    #[must_use]
    pub fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// What the providers received.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.network.ledger
    }

    /// What the DNS answers; publish your records here.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.network.zone
    }

    /// Who is in it.
    #[must_use]
    pub fn providers(&self) -> &Providers {
        &self.network.providers
    }

    /// Ends every connection and waits for the last task. Reports still under way count as failed.
    pub async fn shutdown(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Listener {
    socket: TcpListener,
    host: Arc<Host>,
    ip: IpAddr,
    door: Door,
}

/// Listens at every server that does not refuse; with port 0, at one port that is free at all of them.
async fn listen_all(network: &Network, port: u16) -> Result<(Vec<Listener>, u16), StartError> {
    let mut attempt = 0;
    loop {
        match listen_at(network, port).await {
            Err(StartError::Listen { .. }) if port == 0 && attempt < BIND_ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

async fn listen_at(network: &Network, mut port: u16) -> Result<(Vec<Listener>, u16), StartError> {
    let mut listeners = Vec::new();
    for host in &network.hosts {
        for mx in host.provider.mx.iter().filter(|mx| mx.door != Door::Refuses) {
            let address = SocketAddr::new(mx.ip, port);
            let fail = |cause| StartError::Listen { host: mx.host.clone(), address, cause };
            let socket = TcpListener::bind(address).await.map_err(fail)?;
            if port == 0 {
                port = socket.local_addr().map_err(fail)?.port();
            }
            listeners.push(Listener { socket, host: host.clone(), ip: mx.ip, door: mx.door });
        }
    }
    Ok((listeners, port))
}

struct Server {
    network: Arc<Network>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    async fn run(self, listener: Listener) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else { return };
            let Ok((stream, peer)) = listener.socket.accept().await else {
                // The connection ended before it was taken, or files are short: no reason to stop, nor to spin.
                tokio::time::sleep(ACCEPT_WAIT).await;
                continue;
            };
            let stop = self.stop.clone();
            let served = self.serve(stream, peer.ip(), &listener);
            self.tasks.spawn(async move {
                let _place = place;
                stop.run_until_cancelled(served).await
            });
        }
    }

    fn serve(&self, stream: TcpStream, source: IpAddr, listener: &Listener) -> impl Future<Output = ()> + use<> {
        let (network, host, ip, door) = (self.network.clone(), listener.host.clone(), listener.ip, listener.door);
        async move {
            // Without it replies would wait for Nagle's algorithm; that it fails only costs time.
            let _ = stream.set_nodelay(true);
            match door {
                Door::Open => session::serve(network, host, ip, source, Box::new(stream)).await,
                Door::Silent | Door::Unreachable | Door::Refuses => session::say_nothing(Box::new(stream)).await,
            }
        }
    }
}
