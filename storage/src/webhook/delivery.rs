//! What was told to webhooks, and what is to be told again.

use super::cursor::{self, Cursor};
use crate::words::word;
use crate::{Storage, StorageError, WebhookId, WorkspaceId};
use api_types::{WebhookDeliveryState as State, WebhookType};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Longest answer that is kept, in bytes.
pub const ANSWER_MAX: usize = 1024;

/// What a delivery tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// An event.
    Event(i64),
    /// Something that was queued for the webhook.
    Queued(i64),
}

impl About {
    /// The same whenever it is sent: by it the other side knows what came twice.
    #[must_use]
    pub fn message_id(self) -> String {
        match self {
            About::Event(id) => format!("evt-{id}"),
            About::Queued(id) => format!("out-{id}"),
        }
    }

    fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            About::Event(id) => (Some(id), None),
            About::Queued(id) => (None, Some(id)),
        }
    }
}

/// A delivery as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Id.
    pub id: i64,
    /// What it tells.
    pub about: About,
    /// As which type.
    pub kind: WebhookType,
    /// When that happened.
    pub at_ms: i64,
    /// Where it stands.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next.
    pub next_ms: Option<i64>,
    /// When it was tried last.
    pub attempt_ms: Option<i64>,
    /// HTTP status of the last attempt.
    pub status: Option<u16>,
    /// The beginning of the last answer, or why there was none.
    pub answer: Option<String>,
    /// How long the last attempt took.
    pub took_ms: Option<u32>,
    /// What is told of it, in JSON; absent where it is made from the event.
    pub data: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was told.
    pub about: About,
    /// The delivery, where it is one already.
    pub delivery: Option<i64>,
    /// As which type.
    pub kind: WebhookType,
    /// When that happened.
    pub at_ms: i64,
    /// What was told of it, in JSON.
    pub data: String,
    /// Which attempt, from 1.
    pub number: u32,
    /// Whether the other side took it.
    pub success: bool,
    /// When it is tried again, where it failed and is not given up.
    pub next_ms: Option<i64>,
    /// When it was made.
    pub attempt_ms: i64,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub answer: String,
    /// How long it took.
    pub took_ms: u32,
    /// Whether giving it up counts against the webhook: not where a person wanted one attempt more.
    pub counts: bool,
}

impl Attempt {
    fn state(&self) -> State {
        match (self.success, self.next_ms) {
            (true, _) => State::Delivered,
            (false, Some(_)) => State::Retrying,
            (false, None) => State::Failed,
        }
    }
}

const INSERT: &str = "
    INSERT INTO webhook_delivery (webhook_id, workspace_id, type, event_id, queued_id, at_ms, created_ms, state, attempts,
        next_ms, attempt_ms, status, answer, took_ms, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?10, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
const UPDATE: &str = "
    UPDATE webhook_delivery SET state = ?4, attempts = ?5, next_ms = ?6, attempt_ms = ?7, status = ?8, answer = ?9,
        took_ms = ?10, data = iif(?4 = 'delivered' AND event_id IS NOT NULL, NULL, data)
    WHERE id = ?1 AND webhook_id = ?2 AND workspace_id = ?3";

/// Writes what came of attempts, in the order in which they ended, and the cursor behind them: one commit, so that a
/// crash before it tells all of it again and one after it nothing. How the webhook fares is in the cursor that comes
/// back. Belongs into the writer of events.db.
///
/// # Errors
/// The database's.
pub fn record(
    tx: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    attempts: &[Attempt],
    up_to: Option<(i64, u64)>,
) -> Result<Cursor, StorageError> {
    let mut now = cursor::open(tx, workspace, id)?;
    for attempt in attempts {
        write(tx, workspace, id, attempt)?;
        count(&mut now, attempt);
    }
    if let Some((event_id, skipped)) = up_to {
        // A person may have moved the cursor on meanwhile.
        now.event_id = now.event_id.max(event_id);
        now.skipped += skipped;
    }
    cursor::set(tx, workspace, id, &now)?;
    Ok(now)
}

fn write(tx: &Connection, workspace: WorkspaceId, id: WebhookId, a: &Attempt) -> Result<(), StorageError> {
    let (state, answer) = (a.state().as_str(), cut(&a.answer));
    if let Some(delivery) = a.delivery {
        tx.prepare_cached(UPDATE)?.execute(params![
            delivery,
            id,
            workspace,
            state,
            a.number,
            a.next_ms,
            a.attempt_ms,
            a.status,
            answer,
            a.took_ms,
        ])?;
        return Ok(());
    }
    let (event_id, queued_id) = a.about.columns();
    // What was delivered is made from its event when somebody wants to see it.
    let data = (!a.success).then_some(&a.data);
    tx.prepare_cached(INSERT)?.execute(params![
        id,
        workspace,
        a.kind.as_str(),
        event_id,
        queued_id,
        a.at_ms,
        state,
        a.number,
        a.next_ms,
        a.attempt_ms,
        a.status,
        answer,
        a.took_ms,
        data,
    ])?;
    Ok(())
}

fn count(cursor: &mut Cursor, attempt: &Attempt) {
    if attempt.success {
        cursor.delivered += 1;
        cursor.attempts_failed = 0;
        cursor.deliveries_failed = 0;
        cursor.success_ms = Some(attempt.attempt_ms);
        return;
    }
    cursor.attempts_failed = cursor.attempts_failed.saturating_add(1);
    cursor.failure_ms = Some(attempt.attempt_ms);
    let status = attempt.status.map(|status| format!("HTTP {status} ")).unwrap_or_default();
    cursor.failure = Some(cut(&format!("{status}{}", attempt.answer)).trim_end().to_owned());
    if attempt.next_ms.is_none() && attempt.counts {
        cursor.deliveries_failed = cursor.deliveries_failed.saturating_add(1);
    }
}

/// The text, cut to what is kept.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(ANSWER_MAX)]
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, type, event_id, queued_id, at_ms, state, attempts, next_ms, attempt_ms, status, answer, took_ms, \
             data FROM webhook_delivery ",
            $rest
        )
    };
}

const DUE: &str = select!(
    "WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id AND next_ms <= :now_ms ORDER BY next_ms LIMIT :limit"
);

/// What is to be told again now, the longest due first.
///
/// # Errors
/// The database's.
pub fn due(
    c: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    now_ms: i64,
    limit: u32,
) -> Result<Vec<Delivery>, StorageError> {
    let mut statement = c.prepare_cached(DUE)?;
    let rows = statement.query_map(
        named_params! { ":webhook_id": id, ":workspace_id": workspace, ":now_ms": now_ms, ":limit": limit },
        read,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const OPEN: &str = "
    SELECT count(*) FROM (SELECT 1 FROM webhook_delivery
        WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id AND next_ms IS NOT NULL LIMIT :limit)";

/// How many deliveries wait for another attempt, counted up to `limit`.
///
/// # Errors
/// The database's.
pub fn open(c: &Connection, workspace: WorkspaceId, id: WebhookId, limit: u32) -> Result<u32, StorageError> {
    let values = named_params! { ":webhook_id": id, ":workspace_id": workspace, ":limit": limit };
    Ok(c.prepare_cached(OPEN)?.query_row(values, |row| row.get(0))?)
}

const HURRY: &str = "
    UPDATE webhook_delivery SET next_ms = :now_ms
    WHERE id IN (SELECT id FROM webhook_delivery
        WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id AND next_ms > :now_ms LIMIT :limit)";

/// Makes everything that waits for another attempt due now: the other side answers again.
///
/// # Errors
/// The database's.
pub fn hurry(
    tx: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    now_ms: i64,
    limit: u32,
) -> Result<usize, StorageError> {
    let values = named_params! { ":webhook_id": id, ":workspace_id": workspace, ":now_ms": now_ms, ":limit": limit };
    Ok(tx.prepare_cached(HURRY)?.execute(values)?)
}

const AGAIN: &str = "
    UPDATE webhook_delivery SET state = 'waiting', next_ms = :now_ms, data = coalesce(data, :data)
    WHERE id = :id AND webhook_id = :webhook_id AND workspace_id = :workspace_id AND coalesce(data, :data) IS NOT NULL";

/// Sends a delivery once more; `data` where its own is not kept. `false` when there is neither.
///
/// # Errors
/// The database's.
pub fn again(
    tx: &Connection,
    workspace: WorkspaceId,
    (webhook, id): (WebhookId, i64),
    data: Option<&str>,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(AGAIN)?.execute(named_params! {
        ":id": id,
        ":webhook_id": webhook,
        ":workspace_id": workspace,
        ":data": data,
        ":now_ms": now_ms,
    })?;
    Ok(changed > 0)
}

const FIND: &str = select!("WHERE id = :id AND webhook_id = :webhook_id AND workspace_id = :workspace_id");

/// One delivery of a webhook.
///
/// # Errors
/// The database's.
pub fn find(
    c: &Connection,
    workspace: WorkspaceId,
    webhook: WebhookId,
    id: i64,
) -> Result<Option<Delivery>, StorageError> {
    let values = named_params! { ":id": id, ":webhook_id": webhook, ":workspace_id": workspace };
    Ok(c.prepare_cached(FIND)?.query_row(values, read).optional()?)
}

const PAGE: &str = select!(
    "WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit"
);
// Two statements, so that each has its index: of very many delivered ones few are not.
const PAGE_OPEN: &str = select!(
    "INDEXED BY webhook_delivery_state
     WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id AND state = :state AND state <> 'delivered'
        AND id < :before
     ORDER BY id DESC LIMIT :limit"
);

/// Deliveries of a webhook, newest first, with ids below `before`: all, or those that wait, are retried or failed.
///
/// # Errors
/// The database's.
pub fn page(
    c: &Connection,
    workspace: WorkspaceId,
    webhook: WebhookId,
    state: Option<State>,
    (before, limit): (i64, u32),
) -> Result<Vec<Delivery>, StorageError> {
    let values =
        named_params! { ":webhook_id": webhook, ":workspace_id": workspace, ":before": before, ":limit": limit };
    match state.filter(|state| *state != State::Delivered) {
        Some(state) => {
            let mut statement = c.prepare_cached(PAGE_OPEN)?;
            let mut all = values.to_vec();
            let word = state.as_str();
            all.push((":state", &word));
            Ok(statement.query_map(all.as_slice(), read)?.collect::<Result<_, _>>()?)
        }
        None => Ok(c.prepare_cached(PAGE)?.query_map(values, read)?.collect::<Result<_, _>>()?),
    }
}

const FORGET: &str = "
    DELETE FROM webhook_delivery
    WHERE id IN (SELECT id FROM webhook_delivery ORDER BY id LIMIT ?2) AND created_ms < ?1";

/// Deletes at most `limit` of the oldest deliveries from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

const FORGET_WEBHOOK: &str = "
    DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery
        WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id LIMIT :limit)";
const FORGET_CURSOR: &str =
    "DELETE FROM webhook_cursor WHERE webhook_id = :webhook_id AND workspace_id = :workspace_id";

/// Deletes the cursor of a webhook that is no more and at most `limit` of its deliveries; says how many. Call again
/// until 0.
///
/// # Errors
/// The database's.
pub async fn forget_webhook(
    storage: &Storage,
    workspace: WorkspaceId,
    webhook: WebhookId,
    limit: u32,
) -> Result<usize, StorageError> {
    let forgetting = storage.events().write(move |tx| {
        tx.prepare_cached(FORGET_CURSOR)?
            .execute(named_params! { ":webhook_id": webhook, ":workspace_id": workspace })?;
        let values = named_params! { ":webhook_id": webhook, ":workspace_id": workspace, ":limit": limit };
        Ok(tx.prepare_cached(FORGET_WEBHOOK)?.execute(values)?)
    });
    forgetting.await
}

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let (event, queued): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
    Ok(Delivery {
        id: row.get(0)?,
        kind: word(row, 1, WebhookType::parse)?,
        // The table's check: one of them is there.
        about: event.map_or(About::Queued(queued.unwrap_or_default()), About::Event),
        at_ms: row.get(4)?,
        state: word(row, 5, State::parse)?,
        attempts: row.get(6)?,
        next_ms: row.get(7)?,
        attempt_ms: row.get(8)?,
        status: row.get(9)?,
        answer: row.get(10)?,
        took_ms: row.get(11)?,
        data: row.get(12)?,
    })
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[INSERT, UPDATE, DUE, OPEN, HURRY, AGAIN, FIND, PAGE, PAGE_OPEN, FORGET, FORGET_WEBHOOK, FORGET_CURSOR];
