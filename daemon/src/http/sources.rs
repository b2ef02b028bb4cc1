//! The sources and how they stand.

use crate::app::{App, Shared};
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use crate::text::time;
use api_types::{Notice, Page, Source, SourceCheck, SourceDetail, SourceEvent, SourceLevel};
use axum::extract::State;
use storage::event::{self, EventRow};
use storage::source_check::{self, Level};

/// Events shown of a source.
const EVENTS_MAX: u32 = 50;

/// The sources of the configuration, with what was found at the last look at each.
#[utoipa::path(get, path = "/api/v1/sources", tag = "egress", responses((status = 200, body = Page<Source>)))]
pub(crate) async fn list(State(app): State<Shared>, _: Actor) -> Result<Json<Page<Source>>, ApiError> {
    let checks = app.storage.read(source_check::all).await?;
    let items = app.config.sources.iter().map(|source| shape(&app, source, &checks)).collect();
    Ok(Json(Page { items, next: None, total: None }))
}

/// One source, with what happened to it.
#[utoipa::path(get, path = "/api/v1/sources/{name}", tag = "egress", params(("name" = String, Path)),
    responses((status = 200, body = SourceDetail)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    _: Actor,
    Path(name): Path<String>,
) -> Result<Json<SourceDetail>, ApiError> {
    detail(&app, name).await
}

/// Looks at a source now: its address, its names, blocklists, port 25.
#[utoipa::path(post, path = "/api/v1/sources/{name}/check", tag = "egress", params(("name" = String, Path)),
    responses((status = 200, body = SourceDetail)))]
pub(crate) async fn check(
    State(app): State<Shared>,
    _: Actor,
    Path(name): Path<String>,
) -> Result<Json<SourceDetail>, ApiError> {
    if !app.checker.check(&name).await? {
        return Err(ApiError::not_found("source"));
    }
    detail(&app, name).await
}

async fn detail(app: &Shared, name: String) -> Result<Json<SourceDetail>, ApiError> {
    let wanted = |source: &&config::Source| source.name.as_str() == name;
    let source = app.config.sources.iter().find(wanted).ok_or_else(|| ApiError::not_found("source"))?;
    let read = move |c: &storage::Connection| {
        Ok((source_check::of(c, &name)?, event::of_sources(c, Some(&name), EVENTS_MAX)?))
    };
    let (checks, events) = app.storage.read(read).await?;
    let happened = |row: EventRow| SourceEvent {
        at: time(row.at_ms),
        kind: row.kind.as_str().to_owned(),
        text: row.text.unwrap_or_default(),
    };
    let events = events.into_iter().map(happened).collect();
    Ok(Json(SourceDetail { source: shape(app, source, &checks), events }))
}

fn shape(app: &App, source: &config::Source, checks: &[source_check::SourceCheck]) -> Source {
    let name = source.name.as_str();
    let checks: Vec<SourceCheck> = checks.iter().filter(|check| check.source == name).map(shape_check).collect();
    let out = out(app, source);
    let worst = checks.iter().map(|check| check.level).max().unwrap_or(SourceLevel::Off);
    let has_source = |pool: &&config::Pool| pool.sources.iter().any(|member| member.source == source.name);
    Source {
        name: name.to_owned(),
        ip: source.ip.map(|ip| ip.to_string()),
        ehlo: source.ehlo.to_string(),
        enabled: source.enabled,
        max_rate: source.max_rate.map(|rate| rate.to_string()),
        pools: app.config.pools.iter().filter(has_source).map(|pool| pool.name.to_string()).collect(),
        level: if out.is_some() { SourceLevel::Bad } else { worst },
        out,
        checked_at: checks.iter().map(|check| check.checked_at.clone()).max(),
        checks,
    }
}

/// Why nothing leaves from a source that is switched on.
fn out(app: &App, source: &config::Source) -> Option<String> {
    let ip = source.ip.filter(|ip| source.enabled && !app.dial.has_source(*ip))?;
    Some(format!("this host does not have {ip}"))
}

fn shape_check(check: &source_check::SourceCheck) -> SourceCheck {
    SourceCheck {
        subject: check.finding.subject.as_str().to_owned(),
        item: check.finding.item.clone(),
        level: level(check.finding.level),
        found: check.finding.found.clone(),
        advice: check.finding.advice.clone(),
        since: time(check.since_ms),
        checked_at: time(check.checked_ms),
    }
}

/// How something stands, as the API has it.
pub(crate) fn level(level: Level) -> SourceLevel {
    match level {
        Level::Good => SourceLevel::Good,
        Level::Off => SourceLevel::Off,
        Level::Unsure => SourceLevel::Unsure,
        Level::Warning => SourceLevel::Warning,
        Level::Bad => SourceLevel::Bad,
    }
}

/// What needs attention, for the strip and the first page: sources that are out, and what is bad about the others.
pub(crate) fn notices(app: &App, checks: &[source_check::SourceCheck]) -> Vec<Notice> {
    let notice =
        |tone: &str, message: String| Notice { tone: tone.to_owned(), message, link: Some("/egress".to_owned()) };
    let mut notices = Vec::new();
    for source in app.config.sources.iter().filter(|source| source.enabled) {
        let name = &source.name;
        if let Some(why) = out(app, source) {
            let message = format!("The source {name} is out, {why}: its mail leaves from the others of its pools.");
            notices.push(notice("danger", message));
            continue;
        }
        let is_bad = |check: &&source_check::SourceCheck| {
            check.source == name.as_str() && check.finding.level == Level::Bad && source.ip.is_some()
        };
        let bad: Vec<&str> = checks.iter().filter(is_bad).map(|check| check.finding.found.as_str()).collect();
        if !bad.is_empty() {
            notices.push(notice("warning", format!("The source {name}: {}.", bad.join("; "))));
        }
    }
    notices
}
