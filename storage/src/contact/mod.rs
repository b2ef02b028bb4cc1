//! Contacts: one row per person, unique by normalized address in the workspace.

mod audience;
mod engaged;
mod list;
#[cfg(test)]
mod tests;

use crate::functions::fold;
use crate::{AddressHash, ContactId, ImportId, StorageError, WorkspaceId, address_hash, sent_to, tag};
use mail::Address;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

pub use audience::{Left, Member, Person, audience, domains_matching, last_id, matches, member, person};
pub use engaged::{engaged, engaged_audience};
pub(crate) use list::{HAS_BOUNCED_SOFTLY, IS_SUPPRESSED, IS_SUPPRESSED_FOR};
pub use list::{Matching, Query, Status, count, count_matching, page};

/// Values of the workspace's own fields.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// A contact as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Id.
    pub id: ContactId,
    /// The address as given.
    pub email: String,
    /// First name; empty when unknown.
    pub first_name: String,
    /// Last name; empty when unknown.
    pub last_name: String,
    /// Values of fields.
    pub attributes: Attributes,
    /// Tags, in alphabetical order.
    pub tags: Vec<String>,
    /// Where the consent came from.
    pub consent_source: String,
    /// When it last did something with our mail, as far as is known.
    pub engaged_ms: Option<i64>,
    /// Under which its address is suppressed.
    pub address_hash: AddressHash,
    /// Why nothing is sent, if so.
    pub suppressed: Option<Suppressed>,
    /// When added.
    pub created_ms: i64,
    /// When last changed.
    pub updated_ms: i64,
}

/// Why nothing is sent to a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The stored word: `hard_bounce`, `unsubscribe`, ...
    pub reason: String,
    /// What led to it.
    pub origin: String,
}

/// The state of a contact that people and programs set.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The address.
    pub email: Address,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Values of fields, already of the fields' kinds.
    pub attributes: Attributes,
}

impl Draft {
    /// What the search box looks through.
    fn search(&self) -> String {
        fold(&format!("{} {} {}", self.email, self.first_name, self.last_name))
    }
}

/// Where a new contact comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Where the consent came from.
    pub consent_source: &'a str,
    /// The import that brings it.
    pub import: Option<ImportId>,
}

const INSERT: &str = "
    INSERT INTO contact (workspace_id, email, email_norm, address_hash, domain, first_name, last_name, attributes,
                         consent_source, search, import_id, created_ms, updated_ms)
    VALUES (:workspace_id, :email, :email_norm, :address_hash, :domain, :first_name, :last_name, :attributes,
            :consent_source, :search, :import_id, :now_ms, :now_ms)
    ON CONFLICT (workspace_id, email_norm) DO NOTHING";

/// Adds a contact; nothing when the workspace has one with that address.
///
/// # Errors
/// The database's.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    draft: &Draft,
    origin: Origin<'_>,
    now_ms: i64,
) -> Result<Option<ContactId>, StorageError> {
    let made = tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":email": draft.email.to_string(),
        ":email_norm": draft.email.normalized(),
        ":address_hash": address_hash(&draft.email),
        ":domain": draft.email.domain().as_str(),
        ":first_name": draft.first_name,
        ":last_name": draft.last_name,
        ":attributes": to_json(&draft.attributes),
        ":consent_source": origin.consent_source,
        ":search": draft.search(),
        ":import_id": origin.import,
        ":now_ms": now_ms,
    })?;
    Ok((made > 0).then(|| ContactId(tx.last_insert_rowid())))
}

const UPDATE: &str = "
    UPDATE contact
    SET email = :email, email_norm = :email_norm, address_hash = :address_hash, domain = :domain,
        first_name = :first_name, last_name = :last_name, attributes = :attributes, search = :search,
        import_id = coalesce(:import_id, import_id), updated_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id";

/// Replaces the state of a contact; `false` when there is none. A changed address is still the same person.
///
/// # Errors
/// `Exists` when another contact has the new address.
pub fn update(
    tx: &Connection,
    workspace: WorkspaceId,
    id: ContactId,
    draft: &Draft,
    import: Option<ImportId>,
    now_ms: i64,
) -> Result<bool, StorageError> {
    sent_to::remember(tx, (workspace, id), Some(&address_hash(&draft.email)), now_ms)?;
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":email": draft.email.to_string(),
        ":email_norm": draft.email.normalized(),
        ":address_hash": address_hash(&draft.email),
        ":domain": draft.email.domain().as_str(),
        ":first_name": draft.first_name,
        ":last_name": draft.last_name,
        ":attributes": to_json(&draft.attributes),
        ":search": draft.search(),
        ":import_id": import,
        ":now_ms": now_ms,
    })?;
    Ok(changed > 0)
}

const MARK: &str = "UPDATE contact SET import_id = :import_id WHERE id = :id AND workspace_id = :workspace_id";

/// Notes that an import had a row for the contact that changed nothing.
///
/// # Errors
/// The database's.
pub fn mark_imported(
    tx: &Connection,
    workspace: WorkspaceId,
    id: ContactId,
    import: ImportId,
) -> Result<(), StorageError> {
    tx.prepare_cached(MARK)?.execute(named_params! { ":id": id, ":workspace_id": workspace, ":import_id": import })?;
    Ok(())
}

/// Replaces the tags of a contact, making those that the workspace does not have.
///
/// # Errors
/// The database's.
pub fn set_tags(tx: &Connection, workspace: WorkspaceId, id: ContactId, tags: &[String]) -> Result<(), StorageError> {
    tag::clear(tx, id)?;
    for name in tags {
        let tag = tag::ensure(tx, workspace, name)?;
        tag::add(tx, tag, id)?;
    }
    Ok(())
}

const DELETE: &str = "DELETE FROM contact WHERE id = :id AND workspace_id = :workspace_id";

/// Deletes a contact with its tags; `false` when there is none. A suppression of the address stays, and what was sent to it
/// is still found.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: ContactId, now_ms: i64) -> Result<bool, StorageError> {
    sent_to::remember(tx, (workspace, id), None, now_ms)?;
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

/// The columns of [`Contact`], in the order that `read` wants. Suppression is read apart, since main.db's writer
/// does not see queue.db.
macro_rules! select {
    () => {
        "SELECT contact.id, contact.email, contact.first_name, contact.last_name, contact.attributes,
                (SELECT json_group_array(tag.name ORDER BY tag.name)
                 FROM contact_tag JOIN tag ON tag.id = contact_tag.tag_id
                 WHERE contact_tag.contact_id = contact.id),
                contact.consent_source, contact.created_ms, contact.updated_ms, contact.address_hash,
                contact.engaged_ms
         FROM contact"
    };
}

const SELECT: &str = select!();
const FIND: &str = concat!(select!(), " WHERE contact.id = :id AND contact.workspace_id = :workspace_id");

/// The contact with this id, without its suppression: that is told by [`find_with_suppression`].
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Option<Contact>, StorageError> {
    let found =
        tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?;
    found.map(|(contact, _)| contact).transpose()
}

/// The contact with this id and why nothing is sent to it, if so. For readers.
///
/// # Errors
/// The database's.
pub fn find_with_suppression(
    tx: &Connection,
    workspace: WorkspaceId,
    id: ContactId,
    now_ms: i64,
) -> Result<Option<Contact>, StorageError> {
    let found =
        tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?;
    let Some((contact, hash)) = found else { return Ok(None) };
    let mut contact = contact?;
    contact.suppressed = suppressed(tx, workspace, hash, now_ms)?;
    Ok(Some(contact))
}

const FIND_BY_EMAIL: &str =
    concat!(select!(), " WHERE contact.workspace_id = :workspace_id AND contact.email_norm = :email_norm");

/// The contact with this address, without its suppression.
///
/// # Errors
/// The database's.
pub fn find_by_email(
    tx: &Connection,
    workspace: WorkspaceId,
    email: &Address,
) -> Result<Option<Contact>, StorageError> {
    let found = tx
        .prepare_cached(FIND_BY_EMAIL)?
        .query_row(named_params! { ":workspace_id": workspace, ":email_norm": email.normalized() }, read)
        .optional()?;
    found.map(|(contact, _)| contact).transpose()
}

const OF_HASH: &str = "SELECT id FROM contact WHERE workspace_id = :workspace_id AND address_hash = :address_hash";

/// The contact whose address has this hash.
///
/// # Errors
/// The database's.
pub fn of_hash(tx: &Connection, workspace: WorkspaceId, hash: &AddressHash) -> Result<Option<ContactId>, StorageError> {
    let mut statement = tx.prepare_cached(OF_HASH)?;
    let whose = named_params! { ":workspace_id": workspace, ":address_hash": hash };
    Ok(statement.query_row(whose, |row| row.get(0)).optional()?)
}

const EXISTING: &str = "
    SELECT id, import_id, first_name, last_name, attributes, email
    FROM contact WHERE workspace_id = :workspace_id AND email_norm = :email_norm";

/// What an import needs to know of a contact that is there already.
pub(crate) struct Existing {
    pub(crate) id: ContactId,
    pub(crate) import: Option<ImportId>,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) attributes: Attributes,
    pub(crate) email: String,
}

pub(crate) fn existing(
    tx: &Connection,
    workspace: WorkspaceId,
    email: &Address,
) -> Result<Option<Existing>, StorageError> {
    let mut statement = tx.prepare_cached(EXISTING)?;
    let mut rows = statement.query(named_params! { ":workspace_id": workspace, ":email_norm": email.normalized() })?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Existing {
        id: row.get(0)?,
        import: row.get(1)?,
        first_name: row.get(2)?,
        last_name: row.get(3)?,
        attributes: from_json(row.get_ref(4)?.as_str().unwrap_or_default())?,
        email: row.get(5)?,
    }))
}

const SUPPRESSED: &str = "
    SELECT reason, origin FROM suppression
    WHERE workspace_id IN (0, :workspace_id) AND address_hash = :address_hash
        AND (expires_ms IS NULL OR expires_ms > :now_ms)
    ORDER BY covers LIMIT 1";

fn suppressed(
    tx: &Connection,
    workspace: WorkspaceId,
    hash: AddressHash,
    now_ms: i64,
) -> Result<Option<Suppressed>, StorageError> {
    Ok(tx
        .prepare_cached(SUPPRESSED)?
        .query_row(named_params! { ":workspace_id": workspace, ":address_hash": hash, ":now_ms": now_ms }, |row| {
            Ok(Suppressed { reason: row.get(0)?, origin: row.get(1)? })
        })
        .optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Result<Contact, StorageError>, AddressHash)> {
    let attributes: String = row.get(4)?;
    let tags: String = row.get(5)?;
    let hash = row.get(9)?;
    let tags = match serde_json::from_str(&tags) {
        Ok(tags) => tags,
        Err(_) => return Ok((Err(StorageError::Damaged { what: "contact tags", value: tags }), hash)),
    };
    let attributes = match from_json(&attributes) {
        Ok(attributes) => attributes,
        Err(e) => return Ok((Err(e), hash)),
    };
    let contact = Contact {
        id: row.get(0)?,
        email: row.get(1)?,
        first_name: row.get(2)?,
        last_name: row.get(3)?,
        attributes,
        tags,
        consent_source: row.get(6)?,
        engaged_ms: row.get(10)?,
        address_hash: hash,
        suppressed: None,
        created_ms: row.get(7)?,
        updated_ms: row.get(8)?,
    };
    Ok((Ok(contact), hash))
}

fn to_json(attributes: &Attributes) -> String {
    // Serializing a map with text keys cannot fail.
    serde_json::to_string(attributes).unwrap_or_else(|_| "{}".to_owned())
}

fn from_json(text: &str) -> Result<Attributes, StorageError> {
    serde_json::from_str(text).map_err(|_| StorageError::Damaged { what: "contact.attributes", value: text.to_owned() })
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [
        INSERT,
        UPDATE,
        MARK,
        DELETE,
        FIND,
        FIND_BY_EMAIL,
        OF_HASH,
        EXISTING,
        SUPPRESSED,
        list::COUNT,
        audience::LAST_ID,
        audience::PERSON,
        audience::MEMBER,
    ];
    [&own[..], engaged::STATEMENTS].concat()
}
