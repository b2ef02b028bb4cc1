//! Complaints in figures, and returned mail that nobody was found for.

use super::{DAY_MS, DOMAINS_MAX, every_day, next, since};
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, cursor, limit};
use crate::text::time;
use api_types::{CampaignComplaints, Complaints, Count, FeedbackOverview, Page, UnmatchedReport};
use axum::extract::State;
use serde::Deserialize;
use storage::{CampaignId, domain, feedback, unmatched_report};
use utoipa::IntoParams;

/// Figures by campaign go back so far.
const CAMPAIGN_DAYS: i64 = 30;

/// Over which time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedbackQuery {
    /// The last so many days, 1 to 400; 30 when absent.
    days: Option<u32>,
}

/// Complaints by day, provider and campaign, and why returned mail was for nobody.
#[utoipa::path(get, path = "/api/v1/reports/feedback", tag = "reports", operation_id = "feedback_overview",
    params(FeedbackQuery), responses((status = 200, body = FeedbackOverview)))]
pub(crate) async fn overview(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<FeedbackQuery>,
) -> Result<Json<FeedbackOverview>, ApiError> {
    let since_ms = since(&app, query.days)?;
    let campaigns_since_ms = since_ms.max(app.now_ms() - CAMPAIGN_DAYS * DAY_MS);
    let workspace = actor.workspace;
    let read = move |c: &storage::Connection| {
        Ok((
            feedback::by_day(c, workspace, since_ms)?,
            feedback::by_provider(c, workspace, since_ms)?,
            feedback::by_campaign(c, workspace, campaigns_since_ms)?,
            unmatched_report::reasons(c, workspace)?,
            domain::list(c, workspace, 0, DOMAINS_MAX)?,
        ))
    };
    let (days, providers, campaigns, unmatched, own) = app.storage.read(read).await?;
    let of_day = |day_ms| {
        let known = days.iter().find(|day| day.of == day_ms);
        known.map_or((0, 0), |day| (day.delivered, day.complained))
    };
    let complaints = |name, (delivered, complained)| Complaints { name, delivered, complained };
    let campaign = |row: feedback::Complaints<(CampaignId, String)>| CampaignComplaints {
        campaign_id: (row.of.0 != CampaignId::NONE).then_some(row.of.0.0),
        name: row.of.1,
        delivered: row.delivered,
        complained: row.complained,
    };
    let listens = app.config.smtp.inbound_listen.is_some();
    let mailbox =
        |row: &domain::SendingDomain| format!("{}@{}", app.config.smtp.feedback_local_part, row.return_path_domain);
    Ok(Json(FeedbackOverview {
        days: every_day(&app, since_ms, of_day).into_iter().map(|(day, n)| complaints(day, n)).collect(),
        providers: providers.into_iter().map(|row| complaints(row.of, (row.delivered, row.complained))).collect(),
        campaigns: campaigns.into_iter().map(campaign).collect(),
        unmatched: unmatched.into_iter().map(|(name, count)| Count { name, count }).collect(),
        mailboxes: own.iter().filter(|_| listens).map(mailbox).collect(),
    }))
}

/// Which returned mail.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnmatchedQuery {
    /// Only with this reason, as the overview has it.
    why: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Returned mail that nobody was found for, newest first.
#[utoipa::path(get, path = "/api/v1/reports/feedback/unmatched", tag = "reports", operation_id = "unmatched_reports",
    params(UnmatchedQuery), responses((status = 200, body = Page<UnmatchedReport>)))]
pub(crate) async fn unmatched(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<UnmatchedQuery>,
) -> Result<Json<Page<UnmatchedReport>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let why = query.why.filter(|why| !why.is_empty());
    let rows =
        app.storage.read(move |c| unmatched_report::page(c, actor.workspace, why.as_deref(), before, limit)).await?;
    let next = next(rows.len(), limit, rows.last().map(|row| row.id));
    let shape = |row: unmatched_report::UnmatchedReport| UnmatchedReport {
        id: row.id,
        received_at: time(row.received_ms),
        peer: row.peer,
        rcpt: row.rcpt,
        why: row.why,
    };
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}
