//! One visit to a mailbox: connect, take, settle, and only then delete.

use super::imap::Imap;
use super::pop3::Pop3;
use super::wire::{PullError, Wire};
use super::{One, Puller};
use crate::inbound::{Fed, FeedError, REPORT_MAX, WHOLE_MAX, feed};
use crate::shared::lock;
use config::{AfterTaking, MailboxProtocol, MailboxTls};
use rustls::pki_types::ServerName;
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use storage::{StorageError, mailbox as seen};
use tokio_rustls::TlsConnector;
use world::Stream;

/// Time to wait for a connection, and for TLS.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// Mails of one visit.
const VISIT_MAILS: usize = 5_000;

/// Why a visit ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum VisitError {
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It is passed over from now on.
    #[error("a mail has more than {} MiB; it stays there", REPORT_MAX / 1024 / 1024)]
    TooLarge,
}

/// Takes what is there; says how many.
pub(super) async fn visit(puller: &Puller, one: &One) -> Result<u64, VisitError> {
    let patience = puller.outside.patience;
    let connected = tokio::time::timeout(CONNECT_MAX, connect(puller, one)).await;
    let mut wire = Wire::new(connected.map_err(|_| PullError::Slow)??, patience);
    match one.mailbox.protocol {
        MailboxProtocol::Pop3 => {
            let mut session = match one.mailbox.tls {
                MailboxTls::Implicit => {
                    wire = Wire::new(secure(one, wire).await?, patience);
                    Pop3::greeted(wire).await?
                }
                MailboxTls::StartTls => {
                    let plain = Pop3::greeted(wire).await?.start_tls().await?;
                    Pop3::secured(Wire::new(secure(one, plain).await?, patience))
                }
            };
            session.login(&one.mailbox.user, &one.password).await?;
            pop3(puller, one, session).await
        }
        MailboxProtocol::Imap => {
            let mut session = match one.mailbox.tls {
                MailboxTls::Implicit => {
                    wire = Wire::new(secure(one, wire).await?, patience);
                    Imap::greeted(wire).await?
                }
                MailboxTls::StartTls => {
                    let plain = Imap::greeted(wire).await?.start_tls().await?;
                    Imap::secured(Wire::new(secure(one, plain).await?, patience))
                }
            };
            session.login(&one.mailbox.user, &one.password).await?;
            imap(puller, one, session).await
        }
    }
}

async fn connect(puller: &Puller, one: &One) -> Result<Box<dyn Stream>, PullError> {
    let host = one.mailbox.host.as_str();
    let ips = match host.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => puller.outside.dns.addresses(host).await.map_err(io::Error::other)?,
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for ip in ips {
        match puller.outside.dial.connect(None, SocketAddr::new(ip, one.mailbox.port)).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last.into())
}

/// Begins TLS; the certificate must be good for the host's name.
async fn secure(one: &One, wire: Wire) -> Result<Box<dyn Stream>, PullError> {
    let stream = wire.into_stream()?;
    let name = ServerName::try_from(one.mailbox.host.clone()).map_err(|e| PullError::Tls(e.to_string()))?;
    let handshake = TlsConnector::from(one.tls.clone()).connect(name, stream);
    let secured = tokio::time::timeout(CONNECT_MAX, handshake).await.map_err(|_| PullError::Slow)?;
    Ok(Box::new(secured.map_err(|e| PullError::Tls(e.to_string()))?))
}

/// Settles a mail and remembers that it was taken; `false` when it is to be taken later.
async fn take(puller: &Puller, one: &One, uid: &str, (message, is_cut): (Vec<u8>, bool)) -> Result<bool, StorageError> {
    let fed = Fed { origin: format!("mailbox {}", one.mailbox.name), rcpts: Vec::new(), message, is_cut };
    match feed(&puller.inbound, fed).await {
        Ok(_) => {}
        Err(FeedError::Busy) => return Ok(false),
        Err(FeedError::Storage(e)) => return Err(e),
    }
    remember(puller, one, uid).await?;
    lock(&one.status).taken += 1;
    Ok(true)
}

async fn remember(puller: &Puller, one: &One, uid: &str) -> Result<(), StorageError> {
    let (name, uid, now_ms) = (one.mailbox.name.to_string(), uid.to_owned(), puller.inbound.clock.now_ms());
    puller.inbound.storage.events().write(move |tx| seen::add(tx, &name, &uid, now_ms)).await
}

async fn remembered(puller: &Puller, one: &One) -> Result<HashSet<String>, StorageError> {
    let name = one.mailbox.name.to_string();
    puller.inbound.storage.read(move |c| seen::seen(c, &name)).await
}

async fn forget(puller: &Puller, one: &One, uids: Vec<String>) -> Result<(), StorageError> {
    if uids.is_empty() {
        return Ok(());
    }
    let name = one.mailbox.name.to_string();
    puller.inbound.storage.events().write(move |tx| seen::forget(tx, &name, &uids)).await
}

/// What was taken stays known until it is no longer in the mailbox, and so does what is too large for it.
async fn pop3(puller: &Puller, one: &One, mut session: Pop3) -> Result<u64, VisitError> {
    let listed = session.list().await?;
    let known = remembered(puller, one).await?;
    let there: HashSet<String> = listed.iter().flat_map(|mail| [mail.uid.clone(), left(&mail.uid)]).collect();
    forget(puller, one, known.difference(&there).cloned().collect()).await?;
    let deletes = one.mailbox.after == AfterTaking::Delete;
    let (mut taken, mut lying, mut gone) = (0, 0, Vec::new());
    for mail in &listed {
        let is_left = known.contains(&left(&mail.uid));
        if is_left || mail.size_bytes > REPORT_MAX as u64 {
            lying += 1;
            if !is_left {
                leave(puller, one, &mail.uid, mail.size_bytes).await?;
            }
            continue;
        }
        let is_known = known.contains(&mail.uid);
        if (is_known && !deletes) || taken >= VISIT_MAILS {
            continue;
        }
        if !is_known {
            let Some((message, bytes)) = session.fetch(mail.number, WHOLE_MAX, REPORT_MAX).await? else {
                // The server has told another size. Half of a mail is under way: only a new connection can go on.
                leave(puller, one, &mail.uid, REPORT_MAX as u64).await?;
                return Err(VisitError::TooLarge);
            };
            let is_cut = bytes > message.len();
            if !take(puller, one, &mail.uid, (message, is_cut)).await? {
                continue;
            }
            taken += 1;
        }
        if deletes {
            session.delete(mail.number).await?;
            gone.push(mail.uid.clone());
        }
    }
    session.quit().await?;
    forget(puller, one, gone).await?;
    lock(&one.status).left = lying;
    Ok(taken as u64)
}

/// Under what a mail is remembered that is left where it is.
fn left(uid: &str) -> String {
    format!("left {uid}")
}

/// A mail that no report and no answer is as large as stays where it is, and is passed over from now on.
async fn leave(puller: &Puller, one: &One, uid: &str, bytes: u64) -> Result<(), StorageError> {
    tracing::warn!(mailbox = %one.mailbox.name, bytes, "a mail is too large to be taken; it stays there");
    remember(puller, one, &left(uid)).await
}

/// What was taken is known between settling and marking, moving or deleting it.
async fn imap(puller: &Puller, one: &One, mut session: Imap) -> Result<u64, VisitError> {
    let validity = session.select(&one.mailbox.folder).await?;
    let keeps = one.mailbox.after == AfterTaking::Keep && one.mailbox.move_to.is_none();
    let uids = session.search(keeps).await?;
    let known = remembered(puller, one).await?;
    // What has gone by other hands, or is of another validity, need not be known any more.
    let there: HashSet<String> = uids.iter().map(|uid| format!("{validity}.{uid}")).collect();
    forget(puller, one, known.difference(&there).cloned().collect()).await?;
    let mut taken = 0;
    for uid in uids.into_iter().take(VISIT_MAILS) {
        let key = format!("{validity}.{uid}");
        if !known.contains(&key) {
            // One byte more tells whether there is more.
            let fetched = session.fetch(uid, WHOLE_MAX + 1, REPORT_MAX).await?;
            let Some(mut message) = fetched else { continue };
            let is_cut = message.len() > WHOLE_MAX;
            message.truncate(WHOLE_MAX);
            if !take(puller, one, &key, (message, is_cut)).await? {
                continue;
            }
            taken += 1;
        }
        match (&one.mailbox.move_to, one.mailbox.after) {
            (Some(folder), _) => session.move_to(uid, folder).await?,
            (None, AfterTaking::Delete) => session.delete(uid).await?,
            (None, AfterTaking::Keep) => session.mark_seen(uid).await?,
        }
        forget(puller, one, vec![key]).await?;
    }
    session.logout().await?;
    Ok(taken)
}
