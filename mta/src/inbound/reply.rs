//! Mail to a reply address: what a person wrote is joined to the recipient that it answers and goes where the workspace
//! wants it; what a program wrote is kept with the reason and goes nowhere.

use super::guard::{self, Rates};
use super::head::Head;
use super::report::{Incoming, Settled};
use super::{CONNECTIONS_MAX, Inbound, feedback, forward};
use crate::metric;
use crate::peers::Peers;
use bounce::Report;
use mail::submission::{Defaults, prepare, subject};
use mail::{Address, Domain, Mailbox, StreamKind};
use std::sync::Arc;
use storage::complaint::{self, Way};
use storage::message::{NewMessage, NewMessageRecipient, Notices, Submission};
use storage::reply::{self, Done, NewReply, Onward};
use storage::reply_address::{Action, ReplyAddress};
use storage::{RecipientId, StorageError, address_hash, domain, request_hash, webhook};
use tokio::sync::Semaphore;

/// A forwarded answer is given up after this.
const EXPIRY_MS: i64 = 2 * 86_400_000;
/// What forwarded answers are called in lists of messages.
const SUBMITTER: &str = "Replies";
/// Message-IDs that are looked at to find what is answered.
const ANSWERED_MAX: usize = 20;
/// Whole answers in memory at the same time: other mail is read only in its beginning.
const WHOLE_MAX: usize = 8;
/// Of those, from one address: who sends slowly must not keep everybody else away.
const WHOLE_PER_PEER_MAX: u32 = 2;

/// What is remembered of answers between them.
pub struct Desk {
    rates: Rates,
    /// The right to have a whole answer in memory.
    pub(super) room: Semaphore,
    /// Who has them.
    pub(super) with_room: Arc<Peers>,
    /// The right to be served.
    pub(super) places: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Self {
        Desk {
            rates: Rates::default(),
            room: Semaphore::new(WHOLE_MAX),
            with_room: Peers::new(WHOLE_PER_PEER_MAX),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        }
    }
}

/// Takes an answer in.
pub(super) async fn settle(
    inbound: &Inbound,
    incoming: &Incoming,
    row: &ReplyAddress,
    report: &Report,
) -> Result<Settled, StorageError> {
    // Some systems report to the author's address instead of the return path.
    if !report.recipients.is_empty() || report.feedback.is_some() {
        match super::report::settle_by_marks(inbound, report, incoming).await? {
            Settled::No(_) => {}
            settled => return Ok(settled),
        }
    }
    let now_ms = inbound.clock.now_ms();
    let head = Head::read(&incoming.message);
    let author = head.text("From").and_then(|text| Mailbox::parse(&text).ok());
    let sender = incoming.from.as_ref().or(author.as_ref().map(|author| &author.address));
    let stopped = guard::stopped(&head, incoming.reverse_path().as_deref(), report.sort, &row.address)
        .or_else(|| author.is_none().then_some("nobody is its author"))
        .or_else(|| inbound.desk.rates.over(sender?, &row.address, now_ms));
    let answered = answered(inbound, row, &head, sender).await?;
    let (done, why, onward) = match stopped {
        Some(why) => (Done::Stopped, Some(why.to_owned()), Onward::Nothing),
        None => decide(inbound, row, &head, author.as_ref(), now_ms).await?,
    };
    let origin = answered.as_ref().map(|(_, way)| way.origin);
    let new = NewReply {
        workspace_id: row.workspace_id,
        address: row.address.clone(),
        received_ms: now_ms,
        from_address: author.as_ref().map(|author| author.address.to_string()).unwrap_or_default(),
        subject: head.all("Subject").next().map(|field| subject(field.value)).unwrap_or_default(),
        recipient_id: answered.as_ref().map(|(id, _)| *id),
        campaign_id: origin.and_then(|origin| origin.campaign()),
        contact_id: origin.and_then(|origin| origin.contact()),
        done,
        why,
        fingerprint: fingerprint(&row.address, &head),
        content: incoming.message.clone(),
    };
    let is_new = inbound.storage.queue().write(move |tx| reply::take(tx, &new, &onward)).await?;
    if is_new {
        metrics::counter!(metric::REPLIES, "done" => done.as_str()).increment(1);
        if done == Done::Forwarded {
            (inbound.wake)();
        }
    }
    let recipient = answered.as_ref().map(|(id, _)| *id);
    if let Some((_, way)) = answered.filter(|_| done != Done::Stopped) {
        feedback::engaged(inbound, &way, sender).await?;
    }
    Ok(Settled::Did { recipient, what: if is_new { done.as_str() } else { "known already" } })
}

/// What is done with a person's answer.
async fn decide(
    inbound: &Inbound,
    row: &ReplyAddress,
    head: &Head<'_>,
    author: Option<&Mailbox>,
    now_ms: i64,
) -> Result<(Done, Option<String>, Onward), StorageError> {
    let kept = |why: String| Ok((Done::Kept, Some(why), Onward::Nothing));
    let (workspace, domain_id) = (row.workspace_id, row.domain_id);
    let to = match &row.action {
        Action::Keep => return Ok((Done::Kept, None, Onward::Nothing)),
        Action::Webhook(id) => {
            let id = *id;
            return match inbound.storage.read(move |c| webhook::find(c, workspace, id)).await? {
                Some(_) => Ok((Done::Webhook, None, Onward::Webhook(id))),
                None => kept("its webhook is gone".to_owned()),
            };
        }
        Action::Forward(to) => to,
    };
    let sender = inbound.storage.read(move |c| domain::find(c, workspace, domain_id)).await?;
    let (Ok(via), Some(author), Some(_)) = (Address::parse(&row.address), author, sender) else {
        return kept("the reply address or its sending domain cannot be used".to_owned());
    };
    let id = format!("{now_ms:x}.{:x}@{}", inbound.random.below(u64::MAX), via.domain());
    match message(inbound, row, to, forward::write(head, &via, author, &id), now_ms) {
        Ok(message) => Ok((Done::Forwarded, None, Onward::Message(Box::new(message)))),
        Err(why) => kept(format!("it cannot be forwarded: {why}")),
    }
}

/// The answer as a message for the queue.
fn message(
    inbound: &Inbound,
    row: &ReplyAddress,
    to: &Address,
    content: Vec<u8>,
    now_ms: i64,
) -> Result<NewMessage, String> {
    let prepared = prepare(&content, &Defaults { id: "reply", date_ms: now_ms }).map_err(|e| e.to_string())?;
    Ok(NewMessage {
        workspace_id: row.workspace_id,
        domain_id: row.domain_id,
        submission: Submission::System,
        submitter: SUBMITTER.to_owned(),
        stream: StreamKind::Transactional.as_str().to_owned(),
        kind: StreamKind::Transactional,
        pool: inbound.streams.default_of(StreamKind::Transactional).pool.to_string(),
        header_id: prepared.header_id,
        from_address: prepared.from.to_string(),
        subject: prepared.subject,
        tags: Vec::new(),
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::Nobody,
        eight_bit: prepared.eight_bit,
        smtputf8: prepared.smtputf8 || to.needs_smtputf8(),
        content: prepared.content.into_owned(),
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms + EXPIRY_MS,
        recipients: vec![NewMessageRecipient {
            address_hash: address_hash(to),
            address: to.clone(),
            dsn_notify: None,
            dsn_orcpt: None,
        }],
    })
}

/// The recipient of the workspace whose mail is answered: In-Reply-To and References name it (RFC 5322 §3.6.4).
async fn answered(
    inbound: &Inbound,
    row: &ReplyAddress,
    head: &Head<'_>,
    sender: Option<&Address>,
) -> Result<Option<(RecipientId, Way)>, StorageError> {
    let fields = [head.text("In-Reply-To"), head.text("References")];
    let ids: Vec<String> = fields
        .iter()
        .flatten()
        .flat_map(|text| text.split_whitespace().rev())
        .filter_map(|word| word.strip_prefix('<')?.strip_suffix('>').map(str::to_owned))
        .take(ANSWERED_MAX)
        .collect();
    let (hash, workspace) = (sender.map(address_hash), row.workspace_id);
    let find = move |c: &storage::Connection| {
        for id in &ids {
            let Some(found) = feedback::of_header_id(c, id, hash.as_ref())? else { continue };
            if let Some(way) = complaint::way(c, found)?.filter(|way| way.workspace_id == workspace) {
                return Ok(Some((found, way)));
            }
        }
        Ok(None)
    };
    inbound.storage.read(find).await
}

/// The same mail has the same, over whichever hosts it comes.
pub(super) fn fingerprint(address: &str, head: &Head<'_>) -> [u8; 32] {
    let text = |name: &str| head.text(name).unwrap_or_default();
    let (id, from, date, subject) = (text("Message-ID"), text("From"), text("Date"), text("Subject"));
    let parts = [address, &id, &from, &date, &subject].map(str::as_bytes);
    let lengths = parts.map(|part| part.len().to_be_bytes());
    // Without an id two mails of one minute may well have the same fields.
    let body: &[u8] = if id.is_empty() { head.body } else { b"" };
    let mut all: Vec<&[u8]> = Vec::with_capacity(11);
    for (length, part) in lengths.iter().zip(parts) {
        all.extend([&length[..], part]);
    }
    all.push(body);
    request_hash(&all)
}

/// Whether the domain can be that of a reply address of a sending domain: its own, its return path's, or one below it.
/// Others could not be signed for so that DMARC holds.
#[must_use]
pub fn may_answer_for(reply: &Domain, sending: &str, return_path: &str) -> bool {
    let below =
        |domain: &str| reply.as_str().strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    reply.as_str() == return_path || below(sending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_reply_addresses() {
        for (reply, expected) in [
            ("news.example", true),
            ("bounce.news.example", true),
            ("answers.news.example", true),
            ("paths.example", true),
            ("xnews.example", false),
            ("other.example", false),
            ("below.paths.example", false),
        ] {
            let reply = Domain::parse(reply).unwrap();
            assert_eq!(may_answer_for(&reply, "news.example", "paths.example"), expected, "{reply}");
        }
    }

    #[test]
    fn the_same_mail_is_known() {
        let of = |raw: &str| fingerprint("hello@news.example", &Head::read(raw.as_bytes()));
        let first = of("Message-ID: <1@x.example>\r\nFrom: a@x.example\r\n\r\none");
        assert_eq!(first, of("Received: by b\r\nMessage-ID: <1@x.example>\r\nFrom: a@x.example\r\n\r\none"));
        assert_ne!(first, of("Message-ID: <2@x.example>\r\nFrom: a@x.example\r\n\r\none"));
        assert_ne!(of("From: a@x.example\r\n\r\none"), of("From: a@x.example\r\n\r\ntwo"));
    }
}
