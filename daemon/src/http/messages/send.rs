//! `POST /api/v1/messages`.

use super::intake::Intake;
use super::request::Submission;
use super::shape::accepted;
use super::take;
use crate::app::Shared;
use crate::http::error::ApiError;
use crate::http::extract::from_json;
use api_types::{AcceptedMessage, NewMessage};
use axum::extract::State;
use axum::response::Response;

/// Sends a message: written in the request, of a template, or whole. The answer means that it is on disk.
///
/// With an `Idempotency-Key` the request may come again for 24 hours: the same request gets the same answer and sends
/// nothing, another one with that key is refused.
#[utoipa::path(post, path = "/api/v1/messages", tag = "messages", request_body = NewMessage,
    params(("Idempotency-Key" = Option<String>, Header, description = "A word of your own for this request.")),
    responses((status = 200, body = AcceptedMessage)))]
pub(crate) async fn send(State(app): State<Shared>, submission: Submission) -> Result<Response, ApiError> {
    if let Some(taken) = take::before(&app, submission.again.as_ref()).await? {
        return taken.respond();
    }
    let new: NewMessage = from_json(&submission.body)?;
    let intake = Intake::new(&app, &submission.actor);
    let ready = app.storage.read(move |c| Ok(intake.ready(c, new))).await??;
    let (header_id, recipients, send_at_ms) = (ready.header_id.clone(), ready.recipients.len(), ready.send_at_ms);
    let answer = move |ids: &[storage::MessageId]| {
        let answers = ids.iter().map(|id| accepted(*id, &header_id, recipients, send_at_ms)).collect::<Vec<_>>();
        serde_json::json!(answers.first()).to_string()
    };
    take::take(&app, submission.again, vec![ready], answer).await?.respond()
}
