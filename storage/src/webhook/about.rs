//! Which webhooks were told what of one recipient.

use crate::words::word;
use crate::{RecipientId, StorageError, WebhookId, WorkspaceId};
use api_types::{WebhookDeliveryState as State, WebhookType};
use rusqlite::{Connection, Row, named_params};

/// A delivery that concerns a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The delivery.
    pub id: i64,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Its name; empty where it is no more.
    pub webhook: String,
    /// As which type.
    pub kind: WebhookType,
    /// When it was made.
    pub created_ms: i64,
    /// Where it stands.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was tried last.
    pub attempt_ms: Option<i64>,
    /// HTTP status of the last attempt.
    pub status: Option<u16>,
    /// How long that took.
    pub took_ms: Option<u32>,
    /// The beginning of the last answer, or why there was none.
    pub answer: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.webhook_id, coalesce(w.name, ''), d.type, d.created_ms, d.state, d.attempts, d.attempt_ms, \
             d.status, d.took_ms, d.answer \
             FROM webhook_delivery d LEFT JOIN webhook w ON w.id = d.webhook_id AND w.workspace_id = d.workspace_id ",
            $rest
        )
    };
}

const OF_EVENTS: &str = select!(
    "WHERE d.event_id IN (SELECT value FROM json_each(:events)) AND d.workspace_id = :workspace_id \
     ORDER BY d.id DESC LIMIT :limit"
);
const QUEUED: &str = select!(
    "WHERE d.queued_id IS NOT NULL AND json_extract(d.data, '$.recipient_id') = :recipient_id \
     AND d.workspace_id = :workspace_id ORDER BY d.id DESC LIMIT :limit"
);

/// Deliveries of a recipient's events, and of what else webhooks are told of it.
///
/// # Errors
/// The database's.
pub fn of_recipient(
    c: &Connection,
    workspace: WorkspaceId,
    (recipient, events): (RecipientId, &[i64]),
    limit: u32,
) -> Result<Vec<Told>, StorageError> {
    let events = serde_json::Value::from(events.to_vec()).to_string();
    let mut statement = c.prepare_cached(OF_EVENTS)?;
    let values = named_params! { ":events": events, ":workspace_id": workspace, ":limit": limit };
    let mut all: Vec<Told> = statement.query_map(values, read)?.collect::<Result<_, _>>()?;
    let mut statement = c.prepare_cached(QUEUED)?;
    let values = named_params! { ":recipient_id": recipient, ":workspace_id": workspace, ":limit": limit };
    for row in statement.query_map(values, read)? {
        all.push(row?);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Told> {
    Ok(Told {
        id: row.get(0)?,
        webhook_id: row.get(1)?,
        webhook: row.get(2)?,
        kind: word(row, 3, WebhookType::parse)?,
        created_ms: row.get(4)?,
        state: word(row, 5, State::parse)?,
        attempts: row.get(6)?,
        attempt_ms: row.get(7)?,
        status: row.get(8)?,
        took_ms: row.get(9)?,
        answer: row.get(10)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[OF_EVENTS, QUEUED];
