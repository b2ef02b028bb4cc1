//! Which streams a contact gets mail of.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use api_types::{ContactStream, ContactStreamsInput, Page};
use axum::extract::State;
use campaign::contact_streams;
use storage::{ContactId, WorkspaceId};

/// How a contact stands to every bulk stream.
#[utoipa::path(get, path = "/api/v1/contacts/{id}/streams", tag = "preference centre", params(("id" = i64, Path)),
    responses((status = 200, body = Page<ContactStream>)))]
pub(crate) async fn of_contact(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Page<ContactStream>>, ApiError> {
    standings(&app, actor.workspace, ContactId(id)).await.map(Json)
}

/// Sets the streams that a contact is to get no mail of; it gets that of the others. A stream that the contact left by
/// its own wish is one that it should ask for again: leave such a stream out only where it did.
#[utoipa::path(put, path = "/api/v1/contacts/{id}/streams", tag = "preference centre", params(("id" = i64, Path)),
    request_body = ContactStreamsInput, responses((status = 200, body = Page<ContactStream>)))]
pub(crate) async fn set_of_contact(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<ContactStreamsInput>,
) -> Result<Json<Page<ContactStream>>, ApiError> {
    let whose = (actor.workspace, ContactId(id));
    let by = (actor.name, app.now_ms());
    contact_streams::set_of_contact(&app.storage, &app.config.streams, whose, input.left, by).await?;
    standings(&app, whose.0, whose.1).await.map(Json)
}

async fn standings(app: &Shared, workspace: WorkspaceId, id: ContactId) -> Result<Page<ContactStream>, ApiError> {
    let streams = app.config.streams.clone();
    let items = app.storage.read(move |c| Ok(contact_streams::of_contact(c, &streams, workspace, id))).await??;
    Ok(Page { total: Some(items.len() as u64), items, next: None })
}
