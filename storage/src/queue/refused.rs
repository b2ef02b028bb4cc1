//! Finished recipients that were refused or given up: the ones behind a figure of `bounces`.

use super::Recipient;
use super::read::{DONE_COLUMNS, read};
use crate::bounces::Filter;
use crate::{RecipientId, StorageError, WorkspaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// Who was refused or given up, the last ones first; behind `after` (finished at, id) where there is a page before.
///
/// # Errors
/// The database's.
pub fn refused(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    after: Option<(i64, RecipientId)>,
    limit: u32,
) -> Result<Vec<Recipient>, StorageError> {
    let (sql, values) = refused_statement(workspace, filter, after, limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The statement for the filters that are set, and its values. Whom a person gave up, nobody refused.
pub(crate) fn refused_statement(
    workspace: WorkspaceId,
    filter: &Filter,
    after: Option<(i64, RecipientId)>,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut sql = format!(
        "SELECT {DONE_COLUMNS} FROM recipient_done
         WHERE workspace_id = ? AND state IN ('bounced', 'expired') AND finished_ms >= ? AND finished_ms < ?
            AND NOT (state = 'bounced' AND class IS 'unclassified' AND reply_code IS NULL)"
    );
    let mut values: Vec<Value> = vec![workspace.0.into(), filter.since_ms.into(), filter.until_ms.into()];
    filter.push(&mut sql, &mut values);
    if let Some((finished_ms, id)) = after {
        sql.push_str(" AND (finished_ms, id) < (?, ?)");
        values.extend([finished_ms.into(), id.0.into()]);
    }
    sql.push_str(" ORDER BY finished_ms DESC, id DESC LIMIT ?");
    values.push(i64::from(limit).into());
    (sql, values)
}
