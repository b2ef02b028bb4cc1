//! Campaigns: drafts, checklist, launch, pause, resume, cancel, progress, recipients.

use crate::app::Shared;
use crate::disk;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::http::queue::{called, parse, shape};
use crate::http::timeline::CampaignNames;
use crate::warmup;
use api_types::{Campaign, CampaignInput, Checklist, Done, Page, Progress, Recipient};
use axum::extract::State;
use campaign::mailing;
use mail::{BounceClass, RecipientState};
use serde::Deserialize;
use storage::campaign as rows;
use storage::campaign_run::{self, Run, RunState};
use storage::queue::{self, LogFilter};
use storage::response::Response;
use storage::{CampaignId, Connection, ContactId, StorageError, WorkspaceId};
use utoipa::IntoParams;

/// Which campaigns.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CampaignsQuery {
    /// `draft`, `running`, `paused`, `cancelled` or `finished`.
    state: Option<String>,
    /// Found in the name.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Campaigns, newest first.
#[utoipa::path(get, path = "/api/v1/campaigns", tag = "campaigns", params(CampaignsQuery),
    responses((status = 200, body = Page<Campaign>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<CampaignsQuery>,
) -> Result<Json<Page<Campaign>>, ApiError> {
    let state = parse("state", query.state, |word| match word {
        "draft" => Some(None),
        "running" => Some(Some(RunState::Running)),
        "paused" => Some(Some(RunState::Paused)),
        "cancelled" => Some(Some(RunState::Cancelled)),
        "finished" => Some(Some(RunState::Finished)),
        _ => None,
    })?;
    let before = cursor(query.cursor.as_deref())?.map(CampaignId);
    let limit = limit(query.limit)?;
    let wanted = rows::Query { state, search: query.q.unwrap_or_default(), before, limit };
    let items = page(&app, actor.workspace, wanted).await?;
    let next = next(&items, limit, |campaign| campaign.id);
    Ok(Json(Page { items, next, total: None }))
}

/// The newest campaigns, for the first page.
pub(crate) async fn newest(app: &Shared, workspace: WorkspaceId, limit: u32) -> Result<Vec<Campaign>, ApiError> {
    page(app, workspace, rows::Query { limit, ..rows::Query::default() }).await
}

async fn page(app: &Shared, workspace: WorkspaceId, wanted: rows::Query) -> Result<Vec<Campaign>, ApiError> {
    let shared = app.clone();
    let items = app.storage.read(move |c| {
        let found = rows::page(c, workspace, &wanted)?;
        found.into_iter().map(|(campaign, run)| view(c, &shared, campaign, run)).collect()
    });
    Ok(items.await?)
}

fn view(c: &Connection, app: &Shared, campaign: rows::Campaign, run: Option<Run>) -> Result<Campaign, StorageError> {
    let progress = run.as_ref().map(|run| mailing::progress(c, run, &app.rates, app.now_ms())).transpose()?;
    Ok(mailing::view(campaign, run.as_ref(), progress))
}

/// Saves a new draft. It may be incomplete: the checklist tells what is missing.
#[utoipa::path(post, path = "/api/v1/campaigns", tag = "campaigns", request_body = CampaignInput,
    responses((status = 200, body = Campaign)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<CampaignInput>,
) -> Result<Json<Campaign>, ApiError> {
    let made = mailing::create(&app.storage, actor.workspace, input, actor.name, app.now_ms()).await?;
    Ok(Json(mailing::view(made, None, None)))
}

/// One campaign, with its figures from the launch on.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Campaign)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Campaign>, ApiError> {
    read_back(&app, actor.workspace, CampaignId(id)).await
}

async fn read_back(app: &Shared, workspace: WorkspaceId, id: CampaignId) -> Result<Json<Campaign>, ApiError> {
    let shared = app.clone();
    let found = app.storage.read(move |c| {
        let Some(campaign) = rows::find(c, workspace, id)? else { return Ok(None) };
        let run = campaign_run::find(c, workspace, id)?;
        view(c, &shared, campaign, run).map(Some)
    });
    found.await?.map(Json).ok_or_else(|| ApiError::not_found("campaign"))
}

/// Replaces a draft. What is launched never changes.
#[utoipa::path(put, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = i64, Path)),
    request_body = CampaignInput, responses((status = 200, body = Campaign)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<CampaignInput>,
) -> Result<Json<Campaign>, ApiError> {
    let saved = mailing::update(&app.storage, actor.workspace, CampaignId(id), input, app.now_ms()).await?;
    Ok(Json(mailing::view(saved, None, None)))
}

/// Deletes a draft. What was launched stays on record.
#[utoipa::path(delete, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    mailing::delete(&app.storage, actor.workspace, CampaignId(id)).await?;
    Ok(Json(Done { message: "The draft was deleted.".to_owned() }))
}

/// The checklist before the launch.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/check", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Checklist)))]
pub(crate) async fn check(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Checklist>, ApiError> {
    let (egress, now_ms) = (app.campaign_egress(), app.now_ms());
    let list = app.storage.read(move |c| {
        let Some(campaign) = rows::find(c, actor.workspace, CampaignId(id))? else { return Ok(None) };
        Ok(Some((mailing::check(c, &campaign, &egress, now_ms), campaign)))
    });
    let (list, campaign) = list.await?.ok_or_else(|| ApiError::not_found("campaign"))?;
    let mut list = list?;
    list.points.extend(warmup::check_point(&app, actor.workspace, campaign).await?);
    Ok(Json(list))
}

/// Launches a draft. It begins to send at once.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/launch", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Campaign)))]
pub(crate) async fn launch(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Campaign>, ApiError> {
    disk::refuse_when_low(&app)?;
    let whose = (actor.workspace, CampaignId(id));
    mailing::launch(&app.storage, whose, actor.name, app.campaign_egress(), app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Stops sending until it is resumed. What is being sent right now is finished.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/pause", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Campaign)))]
pub(crate) async fn pause(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Campaign>, ApiError> {
    let whose = (actor.workspace, CampaignId(id));
    mailing::pause(&app.storage, whose, &actor.name, app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Goes on sending.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/resume", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Campaign)))]
pub(crate) async fn resume(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Campaign>, ApiError> {
    let whose = (actor.workspace, CampaignId(id));
    mailing::resume(&app.storage, whose, &actor.name, app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// Stops sending for good. What was not yet sent never will be.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/cancel", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Campaign)))]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Campaign>, ApiError> {
    let whose = (actor.workspace, CampaignId(id));
    mailing::cancel(&app.storage, whose, &actor.name, app.now_ms()).await?;
    app.wake();
    read_back(&app, whose.0, whose.1).await
}

/// How far a campaign is.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/progress", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, body = Progress)))]
pub(crate) async fn progress(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Progress>, ApiError> {
    let (progress, _) = figures(&app, actor.workspace, CampaignId(id)).await?;
    Ok(Json(progress))
}

/// A launched campaign's figures, and whether they are the last ones.
pub(crate) async fn figures(
    app: &Shared,
    workspace: WorkspaceId,
    id: CampaignId,
) -> Result<(Progress, bool), ApiError> {
    let shared = app.clone();
    let found = app.storage.read(move |c| {
        let Some(run) = campaign_run::find(c, workspace, id)? else {
            return Ok(Err(rows::find(c, workspace, id)?.is_some()));
        };
        let progress = mailing::progress(c, &run, &shared.rates, shared.now_ms())?;
        Ok(Ok((progress, run.finished_ms.is_some())))
    });
    found.await?.map_err(|is_draft| {
        if is_draft {
            return ApiError::wrong_state("The campaign is not launched yet; there are no figures.");
        }
        ApiError::not_found("campaign")
    })
}

/// Which recipients of a campaign.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// A state word, such as `delivered`.
    state: Option<String>,
    /// Only this provider.
    provider: Option<String>,
    /// Only those whose last attempt went from this source.
    source: Option<String>,
    /// A class word, such as `bad_mailbox`.
    class: Option<String>,
    /// Only those who did this: `unsubscribed`, `left` (a list), `complained` or `replied`.
    response: Option<String>,
    /// Only addresses that contain this.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// A campaign's recipients, live and finished, in the order of their contacts.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/recipients", tag = "campaigns", params(("id" = i64, Path), LogQuery),
    responses((status = 200, body = Page<Recipient>)))]
pub(crate) async fn recipients(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Page<Recipient>>, ApiError> {
    let limit = limit(query.limit)?;
    let after = ContactId(cursor(query.cursor.as_deref())?.unwrap_or(0));
    let filter = LogFilter {
        state: parse("state", query.state, RecipientState::parse)?,
        provider: called(&app, query.provider.filter(|provider| !provider.is_empty())),
        source: query.source.filter(|source| !source.is_empty()),
        class: parse("class", query.class, BounceClass::parse)?,
        response: parse("response", query.response, Response::parse)?,
        q: query.q.unwrap_or_default(),
    };
    let (workspace, id) = (actor.workspace, CampaignId(id));
    let found = app.storage.read(move |c| {
        let Some(campaign) = rows::find(c, workspace, id)? else { return Ok(None) };
        let log = queue::campaign_log(c, (workspace, id), &filter, after, limit)?;
        Ok(Some((campaign.draft.name, log)))
    });
    let (name, log) = found.await?.ok_or_else(|| ApiError::not_found("campaign"))?;
    let names = CampaignNames::from([(id, name)]);
    // Those who are of no contact any more have no place in the order.
    let last = log.last().and_then(|row| row.origin.contact()).filter(|_| log.len() == limit as usize);
    let next = last.map(|id| id.to_string());
    Ok(Json(Page { items: log.into_iter().map(|row| shape(row, &names)).collect(), next, total: None }))
}
