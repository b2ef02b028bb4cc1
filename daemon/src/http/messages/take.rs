//! Into the queue: messages, their recipients, and the answer to repeat, in one commit.

use crate::app::Shared;
use crate::http::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use storage::MessageId;
use storage::idempotency::{self, Known};
use storage::message::{self, NewMessage};

/// Says that the answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The answer to a request.
pub(super) enum Taken {
    /// It did this now.
    Now(String),
    /// It was answered before, so nothing was done.
    Before(String),
    /// Another request had its Idempotency-Key.
    Other,
}

impl Taken {
    /// The answer as JSON.
    pub fn respond(self) -> Result<Response, ApiError> {
        let (json, before) = match self {
            Taken::Now(json) => (json, false),
            Taken::Before(json) => (json, true),
            Taken::Other => {
                let message =
                    "This key was used with another request in the last 24 hours. Use a new key for a new request.";
                return Err(ApiError::invalid("Idempotency-Key", message));
            }
        };
        let mut response = Body::from(json).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if before {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

/// The answer that a request got before, if it did. The same is asked once more in the commit itself: two may come at
/// once. Asked first of all, since a request that was answered is answered the same whatever has changed since.
pub(super) async fn before(app: &Shared, again: Option<&idempotency::Request>) -> Result<Option<Taken>, ApiError> {
    let Some(request) = again.cloned() else { return Ok(None) };
    let now_ms = app.now_ms();
    let known = app.storage.read(move |c| idempotency::known(c, &request, now_ms)).await?;
    Ok(repeated(known))
}

fn repeated(known: Known) -> Option<Taken> {
    match known {
        Known::No => None,
        Known::Answer(json) => Some(Taken::Before(json)),
        Known::Other => Some(Taken::Other),
    }
}

/// Takes the messages in. `answer` makes the answer of their ids. Done once this returns: it is on disk.
pub(super) async fn take(
    app: &Shared,
    again: Option<idempotency::Request>,
    messages: Vec<NewMessage>,
    answer: impl FnOnce(&[MessageId]) -> String + Send + 'static,
) -> Result<Taken, ApiError> {
    let now_ms = app.now_ms();
    let taken = app.storage.queue().write(move |tx| {
        if let Some(request) = &again
            && let Some(taken) = repeated(idempotency::known(tx, request, now_ms)?)
        {
            return Ok(taken);
        }
        let ids: Vec<MessageId> = messages.iter().map(|new| message::accept(tx, new)).collect::<Result<_, _>>()?;
        let json = answer(&ids);
        if let Some(request) = &again {
            idempotency::keep(tx, request, &json, now_ms)?;
        }
        Ok(Taken::Now(json))
    });
    let taken = taken.await?;
    app.wake();
    Ok(taken)
}
