//! The real DNS: hickory's stub resolver behind the questions of `Dns`.
//!
//! Names are asked as absolute ones, so no search domain of the host ever changes where mail goes, and the hosts file
//! is not read. TTLs are honoured, between bounds; negative answers are cached by their SOA (RFC 2308 §5).

use crate::dns::{Dns, DnsError, MxRecord};
use futures_util::future::BoxFuture;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as HickoryError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// An answer is asked for again after a day, whatever its TTL says: sites move, and a day of wrong answers is enough.
const POSITIVE_TTL_MAX: Duration = Duration::from_hours(24);
/// RFC 2308 §5 finds one to three hours sensible; a name that was just created should not wait longer.
const NEGATIVE_TTL_MAX: Duration = Duration::from_hours(1);

/// How to ask.
#[derive(Clone, Debug)]
pub struct DnsOptions {
    /// Servers to ask, over UDP and, for long answers, TCP. Empty: those of the system's configuration.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for one server's answer.
    pub timeout: Duration,
    /// How often to ask at most, the first time included.
    pub attempts: usize,
    /// How many answers to keep.
    pub cache_answers: u64,
}

impl Default for DnsOptions {
    fn default() -> Self {
        DnsOptions { servers: Vec::new(), timeout: Duration::from_secs(5), attempts: 3, cache_answers: 65_536 }
    }
}

/// Why the resolver could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the DNS resolver from the system's configuration")]
pub struct DnsSetupError(#[source] pub(crate) NetError);

/// Asks real name servers.
#[derive(Clone)]
pub struct HickoryDns {
    resolver: TokioResolver,
}

impl HickoryDns {
    /// Sets up a resolver; asks nothing yet.
    ///
    /// # Errors
    /// When no server is given and the system's configuration names none.
    pub fn new(options: &DnsOptions) -> Result<HickoryDns, DnsSetupError> {
        Ok(HickoryDns { resolver: builder(options)?.build().map_err(DnsSetupError)? })
    }

    /// The records of one type; `None` when the name exists but has none of them.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Option<Lookup>, DnsError> {
        // A name that no DNS message can carry cannot exist.
        let mut absolute = Name::from_ascii(name).map_err(|_| no_such_name(name))?;
        absolute.set_fqdn(true);
        match self.resolver.lookup(absolute, kind).await {
            Ok(lookup) => Ok(Some(lookup)),
            Err(NetError::Dns(HickoryError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Err(no_such_name(name)),
                _ => Ok(None),
            },
            Err(error) => Err(DnsError::Temporary { name: name.to_owned(), why: error.to_string() }),
        }
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        let found = self.ask(name, kind).await?;
        // The answer section also has the CNAMEs that led here; `read` passes over them.
        Ok(found.map(|lookup| lookup.answers().iter().filter_map(|r| read(&r.data)).collect()).unwrap_or_default())
    }

    async fn both_families(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let (four, six) = futures_util::join!(
            self.records(name, RecordType::A, RData::ip_addr),
            self.records(name, RecordType::AAAA, RData::ip_addr),
        );
        match (four, six) {
            (Ok(mut four), Ok(six)) => {
                four.extend(six);
                Ok(four)
            }
            // Some servers fail on AAAA alone: addresses that we have are worth more than a failure.
            (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => Ok(some),
            // Without any address, a question that failed outweighs one that found nothing.
            (_, Err(error @ DnsError::Temporary { .. })) | (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

impl Dns for HickoryDns {
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, DnsError>> {
        Box::pin(self.records(name, RecordType::MX, |data| match data {
            RData::MX(mx) => Some(MxRecord { preference: mx.preference, host: plain(&mx.exchange) }),
            _ => None,
        }))
    }

    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(self.both_families(name))
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(self.records(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        }))
    }

    fn ptr(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>> {
        Box::pin(async move {
            let name = Name::from(ip).to_ascii();
            let read = |data: &RData| match data {
                RData::PTR(ptr) => Some(plain(ptr)),
                _ => None,
            };
            self.records(&name, RecordType::PTR, read).await
        })
    }
}

/// A resolver in the making, set as the options say.
pub(crate) fn builder(options: &DnsOptions) -> Result<ResolverBuilder<TokioRuntimeProvider>, DnsSetupError> {
    let mut builder = if options.servers.is_empty() {
        TokioResolver::builder_tokio().map_err(DnsSetupError)?
    } else {
        let servers = options.servers.iter().map(|server| name_server(*server)).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    set(builder.options_mut(), options);
    Ok(builder.with_tls_config(no_tls()?))
}

/// Names are asked for over UDP and TCP only. Left to itself the resolver would look for the authorities that this host
/// trusts, and refuse to work where there are none.
fn no_tls() -> Result<rustls::ClientConfig, DnsSetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let roots = rustls::RootCertStore::empty();
    Ok(versions.map_err(|e| DnsSetupError(e.into()))?.with_root_certificates(roots).with_no_client_auth())
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

fn set(opts: &mut ResolverOpts, options: &DnsOptions) {
    opts.timeout = options.timeout;
    // Hickory counts the attempts after the first.
    opts.attempts = options.attempts.saturating_sub(1);
    opts.cache_size = options.cache_answers;
    opts.use_hosts_file = ResolveHosts::Never;
    opts.positive_max_ttl = Some(POSITIVE_TTL_MAX);
    opts.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
}

fn no_such_name(name: &str) -> DnsError {
    DnsError::NoSuchName { name: name.to_owned() }
}

/// Lower case, without the trailing dot; the root becomes empty (the null MX, RFC 7505 §3).
fn plain(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    text.strip_suffix('.').map(str::to_owned).unwrap_or(text)
}
