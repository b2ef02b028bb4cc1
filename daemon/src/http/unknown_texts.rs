//! Texts of servers that no rule knows, and rules made of them.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, limit};
use crate::http::queue::called;
use crate::text::time;
use api_types::{Done, DraftedRule, Page};
use axum::extract::State;
use bounce::{Rules, RulesAt, WrittenRule};
use mail::BounceClass;
use mta::shaping;
use serde::Deserialize;
use storage::unknown_text::{self, Before, Sort, UnknownText};
use utoipa::IntoParams;

/// Which texts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnknownTextsQuery {
    /// Only what servers of this provider said.
    provider: Option<String>,
    /// `count` (the most frequent first; when absent) or `last` (the most recently seen first).
    sort: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Texts of replies and reports that no rule knew, grouped by what they have in common.
#[utoipa::path(get, path = "/api/v1/unknown-texts", tag = "shaping", params(UnknownTextsQuery),
    responses((status = 200, body = Page<api_types::UnknownText>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<UnknownTextsQuery>,
) -> Result<Json<Page<api_types::UnknownText>>, ApiError> {
    let limit = limit(query.limit)?;
    let sort = match query.sort.as_deref() {
        None | Some("" | "count") => Sort::Count,
        Some("last") => Sort::Last,
        Some(_) => return Err(ApiError::invalid("sort", "sort must be count or last.")),
    };
    let before = before(query.cursor.as_deref())?;
    let provider = called(&app, query.provider.filter(|provider| !provider.is_empty()));
    let read = move |c: &storage::Connection| {
        unknown_text::page(c, actor.workspace, provider.as_deref(), (sort, before), limit)
    };
    let rows = app.storage.read(read).await?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|last| match sort {
        Sort::Count => format!("{}.{}", last.n, last.id),
        Sort::Last => format!("{}.{}", last.last_ms, last.id),
    });
    let shape = |row| shape(row, &app.shaping);
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// A cursor of two numbers: what is sorted by, and the id.
fn before(cursor: Option<&str>) -> Result<Option<Before>, ApiError> {
    let Some(text) = cursor.filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = text.split_once('.').and_then(|(value, id)| Some((value.parse().ok()?, id.parse().ok()?)));
    read.map(Some).ok_or_else(|| ApiError::invalid("cursor", "cursor must be the `next` of the page before."))
}

/// Takes a text out of the list; it stays away however often it is seen again.
#[utoipa::path(delete, path = "/api/v1/unknown-texts/{id}", tag = "shaping", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn dismiss(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let now_ms = app.now_ms();
    let was_there =
        app.storage.events().write(move |tx| unknown_text::dismiss(tx, actor.workspace, id, now_ms)).await?;
    match was_there {
        true => Ok(Json(Done { message: "It is taken out of the list.".to_owned() })),
        false => Err(ApiError::not_found("text")),
    }
}

/// For which meaning.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DraftQuery {
    /// A bounce class, such as `mailbox_full`.
    class: String,
}

/// A rule made of a text, ready for packetboat.toml, and what is wrong with it behind the rules in force.
#[utoipa::path(get, path = "/api/v1/unknown-texts/{id}/rule", tag = "shaping",
    params(("id" = i64, Path), DraftQuery), responses((status = 200, body = DraftedRule)))]
pub(crate) async fn draft(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(query): Query<DraftQuery>,
) -> Result<Json<DraftedRule>, ApiError> {
    if BounceClass::parse(&query.class).is_none() {
        let known: Vec<&str> = BounceClass::ALL.iter().map(|class| class.as_str()).collect();
        return Err(ApiError::invalid("class", format!("class must be one of {}.", known.join(", "))));
    }
    let found = app.storage.read(move |c| unknown_text::find(c, actor.workspace, id)).await?;
    let text = found.ok_or_else(|| ApiError::not_found("text"))?;
    let stage = shaping::stage_of(&text.stage).unwrap_or(bounce::Stage::Report);
    let rule = WrittenRule::draft(&text.sample, stage, &text.provider, &query.class)
        .ok_or_else(|| ApiError::wrong_state("There are no words in it that others of its making would have too."))?;
    let mut all = app.config.bounce_rules.clone();
    all.push(rule);
    let drafted = all.len() - 1;
    let faults = Rules::with_own(&all).err().unwrap_or_default();
    let faults = faults.into_iter().filter(|fault| fault.rule == drafted).map(|fault| fault.why).collect();
    Ok(Json(DraftedRule { toml: all[drafted].to_toml(), faults }))
}

fn shape(row: UnknownText, shaping: &shaping::Snapshot) -> api_types::UnknownText {
    let known_by = known_by(&row, shaping.meaning().at(&row.provider));
    api_types::UnknownText {
        id: row.id,
        provider: row.provider,
        shape: row.shape,
        sample: row.sample,
        stage: row.stage,
        class: row.class.as_str().to_owned(),
        rule: row.rule,
        count: row.n,
        first_seen: time(row.first_ms),
        last_seen: time(row.last_ms),
        known_by,
    }
}

/// The rule that knows it now, after rules were added.
fn known_by(row: &UnknownText, rules: RulesAt<'_>) -> Option<String> {
    let stage = shaping::stage_of(&row.stage)?;
    let (reply, _) = shaping::parse_reply(&row.sample)?;
    let found = rules.classify(&reply, stage);
    found.by.understood().then(|| found.rule.to_string())
}
