//! Soft bounces: mail that was given up because of the mailbox, though nobody said that it is gone for good. One says
//! little; several within some weeks suppress the address, for a while.

use crate::queue::Origin;
use crate::suppression::{self, NewSuppression, SuppressionReason, usual_covers};
use crate::{AddressHash, RecipientId, Storage, StorageError, WorkspaceId, address_hash};
use mail::{Address, BounceClass};
use rusqlite::{Connection, OptionalExtension, params};

/// Addresses looked at in one commit.
const CHUNK: u32 = 500;

/// Whether a class tells of the mailbox. What tells of our name, our content or the state of the receiving system never
/// counts against an address.
#[must_use]
pub(crate) fn tells(class: BounceClass) -> bool {
    use BounceClass as C;
    matches!(class, C::MailboxFull | C::Inactive | C::Suspended | C::BadMailbox | C::BadDomain)
}

/// A soft bounce to note.
pub(crate) struct SoftBounce<'a> {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) address: &'a str,
    pub(crate) recipient_id: RecipientId,
    pub(crate) origin: Origin,
    pub(crate) at_ms: i64,
    pub(crate) text: &'a str,
}

const NOTE: &str = "
    INSERT INTO soft_bounce (workspace_id, address_hash, address, recipient_id, campaign_id, contact_id, at_ms, text)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Notes one, in the commit of the outcome.
pub(crate) fn note(tx: &Connection, soft: &SoftBounce<'_>) -> Result<(), StorageError> {
    // It was parsed when it was taken in.
    let Ok(address) = Address::parse(soft.address) else { return Ok(()) };
    tx.prepare_cached(NOTE)?.execute(params![
        soft.workspace_id,
        address_hash(&address),
        soft.address,
        soft.recipient_id,
        soft.origin.campaign(),
        soft.origin.contact(),
        soft.at_ms,
        crate::event::bounded(soft.text),
    ])?;
    Ok(())
}

/// How many lead to what.
#[derive(Clone, Copy, Debug)]
pub struct Threshold {
    /// So many.
    pub bounces: u32,
    /// Within this time.
    pub within_ms: i64,
    /// Suppress the address for so long.
    pub expiry_ms: i64,
}

const NEWER: &str = "SELECT id, workspace_id, address_hash FROM soft_bounce WHERE id > ?1 ORDER BY id LIMIT ?2";
const COUNT: &str = "
    SELECT count(*) FROM soft_bounce WHERE workspace_id = ?1 AND address_hash = ?2 AND at_ms > ?3";
const LAST: &str = "
    SELECT address, recipient_id, campaign_id, contact_id, text FROM soft_bounce
    WHERE workspace_id = ?1 AND address_hash = ?2 ORDER BY at_ms DESC LIMIT 1";

/// Suppresses the addresses behind what was noted after `after`, where they have reached the threshold. Says up to where
/// it has looked; call again until it says the same.
///
/// # Errors
/// The database's.
pub async fn judge(storage: &Storage, threshold: Threshold, after: i64, now_ms: i64) -> Result<i64, StorageError> {
    let newer: Vec<(i64, WorkspaceId, AddressHash)> = storage
        .read(move |c| {
            let mut statement = c.prepare_cached(NEWER)?;
            let rows = statement.query_map(params![after, CHUNK], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    let Some(&(last, ..)) = newer.last() else { return Ok(after) };
    storage
        .queue()
        .write(move |tx| {
            for (_, workspace, hash) in &newer {
                judge_one(tx, threshold, (*workspace, hash), now_ms)?;
            }
            Ok(last)
        })
        .await
}

fn judge_one(
    tx: &Connection,
    threshold: Threshold,
    (workspace, hash): (WorkspaceId, &AddressHash),
    now_ms: i64,
) -> Result<(), StorageError> {
    let since_ms = now_ms.saturating_sub(threshold.within_ms);
    let n: u32 = tx.prepare_cached(COUNT)?.query_row(params![workspace, hash, since_ms], |row| row.get(0))?;
    if n < threshold.bounces {
        return Ok(());
    }
    let found = tx
        .prepare_cached(LAST)?
        .query_row(params![workspace, hash], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, String>(4)?))
        })
        .optional()?;
    let Some((address, recipient_id, campaign_id, contact_id, text)) = found else { return Ok(()) };
    let Ok(address) = Address::parse(&address) else { return Ok(()) };
    let days = threshold.within_ms / 86_400_000;
    let origin = format!("{n} times in {days} days, at last: {text}");
    let reason = SuppressionReason::SoftBounces;
    let new = NewSuppression {
        workspace_id: workspace,
        address: &address,
        covers: usual_covers(reason),
        reason,
        origin: &origin,
        recipient_id,
        campaign_id,
        contact_id,
        created_by: None,
        now_ms,
        expires_ms: Some(now_ms.saturating_add(threshold.expiry_ms)),
    };
    suppression::add(tx, &new)?;
    // Judged: after the suppression has ended the address begins anew.
    tx.prepare_cached(FORGET_ADDRESS)?.execute(params![workspace, hash])?;
    Ok(())
}

/// How many of an address are noted and not judged yet.
///
/// # Errors
/// The database's.
pub fn of_address(c: &Connection, workspace: WorkspaceId, hash: &AddressHash) -> Result<u32, StorageError> {
    Ok(c.prepare_cached(COUNT)?.query_row(params![workspace, hash, i64::MIN], |row| row.get(0))?)
}

const FORGET_ADDRESS: &str = "DELETE FROM soft_bounce WHERE workspace_id = ?1 AND address_hash = ?2";
const FORGET: &str = "
    DELETE FROM soft_bounce WHERE id IN (SELECT id FROM soft_bounce ORDER BY id LIMIT ?2) AND at_ms < ?1";

/// Deletes at most `limit` of the oldest from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.queue().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[NOTE, NEWER, COUNT, LAST, FORGET_ADDRESS, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CampaignId, ContactId, OpenOptions};
    use mail::StreamKind;

    const DAY_MS: i64 = 86_400_000;
    const WS: WorkspaceId = WorkspaceId::MAIN;

    /// Bounces on these days, judged on the last of them; until which day the address is suppressed then.
    async fn check(days: &[i64], expected: Option<i64>) {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let threshold = Threshold { bounces: 3, within_ms: 30 * DAY_MS, expiry_ms: 180 * DAY_MS };
        let address = Address::parse("ana@gull.example").unwrap();
        let mut after = 0;
        for day in days.iter().copied() {
            let write = move |tx: &crate::Transaction<'_>| {
                let soft = SoftBounce {
                    workspace_id: WS,
                    address: "ana@gull.example",
                    recipient_id: RecipientId(day),
                    origin: Origin::Campaign { campaign: CampaignId(1), contact: ContactId(1) },
                    at_ms: day * DAY_MS,
                    text: "mailbox full",
                };
                note(tx, &soft)
            };
            storage.queue().write(write).await.unwrap();
            after = judge(&storage, threshold, after, day * DAY_MS).await.unwrap();
        }
        let found = storage.read_blocking(|c| suppression::of_hash(c, WS, &address_hash(&address))).unwrap();
        let told = found.first().map(|entry| (entry.reason, entry.origin.as_str(), entry.expires_ms));
        let origin = "3 times in 30 days, at last: mailbox full";
        let wanted = expected.map(|day| (SuppressionReason::SoftBounces, origin, Some(day * DAY_MS)));
        assert_eq!(told, wanted, "{days:?}");
        let last_ms = days.last().copied().unwrap_or(0) * DAY_MS;
        let ask =
            |c: &Connection| suppression::check(c, WS, (&address_hash(&address), StreamKind::Transactional), last_ms);
        assert_eq!(storage.read_blocking(ask).unwrap().is_some(), expected.is_some());
    }

    #[tokio::test]
    async fn three_within_thirty_days() {
        check(&[1, 2], None).await;
        check(&[1, 11, 21], Some(201)).await;
        check(&[1, 20, 32], None).await;
        check(&[1, 20, 32, 40], Some(220)).await;
        // Judged once: what follows begins anew.
        check(&[1, 2, 3, 4, 5], Some(183)).await;
    }

    #[test]
    fn what_tells_of_us_never_counts() {
        let telling: Vec<&str> = BounceClass::ALL.iter().filter(|class| tells(**class)).map(|c| c.as_str()).collect();
        assert_eq!(telling, ["bad_mailbox", "inactive", "suspended", "bad_domain", "mailbox_full"]);
    }
}
