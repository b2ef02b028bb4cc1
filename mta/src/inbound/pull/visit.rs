//! One visit to a mailbox: connect, take, settle, and only then delete.

use super::imap::Imap;
use super::pop3::{Listed, Pop3, READ_MAX};
use super::wire::{PullError, Wire};
use super::{One, Puller};
use crate::inbound::{Fed, FeedError, feed};
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

/// Of a mail, what is read for meaning; the listener takes none that is larger.
const MAIL_MAX: usize = 10 * 1024 * 1024;
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
async fn take(puller: &Puller, one: &One, uid: &str, message: Vec<u8>) -> Result<bool, StorageError> {
    let fed = Fed { origin: format!("mailbox {}", one.mailbox.name), rcpts: Vec::new(), message };
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

/// What was taken stays known until it is no longer in the mailbox.
async fn pop3(puller: &Puller, one: &One, mut session: Pop3) -> Result<u64, VisitError> {
    let listed = session.list().await?;
    let known = remembered(puller, one).await?;
    let there: HashSet<&str> = listed.iter().map(|mail| mail.uid.as_str()).collect();
    forget(puller, one, known.iter().filter(|uid| !there.contains(uid.as_str())).cloned().collect()).await?;
    let deletes = one.mailbox.after == AfterTaking::Delete;
    let (mut taken, mut gone) = (0, Vec::new());
    for mail in &listed {
        let is_known = known.contains(&mail.uid);
        if is_known && !deletes {
            continue;
        }
        if taken >= VISIT_MAILS {
            break;
        }
        if !is_known {
            if too_large(puller, one, mail).await? {
                continue;
            }
            let message = session.fetch(mail.number, MAIL_MAX).await?;
            if !take(puller, one, &mail.uid, message).await? {
                continue;
            }
            taken += 1;
        }
        if deletes && mail.size_bytes <= READ_MAX as u64 {
            session.delete(mail.number).await?;
            gone.push(mail.uid.clone());
        }
    }
    session.quit().await?;
    forget(puller, one, gone).await?;
    Ok(taken as u64)
}

/// A mail that no report and no answer is as large as: it stays where it is, and is passed over from now on.
async fn too_large(puller: &Puller, one: &One, mail: &Listed) -> Result<bool, StorageError> {
    if mail.size_bytes <= READ_MAX as u64 {
        return Ok(false);
    }
    tracing::warn!(mailbox = %one.mailbox.name, bytes = mail.size_bytes, "a mail is too large to be taken; it stays there");
    remember(puller, one, &mail.uid).await?;
    Ok(true)
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
            let Some(message) = session.fetch(uid, MAIL_MAX).await? else { continue };
            if !take(puller, one, &key, message).await? {
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
