//! What a recipient gets, by its own choice: lists, all marketing mail, a pause.
//!
//! Joining concerns two files: the contact is put on the list in main.db, then its leaving is taken back in queue.db
//! together with everything else that was chosen. A crash between the two leaves the choice as it was; making it again
//! repairs it.

use crate::lists::put_on;
use mail::Address;
use storage::list::{self, Standing};
use storage::preference::{self, Choice, Marketing};
use storage::unsubscribe::{Applied, Subscriber};
use storage::{
    AddressHash, Connection, ContactId, ListId, RecipientId, Storage, StorageError, address_hash, contact, unsubscribe,
};

/// How long a pause is.
pub const PAUSE_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

/// What there is to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Who chooses.
    pub subscriber: Subscriber,
    /// The contact behind it, where there is one.
    pub contact: Option<ContactId>,
    /// Its suppression key.
    pub hash: AddressHash,
    /// What holds of marketing mail as a whole.
    pub standing: preference::Standing,
    /// The lists on offer.
    pub lists: Vec<Standing>,
}

/// What there is to choose for a recipient; `None` when it is no longer kept. For readers.
///
/// # Errors
/// The database's.
pub fn choices(connection: &Connection, id: RecipientId, now_ms: i64) -> Result<Option<Choices>, StorageError> {
    let Some(subscriber) = unsubscribe::find(connection, id)? else { return Ok(None) };
    let address = Address::parse(&subscriber.address)
        .map_err(|_| StorageError::Damaged { what: "recipient.address", value: subscriber.address.clone() })?;
    let (workspace, hash) = (subscriber.workspace_id, address_hash(&address));
    // By the address: the contact may have another one by now, and then it is not who holds this link.
    let contact = contact::find_by_email(connection, workspace, &address)?.map(|contact| contact.id);
    let standing = preference::standing(connection, workspace, &hash, now_ms)?;
    let mut lists = Vec::new();
    if contact.is_some() {
        lists = list::standings(connection, workspace, (contact, &hash))?;
        lists.retain(|one| one.list.draft.is_public);
    }
    Ok(Some(Choices { subscriber, contact, hash, standing, lists }))
}

/// What the page's form says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Marketing mail as a whole.
    pub marketing: WishedMarketing,
    /// The lists that the page showed: others stay as they are.
    pub shown: Vec<ListId>,
    /// Of those, the ones that were ticked.
    pub ticked: Vec<ListId>,
}

/// What the form says of marketing mail as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WishedMarketing {
    /// It is wanted.
    Wanted,
    /// Not for a while.
    Pause,
    /// None at all.
    Unwanted,
}

/// Applies what the form says; again changes nothing. `None` when the recipient is no longer kept.
///
/// # Errors
/// The database's.
pub async fn apply(
    storage: &Storage,
    id: RecipientId,
    wish: Wish,
    now_ms: i64,
) -> Result<Option<Applied>, StorageError> {
    let Some(choices) = storage.read(move |c| choices(c, id, now_ms)).await? else { return Ok(None) };
    let choice = choice(&choices, &wish, now_ms);
    let workspace = choices.subscriber.workspace_id;
    if let Some(contact) = choices.contact {
        put_on(storage, (workspace, contact), &choice.joins, "preference centre".to_owned(), now_ms).await?;
    }
    let comes_back = !choice.joins.is_empty() || choice.marketing == Marketing::Wanted;
    let applied = storage.queue().write(move |tx| preference::apply(tx, id, &choice, now_ms)).await?;
    let changed = applied.as_ref().is_some_and(|applied| applied.changed);
    // Nobody is more engaged than who asks for mail.
    if let Some(contact) = choices.contact.filter(|_| changed && comes_back) {
        storage.main().write(move |tx| contact::engaged(tx, workspace, contact, now_ms)).await?;
    }
    Ok(applied)
}

fn choice(choices: &Choices, wish: &Wish, now_ms: i64) -> Choice {
    let marketing = match wish.marketing {
        WishedMarketing::Wanted => Marketing::Wanted,
        WishedMarketing::Pause => Marketing::PausedUntil(now_ms.saturating_add(PAUSE_DAYS * DAY_MS)),
        WishedMarketing::Unwanted => Marketing::Unwanted,
    };
    let mut choice = Choice { marketing, joins: Vec::new(), leaves: Vec::new() };
    for one in choices.lists.iter().filter(|one| wish.shown.contains(&one.list.id)) {
        let named = (one.list.id, one.list.draft.name.clone());
        match (one.is_subscribed(), wish.ticked.contains(&one.list.id)) {
            (false, true) => choice.joins.push(named),
            (true, false) => choice.leaves.push(named),
            _ => {}
        }
    }
    choice
}
