//! What a mail that came back says, explained. Nothing is kept or changed.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, too_large};
use api_types::{ExplainedMail, MailEvent};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use bounce::Event;
use mta::shaping::Snapshot;

/// Bytes of a mail at most.
pub(crate) const MAIL_MAX: usize = 10 * 1024 * 1024;

/// Says what is understood of a mail, and why: the mail itself is the body of the request, as it came.
#[utoipa::path(post, path = "/api/v1/explain-mail", tag = "delivery",
    request_body(content = String, content_type = "message/rfc822"),
    responses((status = 200, body = ExplainedMail)))]
pub(crate) async fn explain(
    State(app): State<Shared>,
    _actor: Actor,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ExplainedMail>, ApiError> {
    let raw = body.map_err(too_large)?;
    // Reading a large mail takes a while: not on a thread that others wait for.
    let read = tokio::task::spawn_blocking(move || read(&app.shaping, &raw)).await;
    Ok(Json(read.map_err(|error| ApiError::internal(&error))?))
}

fn read(shaping: &Snapshot, raw: &[u8]) -> ExplainedMail {
    let rules = shaping.meaning();
    let mut report = bounce::parse_with(raw, rules);
    shaping.name_providers(&mut report);
    let normal = bounce::normal_form(&report, rules);
    ExplainedMail {
        sort: normal.sort.to_owned(),
        orig_message_id: normal.orig_message_id,
        events: normal.events.into_iter().map(event).collect(),
        explanation: bounce::explain(&report, rules),
    }
}

fn event(event: Event) -> MailEvent {
    MailEvent {
        recipient: event.recipient,
        action: event.action.to_owned(),
        kind: event.kind.to_owned(),
        permanence: event.permanence.map(str::to_owned),
        status: event.status,
        reply: event.reply,
        class: event.class.map(str::to_owned),
        rule: event.rule,
        decided_by: event.decided_by.map(str::to_owned),
        feedback_type: event.feedback_type,
    }
}
