//! The queue in figures, and its recipients.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::http::timeline::{self, CampaignNames};
use crate::text::time;
use api_types::{
    CampaignCount, Conversation, Count, Ledger, MatchCount, Page, QueueFilter, QueueGroup, QueueSummary, Recipient,
    StalledLane,
};
use axum::extract::State;
use mail::{BounceClass, RecipientState, WaitReason};
use serde::Deserialize;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use storage::queue::{self, AGE_BOUNDS_MS, Census, Figures, LiveFilter, Matching};
use storage::{CampaignId, RecipientId, WorkspaceId, conversation};
use utoipa::IntoParams;

/// Rows of each breakdown.
const TOP: usize = 20;
/// Beyond those, groups where somebody has waited long: one old recipient must not hide behind crowds.
const OLDEST: usize = 5;
/// Conversations of one recipient at most.
const CONVERSATIONS_MAX: u32 = 50;
/// Counting goes on for so long; then "so many or more" must do.
const COUNT_MAX: Duration = Duration::from_secs(3);
/// Recipients that can be named one by one.
const IDS_MAX: usize = 1_000;
/// Domains of one provider that are known to be its.
const PROVIDER_DOMAINS_MAX: usize = 5_000;

/// What the figures are to tell in any case.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SummaryQuery {
    /// A recipient domain that is to be among `domains`, however few wait there.
    domain: Option<String>,
}

/// The queue in figures. They are kept for a while where the queue is long: `at` says when they were counted.
#[utoipa::path(get, path = "/api/v1/queue", tag = "queue", params(SummaryQuery),
    responses((status = 200, body = QueueSummary)))]
pub(crate) async fn summary(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<SummaryQuery>,
) -> Result<Json<QueueSummary>, ApiError> {
    let workspace = actor.workspace;
    let wanted = query.domain.unwrap_or_default().trim().to_lowercase();
    let census = app.figures.of(&app, workspace).await?;
    let campaigns = largest(census.campaigns.iter().filter_map(|(id, n)| Some(((*id)?, *n))).collect());
    let ids: Vec<CampaignId> = campaigns.iter().map(|(id, _)| *id).collect();
    let names = app.storage.read(move |c| timeline::campaign_names(c, workspace, ids.into_iter())).await?;
    let domains = census.domains.iter().map(|(name, domain)| (name.clone(), domain.figures)).collect();
    let counts = |all: &HashMap<String, u64>| {
        largest(all.iter().map(|(name, n)| (name.clone(), *n)).collect())
            .into_iter()
            .map(|(name, count)| Count { name, count })
            .collect()
    };
    let mut states: Vec<(RecipientState, u64)> = census.states.iter().map(|(state, n)| (*state, *n)).collect();
    states.sort_unstable();
    Ok(Json(QueueSummary {
        at: time(census.at_ms),
        states: states.iter().map(|(state, count)| named(state.as_str(), *count)).collect(),
        reasons: largest(census.reasons.iter().map(|(reason, n)| (reason.as_str(), *n)).collect())
            .into_iter()
            .map(|(reason, count)| named(reason, count))
            .collect(),
        domains: groups(domains, &wanted),
        providers: groups(providers(&app, &census), ""),
        sources: counts(&census.sources),
        streams: counts(&census.streams),
        campaigns: campaigns
            .into_iter()
            .map(|(id, count)| CampaignCount { id: id.0, name: name_of(&names, id), count })
            .collect(),
        submitted: census.campaigns.get(&None).copied().unwrap_or(0),
        ages: census.all.ages.to_vec(),
        age_bounds: AGE_BOUNDS_MS.iter().map(|bound| u64::try_from(bound / 1000).unwrap_or(0)).collect(),
        oldest_at: census.all.oldest_ms.map(time),
        ledger: ledger_shape(&census.ledger),
        stalled: stalled(&app),
    }))
}

/// The largest counts, the largest first.
fn largest<T: Ord>(mut all: Vec<(T, u64)>) -> Vec<(T, u64)> {
    all.sort_unstable_by(|(name, n), (other, m)| m.cmp(n).then_with(|| name.cmp(other)));
    all.truncate(TOP);
    all
}

/// The largest groups, then the oldest of the others, `wanted` first.
fn groups(mut all: Vec<(String, Figures)>, wanted: &str) -> Vec<QueueGroup> {
    all.sort_unstable_by(|(name, a), (other, b)| b.count.cmp(&a.count).then_with(|| name.cmp(other)));
    let mut others = all.split_off(TOP.min(all.len()));
    others.sort_by_key(|(name, figures)| (name != wanted, figures.oldest_ms.unwrap_or(i64::MAX)));
    all.extend(others.into_iter().take(OLDEST));
    let group = |(name, figures): (String, Figures)| QueueGroup {
        name,
        count: figures.count,
        ages: figures.ages.to_vec(),
        oldest_at: figures.oldest_ms.map(time),
    };
    all.into_iter().map(group).collect()
}

/// Figures by provider: each domain counts for the one that its last attempt went to, or that it is known to lead to.
fn providers(app: &Shared, census: &Census) -> Vec<(String, Figures)> {
    let mut all: HashMap<String, Figures> = HashMap::new();
    for (name, domain) in &census.domains {
        all.entry(provider_of(app, name, domain)).or_default().join(&domain.figures);
    }
    all.into_iter().collect()
}

/// Empty where nobody knows it yet.
fn provider_of(app: &Shared, domain: &str, figures: &queue::DomainFigures) -> String {
    let asked = || app.engine.get().and_then(|engine| engine.known_provider_of(domain));
    figures.provider.clone().or_else(asked).unwrap_or_default()
}

/// Lanes that have work and make no progress.
pub(crate) fn stalled(app: &Shared) -> Vec<StalledLane> {
    let all = app.engine.get().map(mta::Waker::stalled).unwrap_or_default();
    let shape = |lane: mta::StalledLane| StalledLane {
        source: lane.source,
        site: lane.site,
        provider: lane.provider,
        ready: u32::try_from(lane.ready).unwrap_or(u32::MAX),
        since: time(lane.since_ms),
        why: lane.why,
    };
    all.into_iter().take(TOP).map(shape).collect()
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
    /// Only this provider: where the last attempt went, or, without any, where the domain is known to lead.
    provider: Option<String>,
    /// Only those whose last attempt went from this source.
    source: Option<String>,
    /// Only those whose last answer was of this class: `greylist`, `mailbox_full`, ...
    class: Option<String>,
    /// Only this campaign.
    campaign_id: Option<i64>,
    /// Only submitted mail, which belongs to no campaign.
    submitted: Option<bool>,
    /// Only this stream.
    stream: Option<String>,
    /// Only this pool.
    pool: Option<String>,
    /// At least so old, in seconds.
    min_age_seconds: Option<u64>,
    /// At most so old, in seconds.
    max_age_seconds: Option<u64>,
    /// Only addresses that contain this.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

impl RecipientsQuery {
    fn filter(self) -> QueueFilter {
        QueueFilter {
            state: self.state,
            reason: self.reason,
            domain: self.domain,
            provider: self.provider,
            source: self.source,
            class: self.class,
            campaign_id: self.campaign_id,
            submitted: self.submitted.unwrap_or(false),
            stream: self.stream,
            pool: self.pool,
            min_age_seconds: self.min_age_seconds,
            max_age_seconds: self.max_age_seconds,
            q: self.q,
            ids: Vec::new(),
        }
    }
}

/// The filter as the database wants it.
pub(crate) async fn live_filter(
    app: &Shared,
    workspace: WorkspaceId,
    asked: QueueFilter,
) -> Result<LiveFilter, ApiError> {
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if asked.ids.len() > IDS_MAX {
        return Err(ApiError::invalid("filter.ids", format!("Name at most {IDS_MAX} recipients, or use a filter.")));
    }
    let provider = called(app, given(asked.provider));
    let provider_domains = match &provider {
        Some(provider) => domains_of(app, workspace, provider).await?,
        None => Vec::new(),
    };
    let ago_ms =
        |seconds: u64| app.now_ms().saturating_sub(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
    Ok(LiveFilter {
        state: parse("state", asked.state, RecipientState::parse)?,
        reason: parse("reason", asked.reason, WaitReason::parse)?,
        domain: given(asked.domain),
        provider,
        provider_domains,
        source: given(asked.source),
        class: parse("class", asked.class, BounceClass::parse)?,
        campaign: asked.campaign_id.map(CampaignId),
        submitted: asked.submitted,
        stream: given(asked.stream),
        pool: given(asked.pool),
        accepted_until_ms: asked.min_age_seconds.map(ago_ms),
        accepted_from_ms: asked.max_age_seconds.map(ago_ms),
        q: asked.q.unwrap_or_default(),
        ids: asked.ids.into_iter().map(RecipientId).collect(),
    })
}

/// A provider that is asked for, by the name that rows have.
pub(crate) fn called(app: &Shared, provider: Option<String>) -> Option<String> {
    provider.map(|text| app.shaping.provider_called(&text).unwrap_or(text))
}

async fn domains_of(app: &Shared, workspace: WorkspaceId, provider: &str) -> Result<Vec<String>, ApiError> {
    let census = app.figures.of(app, workspace).await?;
    let theirs = census.domains.iter().filter(|(name, figures)| provider_of(app, name, figures) == provider);
    Ok(theirs.map(|(name, _)| name.clone()).take(PROVIDER_DOMAINS_MAX).collect())
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
    let workspace = actor.workspace;
    let filter = live_filter(&app, workspace, query.filter()).await?;
    let (rows, names) = app
        .storage
        .read(move |c| {
            let rows = queue::live_page(c, workspace, &filter, after, limit)?;
            let names = timeline::campaign_names(c, workspace, rows.iter().filter_map(|row| row.origin.campaign()))?;
            Ok((rows, names))
        })
        .await?;
    let next = next(&rows, limit, |row| row.id);
    Ok(Json(Page { items: rows.into_iter().map(|row| shape(row, &names)).collect(), next, total: None }))
}

/// How many recipients in the queue match.
#[utoipa::path(get, path = "/api/v1/recipients/count", tag = "queue", params(RecipientsQuery),
    responses((status = 200, body = MatchCount)))]
pub(crate) async fn count(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<RecipientsQuery>,
) -> Result<Json<MatchCount>, ApiError> {
    let filter = live_filter(&app, actor.workspace, query.filter()).await?;
    let Matching { count, exact } = matching(&app, actor.workspace, filter).await?;
    Ok(Json(MatchCount { count, exact }))
}

/// How many recipients match, as far as they are counted in a few seconds.
pub(crate) async fn matching(app: &Shared, workspace: WorkspaceId, filter: LiveFilter) -> Result<Matching, ApiError> {
    let began = Instant::now();
    let counted =
        app.storage.read(move |c| queue::count_live(c, workspace, &filter, || began.elapsed() < COUNT_MAX)).await?;
    Ok(counted)
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

/// What was said over the wire with a recipient's message, newest first: as much as is kept.
#[utoipa::path(get, path = "/api/v1/recipients/{id}/conversations", tag = "queue", params(("id" = i64, Path)),
    responses((status = 200, body = Vec<Conversation>)))]
pub(crate) async fn conversations(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Conversation>>, ApiError> {
    let workspace = actor.workspace;
    let found = app.storage.read(move |c| {
        let id = RecipientId(id);
        if queue::find(c, workspace, id)?.is_none() {
            return Ok(None);
        }
        conversation::of_recipient(c, workspace, id, CONVERSATIONS_MAX).map(Some)
    });
    let rows = found.await?.ok_or_else(|| ApiError::not_found("recipient"))?;
    let shape = |row: conversation::Conversation| Conversation {
        at: time(row.at_ms),
        source: row.source,
        mx: row.mx,
        outcome: row.outcome,
        text: row.text,
    };
    Ok(Json(rows.into_iter().map(shape).collect()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_is_not_hidden_by_crowds() {
        let group = |n: u64| {
            let figures = Figures { count: n, oldest_ms: Some(i64::try_from(n).unwrap()), ..Figures::default() };
            (format!("d{n}"), figures)
        };
        let told = |wanted: &str| -> Vec<String> {
            groups((1..=40).map(group).collect(), wanted).into_iter().map(|group| group.name).collect()
        };
        let names = |numbers: &[u64]| -> Vec<String> { numbers.iter().map(|n| format!("d{n}")).collect() };
        let largest: Vec<u64> = (21..=40).rev().collect();
        assert_eq!(told(""), [names(&largest), names(&[1, 2, 3, 4, 5])].concat());
        assert_eq!(told("d20"), [names(&largest), names(&[20, 1, 2, 3, 4])].concat());
        assert_eq!(told("d30").len(), TOP + OLDEST);
        assert_eq!(groups(vec![group(3)], "d9").len(), 1);
    }
}
