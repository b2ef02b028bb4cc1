//! Sources, pools, streams, routes and lanes.

use crate::app::{App, Shared};
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::Json;
use crate::text::time;
use api_types::{Egress, EgressPool, EgressRoute, EgressSource, EgressStream, PoolMember};
use axum::extract::State;
use storage::event::{self, Kind, Sum};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// The sources, pools, streams and routes of the configuration, and the lanes at work.
#[utoipa::path(get, path = "/api/v1/egress", tag = "egress", responses((status = 200, body = Egress)))]
pub(crate) async fn show(State(app): State<Shared>, actor: Actor) -> Result<Json<Egress>, ApiError> {
    let now_ms = app.now_ms();
    let since_ms = now_ms - now_ms.rem_euclid(HOUR_MS) - DAY_MS + HOUR_MS;
    let sums = app.storage.read(move |c| event::by_source(c, actor.workspace, since_ms)).await?;
    let source = |source: &config::Source| EgressSource {
        name: source.name.to_string(),
        ip: source.ip.map(|ip| ip.to_string()),
        ehlo: source.ehlo.to_string(),
        enabled: source.enabled,
        bound: source.ip.is_none_or(|ip| app.dial.has_source(ip)),
        delivered_day: day(&sums, source.name.as_str(), Kind::Delivered),
        deferred_day: day(&sums, source.name.as_str(), Kind::Deferred),
        blocked_day: day(&sums, source.name.as_str(), Kind::Blocked),
    };
    let pool = |pool: &config::Pool| EgressPool {
        name: pool.name.to_string(),
        sources: pool
            .sources
            .iter()
            .map(|member| PoolMember { source: member.source.to_string(), weight: member.weight })
            .collect(),
    };
    Ok(Json(Egress {
        sources: app.config.sources.iter().map(source).collect(),
        pools: app.config.pools.iter().map(pool).collect(),
        streams: app.config.streams.iter().map(stream).collect(),
        routes: routes(&app),
        lanes: app.lanes(),
    }))
}

fn day(sums: &[Sum], source: &str, kind: Kind) -> u64 {
    sums.iter().filter(|sum| sum.name == source && sum.kind == kind).map(|sum| sum.n).sum()
}

fn stream(stream: &config::Stream) -> EgressStream {
    EgressStream {
        name: stream.name.to_string(),
        kind: stream.kind.as_str().to_owned(),
        pool: stream.pool.to_string(),
        retry_seconds: stream.retry.iter().map(std::time::Duration::as_secs).collect(),
        expiry_seconds: stream.expiry.as_secs(),
    }
}

fn routes(app: &App) -> Vec<EgressRoute> {
    let now = app.engine.get().map(mta::Waker::routes).unwrap_or_default();
    let shape = |route: &config::Route| EgressRoute {
        name: route.name.to_string(),
        streams: route.streams.iter().map(ToString::to_string).collect(),
        domains: route.domains.iter().map(ToString::to_string).collect(),
        hosts: route.hosts.iter().map(|host| format!("{}, port {}", host.host, host.port)).collect(),
        then_direct: route.then_direct,
        down_until: now
            .iter()
            .find(|status| status.name == route.name.as_str())
            .and_then(|status| status.down_until_ms)
            .map(time),
    };
    app.config.routes.iter().map(shape).collect()
}
