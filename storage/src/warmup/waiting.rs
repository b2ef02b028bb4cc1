//! Who waits for whom: recipients by domain for the forecast, and those that a changed stage lets go earlier.

use crate::words::count;
use crate::{CampaignId, RecipientId, Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, params};

const OF_CAMPAIGN: &str = "
    SELECT pool, domain, count(*) FROM recipient
    WHERE workspace_id = ?1 AND campaign_id = ?2 AND state = 'queued'
    GROUP BY pool, domain ORDER BY 3 DESC, 2 LIMIT ?3";
const OF_ALL: &str = "
    SELECT pool, domain, count(*) FROM recipient
    WHERE workspace_id = ?1 AND state = 'queued' AND ?2 IS NULL
    GROUP BY pool, domain ORDER BY 3 DESC, 2 LIMIT ?3";

/// Queued recipients of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The pool that they leave from.
    pub pool: String,
    /// Their domain.
    pub domain: String,
    /// How many.
    pub count: u64,
}

/// The domains that most of the workspace's queued recipients are of, or of one of its campaigns'. A look at each
/// recipient, so not for every second.
///
/// # Errors
/// The database's.
pub fn waiting_by_domain(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: Option<CampaignId>,
    limit: u32,
) -> Result<Vec<Waiting>, StorageError> {
    let sql = if campaign.is_some() { OF_CAMPAIGN } else { OF_ALL };
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![workspace, campaign, limit], |row| {
        Ok(Waiting { pool: row.get(0)?, domain: row.get(1)?, count: count(row, 2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ids walked in one commit.
const CHUNK: i64 = 20_000;

const LAST: &str = "SELECT coalesce(max(id), 0) FROM recipient";
const FIRST: &str = "SELECT coalesce(min(id), 0) FROM recipient";
const HASTEN: &str = "
    UPDATE recipient SET due_ms = ?3
    WHERE id BETWEEN ?1 AND ?2 AND state = 'queued' AND wait_reason = 'warm_up' AND due_ms > ?3";

/// Makes everybody due who waits for a warm-up, since it allows more than when they were sent to wait: they find their
/// places anew. Says how many.
///
/// # Errors
/// The database's.
pub async fn hasten(storage: &Storage, now_ms: i64) -> Result<usize, StorageError> {
    let ends = |connection: &Connection| {
        let id = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, RecipientId>(0));
        Ok((id(FIRST)?.0, id(LAST)?.0))
    };
    let (first, last) = storage.read(ends).await?;
    let mut hastened = 0;
    let mut from = first;
    while from <= last {
        let up_to = from + CHUNK - 1;
        let work = move |tx: &rusqlite::Transaction<'_>| {
            Ok(tx.prepare_cached(HASTEN)?.execute(params![from, up_to, now_ms])?)
        };
        hastened += storage.queue().write(work).await?;
        from = up_to + 1;
    }
    Ok(hastened)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[OF_CAMPAIGN, OF_ALL, LAST, FIRST, HASTEN];
