//! Webhooks: who is told what happens, in which words, and how far each has come.
//!
//! The webhook itself is a row of main.db. It reads the events in events.db behind a cursor of its own ([`cursor`]);
//! what failed, and what was sent, is in [`delivery`]. What is no event is queued for one webhook in the commit of what
//! it tells ([`queue`]).

pub mod about;
pub mod cursor;
pub mod delivery;
pub mod happening;
mod outbox;

pub use outbox::{DATA_MAX, drain, queue};

use crate::{CampaignId, StorageError, WebhookId, WorkspaceId};
use api_types::WebhookType;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Id.
    pub id: WebhookId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// What was chosen for it.
    pub wish: Wish,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Why it was disabled, where nobody did it by hand.
    pub disabled_why: Option<String>,
    /// Its secrets.
    pub secrets: Secrets,
    /// When made.
    pub created_ms: i64,
}

/// What people choose of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What it is for.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// What it is told of; empty: everything.
    pub types: Vec<WebhookType>,
    /// Only what belongs to this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Only messages with this tag.
    pub tag: Option<String>,
    /// Only mail of this stream.
    pub stream: Option<String>,
}

/// Sealed secrets of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The present one.
    pub sealed: Vec<u8>,
    /// The one before, and until when it signs too.
    pub before: Option<(Vec<u8>, i64)>,
}

const INSERT: &str = "
    INSERT INTO webhook (workspace_id, name, url, types, campaign_id, tag, stream, enabled, secret_sealed, created_by,
        created_ms)
    VALUES (:workspace_id, :name, :url, :types, :campaign_id, :tag, :stream, 1, x'', :created_by, :created_ms)";

/// Stores a webhook, without a secret yet: that is sealed for its id (see [`rotate`]).
///
/// # Errors
/// `Exists` when the workspace has one of this name.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    wish: &Wish,
    (created_by, created_ms): (&str, i64),
) -> Result<WebhookId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":name": wish.name,
        ":url": wish.url,
        ":types": types(wish),
        ":campaign_id": wish.campaign_id,
        ":tag": wish.tag,
        ":stream": wish.stream,
        ":created_by": created_by,
        ":created_ms": created_ms,
    })?;
    Ok(WebhookId(tx.last_insert_rowid()))
}

fn types(wish: &Wish) -> String {
    serde_json::json!(wish.types).to_string()
}

const UPDATE: &str = "
    UPDATE webhook SET name = :name, url = :url, types = :types, campaign_id = :campaign_id, tag = :tag, stream = :stream
    WHERE id = :id AND workspace_id = :workspace_id";

/// Changes what people choose; `false` when there is none.
///
/// # Errors
/// `Exists` when the workspace has another of this name.
pub fn update(tx: &Connection, workspace: WorkspaceId, id: WebhookId, wish: &Wish) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":name": wish.name,
        ":url": wish.url,
        ":types": types(wish),
        ":campaign_id": wish.campaign_id,
        ":tag": wish.tag,
        ":stream": wish.stream,
    })?;
    Ok(changed > 0)
}

const SWITCH: &str = "
    UPDATE webhook SET enabled = :enabled, disabled_why = :why, disabled_ms = :disabled_ms
    WHERE id = :id AND workspace_id = :workspace_id AND enabled <> :enabled";

/// Whether a webhook is told anything, and why not.
#[derive(Clone, Copy, Debug)]
pub enum Switch<'a> {
    /// It is.
    On,
    /// A person does not want it.
    Off,
    /// It was disabled by itself.
    Disabled {
        /// Why.
        why: &'a str,
        /// When.
        at_ms: i64,
    },
}

/// Switches a webhook; `false` when it stood so already.
///
/// # Errors
/// The database's.
pub fn switch(
    tx: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    switch: Switch<'_>,
) -> Result<bool, StorageError> {
    let (enabled, why, disabled_ms) = match switch {
        Switch::On => (true, None, None),
        Switch::Off => (false, None, None),
        Switch::Disabled { why, at_ms } => (false, Some(why), Some(at_ms)),
    };
    let changed = tx.prepare_cached(SWITCH)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":enabled": enabled,
        ":why": why,
        ":disabled_ms": disabled_ms,
    })?;
    Ok(changed > 0)
}

const ROTATE: &str = "
    UPDATE webhook SET
        secret_before_sealed = iif(:until_ms IS NULL, NULL, secret_sealed), secret_before_until_ms = :until_ms,
        secret_sealed = :sealed
    WHERE id = :id AND workspace_id = :workspace_id";

/// Gives a webhook another secret; the one before signs too until `before_until_ms`, where that is given. `false` when
/// there is no such webhook.
///
/// # Errors
/// The database's.
pub fn rotate(
    tx: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    sealed: &[u8],
    before_until_ms: Option<i64>,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(ROTATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":sealed": sealed,
        ":until_ms": before_until_ms,
    })?;
    Ok(changed > 0)
}

const DELETE: &str = "DELETE FROM webhook WHERE id = :id AND workspace_id = :workspace_id";

/// Deletes a webhook; `false` when there was none. Its traces in events.db are [`delivery::forget_webhook`]'s.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: WebhookId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, workspace_id, name, url, types, campaign_id, tag, stream, enabled, disabled_why, secret_sealed, \
             secret_before_sealed, secret_before_until_ms, created_ms FROM webhook ",
            $rest
        )
    };
}

const FIND: &str = select!("WHERE id = :id AND workspace_id = :workspace_id");

/// One webhook.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: WebhookId) -> Result<Option<Webhook>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const LIST: &str = select!("WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit");

/// Webhooks of the workspace, newest first, with ids below `before`.
///
/// # Errors
/// The database's.
pub fn list(c: &Connection, workspace: WorkspaceId, before: i64, limit: u32) -> Result<Vec<Webhook>, StorageError> {
    let mut statement = c.prepare_cached(LIST)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ENABLED: &str = select!("WHERE enabled = 1 ORDER BY id");

/// Every webhook that is told something, of every workspace: each reads only its own workspace's events.
///
/// # Errors
/// The database's.
pub fn enabled(c: &Connection) -> Result<Vec<Webhook>, StorageError> {
    let mut statement = c.prepare_cached(ENABLED)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ASKED: &str =
    select!("WHERE (:workspace_id IS NULL OR workspace_id = :workspace_id) AND enabled = 1 ORDER BY id");

/// The webhooks of a workspace, or of every one, that ask for something of no campaign and no message: those that look at
/// everything.
///
/// # Errors
/// The database's.
pub fn asking(
    c: &Connection,
    workspace: Option<WorkspaceId>,
    kind: WebhookType,
) -> Result<Vec<(WorkspaceId, WebhookId)>, StorageError> {
    let mut statement = c.prepare_cached(ASKED)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace }, read)?;
    let all: Vec<Webhook> = rows.collect::<Result<_, _>>()?;
    let wants = |webhook: &&Webhook| {
        let wish = &webhook.wish;
        let narrow = wish.campaign_id.is_some() || wish.tag.is_some() || wish.stream.is_some();
        !narrow && (wish.types.is_empty() || wish.types.contains(&kind))
    };
    Ok(all.iter().filter(wants).map(|webhook| (webhook.workspace_id, webhook.id)).collect())
}

const DISABLED: &str =
    select!("WHERE workspace_id = :workspace_id AND disabled_why IS NOT NULL ORDER BY id LIMIT :limit");

/// Webhooks of the workspace that were disabled by themselves.
///
/// # Errors
/// The database's.
pub fn disabled(c: &Connection, workspace: WorkspaceId, limit: u32) -> Result<Vec<Webhook>, StorageError> {
    let mut statement = c.prepare_cached(DISABLED)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const COUNT: &str = "SELECT count(*) FROM webhook WHERE workspace_id = :workspace_id";

/// How many webhooks the workspace has.
///
/// # Errors
/// The database's.
pub fn count(c: &Connection, workspace: WorkspaceId) -> Result<u64, StorageError> {
    let mut statement = c.prepare_cached(COUNT)?;
    Ok(statement.query_row(named_params! { ":workspace_id": workspace }, |row| crate::words::count(row, 0))?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let failed = |e| rusqlite::Error::FromSqlConversionFailure(4, Type::Text, Box::new(e));
    let before: Option<Vec<u8>> = row.get(11)?;
    let until_ms: Option<i64> = row.get(12)?;
    Ok(Webhook {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        wish: Wish {
            name: row.get(2)?,
            url: row.get(3)?,
            types: serde_json::from_str(row.get_ref(4)?.as_str()?).map_err(failed)?,
            campaign_id: row.get(5)?,
            tag: row.get(6)?,
            stream: row.get(7)?,
        },
        enabled: row.get(8)?,
        disabled_why: row.get(9)?,
        secrets: Secrets { sealed: row.get(10)?, before: before.zip(until_ms) },
        created_ms: row.get(13)?,
    })
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [INSERT, UPDATE, SWITCH, ROTATE, DELETE, FIND, LIST, ENABLED, ASKED, DISABLED, COUNT];
    let parts =
        [about::STATEMENTS, cursor::STATEMENTS, delivery::STATEMENTS, happening::STATEMENTS, outbox::STATEMENTS];
    own.into_iter().chain(parts.into_iter().flatten().copied()).collect()
}

#[cfg(test)]
mod tests;
