//! SMTP credentials.

use crate::app::Shared;
use crate::credentials;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use api_types::{
    CreatedSmtpCredential, Done, NewSmtpCredential, Page, SmtpCredential, SmtpCredentialChange, SmtpServer,
};
use axum::extract::State;
use storage::CredentialId;

/// SMTP credentials, newest first.
#[utoipa::path(get, path = "/api/v1/smtp-credentials", tag = "submission", params(Paging),
    responses((status = 200, body = Page<SmtpCredential>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<SmtpCredential>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.unwrap_or(i64::MAX);
    let items = credentials::list(&app, actor.workspace, before, limit).await?;
    let next = next(&items, limit, |row| row.id);
    Ok(Json(Page { items, next, total: None }))
}

/// Makes an SMTP credential. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/smtp-credentials", tag = "submission", request_body = NewSmtpCredential,
    responses((status = 200, body = CreatedSmtpCredential)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewSmtpCredential>,
) -> Result<Json<CreatedSmtpCredential>, ApiError> {
    credentials::create(&app, actor.workspace, input, &actor.name).await.map(Json)
}

/// Changes what an SMTP credential may do. Open sessions learn of it with their next message.
#[utoipa::path(patch, path = "/api/v1/smtp-credentials/{id}", tag = "submission", params(("id" = i64, Path)),
    request_body = SmtpCredentialChange, responses((status = 200, body = SmtpCredential)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<SmtpCredentialChange>,
) -> Result<Json<SmtpCredential>, ApiError> {
    credentials::change(&app, actor.workspace, CredentialId(id), input).await.map(Json)
}

/// Takes an SMTP credential back; it stops working at once.
#[utoipa::path(delete, path = "/api/v1/smtp-credentials/{id}", tag = "submission", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    credentials::delete(&app, actor.workspace, CredentialId(id)).await?;
    Ok(Json(Done { message: "The credential no longer works.".to_owned() }))
}

/// Where programs hand in mail by SMTP.
#[utoipa::path(get, path = "/api/v1/smtp-server", tag = "submission", responses((status = 200, body = SmtpServer)))]
pub(crate) async fn server(State(app): State<Shared>, _: Actor) -> Result<Json<SmtpServer>, ApiError> {
    Ok(Json(credentials::server(&app)))
}
