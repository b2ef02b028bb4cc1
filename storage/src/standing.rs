//! How bulk mail fares, by the hour, of every workspace, sending domain and campaign: what reputation acts on. Counted
//! when events are moved to their file, in a table so small that it can be read every minute.
//!
//! What comes later by a report counts in the hour in which it comes: that is when something can be done about it.

use crate::words::count;
use crate::{CampaignId, Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, named_params, params};

/// One hour of a campaign's mail, or of what was submitted as bulk mail of one sending domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it begins.
    pub hour_ms: i64,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// The campaign, where it is one.
    pub campaign_id: Option<CampaignId>,
    /// The sending domain, as long as it is there.
    pub domain: Option<String>,
    /// Mail that was answered for good in the session: taken or refused.
    pub sent: u64,
    /// Of it, refused, in the session or by a report.
    pub bounced: u64,
    /// Of it, reported as spam.
    pub complained: u64,
}

/// Run on the writer of events.db, which sees queue.db, in the commit that moves the events behind `?1`. A campaign's mail
/// is bulk; of submitted mail its recipient says.
pub(crate) const COUNT: &str = "
    INSERT INTO rollup_bulk_hour (hour_ms, workspace_id, campaign_id, domain_id, sent, bounced, complained)
    SELECT e.at_ms - e.at_ms % 3600000, e.workspace_id, coalesce(e.campaign_id, 0),
        iif(e.campaign_id IS NULL, coalesce((SELECT m.domain_id FROM recipient_done d JOIN message m ON m.id = d.message_id
                                             WHERE d.id = e.recipient_id), 0), 0),
        count(*) FILTER (WHERE e.kind = 'delivered' OR e.kind = 'bounced' AND e.attempt IS NOT NULL),
        count(*) FILTER (WHERE e.kind = 'bounced'), count(*) FILTER (WHERE e.kind = 'complained')
    FROM event e
    WHERE e.id > ?1 AND e.kind IN ('delivered', 'bounced', 'complained') AND e.source IS NOT NULL
        AND (e.campaign_id IS NOT NULL OR (SELECT d.kind FROM recipient_done d WHERE d.id = e.recipient_id) = 'bulk')
    GROUP BY 1, 2, 3, 4
    ON CONFLICT DO UPDATE SET sent = sent + excluded.sent, bounced = bounced + excluded.bounced,
        complained = complained + excluded.complained";

// A campaign's mail is of the domain that was pinned at its launch.
const SINCE: &str = "
    SELECT hour_ms, workspace_id, nullif(campaign_id, 0),
        (SELECT d.domain FROM domain d WHERE d.id = iif(campaign_id = 0, r.domain_id,
            (SELECT c.domain_id FROM campaign c WHERE c.id = campaign_id))),
        sent, bounced, complained
    FROM rollup_bulk_hour r WHERE hour_ms >= :since_ms";

/// All hours of all workspaces from the one that begins at `since_ms`.
///
/// # Errors
/// The database's.
pub fn since(connection: &Connection, since_ms: i64) -> Result<Vec<Hour>, StorageError> {
    let mut statement = connection.prepare_cached(SINCE)?;
    let rows = statement.query_map(named_params! { ":since_ms": since_ms }, |row| {
        Ok(Hour {
            hour_ms: row.get(0)?,
            workspace_id: row.get(1)?,
            campaign_id: row.get(2)?,
            domain: row.get(3)?,
            sent: count(row, 4)?,
            bounced: count(row, 5)?,
            complained: count(row, 6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FORGET: &str = "
    DELETE FROM rollup_bulk_hour WHERE (hour_ms, workspace_id, campaign_id, domain_id) IN
        (SELECT hour_ms, workspace_id, campaign_id, domain_id FROM rollup_bulk_hour
         WHERE hour_ms < ?1 ORDER BY hour_ms LIMIT ?2)";

/// Deletes at most `limit` of the hours from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[COUNT, SINCE, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};
    use crate::{OpenOptions, RecipientId, outbox};

    const WS: WorkspaceId = WorkspaceId::MAIN;
    const HOUR_MS: i64 = 3_600_000;

    #[tokio::test]
    async fn bulk_mail_is_counted_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        // Two submitted recipients: bulk and transactional.
        let submitted = |tx: &crate::Transaction<'_>| {
            for (id, kind) in [(1, "bulk"), (2, "transactional")] {
                tx.execute(
                    "INSERT INTO recipient_done (id, workspace_id, message_id, address, address_hash, domain, stream, kind, state,
                        accepted_ms, finished_ms, attempts)
                     VALUES (?1, 1, 1, 'a@b.example', x'00', 'b.example', 's', ?2, 'delivered', 0, 0, 1)",
                    params![id, kind],
                )?;
            }
            Ok(())
        };
        storage.queue().write(submitted).await.unwrap();
        let tell =
            async |hour: i64, kind: Kind, whose: (Option<i64>, Option<i64>), attempt: Option<u32>, times: u32| {
                let (campaign, recipient) = whose;
                let write = move |tx: &crate::Transaction<'_>| {
                    for _ in 0..times {
                        let event = Event {
                            campaign_id: campaign.map(CampaignId),
                            recipient_id: recipient.map(RecipientId),
                            source: Some("mx1"),
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
        let (campaign, bulk, urgent) = ((Some(1), None), (None, Some(1)), (None, Some(2)));
        tell(1, Kind::Delivered, campaign, Some(1), 9).await;
        tell(2, Kind::Bounced, campaign, Some(1), 2).await;
        tell(2, Kind::Bounced, campaign, None, 3).await;
        tell(2, Kind::Complained, campaign, None, 1).await;
        tell(2, Kind::Delivered, bulk, Some(1), 4).await;
        tell(2, Kind::Bounced, urgent, Some(1), 5).await;
        let told = async |from: i64| {
            let found = storage.read(move |c| since(c, from * HOUR_MS)).await.unwrap();
            let line = |h: &Hour| {
                let campaign = h.campaign_id.map_or(0, |id| id.0);
                format!("{} of {campaign}: {} {} {}", h.hour_ms / HOUR_MS, h.sent, h.bounced, h.complained)
            };
            found.iter().map(line).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(told(0).await, "1 of 1: 9 0 0; 2 of 0: 4 0 0; 2 of 1: 2 5 1");
        assert_eq!(told(2).await, "2 of 0: 4 0 0; 2 of 1: 2 5 1");
        assert_eq!(forget(&storage, 2 * HOUR_MS, 10).await.unwrap(), 1);
        assert_eq!(told(0).await, "2 of 0: 4 0 0; 2 of 1: 2 5 1");
    }
}
