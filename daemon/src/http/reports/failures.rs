//! Mail that failed authentication, as receivers report it one by one.

use super::{narrowed, next};
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, cursor, limit};
use crate::text::time;
use api_types::{AuthFailure, Page};
use axum::extract::State;
use serde::Deserialize;
use storage::auth_failure::{self, Filter};
use utoipa::IntoParams;

/// Which reports.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FailuresQuery {
    /// Only about this sending domain.
    domain: Option<String>,
    /// `true`: only those that name a source or a signing key of ours.
    ours: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Reports of single mails that failed authentication, newest first. They come where a DMARC record asks for them (`ruf=`).
#[utoipa::path(get, path = "/api/v1/reports/failures", tag = "reports", operation_id = "auth_failures",
    params(FailuresQuery), responses((status = 200, body = Page<AuthFailure>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<FailuresQuery>,
) -> Result<Json<Page<AuthFailure>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let filter = Filter { domain: narrowed(query.domain), ours: query.ours.unwrap_or(false) };
    let rows = app.storage.read(move |c| auth_failure::page(c, actor.workspace, &filter, before, limit)).await?;
    let next = next(rows.len(), limit, rows.last().map(|row| row.id));
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

fn shape(row: auth_failure::AuthFailure) -> AuthFailure {
    AuthFailure {
        id: row.id,
        domain: row.domain,
        received_at: time(row.received_ms),
        arrived_at: time(row.arrived_ms),
        organization: row.organization,
        brought_by: row.brought_by,
        failure: row.failure,
        source_ip: row.source_ip,
        item: row.item,
        signatures: row.signatures,
        delivery: row.delivery,
        incidents: row.incidents,
        header_id: row.header_id,
        recipient_id: row.recipient_id.map(|id| id.0),
    }
}
