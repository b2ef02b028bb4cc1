//! Templates and their versions. A version never changes, so that "as sent" stays reproducible.

use crate::words::word;
use crate::{StorageError, TemplateId, TemplateVersionId, WorkspaceId};
use api_types::TemplateKind;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A template with its newest version.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Id.
    pub id: TemplateId,
    /// Name, unique in the workspace.
    pub name: String,
    /// The newest version.
    pub version: Version,
    /// When last changed.
    pub updated_ms: i64,
}

/// One version.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Id over all templates.
    pub id: TemplateVersionId,
    /// Number within the template, from 1.
    pub number: u32,
    /// The content.
    pub content: Content,
    /// Who saved it.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
}

/// What a version says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Language of the source.
    pub kind: TemplateKind,
    /// Subject, with merge tags.
    pub subject: String,
    /// The line that inboxes show after the subject, with merge tags.
    pub preheader: String,
    /// The source, with merge tags.
    pub source: String,
}

const INSERT: &str = "
    INSERT INTO template (workspace_id, name, version, created_ms, updated_ms)
    VALUES (:workspace_id, :name, 0, :now_ms, :now_ms)";

/// Adds a template with its first version.
///
/// # Errors
/// `Exists` when the workspace has one of that name.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    name: &str,
    content: &Content,
    (by, now_ms): (&str, i64),
) -> Result<TemplateId, StorageError> {
    tx.prepare_cached(INSERT)?
        .execute(named_params! { ":workspace_id": workspace, ":name": name, ":now_ms": now_ms })?;
    let id = TemplateId(tx.last_insert_rowid());
    add_version(tx, workspace, id, name, content, (by, now_ms))?;
    Ok(id)
}

const NEXT: &str = "
    UPDATE template SET name = :name, version = version + 1, updated_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id
    RETURNING version";
const INSERT_VERSION: &str = "
    INSERT INTO template_version (template_id, workspace_id, number, kind, subject, preheader, source, created_by, created_ms)
    VALUES (:template_id, :workspace_id, :number, :kind, :subject, :preheader, :source, :created_by, :created_ms)";

/// Adds a version, which is the newest from now on; its number, or nothing when there is no such template.
///
/// # Errors
/// `Exists` when another template has the new name.
pub fn add_version(
    tx: &Connection,
    workspace: WorkspaceId,
    id: TemplateId,
    name: &str,
    content: &Content,
    (by, now_ms): (&str, i64),
) -> Result<Option<u32>, StorageError> {
    let number: Option<u32> = tx
        .prepare_cached(NEXT)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace, ":name": name, ":now_ms": now_ms }, |row| {
            row.get(0)
        })
        .optional()?;
    let Some(number) = number else { return Ok(None) };
    tx.prepare_cached(INSERT_VERSION)?.execute(named_params! {
        ":template_id": id,
        ":workspace_id": workspace,
        ":number": number,
        ":kind": kind_word(content.kind),
        ":subject": content.subject,
        ":preheader": content.preheader,
        ":source": content.source,
        ":created_by": by,
        ":created_ms": now_ms,
    })?;
    Ok(Some(number))
}

const DELETE: &str = "DELETE FROM template WHERE id = :id AND workspace_id = :workspace_id";
const DELETE_VERSIONS: &str = "
    DELETE FROM template_version
    WHERE template_id = :id AND workspace_id = :workspace_id
      AND NOT EXISTS (SELECT 1 FROM campaign WHERE campaign.template_version_id = template_version.id)";

/// Deletes a template and the versions that no campaign was sent with; `false` when there is none.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: TemplateId) -> Result<bool, StorageError> {
    tx.prepare_cached(DELETE_VERSIONS)?.execute(named_params! { ":id": id, ":workspace_id": workspace })?;
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

macro_rules! newest {
    () => {
        "SELECT v.id, v.number, v.kind, v.subject, v.preheader, v.source, v.created_by, v.created_ms,
                t.id, t.name, t.updated_ms
         FROM template t JOIN template_version v ON v.template_id = t.id AND v.number = t.version"
    };
}

const FIND: &str = concat!(newest!(), " WHERE t.id = :id AND t.workspace_id = :workspace_id");

/// The template with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: TemplateId) -> Result<Option<Template>, StorageError> {
    Ok(tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const PAGE: &str =
    concat!(newest!(), " WHERE t.workspace_id = :workspace_id AND t.id < :before ORDER BY t.id DESC LIMIT :limit");

/// Templates, newest first; only those with a smaller id than `before`.
///
/// # Errors
/// The database's.
pub fn page(
    tx: &Connection,
    workspace: WorkspaceId,
    before: Option<TemplateId>,
    limit: u32,
) -> Result<Vec<Template>, StorageError> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let mut statement = tx.prepare_cached(PAGE)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const VERSION: &str = "
    SELECT id, number, kind, subject, preheader, source, created_by, created_ms
    FROM template_version WHERE id = :id AND workspace_id = :workspace_id";

/// The version with this id, also when its template was deleted.
///
/// # Errors
/// The database's.
pub fn version(
    tx: &Connection,
    workspace: WorkspaceId,
    id: TemplateVersionId,
) -> Result<Option<Version>, StorageError> {
    Ok(tx
        .prepare_cached(VERSION)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, read_version)
        .optional()?)
}

const VERSION_NUMBER: &str = "
    SELECT id, number, kind, subject, preheader, source, created_by, created_ms
    FROM template_version WHERE template_id = :template_id AND number = :number AND workspace_id = :workspace_id";

/// A template's version by its number.
///
/// # Errors
/// The database's.
pub fn version_number(
    tx: &Connection,
    workspace: WorkspaceId,
    id: TemplateId,
    number: u32,
) -> Result<Option<Version>, StorageError> {
    Ok(tx
        .prepare_cached(VERSION_NUMBER)?
        .query_row(named_params! { ":template_id": id, ":workspace_id": workspace, ":number": number }, read_version)
        .optional()?)
}

const VERSIONS: &str = "
    SELECT id, number, kind, subject, preheader, source, created_by, created_ms
    FROM template_version WHERE template_id = :template_id AND workspace_id = :workspace_id AND number < :before
    ORDER BY number DESC LIMIT :limit";

/// A template's versions, newest first; only those with a smaller number than `before`.
///
/// # Errors
/// The database's.
pub fn versions(
    tx: &Connection,
    workspace: WorkspaceId,
    id: TemplateId,
    before: Option<u32>,
    limit: u32,
) -> Result<Vec<Version>, StorageError> {
    let mut statement = tx.prepare_cached(VERSIONS)?;
    let rows = statement.query_map(
        named_params! {
            ":template_id": id, ":workspace_id": workspace, ":before": before.unwrap_or(u32::MAX), ":limit": limit,
        },
        read_version,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Template> {
    Ok(Template { version: read_version(row)?, id: row.get(8)?, name: row.get(9)?, updated_ms: row.get(10)? })
}

fn read_version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let content =
        Content { kind: word(row, 2, parse_kind)?, subject: row.get(3)?, preheader: row.get(4)?, source: row.get(5)? };
    Ok(Version { id: row.get(0)?, number: row.get(1)?, content, created_by: row.get(6)?, created_ms: row.get(7)? })
}

fn kind_word(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Mjml => "mjml",
        TemplateKind::Html => "html",
    }
}

fn parse_kind(word: &str) -> Option<TemplateKind> {
    match word {
        "mjml" => Some(TemplateKind::Mjml),
        "html" => Some(TemplateKind::Html),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[INSERT, NEXT, INSERT_VERSION, DELETE, DELETE_VERSIONS, FIND, PAGE, VERSION, VERSION_NUMBER, VERSIONS];
