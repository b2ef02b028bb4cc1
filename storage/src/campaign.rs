//! Campaigns as people write them: a draft, frozen at launch. What happens from then on is `campaign_run`.

use crate::campaign_run::{Run, RunState};
use crate::{
    CampaignId, ContactId, DomainId, ListId, SegmentId, StorageError, TemplateId, TemplateVersionId, WorkspaceId,
    campaign_run, segment,
};
use api_types::Filter;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params_from_iter};

/// A campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Id.
    pub id: CampaignId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// What people set.
    pub draft: Draft,
    /// The template's name, while it exists.
    pub template: Option<String>,
    /// The segment's name, while it exists.
    pub segment: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When made.
    pub created_ms: i64,
    /// When last changed.
    pub updated_ms: i64,
    /// From launch on.
    pub launch: Option<Launch>,
}

/// What people set of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Name, unique in the workspace.
    pub name: String,
    /// The template.
    pub template_id: Option<TemplateId>,
    /// The audience; everybody when absent.
    pub segment_id: Option<SegmentId>,
    /// The list that the mail belongs to: of the audience those who are on it.
    pub list_id: Option<ListId>,
    /// From address, as written.
    pub from_email: String,
    /// From name.
    pub from_name: String,
    /// Where answers go; From when empty.
    pub reply_to: String,
    /// The stream that its mail belongs to.
    pub stream: String,
    /// The pool of egress sources; that of the stream when empty.
    pub pool: String,
}

/// What is pinned at launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// When.
    pub launched_ms: i64,
    /// Who launched it.
    pub launched_by: String,
    /// The template's version.
    pub template_version_id: TemplateVersionId,
    /// That version's number within its template.
    pub template_version: u32,
    /// The audience's condition.
    pub filter: Filter,
    /// The sending domain.
    pub domain_id: DomainId,
    /// Contacts up to this id belong to the audience.
    pub audience_limit: ContactId,
}

const INSERT: &str = "
    INSERT INTO campaign (workspace_id, name, template_id, segment_id, list_id, from_email, from_name, reply_to, stream, pool,
                          created_by, created_ms, updated_ms)
    VALUES (:workspace_id, :name, :template_id, :segment_id, :list_id, :from_email, :from_name, :reply_to, :stream, :pool,
            :created_by, :now_ms, :now_ms)";

/// Adds a draft.
///
/// # Errors
/// `Exists` when the workspace has a campaign of that name.
pub fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    draft: &Draft,
    by: &str,
    now_ms: i64,
) -> Result<CampaignId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":name": draft.name,
        ":template_id": draft.template_id,
        ":segment_id": draft.segment_id,
        ":list_id": draft.list_id,
        ":from_email": draft.from_email,
        ":from_name": draft.from_name,
        ":reply_to": draft.reply_to,
        ":stream": draft.stream,
        ":pool": draft.pool,
        ":created_by": by,
        ":now_ms": now_ms,
    })?;
    Ok(CampaignId(tx.last_insert_rowid()))
}

const UPDATE: &str = "
    UPDATE campaign
    SET name = :name, template_id = :template_id, segment_id = :segment_id, list_id = :list_id,
        from_email = :from_email, from_name = :from_name, reply_to = :reply_to, stream = :stream, pool = :pool, updated_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id AND launched_ms IS NULL";

/// Replaces a draft; `false` when there is none, or it is launched already.
///
/// # Errors
/// `Exists` when another campaign has the new name.
pub fn update(
    tx: &Connection,
    workspace: WorkspaceId,
    id: CampaignId,
    draft: &Draft,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":name": draft.name,
        ":template_id": draft.template_id,
        ":segment_id": draft.segment_id,
        ":list_id": draft.list_id,
        ":from_email": draft.from_email,
        ":from_name": draft.from_name,
        ":reply_to": draft.reply_to,
        ":stream": draft.stream,
        ":pool": draft.pool,
        ":now_ms": now_ms,
    })?;
    Ok(changed > 0)
}

const DELETE: &str = "DELETE FROM campaign WHERE id = :id AND workspace_id = :workspace_id AND launched_ms IS NULL";

/// Deletes a draft; `false` when there is none, or it is launched already.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: CampaignId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

const FREEZE: &str = "
    UPDATE campaign
    SET launched_ms = :launched_ms, launched_by = :launched_by, template_version_id = :template_version_id,
        filter = :filter, domain_id = :domain_id, audience_limit = :audience_limit, updated_ms = :launched_ms
    WHERE id = :id AND workspace_id = :workspace_id AND launched_ms IS NULL";

/// Pins what the campaign is sent with; `false` when there is no such draft (any more). `launch.template_version` is
/// not stored: it is the number of `template_version_id`.
///
/// # Errors
/// The database's.
pub fn freeze(tx: &Connection, workspace: WorkspaceId, id: CampaignId, launch: &Launch) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(FREEZE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":launched_ms": launch.launched_ms,
        ":launched_by": launch.launched_by,
        ":template_version_id": launch.template_version_id,
        ":filter": segment::filter_json(&launch.filter),
        ":domain_id": launch.domain_id,
        ":audience_limit": launch.audience_limit,
    })?;
    Ok(changed > 0)
}

/// The columns of [`Campaign`], in the order that `read` wants.
macro_rules! select {
    () => {
        "c.id, c.workspace_id, c.name, c.template_id, c.segment_id, c.from_email, c.from_name, c.reply_to, c.pool,
         t.name, s.name, c.created_by, c.created_ms, c.updated_ms, c.launched_ms, c.launched_by,
         c.template_version_id, v.number, c.filter, c.domain_id, c.audience_limit, c.stream, c.list_id"
    };
}
macro_rules! from {
    () => {
        " FROM campaign c LEFT JOIN template t ON t.id = c.template_id LEFT JOIN segment s ON s.id = c.segment_id
          LEFT JOIN template_version v ON v.id = c.template_version_id "
    };
}

const FIND: &str = concat!("SELECT ", select!(), from!(), "WHERE c.id = :id AND c.workspace_id = :workspace_id");

/// The campaign with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: CampaignId) -> Result<Option<Campaign>, StorageError> {
    let found = tx
        .prepare_cached(FIND)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| Ok(read(row)))
        .optional()?;
    found.transpose()
}

/// Which campaigns a list shows.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only those in this state; `None` inside for drafts.
    pub state: Option<Option<RunState>>,
    /// Found in the name.
    pub search: String,
    /// Only those with a smaller id: the last one of the page before.
    pub before: Option<CampaignId>,
    /// At most so many.
    pub limit: u32,
}

const PAGE: &str = concat!(
    "SELECT ",
    select!(),
    ", ",
    campaign_run::columns!(),
    from!(),
    "LEFT JOIN campaign_run r ON r.campaign_id = c.id
     WHERE c.workspace_id = ? AND c.journey_id IS NULL"
);
// A launched campaign without a run is about to get one.
const STATE: &str = " AND CASE WHEN c.launched_ms IS NULL THEN 'draft' ELSE coalesce(r.state, 'running') END = ?";

/// Campaigns with their runs, newest first; the mailings of journeys are not among them. For readers.
///
/// # Errors
/// The database's.
pub fn page(
    tx: &Connection,
    workspace: WorkspaceId,
    query: &Query,
) -> Result<Vec<(Campaign, Option<Run>)>, StorageError> {
    let mut sql = PAGE.to_owned();
    let mut params: Vec<Value> = vec![workspace.0.into()];
    if let Some(before) = query.before {
        sql.push_str(" AND c.id < ?");
        params.push(before.0.into());
    }
    if let Some(state) = query.state {
        sql.push_str(STATE);
        params.push(state.map_or("draft", RunState::as_str).to_owned().into());
    }
    let search = crate::functions::fold(query.search.trim());
    if !search.is_empty() {
        sql.push_str(" AND instr(fold(c.name), ?) > 0");
        params.push(search.into());
    }
    sql.push_str(" ORDER BY c.id DESC LIMIT ?");
    params.push(i64::from(query.limit).into());
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| {
        let run =
            if row.get_ref(23)? == rusqlite::types::ValueRef::Null { None } else { Some(campaign_run::read(row, 23)?) };
        Ok(read(row).map(|campaign| (campaign, run)))
    })?;
    rows.map(|row| row?).collect()
}

const WITHOUT_RUN: &str = concat!(
    "SELECT ",
    select!(),
    from!(),
    "WHERE c.launched_ms IS NOT NULL AND c.journey_id IS NULL
       AND NOT EXISTS (SELECT 1 FROM campaign_run r WHERE r.campaign_id = c.id)
     ORDER BY c.id"
);

/// Launched campaigns of all workspaces whose run was not made yet: a crash came between. For readers, at start.
///
/// # Errors
/// The database's.
pub fn without_run(tx: &Connection) -> Result<Vec<Campaign>, StorageError> {
    let mut statement = tx.prepare_cached(WITHOUT_RUN)?;
    let rows = statement.query_map([], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<Campaign, StorageError> {
    let draft = Draft {
        name: row.get(2)?,
        template_id: row.get(3)?,
        segment_id: row.get(4)?,
        list_id: row.get(22)?,
        from_email: row.get(5)?,
        from_name: row.get(6)?,
        reply_to: row.get(7)?,
        stream: row.get(21)?,
        pool: row.get(8)?,
    };
    let launch = match row.get::<_, Option<i64>>(14)? {
        None => None,
        Some(launched_ms) => Some(Launch {
            launched_ms,
            launched_by: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
            template_version_id: row.get(16)?,
            template_version: row.get(17)?,
            filter: segment::parse_filter("campaign.filter", row.get(18)?)?,
            domain_id: row.get(19)?,
            audience_limit: row.get(20)?,
        }),
    };
    Ok(Campaign {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        draft,
        template: row.get(9)?,
        segment: row.get(10)?,
        created_by: row.get(11)?,
        created_ms: row.get(12)?,
        updated_ms: row.get(13)?,
        launch,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, UPDATE, DELETE, FREEZE, FIND, PAGE, WITHOUT_RUN];
