//! How our sending domains stand at blocklists, and the listings of domains and sources that are and were.

use super::{narrowed, next};
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Query, cursor, limit};
use crate::http::sources::level;
use crate::text::time;
use api_types::{DomainListing, Done, Listing, Page};
use axum::extract::State;
use serde::Deserialize;
use storage::listing::{self, DomainCheck, Filter};
use utoipa::IntoParams;

/// What the last look at each sending domain found at each blocklist. The sources' are with the sources.
#[utoipa::path(get, path = "/api/v1/reports/blocklists", tag = "reports", operation_id = "domain_blocklists",
    params(Paging), responses((status = 200, body = Page<DomainListing>)))]
pub(crate) async fn overview(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<DomainListing>>, ApiError> {
    let limit = limit(paging.limit)?;
    let behind = paging.cursor.unwrap_or_default();
    let rows = app
        .storage
        .read(move |c| {
            let place = behind.split_once(' ').unwrap_or((&behind, ""));
            listing::checks(c, actor.workspace, place, limit)
        })
        .await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|row| format!("{} {}", row.domain, row.answer.list));
    Ok(Json(Page { items: rows.into_iter().map(check_shape).collect(), next, total: None }))
}

fn check_shape(check: DomainCheck) -> DomainListing {
    DomainListing {
        domain: check.domain,
        list: check.answer.list,
        level: level(check.answer.level),
        found: check.answer.found,
        advice: check.answer.advice,
        since: time(check.since_ms),
        checked_at: time(check.checked_ms),
    }
}

/// Which listings.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListingsQuery {
    /// Only of this domain or source.
    name: Option<String>,
    /// `false`: only those that are; those that were too when absent.
    gone: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Listings of our domains and sources on blocklists, newest first.
#[utoipa::path(get, path = "/api/v1/reports/blocklists/listings", tag = "reports", operation_id = "listings",
    params(ListingsQuery), responses((status = 200, body = Page<Listing>)))]
pub(crate) async fn listings(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ListingsQuery>,
) -> Result<Json<Page<Listing>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let filter = Filter { name: narrowed(query.name), gone: query.gone.unwrap_or(true) };
    let rows = app.storage.read(move |c| listing::page(c, actor.workspace, &filter, before, limit)).await?;
    let next = next(rows.len(), limit, rows.last().map(|row| row.id));
    let shape = |row: listing::Listing| Listing {
        id: row.id,
        subject: row.subject.as_str().to_owned(),
        name: row.name,
        list: row.list,
        found: row.found,
        advice: row.advice,
        since: time(row.began_ms),
        seen_at: time(row.seen_ms),
        gone_at: row.gone_ms.map(time),
    };
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// Asks the blocklists about every sending domain now.
#[utoipa::path(post, path = "/api/v1/reports/blocklists/check", tag = "reports", operation_id = "check_domain_blocklists",
    responses((status = 200, body = Done)))]
pub(crate) async fn check(State(app): State<Shared>, actor: Actor) -> Result<Json<Done>, ApiError> {
    app.checker.check_domains(actor.workspace).await?;
    Ok(Json(Done { message: "The blocklists were asked about every sending domain.".to_owned() }))
}
