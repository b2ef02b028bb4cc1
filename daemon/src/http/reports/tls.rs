//! TLS reports about mail to our domains.

use super::alarms::{open_alarms, shape as alarm_shape};
use super::{DOMAINS_MAX, PeriodPageQuery, PeriodQuery, every_day, narrowed, next, since};
use crate::app::Shared;
use crate::domains::tlsrpt_record;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, cursor, limit};
use crate::text::time;
use api_types::{Page, ReportRecord, TlsDay, TlsFailureSum, TlsOverview, TlsPolicySum, TlsReceived};
use axum::extract::State;
use storage::dmarc_report::Filter;
use storage::report_alarm::Kind;
use storage::tls_report::{self, FailureRow, PolicyRow, TlsHeard};
use storage::{domain, report_day};

/// What TLS reports about mail to our domains say in sum: by day, by policy, by sort of failure.
#[utoipa::path(get, path = "/api/v1/reports/tls", tag = "reports", operation_id = "tls_overview",
    params(PeriodQuery), responses((status = 200, body = TlsOverview)))]
pub(crate) async fn overview(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<PeriodQuery>,
) -> Result<Json<TlsOverview>, ApiError> {
    let filter = Filter { domain: narrowed(query.domain), since_ms: since(&app, query.days)? };
    let (workspace, since_ms) = (actor.workspace, filter.since_ms);
    let read = move |c: &storage::Connection| {
        let domain = filter.domain.as_deref();
        Ok((
            tls_report::sums(c, workspace, &filter)?,
            domain::list(c, workspace, 0, DOMAINS_MAX)?,
            open_alarms(c, workspace, &[Kind::Tls], domain)?,
            report_day::beyond(c, workspace, "tls", domain, since_ms)?,
        ))
    };
    let (sums, own, alarms, beyond) = app.storage.read(read).await?;
    let of_day = |day_ms| {
        let known = sums.days.iter().find(|day| day.day_ms == day_ms);
        known.map_or((0, 0), |day| (day.successful, day.failed))
    };
    let days = every_day(&app, since_ms, of_day).into_iter();
    let records: Vec<Option<ReportRecord>> =
        own.iter().map(|row| tlsrpt_record(&app, row)).collect::<Result<_, _>>()?;
    Ok(Json(TlsOverview {
        days: days.map(|(day, (successful, failed))| TlsDay { day, successful, failed }).collect(),
        policies: sums.policies.into_iter().map(policy).collect(),
        failures: sums.failures.into_iter().map(failure).collect(),
        alarms: alarms.into_iter().map(alarm_shape).collect(),
        records: records.into_iter().flatten().collect(),
        beyond,
    }))
}

fn policy(row: PolicyRow) -> TlsPolicySum {
    TlsPolicySum { domain: row.policy_domain, policy: row.policy, successful: row.successful, failed: row.failed }
}

fn failure(row: FailureRow) -> TlsFailureSum {
    TlsFailureSum { policy: row.policy, result: row.result, mx: row.mx, sessions: row.sessions, detail: row.detail }
}

/// TLS reports that came in, newest first.
#[utoipa::path(get, path = "/api/v1/reports/tls/reports", tag = "reports", operation_id = "tls_reports",
    params(PeriodPageQuery), responses((status = 200, body = Page<TlsReceived>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<PeriodPageQuery>,
) -> Result<Json<Page<TlsReceived>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let filter = Filter { domain: narrowed(query.domain), since_ms: since(&app, query.days)? };
    let rows = app.storage.read(move |c| tls_report::page(c, actor.workspace, &filter, before, limit)).await?;
    let next = next(rows.len(), limit, rows.last().map(|row| row.id));
    let shape = |row: TlsHeard| TlsReceived {
        id: row.id,
        domain: row.domain,
        organization: row.organization,
        report_id: row.report_id,
        begin_at: time(row.begin_ms),
        end_at: time(row.end_ms),
        received_at: time(row.received_ms),
        brought_by: row.brought_by,
        successful: row.successful,
        failed: row.failed,
    };
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}
