//! Reading recipients: live pages and counts, one recipient, the log of a campaign.
//!
//! Lists go by seek pagination. Filters narrow the rows of an index walk; none of them makes the walk start anew.

use super::{LiveFilter, Origin};
use crate::response::Response;
use crate::words::{count, word, word_opt};
use crate::{CampaignId, ContactId, RecipientId, StorageError, WorkspaceId};
use mail::{BounceClass, RecipientState, WaitReason};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params_from_iter};

/// A recipient, live or finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Id.
    pub id: RecipientId,
    /// Where its content comes from.
    pub origin: Origin,
    /// The operator's name for this kind of mail.
    pub stream: String,
    /// The pool of egress sources, while live.
    pub pool: Option<String>,
    /// Address.
    pub address: String,
    /// Where it is.
    pub state: RecipientState,
    /// Why it waits, while it does.
    pub wait_reason: Option<WaitReason>,
    /// Attempts so far.
    pub attempts: u32,
    /// When accepted.
    pub accepted_ms: i64,
    /// When it is due next, while live.
    pub due_ms: Option<i64>,
    /// When it is given up, while live.
    pub expires_ms: Option<i64>,
    /// When it ended.
    pub finished_ms: Option<i64>,
    /// Egress source of the last attempt.
    pub source: Option<String>,
    /// Site of the last attempt.
    pub site: Option<String>,
    /// Provider, once known.
    pub provider: Option<String>,
    /// Class of the last answer, when it was not yes.
    pub class: Option<BounceClass>,
    /// Code of the last answer.
    pub reply_code: Option<u16>,
    /// Enhanced status of the last answer.
    pub enhanced: Option<String>,
    /// Text of the last answer.
    pub reply: Option<String>,
}

macro_rules! live_columns {
    () => {
        "id, campaign_id, contact_id, message_id, address, stream, pool, state, wait_reason, attempts, accepted_ms, \
         due_ms, expires_ms, NULL AS finished_ms, source, site, provider, class, reply_code, enhanced, reply"
    };
}
macro_rules! done_columns {
    () => {
        "id, campaign_id, contact_id, message_id, address, stream, NULL AS pool, state, NULL AS wait_reason, attempts, \
         accepted_ms, NULL AS due_ms, NULL AS expires_ms, finished_ms, source, site, provider, class, reply_code, enhanced, reply"
    };
}

/// The columns of a live recipient, as `read` wants them.
pub(crate) const LIVE_COLUMNS: &str = live_columns!();
/// The columns of a finished recipient.
pub(crate) const DONE_COLUMNS: &str = done_columns!();

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Recipient> {
    Ok(Recipient {
        id: row.get(0)?,
        origin: Origin::read(row, 1)?,
        address: row.get(4)?,
        stream: row.get(5)?,
        pool: row.get(6)?,
        state: word(row, 7, RecipientState::parse)?,
        wait_reason: word_opt(row, 8, WaitReason::parse)?,
        attempts: row.get(9)?,
        accepted_ms: row.get(10)?,
        due_ms: row.get(11)?,
        expires_ms: row.get(12)?,
        finished_ms: row.get(13)?,
        source: row.get(14)?,
        site: row.get(15)?,
        provider: row.get(16)?,
        class: word_opt(row, 17, BounceClass::parse)?,
        reply_code: row.get(18)?,
        enhanced: row.get(19)?,
        reply: row.get(20)?,
    })
}

const FIND_LIVE: &str =
    concat!("SELECT ", live_columns!(), " FROM recipient WHERE id = :id AND workspace_id = :workspace_id");
const FIND_DONE: &str =
    concat!("SELECT ", done_columns!(), " FROM recipient_done WHERE id = :id AND workspace_id = :workspace_id");

/// One recipient, live or finished.
///
/// # Errors
/// The database's.
pub fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    id: RecipientId,
) -> Result<Option<Recipient>, StorageError> {
    for sql in [FIND_LIVE, FIND_DONE] {
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Live recipients with ids above `after` (0 for the first page), oldest first.
///
/// # Errors
/// The database's.
pub fn live_page(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &LiveFilter,
    after: RecipientId,
    limit: u32,
) -> Result<Vec<Recipient>, StorageError> {
    let mut sql = concat!("SELECT ", live_columns!(), " FROM recipient WHERE workspace_id = ? AND id > ?").to_owned();
    let mut values: Vec<Value> = vec![workspace.0.into(), after.0.into()];
    filter.push(&mut sql, &mut values);
    sql.push_str(" ORDER BY id LIMIT ?");
    values.push(i64::from(limit).into());
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a page of a campaign's log shows.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Only this state.
    pub state: Option<RecipientState>,
    /// Only this provider.
    pub provider: Option<String>,
    /// Only those whose last attempt went from this source.
    pub source: Option<String>,
    /// Only this class of the last answer.
    pub class: Option<BounceClass>,
    /// Only those of whose mail this came back.
    pub response: Option<Response>,
    /// Only addresses that contain this.
    pub q: String,
}

/// A campaign's recipients, live and finished, in the order of their contacts, with contact ids above `after` (0 for
/// the first page).
///
/// # Errors
/// The database's.
pub fn campaign_log(
    connection: &Connection,
    (workspace, campaign): (WorkspaceId, CampaignId),
    filter: &LogFilter,
    after: ContactId,
    limit: u32,
) -> Result<Vec<Recipient>, StorageError> {
    let (sql, values) = log_statement((workspace, campaign), filter, after, limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The statement for the filters that are set, and its values.
pub(super) fn log_statement(
    (workspace, campaign): (WorkspaceId, CampaignId),
    filter: &LogFilter,
    after: ContactId,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut sql = String::new();
    let mut values: Vec<Value> = Vec::new();
    let final_state = filter.state.map(RecipientState::is_final);
    let parts = [
        (concat!("SELECT ", live_columns!(), " FROM recipient"), final_state != Some(true)),
        (concat!("SELECT ", done_columns!(), " FROM recipient_done"), final_state != Some(false)),
    ];
    for (select, _) in parts.into_iter().filter(|(_, wanted)| *wanted) {
        if !sql.is_empty() {
            sql.push_str(" UNION ALL ");
        }
        sql.push_str(select);
        // Few do something with their mail: then they lead, and the plus keeps the walk from all the others.
        let plus = if filter.response.is_some() { "+" } else { "" };
        sql.push_str(&format!(" WHERE {plus}campaign_id = ? AND workspace_id = ? AND {plus}contact_id > ?"));
        values.extend([campaign.0.into(), workspace.0.into(), after.0.into()]);
        if let Some(response) = filter.response {
            sql.push_str(" AND id IN (SELECT recipient_id FROM response WHERE campaign_id = ? AND kind = ?)");
            values.extend([campaign.0.into(), response.as_str().to_owned().into()]);
        }
        let words = [
            (" AND state = ?", filter.state.map(|state| state.as_str().to_owned())),
            (" AND provider = ?", filter.provider.clone()),
            (" AND source = ?", filter.source.clone()),
            (" AND class = ?", filter.class.map(|class| class.as_str().to_owned())),
        ];
        for (condition, value) in words {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value.into());
            }
        }
        contains(&mut sql, &mut values, &filter.q);
    }
    sql.push_str(" ORDER BY contact_id LIMIT ?");
    values.push(i64::from(limit).into());
    (sql, values)
}

fn contains(sql: &mut String, values: &mut Vec<Value>, q: &str) {
    let q = q.trim().to_lowercase();
    if !q.is_empty() {
        sql.push_str(" AND instr(lower(address), ?) > 0");
        values.push(q.into());
    }
}

/// How many live recipients match, as far as they were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// So many, or more where the count was not brought to its end.
    pub count: u64,
    /// Whether that is all.
    pub exact: bool,
}

/// Recipients looked at before `go_on` is asked again.
const COUNT_CHUNK: u32 = 50_000;
const COUNT_END: &str = "
    SELECT max(id) FROM (SELECT id FROM recipient WHERE id > ?1 ORDER BY id LIMIT ?2)";

/// Counts live recipients that match, in chunks, as long as `go_on` says so.
///
/// # Errors
/// The database's.
pub fn count_live(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &LiveFilter,
    mut go_on: impl FnMut() -> bool,
) -> Result<Matching, StorageError> {
    let mut matching = Matching::default();
    let mut after = RecipientId(0);
    let mut end = connection.prepare_cached(COUNT_END)?;
    let mut sql = "SELECT count(*) FROM recipient WHERE workspace_id = ? AND id > ? AND id <= ?".to_owned();
    filter.push(&mut sql, &mut Vec::new());
    let mut counting = connection.prepare_cached(&sql)?;
    loop {
        let up_to: Option<RecipientId> = end.query_row((after, COUNT_CHUNK), |row| row.get(0))?;
        let Some(up_to) = up_to else { return Ok(Matching { exact: true, ..matching }) };
        let mut values: Vec<Value> = vec![workspace.0.into(), after.0.into(), up_to.0.into()];
        filter.push(&mut String::new(), &mut values);
        matching.count += counting.query_row(params_from_iter(values), |row| count(row, 0))?;
        after = up_to;
        if !go_on() {
            return Ok(matching);
        }
    }
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[FIND_LIVE, FIND_DONE, COUNT_END];
