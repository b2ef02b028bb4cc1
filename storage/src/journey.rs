//! Journeys as people write them: a draft, published in versions that never change. Who is under way is `journey_run`.

use crate::{CampaignId, ContactId, JourneyId, ListId, StorageError, WorkspaceId};
use api_types::JourneyGraph;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params, params_from_iter};

/// A journey.
#[derive(Clone, Debug, PartialEq)]
pub struct Journey {
    /// Id.
    pub id: JourneyId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Name, unique in the workspace.
    pub name: String,
    /// What people work on.
    pub draft: JourneyGraph,
    /// The newest published version; 0 before the first.
    pub version: u32,
    /// When made.
    pub created_ms: i64,
    /// When last changed.
    pub updated_ms: i64,
}

/// A published version.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// Its steps.
    pub graph: JourneyGraph,
    /// Who published it.
    pub published_by: String,
    /// When.
    pub published_ms: i64,
}

const INSERT: &str = "
    INSERT INTO journey (workspace_id, name, draft, created_by, created_ms, updated_ms)
    VALUES (:workspace_id, :name, :draft, :by, :now_ms, :now_ms)";

/// Adds a draft.
///
/// # Errors
/// `Exists` when the workspace has a journey of that name.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    (name, draft): (&str, &JourneyGraph),
    by: &str,
    now_ms: i64,
) -> Result<JourneyId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":name": name,
        ":draft": json(draft),
        ":by": by,
        ":now_ms": now_ms,
    })?;
    Ok(JourneyId(tx.last_insert_rowid()))
}

const UPDATE: &str = "
    UPDATE journey SET name = :name, draft = :draft, updated_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id";

/// Replaces the draft; `false` when there is no such journey. What is published stays.
///
/// # Errors
/// `Exists` when another journey has the new name.
pub fn update(
    tx: &Connection,
    (workspace, id): (WorkspaceId, JourneyId),
    (name, draft): (&str, &JourneyGraph),
    now_ms: i64,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":name": name,
        ":draft": json(draft),
        ":now_ms": now_ms,
    })?;
    Ok(changed > 0)
}

const DELETE: &str = "DELETE FROM journey WHERE id = :id AND workspace_id = :workspace_id AND version = 0";

/// Deletes a journey that was never published; `false` when there is none.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: JourneyId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

macro_rules! columns {
    () => {
        "j.id, j.workspace_id, j.name, j.draft, j.version, j.created_ms, j.updated_ms"
    };
}

const FIND: &str =
    concat!("SELECT ", columns!(), " FROM journey j WHERE j.id = :id AND j.workspace_id = :workspace_id");

/// The journey with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: JourneyId) -> Result<Option<Journey>, StorageError> {
    let whose = named_params! { ":id": id, ":workspace_id": workspace };
    tx.prepare_cached(FIND)?.query_row(whose, |row| Ok(read(row))).optional()?.transpose()
}

/// Which journeys a list shows.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only those in this state, by its stored word; `draft` for those that are not published.
    pub state: Option<&'static str>,
    /// Found in the name.
    pub search: String,
    /// Only those with a smaller id: the last one of the page before.
    pub before: Option<JourneyId>,
    /// At most so many.
    pub limit: u32,
}

const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM journey j LEFT JOIN journey_live l ON l.journey_id = j.id WHERE j.workspace_id = ?"
);
// A published journey without a row is about to get one.
const STATE: &str = " AND CASE WHEN j.version = 0 THEN 'draft' ELSE coalesce(l.state, 'live') END = ?";

/// Journeys, newest first. For readers.
///
/// # Errors
/// The database's.
pub fn page(tx: &Connection, workspace: WorkspaceId, query: &Query) -> Result<Vec<Journey>, StorageError> {
    let mut sql = PAGE.to_owned();
    let mut params: Vec<Value> = vec![workspace.0.into()];
    if let Some(before) = query.before {
        sql.push_str(" AND j.id < ?");
        params.push(before.0.into());
    }
    if let Some(state) = query.state {
        sql.push_str(STATE);
        params.push(state.to_owned().into());
    }
    let search = crate::functions::fold(query.search.trim());
    if !search.is_empty() {
        sql.push_str(" AND instr(fold(j.name), ?) > 0");
        params.push(search.into());
    }
    sql.push_str(" ORDER BY j.id DESC LIMIT ?");
    params.push(i64::from(query.limit).into());
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

const ADD_VERSION: &str = "
    INSERT INTO journey_version (journey_id, number, workspace_id, graph, published_by, published_ms)
    VALUES (:id, :number, :workspace_id, :graph, :by, :now_ms)";
const SET_VERSION: &str = "
    UPDATE journey SET version = :number, trigger_list_id = :list_id WHERE id = :id AND workspace_id = :workspace_id";

/// Adds a version, which is the newest one from now on.
///
/// # Errors
/// The database's.
pub fn publish(tx: &Connection, (workspace, id): (WorkspaceId, JourneyId), new: &Version) -> Result<(), StorageError> {
    tx.prepare_cached(ADD_VERSION)?.execute(named_params! {
        ":id": id,
        ":number": new.number,
        ":workspace_id": workspace,
        ":graph": json(&new.graph),
        ":by": new.published_by,
        ":now_ms": new.published_ms,
    })?;
    let newest = named_params! {
        ":id": id, ":workspace_id": workspace, ":number": new.number, ":list_id": new.graph.list_id,
    };
    tx.prepare_cached(SET_VERSION)?.execute(newest)?;
    Ok(())
}

const VERSIONS: &str = "
    SELECT number, graph, published_by, published_ms FROM journey_version
    WHERE journey_id = :id AND workspace_id = :workspace_id ORDER BY number DESC LIMIT :limit";
const VERSION: &str = "
    SELECT number, graph, published_by, published_ms FROM journey_version
    WHERE journey_id = :id AND workspace_id = :workspace_id AND number = :number";

/// The newest versions, newest first.
///
/// # Errors
/// The database's.
pub fn versions(
    tx: &Connection,
    (workspace, id): (WorkspaceId, JourneyId),
    limit: u32,
) -> Result<Vec<Version>, StorageError> {
    let mut statement = tx.prepare_cached(VERSIONS)?;
    let whose = named_params! { ":id": id, ":workspace_id": workspace, ":limit": limit };
    let rows = statement.query_map(whose, |row| Ok(read_version(row)))?;
    rows.map(|row| row?).collect()
}

/// One version.
///
/// # Errors
/// The database's.
pub fn version(
    tx: &Connection,
    (workspace, id): (WorkspaceId, JourneyId),
    number: u32,
) -> Result<Option<Version>, StorageError> {
    let what = named_params! { ":id": id, ":workspace_id": workspace, ":number": number };
    tx.prepare_cached(VERSION)?.query_row(what, |row| Ok(read_version(row))).optional()?.transpose()
}

const CLOSE: &str = "UPDATE journey SET trigger_list_id = NULL WHERE id = :id AND workspace_id = :workspace_id";

/// Joining a list leads into the journey no more: it has ended.
///
/// # Errors
/// The database's.
pub fn close(tx: &Connection, workspace: WorkspaceId, id: JourneyId) -> Result<(), StorageError> {
    tx.prepare_cached(CLOSE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })?;
    Ok(())
}

const BEHIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM journey j LEFT JOIN journey_live l ON l.journey_id = j.id
     WHERE j.version > coalesce(l.version, 0) AND coalesce(l.state, 'live') <> 'ended' ORDER BY j.id"
);

/// Journeys of all workspaces whose newest version contacts do not enter by yet: a crash came between. For readers, at
/// start.
///
/// # Errors
/// The database's.
pub fn behind(tx: &Connection) -> Result<Vec<Journey>, StorageError> {
    let mut statement = tx.prepare_cached(BEHIND)?;
    let rows = statement.query_map([], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

const JOINED: &str = "
    INSERT INTO journey_joined (workspace_id, journey_id, contact_id, list_id)
    SELECT workspace_id, id, :contact_id, :list_id FROM journey
    WHERE trigger_list_id = :list_id AND workspace_id = :workspace_id";

/// Notes, in the commit of joining a list, whom it leads into which journeys.
pub(crate) fn joined(
    tx: &Connection,
    (workspace, list, contact): (WorkspaceId, ListId, ContactId),
) -> Result<(), StorageError> {
    let who = named_params! { ":workspace_id": workspace, ":list_id": list, ":contact_id": contact };
    tx.prepare_cached(JOINED)?.execute(who)?;
    Ok(())
}

/// Somebody who joined a list that leads into a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Of the note: ascends.
    pub id: i64,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Into which journey.
    pub journey_id: JourneyId,
    /// Who.
    pub contact_id: ContactId,
    /// By which list.
    pub list_id: ListId,
}

pub(crate) fn read_joined(row: &Row<'_>) -> rusqlite::Result<Joined> {
    Ok(Joined {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        journey_id: row.get(2)?,
        contact_id: row.get(3)?,
        list_id: row.get(4)?,
    })
}

const TO_ENTER: &str =
    "SELECT id, workspace_id, journey_id, contact_id, list_id FROM journey_joined ORDER BY id LIMIT ?1";
const TAKEN: &str = "DELETE FROM journey_joined WHERE id <= ?1";

/// The next ones who joined.
///
/// # Errors
/// The database's.
pub fn to_enter(tx: &Connection, limit: u32) -> Result<Vec<Joined>, StorageError> {
    let mut statement = tx.prepare_cached(TO_ENTER)?;
    Ok(statement.query_map([limit], read_joined)?.collect::<Result<_, _>>()?)
}

/// Deletes the notes up to this one: those contacts have entered, or were refused.
///
/// # Errors
/// The database's.
pub fn taken(tx: &Connection, up_to: i64) -> Result<(), StorageError> {
    tx.prepare_cached(TAKEN)?.execute([up_to])?;
    Ok(())
}

const MARK_MAILING: &str = "
    UPDATE campaign SET journey_id = ?1, journey_version = ?2, journey_step = ?3 WHERE id = ?4 AND workspace_id = ?5";

/// Says of which step a campaign is the mailing, in the commit that makes it.
///
/// # Errors
/// The database's.
pub fn mark_mailing(
    tx: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
    (journey, version, step): (JourneyId, u32, &str),
) -> Result<(), StorageError> {
    tx.prepare_cached(MARK_MAILING)?.execute(params![journey, version, step, campaign, workspace])?;
    Ok(())
}

const MAILINGS: &str = "
    SELECT id, journey_step FROM campaign
    WHERE journey_id = ?1 AND journey_version = ?2 AND workspace_id = ?3 ORDER BY id";

/// The mailings of a version with the keys of their steps, oldest first.
///
/// # Errors
/// The database's.
pub fn mailings(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    version: u32,
) -> Result<Vec<(CampaignId, String)>, StorageError> {
    let mut statement = tx.prepare_cached(MAILINGS)?;
    let rows = statement.query_map(params![journey, version, workspace], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const WITHOUT_RUN: &str = "
    SELECT c.id FROM campaign c
    WHERE c.journey_id = ?1 AND c.journey_version = ?2 AND c.journey_step = ?3 AND c.workspace_id = ?4
        AND NOT EXISTS (SELECT 1 FROM campaign_run r WHERE r.campaign_id = c.id)
    ORDER BY c.id LIMIT 1";

/// A mailing of a step whose run was not made yet: a crash came between. For readers.
///
/// # Errors
/// The database's.
pub fn without_run(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    (version, step): (u32, &str),
) -> Result<Option<CampaignId>, StorageError> {
    let mut statement = tx.prepare_cached(WITHOUT_RUN)?;
    Ok(statement.query_row(params![journey, version, step, workspace], |row| row.get(0)).optional()?)
}

// Made from the first one, so that names do not grow, and named with a number that no other has.
const COPY_MAILING: &str = "
    INSERT INTO campaign (workspace_id, name, template_id, segment_id, from_email, from_name, reply_to, pool, created_by,
        created_ms, updated_ms, launched_ms, launched_by, template_version_id, filter, domain_id, audience_limit, stream,
        list_id, journey_id, journey_version, journey_step)
    SELECT workspace_id, name || ' (' || n || ')', template_id, segment_id, from_email, from_name, reply_to, pool,
        created_by, ?5, ?5, ?5, launched_by, template_version_id, filter, domain_id, audience_limit, stream, list_id,
        journey_id, journey_version, journey_step
    FROM (SELECT *, (SELECT max(id) + 1 FROM campaign) AS n
          FROM campaign WHERE journey_id = ?1 AND journey_version = ?2 AND journey_step = ?3 AND workspace_id = ?4
          ORDER BY id LIMIT 1)
    RETURNING id";

/// Makes another mailing of a step like the first one; `None` where it has none.
///
/// # Errors
/// The database's.
pub fn copy_mailing(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    (version, step): (u32, &str),
    now_ms: i64,
) -> Result<Option<CampaignId>, StorageError> {
    let mut statement = tx.prepare_cached(COPY_MAILING)?;
    Ok(statement.query_row(params![journey, version, step, workspace, now_ms], |row| row.get(0)).optional()?)
}

const OF_CAMPAIGN: &str = "
    SELECT j.id, j.name FROM campaign c JOIN journey j ON j.id = c.journey_id WHERE c.id = ?1 AND c.workspace_id = ?2";

/// The journey whose mailing a campaign is, and its name.
///
/// # Errors
/// The database's.
pub fn of_campaign(
    tx: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Option<(JourneyId, String)>, StorageError> {
    let mut statement = tx.prepare_cached(OF_CAMPAIGN)?;
    Ok(statement.query_row(params![campaign, workspace], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn read(row: &Row<'_>) -> Result<Journey, StorageError> {
    Ok(Journey {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        name: row.get(2)?,
        draft: parse(row.get(3)?)?,
        version: row.get(4)?,
        created_ms: row.get(5)?,
        updated_ms: row.get(6)?,
    })
}

fn read_version(row: &Row<'_>) -> Result<Version, StorageError> {
    Ok(Version {
        number: row.get(0)?,
        graph: parse(row.get(1)?)?,
        published_by: row.get(2)?,
        published_ms: row.get(3)?,
    })
}

fn json(graph: &JourneyGraph) -> String {
    // Serializing cannot fail: the only maps have text for keys.
    serde_json::to_string(graph).unwrap_or_default()
}

fn parse(text: String) -> Result<JourneyGraph, StorageError> {
    serde_json::from_str(&text).map_err(|_| StorageError::Damaged { what: "journey graph", value: text })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    DELETE,
    FIND,
    PAGE,
    ADD_VERSION,
    SET_VERSION,
    VERSIONS,
    VERSION,
    CLOSE,
    BEHIND,
    JOINED,
    TO_ENTER,
    TAKEN,
    MARK_MAILING,
    MAILINGS,
    WITHOUT_RUN,
    COPY_MAILING,
    OF_CAMPAIGN,
];
