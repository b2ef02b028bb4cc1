//! Kill switches: what is paused, by whom, why, since when. They hold from the commit that makes them: the mark before
//! the final dot reads them in its own transaction.
//!
//! "Everything", a source and a provider are paused for all workspaces; a workspace and a recipient domain for the one
//! that they belong to. A paused campaign is a state of its run (`campaign_run`) and only listed here.

use crate::words::word;
use crate::{CampaignId, PauseId, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use std::collections::{HashMap, HashSet};

/// Pauses at most, over all workspaces: each is read with every commit of marks.
pub const PAUSES_MAX: u64 = 1_000;
/// What waits because of a paused domain or provider is looked at again after this, if nobody ends the pause before.
pub const LOOK_AGAIN_MS: i64 = 3_600_000;

/// What a pause stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All mail of the installation.
    Everything,
    /// All mail of the workspace.
    Workspace,
    /// Mail of the workspace to a recipient domain.
    Domain,
    /// Mail from an egress source; the others of its pool take over.
    Source,
    /// Mail to a mailbox provider.
    Provider,
}

impl Scope {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Everything => "everything",
            Scope::Workspace => "workspace",
            Scope::Domain => "domain",
            Scope::Source => "source",
            Scope::Provider => "provider",
        }
    }

    /// The scope of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Scope> {
        Some(match word {
            "everything" => Scope::Everything,
            "workspace" => Scope::Workspace,
            "domain" => Scope::Domain,
            "source" => Scope::Source,
            "provider" => Scope::Provider,
            _ => return None,
        })
    }

    /// Whether it stops the mail of other workspaces too.
    #[must_use]
    pub fn reaches_all(self) -> bool {
        matches!(self, Scope::Everything | Scope::Source | Scope::Provider)
    }
}

/// A pause to make.
#[derive(Clone, Debug)]
pub struct NewPause {
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// What it stops.
    pub scope: Scope,
    /// The domain, source or provider; empty for the others.
    pub subject: String,
    /// Who.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// Now.
    pub now_ms: i64,
}

const COUNT: &str = "SELECT count(*) FROM pause";
const INSERT: &str = "
    INSERT INTO pause (workspace_id, scope, subject, created_by, reason, created_ms)
    VALUES (:workspace_id, :scope, :subject, :created_by, :reason, :created_ms)";

/// Makes a pause; `None` when there are too many already.
///
/// # Errors
/// `Exists` when it is paused already; the database's.
pub fn insert(tx: &Connection, new: &NewPause) -> Result<Option<PauseId>, StorageError> {
    let there = tx.prepare_cached(COUNT)?.query_row([], |row| crate::words::count(row, 0))?;
    if there >= PAUSES_MAX {
        return Ok(None);
    }
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": new.workspace_id,
        ":scope": new.scope.as_str(),
        ":subject": new.subject,
        ":created_by": new.created_by,
        ":reason": new.reason,
        ":created_ms": new.now_ms,
    })?;
    Ok(Some(PauseId(tx.last_insert_rowid())))
}

const DELETE: &str = "
    DELETE FROM pause WHERE id = :id AND workspace_id = :workspace_id
    RETURNING id, workspace_id, scope, subject, created_by, reason, created_ms";

/// Ends a pause; `None` when there is no such one.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: PauseId) -> Result<Option<Pause>, StorageError> {
    let mut statement = tx.prepare_cached(DELETE)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

/// A pause in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Id.
    pub id: PauseId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// What it stops.
    pub scope: Scope,
    /// The domain, source or provider; empty for the others.
    pub subject: String,
    /// Who.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_ms: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Pause> {
    Ok(Pause {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        scope: word(row, 2, Scope::parse)?,
        subject: row.get(3)?,
        created_by: row.get(4)?,
        reason: row.get(5)?,
        created_ms: row.get(6)?,
    })
}

// What others paused for everybody concerns this workspace too.
const LIST: &str = "
    SELECT id, workspace_id, scope, subject, created_by, reason, created_ms FROM pause
    WHERE workspace_id = :workspace_id OR scope IN ('everything', 'source', 'provider')
    ORDER BY id DESC";

/// The pauses that a workspace's mail meets, newest first.
///
/// # Errors
/// The database's.
pub fn list(connection: &Connection, workspace: WorkspaceId) -> Result<Vec<Pause>, StorageError> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A paused campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Who or what paused it.
    pub reason: String,
    /// Since when.
    pub changed_ms: i64,
}

const CAMPAIGNS: &str = "
    SELECT campaign_id, reason, changed_ms FROM campaign_run
    WHERE state = 'paused' AND workspace_id = ?1 ORDER BY changed_ms DESC, campaign_id LIMIT ?2";

/// A workspace's paused campaigns, newest pause first.
///
/// # Errors
/// The database's.
pub fn campaigns(
    connection: &Connection,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<PausedCampaign>, StorageError> {
    let mut statement = connection.prepare_cached(CAMPAIGNS)?;
    let rows = statement.query_map(params![workspace, limit], |row| {
        Ok(PausedCampaign { campaign_id: row.get(0)?, reason: row.get(1)?, changed_ms: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Everything that is paused, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseSet {
    everything: bool,
    workspaces: HashSet<WorkspaceId>,
    domains: HashMap<WorkspaceId, HashSet<String>>,
    sources: HashSet<String>,
    providers: HashSet<String>,
}

impl PauseSet {
    /// Whether everything that was paused before is paused still.
    #[must_use]
    pub fn covers(&self, before: &PauseSet) -> bool {
        let domains = |(workspace, domains): (&WorkspaceId, &HashSet<String>)| {
            self.domains.get(workspace).is_some_and(|now| domains.is_subset(now))
        };
        (self.everything || !before.everything)
            && before.workspaces.is_subset(&self.workspaces)
            && before.domains.iter().all(domains)
            && before.sources.is_subset(&self.sources)
            && before.providers.is_subset(&self.providers)
    }

    /// Whether nothing is paused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.everything
            && self.workspaces.is_empty()
            && self.domains.is_empty()
            && self.sources.is_empty()
            && self.providers.is_empty()
    }

    /// Whether all mail of a workspace is stopped.
    #[must_use]
    pub fn stops_workspace(&self, workspace: WorkspaceId) -> bool {
        self.everything || self.workspaces.contains(&workspace)
    }

    /// Whether mail of a workspace to a recipient domain is stopped.
    #[must_use]
    pub fn stops_domain(&self, workspace: WorkspaceId, domain: &str) -> bool {
        self.domains.get(&workspace).is_some_and(|domains| domains.contains(domain))
    }

    /// Whether a source is stopped.
    #[must_use]
    pub fn stops_source(&self, source: &str) -> bool {
        self.sources.contains(source)
    }

    /// Whether a provider is stopped.
    #[must_use]
    pub fn stops_provider(&self, provider: &str) -> bool {
        self.providers.contains(provider)
    }

    /// Until when a recipient that is stopped waits, whatever source it would leave from. A workspace is not visited
    /// while it is stopped, so its recipients keep their time; others are looked at again now and then.
    #[must_use]
    pub fn waits_until(&self, workspace: WorkspaceId, domain: &str, provider: &str, now_ms: i64) -> Option<i64> {
        if self.stops_workspace(workspace) {
            return Some(now_ms);
        }
        let stopped = self.stops_domain(workspace, domain) || self.stops_provider(provider);
        stopped.then_some(now_ms + LOOK_AGAIN_MS)
    }
}

const IN_FORCE: &str = "SELECT workspace_id, scope, subject FROM pause";

/// Everything that is paused now.
///
/// # Errors
/// The database's.
pub fn in_force(tx: &Connection) -> Result<PauseSet, StorageError> {
    let mut set = PauseSet::default();
    let mut statement = tx.prepare_cached(IN_FORCE)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (workspace, subject): (WorkspaceId, String) = (row.get(0)?, row.get(2)?);
        match word(row, 1, Scope::parse)? {
            Scope::Everything => set.everything = true,
            Scope::Workspace => _ = set.workspaces.insert(workspace),
            Scope::Domain => _ = set.domains.entry(workspace).or_default().insert(subject),
            Scope::Source => _ = set.sources.insert(subject),
            Scope::Provider => _ = set.providers.insert(subject),
        }
    }
    Ok(set)
}

const RESUME: &str = "
    UPDATE recipient SET due_ms = ?2, wait_reason = 'turn'
    WHERE id IN (SELECT id FROM recipient WHERE wait_reason = 'paused' AND id > ?1 AND due_ms > ?2 ORDER BY id LIMIT ?3)
    RETURNING id";

/// After a pause has ended: up to `limit` of those who waited because of one are due at once; what is still paused goes
/// back by itself. Goes on above `after`; says where, `None` at the end.
///
/// # Errors
/// The database's.
pub fn resume(tx: &Connection, after: i64, now_ms: i64, limit: u32) -> Result<Option<i64>, StorageError> {
    let mut statement = tx.prepare_cached(RESUME)?;
    let rows = statement.query_map(params![after, now_ms, limit], |row| row.get(0))?;
    let ids: Vec<i64> = rows.collect::<Result<_, _>>()?;
    Ok(ids.into_iter().max())
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[COUNT, INSERT, DELETE, LIST, CAMPAIGNS, IN_FORCE, RESUME];
