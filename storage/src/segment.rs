//! Segments: named filters.

use crate::{SegmentId, StorageError, WorkspaceId};
use api_types::Filter;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A named filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Id.
    pub id: SegmentId,
    /// Name, unique in the workspace.
    pub name: String,
    /// The condition.
    pub filter: Filter,
    /// How many contacts matched when last counted.
    pub count: u64,
    /// When last changed.
    pub updated_ms: i64,
}

const INSERT: &str = "
    INSERT INTO segment (workspace_id, name, filter, count, created_ms, updated_ms)
    VALUES (:workspace_id, :name, :filter, :count, :now_ms, :now_ms)";

/// Adds a segment.
///
/// # Errors
/// `Exists` when the workspace has one of that name.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    name: &str,
    filter: &Filter,
    count: u64,
    now_ms: i64,
) -> Result<SegmentId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":name": name,
        ":filter": filter_json(filter),
        ":count": count as i64,
        ":now_ms": now_ms,
    })?;
    Ok(SegmentId(tx.last_insert_rowid()))
}

const UPDATE: &str = "
    UPDATE segment SET name = :name, filter = :filter, count = :count, updated_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id";

/// Replaces a segment; `false` when there is none.
///
/// # Errors
/// `Exists` when another segment has the new name.
pub fn update(
    tx: &Connection,
    workspace: WorkspaceId,
    id: SegmentId,
    (name, filter, count): (&str, &Filter, u64),
    now_ms: i64,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":name": name,
        ":filter": filter_json(filter),
        ":count": count as i64,
        ":now_ms": now_ms,
    })?;
    Ok(changed > 0)
}

const SET_COUNT: &str = "UPDATE segment SET count = :count WHERE id = :id AND workspace_id = :workspace_id";

/// Keeps what counting found.
///
/// # Errors
/// The database's.
pub fn set_count(tx: &Connection, workspace: WorkspaceId, id: SegmentId, count: u64) -> Result<(), StorageError> {
    tx.prepare_cached(SET_COUNT)?
        .execute(named_params! { ":id": id, ":workspace_id": workspace, ":count": count as i64 })?;
    Ok(())
}

const IN_DRAFT: &str = "
    SELECT EXISTS (SELECT 1 FROM campaign
                   WHERE workspace_id = :workspace_id AND segment_id = :id AND launched_ms IS NULL)";

/// Whether a draft of a campaign is to go to the segment. Without its segment it would go to everybody.
///
/// # Errors
/// The database's.
pub fn in_draft(tx: &Connection, workspace: WorkspaceId, id: SegmentId) -> Result<bool, StorageError> {
    let mut statement = tx.prepare_cached(IN_DRAFT)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| row.get(0))?)
}

const DELETE: &str = "DELETE FROM segment WHERE id = :id AND workspace_id = :workspace_id";

/// Deletes a segment; `false` when there is none.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: SegmentId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

const FIND: &str = "
    SELECT id, name, filter, count, updated_ms FROM segment WHERE id = :id AND workspace_id = :workspace_id";

/// The segment with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: SegmentId) -> Result<Option<Segment>, StorageError> {
    let found = tx
        .prepare_cached(FIND)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| Ok(read(row)))
        .optional()?;
    found.transpose()
}

const PAGE: &str = "
    SELECT id, name, filter, count, updated_ms
    FROM segment WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit";

/// Segments, newest first; only those with a smaller id than `before`.
///
/// # Errors
/// The database's.
pub fn page(
    tx: &Connection,
    workspace: WorkspaceId,
    before: Option<SegmentId>,
    limit: u32,
) -> Result<Vec<Segment>, StorageError> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let mut statement = tx.prepare_cached(PAGE)?;
    let rows = statement
        .query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, |row| {
            Ok(read(row))
        })?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<Segment, StorageError> {
    let text: String = row.get(2)?;
    Ok(Segment {
        id: row.get(0)?,
        name: row.get(1)?,
        filter: parse_filter("segment.filter", text)?,
        count: row.get::<_, i64>(3)? as u64,
        updated_ms: row.get(4)?,
    })
}

pub(crate) fn filter_json(filter: &Filter) -> String {
    // Serializing a filter cannot fail: its only maps are JSON values.
    serde_json::to_string(filter).unwrap_or_default()
}

pub(crate) fn parse_filter(what: &'static str, text: String) -> Result<Filter, StorageError> {
    serde_json::from_str(&text).map_err(|_| StorageError::Damaged { what, value: text })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, UPDATE, SET_COUNT, IN_DRAFT, DELETE, FIND, PAGE];
