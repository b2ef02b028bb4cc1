//! Templates and their versions.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use api_types::{Done, Page, Preview, PreviewRequest, Template, TemplateInput, TemplateVersion};
use axum::extract::State;
use storage::TemplateId;
use storage::template as rows;

/// Templates, newest first.
#[utoipa::path(get, path = "/api/v1/templates", tag = "templates", params(Paging),
    responses((status = 200, body = Page<Template>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Template>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.map(TemplateId);
    let found = app.storage.read(move |c| rows::page(c, actor.workspace, before, limit)).await?;
    let next = next(&found, limit, |row| row.id);
    Ok(Json(Page { items: found.into_iter().map(campaign::template::view).collect(), next, total: None }))
}

/// Saves a new template. Mistakes in it are told by the preview and keep a campaign from being launched.
#[utoipa::path(post, path = "/api/v1/templates", tag = "templates", request_body = TemplateInput,
    responses((status = 200, body = Template)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<TemplateInput>,
) -> Result<Json<Template>, ApiError> {
    let made = campaign::template::create(&app.storage, actor.workspace, input, actor.name, app.now_ms()).await?;
    Ok(Json(campaign::template::view(made)))
}

/// One template with its newest version.
#[utoipa::path(get, path = "/api/v1/templates/{id}", tag = "templates", params(("id" = i64, Path)),
    responses((status = 200, body = Template)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Template>, ApiError> {
    let found = app.storage.read(move |c| rows::find(c, actor.workspace, TemplateId(id))).await?;
    found.map(|row| Json(campaign::template::view(row))).ok_or_else(|| ApiError::not_found("template"))
}

/// Saves a new version. Campaigns that were launched keep theirs.
#[utoipa::path(put, path = "/api/v1/templates/{id}", tag = "templates", params(("id" = i64, Path)),
    request_body = TemplateInput, responses((status = 200, body = Template)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<TemplateInput>,
) -> Result<Json<Template>, ApiError> {
    let id = TemplateId(id);
    let saved = campaign::template::update(&app.storage, actor.workspace, id, input, actor.name, app.now_ms()).await?;
    Ok(Json(campaign::template::view(saved)))
}

/// Deletes a template. Versions that campaigns were sent with are kept for them.
#[utoipa::path(delete, path = "/api/v1/templates/{id}", tag = "templates", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    if !app.storage.main().write(move |tx| rows::delete(tx, actor.workspace, TemplateId(id))).await? {
        return Err(ApiError::not_found("template"));
    }
    Ok(Json(Done { message: "The template was deleted.".to_owned() }))
}

/// Versions of a template, newest first.
#[utoipa::path(get, path = "/api/v1/templates/{id}/versions", tag = "templates", params(("id" = i64, Path), Paging),
    responses((status = 200, body = Page<TemplateVersion>)))]
pub(crate) async fn versions(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<TemplateVersion>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?;
    let before = before.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let (workspace, id) = (actor.workspace, TemplateId(id));
    let found = app.storage.read(move |c| rows::versions(c, workspace, id, before, limit)).await?;
    let next = next(&found, limit, |row| row.number);
    Ok(Json(Page { items: found.into_iter().map(campaign::template::view_version).collect(), next, total: None }))
}

/// Makes an old version the newest again, as a new version.
#[utoipa::path(post, path = "/api/v1/templates/{id}/versions/{number}/restore", tag = "templates",
    params(("id" = i64, Path), ("number" = u32, Path)), responses((status = 200, body = Template)))]
pub(crate) async fn restore(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, number)): Path<(i64, u32)>,
) -> Result<Json<Template>, ApiError> {
    let (id, now_ms) = (TemplateId(id), app.now_ms());
    let made = campaign::template::restore(&app.storage, actor.workspace, id, number, actor.name, now_ms).await?;
    Ok(Json(campaign::template::view(made)))
}

/// Renders a template as it stands in the editor, by the renderer that sends it. Changes nothing.
#[utoipa::path(post, path = "/api/v1/templates/preview", tag = "templates", request_body = PreviewRequest,
    responses((status = 200, body = Preview)))]
pub(crate) async fn preview(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<PreviewRequest>,
) -> Result<Json<Preview>, ApiError> {
    let made = app.storage.read(move |c| Ok(campaign::template::preview(c, actor.workspace, input))).await??;
    Ok(Json(made))
}
