//! What a recipient gets, by its own choice: lists, streams, all marketing mail, a pause.
//!
//! Joining concerns two files: the contact is put on the list in main.db, then its leaving is taken back in queue.db
//! together with everything else that was chosen. A crash between the two leaves the choice as it was; making it again
//! repairs it.

use crate::lists::put_on;
use api_types::{PreferenceCentre, StreamOffer};
use config::Streams;
use mail::{Address, StreamKind};
use storage::list::{self, Standing};
use storage::preference::{self, Choice, Marketing};
use storage::unsubscribe::{Applied, Subscriber};
use storage::{
    AddressHash, Connection, ContactId, ListId, RecipientId, Storage, StorageError, address_hash, contact,
    preference_centre, stream_leave, unsubscribe,
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
    /// The streams on offer.
    pub streams: Vec<OfferedStream>,
}

/// A stream on offer, and whether its mail is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedStream {
    /// Its name.
    pub stream: String,
    /// What people call it.
    pub title: String,
    /// What stands below the title.
    pub description: String,
    /// Since when no mail of it is wanted.
    pub left_ms: Option<i64>,
}

/// The streams that a workspace offers, as far as the configuration has them, all of them wanted.
#[must_use]
pub fn offered(settings: &PreferenceCentre, streams: &Streams) -> Vec<OfferedStream> {
    let is_bulk = |name: &str| streams.find(name).is_some_and(|stream| stream.kind == StreamKind::Bulk);
    let offer = |offer: &StreamOffer| OfferedStream {
        stream: offer.stream.clone(),
        title: offer.title.clone(),
        description: offer.description.clone(),
        left_ms: None,
    };
    settings.streams.iter().filter(|offer| is_bulk(&offer.stream)).map(offer).collect()
}

/// What there is to choose for a recipient; `None` when it is no longer kept. For readers.
///
/// # Errors
/// The database's.
pub fn choices(
    connection: &Connection,
    streams: &Streams,
    id: RecipientId,
    now_ms: i64,
) -> Result<Option<Choices>, StorageError> {
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
    let mut streams = offered(&preference_centre::get(connection, workspace)?, streams);
    let left = stream_leave::of_address(connection, workspace, &hash)?;
    for one in &mut streams {
        one.left_ms = left.get(&one.stream).copied();
    }
    Ok(Some(Choices { subscriber, contact, hash, standing, lists, streams }))
}

/// What the page's form says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Marketing mail as a whole.
    pub marketing: WishedMarketing,
    /// The lists.
    pub lists: Ticks<ListId>,
    /// The streams.
    pub streams: Ticks<String>,
}

/// What the form says of things that are ticked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticks<T> {
    /// Those that the page showed: others stay as they are.
    pub shown: Vec<T>,
    /// Of those, the ones that were ticked.
    pub ticked: Vec<T>,
}

impl<T> Default for Ticks<T> {
    fn default() -> Ticks<T> {
        Ticks { shown: Vec::new(), ticked: Vec::new() }
    }
}

impl<T: PartialEq> Ticks<T> {
    /// What becomes of one that stands so now; `None` where it stays.
    fn change(&self, one: &T, is_on: bool) -> Option<bool> {
        let wanted = self.ticked.contains(one);
        (self.shown.contains(one) && wanted != is_on).then_some(wanted)
    }
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
    streams: &Streams,
    id: RecipientId,
    wish: Wish,
    now_ms: i64,
) -> Result<Option<Applied>, StorageError> {
    let streams = streams.clone();
    let Some(choices) = storage.read(move |c| choices(c, &streams, id, now_ms)).await? else { return Ok(None) };
    let choice = choice(&choices, &wish, now_ms);
    let workspace = choices.subscriber.workspace_id;
    if let Some(contact) = choices.contact {
        put_on(storage, (workspace, contact), &choice.joins, "preference centre".to_owned(), now_ms).await?;
    }
    let comes_back =
        !choice.joins.is_empty() || !choice.joins_streams.is_empty() || choice.marketing == Marketing::Wanted;
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
    let mut choice = Choice::of(marketing);
    for one in &choices.lists {
        let named = (one.list.id, one.list.draft.name.clone());
        match wish.lists.change(&one.list.id, one.is_subscribed()) {
            Some(true) => choice.joins.push(named),
            Some(false) => choice.leaves.push(named),
            None => {}
        }
    }
    for one in &choices.streams {
        let named = (one.stream.clone(), one.title.clone());
        match wish.streams.change(&one.stream, one.left_ms.is_none()) {
            Some(true) => choice.joins_streams.push(named),
            Some(false) => choice.leaves_streams.push(named),
            None => {}
        }
    }
    choice
}
