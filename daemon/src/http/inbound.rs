//! Mail that is fed from elsewhere: it is settled as if it had come over the listener.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, too_large};
use api_types::{ErrorCode, InboundOutcome};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use mail::Address;
use mta::inbound::{Fed, FeedError, Outcome, feed as settle};
use serde::Deserialize;
use std::time::Duration;
use storage::WorkspaceId;
use utoipa::IntoParams;

/// Bytes of a mail at most.
pub(crate) const MAIL_MAX: usize = 10 * 1024 * 1024;
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
/// it came. Feeding it again changes nothing.
#[utoipa::path(post, path = "/api/v1/inbound", tag = "replies", params(FeedQuery),
    request_body(content = String, content_type = "message/rfc822"),
    responses((status = 200, body = Vec<InboundOutcome>)))]
pub(crate) async fn feed(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<FeedQuery>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<InboundOutcome>>, ApiError> {
    let message = body.map_err(too_large)?.to_vec();
    if message.is_empty() {
        return Err(ApiError::invalid("", "Send the mail as the request's body."));
    }
    let inbound = app.inbound.get().ok_or_else(|| ApiError::internal("nothing settles mail"))?;
    let fed = Fed { origin: format!("API ({})", actor.name), rcpts: rcpts(&query.rcpt)?, message };
    match settle(inbound, fed).await {
        Ok(outcome) => Ok(Json(shapes(&app, actor.workspace, outcome).await?)),
        Err(busy @ FeedError::Busy) => {
            let message = format!("Not yet: {busy}.");
            Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(Duration::from_secs(10)))
        }
        Err(FeedError::Storage(e)) => Err(e.into()),
    }
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
