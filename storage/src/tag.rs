//! Tags of contacts.

use crate::{ContactId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params};

/// A tag's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagId(pub i64);

const LIST: &str = "
    SELECT t.name, (SELECT count(*) FROM contact_tag c WHERE c.tag_id = t.id)
    FROM tag t WHERE t.workspace_id = :workspace_id ORDER BY t.name";

/// The workspace's tags with the number of contacts that have each.
///
/// # Errors
/// The database's.
pub fn list(tx: &Connection, workspace: WorkspaceId) -> Result<Vec<(String, u64)>, StorageError> {
    let mut statement = tx.prepare_cached(LIST)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace }, |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)? as u64))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FIND: &str = "SELECT id FROM tag WHERE workspace_id = :workspace_id AND name = :name";

/// The tag of that name, whatever its case.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, name: &str) -> Result<Option<TagId>, StorageError> {
    Ok(tx
        .prepare_cached(FIND)?
        .query_row(named_params! { ":workspace_id": workspace, ":name": name }, |row| Ok(TagId(row.get(0)?)))
        .optional()?)
}

const INSERT: &str = "INSERT INTO tag (workspace_id, name) VALUES (:workspace_id, :name)";

/// The tag of that name, made when there is none.
///
/// # Errors
/// The database's.
pub fn ensure(tx: &Connection, workspace: WorkspaceId, name: &str) -> Result<TagId, StorageError> {
    if let Some(id) = find(tx, workspace, name)? {
        return Ok(id);
    }
    tx.prepare_cached(INSERT)?.execute(named_params! { ":workspace_id": workspace, ":name": name })?;
    Ok(TagId(tx.last_insert_rowid()))
}

const ADD: &str = "
    INSERT INTO contact_tag (tag_id, contact_id) VALUES (:tag_id, :contact_id)
    ON CONFLICT (tag_id, contact_id) DO NOTHING";

/// Puts the tag on a contact; `false` when it has it already.
///
/// # Errors
/// The database's.
pub fn add(tx: &Connection, tag: TagId, contact: ContactId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(ADD)?.execute(named_params! { ":tag_id": tag.0, ":contact_id": contact })? > 0)
}

const REMOVE: &str = "DELETE FROM contact_tag WHERE tag_id = :tag_id AND contact_id = :contact_id";

/// Takes the tag off a contact; `false` when it does not have it.
///
/// # Errors
/// The database's.
pub fn remove(tx: &Connection, tag: TagId, contact: ContactId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(REMOVE)?.execute(named_params! { ":tag_id": tag.0, ":contact_id": contact })? > 0)
}

const CLEAR: &str = "DELETE FROM contact_tag WHERE contact_id = :contact_id";

/// Takes all tags off a contact.
///
/// # Errors
/// The database's.
pub fn clear(tx: &Connection, contact: ContactId) -> Result<(), StorageError> {
    tx.prepare_cached(CLEAR)?.execute(named_params! { ":contact_id": contact })?;
    Ok(())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LIST, FIND, INSERT, ADD, REMOVE, CLEAR];
