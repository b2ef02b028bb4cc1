//! Journeys: drafts, checks, publishing, pause, resume, end; who is under way, and entering.

use crate::app::Shared;
use crate::disk;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::http::queue::parse;
use api_types::{
    Done, Journey, JourneyCheck, JourneyEntry, JourneyEntryInput, JourneyInput, JourneyLogEntry, JourneyRun,
    JourneySummary, Page,
};
use axum::extract::State;
use campaign::journey;
use serde::Deserialize;
use storage::journey as rows;
use storage::journey_run::{self, EndReason, RunState};
use storage::{JourneyId, RunId, WorkspaceId};
use utoipa::IntoParams;

/// Which journeys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JourneysQuery {
    /// `draft`, `live`, `paused` or `ended`.
    state: Option<String>,
    /// Found in the name.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Journeys, newest first.
#[utoipa::path(get, path = "/api/v1/journeys", tag = "journeys", params(JourneysQuery),
    responses((status = 200, body = Page<JourneySummary>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<JourneysQuery>,
) -> Result<Json<Page<JourneySummary>>, ApiError> {
    let known = |word: &str| ["draft", "live", "paused", "ended"].into_iter().find(|state| *state == word);
    let limit = limit(query.limit)?;
    let wanted = rows::Query {
        state: parse("state", query.state, known)?,
        search: query.q.unwrap_or_default(),
        before: cursor(query.cursor.as_deref())?.map(JourneyId),
        limit,
    };
    let items = app.storage.read(move |c| {
        let found = rows::page(c, actor.workspace, &wanted)?;
        found.iter().map(|found| journey::summary(c, found)).collect::<Result<Vec<_>, _>>()
    });
    let items = items.await?;
    let next = next(&items, limit, |found| found.id);
    Ok(Json(Page { items, next, total: None }))
}

/// Saves a new draft. It may be incomplete: the checks tell what is missing.
#[utoipa::path(post, path = "/api/v1/journeys", tag = "journeys", request_body = JourneyInput,
    responses((status = 200, body = Journey)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<JourneyInput>,
) -> Result<Json<Journey>, ApiError> {
    let id = journey::create(&app.storage, actor.workspace, input, actor.name, app.now_ms()).await?;
    read_back(&app, actor.workspace, id).await
}

/// One journey, with its draft and the figures of its published steps.
#[utoipa::path(get, path = "/api/v1/journeys/{id}", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = Journey)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Journey>, ApiError> {
    read_back(&app, actor.workspace, JourneyId(id)).await
}

async fn read_back(app: &Shared, workspace: WorkspaceId, id: JourneyId) -> Result<Json<Journey>, ApiError> {
    let found = app.storage.read(move |c| {
        Ok(match journey::find(c, workspace, id) {
            Ok(found) => Ok(journey::whole(c, found)?),
            Err(refused) => Err(refused),
        })
    });
    Ok(Json(found.await??))
}

/// Saves the draft. What is published stays as it is until it is published again.
#[utoipa::path(put, path = "/api/v1/journeys/{id}", tag = "journeys", params(("id" = i64, Path)),
    request_body = JourneyInput, responses((status = 200, body = Journey)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<JourneyInput>,
) -> Result<Json<Journey>, ApiError> {
    let whose = (actor.workspace, JourneyId(id));
    journey::update(&app.storage, whose, input, app.now_ms()).await?;
    read_back(&app, whose.0, whose.1).await
}

/// Deletes a journey that was never published.
#[utoipa::path(delete, path = "/api/v1/journeys/{id}", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    journey::delete(&app.storage, (actor.workspace, JourneyId(id))).await?;
    Ok(Json(Done { message: "The journey was deleted.".to_owned() }))
}

/// The checks of the draft before it is published, told by step.
#[utoipa::path(get, path = "/api/v1/journeys/{id}/check", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = JourneyCheck)))]
pub(crate) async fn check(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<JourneyCheck>, ApiError> {
    let (egress, now_ms) = (app.campaign_egress(), app.now_ms());
    let found = app.storage.read(move |c| {
        let found = journey::find(c, actor.workspace, JourneyId(id));
        Ok(found.and_then(|found| journey::check(c, &found, &egress, now_ms)))
    });
    Ok(Json(found.await??))
}

/// Publishes the draft: contacts enter by it from now on. Those under way stay on the version by which they entered.
#[utoipa::path(post, path = "/api/v1/journeys/{id}/publish", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = Journey)))]
pub(crate) async fn publish(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Journey>, ApiError> {
    disk::refuse_when_low(&app)?;
    let whose = (actor.workspace, JourneyId(id));
    journey::publish(&app.storage, whose, actor.name, app.campaign_egress(), app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Stops a journey where it is, its mail in the queue included. Contacts still enter, and wait.
#[utoipa::path(post, path = "/api/v1/journeys/{id}/pause", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = Journey)))]
pub(crate) async fn pause(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Journey>, ApiError> {
    let whose = (actor.workspace, JourneyId(id));
    journey::pause(&app.storage, whose, &actor.name, app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Goes on. Whose wait ended in the meantime goes on at once.
#[utoipa::path(post, path = "/api/v1/journeys/{id}/resume", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = Journey)))]
pub(crate) async fn resume(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Journey>, ApiError> {
    let whose = (actor.workspace, JourneyId(id));
    journey::resume(&app.storage, whose, &actor.name, app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Ends a journey for good: everybody is led out, and mail that was not sent yet never will be.
#[utoipa::path(post, path = "/api/v1/journeys/{id}/end", tag = "journeys", params(("id" = i64, Path)),
    responses((status = 200, body = Journey)))]
pub(crate) async fn end(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Journey>, ApiError> {
    let whose = (actor.workspace, JourneyId(id));
    journey::end(&app.storage, whose, &actor.name, app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Lets a contact in. One that is in it, or has been, is told so and changes nothing; one that is suppressed is not let in.
#[utoipa::path(post, path = "/api/v1/journeys/{id}/entries", tag = "journeys", params(("id" = i64, Path)),
    request_body = JourneyEntryInput, responses((status = 200, body = JourneyEntry)))]
pub(crate) async fn enter(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<JourneyEntryInput>,
) -> Result<Json<JourneyEntry>, ApiError> {
    let whose = (actor.workspace, JourneyId(id));
    let entry = journey::enter(&app.storage, whose, input, &actor.name, app.now_ms()).await?;
    app.wake();
    Ok(Json(entry))
}

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunsQuery {
    /// `waiting` or `ended`.
    state: Option<String>,
    /// Only those at the step with this key, or that were there last.
    step: Option<String>,
    /// Only those that go by this version.
    version: Option<u32>,
    /// Only those that ended so: `finished`, `goal` and the others.
    reason: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Contacts that are under way in a journey or were, newest first.
#[utoipa::path(get, path = "/api/v1/journeys/{id}/runs", tag = "journeys", params(("id" = i64, Path), RunsQuery),
    responses((status = 200, body = Page<JourneyRun>)))]
pub(crate) async fn runs(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Page<JourneyRun>>, ApiError> {
    let limit = limit(query.limit)?;
    let wanted = journey_run::Query {
        state: parse("state", query.state, RunState::parse)?,
        step: query.step.filter(|step| !step.is_empty()),
        version: query.version,
        reason: parse("reason", query.reason, EndReason::parse)?,
        before: cursor(query.cursor.as_deref())?.map(RunId),
        limit,
    };
    let found = app.storage.read(move |c| Ok(journey::runs(c, (actor.workspace, JourneyId(id)), &wanted)));
    let items = found.await??;
    let next = next(&items, limit, |run| run.id);
    Ok(Json(Page { items, next, total: None }))
}

/// What one run has done, step by step, oldest first.
#[utoipa::path(get, path = "/api/v1/journeys/{id}/runs/{run}/log", tag = "journeys",
    params(("id" = i64, Path), ("run" = i64, Path)), responses((status = 200, body = Page<JourneyLogEntry>)))]
pub(crate) async fn run_log(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, run)): Path<(i64, i64)>,
) -> Result<Json<Page<JourneyLogEntry>>, ApiError> {
    let found = app.storage.read(move |c| Ok(journey::log(c, (actor.workspace, JourneyId(id)), RunId(run))));
    let items = found.await??;
    Ok(Json(Page { total: Some(items.len() as u64), items, next: None }))
}

/// Takes a contact out by hand. Mail of it that is in the queue already is sent.
#[utoipa::path(delete, path = "/api/v1/journeys/{id}/runs/{run}", tag = "journeys",
    params(("id" = i64, Path), ("run" = i64, Path)), responses((status = 200, body = Done)))]
pub(crate) async fn take_out(
    State(app): State<Shared>,
    actor: Actor,
    Path((id, run)): Path<(i64, i64)>,
) -> Result<Json<Done>, ApiError> {
    let whose = (actor.workspace, JourneyId(id));
    journey::take_out(&app.storage, whose, RunId(run), actor.name, app.now_ms()).await?;
    Ok(Json(Done { message: "The contact was taken out.".to_owned() }))
}
