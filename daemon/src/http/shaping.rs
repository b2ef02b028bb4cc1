//! Providers, the limits in force and where each comes from, automations, the rule tester.

use crate::app::{App, Shared};
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::http::overview::providers_of_day;
use crate::http::queue::called;
use crate::text::time;
use api_types::{
    Automation, Done, JudgedReply, Lane, LimitInForce, Page, ProviderDetail, ProviderRow, ShapingDay, TestReply,
};
use axum::extract::State;
use bounce::Stage;
use mail::{Severity, StreamKind};
use mta::outcome::{Case, Happening, RetryPolicy, Verdict, decide};
use mta::shaping::{self, Place};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use storage::automation::{self, Which};
use storage::{AutomationId, WorkspaceId, campaign_run, event};
use utoipa::IntoParams;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Providers shown at most: the built-in ones, and the busiest others.
const PROVIDERS_MAX: usize = 200;
/// Automations in force that are looked at.
const AUTOMATIONS_MAX: u32 = 200;
/// Longest reply that is judged, in bytes.
const REPLY_MAX: usize = 4000;

/// The providers with limits of their own, and those that mail went to in the last 24 hours.
#[utoipa::path(get, path = "/api/v1/providers", tag = "shaping", responses((status = 200, body = Page<ProviderRow>)))]
pub(crate) async fn providers(State(app): State<Shared>, actor: Actor) -> Result<Json<Page<ProviderRow>>, ApiError> {
    let found = Found::read(&app, actor.workspace).await?;
    let lanes = app.lanes();
    let mut names: Vec<String> = app.shaping.families().iter().map(|family| family.name.to_string()).collect();
    let others = found.days.keys().chain(lanes.iter().map(|lane| &lane.provider));
    for name in others.chain(found.automations.iter().map(|a| &a.provider)) {
        if !name.is_empty() && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let day = |name: &String| found.days.get(name).copied().unwrap_or_default();
    names.sort_by_key(|name| {
        let day = day(name);
        (std::cmp::Reverse(day.delivered + day.bounced + day.deferred), name.to_lowercase())
    });
    names.truncate(PROVIDERS_MAX);
    let row = |name: String| {
        let at: Vec<&Lane> = lanes.iter().filter(|lane| lane.provider == name).collect();
        let values: BTreeMap<&str, String> =
            app.shaping.explain(&anywhere(&name)).into_iter().map(|limit| (limit.name, limit.value)).collect();
        let value = |name: &str| values.get(name).cloned().unwrap_or_default();
        ProviderRow {
            suffixes: suffixes(&app, &name),
            connections: value("connections"),
            messages_per_connection: value("messages_per_connection"),
            message_rate: value("message_rate"),
            lanes: u32::try_from(at.len()).unwrap_or(u32::MAX),
            connections_open: at.iter().map(|lane| lane.connections).sum(),
            automations: u32::try_from(found.at(&name).count()).unwrap_or(u32::MAX),
            day: day(&name),
            name,
        }
    };
    Ok(Json(Page { items: names.into_iter().map(row).collect(), next: None, total: None }))
}

/// One provider: its limits with the layer that set each, its lanes, and what is in force there.
#[utoipa::path(get, path = "/api/v1/providers/{name}", tag = "shaping", params(("name" = String, Path)),
    responses((status = 200, body = ProviderDetail)))]
pub(crate) async fn provider(
    State(app): State<Shared>,
    actor: Actor,
    Path(name): Path<String>,
) -> Result<Json<ProviderDetail>, ApiError> {
    let name = app.shaping.provider_called(&name).unwrap_or(name);
    let found = Found::read(&app, actor.workspace).await?;
    let lanes: Vec<Lane> = app.lanes().into_iter().filter(|lane| lane.provider == name).collect();
    let automations: Vec<Automation> = found.at(&name).cloned().map(shape).collect();
    let is_family = app.shaping.families().iter().any(|family| *family.name == *name);
    if !is_family && lanes.is_empty() && automations.is_empty() && !found.days.contains_key(&name) {
        return Err(ApiError::not_found("provider"));
    }
    Ok(Json(ProviderDetail {
        suffixes: suffixes(&app, &name),
        limits: limits(&app, &anywhere(&name)),
        lanes,
        automations,
        day: found.days.get(&name).copied().unwrap_or_default(),
        name,
    }))
}

/// Which automations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AutomationsQuery {
    /// `open` (those in force; when absent) or `all`.
    which: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// What replies and ratios made the engine do by itself, newest first.
#[utoipa::path(get, path = "/api/v1/automations", tag = "shaping", params(AutomationsQuery),
    responses((status = 200, body = Page<Automation>)))]
pub(crate) async fn automations(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<AutomationsQuery>,
) -> Result<Json<Page<Automation>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let which = match query.which.as_deref() {
        None | Some("" | "open") => Which::Open,
        Some("all") => Which::All,
        Some(_) => return Err(ApiError::invalid("which", "which must be open or all.")),
    };
    let rows = app.storage.read(move |c| automation::page(c, actor.workspace, which, before, limit)).await?;
    let next = next(&rows, limit, |row| row.id);
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// Lifts an automation: what it held is due at once.
#[utoipa::path(delete, path = "/api/v1/automations/{id}", tag = "shaping", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn lift(State(app): State<Shared>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Done>, ApiError> {
    let (id, workspace, now_ms) = (AutomationId(id), actor.workspace, app.now_ms());
    let seen = app.storage.read(move |c| automation::find(c, workspace, id)).await?;
    let seen = seen.ok_or_else(|| ApiError::not_found("automation"))?;
    let (by, paused) = (actor.name.clone(), seen.campaign_id.filter(|_| seen.hold_until_ms.is_some()));
    let ended = app.storage.queue().write(move |tx| {
        let ended = automation::end(tx, id, now_ms, Some(&by))?;
        if let Some(campaign) = paused.filter(|_| ended.is_some()) {
            let reason = format!("resumed by {by}");
            campaign_run::change(tx, (workspace, campaign), campaign_run::Change::Resume, &reason, now_ms)?;
        }
        Ok(ended)
    });
    if ended.await?.is_none() {
        return Err(ApiError::wrong_state("It has ended already."));
    }
    if let Some(engine) = app.engine.get() {
        engine.lifted(id);
    }
    app.wake();
    let to = if seen.provider.is_empty() { String::new() } else { format!(" to {}", seen.provider) };
    Ok(Json(Done { message: format!("{} is lifted; mail{to} goes on.", seen.rule) }))
}

/// Says what would follow from a reply: class, rule, action. Nothing is done.
#[utoipa::path(post, path = "/api/v1/rules/test", tag = "shaping", request_body = TestReply,
    responses((status = 200, body = JudgedReply)))]
pub(crate) async fn test_rule(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<TestReply>,
) -> Result<Json<JudgedReply>, ApiError> {
    if input.reply.len() > REPLY_MAX {
        return Err(ApiError::invalid("reply", format!("A reply has {REPLY_MAX} bytes at most.")));
    }
    let (reply, stage) = shaping::parse_reply(&input.reply)
        .ok_or_else(|| ApiError::invalid("reply", "Begin with the code, such as 421 4.7.28 and the text."))?;
    let stage = match input.stage.as_deref() {
        None | Some("") => stage,
        Some(word) => shaping::stage_of(word).ok_or_else(|| {
            ApiError::invalid("stage", "stage must be greeting, hello, mail, rcpt, data, message or report.")
        })?,
    };
    let provider = called(&app, input.provider).unwrap_or_default();
    Ok(Json(judge(&app, actor.workspace, &reply, stage, &provider)))
}

fn judge(app: &App, workspace: WorkspaceId, reply: &mail::Reply, stage: Stage, provider: &str) -> JudgedReply {
    let (now_ms, policy) = (app.now_ms(), bulk_policy(app));
    let expiry_ms = i64::try_from(app.config.smtp.bulk_expiry.as_millis()).unwrap_or(i64::MAX);
    let rules = app.shaping.meaning().at(provider);
    let case = Case {
        rules,
        kind: StreamKind::Bulk,
        attempts: 1,
        now_ms,
        expires_ms: now_ms.saturating_add(expiry_ms),
        // The middle of the jitter.
        draw: 5_000,
    };
    let (by_class, _) = decide(&policy, Happening::Reply(reply, stage), &case);
    let is_yes = matches!(reply.severity(), Severity::Positive | Severity::Intermediate);
    let class = (!is_yes).then(|| rules.classify(reply, stage));
    let rule = class.as_ref().and_then(|found| app.shaping.rules().find(reply, found.class, provider));
    let block_hold = app.shaping.limits(&anywhere(provider)).block_hold;
    let begun = rule.and_then(|rule| {
        let context = shaping::Context {
            workspace,
            source: "source".into(),
            site: "site".into(),
            provider: provider.into(),
            domain: Some("domain".into()),
            block_hold,
        };
        let begun = shaping::begin(&rule.name, &rule.action, &context, &reply.text, now_ms)?;
        Some(shaping::recipient(&rule.action, by_class, &policy, &case, begun.hold_until_ms))
    });
    JudgedReply {
        class: class.as_ref().map(|class| class.class.as_str().to_owned()),
        kind: class.as_ref().map(|class| class.kind.as_str().to_owned()),
        class_by: class.as_ref().map(|class| class.by.as_str().to_owned()),
        class_rule: class.map(|class| class.rule.to_string()),
        recipient: fate(begun.unwrap_or(by_class), now_ms),
        rule: rule.map(|rule| rule.name.clone()),
        effect: rule.map(|rule| shaping::sentence(&rule.action, block_hold)),
        alarm: rule.and_then(|rule| rule.action.alarm.clone()),
    }
}

fn bulk_policy(app: &App) -> RetryPolicy {
    RetryPolicy { waits: app.config.smtp.bulk_retry.clone(), jitter_percent: 0 }
}

/// A verdict as a sentence.
fn fate(verdict: Verdict, now_ms: i64) -> String {
    match verdict {
        Verdict::Delivered => "Accepted.".to_owned(),
        Verdict::Bounced { suppress: true, .. } => "Bounces, and the address is suppressed.".to_owned(),
        Verdict::Bounced { .. } => "Bounces; the address is not suppressed.".to_owned(),
        Verdict::Deferred { wait, .. } => format!("Is tried again after {}; the attempt counts.", shaping::span(wait)),
        Verdict::Expired { .. } => "Expires: no further attempt would come in time.".to_owned(),
        Verdict::Unknown => "Is unknown, and not sent again.".to_owned(),
        Verdict::Held { due_ms, .. } if due_ms > now_ms => {
            let wait = Duration::from_millis(u64::try_from(due_ms - now_ms).unwrap_or(0));
            format!("Waits for {}; the attempt does not count.", shaping::span(wait))
        }
        Verdict::Held { .. } | Verdict::Blocked { .. } => {
            "Leaves from another source of the pool, or waits for the end of the hold; the attempt does not count."
                .to_owned()
        }
    }
}

/// Any site of a provider, from any source.
fn anywhere(provider: &str) -> Place<'_> {
    Place { provider, hosts: &[], domain: None, source: None }
}

pub(crate) fn limits(app: &App, place: &Place<'_>) -> Vec<LimitInForce> {
    let limit = |e: shaping::Explained| LimitInForce { name: e.name.to_owned(), value: e.value, layer: e.layer };
    app.shaping.explain(place).into_iter().map(limit).collect()
}

fn suffixes(app: &App, provider: &str) -> Vec<String> {
    let family = app.shaping.families().iter().find(|family| *family.name == *provider);
    family.map(|family| family.suffixes.clone()).unwrap_or_default()
}

/// What the database knows of providers.
pub(crate) struct Found {
    days: BTreeMap<String, ShapingDay>,
    automations: Vec<automation::Automation>,
}

impl Found {
    pub(crate) async fn read(app: &Shared, workspace: WorkspaceId) -> Result<Found, ApiError> {
        let now_ms = app.now_ms();
        let since_ms = now_ms - now_ms.rem_euclid(HOUR_MS) - DAY_MS + HOUR_MS;
        let read = move |c: &storage::Connection| {
            let sums = event::by_provider(c, workspace, since_ms)?;
            Ok((sums, automation::page(c, workspace, Which::Open, i64::MAX, AUTOMATIONS_MAX)?))
        };
        let (sums, automations) = app.storage.read(read).await?;
        let day = |day: &api_types::ProviderDay| {
            let figures = ShapingDay { delivered: day.delivered, bounced: day.bounced, deferred: day.deferred };
            (day.provider.clone(), figures)
        };
        Ok(Found { days: providers_of_day(&sums).iter().map(day).collect(), automations })
    }

    pub(crate) fn at(&self, provider: &str) -> impl Iterator<Item = &automation::Automation> {
        self.automations.iter().filter(move |a| a.provider == provider)
    }
}

/// An automation on the wire.
pub(crate) fn shape(row: automation::Automation) -> Automation {
    let effect = effect(&row);
    Automation {
        id: row.id.0,
        rule: row.rule,
        scope: row.scope.as_str().to_owned(),
        source: row.source,
        site: row.site,
        provider: row.provider,
        domain: row.domain,
        campaign_id: row.campaign_id.map(|id| id.0),
        effect,
        hold_until: row.hold_until_ms.map(time),
        rate: row.rate,
        connections: row.connections,
        recovers: row.recovers,
        alarm: row.alarm,
        reply: row.reply,
        since: time(row.since_ms),
        until: time(row.until_ms),
        ended_at: row.ended_ms.map(time),
        ended_by: row.ended_by,
    }
}

/// What it does, as a sentence without times: those stand beside it.
fn effect(row: &automation::Automation) -> String {
    let whose = match row.scope {
        automation::Scope::SourceSite | automation::Scope::SourceProvider => {
            format!("from {}", row.source.as_deref().unwrap_or("the source"))
        }
        automation::Scope::DomainProvider => format!("of {}", row.domain.as_deref().unwrap_or("the domain")),
        automation::Scope::WorkspaceProvider => "of this workspace".to_owned(),
        automation::Scope::Workspace => "of this workspace that is not transactional".to_owned(),
        automation::Scope::Domain => {
            format!("of {} that is not transactional", row.domain.as_deref().unwrap_or("the domain"))
        }
        automation::Scope::Campaign => {
            format!("of campaign {}", row.campaign_id.map(|id| id.to_string()).unwrap_or_default())
        }
    };
    let place = match row.site.as_deref().unwrap_or(&row.provider) {
        "" => String::new(),
        place => format!(" to {place}"),
    };
    let mut parts = Vec::new();
    if row.hold_until_ms.is_some() {
        parts.push("nothing goes".to_owned());
    }
    if row.recovers {
        parts.push("then one connection more at a time".to_owned());
    }
    parts.extend(row.rate.as_ref().map(|rate| format!("at most {rate} messages")));
    if !row.recovers {
        let most = |n: u32| format!("at most {n} connection{}", if n == 1 { "" } else { "s" });
        parts.extend(row.connections.map(most));
    }
    if parts.is_empty() {
        parts.push("goes on, but a person should look".to_owned());
    }
    format!("Mail {whose}{place}: {}.", parts.join(", "))
}
