//! Answers that came to reply addresses: what was done with each, in one commit with the doing. Kept for a while and in
//! bounded number, the oldest first to go; what was stopped has a bound of its own, so that a flood of it pushes no
//! answer out.

use crate::event::{self, Event, Kind};
use crate::message::{self, NewMessage};
use crate::response::{self, Response};
use crate::words::{count, word};
use crate::{
    CampaignId, ContactId, MessageId, RecipientId, ReplyId, StorageError, WebhookId, WorkspaceId, outbox, webhook,
};
use api_types::{WebhookReply, WebhookType};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Of an answer, what is kept for reading.
const CONTENT_MAX: usize = 256 * 1024;
/// Of one that was stopped.
const STOPPED_CONTENT_MAX: usize = 8 * 1024;
/// Of one that a webhook is told of, what it is told.
const TOLD_CONTENT_MAX: usize = 32 * 1024;
/// Answers kept in each workspace.
pub const KEPT_MAX: u32 = 5_000;
/// Stopped ones besides.
pub const STOPPED_MAX: u32 = 1_000;

/// What was done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is kept for reading.
    Kept,
    /// It went on to an address.
    Forwarded,
    /// It was told to a webhook.
    Webhook,
    /// It came from a program, or too often.
    Stopped,
}

impl Done {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Done::Kept => "kept",
            Done::Forwarded => "forwarded",
            Done::Webhook => "webhook",
            Done::Stopped => "stopped",
        }
    }

    /// The word's meaning.
    #[must_use]
    pub fn parse(word: &str) -> Option<Done> {
        Some(match word {
            "kept" => Done::Kept,
            "forwarded" => Done::Forwarded,
            "webhook" => Done::Webhook,
            "stopped" => Done::Stopped,
            _ => return None,
        })
    }
}

/// What an answer goes on as, in the commit that takes it in.
#[derive(Clone, Debug)]
pub enum Onward {
    /// It stays.
    Nothing,
    /// A message for the queue.
    Message(Box<NewMessage>),
    /// What this webhook is told.
    Webhook(WebhookId),
}

/// An answer to take in.
#[derive(Clone, Debug)]
pub struct NewReply {
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// The reply address.
    pub address: String,
    /// Now.
    pub received_ms: i64,
    /// Its author.
    pub from_address: String,
    /// Its subject.
    pub subject: String,
    /// The recipient whose mail it answers, where that is known.
    pub recipient_id: Option<RecipientId>,
    /// That recipient's campaign.
    pub campaign_id: Option<CampaignId>,
    /// That recipient's contact.
    pub contact_id: Option<ContactId>,
    /// What is done with it.
    pub done: Done,
    /// Why it is stopped, or not forwarded.
    pub why: Option<String>,
    /// By what the same mail is known when it comes again.
    pub fingerprint: [u8; 32],
    /// The whole mail.
    pub content: Vec<u8>,
}

const KNOWN: &str = "SELECT 1 FROM reply WHERE workspace_id = ?1 AND fingerprint = ?2";
const INSERT: &str = "
    INSERT INTO reply (workspace_id, address, received_ms, from_address, subject, recipient_id, campaign_id,
        contact_id, done, why, message_id, size_bytes, fingerprint, content)
    VALUES (:workspace_id, :address, :received_ms, :from_address, :subject, :recipient_id, :campaign_id,
        :contact_id, :done, :why, :message_id, :size_bytes, :fingerprint, :content)";
// Those beyond the bound: more than one only after the bound was made smaller.
const TRIM_STOPPED: &str = "
    DELETE FROM reply WHERE id IN (
        SELECT id FROM reply WHERE workspace_id = :workspace_id AND done = 'stopped'
        ORDER BY id DESC LIMIT 10 OFFSET :keep)";
const TRIM_KEPT: &str = "
    DELETE FROM reply WHERE id IN (
        SELECT id FROM reply WHERE workspace_id = :workspace_id AND done <> 'stopped'
        ORDER BY id DESC LIMIT 10 OFFSET :keep)";

/// Takes an answer in with what is done with it: what it goes on as, and the event in its recipient's trace. `false` when
/// it was there already, and then nothing is done. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn take(tx: &Connection, new: &NewReply, onward: &Onward) -> Result<bool, StorageError> {
    let known = tx.prepare_cached(KNOWN)?.exists(params![new.workspace_id, new.fingerprint])?;
    if known {
        return Ok(false);
    }
    let message_id = match onward {
        Onward::Message(message) => Some(message::accept(tx, message)?),
        Onward::Nothing | Onward::Webhook(_) => None,
    };
    let (keep, trim, most) = match new.done {
        Done::Stopped => (STOPPED_CONTENT_MAX, TRIM_STOPPED, STOPPED_MAX),
        Done::Kept | Done::Forwarded | Done::Webhook => (CONTENT_MAX, TRIM_KEPT, KEPT_MAX),
    };
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": new.workspace_id,
        ":address": new.address,
        ":received_ms": new.received_ms,
        ":from_address": new.from_address,
        ":subject": event::bounded(&new.subject),
        ":recipient_id": new.recipient_id,
        ":campaign_id": new.campaign_id,
        ":contact_id": new.contact_id,
        ":done": new.done.as_str(),
        ":why": new.why.as_deref().map(event::bounded),
        ":message_id": message_id,
        ":size_bytes": i64::try_from(new.content.len()).unwrap_or(i64::MAX),
        ":fingerprint": new.fingerprint,
        ":content": &new.content[..new.content.len().min(keep)],
    })?;
    if let Onward::Webhook(webhook) = onward {
        let told = serde_json::to_value(told(ReplyId(tx.last_insert_rowid()), new))
            .map_err(|e| StorageError::Damaged { what: "an answer for a webhook", value: e.to_string() })?;
        webhook::queue(tx, new.workspace_id, *webhook, (WebhookType::ReplyReceived, new.received_ms), &told)?;
    }
    tx.prepare_cached(trim)?.execute(named_params! { ":workspace_id": new.workspace_id, ":keep": most })?;
    if new.done != Done::Stopped
        && let Some(recipient) = new.recipient_id
    {
        response::note(tx, recipient, Response::Replied, new.received_ms)?;
        let text = format!("answered to {}: {}", new.address, new.done.as_str());
        let event = Event {
            recipient_id: new.recipient_id,
            campaign_id: new.campaign_id,
            contact_id: new.contact_id,
            text: Some(&text),
            ..Event::new(new.received_ms, new.workspace_id, Kind::Replied)
        };
        outbox::put(tx, &event)?;
    }
    Ok(true)
}

/// What a webhook is told of an answer: less than the bound of what it can be told, even where each byte needs six.
fn told(id: ReplyId, new: &NewReply) -> WebhookReply {
    let content = &new.content[..new.content.len().min(TOLD_CONTENT_MAX)];
    WebhookReply {
        reply_id: id.0,
        address: new.address.clone(),
        from: new.from_address.clone(),
        subject: event::bounded(&new.subject).to_owned(),
        recipient_id: new.recipient_id.map(|id| id.0),
        campaign_id: new.campaign_id.map(|id| id.0),
        contact_id: new.contact_id.map(|id| id.0),
        content: String::from_utf8_lossy(content).into_owned(),
        is_cut: content.len() < new.content.len(),
    }
}

/// An answer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Id: ascends with time.
    pub id: ReplyId,
    /// The reply address.
    pub address: String,
    /// When it came.
    pub received_ms: i64,
    /// Its author.
    pub from_address: String,
    /// Its subject.
    pub subject: String,
    /// Whose mail it answers.
    pub recipient_id: Option<RecipientId>,
    /// Of which campaign.
    pub campaign_id: Option<CampaignId>,
    /// Which contact.
    pub contact_id: Option<ContactId>,
    /// What was done with it.
    pub done: Done,
    /// Why it was stopped, or not forwarded.
    pub why: Option<String>,
    /// The message that it was forwarded as.
    pub message_id: Option<MessageId>,
    /// Its size.
    pub size_bytes: u64,
}

macro_rules! columns {
    () => {
        "id, address, received_ms, from_address, subject, recipient_id, campaign_id, contact_id, done, why, message_id, \
         size_bytes"
    };
}

const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reply WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit"
);
const PAGE_DONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reply WHERE workspace_id = :workspace_id AND done = :done AND id < :before ORDER BY id DESC LIMIT :limit"
);

/// Answers with ids below `before` (`i64::MAX` for the first page), newest first; all, or those that this was done with.
///
/// # Errors
/// The database's.
pub fn page(
    c: &Connection,
    workspace: WorkspaceId,
    done: Option<Done>,
    before: i64,
    limit: u32,
) -> Result<Vec<Reply>, StorageError> {
    let rows: Result<Vec<Reply>, rusqlite::Error> = match done {
        None => c
            .prepare_cached(PAGE)?
            .query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, read)?
            .collect(),
        Some(done) => c
            .prepare_cached(PAGE_DONE)?
            .query_map(
                named_params! {
                    ":workspace_id": workspace, ":done": done.as_str(), ":before": before, ":limit": limit,
                },
                read,
            )?
            .collect(),
    };
    Ok(rows?)
}

const FIND: &str =
    concat!("SELECT ", columns!(), ", content FROM reply WHERE id = :id AND workspace_id = :workspace_id");

/// One answer with its content, as far as that is kept.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: ReplyId) -> Result<Option<(Reply, Vec<u8>)>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    let found = statement
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| Ok((read(row)?, row.get(12)?)));
    Ok(found.optional()?)
}

pub(crate) const OF_RECIPIENT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reply WHERE recipient_id = :recipient_id AND workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit"
);

/// The answers to a recipient's mail that are kept, newest first.
///
/// # Errors
/// The database's.
pub fn of_recipient(
    c: &Connection,
    workspace: WorkspaceId,
    recipient: RecipientId,
    limit: u32,
) -> Result<Vec<Reply>, StorageError> {
    let mut statement = c.prepare_cached(OF_RECIPIENT)?;
    let values = named_params! { ":recipient_id": recipient, ":workspace_id": workspace, ":limit": limit };
    Ok(statement.query_map(values, read)?.collect::<Result<_, _>>()?)
}

const FORGET: &str = "
    DELETE FROM reply WHERE id IN (SELECT id FROM reply WHERE received_ms < ?1 ORDER BY received_ms LIMIT ?2)";

/// Deletes at most `limit` of the answers from before `before_ms`; says how many.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Reply> {
    Ok(Reply {
        id: row.get(0)?,
        address: row.get(1)?,
        received_ms: row.get(2)?,
        from_address: row.get(3)?,
        subject: row.get(4)?,
        recipient_id: row.get(5)?,
        campaign_id: row.get(6)?,
        contact_id: row.get(7)?,
        done: word(row, 8, Done::parse)?,
        why: row.get(9)?,
        message_id: row.get(10)?,
        size_bytes: count(row, 11)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[KNOWN, INSERT, TRIM_STOPPED, TRIM_KEPT, PAGE, PAGE_DONE, FIND, OF_RECIPIENT, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    fn new(number: u8, done: Done) -> NewReply {
        NewReply {
            workspace_id: WorkspaceId::MAIN,
            address: "hello@bounce.news.example".to_owned(),
            received_ms: i64::from(number),
            from_address: "ana@example.net".to_owned(),
            subject: format!("Re: {number}"),
            recipient_id: None,
            campaign_id: None,
            contact_id: None,
            done,
            why: (done == Done::Stopped).then(|| "a program wrote it".to_owned()),
            fingerprint: [number; 32],
            content: vec![b'x'; 20_000],
        }
    }

    #[tokio::test]
    async fn taken_once_and_kept_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let queue = storage.queue();
        for (number, done, is_new) in
            [(1, Done::Kept, true), (1, Done::Kept, false), (2, Done::Stopped, true), (3, Done::Kept, true)]
        {
            assert_eq!(
                queue.write(move |tx| take(tx, &new(number, done), &Onward::Nothing)).await.unwrap(),
                is_new,
                "{number}"
            );
        }
        let subjects = |done: Option<Done>| {
            let rows = storage.read_blocking(|c| page(c, WorkspaceId::MAIN, done, i64::MAX, 10)).unwrap();
            rows.into_iter().map(|row| row.subject).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(subjects(None), "Re: 3, Re: 2, Re: 1");
        assert_eq!(subjects(Some(Done::Stopped)), "Re: 2");
        let kept = |id| storage.read_blocking(move |c| find(c, WorkspaceId::MAIN, ReplyId(id))).unwrap().unwrap();
        assert_eq!((kept(1).1.len(), kept(2).1.len(), kept(2).0.size_bytes), (20_000, STOPPED_CONTENT_MAX, 20_000));
        assert!(storage.read_blocking(|c| find(c, WorkspaceId(2), ReplyId(1))).unwrap().is_none());
        let trim = |tx: &rusqlite::Transaction<'_>| {
            let keep = named_params! { ":workspace_id": WorkspaceId::MAIN, ":keep": 1 };
            Ok(tx.prepare_cached(TRIM_KEPT)?.execute(keep)?)
        };
        assert_eq!(queue.write(trim).await.unwrap(), 1);
        assert_eq!(subjects(None), "Re: 3, Re: 2", "the oldest goes, and none that was stopped");
        assert_eq!(queue.write(|tx| forget(tx, 3, 10)).await.unwrap(), 1);
        assert_eq!(subjects(None), "Re: 3");
    }
}
