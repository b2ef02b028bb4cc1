//! The suppression list.

use crate::app::Shared;
use crate::http::access::{Access, Actor};
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit};
use crate::text::time;
use api_types::{Done, ErrorCode, NewSuppression, Page, RemoveSuppression, Role, Suppression, SuppressionReason};
use axum::extract::State;
use serde::Deserialize;
use storage::suppression::{self, Filter};
use storage::{SuppressionId, WorkspaceId, address_hash, contact};
use utoipa::IntoParams;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuppressionsQuery {
    /// Only addresses that contain this.
    q: Option<String>,
    /// `hard_bounce`, `soft_bounces`, `complaint`, `unsubscribe`, `manual` or `import`.
    reason: Option<String>,
    /// `true`: only what holds for the whole installation; `false`: only the workspace's own.
    global: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Addresses that nothing is sent to, newest first.
#[utoipa::path(get, path = "/api/v1/suppressions", tag = "suppressions", params(SuppressionsQuery),
    responses((status = 200, body = Page<Suppression>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<SuppressionsQuery>,
) -> Result<Json<Page<Suppression>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let reason = match query.reason.as_deref() {
        None | Some("") => None,
        Some(word) => Some(suppression::reason_of(word).ok_or_else(|| {
            ApiError::invalid(
                "reason",
                "reason must be hard_bounce, soft_bounces, complaint, unsubscribe, manual or import.",
            )
        })?),
    };
    let filter = Filter { q: query.q.unwrap_or_default(), reason, global: query.global };
    let (rows, total) = app
        .storage
        .read(move |c| {
            let rows = suppression::page(c, actor.workspace, &filter, before, limit)?;
            let total = (before == i64::MAX).then(|| suppression::count(c, actor.workspace, &filter)).transpose()?;
            Ok((rows, total))
        })
        .await?;
    let next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.id.to_string())).flatten();
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total }))
}

/// Puts an address on the list by hand. One that stands there already stays as it is.
#[utoipa::path(post, path = "/api/v1/suppressions", tag = "suppressions", request_body = NewSuppression,
    responses((status = 200, body = Suppression)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewSuppression>,
) -> Result<Json<Suppression>, ApiError> {
    let address =
        mail::Address::parse(input.address.trim()).map_err(|e| ApiError::invalid("address", format!("{}.", e.why)))?;
    let (workspace, now_ms) = (actor.workspace, app.now_ms());
    let person = {
        let address = address.clone();
        app.storage.read(move |c| contact::find_by_email(c, workspace, &address)).await?
    };
    let owner = owner(&actor, input.global)?;
    let expires_ms = input.expires_at.as_deref().map(|text| moment(text, now_ms)).transpose()?;
    let hash = address_hash(&address);
    let (note, covers) = (input.note, input.covers);
    app.storage
        .queue()
        .write(move |tx| {
            let new = suppression::NewSuppression {
                workspace_id: owner,
                address: &address,
                covers,
                reason: SuppressionReason::Manual,
                origin: note.trim(),
                recipient_id: None,
                campaign_id: None,
                contact_id: person.map(|contact| contact.id),
                created_by: Some(&actor.name),
                now_ms,
                expires_ms,
            };
            suppression::add(tx, &new)
        })
        .await?;
    let rows = app.storage.read(move |c| suppression::of_hash(c, workspace, &hash)).await?;
    let row = rows.into_iter().find(|row| row.covers == covers && row.workspace_id == owner);
    row.map(|row| Json(shape(row))).ok_or_else(|| ApiError::not_found("suppression"))
}

/// Takes an address off the list. Who and why are kept.
#[utoipa::path(post, path = "/api/v1/suppressions/{id}/remove", tag = "suppressions", params(("id" = i64, Path)),
    request_body = RemoveSuppression, responses((status = 200, body = Done)))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<RemoveSuppression>,
) -> Result<Json<Done>, ApiError> {
    let why = input.reason.trim().to_owned();
    if why.is_empty() {
        return Err(ApiError::invalid("reason", "Say why; it is kept with the event."));
    }
    let now_ms = app.now_ms();
    let may_globally = owner(&actor, true).is_ok();
    let removed = app
        .storage
        .queue()
        .write(move |tx| {
            let (id, by) = (SuppressionId(id), (actor.name.as_str(), why.as_str()));
            match suppression::remove(tx, actor.workspace, id, by, now_ms)? {
                None if may_globally => suppression::remove(tx, WorkspaceId::NONE, id, by, now_ms),
                found => Ok(found),
            }
        })
        .await?;
    let row = removed.ok_or_else(|| ApiError::not_found("suppression"))?;
    let address = row.address.unwrap_or_else(|| "The address".to_owned());
    Ok(Json(Done { message: format!("{address} can be sent to again.") }))
}

/// Whose list is meant. That of the whole installation binds every workspace, so it is the administrators'.
pub(crate) fn owner(actor: &Actor, global: bool) -> Result<WorkspaceId, ApiError> {
    if !global {
        return Ok(actor.workspace);
    }
    if !actor.may(Access::Least(Role::Admin)) {
        let message = "What holds for the whole installation is for administrators.";
        return Err(ApiError::new(ErrorCode::Forbidden, message).at("global"));
    }
    Ok(WorkspaceId::NONE)
}

fn moment(text: &str, now_ms: i64) -> Result<i64, ApiError> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    match at {
        Ok(at) if at.as_millisecond() > now_ms => Ok(at.as_millisecond()),
        Ok(_) => Err(ApiError::invalid("expires_at", "expires_at must lie in the future.")),
        Err(_) => Err(ApiError::invalid("expires_at", "Write a moment such as 2027-01-31T12:00:00Z.")),
    }
}

pub(crate) fn shape(row: suppression::Suppression) -> Suppression {
    Suppression {
        id: row.id.0,
        address: row.address,
        reason: row.reason,
        covers: row.covers,
        global: row.workspace_id == WorkspaceId::NONE,
        origin: row.origin,
        created_by: row.created_by,
        created_at: time(row.created_ms),
        expires_at: row.expires_ms.map(time),
    }
}
