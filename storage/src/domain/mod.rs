//! Sending domains, their signing keys, and what happened to both.

mod about;
mod event;
mod key;

pub use about::{OwnDomain, about, has_key, names};
pub use event::{DomainEvent, events, note};
pub use key::{DkimKey, NewDkimKey, StepDates, delete_key, insert_key, keys, set_step};

use crate::{DomainId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A domain that mail is sent from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendingDomain {
    /// Id.
    pub id: DomainId,
    /// The workspace it belongs to.
    pub workspace_id: WorkspaceId,
    /// The name: A-labels, lower case.
    pub domain: String,
    /// Domain of the return path.
    pub return_path_domain: String,
    /// When added.
    pub created_ms: i64,
    /// When its records were last looked up.
    pub checked_ms: Option<i64>,
    /// What was found then: JSON list of `api_types::DomainRecord`.
    pub checked: Option<String>,
    /// When they are looked up next.
    pub next_check_ms: i64,
    /// New keys every so many days; by hand only when `None`.
    pub rotate_days: Option<u32>,
}

const INSERT: &str = "
    INSERT INTO domain (workspace_id, domain, return_path_domain, created_ms, next_check_ms)
    VALUES (:workspace_id, :domain, :return_path_domain, :created_ms, :created_ms)";

/// Adds a domain with its keys: one without could not send.
///
/// # Errors
/// `Exists` when the domain is there already, in whatever workspace.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    names: (&str, &str),
    keys: &[NewDkimKey],
    now_ms: i64,
) -> Result<DomainId, StorageError> {
    let (domain, return_path_domain) = names;
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":domain": domain,
        ":return_path_domain": return_path_domain,
        ":created_ms": now_ms,
    })?;
    let id = DomainId(tx.last_insert_rowid());
    for key in keys {
        insert_key(tx, workspace, id, key, now_ms)?;
    }
    Ok(id)
}

const FIND: &str = "
    SELECT id, workspace_id, domain, return_path_domain, created_ms, checked_ms, checked, next_check_ms, rotate_days
    FROM domain WHERE id = :id AND workspace_id = :workspace_id";

/// The domain with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: DomainId) -> Result<Option<SendingDomain>, StorageError> {
    Ok(tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const FIND_BY_NAME: &str = "
    SELECT id, workspace_id, domain, return_path_domain, created_ms, checked_ms, checked, next_check_ms, rotate_days
    FROM domain WHERE domain = :domain AND workspace_id = :workspace_id";

/// The domain with this name.
///
/// # Errors
/// The database's.
pub fn find_by_name(
    tx: &Connection,
    workspace: WorkspaceId,
    domain: &str,
) -> Result<Option<SendingDomain>, StorageError> {
    Ok(tx
        .prepare_cached(FIND_BY_NAME)?
        .query_row(named_params! { ":domain": domain, ":workspace_id": workspace }, read)
        .optional()?)
}

const LIST: &str = "
    SELECT id, workspace_id, domain, return_path_domain, created_ms, checked_ms, checked, next_check_ms, rotate_days
    FROM domain WHERE workspace_id = :workspace_id AND id > :after ORDER BY id LIMIT :limit";

/// Domains of the workspace, oldest first, with ids above `after`.
///
/// # Errors
/// The database's.
pub fn list(
    tx: &Connection,
    workspace: WorkspaceId,
    after: i64,
    limit: u32,
) -> Result<Vec<SendingDomain>, StorageError> {
    let mut statement = tx.prepare_cached(LIST)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":after": after, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const RETURN_PATHS: &str = "SELECT return_path_domain FROM domain ORDER BY id";

/// The return-path domains of every workspace: what the listener takes mail for.
///
/// # Errors
/// The database's.
pub fn return_paths(tx: &Connection) -> Result<Vec<String>, StorageError> {
    let mut statement = tx.prepare_cached(RETURN_PATHS)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const CHECKED: &str = "
    UPDATE domain SET checked_ms = :now_ms, checked = :checked WHERE id = :id AND workspace_id = :workspace_id";

/// Keeps what a look-up of the records found.
///
/// # Errors
/// The database's.
pub fn set_checked(
    tx: &Connection,
    workspace: WorkspaceId,
    id: DomainId,
    checked: &str,
    now_ms: i64,
) -> Result<(), StorageError> {
    tx.prepare_cached(CHECKED)?.execute(named_params! {
        ":id": id, ":workspace_id": workspace, ":checked": checked, ":now_ms": now_ms,
    })?;
    Ok(())
}

const NEXT_CHECK: &str = "
    UPDATE domain SET next_check_ms = :at_ms WHERE id = :id AND workspace_id = :workspace_id";

/// Says when the records are looked up next.
///
/// # Errors
/// The database's.
pub fn set_next_check(tx: &Connection, workspace: WorkspaceId, id: DomainId, at_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(NEXT_CHECK)?.execute(named_params! { ":id": id, ":workspace_id": workspace, ":at_ms": at_ms })?;
    Ok(())
}

const DUE: &str = "
    SELECT id, workspace_id FROM domain WHERE next_check_ms <= :now_ms ORDER BY next_check_ms LIMIT :limit";

/// The domains of every workspace whose records are to be looked up, the longest overdue first.
///
/// # Errors
/// The database's.
pub fn due(tx: &Connection, now_ms: i64, limit: u32) -> Result<Vec<(WorkspaceId, DomainId)>, StorageError> {
    let mut statement = tx.prepare_cached(DUE)?;
    let rows = statement
        .query_map(named_params! { ":now_ms": now_ms, ":limit": limit }, |row| Ok((row.get(1)?, row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ROTATE_DAYS: &str = "
    UPDATE domain SET rotate_days = :days WHERE id = :id AND workspace_id = :workspace_id";

/// Says how often new keys are made; `false` when there is no such domain.
///
/// # Errors
/// The database's.
pub fn set_rotate_days(
    tx: &Connection,
    workspace: WorkspaceId,
    id: DomainId,
    days: Option<u32>,
) -> Result<bool, StorageError> {
    let changed = tx
        .prepare_cached(ROTATE_DAYS)?
        .execute(named_params! { ":id": id, ":workspace_id": workspace, ":days": days })?;
    Ok(changed > 0)
}

const IN_USE: &str = "
    SELECT EXISTS (
        SELECT 1 FROM campaign c JOIN campaign_run r ON r.campaign_id = c.id
        WHERE c.workspace_id = :workspace_id AND c.domain_id = :id AND r.state IN ('running', 'paused'))";

/// Whether a campaign that is not finished sends from the domain.
///
/// # Errors
/// The database's.
pub fn in_use(tx: &Connection, workspace: WorkspaceId, id: DomainId) -> Result<bool, StorageError> {
    Ok(tx
        .prepare_cached(IN_USE)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| row.get(0))?)
}

const DELETE: &str = "DELETE FROM domain WHERE id = :id AND workspace_id = :workspace_id";

/// Deletes a domain with its keys; `false` when there was none.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: DomainId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<SendingDomain> {
    Ok(SendingDomain {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        domain: row.get(2)?,
        return_path_domain: row.get(3)?,
        created_ms: row.get(4)?,
        checked_ms: row.get(5)?,
        checked: row.get(6)?,
        next_check_ms: row.get(7)?,
        rotate_days: row.get(8)?,
    })
}

/// Statements on main.db alone; `IN_USE` reads over two files.
#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [INSERT, FIND, FIND_BY_NAME, LIST, RETURN_PATHS, CHECKED, NEXT_CHECK, DUE, ROTATE_DAYS, IN_USE, DELETE];
    [&own[..], about::STATEMENTS, key::STATEMENTS, event::STATEMENTS].concat()
}

#[cfg(test)]
mod tests;
