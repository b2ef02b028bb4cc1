//! Contacts on their way into a mail: the audience in the order of ids, and one person's values.

use crate::filter::CompiledFilter;
use crate::{AddressHash, CampaignId, ContactId, StorageError, WorkspaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, named_params, params_from_iter};

/// What a recipient is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The contact.
    pub id: ContactId,
    /// Its address.
    pub email: String,
    /// The suppression key.
    pub address_hash: AddressHash,
    /// The address's domain.
    pub domain: String,
}

/// Whom an audience leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nobody.
    Nobody,
    /// Who is a recipient of the campaign already: the engaged ones came first.
    Taken(CampaignId),
}

/// The next contacts of an audience, by id: those above `after` and up to `last`.
///
/// # Errors
/// The database's.
pub fn audience(
    tx: &Connection,
    workspace: WorkspaceId,
    filter: &CompiledFilter,
    (after, last): (ContactId, ContactId),
    left: Left,
    limit: u32,
) -> Result<Vec<Member>, StorageError> {
    let (sql, params) = audience_statement(workspace, filter, (after, last), left, limit);
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| {
        Ok(Member { id: row.get(0)?, email: row.get(1)?, address_hash: row.get(2)?, domain: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn audience_statement(
    workspace: WorkspaceId,
    filter: &CompiledFilter,
    (after, last): (ContactId, ContactId),
    left: Left,
    limit: u32,
) -> (String, Vec<Value>) {
    // The `+` keeps the planner on the primary key: a walk along the ids, with nothing to sort.
    let mut sql = String::from(
        "SELECT id, email, address_hash, domain FROM contact WHERE id > ? AND id <= ? AND +workspace_id = ? AND ",
    );
    let mut params: Vec<Value> = vec![after.0.into(), last.0.into(), workspace.0.into()];
    filter.append(&mut sql, &mut params);
    if let Left::Taken(campaign) = left {
        sql.push_str(NOT_TAKEN);
        params.extend([campaign.0.into(), campaign.0.into()]);
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    params.push(i64::from(limit).into());
    (sql, params)
}

const NOT_TAKEN: &str = "
    AND NOT EXISTS (SELECT 1 FROM recipient r WHERE r.campaign_id = ? AND r.contact_id = contact.id)
    AND NOT EXISTS (SELECT 1 FROM recipient_done d WHERE d.campaign_id = ? AND d.contact_id = contact.id)";

pub(super) const MEMBER: &str =
    "SELECT id, email, address_hash, domain FROM contact WHERE id = :id AND workspace_id = :workspace_id";

/// A contact as a recipient is made of it.
///
/// # Errors
/// The database's.
pub fn member(tx: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Option<Member>, StorageError> {
    let mut statement = tx.prepare_cached(MEMBER)?;
    let found = statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| {
        Ok(Member { id: row.get(0)?, email: row.get(1)?, address_hash: row.get(2)?, domain: row.get(3)? })
    });
    Ok(found.optional()?)
}

/// Whether a contact meets a condition. For readers.
///
/// # Errors
/// The database's.
pub fn matches(
    tx: &Connection,
    workspace: WorkspaceId,
    id: ContactId,
    filter: &CompiledFilter,
) -> Result<bool, StorageError> {
    let mut sql = String::from("SELECT 1 FROM contact WHERE id = ? AND +workspace_id = ? AND ");
    let mut params: Vec<Value> = vec![id.0.into(), workspace.0.into()];
    filter.append(&mut sql, &mut params);
    Ok(tx.prepare_cached(&sql)?.exists(params_from_iter(params))?)
}

/// The domains that most of an audience are of, with how many; those on the suppression list are counted too. A look at
/// every contact.
///
/// # Errors
/// The database's.
pub fn domains_matching(
    tx: &Connection,
    workspace: WorkspaceId,
    filter: &CompiledFilter,
    limit: u32,
) -> Result<Vec<(String, u64)>, StorageError> {
    let mut sql = String::from("SELECT domain, count(*) FROM contact WHERE workspace_id = ? AND ");
    let mut params: Vec<Value> = vec![workspace.0.into()];
    filter.append(&mut sql, &mut params);
    sql.push_str(" GROUP BY domain ORDER BY 2 DESC, 1 LIMIT ?");
    params.push(i64::from(limit).into());
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| Ok((row.get(0)?, crate::words::count(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) const LAST_ID: &str = "SELECT coalesce(max(id), 0) FROM contact";

/// The largest id there is: where an audience ends that is launched now.
///
/// # Errors
/// The database's.
pub fn last_id(tx: &Connection) -> Result<ContactId, StorageError> {
    Ok(tx.prepare_cached(LAST_ID)?.query_row([], |row| row.get(0))?)
}

/// What a message is rendered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The address.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Values of fields, JSON.
    pub attributes: String,
}

pub(super) const PERSON: &str = "
    SELECT email, first_name, last_name, attributes FROM contact WHERE id = :id AND workspace_id = :workspace_id";

/// A contact as the renderer wants it: one look-up by primary key.
///
/// # Errors
/// The database's.
pub fn person(tx: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Option<Person>, StorageError> {
    let mut statement = tx.prepare_cached(PERSON)?;
    let mut rows = statement.query(named_params! { ":id": id, ":workspace_id": workspace })?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Person { email: row.get(0)?, first_name: row.get(1)?, last_name: row.get(2)?, attributes: row.get(3)? }))
}
