//! `POST /api/v1/messages/{id}/cancel`.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use api_types::Done;
use axum::extract::State;
use storage::{MessageId, message};

/// Cancels a message for every recipient that it is not being sent to at this moment, and who has not got it yet.
#[utoipa::path(post, path = "/api/v1/messages/{id}/cancel", tag = "messages", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let (workspace, id, now_ms) = (actor.workspace, MessageId(id), app.now_ms());
    let cancelled = app.storage.queue().write(move |tx| match message::find(tx, workspace, id)? {
        None => Ok(None),
        Some(row) => Ok(Some((message::cancel(tx, workspace, id, now_ms)?, row.recipients))),
    });
    let (cancelled, all) = cancelled.await?.ok_or_else(|| ApiError::not_found("message"))?;
    if cancelled == 0 {
        return Err(ApiError::wrong_state("It is too late: no recipient of this message waits any more."));
    }
    tracing::info!(message.id = %id, cancelled, by = %actor.name, "a message was cancelled");
    let message = format!("Cancelled for {cancelled} of {all} recipients.");
    Ok(Json(Done { message }))
}
