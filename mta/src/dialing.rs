//! From a lane to an open session: hosts in order, addresses, TLS with a fallback to none where that is allowed.

use crate::lane::Lane;
use crate::metric;
use crate::relaying;
use crate::shared::Shared;
use crate::site;
use crate::smtp::{Session, SessionError};
use crate::tls::Try;
use crate::tls::decide::TlsRequirement;
use bounce::Stage;
use mail::BounceClass;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use storage::queue::Answer;
use world::{DnsError, Stream};

/// Addresses tried for one connection, over all hosts of the site.
pub(crate) const TRIES_MAX: usize = 6;
/// Domains that a connection is counted for in TLS reports.
const DOMAINS_MAX: usize = 50;
/// A host that could not be reached comes last for this long.
pub(crate) const BAD_HOST_MS: i64 = 300_000;

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum NoSession {
    /// The site cannot be reached, or does not work.
    NotReached(BounceClass, Answer),
    /// The server refused us before any recipient was named.
    Refused(Stage, mail::Reply),
    /// This host does not have the source's address.
    NoSource(String),
    /// The site has no address of the source's family.
    OtherFamily(String),
}

/// Opens a session over the lane; the name is that of the host that answered.
pub(crate) async fn open(shared: &Shared, lane: &Lane) -> Result<(Session, Arc<str>), NoSession> {
    if let Some(way) = &lane.site.way {
        return relaying::open(shared, lane, way).await;
    }
    let source = &shared.sources[lane.source];
    let now_ms = shared.clock.now_ms();
    let mut hosts = site::order(&lane.site.hosts, &*shared.random);
    hosts.sort_by_key(|host| lane.is_bad_host(host, now_ms));
    let mut last = NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, "no host to try"));
    let mut tries = 0;
    // Whether no host has an address of the source's family: other sources may have more luck.
    let mut other_family = source.ip.is_some();
    let domains = lane.domains(DOMAINS_MAX);
    for host in hosts {
        let at = Try { domains: &domains, host, ip: None, source: source.ip, now_ms };
        let asked = match shared.policies.requirement(&lane.site, &at).await {
            Ok(asked) => asked,
            Err(why) => {
                other_family = false;
                last = NoSession::NotReached(BounceClass::Tls, Answer::of_trouble(BounceClass::Tls, why));
                continue;
            }
        };
        let ips = match shared.resolver.addresses(host, source.ip).await {
            Ok(ips) => ips,
            Err(error) => {
                other_family = false;
                last = dns_trouble(host, &error);
                continue;
            }
        };
        if ips.is_empty() {
            let text = format!("{host} has no address that source {} can reach", source.name);
            last = NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, text));
        }
        for ip in ips {
            other_family = false;
            tries += 1;
            if tries > TRIES_MAX {
                return Err(last);
            }
            match open_one(shared, lane, &asked, (Try { ip: Some(ip), ..at }, ip)).await {
                Ok(session) => {
                    count(shared, lane, "open");
                    return Ok((session, host.into()));
                }
                Err(no @ NoSession::NoSource(_)) => return Err(no),
                // What is said about us is said at every host: asking on would only annoy.
                Err(NoSession::Refused(stage, reply)) if is_about_us(shared, lane, &reply, stage) => {
                    count(shared, lane, "refused");
                    return Err(NoSession::Refused(stage, reply));
                }
                Err(no) => {
                    count(shared, lane, "failed");
                    lane.remember_bad_host(host, shared.clock.now_ms() + BAD_HOST_MS);
                    last = no;
                }
            }
        }
    }
    match last {
        NoSession::NotReached(_, answer) if other_family => Err(NoSession::OtherFamily(answer.text)),
        last => Err(last),
    }
}

pub(crate) fn count(shared: &Shared, lane: &Lane, outcome: &'static str) {
    let source = shared.sources[lane.source].name.to_string();
    metrics::counter!(metric::CONNECTIONS, "source" => source, "outcome" => outcome).increment(1);
}

fn is_about_us(shared: &Shared, lane: &Lane, reply: &mail::Reply, stage: Stage) -> bool {
    use BounceClass as C;
    matches!(
        shared.rules_at(lane).classify(reply, stage).class,
        C::Reputation | C::Blocklist | C::ReverseDns | C::TooManyConnections | C::RateLimit
    )
}

pub(crate) fn dns_trouble(host: &str, error: &DnsError) -> NoSession {
    let text = format!("the address of {host} is not known: {error}");
    NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, text))
}

async fn open_one(
    shared: &Shared,
    lane: &Lane,
    asked: &TlsRequirement,
    (at, ip): (Try<'_>, IpAddr),
) -> Result<Session, NoSession> {
    let host = at.host;
    let tls_trouble = |text: String| {
        NoSession::NotReached(BounceClass::Tls, Answer::of_trouble(BounceClass::Tls, format!("{host} [{ip}]: {text}")))
    };
    let dialed = dial(shared, lane, (host, ip), shared.policies.tries_tls(asked, &at)).await;
    // By now the messages are made that the connection is for, and whose they are is known.
    let domains = lane.domains(DOMAINS_MAX);
    let at = Try { domains: &domains, ..at };
    let session = match dialed {
        // RFC 7435: encryption where it can be had. A server whose TLS is broken is asked again without.
        Err(DialError::Session(SessionError::Tls(why))) if shared.policies.goes_without(asked, &at, &why) => {
            tracing::debug!(site = %lane.site.name, why, "TLS failed; connecting again without");
            dial(shared, lane, (host, ip), false).await
        }
        other => other,
    };
    match session {
        Ok(mut session) => match shared.policies.check(asked, &at, session.take_chain().as_deref()) {
            Ok(()) => {
                session.set_tls(|version| asked.label(version));
                Ok(session)
            }
            Err(why) => {
                session.quit().await;
                Err(tls_trouble(why))
            }
        },
        Err(DialError::Session(SessionError::Tls(why))) => Err(tls_trouble(why)),
        Err(error) => Err(error.no_session(shared, host, ip)),
    }
}

pub(crate) fn not_reached(host: &str, ip: IpAddr, why: &str) -> NoSession {
    let answer = Answer::of_trouble(BounceClass::Connection, format!("{host} [{ip}]: {why}"));
    NoSession::NotReached(BounceClass::Connection, answer)
}

/// Why one address gave no session.
pub(crate) enum DialError {
    Connect(io::Error),
    TimedOut,
    Session(SessionError),
}

impl DialError {
    /// What it means for the connection that was wanted.
    pub fn no_session(self, shared: &Shared, host: &str, ip: IpAddr) -> NoSession {
        match self {
            DialError::Session(SessionError::Refused { stage, reply }) => NoSession::Refused(stage, reply),
            DialError::Session(error) => not_reached(host, ip, &error.to_string()),
            DialError::Connect(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                NoSession::NoSource(error.to_string())
            }
            DialError::Connect(error) => not_reached(host, ip, &format!("cannot connect: {error}")),
            DialError::TimedOut => {
                not_reached(host, ip, &format!("no connection in {} s", shared.smtp.connect_timeout.as_secs()))
            }
        }
    }
}

async fn dial(shared: &Shared, lane: &Lane, (host, ip): (&str, IpAddr), tls: bool) -> Result<Session, DialError> {
    let stream = connect(shared, lane, SocketAddr::new(ip, shared.smtp.remote_port)).await?;
    let ehlo = shared.sources[lane.source].ehlo.as_str();
    let tls = tls.then_some((&shared.tls, host));
    Session::open(stream, ehlo, tls, shared.timeouts()).await.map_err(DialError::Session)
}

/// A connection from the lane's source.
pub(crate) async fn connect(shared: &Shared, lane: &Lane, peer: SocketAddr) -> Result<Box<dyn Stream>, DialError> {
    let source = shared.sources[lane.source].ip;
    let connecting = tokio::time::timeout(shared.smtp.connect_timeout, shared.dial.connect(source, peer));
    connecting.await.map_err(|_| DialError::TimedOut)?.map_err(DialError::Connect)
}
