//! Segments.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::http::standing::{self, SoftBounces};
use api_types::{AudienceCount, CountRequest, Done, Page, Segment, SegmentInput};
use axum::extract::State;
use campaign::segment::{self, names::Names};
use storage::{SegmentId, WorkspaceId};

/// Segments, newest first, with their last counts.
#[utoipa::path(get, path = "/api/v1/segments", tag = "segments", params(Paging),
    responses((status = 200, body = Page<Segment>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Segment>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.map(SegmentId);
    let workspace = actor.workspace;
    let page = app.storage.read(move |c| {
        let rows = storage::segment::page(c, workspace, before, limit)?;
        let next = next(&rows, limit, |row| row.id);
        Ok(Page { items: segment::views(c, workspace, rows)?, next, total: None })
    });
    Ok(Json(page.await?))
}

/// Saves a new segment.
#[utoipa::path(post, path = "/api/v1/segments", tag = "segments", request_body = SegmentInput,
    responses((status = 200, body = Segment)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<SegmentInput>,
) -> Result<Json<Segment>, ApiError> {
    let made = segment::create(&app.storage, actor.workspace, input, app.now_ms()).await?;
    shown(&app, actor.workspace, Some(made)).await
}

/// One segment.
#[utoipa::path(get, path = "/api/v1/segments/{id}", tag = "segments", params(("id" = i64, Path)),
    responses((status = 200, body = Segment)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Segment>, ApiError> {
    let row = app.storage.read(move |c| storage::segment::find(c, actor.workspace, SegmentId(id))).await?;
    shown(&app, actor.workspace, row).await
}

/// A segment with the names of what its condition mentions.
async fn shown(
    app: &Shared,
    workspace: WorkspaceId,
    row: Option<storage::segment::Segment>,
) -> Result<Json<Segment>, ApiError> {
    let views = app.storage.read(move |c| segment::views(c, workspace, row.into_iter().collect())).await?;
    views.into_iter().next().map(Json).ok_or_else(|| ApiError::not_found("segment"))
}

/// Replaces a segment. Campaigns that were launched keep the condition of their launch.
#[utoipa::path(put, path = "/api/v1/segments/{id}", tag = "segments", params(("id" = i64, Path)),
    request_body = SegmentInput, responses((status = 200, body = Segment)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<SegmentInput>,
) -> Result<Json<Segment>, ApiError> {
    let saved = segment::update(&app.storage, actor.workspace, SegmentId(id), input, app.now_ms()).await?;
    shown(&app, actor.workspace, Some(saved)).await
}

/// Deletes a segment that no draft goes to. Its contacts stay.
#[utoipa::path(delete, path = "/api/v1/segments/{id}", tag = "segments", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let (workspace, id) = (actor.workspace, SegmentId(id));
    // In one transaction: a draft that loses its segment would go to everybody.
    let deleted = app.storage.main().write(move |tx| {
        if storage::segment::in_draft(tx, workspace, id)? {
            return Ok(None);
        }
        storage::segment::delete(tx, workspace, id).map(Some)
    });
    match deleted.await? {
        None => Err(ApiError::wrong_state("A draft of a campaign goes to this segment. Choose another there first.")),
        Some(false) => Err(ApiError::not_found("segment")),
        Some(true) => Ok(Json(Done { message: "The segment was deleted.".to_owned() })),
    }
}

/// Counts who matches a condition, with a few of them. Changes nothing.
#[utoipa::path(post, path = "/api/v1/segments/count", tag = "segments", request_body = CountRequest,
    responses((status = 200, body = AudienceCount)))]
pub(crate) async fn count(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<CountRequest>,
) -> Result<Json<AudienceCount>, ApiError> {
    let now_ms = app.now_ms();
    let (workspace, soft) = (actor.workspace, SoftBounces::of(&app));
    let counted = app.storage.read(move |c| {
        let names = Names::of(c, workspace, std::iter::once(&input.filter))?;
        let sentence = segment::sentence::sentence(&input.filter, &names);
        Ok(match segment::count(c, workspace, (&input.filter, input.stream.as_deref()), now_ms) {
            Ok((audience, sample)) => Ok((audience, standing::contacts(c, workspace, sample, soft, now_ms)?, sentence)),
            Err(refused) => Err(refused),
        })
    });
    let (audience, sample, sentence) = counted.await??;
    Ok(Json(AudienceCount {
        matching: audience.matching,
        suppressed: audience.suppressed,
        receiving: audience.receiving,
        sentence,
        sample,
    }))
}
