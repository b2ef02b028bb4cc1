//! What is to be told to whoever handed a message in: noted in the commit of the outcome, and gone in the commit that
//! takes the report into the queue. RFC 3461 §5.2, §6.

use crate::event::{Event, Kind};
use crate::message::{self, Message, NewMessage};
use crate::queue::{Answer, Attempt, Ending, Report, Settlement};
use crate::{AddressHash, MessageId, RecipientId, StorageError, outbox};
use mail::dsn::{Action, headers_of};
use mail::{Address, EnhancedStatus};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Longest message that is returned whole where that is wanted (RET=FULL); of longer ones come the headers.
const WHOLE_MAX: usize = 64 * 1024;
/// Bytes of headers that are returned.
const HEADERS_MAX: usize = 8 * 1024;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whom it is about.
    pub recipient_id: RecipientId,
    /// What became of the message.
    pub action: Action,
    /// When.
    pub at_ms: i64,
    /// The recipient's address.
    pub address: String,
    /// The value of ORCPT.
    pub orcpt: Option<String>,
    /// The reply's code, where there was a reply.
    pub code: Option<u16>,
    /// The reply's enhanced status, where it had one.
    pub enhanced: Option<EnhancedStatus>,
    /// The reply's text, or what happened instead.
    pub reply: Option<String>,
    /// The host that answered.
    pub mx: Option<String>,
    /// Until when it is tried, where it still is.
    pub until_ms: Option<i64>,
    /// The message or its headers, with the first notice of a message.
    pub original: Option<Vec<u8>>,
    /// Whether that is the whole message.
    pub is_whole: bool,
}

/// A message with what is to be told of it.
#[derive(Clone, Debug)]
pub struct Due {
    /// The message.
    pub message: Message,
    /// Whom to tell.
    pub to: Address,
    /// What; at least one.
    pub notices: Vec<Notice>,
    /// The row of the last of them.
    last: i64,
}

const WISHES: &str = "
    SELECT m.notice_unasked, m.dsn_ret, r.dsn_notify, r.dsn_orcpt, r.address, r.reply_code, r.enhanced, r.reply
    FROM message m JOIN recipient r ON r.id = :id AND r.workspace_id = m.workspace_id
    WHERE m.id = :message AND m.notice_to IS NOT NULL";
const KEEP_WISHES: &str = "UPDATE recipient_done SET dsn_notify = ?2, dsn_orcpt = ?3 WHERE id = ?1";
const INSERT: &str = "
    INSERT INTO notice (workspace_id, message_id, recipient_id, action, at_ms, address, orcpt, reply_code, enhanced,
        reply, mx, until_ms, original, is_whole)
    SELECT workspace_id, id, :recipient, :action, :at_ms, :address, :orcpt, :code, :enhanced, :reply, :mx, :until_ms,
        :original, :is_whole
    FROM message WHERE id = :message";
const HAS_ORIGINAL: &str = "SELECT 1 FROM notice WHERE message_id = ?1 AND original IS NOT NULL LIMIT 1";
const ORIGINAL: &str = "
    SELECT substr(content, 1, ?2), length(content) <= ?2 FROM message_content WHERE message_id = ?1";

/// What the submitter wants to hear of a recipient.
struct Wishes {
    unasked: bool,
    ret: Option<String>,
    notify: Option<String>,
    orcpt: Option<String>,
    address: String,
    /// The last answer.
    answer: (Option<u16>, Option<String>, Option<String>),
}

impl Wishes {
    fn read(row: &Row<'_>) -> rusqlite::Result<Wishes> {
        Ok(Wishes {
            unasked: row.get(0)?,
            ret: row.get(1)?,
            notify: row.get(2)?,
            orcpt: row.get(3)?,
            address: row.get(4)?,
            answer: (row.get(5)?, row.get(6)?, row.get(7)?),
        })
    }

    fn want(&self, action: Action) -> bool {
        match &self.notify {
            Some(notify) => action.is_asked(notify),
            // RFC 3461 §4.1: without NOTIFY failures are meant.
            None => self.unasked && action == Action::Failed,
        }
    }
}

/// Notes what is to be told of a recipient that ends. The row is still among the live ones.
pub(crate) fn settled(tx: &Connection, message: MessageId, settlement: &Settlement) -> Result<(), StorageError> {
    let who = named_params! { ":id": settlement.id, ":message": message };
    let Some(wishes) = tx.prepare_cached(WISHES)?.query_row(who, Wishes::read).optional()? else { return Ok(()) };
    if let Some(notify) = &wishes.notify {
        tx.prepare_cached(KEEP_WISHES)?.execute(params![settlement.id, notify, wishes.orcpt])?;
    }
    let Some(action) = action(settlement).filter(|action| wishes.want(*action)) else { return Ok(()) };
    let answer = match (&settlement.answer, settlement.ending) {
        (Some(answer), _) => (answer.code, answer.enhanced, Some(answer.text.clone())),
        (None, Ending::Suppressed(_)) => {
            let not_authorized = EnhancedStatus { class: 5, subject: 7, detail: 1 };
            (None, Some(not_authorized), Some("the address is on the suppression list".to_owned()))
        }
        // Nothing new: what was answered last is why.
        (None, _) => {
            let (code, enhanced, reply) = wishes.answer.clone();
            (code, enhanced.and_then(|text| EnhancedStatus::parse(&text)), reply)
        }
    };
    let told =
        Telling { action, at_ms: settlement.at_ms, answer, attempt: settlement.attempt.as_ref(), until_ms: None };
    insert(tx, (message, settlement.id), &wishes, told)
}

/// What an ending is called in a report; `None` where nothing is told of it.
fn action(settlement: &Settlement) -> Option<Action> {
    match settlement.ending {
        // RFC 3461 §5.2.2: who takes the wishes takes the duty to report.
        Ending::Delivered if settlement.attempt.as_ref().is_some_and(|attempt| attempt.reports) => None,
        Ending::Delivered => Some(Action::Relayed),
        Ending::Bounced { .. }
        | Ending::Expired
        | Ending::Suppressed(_)
        | Ending::LeftList
        | Ending::LeftStream
        | Ending::Unknown => Some(Action::Failed),
        // By whoever handed it in, unless its content could not be made.
        Ending::Cancelled => settlement.answer.is_some().then_some(Action::Failed),
    }
}

/// One thing to tell, before it is a row.
struct Telling<'a> {
    action: Action,
    at_ms: i64,
    answer: (Option<u16>, Option<EnhancedStatus>, Option<String>),
    attempt: Option<&'a Attempt>,
    until_ms: Option<i64>,
}

fn insert(
    tx: &Connection,
    (message, recipient): (MessageId, RecipientId),
    wishes: &Wishes,
    told: Telling<'_>,
) -> Result<(), StorageError> {
    let (original, is_whole) =
        original(tx, message, told.action == Action::Failed && wishes.ret.as_deref() == Some("full"))?;
    let (code, enhanced, reply) = told.answer;
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":recipient": recipient,
        ":action": told.action.as_str(),
        ":at_ms": told.at_ms,
        ":address": wishes.address,
        ":orcpt": wishes.orcpt,
        ":code": code,
        ":enhanced": enhanced.map(|status| status.to_string()),
        ":reply": reply.as_deref().map(crate::event::bounded),
        ":mx": told.attempt.map(|attempt| &*attempt.mx),
        ":until_ms": told.until_ms,
        ":original": original,
        ":is_whole": is_whole,
        ":message": message,
    })?;
    Ok(())
}

/// What is returned of the message, where it is still here and no other notice has it.
fn original(tx: &Connection, message: MessageId, wants_whole: bool) -> Result<(Option<Vec<u8>>, bool), StorageError> {
    if tx.prepare_cached(HAS_ORIGINAL)?.exists([message])? {
        return Ok((None, false));
    }
    let most = if wants_whole { WHOLE_MAX } else { HEADERS_MAX };
    let read = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, bool>(1)?));
    let found = tx.prepare_cached(ORIGINAL)?.query_row(params![message, most as i64], read).optional()?;
    Ok(match found {
        Some((content, true)) if wants_whole => (Some(content), true),
        Some((content, _)) => (Some(headers_of(&content, HEADERS_MAX).to_vec()), false),
        None => (None, false),
    })
}

const WISHES_DONE: &str = "
    SELECT m.notice_unasked, NULL, d.dsn_notify, d.dsn_orcpt, d.address, NULL, NULL, NULL, m.id
    FROM recipient_done d JOIN message m ON m.id = d.message_id AND m.workspace_id = d.workspace_id
    WHERE d.id = ?1 AND m.notice_to IS NOT NULL";

/// Notes what another server's report says of a recipient that has ended, once.
pub(crate) fn reported(tx: &Connection, report: &Report, action: Action) -> Result<(), StorageError> {
    let read = |row: &Row<'_>| Ok((Wishes::read(row)?, row.get::<_, MessageId>(8)?));
    let found = tx.prepare_cached(WISHES_DONE)?.query_row([report.id], read).optional()?;
    let Some((wishes, message)) = found else { return Ok(()) };
    if !wishes.want(action) {
        return Ok(());
    }
    if let Some(notify) = &wishes.notify {
        let rest: Vec<&str> = notify.split(',').filter(|word| !action.is_asked(word)).collect();
        tx.prepare_cached(KEEP_WISHES)?.execute(params![report.id, rest.join(","), wishes.orcpt])?;
    }
    let Answer { code, enhanced, text, .. } = report.answer.clone();
    let told = Telling {
        action,
        at_ms: report.at_ms,
        answer: (code, enhanced, Some(text).filter(|text| !text.is_empty())),
        attempt: None,
        until_ms: None,
    };
    insert(tx, (message, report.id), &wishes, told)
}

const LATE: &str = "
    SELECT m.notice_unasked, NULL, r.dsn_notify, r.dsn_orcpt, r.address, r.reply_code, r.enhanced, r.reply,
        m.id, r.id, r.expires_ms, m.notice_to IS NOT NULL
    FROM recipient r JOIN message m ON m.id = r.message_id AND m.workspace_id = r.workspace_id
    WHERE r.delay_told = 0 AND instr(r.dsn_notify, 'DELAY') > 0 AND r.accepted_ms < ?1 AND m.send_at_ms < ?1
    ORDER BY r.accepted_ms LIMIT ?2";
const DELAY_TOLD: &str = "UPDATE recipient SET delay_told = 1 WHERE id = ?1";

/// Notes of recipients that have waited since before `before_ms`, and whose submitter wants to hear of that, that they
/// are late; once each. At most `limit` are looked at; says how many were.
///
/// # Errors
/// The database's.
pub fn late(tx: &Connection, before_ms: i64, now_ms: i64, limit: u32) -> Result<usize, StorageError> {
    let mut statement = tx.prepare_cached(LATE)?;
    let rows = statement.query_map(params![before_ms, limit], |row| {
        let ids: (MessageId, RecipientId) = (row.get(8)?, row.get(9)?);
        Ok((Wishes::read(row)?, ids, row.get::<_, i64>(10)?, row.get::<_, bool>(11)?))
    })?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let looked_at = rows.len();
    for (wishes, (message, id), expires_ms, is_wanted) in rows {
        tx.prepare_cached(DELAY_TOLD)?.execute([id])?;
        if !is_wanted {
            continue;
        }
        let (code, enhanced, reply) = wishes.answer.clone();
        let enhanced = enhanced.and_then(|text| EnhancedStatus::parse(&text));
        let answer = (code, enhanced, reply);
        let told =
            Telling { action: Action::Delayed, at_ms: now_ms, answer, attempt: None, until_ms: Some(expires_ms) };
        insert(tx, (message, id), &wishes, told)?;
    }
    Ok(looked_at)
}

// Those whose message is gone must not take the places of the others.
const MESSAGES: &str = "
    SELECT message_id FROM notice
    WHERE EXISTS (SELECT 1 FROM message m WHERE m.id = notice.message_id AND m.notice_to IS NOT NULL)
    GROUP BY message_id HAVING min(at_ms) <= ?1 ORDER BY message_id LIMIT ?2";
const OF_MESSAGE: &str = "
    SELECT id, recipient_id, action, at_ms, address, orcpt, reply_code, enhanced, reply, mx, until_ms, original, is_whole
    FROM notice WHERE message_id = ?1 ORDER BY id LIMIT ?2";
const ABOUT: &str = "SELECT workspace_id, notice_to FROM message WHERE id = ?1";

/// Messages of which something has been due since `before_ms`, each with at most `most` notices. One whose message is
/// gone is left to [`forget`].
///
/// # Errors
/// The database's.
pub fn due(c: &Connection, before_ms: i64, (messages, most): (u32, u32)) -> Result<Vec<Due>, StorageError> {
    let mut statement = c.prepare_cached(MESSAGES)?;
    let ids: Vec<MessageId> =
        statement.query_map(params![before_ms, messages], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?));
        let Some((workspace, Some(to))) = c.prepare_cached(ABOUT)?.query_row([id], read).optional()? else { continue };
        let (Some(message), Ok(to)) = (message::find(c, workspace, id)?, Address::parse(&to)) else { continue };
        let mut statement = c.prepare_cached(OF_MESSAGE)?;
        let rows = statement.query_map(params![id, most], |row| Ok((row.get::<_, i64>(0)?, read_notice(row)?)))?;
        let rows: Vec<(i64, Notice)> = rows.collect::<Result<_, _>>()?;
        let Some(last) = rows.last().map(|(id, _)| *id) else { continue };
        all.push(Due { message, to, notices: rows.into_iter().map(|(_, notice)| notice).collect(), last });
    }
    Ok(all)
}

fn read_notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        recipient_id: row.get(1)?,
        action: crate::words::word(row, 2, Action::parse)?,
        at_ms: row.get(3)?,
        address: row.get(4)?,
        orcpt: row.get(5)?,
        code: row.get(6)?,
        enhanced: crate::words::word_opt(row, 7, EnhancedStatus::parse)?,
        reply: row.get(8)?,
        mx: row.get(9)?,
        until_ms: row.get(10)?,
        original: row.get(11)?,
        is_whole: row.get(12)?,
    })
}

const DONE: &str = "DELETE FROM notice WHERE message_id = ?1 AND id <= ?2";

/// Takes the report into the queue, or none, and with that what it tells is done.
///
/// # Errors
/// The database's.
pub fn done(tx: &Connection, due: &Due, report: Option<&NewMessage>) -> Result<(), StorageError> {
    if let Some(report) = report {
        let id = message::accept(tx, report)?;
        for notice in &due.notices {
            let text = format!("{} {id}", notice.action.as_str());
            let event = Event {
                recipient_id: Some(notice.recipient_id),
                text: Some(&text),
                ..Event::new(report.accepted_ms, due.message.workspace_id, Kind::SenderTold)
            };
            outbox::put(tx, &event)?;
        }
    }
    tx.prepare_cached(DONE)?.execute(params![due.message.id, due.last])?;
    Ok(())
}

// Each half by the index of addresses of submitted mail.
const SENT_SINCE: &str = "
    SELECT (SELECT count(*) FROM recipient AS r CROSS JOIN message AS m ON m.id = r.message_id
            WHERE r.address_hash = :hash AND r.message_id IS NOT NULL AND r.accepted_ms > :since_ms
                AND m.origin = 'system' AND m.submitter = :submitter)
        + (SELECT count(*) FROM recipient_done AS r CROSS JOIN message AS m ON m.id = r.message_id
            WHERE r.address_hash = :hash AND r.message_id IS NOT NULL AND r.accepted_ms > :since_ms
                AND m.origin = 'system' AND m.submitter = :submitter)";

/// How many mails of our own under the name `submitter` were made for an address since then.
///
/// # Errors
/// The database's.
pub fn sent_since(c: &Connection, submitter: &str, hash: &AddressHash, since_ms: i64) -> Result<u32, StorageError> {
    let asked = named_params! { ":hash": hash, ":since_ms": since_ms, ":submitter": submitter };
    Ok(c.prepare_cached(SENT_SINCE)?.query_row(asked, |row| row.get(0))?)
}

const FORGET: &str = "DELETE FROM notice WHERE id IN (SELECT id FROM notice ORDER BY id LIMIT ?2) AND at_ms < ?1";

/// Deletes at most `limit` notices that could not be told since before `before_ms`; says how many.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    WISHES,
    KEEP_WISHES,
    INSERT,
    HAS_ORIGINAL,
    ORIGINAL,
    WISHES_DONE,
    LATE,
    DELAY_TOLD,
    MESSAGES,
    OF_MESSAGE,
    ABOUT,
    DONE,
    SENT_SINCE,
    FORGET,
];

#[cfg(test)]
mod tests;
