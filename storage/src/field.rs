//! The catalogue of the workspace's own contact fields.

use crate::{StorageError, WorkspaceId};
use api_types::FieldKind;
use rusqlite::{Connection, named_params};
use std::collections::BTreeMap;

/// The fields of a workspace by name.
pub type Fields = BTreeMap<String, FieldKind>;

const LIST: &str = "SELECT name, kind FROM field WHERE workspace_id = :workspace_id ORDER BY name";

/// All fields of the workspace.
///
/// # Errors
/// The database's.
pub fn list(tx: &Connection, workspace: WorkspaceId) -> Result<Fields, StorageError> {
    let mut statement = tx.prepare_cached(LIST)?;
    let mut rows = statement.query(named_params! { ":workspace_id": workspace })?;
    let mut fields = Fields::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        fields.insert(row.get(0)?, parse(&kind)?);
    }
    Ok(fields)
}

/// Whether a field may have this name: names stand in filters and merge tags.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=60).contains(&name.len()) && name.chars().all(letter) && name.starts_with(|c: char| !c.is_ascii_digit())
}

const INSERT: &str = "
    INSERT INTO field (workspace_id, name, kind) VALUES (:workspace_id, :name, :kind)
    ON CONFLICT (workspace_id, name) DO NOTHING";
const KIND: &str = "SELECT kind FROM field WHERE workspace_id = :workspace_id AND name = :name";

/// Makes a field where there is none of that name; the kind that it now has.
///
/// # Errors
/// The database's.
pub fn ensure(tx: &Connection, workspace: WorkspaceId, name: &str, kind: FieldKind) -> Result<FieldKind, StorageError> {
    let made = tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace, ":name": name, ":kind": word(kind),
    })?;
    if made > 0 {
        return Ok(kind);
    }
    let kind: String = tx
        .prepare_cached(KIND)?
        .query_row(named_params! { ":workspace_id": workspace, ":name": name }, |row| row.get(0))?;
    parse(&kind)
}

fn word(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Number => "number",
        FieldKind::Boolean => "boolean",
        FieldKind::Date => "date",
    }
}

fn parse(text: &str) -> Result<FieldKind, StorageError> {
    match text {
        "text" => Ok(FieldKind::Text),
        "number" => Ok(FieldKind::Number),
        "boolean" => Ok(FieldKind::Boolean),
        "date" => Ok(FieldKind::Date),
        _ => Err(StorageError::Damaged { what: "field.kind", value: text.to_owned() }),
    }
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LIST, INSERT, KIND];
