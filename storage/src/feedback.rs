//! Complaints in figures: by day, provider and campaign, beside what was delivered.

use crate::words::count;
use crate::{CampaignId, StorageError, WorkspaceId};
use rusqlite::{Connection, Row, named_params};

/// Rows of each sort.
const ROWS_MAX: u32 = 100;

/// Complaints under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaints<T> {
    /// The day's beginning, the provider, or the campaign with its name.
    pub of: T,
    /// Mail that was delivered.
    pub delivered: u64,
    /// Complaints.
    pub complained: u64,
}

const BY_DAY: &str = "
    SELECT hour_ms - hour_ms % 86400000, coalesce(sum(n) FILTER (WHERE kind = 'delivered'), 0),
        coalesce(sum(n) FILTER (WHERE kind = 'complained'), 0)
    FROM rollup_hour
    WHERE workspace_id = :workspace_id AND hour_ms >= :since_ms AND kind IN ('delivered', 'complained')
    GROUP BY 1 ORDER BY 1";
const BY_PROVIDER: &str = "
    SELECT provider, coalesce(sum(n) FILTER (WHERE kind = 'delivered'), 0),
        coalesce(sum(n) FILTER (WHERE kind = 'complained'), 0)
    FROM rollup_hour
    WHERE workspace_id = :workspace_id AND hour_ms >= :since_ms AND kind IN ('delivered', 'complained')
    GROUP BY 1 HAVING sum(n) FILTER (WHERE kind = 'complained') > 0 ORDER BY 3 DESC, 1 LIMIT :limit";
const BY_CAMPAIGN: &str = "
    SELECT campaign_id, coalesce(sum(n) FILTER (WHERE kind = 'delivered'), 0),
        coalesce(sum(n) FILTER (WHERE kind = 'complained'), 0),
        coalesce((SELECT name FROM campaign c WHERE c.id = campaign_id AND c.workspace_id = :workspace_id), '')
    FROM rollup_sender_hour
    WHERE hour_ms >= :since_ms AND workspace_id = :workspace_id AND kind IN ('delivered', 'complained')
    GROUP BY 1 HAVING sum(n) FILTER (WHERE kind = 'complained') > 0 ORDER BY 3 DESC, 1 LIMIT :limit";

/// The days since `since_ms` on which something was delivered or complained about, oldest first.
///
/// # Errors
/// The database's.
pub fn by_day(c: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<Vec<Complaints<i64>>, StorageError> {
    let mut statement = c.prepare_cached(BY_DAY)?;
    let asked = named_params! { ":workspace_id": workspace, ":since_ms": since_ms };
    let rows = statement.query_map(asked, |row| figures(row, row.get(0)?))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Providers whose users complained, most first.
///
/// # Errors
/// The database's.
pub fn by_provider(
    c: &Connection,
    workspace: WorkspaceId,
    since_ms: i64,
) -> Result<Vec<Complaints<String>>, StorageError> {
    let mut statement = c.prepare_cached(BY_PROVIDER)?;
    let asked = named_params! { ":workspace_id": workspace, ":since_ms": since_ms, ":limit": ROWS_MAX };
    let rows = statement.query_map(asked, |row| figures(row, row.get(0)?))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Campaigns that were complained about, most first; [`CampaignId::NONE`] for mail of none. These figures go back for
/// some weeks only.
///
/// # Errors
/// The database's.
pub fn by_campaign(
    c: &Connection,
    workspace: WorkspaceId,
    since_ms: i64,
) -> Result<Vec<Complaints<(CampaignId, String)>>, StorageError> {
    let mut statement = c.prepare_cached(BY_CAMPAIGN)?;
    let asked = named_params! { ":workspace_id": workspace, ":since_ms": since_ms, ":limit": ROWS_MAX };
    let rows = statement.query_map(asked, |row| figures(row, (row.get(0)?, row.get(3)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn figures<T>(row: &Row<'_>, of: T) -> rusqlite::Result<Complaints<T>> {
    Ok(Complaints { of, delivered: count(row, 1)?, complained: count(row, 2)? })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_DAY, BY_PROVIDER, BY_CAMPAIGN];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};
    use crate::{OpenOptions, Storage, outbox};

    const DAY_MS: i64 = 86_400_000;

    #[tokio::test]
    async fn complaints_stand_beside_what_was_delivered() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let write = |tx: &crate::Transaction<'_>| {
            for (day, kind, provider, campaign) in [
                (1, Kind::Delivered, "Gull", 7),
                (1, Kind::Delivered, "Gull", 7),
                (1, Kind::Complained, "Gull", 7),
                (2, Kind::Delivered, "Tern", 8),
                (2, Kind::Bounced, "Tern", 8),
            ] {
                let event = Event {
                    campaign_id: Some(CampaignId(campaign)),
                    source: Some("mx1"),
                    provider: Some(provider),
                    attempt: Some(1),
                    ..Event::new(day * DAY_MS + 5, WorkspaceId::MAIN, kind)
                };
                outbox::put(tx, &event)?;
            }
            Ok(())
        };
        storage.queue().write(write).await.unwrap();
        outbox::drain(&storage, 100).await.unwrap();
        let told = storage.read(|c| {
            let ws = WorkspaceId::MAIN;
            let days: Vec<_> =
                by_day(c, ws, 0)?.iter().map(|day| (day.of / DAY_MS, day.delivered, day.complained)).collect();
            assert_eq!(days, [(1, 2, 1), (2, 1, 0)]);
            let providers: Vec<_> =
                by_provider(c, ws, 0)?.into_iter().map(|one| (one.of, one.delivered, one.complained)).collect();
            assert_eq!(providers, [("Gull".to_owned(), 2, 1)]);
            let campaigns: Vec<_> =
                by_campaign(c, ws, 0)?.into_iter().map(|one| (one.of.0, one.delivered, one.complained)).collect();
            assert_eq!(campaigns, [(CampaignId(7), 2, 1)]);
            assert_eq!(by_provider(c, ws, 2 * DAY_MS)?, []);
            by_day(c, WorkspaceId(2), 0)
        });
        assert_eq!(told.await.unwrap(), [], "another workspace's are not told");
    }
}
