//! What reports say is wrong with us, and ending such an alarm by hand.

use super::{ALARMS_MAX, narrowed, next};
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit};
use crate::text::time;
use api_types::{Done, Page, ReportAlarm};
use axum::extract::State;
use serde::Deserialize;
use storage::event::{self, Event};
use storage::report_alarm::{self, Filter, Kind};
use storage::{Connection, StorageError, WorkspaceId, outbox};
use utoipa::IntoParams;

/// Which alarms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlarmsQuery {
    /// `dmarc`, `tls` or `auth`.
    kind: Option<String>,
    /// Only about this sending domain.
    domain: Option<String>,
    /// `true`: those that have ended too.
    ended: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// What DMARC and TLS reports, and those of failed authentication, say is wrong with us, newest first.
#[utoipa::path(get, path = "/api/v1/reports/alarms", tag = "reports", operation_id = "report_alarms",
    params(AlarmsQuery), responses((status = 200, body = Page<ReportAlarm>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<AlarmsQuery>,
) -> Result<Json<Page<ReportAlarm>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let kind = narrowed(query.kind)
        .map(|word| Kind::parse(&word).ok_or_else(|| ApiError::invalid("kind", "kind must be dmarc, tls or auth.")))
        .transpose()?;
    let filter = Filter { kind, domain: narrowed(query.domain), ended: query.ended.unwrap_or(false) };
    let rows = app.storage.read(move |c| report_alarm::page(c, actor.workspace, &filter, before, limit)).await?;
    let next = next(rows.len(), limit, rows.last().map(|row| row.id));
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// Ends an alarm, since what it is about is mended. Reports about the time before do not bring it back; those about later
/// times do.
#[utoipa::path(post, path = "/api/v1/reports/alarms/{id}/lift", tag = "reports", operation_id = "lift_report_alarm",
    params(("id" = i64, Path)), responses((status = 200, body = Done)))]
pub(crate) async fn lift(State(app): State<Shared>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Done>, ApiError> {
    let (workspace, now_ms, by) = (actor.workspace, app.now_ms(), actor.name.clone());
    let lifted = app.storage.events().write(move |tx| report_alarm::lift(tx, workspace, id, &by, now_ms)).await?;
    let alarm = lifted.ok_or_else(|| ApiError::not_found("alarm"))?;
    let message = format!("The alarm about {} is ended.", alarm.domain);
    let told = move |tx: &storage::Transaction<'_>| {
        let text = format!("{}: {}", alarm.domain, alarm.text);
        let event = Event::new(now_ms, workspace, event::Kind::AlarmEnded);
        outbox::put(tx, &Event { text: Some(&text), actor: Some(&actor.name), ..event })
    };
    app.storage.queue().write(told).await?;
    Ok(Json(Done { message }))
}

/// Those in force, as far as they are shown beside figures.
pub(super) fn open_alarms(
    c: &Connection,
    workspace: WorkspaceId,
    kinds: &[Kind],
    domain: Option<&str>,
) -> Result<Vec<report_alarm::ReportAlarm>, StorageError> {
    let mut all = Vec::new();
    for kind in kinds {
        let filter = Filter { kind: Some(*kind), domain: domain.map(str::to_owned), ended: false };
        all.extend(report_alarm::page(c, workspace, &filter, i64::MAX, ALARMS_MAX)?);
    }
    Ok(all)
}

pub(super) fn shape(alarm: report_alarm::ReportAlarm) -> ReportAlarm {
    ReportAlarm {
        id: alarm.id,
        kind: alarm.kind.as_str().to_owned(),
        domain: alarm.domain,
        item: alarm.item,
        organization: alarm.organization,
        text: alarm.text,
        total: alarm.total,
        failed: alarm.failed,
        since: time(alarm.began_ms),
        latest_at: time(alarm.latest_ms),
        ended_at: alarm.ended_ms.map(time),
        ended_by: alarm.ended_by,
    }
}
