//! From a lane to an open session: hosts in order, addresses, TLS with a fallback to none where that is allowed, AUTH
//! where a route has a user.

use crate::lane::Lane;
use crate::metric;
use crate::route::WayHost;
use crate::shared::Shared;
use crate::site;
use crate::smtp::{Login, Session, SessionError};
use crate::tls::Try;
use crate::tls::decide::TlsRequirement;
use bounce::Stage;
use config::RouteTls;
use mail::BounceClass;
use rustls::ClientConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use storage::queue::Answer;
use world::DnsError;

/// Addresses tried for one connection, over all hosts of the site.
const TRIES_MAX: usize = 6;
/// Domains that a connection is counted for in TLS reports.
const DOMAINS_MAX: usize = 50;
/// A host that could not be reached comes last for this long.
const BAD_HOST_MS: i64 = 300_000;

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

/// A host to try, and how.
struct Target<'a> {
    /// What it is called in what we say.
    label: &'a str,
    host: &'a str,
    port: u16,
    secure: Secure<'a>,
    login: Option<&'a Login>,
}

#[derive(Clone, Copy)]
enum Secure<'a> {
    /// What the domains' policies, the provider and the configuration ask for together.
    AsPolicy,
    Never,
    /// STARTTLS where it is offered; if it fails, without.
    IfOffered(&'a Arc<ClientConfig>),
    /// STARTTLS, or nothing.
    Required(&'a Arc<ClientConfig>),
    /// TLS before the first word.
    Implicit(&'a Arc<ClientConfig>),
}

/// The hosts of the lane's site in the order of this connection's tries.
fn targets<'a>(shared: &'a Shared, lane: &'a Lane) -> Vec<Target<'a>> {
    let site = &lane.site;
    let Some(way) = &site.way else {
        let target = |host: &'a str| Target {
            label: host,
            host,
            port: shared.smtp.remote_port,
            secure: Secure::AsPolicy,
            login: None,
        };
        return site::order(&site.hosts, &*shared.random).into_iter().map(target).collect();
    };
    // Where a host wants it, there is a configuration: `route` makes it.
    let verified = way.verified.as_ref().unwrap_or(&shared.tls);
    let target = |host: &'a WayHost| Target {
        label: &host.label,
        host: &host.host,
        port: host.port,
        secure: match host.tls {
            RouteTls::None => Secure::Never,
            RouteTls::Opportunistic => Secure::IfOffered(&shared.tls),
            RouteTls::Required => Secure::Required(verified),
            RouteTls::Implicit => Secure::Implicit(verified),
        },
        login: host.login.as_ref(),
    };
    way.hosts.iter().map(target).collect()
}

/// Opens a session over the lane; the name is that of the host that answered.
pub(crate) async fn open(shared: &Shared, lane: &Lane) -> Result<(Session, Arc<str>), NoSession> {
    let source = &shared.sources[lane.source];
    let now_ms = shared.clock.now_ms();
    let mut targets = targets(shared, lane);
    targets.sort_by_key(|target| lane.is_bad_host(target.label, now_ms));
    let mut last = NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, "no host to try"));
    let mut tries = 0;
    let domains = lane.domains(DOMAINS_MAX);
    // Whether no host has an address of the source's family: others may have more luck.
    let mut other_family = true;
    for target in &targets {
        let host = target.host;
        let at = Try { domains: &domains, host, ip: None, source: source.ip, now_ms };
        let asked = match target.secure {
            Secure::AsPolicy => match shared.policies.requirement(&lane.site, &at).await {
                Ok(asked) => Some(asked),
                Err(why) => {
                    other_family = false;
                    last = NoSession::NotReached(BounceClass::Tls, Answer::of_trouble(BounceClass::Tls, why));
                    continue;
                }
            },
            _ => None,
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
            let opened = match &asked {
                Some(asked) => open_direct(shared, lane, (target, asked), (Try { ip: Some(ip), ..at }, ip)).await,
                None => open_route(shared, lane, target, ip).await,
            };
            match opened {
                Ok(session) => {
                    count(shared, lane, "open");
                    return Ok((session, target.label.into()));
                }
                Err(no @ NoSession::NoSource(_)) => return Err(no),
                // What is said about us is said at every host: asking on would only annoy. A smart host speaks for
                // itself alone.
                Err(NoSession::Refused(stage, reply)) if lane.site.way.is_none() && is_about_us(&reply, stage) => {
                    count(shared, lane, "refused");
                    return Err(NoSession::Refused(stage, reply));
                }
                Err(no) => {
                    count(shared, lane, "failed");
                    lane.remember_bad_host(target.label, shared.clock.now_ms() + BAD_HOST_MS);
                    last = no;
                }
            }
        }
    }
    match last {
        NoSession::NotReached(_, answer) if other_family && source.ip.is_some() => {
            Err(NoSession::OtherFamily(answer.text))
        }
        last => Err(last),
    }
}

fn count(shared: &Shared, lane: &Lane, outcome: &'static str) {
    let source = shared.sources[lane.source].name.to_string();
    metrics::counter!(metric::CONNECTIONS, "source" => source, "outcome" => outcome).increment(1);
}

fn is_about_us(reply: &mail::Reply, stage: Stage) -> bool {
    use BounceClass as C;
    matches!(bounce::classify(reply, stage).class, C::Reputation | C::TooManyConnections | C::RateLimit)
}

fn dns_trouble(host: &str, error: &DnsError) -> NoSession {
    let text = format!("the address of {host} is not known: {error}");
    NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, text))
}

/// To one of the domain's own hosts, under what is asked of TLS with it.
async fn open_direct(
    shared: &Shared,
    lane: &Lane,
    (target, asked): (&Target<'_>, &TlsRequirement),
    (at, ip): (Try<'_>, IpAddr),
) -> Result<Session, NoSession> {
    let host = target.label;
    let first = if shared.policies.tries_tls(asked, &at) { Secure::IfOffered(&shared.tls) } else { Secure::Never };
    let session = match dial(shared, lane, (target, ip), first).await {
        // RFC 7435: encryption where it can be had. A server whose TLS is broken is asked again without.
        Err(DialError::Session(SessionError::Tls(why))) if shared.policies.goes_without(asked, &at, &why) => {
            tracing::debug!(site = %lane.site.name, why, "TLS failed; connecting again without");
            dial(shared, lane, (target, ip), Secure::Never).await
        }
        other => other,
    };
    let mut session = session.map_err(|error| no_session(shared, host, ip, error))?;
    match shared.policies.check(asked, &at, session.take_chain().as_deref()) {
        Ok(()) => {
            session.set_tls(|version| asked.label(version));
            Ok(session)
        }
        Err(why) => {
            session.quit().await;
            Err(tls_trouble(host, ip, why))
        }
    }
}

/// To a host of a route, as the route says.
async fn open_route(shared: &Shared, lane: &Lane, target: &Target<'_>, ip: IpAddr) -> Result<Session, NoSession> {
    let host = target.label;
    let session = match dial(shared, lane, (target, ip), target.secure).await {
        // RFC 7435: encryption where it can be had. A server whose TLS is broken is asked again without.
        Err(DialError::Session(SessionError::Tls(why))) if matches!(target.secure, Secure::IfOffered(_)) => {
            tracing::debug!(site = %lane.site.name, why, "TLS failed; connecting again without");
            dial(shared, lane, (target, ip), Secure::Never).await
        }
        other => other,
    };
    match session {
        Ok(session) if matches!(target.secure, Secure::Required(_)) && session.tls().is_none() => {
            session.quit().await;
            Err(tls_trouble(host, ip, "TLS is required, and the server does not offer it".to_owned()))
        }
        Ok(session) => log_in(session, target, ip).await,
        Err(error) => Err(no_session(shared, host, ip, error)),
    }
}

fn tls_trouble(host: &str, ip: IpAddr, text: String) -> NoSession {
    NoSession::NotReached(BounceClass::Tls, Answer::of_trouble(BounceClass::Tls, format!("{host} [{ip}]: {text}")))
}

fn no_session(shared: &Shared, host: &str, ip: IpAddr, error: DialError) -> NoSession {
    match error {
        DialError::Session(SessionError::Refused { stage, reply }) => NoSession::Refused(stage, reply),
        DialError::Session(SessionError::Tls(why)) => tls_trouble(host, ip, why),
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

/// Says who we are where a route has a user.
async fn log_in(mut session: Session, target: &Target<'_>, ip: IpAddr) -> Result<Session, NoSession> {
    let Some(login) = target.login else { return Ok(session) };
    match session.log_in(login).await {
        Ok(()) => Ok(session),
        Err(error) => {
            session.quit().await;
            Err(not_reached(target.label, ip, &error.to_string()))
        }
    }
}

fn not_reached(host: &str, ip: IpAddr, why: &str) -> NoSession {
    let answer = Answer::of_trouble(BounceClass::Connection, format!("{host} [{ip}]: {why}"));
    NoSession::NotReached(BounceClass::Connection, answer)
}

enum DialError {
    Connect(io::Error),
    TimedOut,
    Session(SessionError),
}

async fn dial(
    shared: &Shared,
    lane: &Lane,
    (target, ip): (&Target<'_>, IpAddr),
    secure: Secure<'_>,
) -> Result<Session, DialError> {
    let source = &shared.sources[lane.source];
    let peer = SocketAddr::new(ip, target.port);
    let connecting = tokio::time::timeout(shared.smtp.connect_timeout, shared.dial.connect(source.ip, peer));
    let stream = connecting.await.map_err(|_| DialError::TimedOut)?.map_err(DialError::Connect)?;
    let (ehlo, timeouts) = (source.ehlo.as_str(), shared.timeouts());
    let opened = match secure {
        // A policy is resolved before anybody dials.
        Secure::Never | Secure::AsPolicy => Session::open(stream, ehlo, None, timeouts).await,
        Secure::IfOffered(config) | Secure::Required(config) => {
            Session::open(stream, ehlo, Some((config, target.host)), timeouts).await
        }
        Secure::Implicit(config) => Session::open_implicit(stream, ehlo, (config, target.host), timeouts).await,
    };
    opened.map_err(DialError::Session)
}
