//! `GET /api/v1/messages/{id}`.

use super::shape;
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::http::queue;
use crate::http::timeline::{self, CampaignNames};
use api_types::{MessageDetail, MessageRecipient, Page};
use axum::extract::State;
use storage::{MessageId, RecipientId, event, message};

/// Events of one recipient at most: attempts over a day are some tens.
const EVENTS_MAX: u32 = 100;

/// One message with its recipients, a page of them, each with everything that happened to it.
#[utoipa::path(get, path = "/api/v1/messages/{id}", tag = "messages", params(("id" = i64, Path), Paging),
    responses((status = 200, body = MessageDetail)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Json<MessageDetail>, ApiError> {
    let limit = limit(paging.limit)?;
    let after = RecipientId(cursor(paging.cursor.as_deref())?.unwrap_or(0));
    let (workspace, id) = (actor.workspace, MessageId(id));
    let found = app.storage.read(move |c| {
        let Some(row) = message::find(c, workspace, id)? else { return Ok(None) };
        let standing = message::standing(c, &row)?;
        let rows = message::recipients(c, (workspace, id), after, limit)?;
        let next = next(&rows, limit, |row| row.id);
        let none = CampaignNames::new();
        let mut items = Vec::with_capacity(rows.len());
        for recipient in rows {
            let events = event::of_recipient(c, workspace, (recipient.id, None), EVENTS_MAX)?;
            let timeline = events.into_iter().map(|event| timeline::shape(event, &none)).collect();
            items.push(MessageRecipient { recipient: queue::shape(recipient, &none), timeline });
        }
        let recipients = Page { items, next, total: Some(u64::from(row.recipients)) };
        Ok(Some(MessageDetail { message: shape::message(row, standing), recipients }))
    });
    Ok(Json(found.await?.ok_or_else(|| ApiError::not_found("message"))?))
}
