//! `POST /api/v1/messages/batch`.

use super::intake::Intake;
use super::request::Submission;
use super::shape::accepted;
use super::take;
use crate::app::Shared;
use crate::http::access::count_requests;
use crate::http::error::ApiError;
use crate::http::extract::from_json;
use api_types::{BatchAnswer, BatchResult, ErrorDetail, NewMessage, NewMessages};
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use storage::{Connection, MessageId};

/// Messages of one batch at most.
const BATCH_MAX: usize = 1_000;
/// Messages written before the database's reader is given back, so that a batch holds up nobody else's look-ups.
const CHUNK: usize = 50;

/// `NewMessages`, of which each message is read on its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    messages: Vec<Box<RawValue>>,
}

/// What became of one message: refused, or ready, with what its answer needs.
enum Outcome {
    Refused(ErrorDetail),
    Ready { header_id: String, recipients: usize, send_at_ms: i64 },
}

/// Sends up to 1,000 messages. Each is taken or refused on its own; those taken are on disk together.
///
/// With an `Idempotency-Key` the request may come again for 24 hours, as with a single message.
#[utoipa::path(post, path = "/api/v1/messages/batch", tag = "messages", request_body = NewMessages,
    params(("Idempotency-Key" = Option<String>, Header, description = "A word of your own for this request.")),
    responses((status = 200, body = BatchAnswer)))]
pub(crate) async fn batch(State(app): State<Shared>, submission: Submission) -> Result<Response, ApiError> {
    if let Some(taken) = take::before(&app, submission.again.as_ref()).await? {
        return taken.respond();
    }
    let Batch { messages } = from_json(&submission.body)?;
    let count = messages.len();
    if count == 0 || count > BATCH_MAX {
        return Err(ApiError::invalid("messages", format!("A batch has 1 to {BATCH_MAX} messages, not {count}.")));
    }
    // The guard has counted one.
    count_requests(&app, &submission.actor, u32::try_from(count - 1).unwrap_or(u32::MAX))?;
    let prepared = prepare_all(&app, &Intake::new(&app, &submission.actor), messages).await?;
    let (ready, outcomes): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
    let ready: Vec<_> = ready.into_iter().flatten().collect();
    // Where nothing is taken there is nothing to protect from being done twice.
    let again = if ready.is_empty() { None } else { submission.again };
    take::take(&app, again, ready, move |ids| serde_json::json!(answer(outcomes, ids)).to_string()).await?.respond()
}

type Prepared = (Option<storage::message::NewMessage>, Outcome);

/// Each message of the batch checked and written.
async fn prepare_all(
    app: &Shared,
    intake: &Intake,
    mut messages: Vec<Box<RawValue>>,
) -> Result<Vec<Prepared>, ApiError> {
    let mut prepared = Vec::with_capacity(messages.len());
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(CHUNK));
        let (chunk, first, intake) = (std::mem::replace(&mut messages, rest), prepared.len(), intake.clone());
        let done = app.storage.read(move |c| {
            let numbered = chunk.iter().enumerate();
            Ok(numbered.map(|(at, message)| prepare(&intake, c, first + at, message)).collect::<Result<Vec<_>, _>>())
        });
        prepared.extend(done.await??);
    }
    Ok(prepared)
}

fn prepare(intake: &Intake, c: &Connection, at: usize, message: &RawValue) -> Result<Prepared, ApiError> {
    match from_json::<NewMessage>(message.get().as_bytes()).and_then(|new| intake.ready(c, new)) {
        Ok(ready) => {
            let (header_id, recipients) = (ready.header_id.clone(), ready.recipients.len());
            let outcome = Outcome::Ready { header_id, recipients, send_at_ms: ready.send_at_ms };
            Ok((Some(ready), outcome))
        }
        // What is not the message's fault is the whole request's.
        Err(e) if e.is_ours() => Err(e),
        Err(e) => Ok((None, Outcome::Refused(e.within(&format!("messages[{at}]")).detail()))),
    }
}

/// One result for each message; `ids` has one for each that is ready.
fn answer(outcomes: Vec<Outcome>, ids: &[MessageId]) -> BatchAnswer {
    let mut ids = ids.iter();
    let mut answer = BatchAnswer { accepted: 0, refused: 0, results: Vec::with_capacity(outcomes.len()) };
    for outcome in outcomes {
        let result = match outcome {
            Outcome::Refused(error) => {
                answer.refused += 1;
                BatchResult { message: None, error: Some(error) }
            }
            Outcome::Ready { header_id, recipients, send_at_ms } => {
                answer.accepted += 1;
                let message = ids.next().map(|id| accepted(*id, &header_id, recipients, send_at_ms));
                BatchResult { message, error: None }
            }
        };
        answer.results.push(result);
    }
    answer
}
