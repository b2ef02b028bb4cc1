//! Sources, pools and lanes.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::Json;
use api_types::{Egress, EgressPool, EgressSource, PoolMember};
use axum::extract::State;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use storage::event::{self, Kind, Sum};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// The sources and pools of the configuration, and the lanes at work.
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
        bound: source.ip.is_none_or(host_has),
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
        lanes: app.lanes(),
    }))
}

fn day(sums: &[Sum], source: &str, kind: Kind) -> u64 {
    sums.iter().filter(|sum| sum.name == source && sum.kind == kind).map(|sum| sum.n).sum()
}

/// Whether a socket of this host can have the address.
pub(crate) fn host_has(ip: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok()
}
