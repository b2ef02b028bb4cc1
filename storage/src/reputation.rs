//! Rolling figures of what was sent, bounced and complained about: by workspace, sending domain, source, provider and
//! campaign. Counted by the hour when events are moved to their file, so that nothing of it is paid on the way of a mail.

use crate::words::count;
use crate::{Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, named_params, params};

/// What the figures are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The workspace's mail as a whole.
    Workspace,
    /// Sending domain.
    Domain,
    /// Egress source.
    Source,
    /// Receiving provider.
    Provider,
    /// Campaign.
    Campaign,
}

impl By {
    /// All of them.
    pub const ALL: [By; 5] = [By::Workspace, By::Domain, By::Source, By::Provider, By::Campaign];
}

/// Figures of one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Its name; empty for the workspace as a whole.
    pub name: String,
    /// Mail that was answered for good in the session: taken or refused.
    pub sent: u64,
    /// Of it, refused, in the session or by a report.
    pub bounced: u64,
    /// Of it, reported as spam.
    pub complained: u64,
}

/// Run on the writer of events.db, which sees queue.db, in the commit that moves the events behind `?1`. A bounce without
/// an attempt came by a report, and is told apart, since its mail was counted as delivered.
pub(crate) const COUNT: &str = "
    INSERT INTO rollup_sender_hour (hour_ms, workspace_id, campaign_id, domain_id, source, provider, kind, n)
    SELECT e.at_ms - e.at_ms % 3600000, e.workspace_id, coalesce(e.campaign_id, 0),
        iif(e.campaign_id IS NULL, coalesce((SELECT m.domain_id FROM recipient_done d JOIN message m ON m.id = d.message_id
                                             WHERE d.id = e.recipient_id), 0), 0),
        e.source, coalesce(e.provider, ''), iif(e.kind = 'bounced' AND e.attempt IS NULL, 'late', e.kind), count(*)
    FROM event e
    WHERE e.id > ?1 AND e.kind IN ('delivered', 'bounced', 'complained') AND e.source IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT DO UPDATE SET n = n + excluded.n";

macro_rules! figures {
    ($name:literal) => {
        concat!(
            "SELECT coalesce(",
            $name,
            ", '') AS name, coalesce(sum(n) FILTER (WHERE kind IN ('delivered', 'bounced')), 0),
                coalesce(sum(n) FILTER (WHERE kind IN ('bounced', 'late')), 0),
                coalesce(sum(n) FILTER (WHERE kind = 'complained'), 0)
             FROM rollup_sender_hour
             WHERE hour_ms >= :since_ms AND workspace_id = :workspace_id
             GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :limit"
        )
    };
}
const BY_WORKSPACE: &str = figures!("''");
// A campaign's mail is of the domain that was pinned at its launch.
const BY_DOMAIN: &str = figures!(
    "(SELECT d.domain FROM domain d WHERE d.id = iif(campaign_id = 0, domain_id,
        (SELECT c.domain_id FROM campaign c WHERE c.id = campaign_id)))"
);
const BY_SOURCE: &str = figures!("source");
const BY_PROVIDER: &str = figures!("provider");
const BY_CAMPAIGN: &str = figures!("(SELECT c.name FROM campaign c WHERE c.id = campaign_id)");

/// Figures since the hour that begins at `since_ms`, those that sent most first. What has no name, such as mail of no
/// campaign, is left out.
///
/// # Errors
/// The database's.
pub fn figures(
    connection: &Connection,
    workspace: WorkspaceId,
    by: By,
    since_ms: i64,
    limit: u32,
) -> Result<Vec<Figures>, StorageError> {
    let sql = match by {
        By::Workspace => BY_WORKSPACE,
        By::Domain => BY_DOMAIN,
        By::Source => BY_SOURCE,
        By::Provider => BY_PROVIDER,
        By::Campaign => BY_CAMPAIGN,
    };
    let mut statement = connection.prepare_cached(sql)?;
    let what = named_params! { ":workspace_id": workspace, ":since_ms": since_ms, ":limit": limit };
    let rows = statement.query_map(what, |row| {
        let (sent, bounced, complained) = (count(row, 1)?, count(row, 2)?, count(row, 3)?);
        Ok(Figures { name: row.get(0)?, sent, bounced, complained })
    })?;
    let all: Vec<Figures> = rows.collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter(|one| by == By::Workspace || !one.name.is_empty()).collect())
}

const FORGET: &str = "
    DELETE FROM rollup_sender_hour WHERE (hour_ms, workspace_id, campaign_id, domain_id, source, provider, kind) IN
        (SELECT hour_ms, workspace_id, campaign_id, domain_id, source, provider, kind FROM rollup_sender_hour
         WHERE hour_ms < ?1 ORDER BY hour_ms LIMIT ?2)";

/// Deletes at most `limit` of the figures from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[COUNT, BY_WORKSPACE, BY_DOMAIN, BY_SOURCE, BY_PROVIDER, BY_CAMPAIGN, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};
    use crate::{CampaignId, OpenOptions, outbox};

    const WS: WorkspaceId = WorkspaceId::MAIN;
    const HOUR_MS: i64 = 3_600_000;

    #[tokio::test]
    async fn figures_roll_on_and_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let tell = async |hour: i64, kind: Kind, source: &'static str, attempt: Option<u32>, times: u32| {
            let write = move |tx: &crate::Transaction<'_>| {
                for _ in 0..times {
                    let event = Event {
                        campaign_id: Some(CampaignId(1)),
                        source: (!source.is_empty()).then_some(source),
                        provider: Some("Gull"),
                        attempt,
                        ..Event::new(hour * HOUR_MS + 5, WS, kind)
                    };
                    outbox::put(tx, &event)?;
                }
                Ok(())
            };
            storage.queue().write(write).await.unwrap();
            outbox::drain(&storage, 1000).await.unwrap();
        };
        tell(1, Kind::Delivered, "mx1", Some(1), 9).await;
        tell(2, Kind::Delivered, "mx2", Some(1), 4).await;
        tell(2, Kind::Bounced, "mx1", Some(1), 1).await;
        tell(2, Kind::Bounced, "mx1", None, 2).await;
        tell(2, Kind::Complained, "mx1", None, 1).await;
        // Given up by a person: nobody refused it.
        tell(2, Kind::Bounced, "", None, 5).await;
        let told = async |by: By, since: i64| {
            let found = storage.read(move |c| figures(c, WS, by, since * HOUR_MS, 10)).await.unwrap();
            let line = |f: &Figures| format!("{} {} {} {}", f.name, f.sent, f.bounced, f.complained);
            found.iter().map(line).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(told(By::Workspace, 0).await, " 14 3 1");
        assert_eq!(told(By::Source, 0).await, "mx1 10 3 1; mx2 4 0 0");
        assert_eq!(told(By::Source, 2).await, "mx2 4 0 0; mx1 1 3 1");
        assert_eq!(told(By::Provider, 0).await, "Gull 14 3 1");
        assert_eq!(forget(&storage, 2 * HOUR_MS, 10).await.unwrap(), 1);
        assert_eq!(told(By::Workspace, 0).await, " 5 3 1");
    }
}
