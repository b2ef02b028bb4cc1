//! Answers that came.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::text::time;
use api_types::{Page, ReplyDone, ReplyMail, ReplyRow};
use axum::extract::State;
use serde::Deserialize;
use storage::ReplyId;
use storage::reply::{self as rows, Done};
use utoipa::IntoParams;

/// Which answers.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RepliesQuery {
    /// Only those that this was done with: `kept`, `forwarded`, `webhook`, `stopped`.
    #[serde(default)]
    done: String,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Answers to the workspace's reply addresses, newest first.
#[utoipa::path(get, path = "/api/v1/replies", tag = "replies", params(RepliesQuery),
    responses((status = 200, body = Page<ReplyRow>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<RepliesQuery>,
) -> Result<Json<Page<ReplyRow>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let done = match query.done.as_str() {
        "" => None,
        word => Some(
            Done::parse(word)
                .ok_or_else(|| ApiError::invalid("done", "done must be kept, forwarded, webhook or stopped."))?,
        ),
    };
    let workspace = actor.workspace;
    let found = app.storage.read(move |c| rows::page(c, workspace, done, before, limit)).await?;
    let next = next(&found, limit, |row| row.id);
    Ok(Json(Page { items: found.into_iter().map(shape).collect(), next, total: None }))
}

/// One answer with its text, as far as that is kept.
#[utoipa::path(get, path = "/api/v1/replies/{id}", tag = "replies", params(("id" = i64, Path)),
    responses((status = 200, body = ReplyMail)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<ReplyMail>, ApiError> {
    let workspace = actor.workspace;
    let found = app.storage.read(move |c| rows::find(c, workspace, ReplyId(id))).await?;
    let (row, content) = found.ok_or_else(|| ApiError::not_found("answer"))?;
    let is_cut = (content.len() as u64) < row.size_bytes;
    Ok(Json(ReplyMail { reply: shape(row), content: String::from_utf8_lossy(&content).into_owned(), is_cut }))
}

fn shape(row: rows::Reply) -> ReplyRow {
    ReplyRow {
        id: row.id.0,
        address: row.address,
        received_at: time(row.received_ms),
        from: row.from_address,
        subject: row.subject,
        recipient_id: row.recipient_id.map(|id| id.0),
        campaign_id: row.campaign_id.map(|id| id.0),
        contact_id: row.contact_id.map(|id| id.0),
        done: match row.done {
            Done::Kept => ReplyDone::Kept,
            Done::Forwarded => ReplyDone::Forwarded,
            Done::Webhook => ReplyDone::Webhook,
            Done::Stopped => ReplyDone::Stopped,
        },
        why: row.why,
        message_id: row.message_id.map(|id| id.0),
        size_bytes: row.size_bytes,
    }
}
