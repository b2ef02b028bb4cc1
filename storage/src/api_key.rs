//! API keys: what programs sign in with. Stored as a hash, like sessions.

use crate::{ApiKeyId, StorageError, WorkspaceId};
use api_types::KeyScope;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A key as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Id.
    pub id: ApiKeyId,
    /// The workspace it opens.
    pub workspace_id: WorkspaceId,
    /// What it is for.
    pub name: String,
    /// Its first characters, by which people know it.
    pub prefix: String,
    /// When made.
    pub created_ms: i64,
    /// When last used, to the minute.
    pub last_used_ms: Option<i64>,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// Requests a minute, each message of a batch counted; without it as many as the server takes.
    pub rate_per_minute: Option<u32>,
}

/// A key to store.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The workspace it opens.
    pub workspace_id: WorkspaceId,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// `secret_hash` of the whole key.
    pub key_hash: [u8; 32],
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
    /// What it may do; at least one.
    pub scopes: Vec<KeyScope>,
    /// Requests a minute, at least one.
    pub rate_per_minute: Option<u32>,
}

const INSERT: &str = "
    INSERT INTO api_key (workspace_id, name, prefix, key_hash, created_by, created_ms, scopes, rate_per_minute)
    VALUES (:workspace_id, :name, :prefix, :key_hash, :created_by, :created_ms, :scopes, :rate_per_minute)";

/// Stores a key.
///
/// # Errors
/// The database's.
pub fn insert(tx: &Connection, key: &NewApiKey) -> Result<ApiKeyId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": key.workspace_id,
        ":name": key.name,
        ":prefix": key.prefix,
        ":key_hash": key.key_hash,
        ":created_by": key.created_by,
        ":created_ms": key.created_ms,
        ":scopes": serde_json::json!(key.scopes).to_string(),
        ":rate_per_minute": key.rate_per_minute,
    })?;
    Ok(ApiKeyId(tx.last_insert_rowid()))
}

const FIND_BY_HASH: &str = "
    SELECT id, workspace_id, name, prefix, created_ms, last_used_ms, scopes, rate_per_minute
    FROM api_key WHERE key_hash = :key_hash";

/// The key with this hash, in whatever workspace: the key says in which.
///
/// # Errors
/// The database's.
pub fn find_by_hash(tx: &Connection, key_hash: &[u8; 32]) -> Result<Option<ApiKey>, StorageError> {
    Ok(tx.prepare_cached(FIND_BY_HASH)?.query_row(named_params! { ":key_hash": key_hash }, read).optional()?)
}

const LIST: &str = "
    SELECT id, workspace_id, name, prefix, created_ms, last_used_ms, scopes, rate_per_minute
    FROM api_key WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit";

/// Keys of the workspace, newest first, with ids below `before`.
///
/// # Errors
/// The database's.
pub fn list(tx: &Connection, workspace: WorkspaceId, before: i64, limit: u32) -> Result<Vec<ApiKey>, StorageError> {
    let mut statement = tx.prepare_cached(LIST)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const DELETE: &str = "DELETE FROM api_key WHERE id = :id AND workspace_id = :workspace_id";

/// Takes a key back; `false` when there was none.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: ApiKeyId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

const USED: &str = "UPDATE api_key SET last_used_ms = :now_ms WHERE id = :id";

/// Notes that a key was used.
///
/// # Errors
/// The database's.
pub fn used(tx: &Connection, id: ApiKeyId, now_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(USED)?.execute(named_params! { ":id": id, ":now_ms": now_ms })?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        name: row.get(2)?,
        prefix: row.get(3)?,
        created_ms: row.get(4)?,
        last_used_ms: row.get(5)?,
        scopes: scopes(row, 6)?,
        rate_per_minute: row.get(7)?,
    })
}

fn scopes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<KeyScope>> {
    let failed = |e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e));
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(failed)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, FIND_BY_HASH, LIST, DELETE, USED];
