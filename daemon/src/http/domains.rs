//! Sending domains.

use crate::app::Shared;
use crate::domains;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use api_types::{DomainDetail, Done, NewDomain, Page, RotationSchedule, SendingDomain};
use axum::extract::State;
use storage::{DkimKeyId, DomainId, domain};

/// Sending domains, oldest first.
#[utoipa::path(get, path = "/api/v1/domains", tag = "domains", params(Paging),
    responses((status = 200, body = Page<SendingDomain>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<SendingDomain>>, ApiError> {
    let limit = limit(paging.limit)?;
    let after = cursor(paging.cursor.as_deref())?.unwrap_or(0);
    let rows = app
        .storage
        .read(move |c| {
            let rows = domain::list(c, actor.workspace, after, limit)?;
            let with_keys =
                |row: domain::SendingDomain| domain::keys(c, actor.workspace, row.id).map(|keys| (row, keys));
            rows.into_iter().map(with_keys).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let next = next(&rows, limit, |(row, _)| row.id);
    let items = rows.into_iter().map(|(row, keys)| domains::summary(&app, &row, &keys));
    Ok(Json(Page { items: items.collect::<Result<_, _>>()?, next, total: None }))
}

/// Adds a sending domain and makes its signing keys.
#[utoipa::path(post, path = "/api/v1/domains", tag = "domains", request_body = NewDomain,
    responses((status = 200, body = DomainDetail)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewDomain>,
) -> Result<Json<DomainDetail>, ApiError> {
    let id = domains::create(&app, actor.workspace, &input.domain, &actor.name).await?;
    domains::detail(&app, actor.workspace, id).await.map(Json)
}

/// A sending domain with its records as they stood at the last look-up.
#[utoipa::path(get, path = "/api/v1/domains/{id}", tag = "domains", params(("id" = i64, Path)),
    responses((status = 200, body = DomainDetail)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<DomainDetail>, ApiError> {
    domains::detail(&app, actor.workspace, DomainId(id)).await.map(Json)
}

/// Deletes a sending domain with its keys. What was signed with them can no longer be verified once the records go.
#[utoipa::path(delete, path = "/api/v1/domains/{id}", tag = "domains", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let (workspace, id) = (actor.workspace, DomainId(id));
    if app.storage.read(move |c| domain::in_use(c, workspace, id)).await? {
        return Err(ApiError::wrong_state("A campaign is sending from this domain. Cancel it or let it finish first."));
    }
    if !app.storage.main().write(move |tx| domain::delete(tx, workspace, id)).await? {
        return Err(ApiError::not_found("domain"));
    }
    app.storage.queue().write(move |tx| storage::warmup::remove_domain(tx, workspace, id)).await?;
    Ok(Json(Done { message: "The domain and its keys were deleted.".to_owned() }))
}

/// Looks every record up in the DNS, now.
#[utoipa::path(post, path = "/api/v1/domains/{id}/verify", tag = "domains", params(("id" = i64, Path)),
    responses((status = 200, body = DomainDetail)))]
pub(crate) async fn verify(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<DomainDetail>, ApiError> {
    domains::verify(&app, actor.workspace, DomainId(id)).await.map(Json)
}

/// Makes new signing keys. They take over by themselves when their records are visible.
#[utoipa::path(post, path = "/api/v1/domains/{id}/rotate", tag = "domains", params(("id" = i64, Path)),
    responses((status = 200, body = DomainDetail)))]
pub(crate) async fn rotate(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<DomainDetail>, ApiError> {
    let id = DomainId(id);
    domains::rotate(&app, actor.workspace, id, Some(&actor.name)).await?;
    domains::detail(&app, actor.workspace, id).await.map(Json)
}

/// Says how often new keys are made by themselves.
#[utoipa::path(put, path = "/api/v1/domains/{id}/schedule", tag = "domains", params(("id" = i64, Path)),
    request_body = RotationSchedule, responses((status = 200, body = DomainDetail)))]
pub(crate) async fn schedule(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<RotationSchedule>,
) -> Result<Json<DomainDetail>, ApiError> {
    let id = DomainId(id);
    domains::schedule(&app, actor.workspace, id, input.every_days, &actor.name).await?;
    domains::detail(&app, actor.workspace, id).await.map(Json)
}

/// Lets a key sign although its record is not visible. Noted with who did it.
#[utoipa::path(post, path = "/api/v1/domains/{id}/keys/{key}/sign_anyway", tag = "domains",
    params(("id" = i64, Path), ("key" = i64, Path)), responses((status = 200, body = DomainDetail)))]
pub(crate) async fn sign_anyway(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, key)): Path<(i64, i64)>,
) -> Result<Json<DomainDetail>, ApiError> {
    let id = DomainId(id);
    domains::sign_anyway(&app, actor.workspace, (id, DkimKeyId(key)), &actor.name).await?;
    domains::detail(&app, actor.workspace, id).await.map(Json)
}

/// Removes a key that signs nothing and whose record nobody needs.
#[utoipa::path(delete, path = "/api/v1/domains/{id}/keys/{key}", tag = "domains",
    params(("id" = i64, Path), ("key" = i64, Path)), responses((status = 200, body = Done)))]
pub(crate) async fn remove_key(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, key)): Path<(i64, i64)>,
) -> Result<Json<Done>, ApiError> {
    domains::remove_key(&app, actor.workspace, (DomainId(id), DkimKeyId(key)), &actor.name).await?;
    Ok(Json(Done { message: "The key was removed. Its record can be deleted.".to_owned() }))
}
