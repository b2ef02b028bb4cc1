//! How many reports of a domain came in a day: anybody can send them, so beyond a bound they are only counted.

use crate::words::count;
use crate::{Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params, params};

const DAY_MS: i64 = 86_400_000;

/// Whose day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day<'a> {
    pub at_ms: i64,
    pub workspace: WorkspaceId,
    pub domain: &'a str,
    /// `dmarc`, `tls` or `auth`.
    pub kind: &'static str,
}

/// Whether one more is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    One,
    None,
}

const KEPT: &str = "
    SELECT kept FROM report_day WHERE day_ms = ?1 AND workspace_id = ?2 AND domain = ?3 AND kind = ?4";
const COUNT: &str = "
    INSERT INTO report_day (day_ms, workspace_id, domain, kind, kept, beyond) VALUES (?1, ?2, ?3, ?4, ?5, 1 - ?5)
    ON CONFLICT DO UPDATE SET kept = kept + excluded.kept, beyond = beyond + excluded.beyond";

/// Counts a report, and says whether there is room for it.
pub(crate) fn take(tx: &Connection, day: &Day<'_>, max: u32) -> Result<Room, StorageError> {
    let day_ms = day.at_ms - day.at_ms.rem_euclid(DAY_MS);
    let key = params![day_ms, day.workspace, day.domain, day.kind];
    let kept: Option<u32> = tx.prepare_cached(KEPT)?.query_row(key, |row| row.get(0)).optional()?;
    let has_room = kept.unwrap_or(0) < max;
    tx.prepare_cached(COUNT)?.execute(params![day_ms, day.workspace, day.domain, day.kind, has_room])?;
    Ok(if has_room { Room::One } else { Room::None })
}

const BEYOND: &str = "
    SELECT coalesce(sum(beyond), 0) FROM report_day
    WHERE day_ms >= :since_ms AND workspace_id = :workspace_id AND kind = :kind AND (:domain IS NULL OR domain = :domain)";

/// How many reports of a kind (`dmarc`, `tls`, `auth`) were only counted since `since_ms`, about one domain or all.
///
/// # Errors
/// The database's.
pub fn beyond(
    c: &Connection,
    workspace: WorkspaceId,
    kind: &str,
    domain: Option<&str>,
    since_ms: i64,
) -> Result<u64, StorageError> {
    let asked = named_params! { ":since_ms": since_ms, ":workspace_id": workspace, ":kind": kind, ":domain": domain };
    Ok(c.prepare_cached(BEYOND)?.query_row(asked, |row| count(row, 0))?)
}

const FORGET: &str = "
    DELETE FROM report_day WHERE (day_ms, workspace_id, domain, kind) IN
        (SELECT day_ms, workspace_id, domain, kind FROM report_day WHERE day_ms < ?1 ORDER BY day_ms LIMIT ?2)";

/// Deletes at most `limit` of the days before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[KEPT, COUNT, BEYOND, FORGET];
