//! Pages of the list.

use super::{Suppression, SuppressionCovers, SuppressionReason, covers_word, read, reason_word, select};
use crate::{StorageError, WorkspaceId, address_hash};
use mail::Address;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// What a page of the list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only addresses that contain this. A whole address finds its entry by the hash too.
    pub q: String,
    /// Only this reason.
    pub reason: Option<SuppressionReason>,
    /// Only what covers this.
    pub covers: Option<SuppressionCovers>,
    /// Only what has ended at this moment, or only what has not.
    pub ended: Option<(bool, i64)>,
    /// Only those of the whole installation, or only the workspace's own.
    pub global: Option<bool>,
}

/// Entries with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    before: i64,
    limit: u32,
) -> Result<Vec<Suppression>, StorageError> {
    // The `+` keeps the planner on the primary key, whose order is wanted.
    let mut sql = select!("WHERE +workspace_id IN (0, ?) AND id < ?").to_owned();
    let mut values: Vec<Value> = vec![workspace.0.into(), before.into()];
    narrow(&mut sql, &mut values, filter);
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::from(limit).into());
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many entries match.
///
/// # Errors
/// The database's.
pub fn count(connection: &Connection, workspace: WorkspaceId, filter: &Filter) -> Result<u64, StorageError> {
    let mut sql = "SELECT count(*) FROM suppression WHERE workspace_id IN (0, ?)".to_owned();
    let mut values: Vec<Value> = vec![workspace.0.into()];
    narrow(&mut sql, &mut values, filter);
    Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| crate::words::count(row, 0))?)
}

fn narrow(sql: &mut String, values: &mut Vec<Value>, filter: &Filter) {
    if let Some(reason) = filter.reason {
        sql.push_str(" AND reason = ?");
        values.push(reason_word(reason).to_owned().into());
    }
    if let Some(covers) = filter.covers {
        sql.push_str(" AND +covers = ?");
        values.push(covers_word(covers).to_owned().into());
    }
    if let Some((ended, now_ms)) = filter.ended {
        sql.push_str(if ended { " AND +expires_ms <= ?" } else { " AND (+expires_ms IS NULL OR +expires_ms > ?)" });
        values.push(now_ms.into());
    }
    if let Some(global) = filter.global {
        sql.push_str(if global { " AND +workspace_id = 0" } else { " AND +workspace_id <> 0" });
    }
    let q = filter.q.trim().to_lowercase();
    match Address::parse(&q) {
        _ if q.is_empty() => {}
        Ok(address) => {
            sql.push_str(" AND (instr(address, ?) > 0 OR +address_hash = ?)");
            values.extend([address.normalized().into(), address_hash(&address).to_vec().into()]);
        }
        Err(_) => {
            sql.push_str(" AND instr(address, ?) > 0");
            values.push(q.into());
        }
    }
}
