//! Warm-up: how far sources and sending domains are, and what a person may change about it.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::text::time;
use crate::warmup::{of_queue, plan_of, shape};
use api_types::{Done, NewWarmupDomain, Page, SetWarmupStage, WarmupDomain, WarmupForecast, WarmupLine, WarmupPlan};
use axum::extract::State;
use serde::Deserialize;
use storage::warmup::{self, Axis, DomainWarmup, Filter, Line, State as LineState};
use storage::{CampaignId, DomainId, domain};
use utoipa::IntoParams;

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WarmupQuery {
    /// `source` or `domain`.
    axis: Option<String>,
    /// Only this source or sending domain.
    subject: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Sources and sending domains at each provider that something was sent to, oldest first.
#[utoipa::path(get, path = "/api/v1/warmup", tag = "warmup", params(WarmupQuery),
    responses((status = 200, body = Page<WarmupLine>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<WarmupQuery>,
) -> Result<Json<Page<WarmupLine>>, ApiError> {
    let axis = match query.axis.as_deref() {
        None | Some("") => None,
        Some("source") => Some(Axis::Source),
        Some("domain") => Some(Axis::Domain),
        Some(_) => return Err(ApiError::invalid("axis", "axis must be source or domain.")),
    };
    let limit = limit(query.limit)?;
    let after = cursor(query.cursor.as_deref())?.unwrap_or(0);
    let filter = Filter { axis, subject: query.subject.filter(|subject| !subject.is_empty()) };
    let read = app.storage.read(move |c| {
        Ok((warmup::page(c, actor.workspace, &filter, after, limit)?, warmup::domains(c, Some(actor.workspace))?))
    });
    let (lines, domains) = read.await?;
    let next = next(&lines, limit, |line| line.id);
    let items = lines.into_iter().map(|line| shape(&app, line, &domains)).collect();
    Ok(Json(Page { items, next, total: None }))
}

/// The plans: the built-in ones, then those of packetboat.toml.
#[utoipa::path(get, path = "/api/v1/warmup/plans", tag = "warmup", responses((status = 200, body = Vec<WarmupPlan>)))]
pub(crate) async fn plans(State(app): State<Shared>, _actor: Actor) -> Json<Vec<WarmupPlan>> {
    let plan = |plan: &config::WarmupPlan| WarmupPlan { name: plan.name.to_string(), stages: plan.stages.clone() };
    Json(app.config.warmup_plans.iter().map(plan).collect())
}

/// Keeps a line at its stage, whatever its days bring. The stage's number goes on to hold.
#[utoipa::path(post, path = "/api/v1/warmup/{id}/pause", tag = "warmup", params(("id" = i64, Path)),
    responses((status = 200, body = WarmupLine)))]
pub(crate) async fn pause(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<WarmupLine>, ApiError> {
    let note = format!("paused by {}", actor.name);
    change(&app, &actor, id, |line, _| match line.state {
        LineState::Running => Ok(Line { state: LineState::Paused, note, ..line }),
        LineState::Paused => Err(ApiError::wrong_state("It is paused already.")),
        LineState::Done => Err(ApiError::wrong_state("It is warm: there is nothing to pause.")),
    })
    .await
}

/// Lets a paused line climb again.
#[utoipa::path(post, path = "/api/v1/warmup/{id}/resume", tag = "warmup", params(("id" = i64, Path)),
    responses((status = 200, body = WarmupLine)))]
pub(crate) async fn resume(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<WarmupLine>, ApiError> {
    let note = format!("resumed by {}", actor.name);
    change(&app, &actor, id, |line, _| match line.state {
        LineState::Paused => Ok(Line { state: LineState::Running, note, ..line }),
        LineState::Running => Err(ApiError::wrong_state("It is not paused.")),
        LineState::Done => Err(ApiError::wrong_state("It is warm; set a stage to begin again.")),
    })
    .await
}

/// Puts a line at another stage, from now on. What left today counts.
#[utoipa::path(post, path = "/api/v1/warmup/{id}/stage", tag = "warmup", params(("id" = i64, Path)),
    request_body = SetWarmupStage, responses((status = 200, body = WarmupLine)))]
pub(crate) async fn set_stage(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<SetWarmupStage>,
) -> Result<Json<WarmupLine>, ApiError> {
    let note = format!("set by {}", actor.name);
    change(&app, &actor, id, |line, stages| {
        let stage = input.stage.checked_sub(1).filter(|stage| *stage <= stages).ok_or_else(|| {
            let message = format!("stage must be 1 to {stages}, or {} for warm, where nothing is limited.", stages + 1);
            ApiError::invalid("stage", message)
        })?;
        let state = match line.state {
            _ if stage == stages => LineState::Done,
            LineState::Done => LineState::Running,
            other => other,
        };
        Ok(Line { state, stage, note, ..line })
    })
    .await
}

/// Changes a line as `how` says, which is told how many stages its plan has; the engine learns of it at once.
async fn change(
    app: &Shared,
    actor: &Actor,
    id: i64,
    how: impl FnOnce(Line, u32) -> Result<Line, ApiError>,
) -> Result<Json<WarmupLine>, ApiError> {
    let workspace = actor.workspace;
    let found = app.storage.read(move |c| Ok((warmup::find(c, workspace, id)?, warmup::domains(c, Some(workspace))?)));
    let (line, domains) = found.await?;
    let line = line.ok_or_else(|| ApiError::not_found("warm-up"))?;
    let Some(plan) = plan_of(app, &line, &domains) else {
        return Err(ApiError::wrong_state("It follows no warm-up plan any more; nothing is limited."));
    };
    let stages = u32::try_from(plan.stages.len()).unwrap_or(u32::MAX);
    let was = (line.stage, line.state == LineState::Done);
    let changed = Line { note_ms: app.now_ms(), ..how(line, stages)? };
    let stored = changed.clone();
    app.storage.queue().write(move |tx| warmup::set(tx, workspace, &stored)).await?;
    tell_engine(app, (changed.stage, changed.state == LineState::Done) != was).await?;
    let line = app.storage.read(move |c| warmup::find(c, workspace, id)).await?;
    Ok(Json(shape(app, line.unwrap_or(changed), &domains)))
}

/// What is stored is in force at once; where allowances changed, who waits finds a place anew.
async fn tell_engine(app: &Shared, allowances_changed: bool) -> Result<(), ApiError> {
    let Some(engine) = app.engine.get() else { return Ok(()) };
    engine.warmup_changed().await?;
    if allowances_changed {
        warmup::hasten(&app.storage, app.now_ms()).await?;
        engine.wake();
    }
    Ok(())
}

/// Sending domains that earn their volume.
#[utoipa::path(get, path = "/api/v1/warmup/domains", tag = "warmup",
    responses((status = 200, body = Vec<WarmupDomain>)))]
pub(crate) async fn domains(State(app): State<Shared>, actor: Actor) -> Result<Json<Vec<WarmupDomain>>, ApiError> {
    let found = app.storage.read(move |c| warmup::domains(c, Some(actor.workspace))).await?;
    Ok(Json(found.into_iter().map(domain_shape).collect()))
}

fn domain_shape(domain: DomainWarmup) -> WarmupDomain {
    WarmupDomain {
        id: domain.domain_id.0,
        domain: domain.domain,
        plan: domain.plan,
        created_by: domain.created_by,
        created_at: time(domain.created_ms),
    }
}

/// Has a sending domain earn its volume by a plan, over all sources. One that does so already changes its plan.
#[utoipa::path(post, path = "/api/v1/warmup/domains", tag = "warmup", request_body = NewWarmupDomain,
    responses((status = 200, body = WarmupDomain)))]
pub(crate) async fn begin_domain(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewWarmupDomain>,
) -> Result<Json<WarmupDomain>, ApiError> {
    let names: Vec<&str> = app.config.warmup_plans.iter().map(|plan| plan.name.as_str()).collect();
    if !names.contains(&input.plan.as_str()) {
        return Err(ApiError::invalid("plan", format!("There is no such plan. Plans: {}.", names.join(", "))));
    }
    let (workspace, name) = (actor.workspace, input.domain.trim().to_lowercase());
    let Some(found) = app.storage.read(move |c| domain::find_by_name(c, workspace, &name)).await? else {
        return Err(ApiError::invalid("domain", "It is not a sending domain; add it under Domains first."));
    };
    let new = DomainWarmup {
        domain_id: found.id,
        workspace_id: workspace,
        domain: found.domain,
        plan: input.plan,
        created_by: actor.name,
        created_ms: app.now_ms(),
    };
    let stored = new.clone();
    app.storage.queue().write(move |tx| warmup::add_domain(tx, &stored)).await?;
    tell_engine(&app, true).await?;
    Ok(Json(domain_shape(new)))
}

/// Ends a sending domain's warm-up: it is limited no more, and how far it was is forgotten.
#[utoipa::path(delete, path = "/api/v1/warmup/domains/{id}", tag = "warmup", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn end_domain(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let (workspace, id) = (actor.workspace, DomainId(id));
    if !app.storage.queue().write(move |tx| warmup::remove_domain(tx, workspace, id)).await? {
        return Err(ApiError::not_found("warm-up of a domain"));
    }
    tell_engine(&app, true).await?;
    Ok(Json(Done { message: "The domain's warm-up has ended.".to_owned() }))
}

/// For which recipients.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForecastQuery {
    /// Only this campaign's; else all in the queue.
    campaign_id: Option<i64>,
}

/// When those who are in the queue will have left, as far as warm-ups limit them and if every day goes well. That of a
/// sending domain is looked at for a single campaign.
#[utoipa::path(get, path = "/api/v1/warmup/forecast", tag = "warmup", params(ForecastQuery),
    responses((status = 200, body = WarmupForecast)))]
pub(crate) async fn forecast(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ForecastQuery>,
) -> Result<Json<WarmupForecast>, ApiError> {
    of_queue(&app, actor.workspace, query.campaign_id.map(CampaignId)).await.map(Json)
}
