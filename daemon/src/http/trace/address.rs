//! `GET /api/v1/trace`: everything that was sent to one address.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, cursor, limit, next};
use crate::http::timeline::campaign_names;
use crate::http::{queue, suppressions};
use crate::text::time;
use api_types::{AddressStanding, AddressTrace, Page, ResponseSum};
use axum::extract::State;
use mail::Address;
use serde::Deserialize;
use std::collections::BTreeMap;
use storage::response::Response;
use storage::{
    Connection, RecipientId, StorageError, WorkspaceId, address_hash, contact, sent_to, soft_bounce, suppression,
};
use utoipa::IntoParams;

/// Which address.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AddressQuery {
    /// The whole address.
    address: String,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Everything that was sent to one address, the newest first, with how the address stands.
#[utoipa::path(get, path = "/api/v1/trace", tag = "queue", params(AddressQuery),
    responses((status = 200, body = AddressTrace)))]
pub(crate) async fn trace(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<AddressQuery>,
) -> Result<Json<AddressTrace>, ApiError> {
    let limit = limit(query.limit)?;
    let before = RecipientId(cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX));
    let address = Address::parse(query.address.trim())
        .map_err(|e| ApiError::invalid("address", format!("Write the whole address: {}.", e.why)))?;
    let (workspace, wanted, now_ms) = (actor.workspace, address.clone(), app.now_ms());
    let (standing, rows, names) = app
        .storage
        .read(move |c| {
            let hash = address_hash(&wanted);
            let rows = sent_to::page(c, (workspace, &hash), before, limit)?;
            let names = campaign_names(c, workspace, rows.iter().filter_map(|row| row.origin.campaign()))?;
            Ok((standing(c, workspace, &wanted, now_ms)?, rows, names))
        })
        .await?;
    let next = next(&rows, limit, |row| row.id);
    let items = rows.into_iter().map(|row| queue::shape(row, &names)).collect();
    Ok(Json(AddressTrace {
        address: address.normalized(),
        standing,
        recipients: Page { items, next, total: None },
        kept_days: app.config.storage.finished_retention_days,
    }))
}

fn standing(
    c: &Connection,
    workspace: WorkspaceId,
    address: &Address,
    now_ms: i64,
) -> Result<AddressStanding, StorageError> {
    let hash = address_hash(address);
    let mut sums: BTreeMap<Response, (u64, i64)> = BTreeMap::new();
    for (response, at_ms) in sent_to::came_back(c, workspace, &hash)? {
        let (count, last_ms) = sums.entry(response).or_default();
        *count += 1;
        *last_ms = at_ms.max(*last_ms);
    }
    let sum = |(response, (count, last_ms)): (Response, (u64, i64))| ResponseSum {
        response: response.as_str().to_owned(),
        count,
        last_at: time(last_ms),
    };
    Ok(AddressStanding {
        contact_id: contact::find_by_email(c, workspace, address)?.map(|contact| contact.id.0),
        suppressions: suppressions::shapes(c, workspace, suppression::of_hash(c, workspace, &hash)?, now_ms)?,
        soft_bounces: soft_bounce::of_address(c, workspace, &hash)?,
        responses: sums.into_iter().map(sum).collect(),
    })
}
