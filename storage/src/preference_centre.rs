//! What the pages for recipients say and look like, and their logo.

use crate::{StorageError, WorkspaceId};
use api_types::PreferenceCentre;
use rusqlite::{Connection, OptionalExtension, named_params, params};

const GET: &str = "SELECT settings FROM preference_centre WHERE workspace_id = :workspace_id";

/// The workspace's settings; ours where it has none.
///
/// # Errors
/// The database's.
pub fn get(tx: &Connection, workspace: WorkspaceId) -> Result<PreferenceCentre, StorageError> {
    let found: Option<String> =
        tx.prepare_cached(GET)?.query_row(named_params! { ":workspace_id": workspace }, |row| row.get(0)).optional()?;
    let Some(text) = found else { return Ok(PreferenceCentre::default()) };
    serde_json::from_str(&text)
        .map_err(|_| StorageError::Damaged { what: "preference_centre.settings", value: text.clone() })
}

const PUT: &str = "
    INSERT INTO preference_centre (workspace_id, settings, updated_ms, updated_by) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (workspace_id) DO UPDATE SET
        settings = excluded.settings, updated_ms = excluded.updated_ms, updated_by = excluded.updated_by";

/// Replaces the workspace's settings.
///
/// # Errors
/// The database's.
pub fn put(
    tx: &Connection,
    workspace: WorkspaceId,
    settings: &PreferenceCentre,
    by: &str,
    now_ms: i64,
) -> Result<(), StorageError> {
    // Serializing texts and words cannot fail.
    let text = serde_json::to_string(settings).unwrap_or_else(|_| "{}".to_owned());
    tx.prepare_cached(PUT)?.execute(params![workspace, text, now_ms, by])?;
    Ok(())
}

const RESET: &str = "DELETE FROM preference_centre WHERE workspace_id = ?1";

/// Forgets the workspace's settings and its logo: the pages look as ours again.
///
/// # Errors
/// The database's.
pub fn reset(tx: &Connection, workspace: WorkspaceId) -> Result<(), StorageError> {
    tx.prepare_cached(RESET)?.execute([workspace])?;
    remove_logo(tx, workspace)?;
    Ok(())
}

/// A picture as uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

const SET_LOGO: &str = "
    INSERT INTO logo (workspace_id, name, media_type, content) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (workspace_id) DO UPDATE SET
        name = excluded.name, media_type = excluded.media_type, content = excluded.content";

/// Replaces the workspace's logo. `name` is what it is asked for by, unique over all workspaces.
///
/// # Errors
/// The database's.
pub fn set_logo(tx: &Connection, workspace: WorkspaceId, name: &str, logo: &Logo) -> Result<(), StorageError> {
    tx.prepare_cached(SET_LOGO)?.execute(params![workspace, name, logo.media_type, logo.content])?;
    Ok(())
}

const REMOVE_LOGO: &str = "DELETE FROM logo WHERE workspace_id = ?1";

/// Removes the workspace's logo; `false` when it has none.
///
/// # Errors
/// The database's.
pub fn remove_logo(tx: &Connection, workspace: WorkspaceId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(REMOVE_LOGO)?.execute([workspace])? > 0)
}

const LOGO_NAME: &str = "SELECT name FROM logo WHERE workspace_id = ?1";

/// The name of the workspace's logo.
///
/// # Errors
/// The database's.
pub fn logo_name(tx: &Connection, workspace: WorkspaceId) -> Result<Option<String>, StorageError> {
    Ok(tx.prepare_cached(LOGO_NAME)?.query_row([workspace], |row| row.get(0)).optional()?)
}

// Of whichever workspace: whoever has the name may see it.
const LOGO: &str = "SELECT media_type, content FROM logo WHERE name = ?1";

/// The logo of this name.
///
/// # Errors
/// The database's.
pub fn logo(tx: &Connection, name: &str) -> Result<Option<Logo>, StorageError> {
    let read = |row: &rusqlite::Row<'_>| Ok(Logo { media_type: row.get(0)?, content: row.get(1)? });
    Ok(tx.prepare_cached(LOGO)?.query_row([name], read).optional()?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[GET, PUT, RESET, SET_LOGO, REMOVE_LOGO, LOGO_NAME, LOGO];
