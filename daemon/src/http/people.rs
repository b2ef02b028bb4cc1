//! Users and API keys.

use crate::app::Shared;
use crate::http::access::{Actor, word};
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::ops;
use crate::text::time;
use api_types::{ApiKey, CreatedApiKey, CreatedSignInLink, Done, ErrorCode, NewApiKey, NewUser, Page, User};
use axum::extract::State;
use storage::{ApiKeyId, UserId, api_key, user};

/// Users of the workspace.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = Page<User>)))]
pub(crate) async fn users(State(app): State<Shared>, actor: Actor) -> Result<Json<Page<User>>, ApiError> {
    let rows = app.storage.read(move |c| user::list(c, actor.workspace)).await?;
    let total = Some(rows.len() as u64);
    Ok(Json(Page { items: rows.into_iter().map(user_shape).collect(), next: None, total }))
}

/// Adds a user. Nobody can make somebody who may more than they do.
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = NewUser, responses((status = 200, body = User)))]
pub(crate) async fn create_user(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewUser>,
) -> Result<Json<User>, ApiError> {
    if !actor.role.may(input.role) {
        let message = format!("Only somebody with the role {0} can add a user with the role {0}.", word(input.role));
        return Err(ApiError::new(ErrorCode::Forbidden, message).at("role"));
    }
    let workspace = actor.workspace;
    let new =
        ops::NewUser { workspace, email: input.email, name: input.name, role: input.role, password: input.password };
    let id = ops::create_user(&app, new).await?;
    let row = app.storage.read(move |c| user::find(c, workspace, id)).await?;
    row.map(|row| Json(user_shape(row))).ok_or_else(|| ApiError::not_found("user"))
}

/// Makes a link that signs the user in once, within a quarter of an hour.
#[utoipa::path(post, path = "/api/v1/users/{id}/sign_in_link", tag = "people", params(("id" = i64, Path)),
    responses((status = 200, body = CreatedSignInLink)))]
pub(crate) async fn sign_in_link(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<CreatedSignInLink>, ApiError> {
    let (url, expires_ms) = ops::sign_in_link(&app, actor.workspace, UserId(id)).await?;
    Ok(Json(CreatedSignInLink { url, expires_at: time(expires_ms) }))
}

/// API keys, newest first.
#[utoipa::path(get, path = "/api/v1/api_keys", tag = "people", params(Paging), responses((status = 200, body = Page<ApiKey>)))]
pub(crate) async fn api_keys(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ApiKey>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.unwrap_or(i64::MAX);
    let rows = app.storage.read(move |c| api_key::list(c, actor.workspace, before, limit)).await?;
    let next = next(&rows, limit, |row| row.id);
    Ok(Json(Page { items: rows.into_iter().map(key_shape).collect(), next, total: None }))
}

/// Makes an API key. The key itself is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/api_keys", tag = "people", request_body = NewApiKey,
    responses((status = 200, body = CreatedApiKey)))]
pub(crate) async fn create_api_key(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewApiKey>,
) -> Result<Json<CreatedApiKey>, ApiError> {
    let (row, key) = ops::create_api_key(&app, actor.workspace, input, &actor.name).await?;
    Ok(Json(CreatedApiKey { api_key: key_shape(row), key }))
}

/// Takes an API key back; it stops working at once.
#[utoipa::path(delete, path = "/api/v1/api_keys/{id}", tag = "people", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete_api_key(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let gone = app.storage.main().write(move |tx| api_key::delete(tx, actor.workspace, ApiKeyId(id))).await?;
    if !gone {
        return Err(ApiError::not_found("API key"));
    }
    Ok(Json(Done { message: "The key no longer works.".to_owned() }))
}

fn user_shape(row: user::User) -> User {
    User {
        id: row.id.0,
        email: row.email,
        name: row.name,
        role: row.role,
        created_at: time(row.created_ms),
        last_sign_in_at: row.last_sign_in_ms.map(time),
    }
}

fn key_shape(row: api_key::ApiKey) -> ApiKey {
    ApiKey {
        id: row.id.0,
        name: row.name,
        prefix: row.prefix,
        created_at: time(row.created_ms),
        last_used_at: row.last_used_ms.map(time),
        scopes: row.scopes,
        rate_per_minute: row.rate_per_minute,
    }
}
