//! Addresses that recipients answer to.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::text::time;
use api_types::{Done, NewReplyAddress, Page, ReplyAction, ReplyAddress, ReplyAddressChange};
use axum::extract::State;
use mail::Address;
use mta::inbound::may_answer_for;
use storage::domain::{self, SendingDomain};
use storage::reply_address::{self as rows, Action};
use storage::{ReplyAddressId, StorageError, WebhookId, WorkspaceId, webhook};

/// Sending domains that are looked through.
const DOMAINS_MAX: u32 = 1_000;

/// Reply addresses, oldest first.
#[utoipa::path(get, path = "/api/v1/reply-addresses", tag = "replies", params(Paging),
    responses((status = 200, body = Page<ReplyAddress>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ReplyAddress>>, ApiError> {
    let limit = limit(paging.limit)?;
    let after = cursor(paging.cursor.as_deref())?.unwrap_or(0);
    let workspace = actor.workspace;
    let found = app.storage.read(move |c| rows::list(c, workspace, after, limit)).await?;
    let next = next(&found, limit, |row| row.id);
    Ok(Json(Page { items: found.into_iter().map(shape).collect(), next, total: None }))
}

fn shape(row: rows::ReplyAddress) -> ReplyAddress {
    let (action, forward_to, webhook_id) = match row.action {
        Action::Keep => (ReplyAction::Keep, None, None),
        Action::Forward(to) => (ReplyAction::Forward, Some(to.to_string()), None),
        Action::Webhook(id) => (ReplyAction::Webhook, None, Some(id.0)),
    };
    ReplyAddress {
        id: row.id.0,
        address: row.address,
        action,
        forward_to,
        webhook_id,
        created_by: row.created_by,
        created_at: time(row.created_ms),
    }
}

/// Makes a reply address. Mail to it is taken from now on.
#[utoipa::path(post, path = "/api/v1/reply-addresses", tag = "replies", request_body = NewReplyAddress,
    responses((status = 200, body = ReplyAddress)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(new): Json<NewReplyAddress>,
) -> Result<Json<ReplyAddress>, ApiError> {
    let address = Address::parse(new.address.trim())
        .map_err(|e| ApiError::invalid("address", format!("This is no mail address: {e}.")))?;
    let workspace = actor.workspace;
    let action = wanted(&app, workspace, (new.action, new.forward_to.as_deref(), new.webhook_id)).await?;
    let domains = app.storage.read(move |c| domain::list(c, workspace, 0, DOMAINS_MAX)).await?;
    let sending = sending_domain(&domains, &address)?;
    if taken_otherwise(&app, &address) {
        let message = "This address has another purpose: feedback or returned mail comes there. Choose another one.";
        return Err(ApiError::invalid("address", message));
    }
    let row = rows::NewReplyAddress {
        workspace_id: workspace,
        address,
        domain_id: sending.id,
        action,
        created_by: actor.name.clone(),
        created_ms: app.now_ms(),
    };
    let made = app.storage.main().write(move |tx| {
        let id = rows::insert(tx, &row)?;
        rows::find(tx, workspace, id)
    });
    let made = made.await.map_err(|e| match e {
        StorageError::Exists => ApiError::exists("address", "There is such a reply address already."),
        other => other.into(),
    })?;
    made.map(|row| Json(shape(row))).ok_or_else(|| ApiError::not_found("reply address"))
}

/// Changes what is done with what comes to a reply address.
#[utoipa::path(patch, path = "/api/v1/reply-addresses/{id}", tag = "replies", params(("id" = i64, Path)),
    request_body = ReplyAddressChange, responses((status = 200, body = ReplyAddress)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(change): Json<ReplyAddressChange>,
) -> Result<Json<ReplyAddress>, ApiError> {
    let whose = (actor.workspace, ReplyAddressId(id));
    let asked = (change.action, change.forward_to.as_deref(), change.webhook_id);
    let action = wanted(&app, actor.workspace, asked).await?;
    let changed = app.storage.main().write(move |tx| {
        rows::update(tx, whose, &action)?;
        rows::find(tx, whose.0, whose.1)
    });
    changed.await?.map(|row| Json(shape(row))).ok_or_else(|| ApiError::not_found("reply address"))
}

/// Deletes a reply address: mail to it is refused from now on. What came there stays.
#[utoipa::path(delete, path = "/api/v1/reply-addresses/{id}", tag = "replies", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let workspace: WorkspaceId = actor.workspace;
    if !app.storage.main().write(move |tx| rows::delete(tx, workspace, ReplyAddressId(id))).await? {
        return Err(ApiError::not_found("reply address"));
    }
    Ok(Json(Done { message: "The reply address is deleted. Mail to it is refused from now on.".to_owned() }))
}

/// What is to be done with answers, where that can be done.
async fn wanted(
    app: &Shared,
    workspace: WorkspaceId,
    (action, forward_to, webhook): (ReplyAction, Option<&str>, Option<i64>),
) -> Result<Action, ApiError> {
    let text = forward_to.map(str::trim).filter(|text| !text.is_empty());
    match (action, text, webhook) {
        (ReplyAction::Keep, None, None) => Ok(Action::Keep),
        (ReplyAction::Forward, Some(text), None) => onward(app, text).await.map(Action::Forward),
        (ReplyAction::Forward, None, _) => {
            Err(ApiError::invalid("forward_to", "Give the address that answers are forwarded to."))
        }
        (ReplyAction::Webhook, None, Some(id)) => {
            let found = app.storage.read(move |c| webhook::find(c, workspace, WebhookId(id))).await?;
            let found = found.ok_or_else(|| ApiError::invalid("webhook_id", "There is no such webhook."))?;
            Ok(Action::Webhook(found.id))
        }
        (ReplyAction::Webhook, _, None) => {
            Err(ApiError::invalid("webhook_id", "Give the number of the webhook that is told."))
        }
        (ReplyAction::Keep | ReplyAction::Webhook, Some(_), _) => {
            Err(ApiError::invalid("forward_to", "Answers are forwarded with the action forward: leave this out."))
        }
        (ReplyAction::Keep | ReplyAction::Forward, _, Some(_)) => {
            Err(ApiError::invalid("webhook_id", "A webhook is told with the action webhook: leave this out."))
        }
    }
}

/// The address that answers go on to. One that comes back to us would make a loop.
async fn onward(app: &Shared, text: &str) -> Result<Address, ApiError> {
    let address =
        Address::parse(text).map_err(|e| ApiError::invalid("forward_to", format!("This is no mail address: {e}.")))?;
    let asked = address.clone();
    let ours = app.storage.read(move |c| {
        let paths = domain::return_paths(c)?;
        let is_path = paths.iter().any(|path| path == asked.domain().as_str());
        Ok(is_path || rows::by_address(c, &asked)?.is_some())
    });
    if ours.await? {
        let message = "This address comes back to this host. Give one that people read.";
        return Err(ApiError::invalid("forward_to", message));
    }
    Ok(address)
}

/// The sending domain of the workspace that can sign for the address.
fn sending_domain<'d>(domains: &'d [SendingDomain], address: &Address) -> Result<&'d SendingDomain, ApiError> {
    let fits = |row: &&SendingDomain| may_answer_for(address.domain(), &row.domain, &row.return_path_domain);
    // The longest name is the nearest.
    domains.iter().filter(fits).max_by_key(|row| row.domain.len()).ok_or_else(|| {
        let paths: Vec<_> = domains.iter().take(5).map(|row| row.return_path_domain.as_str()).collect();
        let message = match paths.is_empty() {
            true => "Add a sending domain first: reply addresses are at its return path, or below it.".to_owned(),
            false => format!(
                "The domain must be a return path, a sending domain, or below one, with its MX at this host. Return paths: {}.",
                paths.join(", ")
            ),
        };
        ApiError::invalid("address", message)
    })
}

/// Whether a mail to the address would never reach it.
fn taken_otherwise(app: &Shared, address: &Address) -> bool {
    app.inbound.get().is_some_and(|inbound| inbound.has_purpose(address))
}
