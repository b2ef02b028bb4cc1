//! Reports of our own to whoever handed a message in (RFC 3461 §6.1, RFC 5321 §6.1): what has become of its recipients
//! is gathered for a moment, and told in one mail from the empty reverse-path, which takes the queue like every other.
//!
//! They cannot go round: of a report nothing is told, nothing goes to a return path of ours, and nobody gets more than so
//! many in an hour.

use crate::hold::off_clock;
use crate::metric;
use crate::shared::Shared;
use config::NoticeSection;
use mail::dsn::{Action, Diagnostic, Notice as Report, Original, Told};
use mail::{Address, EnhancedStatus, StreamKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use storage::domain::{self, SendingDomain};
use storage::message::{NewMessage, NewMessageRecipient, Notices, Submission};
use storage::notice::{self, Due, Notice};
use storage::{StorageError, address_hash};

/// What is due is looked for this often, and who is late every so many looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
const LATE_EVERY: u32 = 8;
/// The first thing to tell of a message waits so long for others.
const GATHER_MS: i64 = 5_000;
/// Messages told of in one look, and recipients in one report.
const MESSAGES_MAX: u32 = 50;
const TOLD_MAX: u32 = 100;
/// Recipients that are late, looked at at once.
const LATE_MAX: u32 = 500;
/// What cannot be told is kept this long.
const KEEP_MS: i64 = 7 * 86_400_000;
/// A report is given up after this.
const EXPIRY_MS: i64 = 2 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// What reports are called in lists of messages.
const SUBMITTER: &str = "Delivery reports";

/// How many each address got in its hour. What it got before a start is asked for once.
struct Hours {
    started_ms: i64,
    sent: HashMap<Address, (i64, u32)>,
}

impl Hours {
    /// Whether something may have gone to the address in this hour that is not counted here.
    fn is_unsure_of(&self, to: &Address, now_ms: i64) -> bool {
        now_ms - self.started_ms < HOUR_MS && !self.sent.contains_key(to)
    }

    /// So many went to the address before the start.
    fn begin(&mut self, to: &Address, sent: u32, now_ms: i64) {
        self.sent.insert(to.clone(), (now_ms, sent));
    }

    /// Whether another report may go to the address now; counts it.
    fn allow(&mut self, to: &Address, most: u32, now_ms: i64) -> bool {
        // Whoever is not heard of for an hour need not be remembered.
        self.sent.retain(|_, (since_ms, _)| now_ms - *since_ms < HOUR_MS);
        let (_, sent) = self.sent.entry(to.clone()).or_insert((now_ms, 0));
        *sent = sent.saturating_add(1);
        *sent <= most
    }
}

/// Tells what is due, again and again.
pub(crate) async fn run(shared: Arc<Shared>, section: NoticeSection) {
    let mut hours = Hours { started_ms: shared.clock.now_ms(), sent: HashMap::new() };
    for looks in (0..LATE_EVERY).cycle() {
        shared.clock.sleep(LOOK_EVERY).await;
        let looked = match looks {
            0 => note_late(&shared, &section).await,
            _ => look(&shared, &section, &mut hours).await,
        };
        if let Err(error) = looked {
            tracing::error!(%error, "delivery reports cannot be made; trying again");
        }
    }
}

/// Notes who is late, and forgets what nobody can be told any more.
async fn note_late(shared: &Shared, section: &NoticeSection) -> Result<(), StorageError> {
    let now_ms = shared.clock.now_ms();
    let late_ms = now_ms.saturating_sub(i64::try_from(section.delay_after.as_millis()).unwrap_or(i64::MAX));
    write(shared, move |tx| {
        notice::late(tx, late_ms, now_ms, LATE_MAX)?;
        notice::forget(tx, now_ms - KEEP_MS, LATE_MAX).map(|_| ())
    })
    .await
}

/// Tells what is due.
async fn look(shared: &Arc<Shared>, section: &NoticeSection, hours: &mut Hours) -> Result<(), StorageError> {
    let now_ms = shared.clock.now_ms();
    loop {
        let storage = shared.storage.clone();
        let read = move |c: &storage::Connection| {
            let due = notice::due(c, now_ms - GATHER_MS, (MESSAGES_MAX, TOLD_MAX))?;
            let own = if due.is_empty() { Vec::new() } else { domain::return_paths(c)? };
            let with_sender = due.into_iter().map(|due| {
                let sender = domain::find(c, due.message.workspace_id, due.message.domain_id)?;
                Ok((due, sender))
            });
            Ok((with_sender.collect::<Result<Vec<_>, StorageError>>()?, own))
        };
        let found = off_clock(async move { storage.read(read).await }).await;
        let (due, own) = found.unwrap_or(Err(StorageError::Closed))?;
        if due.is_empty() || shared.stopping.is_cancelled() {
            return Ok(());
        }
        for (due, sender) in due {
            if hours.is_unsure_of(&due.to, now_ms) {
                let (storage, hash) = (shared.storage.clone(), address_hash(&due.to));
                let read = move |c: &storage::Connection| notice::sent_since(c, SUBMITTER, &hash, now_ms - HOUR_MS);
                let sent = off_clock(async move { storage.read(read).await }).await;
                hours.begin(&due.to, sent.unwrap_or(Err(StorageError::Closed))?, now_ms);
            }
            let report = match sender {
                Some(sender) => report_of(shared, &due, &sender, &own, (section, hours)),
                // Nobody can sign for it any more.
                None => None,
            };
            write(shared, move |tx| notice::done(tx, &due, report.as_ref())).await?;
        }
        shared.book.counts.wake.notify_one();
    }
}

/// The report, unless it must not be sent.
fn report_of(
    shared: &Shared,
    due: &Due,
    sender: &SendingDomain,
    own_paths: &[String],
    (section, hours): (&NoticeSection, &mut Hours),
) -> Option<NewMessage> {
    let now_ms = shared.clock.now_ms();
    let outcome = if own_paths.iter().any(|domain| domain == due.to.domain().as_str()) {
        "own_path"
    } else if !hours.allow(&due.to, section.hourly_max, now_ms) {
        "over_limit"
    } else {
        "sent"
    };
    metrics::counter!(metric::NOTICES, "outcome" => outcome).increment(1);
    if outcome != "sent" {
        tracing::debug!(message.id = %due.message.id, outcome, "a delivery report is not sent");
        return None;
    }
    let id = format!("{now_ms:x}.{:x}@{}", shared.random.below(u64::MAX), sender.domain);
    let report = write_report(due, sender, (&shared.policies.parts().submitter, &id), now_ms);
    if report.is_none() {
        tracing::error!(message.id = %due.message.id, "a delivery report cannot be written");
    }
    let (from, subject, content) = report?;
    let pool = shared.streams.of_kind(StreamKind::Transactional).pool.clone();
    Some(NewMessage {
        workspace_id: due.message.workspace_id,
        domain_id: sender.id,
        submission: Submission::System,
        submitter: SUBMITTER.to_owned(),
        stream: StreamKind::Transactional.as_str().to_owned(),
        kind: StreamKind::Transactional,
        pool,
        header_id: id,
        from_address: from.to_string(),
        subject,
        tags: Vec::new(),
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::NullSender,
        eight_bit: !content.is_ascii(),
        smtputf8: due.to.needs_smtputf8(),
        content,
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms + EXPIRY_MS,
        recipients: vec![NewMessageRecipient {
            address_hash: address_hash(&due.to),
            address: due.to.clone(),
            dsn_notify: None,
            dsn_orcpt: None,
        }],
    })
}

/// Author, subject and content.
fn write_report(
    due: &Due,
    sender: &SendingDomain,
    (reporting_mta, id): (&str, &str),
    now_ms: i64,
) -> Option<(Address, String, Vec<u8>)> {
    let from = Address::parse(&format!("MAILER-DAEMON@{}", sender.domain)).ok()?;
    let told: Vec<Told> = due.notices.iter().filter_map(told).collect();
    let original = due.notices.iter().find_map(|notice| match notice.original.clone()? {
        whole if notice.is_whole => Some(Original::Whole(whole)),
        headers => Some(Original::Headers(headers)),
    });
    let message = &due.message;
    // What was known of it when its content is gone.
    let few = || {
        Original::Headers(format!("From: <{}>\r\nMessage-ID: <{}>\r\n", message.from_address, message.header_id).into())
    };
    let report = Report {
        reporting_mta,
        from: &from,
        to: &due.to,
        header_id: id,
        about: &message.header_id,
        envid: message.dsn_envid.as_deref(),
        arrival_ms: message.accepted_ms,
        now_ms,
        told: &told,
        original: &original.unwrap_or_else(few),
    };
    (!told.is_empty()).then(|| (from.clone(), report.subject(), report.write()))
}

fn told(notice: &Notice) -> Option<Told> {
    let text = notice.reply.clone().unwrap_or_default();
    let diagnostic = match (notice.code, notice.enhanced) {
        (Some(code), Some(enhanced)) => Some(Diagnostic::Smtp(format!("{code} {enhanced} {text}"))),
        (Some(code), None) => Some(Diagnostic::Smtp(format!("{code} {text}"))),
        (None, _) => (!text.is_empty()).then_some(Diagnostic::Own(text)),
    };
    Some(Told {
        address: Address::parse(&notice.address).ok()?,
        orcpt: notice.orcpt.clone(),
        action: notice.action,
        status: status(notice),
        diagnostic,
        remote_mta: notice.mx.clone(),
        at_ms: notice.at_ms,
        until_ms: notice.until_ms,
    })
}

/// RFC 3464 §2.3.4: of the class that belongs to the action.
fn status(notice: &Notice) -> EnhancedStatus {
    let class = match notice.action {
        Action::Failed => 5,
        Action::Delayed => 4,
        Action::Relayed | Action::Expanded | Action::Delivered => 2,
    };
    match notice.enhanced {
        Some(status) if status.class == class => status,
        // Given up after "not now": its time was over (RFC 3463 §3.5).
        _ if class == 5 && notice.code.is_none_or(|code| code < 500) => EnhancedStatus { class, subject: 4, detail: 7 },
        _ => EnhancedStatus { class, subject: 0, detail: 0 },
    }
}

async fn write(
    shared: &Shared,
    work: impl FnOnce(&storage::Transaction<'_>) -> Result<(), StorageError> + Send + 'static,
) -> Result<(), StorageError> {
    let storage = shared.storage.clone();
    off_clock(async move { storage.queue().write(work).await }).await.unwrap_or(Err(StorageError::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fit_their_action() {
        for (action, enhanced, code, expected) in [
            (Action::Failed, Some("5.1.1"), Some(550), "5.1.1"),
            (Action::Failed, None, Some(550), "5.0.0"),
            (Action::Failed, Some("4.2.2"), Some(452), "5.4.7"),
            (Action::Failed, None, None, "5.4.7"),
            (Action::Delayed, Some("4.7.1"), Some(451), "4.7.1"),
            (Action::Delayed, None, None, "4.0.0"),
            (Action::Relayed, None, Some(250), "2.0.0"),
        ] {
            let notice = Notice {
                recipient_id: storage::RecipientId(1),
                action,
                at_ms: 0,
                address: "a@b.example".to_owned(),
                orcpt: None,
                code,
                enhanced: enhanced.and_then(EnhancedStatus::parse),
                reply: None,
                mx: None,
                until_ms: None,
                original: None,
                is_whole: false,
            };
            assert_eq!(status(&notice).to_string(), expected, "{action:?} {enhanced:?} {code:?}");
        }
    }

    #[test]
    fn so_many_in_an_hour() {
        let (ana, bo) = (Address::parse("ana@a.example").unwrap(), Address::parse("bo@a.example").unwrap());
        let mut hours = Hours { started_ms: 0, sent: HashMap::new() };
        let mut allowed = |to: &Address, now_ms| hours.allow(to, 2, now_ms);
        assert!(allowed(&ana, 0) && allowed(&ana, 1) && !allowed(&ana, 2) && allowed(&bo, 2));
        assert!(!allowed(&ana, HOUR_MS - 1) && allowed(&ana, HOUR_MS));
        let mut hours = Hours { started_ms: 0, sent: HashMap::new() };
        assert!(hours.is_unsure_of(&ana, 1) && !hours.is_unsure_of(&ana, HOUR_MS));
        hours.begin(&ana, 1, 1);
        assert!(!hours.is_unsure_of(&ana, 1) && hours.allow(&ana, 2, 1) && !hours.allow(&ana, 2, 2));
    }
}
