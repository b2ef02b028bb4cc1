//! Mail that is fed from elsewhere: it is settled as if it had come over the listener.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use api_types::{ErrorCode, InboundOutcome};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use mail::Address;
use mta::inbound::{Fed, FeedError, Outcome, REPORT_MAX, WHOLE_MAX, feed as settle};
use serde::Deserialize;
use std::time::Duration;
use storage::WorkspaceId;
use utoipa::IntoParams;

/// Addresses that a mail can be said to have come to.
const RCPTS_MAX: usize = 10;

/// To whom it came.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedQuery {
    /// The address that it came to, or several with commas between. Without it those of its header count: Delivered-To,
    /// X-Original-To, To and the like.
    #[serde(default)]
    rcpt: String,
}

/// Settles a returned mail, complaint or answer that came by another way: the mail itself is the body of the request, as
/// it came, up to 160 MiB. Answers, DMARC and TLS reports may have 10 MiB; of other mail only so much is read for meaning.
/// Feeding it again changes nothing.
#[utoipa::path(post, path = "/api/v1/inbound", tag = "replies", params(FeedQuery),
    request_body(content = String, content_type = "message/rfc822"),
    responses((status = 200, body = Vec<InboundOutcome>)))]
pub(crate) async fn feed(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<FeedQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Vec<InboundOutcome>>, ApiError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let (message, is_cut) = received(length, body).await?;
    if message.is_empty() {
        return Err(ApiError::invalid("", "Send the mail as the request's body."));
    }
    let inbound = app.inbound.get().ok_or_else(|| ApiError::internal("nothing settles mail"))?;
    let fed = Fed { origin: format!("API ({})", actor.name), rcpts: rcpts(&query.rcpt)?, message, is_cut };
    match settle(inbound, fed).await {
        Ok(outcome) => Ok(Json(shapes(&app, actor.workspace, outcome).await?)),
        Err(busy @ FeedError::Busy) => {
            let message = format!("Not yet: {busy}.");
            Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(Duration::from_secs(10)))
        }
        Err(FeedError::Storage(e)) => Err(e.into()),
    }
}

/// The beginning of the mail, and whether there is more. `length` is what the client says of it.
async fn received(length: Option<u64>, body: Body) -> Result<(Vec<u8>, bool), ApiError> {
    let too_large = || {
        let mib = 1024.0 * 1024.0;
        let has = length.map_or_else(|| "more".to_owned(), |length| format!("{:.1} MiB", length as f64 / mib));
        let most = REPORT_MAX / (1024 * 1024);
        let message = format!(
            "A mail may have {most} MiB, and this one has {has}. Send its beginning: what a report says stands before the \
             mail that it returns."
        );
        ApiError::new(ErrorCode::TooLarge, message)
    };
    if length.is_some_and(|length| length > REPORT_MAX as u64) {
        return Err(too_large());
    }
    let (mut kept, mut bytes, mut body) = (Vec::new(), 0, body.into_data_stream());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| ApiError::invalid("", format!("The request's body broke off: {e}.")))?;
        bytes += chunk.len();
        if bytes > REPORT_MAX {
            return Err(too_large());
        }
        kept.extend_from_slice(&chunk[..chunk.len().min(WHOLE_MAX - kept.len())]);
    }
    let is_cut = bytes > kept.len();
    Ok((kept, is_cut))
}

fn rcpts(text: &str) -> Result<Vec<Address>, ApiError> {
    let wrong = |message: String| ApiError::invalid("rcpt", message);
    let parsed = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    let all: Vec<Address> = parsed
        .map(|text| Address::parse(text).map_err(|e| wrong(format!("{text:?} is no mail address: {e}."))))
        .collect::<Result<_, _>>()?;
    if all.len() > RCPTS_MAX {
        return Err(wrong(format!("A mail can have come to {RCPTS_MAX} addresses at most.")));
    }
    Ok(all)
}

/// Whom a mail is about is told to the workspace alone that the recipient is of.
async fn shapes(app: &Shared, workspace: WorkspaceId, outcome: Outcome) -> Result<Vec<InboundOutcome>, ApiError> {
    let mut all = Vec::with_capacity(outcome.told.len());
    for one in outcome.told {
        let recipient_id = match one.recipient {
            Some(id) => {
                let way = app.storage.read(move |c| storage::complaint::way(c, id)).await?;
                way.filter(|way| way.workspace_id == workspace).map(|_| id.0)
            }
            None => None,
        };
        all.push(InboundOutcome {
            rcpt: one.rcpt,
            purpose: one.purpose.to_owned(),
            sort: one.sort.as_str().to_owned(),
            recipient_id,
            class: outcome.class.map(|class| class.as_str().to_owned()),
            matched: one.matched,
            done: one.what.to_owned(),
        });
    }
    Ok(all)
}
