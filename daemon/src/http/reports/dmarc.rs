//! DMARC reports: sums by day and domain, who sends as our domains, the reports themselves.

use super::alarms::{open_alarms, shape as alarm_shape};
use super::{DOMAINS_MAX, PeriodPageQuery, PeriodQuery, every_day, narrowed, next, since};
use crate::app::{App, Shared};
use crate::domains::dmarc_record;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit};
use crate::text::time;
use api_types::{
    DmarcCounts, DmarcDay, DmarcDomain, DmarcOverview, DmarcReport, DmarcReportRow, DmarcSender, DmarcSenderKind, Page,
};
use axum::extract::State;
use serde::Deserialize;
use storage::dmarc_report::{self, Asked, DomainFigures, Filter, Sender, Sums};
use storage::domain::SendingDomain;
use storage::report_alarm::Kind;
use storage::{domain, report_day};
use utoipa::IntoParams;

/// What DMARC reports say in sum: by day, by sending domain, and what is wrong with us.
#[utoipa::path(get, path = "/api/v1/reports/dmarc", tag = "reports", operation_id = "dmarc_overview",
    params(PeriodQuery), responses((status = 200, body = DmarcOverview)))]
pub(crate) async fn overview(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<PeriodQuery>,
) -> Result<Json<DmarcOverview>, ApiError> {
    let since_ms = since(&app, query.days)?;
    let asked = narrowed(query.domain);
    let workspace = actor.workspace;
    let read = move |c: &storage::Connection| {
        let domain = asked.as_deref();
        Ok((
            dmarc_report::days(c, workspace, domain, since_ms)?,
            dmarc_report::domains(c, workspace, since_ms)?,
            domain::list(c, workspace, 0, DOMAINS_MAX)?,
            open_alarms(c, workspace, &[Kind::Dmarc, Kind::Auth], domain)?,
            report_day::beyond(c, workspace, "dmarc", domain, since_ms)?,
        ))
    };
    let (days, figures, own, alarms, beyond) = app.storage.read(read).await?;
    let of_day = |day_ms| days.iter().find(|day| day.day_ms == day_ms).map(|day| counts(&day.sums)).unwrap_or_default();
    Ok(Json(DmarcOverview {
        days: every_day(&app, since_ms, of_day).into_iter().map(|(day, counts)| DmarcDay { day, counts }).collect(),
        domains: domains(&app, &figures, &own)?,
        alarms: alarms.into_iter().map(alarm_shape).collect(),
        beyond,
    }))
}

/// Domains with reports, and those of ours that none came about.
fn domains(app: &App, figures: &[DomainFigures], own: &[SendingDomain]) -> Result<Vec<DmarcDomain>, ApiError> {
    let shape = |name: &str, found: Option<&DomainFigures>, row: Option<&SendingDomain>| {
        Ok::<_, ApiError>(DmarcDomain {
            domain: name.to_owned(),
            reports: found.map_or(0, |found| found.reports),
            counts: found.map(|found| counts(&found.sums)).unwrap_or_default(),
            received_at: found.map(|found| time(found.received_ms)),
            record: row.map(|row| dmarc_record(app, row)).transpose()?.flatten(),
        })
    };
    let mut all = Vec::new();
    for found in figures {
        let row = own.iter().find(|row| row.domain == found.domain);
        all.push(shape(&found.domain, Some(found), row)?);
    }
    for row in own.iter().filter(|row| figures.iter().all(|found| found.domain != row.domain)) {
        all.push(shape(&row.domain, None, Some(row))?);
    }
    Ok(all)
}

fn counts(sums: &Sums) -> DmarcCounts {
    DmarcCounts { messages: sums.messages, dkim_pass: sums.dkim_pass, spf_pass: sums.spf_pass, passed: sums.passed }
}

/// Which senders.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SendersQuery {
    /// Only of this sending domain.
    domain: Option<String>,
    /// The last so many days, 1 to 400; 30 when absent.
    days: Option<u32>,
    /// `ours`, `aligned` or `failing`.
    sender: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Who sends as our domains, the busiest first: our sources, others that may, and those that fail.
#[utoipa::path(get, path = "/api/v1/reports/dmarc/senders", tag = "reports", operation_id = "dmarc_senders",
    params(SendersQuery), responses((status = 200, body = Page<DmarcSender>)))]
pub(crate) async fn senders(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<SendersQuery>,
) -> Result<Json<Page<DmarcSender>>, ApiError> {
    let limit = limit(query.limit)?;
    let sender = narrowed(query.sender)
        .map(|word| {
            let wrong = || ApiError::invalid("sender", "sender must be ours, aligned or failing.");
            Sender::parse(&word).ok_or_else(wrong)
        })
        .transpose()?;
    let asked = Asked { domain: narrowed(query.domain), sender, since_ms: since(&app, query.days)? };
    let behind = query.cursor.filter(|text| !text.is_empty()).map(|text| place(&text)).transpose()?;
    let rows =
        app.storage.read(move |c| dmarc_report::senders(c, actor.workspace, &asked, behind.as_ref(), limit)).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|row| format!("{} {} {}", row.sums.messages, row.source_ip, row.sender.as_str()));
    let shape = |row: dmarc_report::SenderRow| DmarcSender {
        source: source_name(&app, &row.source_ip),
        source_ip: row.source_ip,
        sender: kind(row.sender),
        counts: counts(&row.sums),
        quarantined: row.quarantined,
        rejected: row.rejected,
        organizations: row.organizations,
        latest_at: time(row.latest_ms),
    };
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// A place in the list of senders: messages, address, sort.
fn place(text: &str) -> Result<(u64, String), ApiError> {
    let read = |(messages, rest): (&str, &str)| Some((messages.parse().ok()?, rest.to_owned()));
    let wrong = || ApiError::invalid("cursor", "cursor must be the `next` of the page before.");
    text.split_once(' ').and_then(read).ok_or_else(wrong)
}

fn source_name(app: &App, ip: &str) -> Option<String> {
    let ip = ip.parse().ok()?;
    app.config.sources.iter().find(|source| source.ip == Some(ip)).map(|source| source.name.to_string())
}

fn kind(sender: Sender) -> DmarcSenderKind {
    match sender {
        Sender::Ours => DmarcSenderKind::Ours,
        Sender::Aligned => DmarcSenderKind::Aligned,
        Sender::Failing => DmarcSenderKind::Failing,
    }
}

/// DMARC reports that came in, newest first.
#[utoipa::path(get, path = "/api/v1/reports/dmarc/reports", tag = "reports", operation_id = "dmarc_reports",
    params(PeriodPageQuery), responses((status = 200, body = Page<DmarcReport>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<PeriodPageQuery>,
) -> Result<Json<Page<DmarcReport>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let filter = Filter { domain: narrowed(query.domain), since_ms: since(&app, query.days)? };
    let rows = app.storage.read(move |c| dmarc_report::page(c, actor.workspace, &filter, before, limit)).await?;
    let next = next(rows.len(), limit, rows.last().map(|row| row.id));
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// One DMARC report.
#[utoipa::path(get, path = "/api/v1/reports/dmarc/reports/{id}", tag = "reports", operation_id = "dmarc_report",
    params(("id" = i64, Path)), responses((status = 200, body = DmarcReport)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<DmarcReport>, ApiError> {
    let found = app.storage.read(move |c| dmarc_report::find(c, actor.workspace, id)).await?;
    found.map(|report| Json(shape(report))).ok_or_else(|| ApiError::not_found("report"))
}

/// The rows of a DMARC report, those with the most messages first.
#[utoipa::path(get, path = "/api/v1/reports/dmarc/reports/{id}/rows", tag = "reports", operation_id = "dmarc_rows",
    params(("id" = i64, Path), Paging), responses((status = 200, body = Page<DmarcReportRow>)))]
pub(crate) async fn rows(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<DmarcReportRow>>, ApiError> {
    let limit = limit(paging.limit)?;
    let after = cursor(paging.cursor.as_deref())?.unwrap_or(-1);
    let read = move |c: &storage::Connection| {
        let known = dmarc_report::find(c, actor.workspace, id)?.is_some();
        Ok((known, dmarc_report::rows(c, actor.workspace, id, after, limit)?))
    };
    let (known, rows) = app.storage.read(read).await?;
    if !known {
        return Err(ApiError::not_found("report"));
    }
    let next = next(rows.len(), limit, rows.last().map(|(n, _)| *n));
    let shape = |(_, row): (i64, dmarc_report::DmarcRow)| DmarcReportRow {
        source_ip: row.source_ip,
        sender: kind(row.sender),
        messages: row.messages,
        dkim_pass: row.dkim_pass,
        spf_pass: row.spf_pass,
        disposition: row.disposition,
        header_from: row.header_from,
        envelope_from: row.envelope_from,
        signatures: row.signatures,
        spf: row.spf,
    };
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

fn shape(report: dmarc_report::DmarcReport) -> DmarcReport {
    DmarcReport {
        id: report.id,
        domain: report.domain,
        policy_domain: report.policy_domain,
        organization: report.organization,
        report_id: report.report_id,
        policy: report.policy,
        begin_at: time(report.begin_ms),
        end_at: time(report.end_ms),
        received_at: time(report.received_ms),
        size_bytes: report.bytes,
        brought_by: report.brought_by,
        counts: counts(&report.sums),
        rows_left: report.rows_left,
    }
}
