//! A request to send: its body, read only while there is room for it, and its Idempotency-Key.

use crate::app::{App, Shared};
use crate::disk;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::too_large;
use api_types::ErrorCode;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use std::sync::Arc;
use std::time::Duration;
use storage::{idempotency, request_hash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: usize = 1024 * 1024;
/// Bodies in memory at once, together; more when a single one may be larger. While one is worked on, its message is there
/// two or three times.
const ROOM_MIN: usize = 32 * MIB;
/// Room is given out in such pieces: a semaphore counts no further than 32 bits at a time.
const PIECE: usize = 1024;
/// How long a request waits for room.
const ROOM_WAIT: Duration = Duration::from_secs(10);
/// Bytes of an Idempotency-Key at most.
const KEY_MAX: usize = 255;

/// Bytes of a request at most: a message in base64, and what stands around it.
pub(crate) fn body_max(app: &App) -> usize {
    app.config.http.message_max_mb as usize * MIB * 3 / 2
}

/// Room for bodies that are being read and worked on, so that many large ones at once cannot fill the memory.
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for at least one body of `body_max` bytes.
    pub fn new(message_max_mb: u32) -> Room {
        let bytes = ROOM_MIN.max(message_max_mb as usize * MIB * 3 / 2);
        Room(Arc::new(Semaphore::new(bytes.div_ceil(PIECE))))
    }

    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        match tokio::time::timeout(ROOM_WAIT, Arc::clone(&self.0).acquire_many_owned(pieces)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                let message = "The server takes in as many large requests as it can. Try again in a moment.";
                Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(ROOM_WAIT))
            }
        }
    }
}

/// A request to send, read.
pub(crate) struct Submission {
    /// Who asks.
    pub actor: Actor,
    /// The JSON.
    pub body: Bytes,
    /// What makes the request one that may come again.
    pub again: Option<idempotency::Request>,
    /// Given back when the request is answered.
    _room: OwnedSemaphorePermit,
}

impl FromRequest<Shared> for Submission {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Shared) -> Result<Submission, ApiError> {
        disk::refuse_when_low(app).map_err(|e| e.retry_after(Duration::from_secs(60)))?;
        let (mut parts, body) = request.into_parts();
        let actor = Actor::from_request_parts(&mut parts, app).await?;
        let key = idempotency_key(&parts.headers)?;
        let (path, length) = (parts.uri.path().to_owned(), content_length(&parts.headers));
        let room = app.room.take(length.unwrap_or(usize::MAX).min(body_max(app))).await?;
        let body = Bytes::from_request(Request::from_parts(parts, body), app).await.map_err(too_large)?;
        let again = key.map(|key| idempotency::Request {
            workspace_id: actor.workspace,
            asker: actor.asker(),
            key,
            hash: request_hash(&[path.as_bytes(), b"\n", &body]),
        });
        Ok(Submission { actor, body, again, _room: room })
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim).filter(|key| (1..=KEY_MAX).contains(&key.len()));
    match key {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(ApiError::invalid("Idempotency-Key", format!("A key has 1 to {KEY_MAX} ASCII characters."))),
    }
}
