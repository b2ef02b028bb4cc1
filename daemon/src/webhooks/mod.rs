//! Webhooks: made, changed, tried out, shown; told what happens by the loops of [`run`].

mod body;
pub(crate) mod by_hand;
mod retry;
pub(crate) mod run;
mod sign;

use crate::app::{App, Shared};
use crate::http::error::{ApiError, sentence};
use crate::text::{time, token};
use api_types::{
    NewWebhook, Webhook, WebhookAnswer, WebhookChange, WebhookDelivery, WebhookDeliveryDetail, WebhookDeliveryState,
    WebhookHealth, WebhookSecret, WebhookType,
};
use sign::{NewSecret, OVERLAP_MS, Signer};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use storage::webhook::cursor::{self, Cursor, Missed};
use storage::webhook::delivery::{self, ANSWER_MAX, About, Delivery};
use storage::webhook::happening;
use storage::webhook::{self, Switch, Wish};
use storage::{CampaignId, Connection, StorageError, WebhookId, WorkspaceId, campaign};
use tokio::sync::Notify;
use world::{PostError, Posted, Poster, Reach};

pub(crate) const METRIC_ATTEMPTS: &str = "packetboat_webhook_attempts_total";
pub(crate) const METRIC_DISABLED: &str = "packetboat_webhooks_disabled_total";
pub(crate) const METRIC_SKIPPED: &str = "packetboat_webhook_events_skipped_total";

/// Webhooks of a workspace at most: each has a loop of its own.
const WEBHOOKS_MAX: u64 = 20;
const URL_MAX: usize = 2000;
const FORGET_CHUNK: u32 = 1000;

/// What the loops and the handlers share.
pub(crate) struct Webhooks {
    /// Tells the loops that a webhook was made, changed or deleted.
    changed: Notify,
    poster: Poster,
    /// How far each has come; what is in the database may lie a little behind.
    passed: Mutex<HashMap<WebhookId, i64>>,
}

impl Webhooks {
    pub fn new(config: &config::Config) -> Webhooks {
        let reach = if config.webhook.allow_private { Reach::Everywhere } else { Reach::Public };
        Webhooks { changed: Notify::new(), poster: Poster::new(reach), passed: Mutex::default() }
    }

    fn passed(&self, id: WebhookId, event_id: i64) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).insert(id, event_id);
    }

    fn ended(&self, id: WebhookId) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn where_is(&self, id: WebhookId) -> i64 {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied().unwrap_or(0)
    }
}

/// Tells the recorder what the counters mean.
pub(crate) fn describe() {
    metrics::describe_counter!(METRIC_ATTEMPTS, "Requests to webhooks, by outcome.");
    metrics::describe_counter!(METRIC_DISABLED, "Webhooks that were disabled by themselves.");
    metrics::describe_counter!(METRIC_SKIPPED, "Events that were deleted before a webhook could be told of them.");
}

/// Makes a webhook. Its secret is in the answer and nowhere else.
///
/// # Errors
/// `invalid` for a bad name, URL, type or filter; `conflict` when the name is taken or there are too many.
pub(crate) async fn create(
    app: &Shared,
    workspace: WorkspaceId,
    input: NewWebhook,
    created_by: &str,
) -> Result<WebhookSecret, ApiError> {
    let wish = Wish {
        name: input.name,
        url: input.url,
        types: input.types,
        campaign_id: input.campaign_id.map(CampaignId),
        tag: input.tag,
        stream: input.stream,
    };
    let wish = checked(app, workspace, wish).await?;
    if app.storage.read(move |c| webhook::count(c, workspace)).await? >= WEBHOOKS_MAX {
        let message = format!("There are {WEBHOOKS_MAX} webhooks, and more are not possible. Delete one first.");
        return Err(ApiError::wrong_state(message));
    }
    let secret = NewSecret::new(&*app.random);
    let text = secret.text();
    let (this, now_ms, by) = (app.clone(), app.now_ms(), created_by.to_owned());
    let storing = app.storage.main().write(move |tx| {
        let id = webhook::insert(tx, workspace, &wish, (&by, now_ms))?;
        webhook::rotate(tx, workspace, id, &secret.sealed(&this.keys.master, id), None)?;
        Ok(id)
    });
    let id = storing.await.map_err(taken)?;
    // From here on it is told what happens, however long its loop takes to begin.
    app.storage.events().write(move |tx| cursor::open(tx, workspace, id)).await?;
    app.webhooks.changed.notify_one();
    Ok(WebhookSecret { webhook: show(app, workspace, id).await?, secret: text })
}

fn taken(error: StorageError) -> ApiError {
    match error {
        StorageError::Exists => ApiError::exists("name", "There is a webhook of this name already."),
        other => other.into(),
    }
}

/// Changes a webhook. Who enables it again begins anew with its failures.
///
/// # Errors
/// `not_found`; otherwise as [`create`].
pub(crate) async fn change(
    app: &Shared,
    workspace: WorkspaceId,
    id: WebhookId,
    change: WebhookChange,
) -> Result<Webhook, ApiError> {
    let before = find(app, workspace, id).await?;
    if change.skip_missed && (before.enabled || change.enabled != Some(true)) {
        let message = "skip_missed goes together with enabled = true, of a webhook that is disabled.";
        return Err(ApiError::invalid("skip_missed", message));
    }
    let old = before.wish;
    let wish = Wish {
        name: change.name.unwrap_or(old.name),
        url: change.url.unwrap_or(old.url),
        types: change.types.unwrap_or(old.types),
        campaign_id: match change.campaign_id {
            Some(0) => None,
            Some(id) => Some(CampaignId(id)),
            None => old.campaign_id,
        },
        tag: change.tag.or(old.tag),
        stream: change.stream.or(old.stream),
    };
    let wish = checked(app, workspace, wish).await?;
    if change.enabled == Some(true) && !before.enabled {
        let missed = if change.skip_missed { Missed::Skipped } else { Missed::Told };
        app.storage.events().write(move |tx| cursor::again(tx, workspace, id, missed)).await?;
    }
    let writing = app.storage.main().write(move |tx| {
        webhook::update(tx, workspace, id, &wish)?;
        match change.enabled {
            Some(true) => webhook::switch(tx, workspace, id, Switch::On),
            Some(false) => webhook::switch(tx, workspace, id, Switch::Off),
            None => Ok(false),
        }
    });
    writing.await.map_err(taken)?;
    app.webhooks.changed.notify_one();
    show(app, workspace, id).await
}

/// Gives a webhook another secret; for a day the one before signs too.
///
/// # Errors
/// `not_found`.
pub(crate) async fn rotate(app: &Shared, workspace: WorkspaceId, id: WebhookId) -> Result<WebhookSecret, ApiError> {
    find(app, workspace, id).await?;
    let secret = NewSecret::new(&*app.random);
    let (sealed, until_ms) = (secret.sealed(&app.keys.master, id), app.now_ms() + OVERLAP_MS);
    app.storage.main().write(move |tx| webhook::rotate(tx, workspace, id, &sealed, Some(until_ms))).await?;
    app.webhooks.changed.notify_one();
    Ok(WebhookSecret { webhook: show(app, workspace, id).await?, secret: secret.text() })
}

/// Deletes a webhook with its deliveries.
///
/// # Errors
/// `not_found`.
pub(crate) async fn delete(app: &Shared, workspace: WorkspaceId, id: WebhookId) -> Result<(), ApiError> {
    if !app.storage.main().write(move |tx| webhook::delete(tx, workspace, id)).await? {
        return Err(ApiError::not_found("webhook"));
    }
    app.webhooks.changed.notify_one();
    while delivery::forget_webhook(&app.storage, workspace, id, FORGET_CHUNK).await? > 0 {}
    Ok(())
}

/// Sends a signed request that tells nothing, and says what came back. It is no delivery, and counts nowhere.
///
/// # Errors
/// `not_found`.
pub(crate) async fn test(app: &App, workspace: WorkspaceId, id: WebhookId) -> Result<WebhookAnswer, ApiError> {
    let found = find(app, workspace, id).await?;
    let signer = Signer::open(&app.keys.master, id, &found.secrets).map_err(ApiError::internal)?;
    let now_ms = app.now_ms();
    let message_id = format!("test-{}", token(&*app.random));
    let data = serde_json::json!({ "webhook": found.wish.name }).to_string();
    let request = body::body(&message_id, (WebhookType::WebhookTest, now_ms), workspace, data);
    let request = request.map_err(ApiError::internal)?;
    let headers = signer.headers(&message_id, &request, now_ms);
    let begun = Instant::now();
    let answer = app.webhooks.poster.post(&found.wish.url, &headers, request.clone(), ANSWER_MAX).await;
    let success = retry::outcome(&answer) == retry::Outcome::Taken;
    let (status, answer) = said(answer);
    let took_ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    Ok(WebhookAnswer { success, status, answer, took_ms, request })
}

/// What came back, for people: the status and the beginning of the answer, or why there was none.
fn said(answer: Result<Posted, PostError>) -> (Option<u16>, String) {
    match answer {
        Ok(posted) => (Some(posted.status), String::from_utf8_lossy(&posted.body).into_owned()),
        Err(e) => (None, e.to_string()),
    }
}

/// What people chose, made sure of.
async fn checked(app: &App, workspace: WorkspaceId, mut wish: Wish) -> Result<Wish, ApiError> {
    wish.name = wish.name.trim().to_owned();
    if wish.name.is_empty() || wish.name.chars().count() > 100 || wish.name.chars().any(char::is_control) {
        return Err(ApiError::invalid("name", "Give the webhook a name of 1 to 100 characters: what it is for."));
    }
    wish.url = wish.url.trim().to_owned();
    if wish.url.len() > URL_MAX {
        return Err(ApiError::invalid("url", format!("The URL must have at most {URL_MAX} characters.")));
    }
    app.webhooks.poster.check(&wish.url).map_err(|e| ApiError::invalid("url", sentence(&e.to_string())))?;
    if let Some(other) = wish.types.iter().find(|kind| !kind.is_asked_for()) {
        let message =
            format!("{} is sent to the webhook that it is meant for; it cannot be asked for.", other.as_str());
        return Err(ApiError::invalid("types", message));
    }
    // Each once, in the order of the document.
    wish.types = WebhookType::ALL.iter().copied().filter(|kind| wish.types.contains(kind)).collect();
    if let Some(id) = wish.campaign_id
        && app.storage.read(move |c| campaign::find(c, workspace, id)).await?.is_none()
    {
        return Err(ApiError::invalid("campaign_id", "There is no such campaign."));
    }
    wish.tag = wish.tag.map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty());
    if wish.tag.as_ref().is_some_and(|tag| tag.chars().count() > 100) {
        return Err(ApiError::invalid("tag", "A tag has at most 100 characters."));
    }
    wish.stream = wish.stream.filter(|stream| !stream.is_empty());
    if let Some(stream) = wish.stream.as_ref().filter(|name| app.config.streams.find(name).is_none()) {
        let names: Vec<&str> = app.config.streams.iter().map(|stream| stream.name.as_str()).collect();
        let message = format!("There is no stream {stream}. Streams: {}.", names.join(", "));
        return Err(ApiError::invalid("stream", message));
    }
    Ok(wish)
}

async fn find(app: &App, workspace: WorkspaceId, id: WebhookId) -> Result<webhook::Webhook, ApiError> {
    let found = app.storage.read(move |c| webhook::find(c, workspace, id)).await?;
    found.ok_or_else(|| ApiError::not_found("webhook"))
}

/// One webhook, with how it fares.
///
/// # Errors
/// `not_found`.
pub(crate) async fn show(app: &App, workspace: WorkspaceId, id: WebhookId) -> Result<Webhook, ApiError> {
    let found = app.storage.read(move |c| {
        let Some(row) = webhook::find(c, workspace, id)? else { return Ok(None) };
        with_cursor(c, &row).map(|found| Some((row, found)))
    });
    let (row, (cursor, newest)) = found.await?.ok_or_else(|| ApiError::not_found("webhook"))?;
    Ok(shape(app, row, cursor, newest))
}

fn with_cursor(c: &Connection, row: &webhook::Webhook) -> Result<(Cursor, i64), StorageError> {
    let newest = cursor::newest_event(c)?;
    let cursor = cursor::find(c, row.workspace_id, row.id)?;
    Ok((cursor.unwrap_or_else(|| Cursor { event_id: newest, ..Cursor::default() }), newest))
}

/// Webhooks of the workspace, newest first, with ids below `before`.
pub(crate) async fn list(app: &App, workspace: WorkspaceId, before: i64, limit: u32) -> Result<Vec<Webhook>, ApiError> {
    let found = app.storage.read(move |c| {
        let rows = webhook::list(c, workspace, before, limit)?;
        rows.into_iter().map(|row| with_cursor(c, &row).map(|found| (row, found))).collect::<Result<Vec<_>, _>>()
    });
    Ok(found.await?.into_iter().map(|(row, (cursor, newest))| shape(app, row, cursor, newest)).collect())
}

fn shape(app: &App, row: webhook::Webhook, cursor: Cursor, newest: i64) -> Webhook {
    let passed = cursor.event_id.max(app.webhooks.where_is(row.id));
    let until_ms = row.secrets.before.map(|(_, until_ms)| until_ms).filter(|until_ms| *until_ms > app.now_ms());
    Webhook {
        id: row.id.0,
        name: row.wish.name,
        url: row.wish.url,
        types: row.wish.types,
        campaign_id: row.wish.campaign_id.map(|id| id.0),
        tag: row.wish.tag,
        stream: row.wish.stream,
        enabled: row.enabled,
        disabled_why: row.disabled_why,
        old_secret_until: until_ms.map(time),
        created_at: time(row.created_ms),
        health: WebhookHealth {
            delivered: cursor.delivered,
            attempts_failed: cursor.attempts_failed,
            deliveries_failed: cursor.deliveries_failed,
            skipped: cursor.skipped,
            behind: u64::try_from(newest - passed).unwrap_or(0),
            success_at: cursor.success_ms.map(time),
            failure_at: cursor.failure_ms.map(time),
            failure: cursor.failure,
        },
    }
}

/// Deliveries of a webhook, newest first.
///
/// # Errors
/// `not_found`.
pub(crate) async fn deliveries(
    app: &App,
    workspace: WorkspaceId,
    id: WebhookId,
    state: Option<WebhookDeliveryState>,
    page: (i64, u32),
) -> Result<Vec<WebhookDelivery>, ApiError> {
    find(app, workspace, id).await?;
    let rows = app.storage.read(move |c| delivery::page(c, workspace, id, state, page)).await?;
    Ok(rows.iter().map(shape_delivery).collect())
}

fn shape_delivery(row: &Delivery) -> WebhookDelivery {
    WebhookDelivery {
        id: row.id,
        message_id: row.about.message_id(),
        kind: row.kind,
        at: time(row.at_ms),
        state: row.state,
        attempts: row.attempts,
        next_at: row.next_ms.map(time),
        attempt_at: row.attempt_ms.map(time),
        status: row.status,
        took_ms: row.took_ms,
    }
}

/// One delivery with what was sent and what came back.
///
/// # Errors
/// `not_found`.
pub(crate) async fn delivery(
    app: &App,
    workspace: WorkspaceId,
    webhook: WebhookId,
    id: i64,
) -> Result<WebhookDeliveryDetail, ApiError> {
    let (row, data) = find_delivery(app, workspace, webhook, id).await?;
    let message_id = row.about.message_id();
    let body = |data| body::body(&message_id, (row.kind, row.at_ms), workspace, data);
    let request = data.map(body).transpose().map_err(ApiError::internal)?;
    Ok(WebhookDeliveryDetail { delivery: shape_delivery(&row), request, answer: row.answer })
}

/// A delivery and its data: its own, or made from the event, while that is kept.
async fn find_delivery(
    app: &App,
    workspace: WorkspaceId,
    webhook: WebhookId,
    id: i64,
) -> Result<(Delivery, Option<String>), ApiError> {
    let found = app.storage.read(move |c| {
        let Some(row) = delivery::find(c, workspace, webhook, id)? else { return Ok(None) };
        let happening = match (&row.data, row.about) {
            (None, About::Event(event)) => happening::find(c, workspace, event)?,
            _ => None,
        };
        Ok(Some((row, happening)))
    });
    let (row, happening) = found.await?.ok_or_else(|| ApiError::not_found("delivery"))?;
    let made = happening.map(body::data).transpose().map_err(ApiError::internal)?;
    let data = row.data.clone().or(made);
    Ok((row, data))
}

/// Sends a delivery once more.
///
/// # Errors
/// `not_found`; `wrong_state` while the webhook is disabled, or where what was told is no longer kept.
pub(crate) async fn retry(
    app: &App,
    workspace: WorkspaceId,
    webhook: WebhookId,
    id: i64,
) -> Result<WebhookDelivery, ApiError> {
    if !find(app, workspace, webhook).await?.enabled {
        return Err(ApiError::wrong_state("The webhook is disabled. Enable it first."));
    }
    let (_, data) = find_delivery(app, workspace, webhook, id).await?;
    let now_ms = app.now_ms();
    let again =
        app.storage.events().write(move |tx| delivery::again(tx, workspace, (webhook, id), data.as_deref(), now_ms));
    if !again.await? {
        return Err(ApiError::wrong_state("The event that it told is no longer kept."));
    }
    Ok(shape_delivery(&find_delivery(app, workspace, webhook, id).await?.0))
}

/// What is to be said of webhooks that were disabled by themselves.
pub(crate) fn notice(row: &webhook::Webhook) -> String {
    let why = row.disabled_why.as_deref().unwrap_or_default();
    format!("The webhook {} is told nothing any more: {}", row.wish.name, sentence(why))
}
