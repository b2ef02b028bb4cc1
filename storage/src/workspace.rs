//! Workspaces: the tenants. One exists; its name, time zone and postal address are settings of people.

use crate::{StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Id.
    pub id: WorkspaceId,
    /// Name as shown.
    pub name: String,
    /// IANA name.
    pub time_zone: String,
    /// Stands in the footer of bulk mail.
    pub postal_address: String,
}

const FIND: &str = "SELECT id, name, time_zone, postal_address FROM workspace WHERE id = :id";

/// The workspace with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, id: WorkspaceId) -> Result<Option<Workspace>, StorageError> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Workspace { id: row.get(0)?, name: row.get(1)?, time_zone: row.get(2)?, postal_address: row.get(3)? })
    };
    Ok(tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id }, read).optional()?)
}

const UPDATE: &str = "
    UPDATE workspace SET name = :name, time_zone = :time_zone, postal_address = :postal_address WHERE id = :id";

/// Replaces name, time zone and postal address.
///
/// # Errors
/// The database's.
pub fn update(tx: &Connection, workspace: &Workspace) -> Result<(), StorageError> {
    tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": workspace.id,
        ":name": workspace.name,
        ":time_zone": workspace.time_zone,
        ":postal_address": workspace.postal_address,
    })?;
    Ok(())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[FIND, UPDATE];
