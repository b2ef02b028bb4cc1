//! Taking a message in: checked and completed, and brought into the queue with all its recipients in one commit.

use super::Submission;
use super::accounts::Account;
use super::command::{Mail, Rcpt};
use config::NoticeMode;
use mail::submission::{Defaults, Prepared, prepare};
use std::borrow::Cow;
use std::collections::HashSet;
use storage::message::{self, NewMessage, NewMessageRecipient, Notices};
use storage::{AddressHash, MessageId, StorageError, address_hash};

/// What was said before the content.
pub(super) struct Envelope {
    pub mail: Mail,
    pub recipients: Vec<NewMessageRecipient>,
    known: HashSet<AddressHash>,
}

impl Envelope {
    pub fn new(mail: Mail) -> Envelope {
        Envelope { mail, recipients: Vec::new(), known: HashSet::new() }
    }

    /// Adds a recipient; named twice it is one all the same.
    pub fn add(&mut self, rcpt: Rcpt) {
        let address_hash = address_hash(&rcpt.to);
        if self.known.insert(address_hash) {
            self.recipients.push(NewMessageRecipient {
                address: rcpt.to,
                address_hash,
                dsn_notify: rcpt.notify,
                dsn_orcpt: rcpt.orcpt,
            });
        }
    }
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is on disk.
    Accepted(MessageId),
    Refused {
        code: u16,
        status: &'static str,
        text: Cow<'static, str>,
    },
}

impl Outcome {
    /// The label in the metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Accepted(_) => "accepted",
            Outcome::Refused { code: 400..=499, .. } => "later",
            Outcome::Refused { .. } => "refused",
        }
    }
}

pub(super) fn refused(code: u16, status: &'static str, text: impl Into<Cow<'static, str>>) -> Outcome {
    Outcome::Refused { code, status, text: text.into() }
}

/// Takes a message in, or says why not. Accepted is answered after the commit.
pub(super) async fn take(house: &Submission, account: &Account, envelope: Envelope, content: Vec<u8>) -> Outcome {
    let new = match complete(house, account, envelope, content) {
        Ok(new) => new,
        Err(outcome) => return outcome,
    };
    let accepted_ms = new.accepted_ms;
    match house.storage.queue().write(move |tx| message::accept(tx, &new)).await {
        Ok(id) => {
            (house.wake)();
            if let Err(error) = house.accounts.note_use(account, accepted_ms).await {
                tracing::warn!(%error, "the use of a credential could not be noted");
            }
            tracing::debug!(message.id = %id, credential = %account.credential.login, "accepted");
            Outcome::Accepted(id)
        }
        Err(StorageError::DiskFull) => refused(452, "4.3.1", "the disk is full; try again later"),
        Err(error) => {
            tracing::error!(%error, "a submitted message could not be stored; the client keeps it");
            refused(451, "4.3.0", "try again later")
        }
    }
}

fn complete(
    house: &Submission,
    account: &Account,
    envelope: Envelope,
    mut content: Vec<u8>,
) -> Result<NewMessage, Outcome> {
    let accepted_ms = house.clock.now_ms();
    // The last chunk of BDAT may end within a line.
    if !content.ends_with(b"\r\n") {
        content.extend_from_slice(b"\r\n");
    }
    let id = format!("{accepted_ms:x}.{:x}", house.random.below(u64::MAX));
    let prepared = prepare(&content, &Defaults { id: &id, date_ms: accepted_ms })
        .map_err(|error| refused(550, "5.6.0", error.to_string()))?;
    check_utf8(&envelope.mail, &prepared)?;
    let from = prepared.from.domain();
    let domain_id = account
        .domain(from)
        .ok_or_else(|| refused(550, "5.7.1", format!("this credential may not send from {from}, the From's domain")))?;
    let wanted = prepared.stream.as_deref().unwrap_or(&account.credential.stream);
    let stream = house
        .streams
        .find(wanted)
        .ok_or_else(|| refused(550, "5.6.0", format!("there is no stream {}", wanted.escape_debug())))?;
    let age = i64::try_from(stream.expiry.as_millis()).unwrap_or(i64::MAX);
    let Prepared { content: completed, header_id, from, subject, tags, eight_bit, smtputf8, .. } = prepared;
    let completed = match completed {
        Cow::Owned(completed) => Some(completed),
        Cow::Borrowed(_) => None,
    };
    let notices = notices(house.notices, &envelope);
    Ok(NewMessage {
        workspace_id: account.credential.workspace_id,
        domain_id,
        submission: message::Submission::Smtp,
        submitter: account.credential.name.clone(),
        stream: stream.name.to_string(),
        kind: stream.kind,
        pool: stream.pool.to_string(),
        header_id,
        from_address: from.to_string(),
        subject,
        tags,
        dsn_envid: envelope.mail.envid,
        dsn_ret: envelope.mail.ret,
        notices,
        eight_bit,
        smtputf8,
        content: completed.unwrap_or(content),
        accepted_ms,
        send_at_ms: accepted_ms,
        expires_ms: accepted_ms.saturating_add(age),
        recipients: envelope.recipients,
    })
}

/// Who is told. A message with the empty reverse-path has nobody, and is a report itself, most likely (RFC 5321 §4.5.5).
fn notices(mode: NoticeMode, envelope: &Envelope) -> Notices {
    let is_asked = |rcpt: &NewMessageRecipient| rcpt.dsn_notify.as_ref().is_some_and(|notify| notify != "NEVER");
    match (mode, envelope.mail.from.clone()) {
        (NoticeMode::Asked, Some(from)) if envelope.recipients.iter().any(is_asked) => Notices::Asked(from),
        (NoticeMode::Failures, Some(from)) => Notices::Failures(from),
        (NoticeMode::Asked | NoticeMode::Failures | NoticeMode::Never, _) => Notices::Nobody,
    }
}

/// RFC 6531 §3.4: headers that are not ASCII need the parameter. A body with bytes above 127 passes without
/// BODY=8BITMIME, as everywhere: what it is was looked at.
fn check_utf8(mail: &Mail, prepared: &Prepared<'_>) -> Result<(), Outcome> {
    if prepared.smtputf8 && !mail.smtputf8 {
        return Err(refused(550, "5.6.7", "headers that are not ASCII need SMTPUTF8, or encoding (RFC 2047)"));
    }
    Ok(())
}
