//! Actions on many recipients at once, as jobs.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::http::queue::{live_filter, matching};
use crate::jobs;
use crate::text::time;
use api_types::{Page, QueueAction, QueueActionKind, QueueFilter, QueueJob, QueueJobState};
use axum::extract::State;
use storage::job::{self as rows, Job, JobState, RUNNING_MAX};
use storage::queue::{Action, LiveFilter, Order};
use storage::{JobId, WorkspaceId};

const REASON_MAX: usize = 500;

/// Orders an action on all recipients that match now. It runs in the background: ask for the job.
#[utoipa::path(post, path = "/api/v1/queue/actions", tag = "queue", request_body = QueueAction,
    responses((status = 200, body = QueueJob)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(asked): Json<QueueAction>,
) -> Result<Json<QueueJob>, ApiError> {
    if asked.filter == QueueFilter::default() && !asked.all {
        let message = "The filter is empty, which means everybody in the queue. Say so with `all`, or narrow it.";
        return Err(ApiError::invalid("filter", message));
    }
    let reason = asked.reason.trim().to_owned();
    if reason.chars().count() > REASON_MAX {
        return Err(ApiError::invalid("reason", format!("The reason may have at most {REASON_MAX} characters.")));
    }
    let action = action(asked.action);
    let pool = pool(&app, action, asked.pool)?;
    let workspace = actor.workspace;
    let filter = live_filter(&app, workspace, asked.filter).await?;
    let expected = matching(&app, workspace, filter.clone()).await?;
    let order = Order { workspace_id: workspace, action, filter, pool, created_by: actor.name, reason };
    let expected = expected.exact.then_some(expected.count);
    let now_ms = app.now_ms();
    let made = app.storage.queue().write(move |tx| rows::create(tx, &order, expected, now_ms)).await?;
    let id = made.ok_or_else(|| {
        ApiError::wrong_state(format!("{RUNNING_MAX} actions wait or run already. Wait for them, or cancel some."))
    })?;
    if matches!(action, Action::Release | Action::Retry | Action::Reroute)
        && let Some(engine) = app.engine.get()
    {
        engine.hurries();
    }
    jobs::begin(&app, id);
    find(&app, workspace, id).await
}

fn action(kind: QueueActionKind) -> Action {
    match kind {
        QueueActionKind::Hold => Action::Hold,
        QueueActionKind::Release => Action::Release,
        QueueActionKind::Retry => Action::Retry,
        QueueActionKind::Bounce => Action::Bounce,
        QueueActionKind::Reroute => Action::Reroute,
    }
}

/// The pool of a re-routing: one that mail can leave from.
fn pool(app: &Shared, action: Action, asked: Option<String>) -> Result<Option<String>, ApiError> {
    let asked = asked.map(|pool| pool.trim().to_owned()).filter(|pool| !pool.is_empty());
    match (action, asked) {
        (Action::Reroute, Some(pool)) => {
            let mut usable = app.pools();
            let enabled = app.config.sources.iter().filter(|source| source.enabled);
            usable.extend(enabled.map(|source| mta::pool_of_source(source.name.as_str())));
            if usable.contains(&pool) {
                return Ok(Some(pool));
            }
            Err(ApiError::invalid(
                "pool",
                format!("Mail cannot leave from {pool:?}. There are: {}.", usable.join(", ")),
            ))
        }
        (Action::Reroute, None) => Err(ApiError::invalid("pool", "Name the pool that they shall leave from.")),
        (_, Some(_)) => Err(ApiError::invalid("pool", "A pool goes only with the action `reroute`.")),
        (_, None) => Ok(None),
    }
}

/// Jobs on the queue, newest first.
#[utoipa::path(get, path = "/api/v1/queue/jobs", tag = "queue", params(Paging),
    responses((status = 200, body = Page<QueueJob>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<QueueJob>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.unwrap_or(i64::MAX);
    let jobs = app.storage.read(move |c| rows::page(c, actor.workspace, before, limit)).await?;
    let next = next(&jobs, limit, |job| job.id);
    Ok(Json(Page { items: jobs.into_iter().map(shape).collect(), next, total: None }))
}

/// One job, with how far it is.
#[utoipa::path(get, path = "/api/v1/queue/jobs/{id}", tag = "queue", params(("id" = i64, Path)),
    responses((status = 200, body = QueueJob)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<QueueJob>, ApiError> {
    find(&app, actor.workspace, JobId(id)).await
}

/// Stops a job. What is done by then stays done.
#[utoipa::path(post, path = "/api/v1/queue/jobs/{id}/cancel", tag = "queue", params(("id" = i64, Path)),
    responses((status = 200, body = QueueJob)))]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<QueueJob>, ApiError> {
    let (workspace, id, now_ms) = (actor.workspace, JobId(id), app.now_ms());
    let found = find(&app, workspace, id).await?;
    let stopped = app.storage.queue().write(move |tx| rows::cancel(tx, workspace, id, now_ms)).await?;
    if !stopped {
        let done = found.0.changed;
        return Err(ApiError::wrong_state(format!("The job has ended already; it changed {done} recipients.")));
    }
    find(&app, workspace, id).await
}

async fn find(app: &Shared, workspace: WorkspaceId, id: JobId) -> Result<Json<QueueJob>, ApiError> {
    let found = app.storage.read(move |c| rows::find(c, workspace, id)).await?;
    found.map(|job| Json(shape(job))).ok_or_else(|| ApiError::not_found("job"))
}

fn shape(job: Job) -> QueueJob {
    QueueJob {
        id: job.id.0,
        action: match job.order.action {
            Action::Hold => QueueActionKind::Hold,
            Action::Release => QueueActionKind::Release,
            Action::Retry => QueueActionKind::Retry,
            Action::Bounce => QueueActionKind::Bounce,
            Action::Reroute => QueueActionKind::Reroute,
        },
        filter: words(&job.order.filter),
        pool: job.order.pool,
        reason: job.order.reason,
        created_by: job.order.created_by,
        state: match job.state {
            JobState::Running => QueueJobState::Running,
            JobState::Finished => QueueJobState::Finished,
            JobState::Cancelled => QueueJobState::Cancelled,
        },
        expected: job.expected,
        matched: job.matched,
        changed: job.changed,
        skipped: job.matched.saturating_sub(job.changed),
        created_at: time(job.created_ms),
        finished_at: job.finished_ms.map(time),
    }
}

/// A filter as people read it.
fn words(filter: &LiveFilter) -> String {
    let word = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
    let text = |name: &str, value: &Option<String>| word(name, value.clone());
    let parts = [
        word("state", filter.state.map(|state| state.to_string())),
        word("waiting for", filter.reason.map(|reason| reason.to_string().replace('_', " "))),
        text("domain", &filter.domain),
        text("provider", &filter.provider),
        text("source", &filter.source),
        word("class", filter.class.map(|class| class.to_string().replace('_', " "))),
        word("campaign", filter.campaign.map(|id| id.to_string())),
        filter.submitted.then(|| "submitted mail".to_owned()),
        text("stream", &filter.stream),
        text("pool", &filter.pool),
        word("accepted until", filter.accepted_until_ms.map(time)),
        word("accepted from", filter.accepted_from_ms.map(time)),
        word("address with", Some(filter.q.clone()).filter(|q| !q.is_empty())),
        Some(filter.ids.len()).filter(|n| *n > 0).map(|n| format!("{n} by number")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "everybody in the queue".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_in_words() {
        let filter = LiveFilter {
            state: Some(mail::RecipientState::Held),
            reason: Some(mail::WaitReason::LaneFull),
            provider: Some("p.example".to_owned()),
            ids: vec![storage::RecipientId(4)],
            ..LiveFilter::default()
        };
        assert_eq!(words(&filter), "state held, waiting for lane full, provider p.example, 1 by number");
        assert_eq!(words(&LiveFilter::default()), "everybody in the queue");
    }
}
