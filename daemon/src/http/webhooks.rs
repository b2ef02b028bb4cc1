//! Webhooks.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::webhooks;
use api_types::{
    Done, NewWebhook, Page, Webhook, WebhookAnswer, WebhookChange, WebhookDelivery, WebhookDeliveryDetail,
    WebhookDeliveryState, WebhookSecret,
};
use axum::extract::State;
use serde::Deserialize;
use storage::WebhookId;
use utoipa::IntoParams;

/// Webhooks, newest first, with how they fare.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(Paging),
    responses((status = 200, body = Page<Webhook>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Webhook>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.unwrap_or(i64::MAX);
    let items = webhooks::list(&app, actor.workspace, before, limit).await?;
    let next = next(&items, limit, |row| row.id);
    Ok(Json(Page { items, next, total: None }))
}

/// Makes a webhook. Its secret is in this answer and nowhere else. It is told what happens from now on.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 200, body = WebhookSecret)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewWebhook>,
) -> Result<Json<WebhookSecret>, ApiError> {
    webhooks::create(&app, actor.workspace, input, &actor.name).await.map(Json)
}

/// One webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = i64, Path)),
    responses((status = 200, body = Webhook)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Webhook>, ApiError> {
    webhooks::show(&app, actor.workspace, WebhookId(id)).await.map(Json)
}

/// Changes a webhook, enables or disables it. One that is enabled again is told what it missed, unless `skip_missed` says
/// otherwise.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = i64, Path)),
    request_body = WebhookChange, responses((status = 200, body = Webhook)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<WebhookChange>,
) -> Result<Json<Webhook>, ApiError> {
    webhooks::change(&app, actor.workspace, WebhookId(id), input).await.map(Json)
}

/// Deletes a webhook with its deliveries.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    webhooks::delete(&app, actor.workspace, WebhookId(id)).await?;
    Ok(Json(Done { message: "The webhook is deleted.".to_owned() }))
}

/// Gives a webhook another secret. For 24 hours requests carry two signatures: of this one and of the one before.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "webhooks", params(("id" = i64, Path)),
    responses((status = 200, body = WebhookSecret)))]
pub(crate) async fn rotate(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<WebhookSecret>, ApiError> {
    webhooks::rotate(&app, actor.workspace, WebhookId(id)).await.map(Json)
}

/// Sends a signed request of the type `webhook.test` and answers what came back.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = i64, Path)),
    responses((status = 200, body = WebhookAnswer)))]
pub(crate) async fn test(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    webhooks::test(&app, actor.workspace, WebhookId(id)).await.map(Json)
}

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// Only those that stand so: `waiting`, `retrying` or `failed`.
    state: Option<WebhookDeliveryState>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// What was told to a webhook, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = i64, Path), DeliveryQuery), responses((status = 200, body = Page<WebhookDelivery>)))]
pub(crate) async fn deliveries(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<Page<WebhookDelivery>>, ApiError> {
    if query.state == Some(WebhookDeliveryState::Delivered) {
        return Err(ApiError::invalid("state", "state must be waiting, retrying or failed; leave it out for all."));
    }
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let page = (before, limit);
    let items = webhooks::deliveries(&app, actor.workspace, WebhookId(id), query.state, page).await?;
    let next = next(&items, limit, |row| row.id);
    Ok(Json(Page { items, next, total: None }))
}

/// One delivery with what was sent and what came back.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries/{number}", tag = "webhooks",
    params(("id" = i64, Path), ("number" = i64, Path)), responses((status = 200, body = WebhookDeliveryDetail)))]
pub(crate) async fn delivery(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, number)): Path<(i64, i64)>,
) -> Result<Json<WebhookDeliveryDetail>, ApiError> {
    webhooks::delivery(&app, actor.workspace, WebhookId(id), number).await.map(Json)
}

/// Sends a delivery once more, at once.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{number}/retry", tag = "webhooks",
    params(("id" = i64, Path), ("number" = i64, Path)), responses((status = 200, body = WebhookDelivery)))]
pub(crate) async fn retry(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, number)): Path<(i64, i64)>,
) -> Result<Json<WebhookDelivery>, ApiError> {
    webhooks::retry(&app, actor.workspace, WebhookId(id), number).await.map(Json)
}
