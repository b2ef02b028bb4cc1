//! A provider at work: what it remembers between connections, and the network that all providers share.

use crate::authority::Authority;
use crate::hash::hash;
use crate::ledger::{Ledger, ProviderSummary};
use crate::manners::{Provider, Providers, Step, Tls};
use crate::report::Reporter;
use crate::zone::Zone;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_rustls::TlsAcceptor;
use world::Clock;

/// What a provider remembers of attempts is forgotten beyond this many, all at once: a bound, never reached by a
/// campaign of a million.
const MEMORIES_MAX: usize = 2_000_000;

/// Everything that the providers share.
pub(crate) struct Network {
    pub providers: Arc<Providers>,
    pub hosts: Vec<Arc<Host>>,
    pub zone: Zone,
    pub ledger: Ledger,
    pub clock: Arc<dyn Clock>,
    pub reporter: Reporter,
    /// The sources that providers with `blocks_sources` block.
    pub blocked_sources: Vec<IpAddr>,
    /// Who signed the certificates that are trusted.
    pub authority: CertificateDer<'static>,
}

/// One provider's servers, which share a memory.
pub(crate) struct Host {
    pub provider: Provider,
    pub started_ms: i64,
    pub tls: Option<TlsAcceptor>,
    /// The certificates that it shows, its own first.
    pub chain: Vec<CertificateDer<'static>>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    open: HashMap<IpAddr, u32>,
    open_all: u32,
    /// By (source, reverse-path, recipient): when it came first.
    greylist: HashMap<u64, i64>,
    /// By address: how often it was tried, for mailboxes where that matters.
    attempts: HashMap<u64, u32>,
    cuts: u32,
    queued: u64,
}

/// Why the providers' certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate itself.
    #[error("cannot make a certificate for {provider}")]
    Make {
        /// Which provider.
        provider: String,
        /// What the maker said.
        #[source]
        cause: rcgen::Error,
    },
    /// TLS did not take it.
    #[error("cannot set up TLS for {provider}")]
    Use {
        /// Which provider.
        provider: String,
        /// What TLS said.
        #[source]
        cause: rustls::Error,
    },
}

impl Network {
    pub fn new(
        providers: Providers,
        zone: Zone,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        reporter: Reporter,
        blocked_sources: Vec<IpAddr>,
    ) -> Result<Network, CertificateError> {
        let started_ms = clock.now_ms();
        let authority = Authority::new()?;
        let hosts = providers.providers.iter().map(|p| Host::new(p.clone(), &authority, started_ms).map(Arc::new));
        let hosts = hosts.collect::<Result<_, _>>()?;
        let (providers, authority) = (Arc::new(providers), authority.certificate());
        Ok(Network { providers, hosts, zone, ledger, clock, reporter, blocked_sources, authority })
    }

    /// Changes a provider's summary.
    pub fn note(&self, host: &Host, change: impl FnOnce(&mut ProviderSummary)) {
        self.ledger.note(&host.provider.name, change);
    }
}

impl Host {
    fn new(provider: Provider, authority: &Authority, started_ms: i64) -> Result<Host, CertificateError> {
        let (tls, chain) = match provider.manners.tls {
            Tls::None | Tls::Broken => (None, Vec::new()),
            Tls::Offered | Tls::Required => {
                let (acceptor, chain) = acceptor(&provider, authority)?;
                (Some(acceptor), chain)
            }
        };
        Ok(Host { provider, started_ms, tls, chain, memory: Mutex::default() })
    }

    /// Counts a connection in; the number of those open from this source and from everywhere, itself included.
    pub fn enter(self: &Arc<Host>, source: IpAddr) -> (Visit, u32, u32) {
        let mut memory = self.memory();
        let open = memory.open.entry(source).or_default();
        *open += 1;
        let open = *open;
        memory.open_all += 1;
        (Visit { host: self.clone(), source }, open, memory.open_all)
    }

    /// When this triple came first.
    pub fn greylisted_at(&self, source: IpAddr, reverse_path: &str, recipient: &str, now_ms: i64) -> i64 {
        let key = hash(3, format!("{source} {reverse_path} {}", recipient.to_ascii_lowercase()).as_bytes());
        let mut memory = self.memory();
        if memory.greylist.len() >= MEMORIES_MAX {
            memory.greylist.clear();
        }
        *memory.greylist.entry(key).or_insert(now_ms)
    }

    /// How often `recipient` was tried before; this time counts from now on.
    pub fn earlier_attempts(&self, recipient: &str) -> u32 {
        let mut memory = self.memory();
        if memory.attempts.len() >= MEMORIES_MAX {
            memory.attempts.clear();
        }
        let attempts = memory.attempts.entry(hash(4, recipient.to_ascii_lowercase().as_bytes())).or_default();
        *attempts += 1;
        *attempts - 1
    }

    /// Whether this connection ends at `step`; that it does counts.
    pub fn cuts_at(&self, step: Step) -> bool {
        let Some(cut) = self.provider.manners.cut.filter(|cut| cut.at == step) else { return false };
        let mut memory = self.memory();
        memory.cuts += 1;
        memory.cuts <= cut.times
    }

    /// Whether nothing is accepted just now.
    pub fn in_storm(&self, now_ms: i64) -> bool {
        let since = u64::try_from(now_ms - self.started_ms).unwrap_or(0);
        self.provider.manners.storm.is_some_and(|storm| since % storm.every_ms.max(1) < storm.lasts_ms)
    }

    /// The number of the next message taken.
    pub fn next_number(&self) -> u64 {
        let mut memory = self.memory();
        memory.queued += 1;
        memory.queued
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection of a source; dropping it counts it out.
pub(crate) struct Visit {
    host: Arc<Host>,
    source: IpAddr,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut memory = self.host.memory();
        memory.open_all = memory.open_all.saturating_sub(1);
        if let Some(open) = memory.open.get_mut(&self.source) {
            *open -= 1;
            if *open == 0 {
                memory.open.remove(&self.source);
            }
        }
    }
}

/// TLS with the certificate that the provider's manners say, for the names of its servers.
fn acceptor(
    provider: &Provider,
    authority: &Authority,
) -> Result<(TlsAcceptor, Vec<CertificateDer<'static>>), CertificateError> {
    let names: Vec<String> = provider.mx.iter().map(|mx| mx.host.clone()).collect();
    let (chain, key) = authority
        .issue(names, provider.manners.certificate)
        .map_err(|cause| CertificateError::Make { provider: provider.name.clone(), cause })?;
    let fail = |cause| CertificateError::Use { provider: provider.name.clone(), cause };
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(fail)?
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .map_err(fail)?;
    Ok((TlsAcceptor::from(Arc::new(config)), chain))
}
