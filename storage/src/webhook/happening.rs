//! Events as webhooks tell them: with the recipient's address, its message and its campaign.

use crate::event::{self, EventRow, Kind};
use crate::{MessageId, StorageError, WorkspaceId};
use api_types::WebhookType;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// What a webhook is told of an event; `None` for what stays in the house.
#[must_use]
pub fn told_as(kind: Kind) -> Option<WebhookType> {
    Some(match kind {
        Kind::Delivered => WebhookType::MessageDelivered,
        // Whether the address or our own name was the reason stands in the class.
        Kind::Deferred | Kind::Blocked => WebhookType::MessageDeferred,
        Kind::Delayed => WebhookType::MessageDelayed,
        Kind::Bounced => WebhookType::MessageBounced,
        Kind::Expired => WebhookType::MessageExpired,
        Kind::Suppressed => WebhookType::MessageSuppressed,
        Kind::Cancelled => WebhookType::MessageCancelled,
        Kind::Unknown => WebhookType::MessageUnknown,
        Kind::Complained => WebhookType::MessageComplained,
        Kind::Unsubscribed => WebhookType::ContactUnsubscribed,
        Kind::Resubscribed => WebhookType::ContactResubscribed,
        Kind::MailPaused => WebhookType::ContactPaused,
        Kind::ListJoined => WebhookType::ContactJoinedList,
        Kind::ListLeft => WebhookType::ContactLeftList,
        Kind::StreamJoined => WebhookType::ContactJoinedStream,
        Kind::StreamLeft => WebhookType::ContactLeftStream,
        Kind::Replied => WebhookType::ContactReplied,
        _ => return None,
    })
}

/// An event with what belongs to it. What is no longer kept is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The event.
    pub event: EventRow,
    /// What a webhook is told of it.
    pub kind: WebhookType,
    /// The recipient's address.
    pub address: Option<String>,
    /// The stream that the mail left by.
    pub stream: Option<String>,
    /// The submitted message.
    pub message_id: Option<MessageId>,
    /// Its Message-ID header, without brackets.
    pub header_id: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The campaign's name.
    pub campaign: Option<String>,
}

/// Part of the events after a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What the webhook asked for, in order.
    pub happenings: Vec<Happening>,
    /// The cursor behind all that was looked at.
    pub up_to: i64,
    /// Events that were deleted before they could be looked at.
    pub skipped: u64,
}

const SPAN: &str = "
    SELECT coalesce(max(id), :after), coalesce(min(id), 0)
    FROM (SELECT id FROM event WHERE id > :after ORDER BY id LIMIT :limit)";

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT e.id, e.at_ms, e.kind, e.recipient_id, e.campaign_id, e.contact_id, e.source, e.site, e.provider, e.mx, \
             e.class, e.reply_code, e.enhanced, e.text, e.attempt, e.took_ms, e.tls, e.actor, \
             coalesce(r.address, d.address, c.email), coalesce(r.stream, d.stream), m.id, m.header_id, m.tags, p.name \
             FROM event AS e \
             LEFT JOIN recipient AS r ON r.id = e.recipient_id AND r.workspace_id = e.workspace_id \
             LEFT JOIN recipient_done AS d ON d.id = e.recipient_id AND d.workspace_id = e.workspace_id \
             LEFT JOIN message AS m ON m.id = coalesce(r.message_id, d.message_id) AND m.workspace_id = e.workspace_id \
             LEFT JOIN contact AS c ON c.id = e.contact_id AND c.workspace_id = e.workspace_id \
             LEFT JOIN campaign AS p ON p.id = e.campaign_id AND p.workspace_id = e.workspace_id ",
            $where
        )
    };
}

const AFTER: &str = select!(
    "WHERE e.id > :after AND e.id <= :up_to AND e.workspace_id = :workspace_id \
     AND e.kind IN (SELECT value FROM json_each(:kinds)) ORDER BY e.id"
);

/// The next `limit` events after the cursor `after`: those of the workspace and of the types (of every type where the
/// list is empty).
///
/// # Errors
/// The database's.
pub fn after(
    c: &Connection,
    workspace: WorkspaceId,
    types: &[WebhookType],
    after: i64,
    limit: u32,
) -> Result<Stretch, StorageError> {
    let (up_to, first): (i64, i64) = c
        .prepare_cached(SPAN)?
        .query_row(named_params! { ":after": after, ":limit": limit }, |row| Ok((row.get(0)?, row.get(1)?)))?;
    // Ids are given one after the other, so what is missing at the front was deleted.
    let skipped = u64::try_from(first - after - 1).unwrap_or(0);
    if up_to == after {
        return Ok(Stretch { happenings: Vec::new(), up_to, skipped });
    }
    let mut statement = c.prepare_cached(AFTER)?;
    let rows = statement.query_map(
        named_params! { ":after": after, ":up_to": up_to, ":workspace_id": workspace, ":kinds": kinds(types) },
        read,
    )?;
    let happenings = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(Stretch { happenings, up_to, skipped })
}

/// Words of the events that are told as one of the types, as a JSON list.
fn kinds(types: &[WebhookType]) -> String {
    let asked = |kind: &&Kind| told_as(**kind).is_some_and(|told| types.is_empty() || types.contains(&told));
    let words: Vec<&str> = Kind::ALL.iter().filter(asked).map(|kind| kind.as_str()).collect();
    serde_json::json!(words).to_string()
}

const FIND: &str = select!("WHERE e.id = :id AND e.workspace_id = :workspace_id");

/// One event, while it is kept.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, event_id: i64) -> Result<Option<Happening>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    let found = statement.query_row(named_params! { ":id": event_id, ":workspace_id": workspace }, read).optional()?;
    Ok(found.flatten())
}

/// `None` for an event that no webhook is told of.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<Happening>> {
    let event = event::read(row)?;
    let Some(kind) = told_as(event.kind) else { return Ok(None) };
    let failed = |e| rusqlite::Error::FromSqlConversionFailure(22, Type::Text, Box::new(e));
    let tags = row.get_ref(22)?.as_str_or_null()?.map(serde_json::from_str).transpose().map_err(failed)?;
    Ok(Some(Happening {
        event,
        kind,
        address: row.get(18)?,
        stream: row.get(19)?,
        message_id: row.get(20)?,
        header_id: row.get(21)?,
        tags: tags.unwrap_or_default(),
        campaign: row.get(23)?,
    }))
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[SPAN, AFTER, FIND];
