//! Submitted messages: taken in with their recipients and content in one commit, which is what a 250 OK stands for
//! (RFC 5321 §6.1). The content is stored once, and freed when the last recipient is settled.

mod search;

use crate::queue::{self, Ending, NewRecipient, Origin, Settlement};
use crate::{AddressHash, DomainId, MessageId, RecipientId, StorageError, WorkspaceId};
use mail::{Address, StreamKind};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
pub use search::{Found, Search, Standing, search, standing};

/// Who brings messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// By SMTP.
    Smtp,
    /// By the HTTP API.
    Http,
    /// Packetboat itself: notices, reports.
    System,
}

impl Submission {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Submission::Smtp => "smtp",
            Submission::Http => "http",
            Submission::System => "system",
        }
    }

    fn parse(word: &str) -> Option<Submission> {
        Some(match word {
            "smtp" => Submission::Smtp,
            "http" => Submission::Http,
            "system" => Submission::System,
            _ => return None,
        })
    }
}

/// One recipient of a message to take in.
#[derive(Clone, Debug)]
pub struct NewMessageRecipient {
    /// The address.
    pub address: Address,
    /// Its suppression key.
    pub address_hash: AddressHash,
    /// The words of NOTIFY (RFC 3461 §4.1).
    pub dsn_notify: Option<String>,
    /// The value of ORCPT (RFC 3461 §4.2).
    pub dsn_orcpt: Option<String>,
}

/// Who is told by mail what becomes of a message (RFC 3461).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Notices {
    /// Nobody.
    #[default]
    Nobody,
    /// Nobody, and other servers are told so: it goes out with the empty reverse-path, as reports do (RFC 5321 §4.5.5).
    NullSender,
    /// This address, of what NOTIFY asks for.
    Asked(Address),
    /// This address, and where NOTIFY was not given, of failures.
    Failures(Address),
}

impl Notices {
    fn address(&self) -> Option<&Address> {
        match self {
            Notices::Nobody | Notices::NullSender => None,
            Notices::Asked(address) | Notices::Failures(address) => Some(address),
        }
    }
}

/// A message to take in.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The sending domain that signs it.
    pub domain_id: DomainId,
    /// How it came.
    pub submission: Submission,
    /// Which credential or API key brought it, as people know it.
    pub submitter: String,
    /// The stream's name.
    pub stream: String,
    /// The stream's kind.
    pub kind: StreamKind,
    /// The pool of egress sources.
    pub pool: String,
    /// The Message-ID header, without its brackets.
    pub header_id: String,
    /// The From address.
    pub from_address: String,
    /// The subject, decoded.
    pub subject: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// RFC 3461 §4.4.
    pub dsn_envid: Option<String>,
    /// RFC 3461 §4.3: `full` or `hdrs`.
    pub dsn_ret: Option<&'static str>,
    /// Who is told by mail what becomes of it.
    pub notices: Notices,
    /// Whether the content has bytes above 127.
    pub eight_bit: bool,
    /// Whether its headers need SMTPUTF8.
    pub smtputf8: bool,
    /// Headers and body, lines ending in CR LF, unsigned.
    pub content: Vec<u8>,
    /// Now.
    pub accepted_ms: i64,
    /// When it may be sent.
    pub send_at_ms: i64,
    /// When it is given up.
    pub expires_ms: i64,
    /// To whom; at least one, each address once.
    pub recipients: Vec<NewMessageRecipient>,
}

const INSERT: &str = "
    INSERT INTO message (workspace_id, domain_id, origin, submitter, stream, header_id, from_address, subject, tags,
        dsn_envid, dsn_ret, eight_bit, smtputf8, size_bytes, accepted_ms, send_at_ms, recipients, live,
        notice_to, notice_unasked, null_sender)
    VALUES (:workspace_id, :domain_id, :origin, :submitter, :stream, :header_id, :from_address, :subject, :tags,
        :dsn_envid, :dsn_ret, :eight_bit, :smtputf8, :size_bytes, :accepted_ms, :send_at_ms, :recipients, :recipients,
        :notice_to, :notice_unasked, :null_sender)";
const INSERT_CONTENT: &str = "INSERT INTO message_content (message_id, content) VALUES (?1, ?2)";

/// Takes a message in: its row, its content, and its recipients.
///
/// # Errors
/// The database's.
pub fn accept(tx: &Connection, new: &NewMessage) -> Result<MessageId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": new.workspace_id,
        ":domain_id": new.domain_id,
        ":origin": new.submission.as_str(),
        ":submitter": new.submitter,
        ":stream": new.stream,
        ":header_id": new.header_id,
        ":from_address": new.from_address,
        ":subject": crate::event::bounded(&new.subject),
        ":tags": serde_json::Value::from(new.tags.clone()).to_string(),
        ":dsn_envid": new.dsn_envid,
        ":dsn_ret": new.dsn_ret,
        ":eight_bit": new.eight_bit,
        ":smtputf8": new.smtputf8,
        ":size_bytes": i64::try_from(new.content.len()).unwrap_or(i64::MAX),
        ":accepted_ms": new.accepted_ms,
        ":send_at_ms": new.send_at_ms,
        ":recipients": i64::try_from(new.recipients.len()).unwrap_or(i64::MAX),
        ":notice_to": new.notices.address().map(Address::to_string),
        ":notice_unasked": matches!(new.notices, Notices::Failures(_)),
        ":null_sender": new.notices == Notices::NullSender,
    })?;
    let id = MessageId(tx.last_insert_rowid());
    tx.prepare_cached(INSERT_CONTENT)?.execute(params![id, new.content])?;
    let recipients: Vec<NewRecipient> = new.recipients.iter().map(|r| recipient(new, id, r)).collect();
    queue::enqueue(tx, &recipients)?;
    Ok(id)
}

fn recipient(new: &NewMessage, id: MessageId, to: &NewMessageRecipient) -> NewRecipient {
    NewRecipient {
        workspace_id: new.workspace_id,
        origin: Origin::Message(id),
        address: to.address.to_string(),
        address_hash: to.address_hash,
        domain: to.address.domain().to_string(),
        stream: new.stream.clone(),
        kind: new.kind,
        pool: new.pool.clone(),
        due_ms: new.send_at_ms,
        accepted_ms: new.accepted_ms,
        expires_ms: new.expires_ms,
        dsn_notify: to.dsn_notify.clone(),
        dsn_orcpt: to.dsn_orcpt.clone(),
    }
}

/// A submitted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Id.
    pub id: MessageId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The sending domain that signs it.
    pub domain_id: DomainId,
    /// How it came.
    pub submission: Submission,
    /// Which credential or API key brought it.
    pub submitter: String,
    /// The stream's name.
    pub stream: String,
    /// The Message-ID header, without its brackets.
    pub header_id: String,
    /// The From address.
    pub from_address: String,
    /// The subject.
    pub subject: String,
    /// JSON list of words.
    pub tags: String,
    /// RFC 3461 §4.4.
    pub dsn_envid: Option<String>,
    /// RFC 3461 §4.3.
    pub dsn_ret: Option<String>,
    /// Whether the content has bytes above 127.
    pub eight_bit: bool,
    /// Whether its headers need SMTPUTF8.
    pub smtputf8: bool,
    /// Size of the content.
    pub size_bytes: u64,
    /// When it was accepted.
    pub accepted_ms: i64,
    /// When it may be sent.
    pub send_at_ms: i64,
    /// Recipients in all.
    pub recipients: u32,
    /// Recipients that are not settled yet.
    pub live: u32,
    /// It goes out with the empty reverse-path.
    pub null_sender: bool,
}

macro_rules! columns {
    () => {
        "id, workspace_id, domain_id, origin, submitter, stream, header_id, from_address, subject, tags, dsn_envid, \
         dsn_ret, eight_bit, smtputf8, size_bytes, accepted_ms, send_at_ms, recipients, live, null_sender"
    };
}

const COLUMNS: &str = columns!();

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        domain_id: row.get(2)?,
        submission: crate::words::word(row, 3, Submission::parse)?,
        submitter: row.get(4)?,
        stream: row.get(5)?,
        header_id: row.get(6)?,
        from_address: row.get(7)?,
        subject: row.get(8)?,
        tags: row.get(9)?,
        dsn_envid: row.get(10)?,
        dsn_ret: row.get(11)?,
        eight_bit: row.get(12)?,
        smtputf8: row.get(13)?,
        size_bytes: crate::words::count(row, 14)?,
        accepted_ms: row.get(15)?,
        send_at_ms: row.get(16)?,
        recipients: row.get(17)?,
        live: row.get(18)?,
        null_sender: row.get(19)?,
    })
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM message WHERE id = :id AND workspace_id = :workspace_id");

/// One message.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: MessageId) -> Result<Option<Message>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const CONTENT: &str = "SELECT content FROM message_content WHERE message_id = ?1";

/// The content of a message that still has live recipients.
///
/// # Errors
/// The database's.
pub fn content(c: &Connection, id: MessageId) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(c.prepare_cached(CONTENT)?.query_row([id], |row| row.get(0)).optional()?)
}

const COUNT_DOWN: &str = "UPDATE message SET live = live - 1 WHERE id = ?1 RETURNING live";
const FREE: &str = "DELETE FROM message_content WHERE message_id = ?1";

/// One of its recipients is settled: with the last one the content goes.
pub(crate) fn one_settled(tx: &Connection, id: MessageId) -> Result<(), StorageError> {
    let left: Option<i64> = tx.prepare_cached(COUNT_DOWN)?.query_row([id], |row| row.get(0)).optional()?;
    if left == Some(0) {
        tx.prepare_cached(FREE)?.execute([id])?;
    }
    Ok(())
}

const RECIPIENTS: &str = "
    SELECT id FROM recipient WHERE message_id = ?1 AND id > ?2
    UNION ALL
    SELECT id FROM recipient_done WHERE message_id = ?1 AND id > ?2
    ORDER BY id LIMIT ?3";

/// The recipients of a message, live and finished, in the order of acceptance; only those with ids above `after`.
///
/// # Errors
/// The database's.
pub fn recipients(
    c: &Connection,
    (workspace, id): (WorkspaceId, MessageId),
    after: RecipientId,
    limit: u32,
) -> Result<Vec<queue::Recipient>, StorageError> {
    let mut statement = c.prepare_cached(RECIPIENTS)?;
    let ids: Vec<RecipientId> =
        statement.query_map(params![id, after, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(queue::find(c, workspace, id)?);
    }
    Ok(found)
}

const RECIPIENT_OF: &str = "
    SELECT id FROM recipient WHERE message_id = ?1 AND address_hash = ?2
    UNION ALL
    SELECT id FROM recipient_done WHERE message_id = ?1 AND address_hash = ?2
    LIMIT 1";

/// The message's recipient that has the first of these addresses, by their suppression keys, that one has.
///
/// # Errors
/// The database's.
pub fn recipient_among(
    c: &Connection,
    id: MessageId,
    addresses: &[AddressHash],
) -> Result<Option<RecipientId>, StorageError> {
    let mut statement = c.prepare_cached(RECIPIENT_OF)?;
    for address in addresses {
        if let Some(found) = statement.query_row(params![id, address], |row| row.get(0)).optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

const NOT_SENT: &str = "
    SELECT id FROM recipient
    WHERE message_id = ?1 AND workspace_id = ?2 AND state IN ('queued', 'held', 'claimed')";

/// Cancels a message's recipients that are not being sent; says how many. What is claimed learns of it when it is
/// marked.
///
/// # Errors
/// The database's.
pub fn cancel(tx: &Connection, workspace: WorkspaceId, id: MessageId, now_ms: i64) -> Result<usize, StorageError> {
    let mut statement = tx.prepare_cached(NOT_SENT)?;
    let ids: Vec<RecipientId> =
        statement.query_map(params![id, workspace], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let cancelled = |id| Settlement { id, at_ms: now_ms, ending: Ending::Cancelled, attempt: None, answer: None };
    queue::settle(tx, &ids.into_iter().map(cancelled).collect::<Vec<_>>())
}

// Ids ascend with the time of acceptance; one that still has live recipients stays, and those behind it until the next
// time.
const FORGET: &str = "
    DELETE FROM message
    WHERE id IN (SELECT id FROM message ORDER BY id LIMIT ?2) AND accepted_ms < ?1 AND live = 0";

/// Deletes at most `limit` of the oldest messages that were accepted before `before_ms` and are finished; says how many.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    [
        &[INSERT, INSERT_CONTENT, FIND, CONTENT, COUNT_DOWN, FREE, RECIPIENTS, RECIPIENT_OF, NOT_SENT, FORGET][..],
        search::STATEMENTS,
    ]
    .concat()
}
