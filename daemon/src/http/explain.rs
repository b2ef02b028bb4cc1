//! Where mail to a domain goes, and every limit in force on the way.

use crate::app::{App, Shared};
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use crate::http::shaping::{Found, limits, shape};
use crate::text::time;
use api_types::{Explanation, OtherWay, TakenRoute};
use axum::extract::State;
use config::Route;
use mail::Domain;
use mta::shaping::Place;
use serde::Deserialize;
use storage::automation;
use utoipa::IntoParams;
use world::DnsError;

/// For what to explain the limits.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// The recipient domain; its MX records are looked up.
    domain: String,
    /// A source of the configuration.
    source: Option<String>,
    /// A stream of the configuration. When absent: the way of the streams that no route leads elsewhere.
    stream: Option<String>,
}

/// Every limit in force for mail to a domain, from a source, and which layer set it. Where a route leads the mail to other
/// hosts, they and their limits are told of.
#[utoipa::path(get, path = "/api/v1/explain", tag = "shaping", params(ExplainQuery),
    responses((status = 200, body = Explanation)))]
pub(crate) async fn explain(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, ApiError> {
    let domain = Domain::parse(query.domain.trim()).map_err(|e| ApiError::invalid("domain", format!("{}.", e.why)))?;
    let source = known("source", query.source, app.config.sources.iter().map(|source| source.name.as_str()))?;
    let stream = known("stream", query.stream, app.config.streams.iter().map(|stream| stream.name.as_str()))?;
    let way = Way::of(&app, stream.as_deref(), domain.as_str());
    let found = Found::read(&app, actor.workspace).await?;
    let concerns = |a: &&automation::Automation| {
        source.is_none() || a.source.is_none() || a.source.as_deref() == source.as_deref()
    };
    let (hosts, provider) = match way.open() {
        Some(route) => {
            let hosts: Vec<String> = route.hosts.iter().map(|host| host.host.clone()).collect();
            let provider = app.shaping.provider_of_route(&hosts[0]);
            (hosts, provider)
        }
        None => {
            let hosts = mx_hosts(&app, &domain).await?;
            let provider = app.shaping.provider_name(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
            (hosts, provider)
        }
    };
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    // A route has the same limits for every domain, as its lanes do.
    let of_domain = way.open().is_none().then_some(domain.as_str());
    let place = Place { provider: &provider, hosts: &names, domain: of_domain, source: source.as_deref() };
    Ok(Json(Explanation {
        limits: limits(&app, &place),
        automations: found.at(&provider).filter(concerns).cloned().map(shape).collect(),
        provider: provider.to_string(),
        other_ways: if stream.is_none() { way.others(&app, domain.as_str()) } else { Vec::new() },
        route: way.told(),
        domain: domain.to_string(),
        source,
        stream,
        hosts,
    }))
}

/// A name that was asked for, if the configuration has it.
fn known<'a>(
    field: &str,
    asked: Option<String>,
    names: impl Iterator<Item = &'a str>,
) -> Result<Option<String>, ApiError> {
    let Some(name) = asked.filter(|name| !name.is_empty()) else { return Ok(None) };
    let known: Vec<&str> = names.collect();
    if known.contains(&name.as_str()) {
        return Ok(Some(name));
    }
    Err(ApiError::invalid(field, format!("There is no {field} {name}; known: {}.", known.join(", "))))
}

/// The way that mail takes.
struct Way<'a> {
    route: Option<&'a Route>,
    down_until_ms: Option<i64>,
}

impl<'a> Way<'a> {
    /// That of a stream; without one, that to the domain's own hosts, if any stream takes it, else that of the first stream.
    fn of(app: &'a App, stream: Option<&str>, domain: &str) -> Way<'a> {
        let route = match stream {
            Some(stream) => route_of(app, stream, domain),
            None => {
                let mut routes = app.config.streams.iter().map(|stream| route_of(app, stream.name.as_str(), domain));
                let first = routes.next().flatten();
                first.filter(|_| routes.all(|route| route.is_some()))
            }
        };
        let status = app.engine.get().map(mta::Waker::routes).unwrap_or_default();
        let mut down =
            status.into_iter().filter(|status| route.is_some_and(|route| status.name == route.name.as_str()));
        Way { route, down_until_ms: down.next().and_then(|status| status.down_until_ms) }
    }

    /// The route, unless mail goes to the domain's own hosts meanwhile.
    fn open(&self) -> Option<&'a Route> {
        self.route.filter(|_| self.down_until_ms.is_none())
    }

    fn told(&self) -> Option<TakenRoute> {
        self.route.map(|route| TakenRoute { name: route.name.to_string(), down_until: self.down_until_ms.map(time) })
    }

    /// The streams that take another way.
    fn others(&self, app: &App, domain: &str) -> Vec<OtherWay> {
        let name = |route: Option<&Route>| route.map(|route| route.name.to_string());
        let other = |stream: &config::Stream| {
            let route = route_of(app, stream.name.as_str(), domain);
            let hosts = route.map(|route| route.hosts.as_slice()).unwrap_or_default();
            (name(route) != name(self.route)).then(|| OtherWay {
                stream: stream.name.to_string(),
                route: name(route),
                hosts: hosts.iter().map(|host| format!("{}, port {}", host.host, host.port)).collect(),
            })
        };
        app.config.streams.iter().filter_map(other).collect()
    }
}

/// The first route that fits, as the engine takes it.
fn route_of<'a>(app: &'a App, stream: &str, domain: &str) -> Option<&'a Route> {
    app.config.routes.iter().find(|route| route.fits(stream, domain))
}

/// The hosts that take a domain's mail, best first; the domain itself where it has no MX (RFC 5321 §5.1).
async fn mx_hosts(app: &App, domain: &Domain) -> Result<Vec<String>, ApiError> {
    let mut records = app.dns.mx(domain.as_str()).await.map_err(|error| match error {
        DnsError::NoSuchName { .. } => ApiError::invalid("domain", format!("The domain {domain} does not exist.")),
        DnsError::Temporary { why, .. } => {
            ApiError::invalid("domain", format!("The DNS has no answer about {domain} now: {why}."))
        }
    })?;
    if records.is_empty() {
        return Ok(vec![domain.to_string()]);
    }
    records.retain(|mx| !mx.host.is_empty());
    if records.is_empty() {
        return Err(ApiError::invalid("domain", format!("The domain {domain} takes no mail (null MX).")));
    }
    records.sort();
    Ok(records.into_iter().map(|mx| mx.host).collect())
}
