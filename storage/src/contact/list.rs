//! Lists of contacts: search, tag, condition; and how many there are.

use super::{Contact, SELECT, read, suppressed};
use crate::filter::CompiledFilter;
use crate::functions::fold;
use crate::suppression::{SuppressionReason, reason_word};
use crate::{ContactId, StorageError, WorkspaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, named_params, params_from_iter};

/// Which contacts a list shows.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Found anywhere in address and names, whatever its case; every word of it.
    pub search: String,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those that pass.
    pub filter: Option<CompiledFilter>,
    /// Only those that stand so with us.
    pub status: Option<Status>,
    /// Only those with a smaller id: the last one of the page before.
    pub before: Option<ContactId>,
    /// At most so many.
    pub limit: u32,
}

/// How a contact stands with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It gets mail.
    Active,
    /// Some or all mail is kept from it.
    Suppressed,
    /// For this reason.
    SuppressedFor(SuppressionReason),
    /// It bounced softly since then, and is not suppressed for it yet.
    BouncedSoftly {
        /// Since when.
        since_ms: i64,
    },
}

/// Contacts, newest first.
///
/// # Errors
/// The database's.
pub fn page(tx: &Connection, workspace: WorkspaceId, query: &Query, now_ms: i64) -> Result<Vec<Contact>, StorageError> {
    let (sql, params) = page_statement(workspace, query, now_ms);
    let mut statement = tx.prepare_cached(&sql)?;
    let found = statement.query_map(params_from_iter(params), read)?.collect::<Result<Vec<_>, _>>()?;
    let mut contacts = Vec::with_capacity(found.len());
    for (contact, hash) in found {
        let mut contact = contact?;
        contact.suppressed = suppressed(tx, workspace, hash, now_ms)?;
        contacts.push(contact);
    }
    Ok(contacts)
}

pub(super) fn page_statement(workspace: WorkspaceId, query: &Query, now_ms: i64) -> (String, Vec<Value>) {
    let mut sql = format!("{SELECT} INDEXED BY contact_search WHERE contact.workspace_id = ?");
    let mut params: Vec<Value> = vec![workspace.0.into()];
    if let Some(before) = query.before {
        sql.push_str(" AND contact.id < ?");
        params.push(before.0.into());
    }
    for word in fold(&query.search).split_whitespace() {
        sql.push_str(" AND instr(contact.search, ?) > 0");
        params.push(word.to_owned().into());
    }
    if let Some(tag) = &query.tag {
        sql.push_str(HAS_TAG);
        params.push(workspace.0.into());
        params.push(tag.clone().into());
    }
    if let Some(status) = query.status {
        stands_so(&mut sql, &mut params, status, now_ms);
    }
    if let Some(filter) = &query.filter {
        sql.push_str(" AND ");
        filter.append(&mut sql, &mut params);
    }
    sql.push_str(" ORDER BY contact.id DESC LIMIT ?");
    params.push(i64::from(query.limit).into());
    (sql, params)
}

fn stands_so(sql: &mut String, params: &mut Vec<Value>, status: Status, now_ms: i64) {
    sql.push_str(if status == Status::Active { " AND NOT " } else { " AND " });
    match status {
        Status::Active | Status::Suppressed => {
            sql.push_str(IS_SUPPRESSED);
            params.push(now_ms.into());
        }
        Status::SuppressedFor(reason) => {
            sql.push_str(IS_SUPPRESSED_FOR);
            params.extend([reason_word(reason).to_owned().into(), now_ms.into()]);
        }
        Status::BouncedSoftly { since_ms } => {
            sql.push_str(HAS_BOUNCED_SOFTLY);
            params.extend([since_ms.into(), 1.into()]);
        }
    }
}

const HAS_TAG: &str = "
    AND EXISTS (SELECT 1 FROM contact_tag WHERE contact_tag.contact_id = contact.id AND contact_tag.tag_id =
                (SELECT id FROM tag WHERE workspace_id = ? AND name = ?))";

/// With one parameter: now.
pub(crate) const IS_SUPPRESSED: &str = "
    EXISTS (SELECT 1 FROM suppression s
            WHERE s.workspace_id IN (0, contact.workspace_id) AND s.address_hash = contact.address_hash
              AND (s.expires_ms IS NULL OR s.expires_ms > ?))";

/// With two parameters: the reason, now.
pub(crate) const IS_SUPPRESSED_FOR: &str = "
    EXISTS (SELECT 1 FROM suppression s
            WHERE s.workspace_id IN (0, contact.workspace_id) AND s.address_hash = contact.address_hash
              AND s.reason = ? AND (s.expires_ms IS NULL OR s.expires_ms > ?))";

/// With two parameters: since when, how often at least.
pub(crate) const HAS_BOUNCED_SOFTLY: &str = "
    ((SELECT count(*) FROM soft_bounce b
      WHERE b.workspace_id = contact.workspace_id AND b.address_hash = contact.address_hash AND b.at_ms > ?) >= ?)";

pub(super) const COUNT: &str =
    "SELECT count(*) FROM contact INDEXED BY contact_created WHERE workspace_id = :workspace_id";

/// Contacts in the workspace.
///
/// # Errors
/// The database's.
pub fn count(tx: &Connection, workspace: WorkspaceId) -> Result<u64, StorageError> {
    Ok(tx.prepare_cached(COUNT)?.query_row(named_params! { ":workspace_id": workspace }, |row| row.get::<_, i64>(0))?
        as u64)
}

/// How many contacts pass a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// All of them.
    pub matching: u64,
    /// Of those, on the suppression list.
    pub suppressed: u64,
}

/// Counts who passes a filter, and how many of them nothing is sent to.
///
/// # Errors
/// The database's.
pub fn count_matching(
    tx: &Connection,
    workspace: WorkspaceId,
    filter: &CompiledFilter,
    now_ms: i64,
) -> Result<Matching, StorageError> {
    let mut sql =
        format!("SELECT count(*), coalesce(sum({IS_SUPPRESSED}), 0) FROM contact WHERE workspace_id = ? AND ");
    let mut params: Vec<Value> = vec![now_ms.into(), workspace.0.into()];
    filter.append(&mut sql, &mut params);
    Ok(tx.prepare_cached(&sql)?.query_row(params_from_iter(params), |row| {
        Ok(Matching { matching: row.get::<_, i64>(0)? as u64, suppressed: row.get::<_, i64>(1)? as u64 })
    })?)
}
