//! What an address of ours is for. Strategies, in this order: the local part says it by its form or its name, at every
//! return-path domain; else it is a reply address. What is neither is refused at RCPT.

use super::Inbound;
use super::report::VERP_AGE_MAX;
use bounce::verp::{self, VerpError};
use mail::Address;
use std::collections::HashSet;
use std::time::Duration;
use storage::reply_address::{self, ReplyAddress};
use storage::{MessageId, RecipientId, StorageError};

/// A wish to get no more is good for as long as finished recipients are usually kept.
const UNSUBSCRIBE_AGE_MAX: Duration = Duration::from_secs(400 * 86_400);

/// What an address is for. Forged and expired ones are addresses of ours too: they are counted, kept, and change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A return path: what is returned comes there.
    ReturnPath(Result<Named, VerpError>),
    /// Complaints.
    Feedback,
    /// Mail to it unsubscribes.
    Unsubscribe(Result<RecipientId, VerpError>),
    /// People answer to it.
    Reply(Box<ReplyAddress>),
}

/// What a return path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Recipient(RecipientId),
    /// Of several recipients that shared a transaction: the report says which.
    Message(MessageId),
}

impl Purpose {
    /// For people and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Purpose::ReturnPath(_) => "return_path",
            Purpose::Feedback => "feedback",
            Purpose::Unsubscribe(_) => "unsubscribe",
            Purpose::Reply(_) => "reply",
        }
    }

    /// Why nothing may follow from a mail to it.
    pub fn trouble(&self) -> Option<VerpError> {
        match self {
            Purpose::ReturnPath(Err(trouble)) | Purpose::Unsubscribe(Err(trouble)) => Some(*trouble),
            _ => None,
        }
    }
}

/// What the address is for; `None` where it is none of ours.
pub(super) async fn of(
    inbound: &Inbound,
    return_paths: &HashSet<String>,
    address: &Address,
) -> Result<Option<Purpose>, StorageError> {
    if return_paths.contains(address.domain().as_str())
        && let Some(purpose) = by_local_part(inbound, address.local().as_str())
    {
        return Ok(Some(purpose));
    }
    let asked = address.clone();
    let found = inbound.storage.read(move |c| reply_address::by_address(c, &asked)).await?;
    Ok(found.map(|row| Purpose::Reply(Box::new(row))))
}

pub(super) fn by_local_part(inbound: &Inbound, local: &str) -> Option<Purpose> {
    if local.eq_ignore_ascii_case(&inbound.feedback) {
        return Some(Purpose::Feedback);
    }
    let (key, now_ms) = (&inbound.verp, inbound.clock.now_ms());
    let recipient = verp::decode(key, local, now_ms, VERP_AGE_MAX).map(|id| Named::Recipient(RecipientId(id)));
    if recipient != Err(VerpError::NotVerp) {
        return Some(Purpose::ReturnPath(recipient));
    }
    let message = verp::decode_message(key, local, now_ms, VERP_AGE_MAX).map(|id| Named::Message(MessageId(id)));
    if message != Err(VerpError::NotVerp) {
        return Some(Purpose::ReturnPath(message));
    }
    let wish = verp::decode_unsubscribe(key, local, now_ms, UNSUBSCRIBE_AGE_MAX).map(RecipientId);
    (wish != Err(VerpError::NotVerp)).then_some(Purpose::Unsubscribe(wish))
}
