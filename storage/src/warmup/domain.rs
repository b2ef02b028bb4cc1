//! Sending domains that earn their volume, and which domain a recipient's mail is sent from.

use super::Axis;
use crate::queue::Origin;
use crate::{DomainId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use std::collections::HashMap;

/// A sending domain that earns its volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainWarmup {
    /// The domain.
    pub domain_id: DomainId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub domain: String,
    /// The plan that it follows.
    pub plan: String,
    /// Who began it.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
}

const LIST: &str = "
    SELECT domain_id, workspace_id, domain, plan, created_by, created_ms FROM warmup_domain
    WHERE ?1 IS NULL OR workspace_id = ?1 ORDER BY domain_id";

/// The domains of a workspace that earn their volume, or of all.
///
/// # Errors
/// The database's.
pub fn domains(tx: &Connection, workspace: Option<WorkspaceId>) -> Result<Vec<DomainWarmup>, StorageError> {
    let mut statement = tx.prepare_cached(LIST)?;
    let rows = statement.query_map([workspace], |row| {
        Ok(DomainWarmup {
            domain_id: row.get(0)?,
            workspace_id: row.get(1)?,
            domain: row.get(2)?,
            plan: row.get(3)?,
            created_by: row.get(4)?,
            created_ms: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ADD: &str = "
    INSERT INTO warmup_domain (domain_id, workspace_id, domain, plan, created_by, created_ms)
    VALUES (:domain_id, :workspace_id, :domain, :plan, :created_by, :created_ms)
    ON CONFLICT DO UPDATE SET plan = excluded.plan";

/// Has a domain earn its volume by a plan; one that does so already changes its plan and stays at its stage.
///
/// # Errors
/// The database's.
pub fn add_domain(tx: &Connection, new: &DomainWarmup) -> Result<(), StorageError> {
    tx.prepare_cached(ADD)?.execute(named_params! {
        ":domain_id": new.domain_id,
        ":workspace_id": new.workspace_id,
        ":domain": new.domain,
        ":plan": new.plan,
        ":created_by": new.created_by,
        ":created_ms": new.created_ms,
    })?;
    Ok(())
}

const REMOVE: &str = "DELETE FROM warmup_domain WHERE domain_id = ?1 AND workspace_id = ?2 RETURNING domain";
const REMOVE_LINES: &str = "DELETE FROM warmup WHERE axis = ?1 AND subject = ?2";

/// Ends a domain's warm-up; `false` when there was none.
///
/// # Errors
/// The database's.
pub fn remove_domain(tx: &Connection, workspace: WorkspaceId, id: DomainId) -> Result<bool, StorageError> {
    let found: Option<String> =
        tx.prepare_cached(REMOVE)?.query_row(params![id, workspace], |row| row.get(0)).optional()?;
    let Some(domain) = found else { return Ok(false) };
    tx.prepare_cached(REMOVE_LINES)?.execute(params![Axis::Domain.as_str(), domain])?;
    Ok(true)
}

const OF_CAMPAIGN: &str = "SELECT domain_id FROM campaign WHERE id = ?1 AND domain_id IS NOT NULL";
const OF_MESSAGE: &str = "SELECT domain_id FROM message WHERE id = ?1";

/// The sending domain of each origin that has one. For readers, which see all files.
///
/// # Errors
/// The database's.
pub fn senders(
    connection: &Connection,
    origins: impl IntoIterator<Item = Origin>,
) -> Result<HashMap<Origin, DomainId>, StorageError> {
    let mut found = HashMap::new();
    for origin in origins {
        let (sql, id) = match origin {
            Origin::Campaign { campaign, .. } => (OF_CAMPAIGN, campaign.0),
            Origin::Message(message) => (OF_MESSAGE, message.0),
        };
        let domain = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
        found.extend(domain.map(|domain| (origin, domain)));
    }
    Ok(found)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LIST, ADD, REMOVE, REMOVE_LINES, OF_CAMPAIGN, OF_MESSAGE];
