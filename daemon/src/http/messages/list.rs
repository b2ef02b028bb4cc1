//! `GET /api/v1/messages`.

use super::shape;
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, cursor, limit};
use crate::http::queue::{called, parse};
use api_types::{Message, Page};
use axum::extract::State;
use mail::{Address, BounceClass, RecipientState};
use serde::Deserialize;
use storage::message::{self, Search};
use storage::{MessageId, address_hash};
use utoipa::IntoParams;

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesQuery {
    /// Only to this address, written whole.
    address: Option<String>,
    /// Only with this tag.
    tag: Option<String>,
    /// Only with a recipient in this state: `queued`, `delivered`, `bounced`, ...
    state: Option<String>,
    /// Only with a recipient whose last answer was of this class: `bad_mailbox`, `mailbox_full`, ... With `state`,
    /// `provider` or `source` one recipient has to be all of it.
    class: Option<String>,
    /// Only with a recipient at this provider.
    provider: Option<String>,
    /// Only with a recipient whose last attempt went from this source.
    source: Option<String>,
    /// Only whose From address contains this.
    from: Option<String>,
    /// Only of this stream.
    stream: Option<String>,
    /// Only taken in then or later (RFC 3339).
    since: Option<String>,
    /// Only taken in before (RFC 3339).
    until: Option<String>,
    /// `next` of the page before. A page can have few messages or none and yet a `next`: it looks at a bounded number.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Submitted messages, newest first.
#[utoipa::path(get, path = "/api/v1/messages", tag = "messages", params(MessagesQuery),
    responses((status = 200, body = Page<Message>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Page<Message>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = MessageId(cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX));
    let search = Search {
        address: given(query.address).map(|text| address(&text)).transpose()?,
        tag: given(query.tag),
        state: parse("state", query.state, RecipientState::parse)?,
        class: parse("class", query.class, BounceClass::parse)?,
        provider: called(&app, given(query.provider)),
        source: given(query.source),
        from: given(query.from),
        stream: given(query.stream),
        since_ms: given(query.since).map(|text| moment("since", &text)).transpose()?,
        until_ms: given(query.until).map(|text| moment("until", &text)).transpose()?,
    };
    let page = app.storage.read(move |c| {
        let found = message::search(c, actor.workspace, &search, before, limit)?;
        let mut items = Vec::with_capacity(found.messages.len());
        for row in found.messages {
            let standing = message::standing(c, &row)?;
            items.push(shape::message(row, standing));
        }
        Ok(Page { items, next: found.next.map(|id| id.to_string()), total: None })
    });
    Ok(Json(page.await?))
}

/// An empty filter is none.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn address(text: &str) -> Result<storage::AddressHash, ApiError> {
    let address = Address::parse(text);
    let address = address.map_err(|e| ApiError::invalid("address", format!("Write the whole address: {}.", e.why)))?;
    Ok(address_hash(&address))
}

fn moment(field: &str, text: &str) -> Result<i64, ApiError> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    let message = || format!("{text:?} is not a moment; write it like 2026-01-31T08:00:00Z.");
    at.map(|at| at.as_millisecond()).map_err(|_| ApiError::invalid(field, message()))
}
