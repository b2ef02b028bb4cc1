//! From a lane to an open session with a host of its route: in the order of the file, TLS and AUTH as the route says.
//! What domains publish about TLS says nothing about a smart host, so no policy is asked for.

use crate::dialing::{BAD_HOST_MS, DialError, NoSession, TRIES_MAX, connect, count, dns_trouble, not_reached};
use crate::lane::Lane;
use crate::route::{Way, WayHost};
use crate::shared::Shared;
use crate::smtp::{Session, SessionError};
use config::RouteTls;
use mail::BounceClass;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use storage::queue::Answer;

/// Opens a session with the first host that answers; the name is that of the host, with its port.
pub(crate) async fn open(shared: &Shared, lane: &Lane, way: &Way) -> Result<(Session, Arc<str>), NoSession> {
    let source = &shared.sources[lane.source];
    let now_ms = shared.clock.now_ms();
    let mut hosts: Vec<&WayHost> = way.hosts.iter().collect();
    hosts.sort_by_key(|host| lane.is_bad_host(&host.label, now_ms));
    let mut last = NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, "no host to try"));
    let mut tries = 0;
    // Whether no host has an address of the source's family: other sources may have more luck.
    let mut other_family = source.ip.is_some();
    for host in hosts {
        let ips = match addresses(shared, &host.host, source.ip).await {
            Ok(ips) => ips,
            Err(no_session) => {
                other_family = false;
                last = no_session;
                continue;
            }
        };
        if ips.is_empty() {
            let text = format!("{} has no address that source {} can reach", host.host, source.name);
            last = NoSession::NotReached(BounceClass::Dns, Answer::of_trouble(BounceClass::Dns, text));
        }
        for ip in ips {
            other_family = false;
            tries += 1;
            if tries > TRIES_MAX {
                return Err(last);
            }
            match open_one(shared, lane, way, (host, ip)).await {
                Ok(session) => {
                    count(shared, lane, "open");
                    return Ok((session, host.label.as_str().into()));
                }
                Err(no @ NoSession::NoSource(_)) => return Err(no),
                // A smart host speaks for itself alone: the next one may take us.
                Err(no) => {
                    count(shared, lane, "failed");
                    lane.remember_bad_host(&host.label, shared.clock.now_ms() + BAD_HOST_MS);
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

/// The host's addresses that the source can reach; a host that is an address has that one.
async fn addresses(shared: &Shared, host: &str, source: Option<IpAddr>) -> Result<Vec<IpAddr>, NoSession> {
    match host.parse::<IpAddr>() {
        Ok(ip) if source.is_none_or(|source| source.is_ipv4() == ip.is_ipv4()) => Ok(vec![ip]),
        Ok(_) => Ok(Vec::new()),
        Err(_) => shared.resolver.addresses(host, source).await.map_err(|error| dns_trouble(host, &error)),
    }
}

async fn open_one(
    shared: &Shared,
    lane: &Lane,
    way: &Way,
    (host, ip): (&WayHost, IpAddr),
) -> Result<Session, NoSession> {
    let tls_trouble = |text: String| {
        let answer = Answer::of_trouble(BounceClass::Tls, format!("{} [{ip}]: {text}", host.label));
        NoSession::NotReached(BounceClass::Tls, answer)
    };
    let session = match dial(shared, lane, way, (host, ip, host.tls)).await {
        // RFC 7435: encryption where it can be had. A server whose TLS is broken is asked again without.
        Err(DialError::Session(SessionError::Tls(why))) if host.tls == RouteTls::Opportunistic => {
            tracing::debug!(site = %lane.site.name, why, "TLS failed; connecting again without");
            dial(shared, lane, way, (host, ip, RouteTls::None)).await
        }
        other => other,
    };
    match session {
        Ok(session) if host.tls.is_sure() && session.tls().is_none() => {
            session.quit().await;
            Err(tls_trouble("TLS is required, and the server does not offer it".to_owned()))
        }
        Ok(session) => log_in(session, host, ip).await,
        Err(DialError::Session(SessionError::Tls(why))) => Err(tls_trouble(why)),
        Err(error) => Err(error.no_session(shared, &host.label, ip)),
    }
}

/// Says who we are where the host has a user.
async fn log_in(mut session: Session, host: &WayHost, ip: IpAddr) -> Result<Session, NoSession> {
    let Some(login) = &host.login else { return Ok(session) };
    match session.log_in(login).await {
        Ok(()) => Ok(session),
        Err(error) => {
            session.quit().await;
            Err(not_reached(&host.label, ip, &error.to_string()))
        }
    }
}

async fn dial(
    shared: &Shared,
    lane: &Lane,
    way: &Way,
    (host, ip, tls): (&WayHost, IpAddr, RouteTls),
) -> Result<Session, DialError> {
    let stream = connect(shared, lane, SocketAddr::new(ip, host.port)).await?;
    let (ehlo, timeouts) = (shared.sources[lane.source].ehlo.as_str(), shared.timeouts());
    let opened = match tls {
        RouteTls::None => Session::open(stream, ehlo, None, timeouts).await,
        RouteTls::Opportunistic => Session::open(stream, ehlo, Some((&shared.tls, &host.host)), timeouts).await,
        RouteTls::Required => Session::open(stream, ehlo, Some((&way.verified, &host.host)), timeouts).await,
        RouteTls::Implicit => Session::open_implicit(stream, ehlo, (&way.verified, &host.host), timeouts).await,
    };
    opened.map_err(DialError::Session)
}
