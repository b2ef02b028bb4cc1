//! Sends each day's TLS reports to the domains that ask for them (RFC 8460 §3, §5), once each: a report by mail is
//! accepted into the queue in the commit that notes it as sent.

use super::outcomes::day_of;
use super::rpt::{self, MEDIA_TYPE, Place, Subject};
use crate::hold::off_clock;
use crate::shared::Shared;
use mail::StreamKind;
use std::sync::Arc;
use std::time::Duration;
use storage::domain::{self, SendingDomain};
use storage::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
use storage::tls::{self, ReportState, SessionCount, TlsReport};
use storage::{Storage, StorageError, WorkspaceId, address_hash};

/// Counts are written this often.
const WRITE_EVERY: Duration = Duration::from_mins(1);
/// Reports that are due are looked for this often; one that failed is tried again after it.
const REPORT_EVERY: Duration = Duration::from_hours(1);
/// RFC 8460 §5.4: for a day.
const ATTEMPTS_MAX: u32 = 24;
/// Reports made in one look.
const REPORTS_MAX: u32 = 1000;
/// Counts and reports are kept this long, for questions.
const KEEP_MS: i64 = 30 * 86_400_000;
/// A report by mail is given up after this.
const EXPIRY_MS: i64 = 86_400_000;
/// What reports are called in lists of messages.
const SUBMITTER: &str = "TLS reports";

/// Writes what was counted, again and again.
pub(crate) async fn write_counts(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep(WRITE_EVERY).await;
        shared.policies.outcomes.write(&shared.storage).await;
    }
}

/// Sends what is due, again and again.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep(REPORT_EVERY).await;
        if let Err(error) = look(&shared).await {
            tracing::error!(%error, "TLS reports cannot be sent; trying again later");
        }
    }
}

async fn look(shared: &Arc<Shared>) -> Result<(), StorageError> {
    let now_ms = shared.clock.now_ms();
    let again_ms = now_ms - i64::try_from(REPORT_EVERY.as_millis()).unwrap_or(0) / 2;
    let due = read(&shared.storage, move |c| tls::due(c, day_of(now_ms), again_ms, REPORTS_MAX)).await?;
    // RFC 8460 §5.3 wants a sender that is known by its signature: the oldest sending domain of the main workspace.
    let sender = read(&shared.storage, |c| Ok(domain::list(c, WorkspaceId::MAIN, 0, 1)?.pop())).await?;
    for (day_ms, name, attempts) in due {
        if shared.stopping.is_cancelled() {
            return Ok(());
        }
        report_one(shared, sender.as_ref(), (day_ms, name, attempts + 1)).await?;
    }
    write(&shared.storage, move |tx| tls::forget(tx, day_of(now_ms) - KEEP_MS, now_ms).map(|_| ())).await
}

async fn report_one(
    shared: &Arc<Shared>,
    sender: Option<&SendingDomain>,
    (day_ms, domain, attempts): (i64, String, u32),
) -> Result<(), StorageError> {
    let now_ms = shared.clock.now_ms();
    let contact = sender.map(|sender| format!("postmaster@{}", sender.domain)).unwrap_or_default();
    let submitter = shared.policies.parts().submitter.as_str();
    let subject = Subject { domain: &domain, day_ms, submitter, contact: &contact };
    let report = |state, detail: String| TlsReport {
        day_ms,
        domain: domain.clone(),
        state: if state == ReportState::Failed && attempts >= ATTEMPTS_MAX { ReportState::GivenUp } else { state },
        detail,
        report_id: subject.report_id(),
        attempts,
        tried_ms: now_ms,
    };
    let places = match wanted(shared, &domain).await {
        Ok(places) => places,
        Err((state, why)) => return put(&shared.storage, report(state, why), None).await,
    };
    let Some(sender) = sender else {
        let why = "there is no sending domain that a report could come from".to_owned();
        return put(&shared.storage, report(ReportState::NoSender, why), None).await;
    };
    let name = domain.clone();
    let counts = read(&shared.storage, move |c| tls::results(c, day_ms, &name)).await?;
    let zipped = match zip(&subject, &counts) {
        Ok(zipped) => zipped,
        Err(error) => return put(&shared.storage, report(ReportState::Failed, error.to_string()), None).await,
    };
    let posted = post_all(shared, &places, &zipped).await;
    if let Err(why) = &posted {
        return put(&shared.storage, report(ReportState::Failed, why.clone()), None).await;
    }
    let to: Vec<mail::Address> = places.iter().filter_map(mail_place).collect();
    let message = to.first().map(|first| NewMessage {
        content: subject.mail(first, &zipped, now_ms),
        ..message_to(shared, sender, &subject, &to, now_ms)
    });
    put(&shared.storage, report(ReportState::Sent, format!("to {}", places_shown(&places))), message).await?;
    shared.book.counts.wake.notify_one();
    Ok(())
}

/// Where the domain wants its report.
async fn wanted(shared: &Shared, domain: &str) -> Result<Vec<Place>, (ReportState, String)> {
    let name = format!("{}.{domain}", rpt::RECORD_LABEL);
    let texts = match shared.resolver.dns().txt(&name).await {
        Ok(texts) => texts,
        Err(world::DnsError::NoSuchName { .. }) => Vec::new(),
        Err(error @ world::DnsError::Temporary { .. }) => return Err((ReportState::Failed, error.to_string())),
    };
    match rpt::read_record(&texts) {
        Ok(places) if places.is_empty() => {
            Err((ReportState::NotWanted, format!("{name} has no record that asks for reports")))
        }
        Ok(places) => Ok(places),
        Err(error) => Err((ReportState::NotWanted, format!("{name}: {error}"))),
    }
}

fn zip(subject: &Subject<'_>, counts: &[SessionCount]) -> std::io::Result<Vec<u8>> {
    subject.report(counts).zipped()
}

/// Brings the report to the places that are URLs. Places that had it before an other failed get it again, with its id.
async fn post_all(shared: &Shared, places: &[Place], zipped: &[u8]) -> Result<(), String> {
    for place in places {
        let Place::Https(url) = place else { continue };
        match shared.policies.parts().fetch.post(url, MEDIA_TYPE, zipped.to_vec()).await {
            Ok(200..=299) => {}
            Ok(status) => return Err(format!("{url} answers with status {status}")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn mail_place(place: &Place) -> Option<mail::Address> {
    match place {
        Place::Mail(address) => Some(address.clone()),
        Place::Https(_) => None,
    }
}

/// Places in an operator's line: of addresses only their domain, of URLs only the host.
fn places_shown(places: &[Place]) -> String {
    let shown = places.iter().map(|place| match place {
        Place::Mail(address) => format!("a mailbox at {}", address.domain()),
        Place::Https(url) => url.split('/').take(3).collect::<Vec<_>>().join("/"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn message_to(
    shared: &Shared,
    sender: &SendingDomain,
    subject: &Subject<'_>,
    to: &[mail::Address],
    now_ms: i64,
) -> NewMessage {
    let recipient = |address: &mail::Address| NewMessageRecipient {
        address_hash: address_hash(address),
        address: address.clone(),
        dsn_notify: None,
        dsn_orcpt: None,
    };
    let mut recipients: Vec<NewMessageRecipient> = to.iter().map(recipient).collect();
    recipients.sort_by_key(|recipient| recipient.address_hash);
    recipients.dedup_by(|a, b| a.address_hash == b.address_hash);
    NewMessage {
        workspace_id: sender.workspace_id,
        domain_id: sender.id,
        submission: Submission::System,
        submitter: SUBMITTER.to_owned(),
        stream: StreamKind::Transactional.as_str().to_owned(),
        kind: StreamKind::Transactional,
        pool: shared.streams.of_kind(StreamKind::Transactional).pool.clone(),
        header_id: subject.report_id(),
        from_address: subject.contact.to_owned(),
        subject: format!("Report Domain: {} Submitter: {}", subject.domain, subject.submitter),
        tags: Vec::new(),
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::Nobody,
        eight_bit: false,
        smtputf8: false,
        content: Vec::new(),
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms + EXPIRY_MS,
        recipients,
    }
}

/// Notes how a report stands, and takes its mail into the queue, in one commit.
async fn put(storage: &Storage, report: TlsReport, mail: Option<NewMessage>) -> Result<(), StorageError> {
    write(storage, move |tx| {
        tls::put_report(tx, &report)?;
        mail.map_or(Ok(()), |mail| message::accept(tx, &mail).map(|_| ()))
    })
    .await
}

async fn read<T: Send + 'static>(
    storage: &Storage,
    work: impl FnOnce(&storage::Connection) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let storage = storage.clone();
    off_clock(async move { storage.read(work).await }).await.unwrap_or(Err(StorageError::Closed))
}

async fn write(
    storage: &Storage,
    work: impl FnOnce(&storage::Transaction<'_>) -> Result<(), StorageError> + Send + 'static,
) -> Result<(), StorageError> {
    let storage = storage.clone();
    off_clock(async move { storage.queue().write(work).await }).await.unwrap_or(Err(StorageError::Closed))
}
