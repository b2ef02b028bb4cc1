//! Mail that comes in by another way than our listener: from a file, over the API, from a mailbox elsewhere. It takes the
//! same way from there on.

use super::head::Head;
use super::purpose::{self, Purpose};
use super::report::{self, Incoming};
use super::{Inbound, Outcome};
use mail::{Address, Mailbox};
use std::collections::HashSet;
use storage::StorageError;

/// Where a mail says whom it came to, the surest first.
const RCPT_FIELDS: &[&str] =
    &["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Rcpt-To", "To", "Cc"];
/// Addresses of its header that are looked at.
const RCPTS_MAX: usize = 50;

/// A mail that is fed.
#[derive(Clone, Debug)]
pub struct Fed {
    /// From where, for people: "API", or a mailbox's name.
    pub origin: String,
    /// To whom it came; empty where only its header can say.
    pub rcpts: Vec<Address>,
    /// The mail, or its beginning.
    pub message: Vec<u8>,
    /// There is more of it.
    pub is_cut: bool,
}

/// Why a mail could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Its recipient is being sent right now.
    #[error("the recipient that it is about is still being sent to; feed it again in a moment")]
    Busy,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Settles a mail. Returns when all of it is on disk: then it may be deleted where it came from, and feeding it again
/// changes nothing.
///
/// # Errors
/// When it is to be fed again.
pub async fn feed(inbound: &Inbound, fed: Fed) -> Result<Outcome, FeedError> {
    let return_paths = inbound.storage.read(storage::domain::return_paths).await?.into_iter().collect();
    let head = Head::read(&fed.message);
    let named = if fed.rcpts.is_empty() { named(&head) } else { fed.rcpts };
    let rcpts = ours(inbound, &return_paths, named).await?;
    let path = head.text("Return-Path");
    let (from, null_path) = match path.as_deref() {
        Some("<>") => (None, true),
        Some(text) => (Address::parse(text.trim_matches(['<', '>'])).ok(), false),
        None => (None, false),
    };
    let incoming = Incoming { peer: fed.origin, from, null_path, rcpts, message: fed.message, is_cut: fed.is_cut };
    let report = report::read(inbound, &incoming.message);
    let told = if incoming.rcpts.is_empty() {
        let settled = report::settle_by_marks(inbound, &report, &incoming).await?;
        report::note(inbound, &incoming, &report, (None, "elsewhere"), settled).await?.map(|one| vec![one])
    } else {
        report::settle(inbound, &incoming, &report).await?
    };
    let told = told.ok_or(FeedError::Busy)?;
    Ok(Outcome { class: report::class(inbound, &report), told })
}

/// The addresses that the header names.
fn named(head: &Head<'_>) -> Vec<Address> {
    let fields = RCPT_FIELDS.iter().flat_map(|name| head.all(name)).map(|field| field.text());
    let texts: Vec<String> = fields.collect();
    let mailboxes = texts.iter().flat_map(|text| text.split(',')).take(RCPTS_MAX);
    mailboxes.filter_map(|text| Mailbox::parse(text).ok()).map(|mailbox| mailbox.address).collect()
}

/// Those of ours, each once, with what they are for.
async fn ours(
    inbound: &Inbound,
    return_paths: &HashSet<String>,
    named: Vec<Address>,
) -> Result<Vec<(Address, Purpose)>, StorageError> {
    let mut found: Vec<(Address, Purpose)> = Vec::new();
    for address in named {
        let again = found.iter().any(|(known, _)| known.normalized() == address.normalized());
        if !again && let Some(purpose) = purpose::of(inbound, return_paths, &address).await? {
            found.push((address, purpose));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_header() {
        let raw = "To: \"A\" <a@x.example>, b@x.example\r\nDelivered-To: c@x.example\r\nCc: nobody\r\n\r\n";
        let found: Vec<_> = named(&Head::read(raw.as_bytes())).iter().map(Address::to_string).collect();
        assert_eq!(found, ["c@x.example", "a@x.example", "b@x.example"]);
    }
}
