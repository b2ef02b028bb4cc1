//! What happened to a sending domain: its records and keys. A few hundred are kept of each domain.

use crate::words::word;
use crate::{DomainId, StorageError, WorkspaceId};
use api_types::DomainEventKind;
use rusqlite::{Connection, Row, named_params};

/// Events kept of a domain; the oldest go.
const KEPT: u32 = 500;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainEvent {
    /// When.
    pub at_ms: i64,
    /// What kind of thing.
    pub kind: DomainEventKind,
    /// What, for people.
    pub text: String,
    /// Who did it, when a person did.
    pub actor: Option<String>,
}

const INSERT: &str = "
    INSERT INTO domain_event (workspace_id, domain_id, at_ms, kind, text, actor)
    VALUES (:workspace_id, :domain_id, :at_ms, :kind, :text, :actor)";
const FORGET: &str = "
    DELETE FROM domain_event WHERE domain_id = :domain_id AND id <= (
        SELECT id FROM domain_event WHERE domain_id = :domain_id ORDER BY id DESC LIMIT 1 OFFSET :kept)";

/// Notes what happened, and forgets what is too old.
///
/// # Errors
/// The database's.
pub fn note(
    tx: &Connection,
    workspace: WorkspaceId,
    domain: DomainId,
    event: &DomainEvent,
) -> Result<(), StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":domain_id": domain,
        ":at_ms": event.at_ms,
        ":kind": kind_word(event.kind),
        ":text": event.text,
        ":actor": event.actor,
    })?;
    tx.prepare_cached(FORGET)?.execute(named_params! { ":domain_id": domain, ":kept": KEPT })?;
    Ok(())
}

const LIST: &str = "
    SELECT at_ms, kind, text, actor FROM domain_event
    WHERE domain_id = :domain_id AND workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit";

/// The newest events of a domain, newest first.
///
/// # Errors
/// The database's.
pub fn events(
    tx: &Connection,
    workspace: WorkspaceId,
    domain: DomainId,
    limit: u32,
) -> Result<Vec<DomainEvent>, StorageError> {
    let mut statement = tx.prepare_cached(LIST)?;
    let rows = statement
        .query_map(named_params! { ":domain_id": domain, ":workspace_id": workspace, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn kind_word(kind: DomainEventKind) -> &'static str {
    match kind {
        DomainEventKind::Added => "added",
        DomainEventKind::Rotation => "rotation",
        DomainEventKind::Key => "key",
        DomainEventKind::Forced => "forced",
        DomainEventKind::Lost => "lost",
        DomainEventKind::Back => "back",
        DomainEventKind::Schedule => "schedule",
        DomainEventKind::Removed => "removed",
    }
}

fn kind_of(text: &str) -> Option<DomainEventKind> {
    DomainEventKind::ALL.into_iter().find(|kind| kind_word(*kind) == text)
}

fn read(row: &Row<'_>) -> rusqlite::Result<DomainEvent> {
    Ok(DomainEvent { at_ms: row.get(0)?, kind: word(row, 1, kind_of)?, text: row.get(2)?, actor: row.get(3)? })
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INSERT, FORGET, LIST];
