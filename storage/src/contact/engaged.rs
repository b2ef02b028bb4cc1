//! Engagement: when a contact last did something with our mail, and audiences that begin with the most engaged.

use super::audience::Member;
use crate::filter::CompiledFilter;
use crate::{ContactId, StorageError, WorkspaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, named_params, params_from_iter};

const ENGAGED: &str = "
    UPDATE contact SET engaged_ms = :at_ms
    WHERE id = :id AND workspace_id = :workspace_id AND (engaged_ms IS NULL OR engaged_ms < :at_ms)";

/// The contact did something with our mail at this moment: opened, clicked, answered, came back. What is older than what
/// is known changes nothing, and gives `false`.
///
/// # Errors
/// The database's.
pub fn engaged(tx: &Connection, workspace: WorkspaceId, id: ContactId, at_ms: i64) -> Result<bool, StorageError> {
    let what = named_params! { ":id": id, ":workspace_id": workspace, ":at_ms": at_ms };
    Ok(tx.prepare_cached(ENGAGED)?.execute(what)? > 0)
}

/// The next contacts of an audience that were ever engaged, the last engaged first: those behind `after` (engagement and
/// id of the one before), with ids up to `last`. Each with its engagement.
///
/// # Errors
/// The database's.
pub fn engaged_audience(
    tx: &Connection,
    workspace: WorkspaceId,
    filter: &CompiledFilter,
    (after, last): ((i64, ContactId), ContactId),
    limit: u32,
) -> Result<Vec<(Member, i64)>, StorageError> {
    let (sql, params) = engaged_statement(workspace, filter, (after, last), limit);
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| {
        let member = Member { id: row.get(0)?, email: row.get(1)?, address_hash: row.get(2)?, domain: row.get(3)? };
        Ok((member, row.get(4)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn engaged_statement(
    workspace: WorkspaceId,
    filter: &CompiledFilter,
    ((engaged_ms, after), last): ((i64, ContactId), ContactId),
    limit: u32,
) -> (String, Vec<Value>) {
    // A walk along the index from its end, with nothing to sort.
    let mut sql = String::from(
        "SELECT id, email, address_hash, domain, engaged_ms FROM contact INDEXED BY contact_engaged \
         WHERE workspace_id = ? AND engaged_ms IS NOT NULL AND (engaged_ms, id) < (?, ?) AND id <= ? AND ",
    );
    let mut params: Vec<Value> = vec![workspace.0.into(), engaged_ms.into(), after.0.into(), last.0.into()];
    filter.append(&mut sql, &mut params);
    sql.push_str(" ORDER BY engaged_ms DESC, id DESC LIMIT ?");
    params.push(i64::from(limit).into());
    (sql, params)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ENGAGED];
