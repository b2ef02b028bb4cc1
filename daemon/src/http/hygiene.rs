//! List hygiene: the rules, whom they would reach, what they did.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use api_types::{Hygiene, HygieneRan, HygieneSettings};
use axum::extract::State;
use campaign::hygiene;
use serde::Deserialize;
use storage::WorkspaceId;
use storage::hygiene::Rule;
use utoipa::IntoParams;

/// Other months than those that are set, to see whom they would reach.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Months {
    /// Of the rule that stops the mail, 1 to 120.
    sunset_months: Option<u32>,
    /// Of the rule that sets the tag, 1 to 120.
    reengage_months: Option<u32>,
}

/// The rules, whom each of them would reach now whether it is on or not, and its last runs.
#[utoipa::path(get, path = "/api/v1/hygiene", tag = "hygiene", params(Months),
    responses((status = 200, body = Hygiene)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Query(months): Query<Months>,
) -> Result<Json<Hygiene>, ApiError> {
    let workspace = actor.workspace;
    let mut settings = app.storage.read(move |c| storage::hygiene::get(c, workspace)).await?;
    settings.sunset_months = months.sunset_months.unwrap_or(settings.sunset_months);
    settings.reengage_months = months.reengage_months.unwrap_or(settings.reengage_months);
    shown(&app, workspace, settings).await
}

/// Replaces the rules. Those that are on are applied once a day. Stopping mail is refused where nothing measures engagement.
#[utoipa::path(put, path = "/api/v1/hygiene", tag = "hygiene", request_body = HygieneSettings,
    responses((status = 200, body = Hygiene)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<HygieneSettings>,
) -> Result<Json<Hygiene>, ApiError> {
    let workspace = actor.workspace;
    let settings = hygiene::set(&app.storage, workspace, input, (actor.name, app.now_ms())).await?;
    shown(&app, workspace, settings).await
}

/// Applies the rules that are on, now, and answers when they are through.
#[utoipa::path(post, path = "/api/v1/hygiene/run", tag = "hygiene", responses((status = 200, body = HygieneRan)))]
pub(crate) async fn run(State(app): State<Shared>, actor: Actor) -> Result<Json<HygieneRan>, ApiError> {
    let rules = vec![Rule::Reengage, Rule::Sunset];
    Ok(Json(hygiene::run(&app.storage, &app.clock, actor.workspace, (rules, actor.name)).await?))
}

async fn shown(app: &Shared, workspace: WorkspaceId, settings: HygieneSettings) -> Result<Json<Hygiene>, ApiError> {
    let now_ms = app.now_ms();
    let shown = app.storage.read(move |c| Ok(hygiene::show(c, workspace, settings, now_ms))).await?;
    // The one thing that people wrote is the months, whose place in the filter tells nobody anything.
    shown.map(Json).map_err(|refused| match refused {
        campaign::Refused::Invalid { message, .. } => ApiError::invalid("months", message),
        other => other.into(),
    })
}
