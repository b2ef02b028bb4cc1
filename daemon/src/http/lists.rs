//! Lists that people subscribe to, and who is on them.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use api_types::{ContactList, ContactListsInput, Done, List, ListInput, Page};
use axum::extract::State;
use campaign::lists;
use storage::{ContactId, ListId, WorkspaceId};

/// All lists, by name: a workspace has at most a hundred.
#[utoipa::path(get, path = "/api/v1/lists", tag = "lists", responses((status = 200, body = Page<List>)))]
pub(crate) async fn list(State(app): State<Shared>, actor: Actor) -> Result<Json<Page<List>>, ApiError> {
    let items = app.storage.read(move |c| lists::all(c, actor.workspace)).await?;
    Ok(Json(Page { total: Some(items.len() as u64), items, next: None }))
}

/// Makes a list.
#[utoipa::path(post, path = "/api/v1/lists", tag = "lists", request_body = ListInput,
    responses((status = 200, body = List)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<ListInput>,
) -> Result<Json<List>, ApiError> {
    Ok(Json(lists::create(&app.storage, actor.workspace, input, app.now_ms()).await?))
}

/// Replaces a list's settings. Who is on it stays.
#[utoipa::path(put, path = "/api/v1/lists/{id}", tag = "lists", params(("id" = i64, Path)), request_body = ListInput,
    responses((status = 200, body = List)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<ListInput>,
) -> Result<Json<List>, ApiError> {
    Ok(Json(lists::update(&app.storage, actor.workspace, ListId(id), input).await?))
}

/// Deletes a list that no draft belongs to and no campaign on its way. Its contacts stay; who left it is forgotten.
#[utoipa::path(delete, path = "/api/v1/lists/{id}", tag = "lists", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    lists::delete(&app.storage, actor.workspace, ListId(id)).await?;
    Ok(Json(Done { message: "The list was deleted.".to_owned() }))
}

/// How a contact stands to every list.
#[utoipa::path(get, path = "/api/v1/contacts/{id}/lists", tag = "lists", params(("id" = i64, Path)),
    responses((status = 200, body = Page<ContactList>)))]
pub(crate) async fn of_contact(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Page<ContactList>>, ApiError> {
    standings(&app, actor.workspace, ContactId(id)).await.map(Json)
}

/// Puts a contact on these lists and takes it off the others. A list that the contact left by its own wish is one that
/// it should ask for again: name such a list only where it did.
#[utoipa::path(put, path = "/api/v1/contacts/{id}/lists", tag = "lists", params(("id" = i64, Path)),
    request_body = ContactListsInput, responses((status = 200, body = Page<ContactList>)))]
pub(crate) async fn set_of_contact(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<ContactListsInput>,
) -> Result<Json<Page<ContactList>>, ApiError> {
    let whose = (actor.workspace, ContactId(id));
    lists::set_of_contact(&app.storage, whose, input.lists, actor.name, app.now_ms()).await?;
    standings(&app, whose.0, whose.1).await.map(Json)
}

async fn standings(app: &Shared, workspace: WorkspaceId, id: ContactId) -> Result<Page<ContactList>, ApiError> {
    let items = app.storage.read(move |c| Ok(lists::of_contact(c, workspace, id))).await??;
    Ok(Page { total: Some(items.len() as u64), items, next: None })
}
