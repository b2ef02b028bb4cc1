//! What happened: one row per event, hourly roll-ups for ever, retention of the single events.
//!
//! Events are written to queue.db's outbox (`outbox::put`) and moved here; nobody inserts directly.

use crate::words::{word, word_opt};
use crate::{CampaignId, ContactId, RecipientId, Storage, StorageError, WorkspaceId};
use mail::BounceClass;
use rusqlite::{Connection, Row, named_params, params};

/// Longest text of an event, in characters: replies are foreign words without bound.
const TEXT_MAX: usize = 1000;

/// Declares the kinds with their stored words.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What kind of thing happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// The stored word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $text,)* }
            }

            /// The kind of a stored word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Kind> {
                match text { $($text => Some(Kind::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The receiving server took the message.
    Delivered = "delivered",
    /// An attempt ended with "not now".
    Deferred = "deferred",
    /// An attempt was refused because of our own address or name.
    Blocked = "blocked",
    /// Refused for good, in session or by a report.
    Bounced = "bounced",
    /// Deferred until the time was over.
    Expired = "expired",
    /// Not sent: on the suppression list.
    Suppressed = "suppressed",
    /// Not sent: its content could not be made.
    Cancelled = "cancelled",
    /// The answer to the final dot never came.
    Unknown = "unknown",
    /// A report said that a receiving server is still trying.
    Delayed = "delayed",
    /// A report said that it arrived in the mailbox.
    Arrived = "arrived",
    /// A report said that it went on to a system that reports nothing.
    Relayed = "relayed",
    /// A report said that it went on to several addresses.
    Expanded = "expanded",
    /// Whoever handed the message in was told of its outcome by mail.
    SenderTold = "sender_told",
    /// An address was put on the suppression list.
    SuppressionAdded = "suppression_added",
    /// An address was taken off the suppression list.
    SuppressionRemoved = "suppression_removed",
    /// A recipient unsubscribed.
    Unsubscribed = "unsubscribed",
    /// A recipient who had unsubscribed came back.
    Resubscribed = "resubscribed",
    /// A recipient wants no marketing mail for a while.
    MailPaused = "mail_paused",
    /// A recipient was put on a list again, or for the first time by its own wish.
    ListJoined = "list_joined",
    /// A recipient left a list.
    ListLeft = "list_left",
    /// A recipient wants the mail of a stream again.
    StreamJoined = "stream_joined",
    /// A recipient wants no mail of a stream any more.
    StreamLeft = "stream_left",
    /// A contact entered a journey.
    JourneyEntered = "journey_entered",
    /// A contact's way through a journey ended.
    JourneyEnded = "journey_ended",
    /// A recipient reported the mail as spam.
    Complained = "complained",
    /// A recipient answered.
    Replied = "replied",
    /// A source's address is not on this host any more.
    SourceOut = "source_out",
    /// It is there again.
    SourceBack = "source_back",
    /// A check of a source has another result than before.
    SourceCheck = "source_check",
    /// Replies or ratios made the engine hold or slow something down by itself.
    AutomationBegan = "automation_began",
    /// That ended: its time was over, or a person lifted it.
    AutomationEnded = "automation_ended",
    /// A person held it.
    Held = "held",
    /// A person released it.
    Released = "released",
    /// A person wants it tried now.
    Hurried = "hurried",
    /// A person sent it over another pool.
    Rerouted = "rerouted",
    /// A person paused something.
    Paused = "paused",
    /// A person ended a pause.
    Resumed = "resumed",
    /// A lane has work and makes no progress.
    LaneStalled = "lane_stalled",
    /// Reports say that something of ours fails.
    AlarmBegan = "alarm_began",
    /// They do not any more, or a person ended the alarm.
    AlarmEnded = "alarm_ended",
    /// A sending domain is on a blocklist.
    Listed = "listed",
    /// It is not any more.
    Delisted = "delisted",
}

/// An event to write. What does not apply is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When.
    pub at_ms: i64,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// What kind.
    pub kind: Kind,
    /// The recipient it belongs to.
    pub recipient_id: Option<RecipientId>,
    /// The campaign it belongs to.
    pub campaign_id: Option<CampaignId>,
    /// The contact it belongs to.
    pub contact_id: Option<ContactId>,
    /// Egress source.
    pub source: Option<&'a str>,
    /// Site.
    pub site: Option<&'a str>,
    /// Provider.
    pub provider: Option<&'a str>,
    /// The host that answered.
    pub mx: Option<&'a str>,
    /// Our class of the answer.
    pub class: Option<BounceClass>,
    /// The answer's code.
    pub reply_code: Option<u16>,
    /// The answer's enhanced status.
    pub enhanced: Option<&'a str>,
    /// The answer's text, or a sentence of ours; cut at 1,000 characters.
    pub text: Option<&'a str>,
    /// Number of the attempt, from 1.
    pub attempt: Option<u32>,
    /// How long the attempt took.
    pub took_ms: Option<u32>,
    /// TLS version of the connection, where there was TLS.
    pub tls: Option<&'a str>,
    /// Who did it, when a person did.
    pub actor: Option<&'a str>,
}

impl Event<'_> {
    /// An event of which nothing more is known.
    #[must_use]
    pub fn new(at_ms: i64, workspace_id: WorkspaceId, kind: Kind) -> Self {
        Event {
            at_ms,
            workspace_id,
            kind,
            recipient_id: None,
            campaign_id: None,
            contact_id: None,
            source: None,
            site: None,
            provider: None,
            mx: None,
            class: None,
            reply_code: None,
            enhanced: None,
            text: None,
            attempt: None,
            took_ms: None,
            tls: None,
            actor: None,
        }
    }
}

/// The text, cut to what is kept.
pub(crate) fn bounded(text: &str) -> &str {
    if text.len() <= TEXT_MAX {
        return text;
    }
    text.char_indices().nth(TEXT_MAX).map_or(text, |(end, _)| &text[..end])
}

/// An event as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Id: ascends with time.
    pub id: i64,
    /// When.
    pub at_ms: i64,
    /// What kind.
    pub kind: Kind,
    /// The recipient it belongs to.
    pub recipient_id: Option<RecipientId>,
    /// The campaign it belongs to.
    pub campaign_id: Option<CampaignId>,
    /// The contact it belongs to.
    pub contact_id: Option<ContactId>,
    /// Egress source.
    pub source: Option<String>,
    /// Site.
    pub site: Option<String>,
    /// Provider.
    pub provider: Option<String>,
    /// The host that answered.
    pub mx: Option<String>,
    /// Our class of the answer.
    pub class: Option<BounceClass>,
    /// The answer's code.
    pub reply_code: Option<u16>,
    /// The answer's enhanced status.
    pub enhanced: Option<String>,
    /// The answer's text, or a sentence of ours.
    pub text: Option<String>,
    /// Number of the attempt.
    pub attempt: Option<u32>,
    /// How long it took.
    pub took_ms: Option<u32>,
    /// TLS version, where there was TLS.
    pub tls: Option<String>,
    /// Who did it, when a person did.
    pub actor: Option<String>,
}

const OF_CONTACT: &str = "
    SELECT id, at_ms, kind, recipient_id, campaign_id, contact_id, source, site, provider, mx, class, reply_code,
        enhanced, text, attempt, took_ms, tls, actor
    FROM event
    WHERE contact_id = :contact_id AND workspace_id = :workspace_id AND id < :before
    ORDER BY id DESC LIMIT :limit";
const OF_RECIPIENT: &str = "
    SELECT id, at_ms, kind, recipient_id, campaign_id, contact_id, source, site, provider, mx, class, reply_code,
        enhanced, text, attempt, took_ms, tls, actor
    FROM event
    WHERE contact_id = :contact_id AND workspace_id = :workspace_id AND recipient_id = :recipient_id
    ORDER BY id DESC LIMIT :limit";
const OF_SUBMITTED: &str = "
    SELECT id, at_ms, kind, recipient_id, campaign_id, contact_id, source, site, provider, mx, class, reply_code,
        enhanced, text, attempt, took_ms, tls, actor
    FROM event
    WHERE contact_id IS NULL AND recipient_id = :recipient_id AND workspace_id = :workspace_id
    ORDER BY id DESC LIMIT :limit";

/// What happened to a contact, newest first, with ids below `before` (`i64::MAX` for the first page).
///
/// # Errors
/// The database's.
pub fn of_contact(
    connection: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    before: i64,
    limit: u32,
) -> Result<Vec<EventRow>, StorageError> {
    let mut statement = connection.prepare_cached(OF_CONTACT)?;
    let rows = statement.query_map(
        named_params! { ":workspace_id": workspace, ":contact_id": contact, ":before": before, ":limit": limit },
        read,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What happened to a recipient, newest first. Its contact leads to the rows, where it has one; some are of no contact all
/// the same, such as the end of a suppression that its mail led to.
///
/// # Errors
/// The database's.
pub fn of_recipient(
    connection: &Connection,
    workspace: WorkspaceId,
    (recipient, contact): (RecipientId, Option<ContactId>),
    limit: u32,
) -> Result<Vec<EventRow>, StorageError> {
    let mut statement = connection.prepare_cached(OF_SUBMITTED)?;
    let values = named_params! { ":workspace_id": workspace, ":recipient_id": recipient, ":limit": limit };
    let mut all: Vec<EventRow> = statement.query_map(values, read)?.collect::<Result<_, _>>()?;
    let Some(contact) = contact else { return Ok(all) };
    let mut statement = connection.prepare_cached(OF_RECIPIENT)?;
    let rows = statement.query_map(
        named_params! {
            ":workspace_id": workspace, ":contact_id": contact, ":recipient_id": recipient, ":limit": limit,
        },
        read,
    )?;
    for row in rows {
        all.push(row?);
    }
    all.sort_unstable_by_key(|event| std::cmp::Reverse(event.id));
    all.truncate(limit as usize);
    Ok(all)
}

const OF_SOURCE: &str = "
    SELECT id, at_ms, kind, recipient_id, campaign_id, contact_id, source, site, provider, mx, class, reply_code,
        enhanced, text, attempt, took_ms, tls, actor
    FROM event INDEXED BY event_source
    WHERE kind IN ('source_out', 'source_back', 'source_check') AND (:source IS NULL OR source = :source)
    ORDER BY id DESC LIMIT :limit";

/// What happened to the sources themselves, or to one of them, newest first. They are the host's, of no workspace.
///
/// # Errors
/// The database's.
pub fn of_sources(connection: &Connection, source: Option<&str>, limit: u32) -> Result<Vec<EventRow>, StorageError> {
    let mut statement = connection.prepare_cached(OF_SOURCE)?;
    let rows = statement.query_map(named_params! { ":source": source, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An event in the first eighteen columns of a row.
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get(0)?,
        at_ms: row.get(1)?,
        kind: word(row, 2, Kind::parse)?,
        recipient_id: row.get(3)?,
        campaign_id: row.get(4)?,
        contact_id: row.get(5)?,
        source: row.get(6)?,
        site: row.get(7)?,
        provider: row.get(8)?,
        mx: row.get(9)?,
        class: word_opt(row, 10, BounceClass::parse)?,
        reply_code: row.get(11)?,
        enhanced: row.get(12)?,
        text: row.get(13)?,
        attempt: row.get(14)?,
        took_ms: row.get(15)?,
        tls: row.get(16)?,
        actor: row.get(17)?,
    })
}

/// A sum out of the roll-ups; `name` is what it was grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Beginning of the hour in milliseconds, provider or source, as asked.
    pub name: String,
    /// What kind of event.
    pub kind: Kind,
    /// How many.
    pub n: u64,
}

const BY_HOUR: &str = "
    SELECT CAST(hour_ms AS TEXT), kind, sum(n) FROM rollup_hour
    WHERE workspace_id = :workspace_id AND hour_ms >= :since_ms AND kind IN ('delivered', 'bounced', 'deferred', 'blocked')
    GROUP BY hour_ms, kind ORDER BY hour_ms, kind";
const BY_PROVIDER: &str = "
    SELECT provider, kind, sum(n) FROM rollup_hour
    WHERE workspace_id = :workspace_id AND hour_ms >= :since_ms AND kind IN ('delivered', 'bounced', 'deferred', 'blocked')
    GROUP BY provider, kind ORDER BY sum(n) DESC, provider, kind LIMIT 2000";
const BY_SOURCE: &str = "
    SELECT source, kind, sum(n) FROM rollup_hour
    WHERE workspace_id = :workspace_id AND hour_ms >= :since_ms AND kind IN ('delivered', 'bounced', 'deferred', 'blocked')
    GROUP BY source, kind ORDER BY source, kind";

/// Deliveries, bounces, deferrals and blocks since the hour that begins at `since_ms`, by hour.
///
/// # Errors
/// The database's.
pub fn by_hour(connection: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<Vec<Sum>, StorageError> {
    sums(connection, BY_HOUR, workspace, since_ms)
}

/// The same by provider, largest first.
///
/// # Errors
/// The database's.
pub fn by_provider(connection: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<Vec<Sum>, StorageError> {
    sums(connection, BY_PROVIDER, workspace, since_ms)
}

/// The same by egress source.
///
/// # Errors
/// The database's.
pub fn by_source(connection: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<Vec<Sum>, StorageError> {
    sums(connection, BY_SOURCE, workspace, since_ms)
}

fn sums(connection: &Connection, sql: &str, workspace: WorkspaceId, since_ms: i64) -> Result<Vec<Sum>, StorageError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace, ":since_ms": since_ms }, |row| {
        Ok(Sum { name: row.get(0)?, kind: word(row, 1, Kind::parse)?, n: crate::words::count(row, 2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// Never the newest: its id tells `outbox::drain` what has been moved already.
const FORGET: &str = "
    DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?2)
        AND at_ms < ?1 AND id < (SELECT max(id) FROM event)";

/// Deletes at most `limit` of the oldest events from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[OF_CONTACT, OF_RECIPIENT, OF_SUBMITTED, OF_SOURCE, BY_HOUR, BY_PROVIDER, BY_SOURCE, FORGET];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(600)).chars().count(), 600);
        assert_eq!(bounded(&"é".repeat(1200)).chars().count(), 1000);
    }

    #[test]
    fn kinds_read_back() {
        assert!(Kind::ALL.iter().all(|kind| Kind::parse(kind.as_str()) == Some(*kind)));
    }
}
