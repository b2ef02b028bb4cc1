//! The queue in figures, and its recipients.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit};
use crate::http::timeline::{self, CampaignNames};
use crate::text::time;
use api_types::{Count, Ledger, Page, QueueSummary, Recipient, RecipientDetail};
use axum::extract::State;
use mail::{RecipientState, WaitReason};
use serde::Deserialize;
use storage::queue::{self, LiveFilter};
use storage::{CampaignId, RecipientId, event};
use utoipa::IntoParams;

/// Rows of each breakdown.
const TOP: u32 = 20;
/// Events of one recipient at most: attempts over two days are some tens.
const EVENTS_MAX: u32 = 200;

/// The queue in figures.
#[utoipa::path(get, path = "/api/v1/queue", tag = "queue", responses((status = 200, body = QueueSummary)))]
pub(crate) async fn summary(State(app): State<Shared>, actor: Actor) -> Result<Json<QueueSummary>, ApiError> {
    let workspace = actor.workspace;
    let (summary, ledger, names) = app
        .storage
        .read(move |c| {
            let summary = queue::summary(c, workspace, TOP)?;
            let names = timeline::campaign_names(c, workspace, summary.campaigns.iter().map(|(id, _)| *id))?;
            Ok((summary, queue::ledger(c, workspace, None)?, names))
        })
        .await?;
    let campaign = |(id, count): &(CampaignId, u64)| Count { name: name_of(&names, *id), count: *count };
    Ok(Json(QueueSummary {
        states: summary.states.iter().map(|(state, count)| named(state.as_str(), *count)).collect(),
        reasons: summary.reasons.iter().map(|(reason, count)| named(reason.as_str(), *count)).collect(),
        domains: summary.domains.iter().map(|(domain, count)| named(domain, *count)).collect(),
        campaigns: summary.campaigns.iter().map(campaign).collect(),
        oldest_at: summary.oldest_ms.map(time),
        ledger: ledger_shape(&ledger),
    }))
}

fn named(name: &str, count: u64) -> Count {
    Count { name: name.to_owned(), count }
}

fn name_of(names: &CampaignNames, id: CampaignId) -> String {
    names.get(&id).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| format!("campaign {id}"))
}

pub(crate) fn ledger_shape(ledger: &queue::Ledger) -> Ledger {
    Ledger {
        accepted: ledger.accepted,
        delivered: ledger.delivered,
        bounced: ledger.bounced,
        expired: ledger.expired,
        suppressed: ledger.suppressed,
        cancelled: ledger.cancelled,
        unknown: ledger.unknown,
        queued: ledger.queued,
        holds: ledger.holds(),
    }
}

/// Which live recipients.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecipientsQuery {
    /// `queued`, `claimed`, `sending` or `held`.
    state: Option<String>,
    /// Why it waits: `turn`, `deferred`, `greylisted`, ...
    reason: Option<String>,
    /// Only this recipient domain.
    domain: Option<String>,
    /// Only those whose last attempt went from this source.
    source: Option<String>,
    /// Only this campaign.
    campaign_id: Option<i64>,
    /// Only addresses that contain this.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Recipients in the queue, oldest first.
#[utoipa::path(get, path = "/api/v1/recipients", tag = "queue", params(RecipientsQuery),
    responses((status = 200, body = Page<Recipient>)))]
pub(crate) async fn recipients(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<RecipientsQuery>,
) -> Result<Json<Page<Recipient>>, ApiError> {
    let limit = limit(query.limit)?;
    let after = RecipientId(cursor(query.cursor.as_deref())?.unwrap_or(0));
    let filter = LiveFilter {
        state: parse("state", query.state, RecipientState::parse)?,
        reason: parse("reason", query.reason, WaitReason::parse)?,
        domain: query.domain.filter(|domain| !domain.is_empty()),
        source: query.source.filter(|source| !source.is_empty()),
        campaign: query.campaign_id.map(CampaignId),
        q: query.q.unwrap_or_default(),
    };
    let workspace = actor.workspace;
    let (rows, names) = app
        .storage
        .read(move |c| {
            let rows = queue::live_page(c, workspace, &filter, after, limit)?;
            let names = timeline::campaign_names(c, workspace, rows.iter().filter_map(|row| row.origin.campaign()))?;
            Ok((rows, names))
        })
        .await?;
    let next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.id.to_string())).flatten();
    Ok(Json(Page { items: rows.into_iter().map(|row| shape(row, &names)).collect(), next, total: None }))
}

/// A word of a query; an empty one is none.
pub(crate) fn parse<T>(
    field: &str,
    word: Option<String>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    match word.as_deref() {
        None | Some("") => Ok(None),
        Some(word) => match read(word) {
            Some(value) => Ok(Some(value)),
            None => Err(ApiError::invalid(field, format!("{word:?} is not a {field}."))),
        },
    }
}

/// One recipient, live or finished, with everything that happened to it.
#[utoipa::path(get, path = "/api/v1/recipients/{id}", tag = "queue", params(("id" = i64, Path)),
    responses((status = 200, body = RecipientDetail)))]
pub(crate) async fn recipient(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<RecipientDetail>, ApiError> {
    let workspace = actor.workspace;
    let found = app
        .storage
        .read(move |c| {
            let Some(row) = queue::find(c, workspace, RecipientId(id))? else { return Ok(None) };
            let events = event::of_recipient(c, workspace, (row.id, row.origin.contact()), EVENTS_MAX)?;
            let names = timeline::campaign_names(c, workspace, row.origin.campaign().into_iter())?;
            Ok(Some((row, events, names)))
        })
        .await?;
    let (row, events, names) = found.ok_or_else(|| ApiError::not_found("recipient"))?;
    let timeline = events.into_iter().map(|event| timeline::shape(event, &names)).collect();
    Ok(Json(RecipientDetail { recipient: shape(row, &names), timeline }))
}

/// A recipient on the wire.
pub(crate) fn shape(row: queue::Recipient, names: &CampaignNames) -> Recipient {
    let reply = match (row.reply_code, row.enhanced, row.reply) {
        (Some(code), Some(enhanced), Some(text)) => Some(format!("{code} {enhanced} {text}")),
        (Some(code), None, Some(text)) => Some(format!("{code} {text}")),
        (Some(code), _, None) => Some(code.to_string()),
        (None, _, text) => text,
    };
    Recipient {
        id: row.id.0,
        address: row.address,
        contact_id: row.origin.contact().map(|id| id.0),
        campaign_id: row.origin.campaign().map(|id| id.0),
        message_id: row.origin.message().map(|id| id.0),
        campaign: row.origin.campaign().and_then(|id| names.get(&id).cloned()),
        stream: row.stream,
        pool: row.pool,
        state: row.state.as_str().to_owned(),
        wait_reason: row.wait_reason.map(|reason| reason.as_str().to_owned()),
        attempts: row.attempts,
        provider: row.provider,
        source: row.source,
        class: row.class.map(|class| class.as_str().to_owned()),
        reply,
        accepted_at: time(row.accepted_ms),
        due_at: row.due_ms.map(time),
        finished_at: row.finished_ms.map(time),
    }
}
