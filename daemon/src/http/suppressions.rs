//! The suppression list.

use crate::app::Shared;
use crate::http::access::{Access, Actor};
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path, Query, cursor, limit, next};
use crate::http::timeline;
use crate::text::time;
use crate::webhooks::by_hand::Hooks;
use api_types::{
    Done, ErrorCode, NewSuppression, Page, RemoveSuppression, Role, Suppression, SuppressionFrom, SuppressionReason,
    WebhookSuppression as Told, WebhookType,
};
use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use storage::suppression::{self, Filter, Removal};
use storage::{Connection, RecipientId, StorageError, SuppressionId, WorkspaceId, address_hash, contact};
use utoipa::IntoParams;

/// Longest reason of a removal, in characters: what the history keeps.
const WHY_MAX: usize = 500;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuppressionsQuery {
    /// Only addresses that contain this. A whole address finds its entry also where only the hash is kept.
    q: Option<String>,
    /// `hard_bounce`, `soft_bounces`, `complaint`, `unsubscribe`, `paused`, `sunset`, `manual` or `import`.
    reason: Option<String>,
    /// `all`: what covers every mail; `marketing`: what covers bulk mail only.
    covers: Option<String>,
    /// `true`: only what holds for the whole installation; `false`: only the workspace's own.
    global: Option<bool>,
    /// `true`: only what has ended; `false`: only what is in force.
    ended: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Addresses that nothing is sent to, newest first.
#[utoipa::path(get, path = "/api/v1/suppressions", tag = "suppressions", params(SuppressionsQuery),
    responses((status = 200, body = Page<Suppression>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<SuppressionsQuery>,
) -> Result<Json<Page<Suppression>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let now_ms = app.now_ms();
    let words = (query.q, query.reason.as_deref(), query.covers.as_deref());
    let filter = filter(words, query.global, query.ended, now_ms)?;
    let (items, total) = app
        .storage
        .read(move |c| {
            let rows = suppression::page(c, actor.workspace, &filter, before, limit)?;
            let total = (before == i64::MAX).then(|| suppression::count(c, actor.workspace, &filter)).transpose()?;
            Ok((shapes(c, actor.workspace, rows, now_ms)?, total))
        })
        .await?;
    let next = next(&items, limit, |row| row.id);
    Ok(Json(Page { items, next, total }))
}

/// Which entries a request asks for, by its words (a part of the address, the reason, what is covered) and the rest.
pub(crate) fn filter(
    (q, why, what): (Option<String>, Option<&str>, Option<&str>),
    global: Option<bool>,
    ended: Option<bool>,
    now_ms: i64,
) -> Result<Filter, ApiError> {
    Ok(Filter {
        q: q.unwrap_or_default(),
        reason: why.filter(|word| !word.is_empty()).map(reason).transpose()?,
        covers: what.filter(|word| !word.is_empty()).map(covers).transpose()?,
        global,
        ended: ended.map(|ended| (ended, now_ms)),
    })
}

/// The reason of a word in a request.
pub(crate) fn reason(word: &str) -> Result<SuppressionReason, ApiError> {
    let known = "hard_bounce, soft_bounces, complaint, unsubscribe, paused, sunset, manual or import";
    suppression::reason_of(word).ok_or_else(|| ApiError::invalid("reason", format!("reason must be {known}.")))
}

fn covers(word: &str) -> Result<api_types::SuppressionCovers, ApiError> {
    suppression::covers_of(word).ok_or_else(|| ApiError::invalid("covers", "covers must be all or marketing."))
}

/// Puts an address on the list by hand. One that stands there already stays as it is.
#[utoipa::path(post, path = "/api/v1/suppressions", tag = "suppressions", request_body = NewSuppression,
    responses((status = 200, body = Suppression)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<NewSuppression>,
) -> Result<Json<Suppression>, ApiError> {
    let address = mail::Address::parse(input.address.trim()).map_err(|e| {
        ApiError::invalid("address", format!("{:?} is no mail address: {}.", input.address.trim(), e.why))
    })?;
    let (workspace, now_ms) = (actor.workspace, app.now_ms());
    let person = {
        let address = address.clone();
        app.storage.read(move |c| contact::find_by_email(c, workspace, &address)).await?
    };
    let owner = owner(&actor, input.global)?;
    let expires_ms = input.expires_at.as_deref().map(|text| moment(text, now_ms)).transpose()?;
    let hash = address_hash(&address);
    let (note, covers) = (input.note, input.covers);
    let person = person.map(|contact| contact.id);
    let told = Told {
        address: Some(address.normalized()),
        covers,
        reason: SuppressionReason::Manual,
        words: note.trim().to_owned(),
        by: actor.name.clone(),
        // A contact is known by its number in its own workspace alone.
        contact_id: person.filter(|_| owner == workspace).map(|id| id.0),
        global: owner == WorkspaceId::NONE,
        expires_at: expires_ms.map(time),
    };
    let hooks = Hooks::asking(&app, owner, WebhookType::SuppressionAdded).await?;
    app.storage
        .queue()
        .write(move |tx| {
            let new = suppression::NewSuppression {
                workspace_id: owner,
                address: &address,
                covers,
                reason: SuppressionReason::Manual,
                origin: note.trim(),
                recipient_id: None,
                campaign_id: None,
                contact_id: person,
                created_by: Some(&actor.name),
                now_ms,
                expires_ms,
            };
            match suppression::add(tx, &new)? {
                true => hooks.tell(tx, now_ms, &told),
                false => Ok(()),
            }
        })
        .await?;
    let made = app.storage.read(move |c| {
        let mut rows = suppression::of_hash(c, workspace, &hash)?;
        rows.retain(|row| row.covers == covers && row.workspace_id == owner);
        shapes(c, workspace, rows, now_ms)
    });
    made.await?.pop().map(Json).ok_or_else(|| ApiError::not_found("suppression"))
}

/// Takes an address off the list. Who and why are kept.
#[utoipa::path(post, path = "/api/v1/suppressions/{id}/remove", tag = "suppressions", params(("id" = i64, Path)),
    request_body = RemoveSuppression, responses((status = 200, body = Done)))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<RemoveSuppression>,
) -> Result<Json<Done>, ApiError> {
    let why = input.reason.trim().to_owned();
    if why.is_empty() {
        return Err(ApiError::invalid("reason", "Say why; it is kept in the history."));
    }
    if why.chars().count() > WHY_MAX {
        return Err(ApiError::invalid("reason", format!("Say it in {WHY_MAX} characters.")));
    }
    let now_ms = app.now_ms();
    let (workspace, id) = (actor.workspace, SuppressionId(id));
    let found = app.storage.read(move |c| {
        let Some(row) = suppression::find(c, workspace, id)? else {
            return suppression::find(c, WorkspaceId::NONE, id).map(|row| (row, None));
        };
        let person = contact::of_hash(c, workspace, &row.address_hash)?;
        Ok((Some(row), person))
    });
    let (row, person) = found.await?;
    let row = row.ok_or_else(|| ApiError::not_found("suppression"))?;
    owner(&actor, row.workspace_id == WorkspaceId::NONE)?;
    let told = Told {
        address: row.address.clone(),
        covers: row.covers,
        reason: row.reason,
        words: why.clone(),
        by: actor.name.clone(),
        contact_id: person.filter(|_| row.workspace_id == workspace).map(|id| id.0),
        global: row.workspace_id == WorkspaceId::NONE,
        expires_at: row.expires_ms.map(time),
    };
    let hooks = Hooks::asking(&app, row.workspace_id, WebhookType::SuppressionRemoved).await?;
    let remove = move |tx: &storage::Transaction<'_>| {
        let (actor, why) = (Some(actor.name.as_str()), why.as_str());
        let removal = Removal { why, actor, recipient_id: None, campaign_id: None, now_ms };
        let removed = suppression::remove(tx, row.workspace_id, (id, person), removal)?;
        if removed.is_some() {
            hooks.tell(tx, now_ms, &told)?;
        }
        Ok(removed)
    };
    let removed = app.storage.queue().write(remove).await?;
    let row = removed.ok_or_else(|| ApiError::not_found("suppression"))?;
    let address = row.address.unwrap_or_else(|| "The address".to_owned());
    Ok(Json(Done { message: format!("{address} can be sent to again.") }))
}

/// Whose list is meant. That of the whole installation binds every workspace, so it is the administrators'.
pub(crate) fn owner(actor: &Actor, global: bool) -> Result<WorkspaceId, ApiError> {
    if !global {
        return Ok(actor.workspace);
    }
    if !actor.may(Access::Least(Role::Admin)) {
        let message = "What holds for the whole installation is for administrators.";
        return Err(ApiError::new(ErrorCode::Forbidden, message).at("global"));
    }
    Ok(WorkspaceId::NONE)
}

fn moment(text: &str, now_ms: i64) -> Result<i64, ApiError> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    match at {
        Ok(at) if at.as_millisecond() > now_ms => Ok(at.as_millisecond()),
        Ok(_) => Err(ApiError::invalid("expires_at", "expires_at must lie in the future.")),
        Err(_) => Err(ApiError::invalid("expires_at", "Write a moment such as 2027-01-31T12:00:00Z.")),
    }
}

/// Entries on the wire, with what they came from.
pub(crate) fn shapes(
    connection: &Connection,
    workspace: WorkspaceId,
    rows: Vec<suppression::Suppression>,
    now_ms: i64,
) -> Result<Vec<Suppression>, StorageError> {
    let sources = sources(connection, workspace, rows.iter().filter_map(|row| row.recipient_id))?;
    let shape = |row: suppression::Suppression| Suppression {
        id: row.id.0,
        address: row.address,
        reason: row.reason,
        covers: row.covers,
        global: row.workspace_id == WorkspaceId::NONE,
        origin: row.origin,
        created_by: row.created_by,
        created_at: time(row.created_ms),
        expires_at: row.expires_ms.map(time),
        ended: row.expires_ms.is_some_and(|end| end <= now_ms),
        from: row.recipient_id.and_then(|id| sources.get(&id).cloned()),
    };
    Ok(rows.into_iter().map(shape).collect())
}

/// Where the mails of recipients came from, as far as they are kept.
pub(crate) fn sources(
    connection: &Connection,
    workspace: WorkspaceId,
    recipients: impl Iterator<Item = RecipientId>,
) -> Result<BTreeMap<RecipientId, SuppressionFrom>, StorageError> {
    let mut found = Vec::new();
    for recipient in recipients {
        if let Some(came) = suppression::came_from(connection, workspace, recipient)? {
            found.push((recipient, came));
        }
    }
    let names = timeline::campaign_names(connection, workspace, found.iter().filter_map(|(_, c)| c.campaign_id))?;
    let shape = |(recipient, came): (RecipientId, suppression::CameFrom)| {
        let campaign = came.campaign_id.and_then(|id| names.get(&id)).filter(|name| !name.is_empty()).cloned();
        let from = SuppressionFrom {
            recipient_id: recipient.0,
            campaign_id: came.campaign_id.map(|id| id.0),
            campaign,
            message_id: came.message_id.map(|id| id.0),
        };
        (recipient, from)
    };
    Ok(found.into_iter().map(shape).collect())
}
