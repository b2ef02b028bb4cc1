//! Soft bounces: mail that was given up because of the mailbox, though nobody said that it is gone for good. One says
//! little; several within some weeks suppress the address, for a while.

use crate::queue::Origin;
use crate::suppression::{self, NewSuppression, SuppressionReason, usual_covers};
use crate::{AddressHash, RecipientId, Storage, StorageError, WorkspaceId, address_hash};
use mail::{Address, BounceClass};
use rusqlite::{Connection, OptionalExtension, params};

/// Soft bounces looked at in one read, and addresses suppressed in one commit.
const READ_MAX: u32 = 10_000;
const WRITTEN_MAX: usize = 500;

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

/// Notes one, in the commit of the outcome, and suppresses the address if it is the one too many.
pub(crate) fn note(tx: &Connection, soft: &SoftBounce<'_>) -> Result<(), StorageError> {
    // It was parsed when it was taken in.
    let Ok(address) = Address::parse(soft.address) else { return Ok(()) };
    let hash = address_hash(&address);
    tx.prepare_cached(NOTE)?.execute(params![
        soft.workspace_id,
        hash,
        soft.address,
        soft.recipient_id,
        soft.origin.campaign(),
        soft.origin.contact(),
        soft.at_ms,
        crate::event::bounded(soft.text),
    ])?;
    match rule(tx)? {
        Some(threshold) => judge_one(tx, threshold, (soft.workspace_id, &hash), soft.at_ms),
        None => Ok(()),
    }
}

/// How many lead to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// So many.
    pub bounces: u32,
    /// Within this time.
    pub within_ms: i64,
    /// Suppress the address for so long.
    pub expiry_ms: i64,
}

const RULE: &str = "SELECT bounces, within_ms, expiry_ms FROM soft_bounce_rule";

/// What soft bounces lead to; `None` where they lead to nothing.
///
/// # Errors
/// The database's.
pub fn rule(connection: &Connection) -> Result<Option<Threshold>, StorageError> {
    let mut statement = connection.prepare_cached(RULE)?;
    let found = statement
        .query_row([], |row| Ok(Threshold { bounces: row.get(0)?, within_ms: row.get(1)?, expiry_ms: row.get(2)? }));
    Ok(found.optional()?)
}

const NO_RULE: &str = "DELETE FROM soft_bounce_rule";
const SET_RULE: &str = "INSERT INTO soft_bounce_rule (id, bounces, within_ms, expiry_ms) VALUES (1, ?1, ?2, ?3)";

/// Says what soft bounces lead to from now on. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn set_rule(tx: &Connection, threshold: Option<Threshold>) -> Result<(), StorageError> {
    tx.prepare_cached(NO_RULE)?.execute([])?;
    if let Some(rule) = threshold {
        tx.prepare_cached(SET_RULE)?.execute(params![rule.bounces, rule.within_ms, rule.expiry_ms])?;
    }
    Ok(())
}

// Read out of the index alone, in its order: a million in less than a second.
const BEHIND: &str = "
    SELECT workspace_id, address_hash, at_ms FROM soft_bounce WHERE (workspace_id, address_hash) > (?1, ?2)
    ORDER BY workspace_id, address_hash LIMIT ?3";
const COUNT: &str = "
    SELECT count(*) FROM soft_bounce WHERE workspace_id = ?1 AND address_hash = ?2 AND at_ms > ?3";
const LAST: &str = "
    SELECT address, recipient_id, campaign_id, contact_id, text FROM soft_bounce
    WHERE workspace_id = ?1 AND address_hash = ?2 ORDER BY at_ms DESC LIMIT 1";

/// Up to which address soft bounces have been judged.
pub type Judged = (WorkspaceId, AddressHash);

/// Suppresses the addresses that have reached the threshold of the present rule by what was noted under another one: the
/// next ones behind `after`. Says up to where it has looked, `None` when there is nothing behind.
///
/// # Errors
/// The database's.
pub async fn judge(storage: &Storage, after: Option<Judged>, now_ms: i64) -> Result<Option<Judged>, StorageError> {
    // Most have not: the writer is left alone for them, since a start may have a million to look at.
    let (last, reached) = storage.read(move |c| reached(c, after, now_ms)).await?;
    for some in reached.chunks(WRITTEN_MAX) {
        let some = some.to_vec();
        let judge_them = move |tx: &crate::Transaction<'_>| {
            let Some(threshold) = rule(tx)? else { return Ok(()) };
            some.iter().try_for_each(|(workspace, hash)| judge_one(tx, threshold, (*workspace, hash), now_ms))
        };
        storage.queue().write(judge_them).await?;
    }
    Ok(last)
}

/// The last of the next addresses behind `after`, and those of them that have reached the threshold.
fn reached(c: &Connection, after: Option<Judged>, now_ms: i64) -> Result<(Option<Judged>, Vec<Judged>), StorageError> {
    let Some(threshold) = rule(c)? else { return Ok((None, Vec::new())) };
    let since_ms = now_ms.saturating_sub(threshold.within_ms);
    let (workspace, hash) = after.map_or((WorkspaceId::NONE, Vec::new()), |(of, hash)| (of, hash.to_vec()));
    let mut statement = c.prepare_cached(BEHIND)?;
    let mut rows = statement.query(params![workspace, hash, READ_MAX])?;
    let (mut found, mut last, mut count) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        let whose: Judged = (row.get(0)?, row.get(1)?);
        if last != Some(whose) {
            (last, count) = (Some(whose), 0);
        }
        count += u32::from(row.get::<_, i64>(2)? > since_ms);
        if count == threshold.bounces {
            found.push(whose);
        }
    }
    // Of the last one there may be more than was read.
    if let Some((workspace, hash)) = last.filter(|last| found.last() != Some(last))
        && since(c, (workspace, &hash), since_ms)? >= threshold.bounces
    {
        found.push((workspace, hash));
    }
    Ok((last, found))
}

/// How often an address bounced softly since then, without having been suppressed for it.
///
/// # Errors
/// The database's.
pub fn since(
    connection: &Connection,
    (workspace, hash): (WorkspaceId, &AddressHash),
    since_ms: i64,
) -> Result<u32, StorageError> {
    Ok(connection.prepare_cached(COUNT)?.query_row(params![workspace, hash, since_ms], |row| row.get(0))?)
}

fn judge_one(
    tx: &Connection,
    threshold: Threshold,
    whose: (WorkspaceId, &AddressHash),
    now_ms: i64,
) -> Result<(), StorageError> {
    let (workspace, hash) = whose;
    let n = since(tx, whose, now_ms.saturating_sub(threshold.within_ms))?;
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
pub(crate) const STATEMENTS: &[&str] = &[NOTE, RULE, NO_RULE, SET_RULE, BEHIND, COUNT, LAST, FORGET_ADDRESS, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CampaignId, ContactId, OpenOptions};
    use mail::StreamKind;

    const DAY_MS: i64 = 86_400_000;
    const WS: WorkspaceId = WorkspaceId::MAIN;

    const RULE: Threshold = Threshold { bounces: 3, within_ms: 30 * DAY_MS, expiry_ms: 180 * DAY_MS };

    struct Bed {
        storage: Storage,
        _dir: tempfile::TempDir,
    }

    impl Bed {
        async fn with(rule: Option<Threshold>) -> Bed {
            let dir = tempfile::tempdir().unwrap();
            let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
            let bed = Bed { storage, _dir: dir };
            bed.rule(rule).await;
            bed
        }

        async fn rule(&self, rule: Option<Threshold>) {
            self.storage.queue().write(move |tx| set_rule(tx, rule)).await.unwrap();
        }

        async fn bounce(&self, day: i64) {
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
            self.storage.queue().write(write).await.unwrap();
        }

        /// Until which day the address is suppressed, and why.
        fn entry(&self) -> Option<(SuppressionReason, String, i64)> {
            let hash = address_hash(&Address::parse("ana@gull.example").unwrap());
            let found = self.storage.read_blocking(|c| suppression::of_hash(c, WS, &hash)).unwrap();
            found.into_iter().next().map(|entry| (entry.reason, entry.origin, entry.expires_ms.unwrap() / DAY_MS))
        }
    }

    /// Bounces on these days, each judged in its own commit; until which day the address is suppressed then.
    async fn check(days: &[i64], expected: Option<i64>) {
        let bed = Bed::with(Some(RULE)).await;
        for day in days {
            bed.bounce(*day).await;
        }
        let origin = "3 times in 30 days, at last: mailbox full".to_owned();
        let wanted = expected.map(|day| (SuppressionReason::SoftBounces, origin, day));
        assert_eq!(bed.entry(), wanted, "{days:?}");
        let hash = address_hash(&Address::parse("ana@gull.example").unwrap());
        let last_ms = days.last().copied().unwrap_or(0) * DAY_MS;
        let ask = |c: &Connection| suppression::check(c, WS, (&hash, StreamKind::Transactional), last_ms);
        assert_eq!(bed.storage.read_blocking(ask).unwrap().is_some(), expected.is_some());
    }

    /// What was noted while nothing followed from it is judged by the rule that comes.
    #[tokio::test]
    async fn a_new_rule_judges_what_was_noted_before() {
        let bed = Bed::with(None).await;
        for day in [1, 2, 3] {
            bed.bounce(day).await;
        }
        let judge_all = async || {
            let last = judge(&bed.storage, None, 4 * DAY_MS).await.unwrap();
            assert_eq!(judge(&bed.storage, last, 4 * DAY_MS).await.unwrap(), None);
        };
        judge_all().await;
        assert_eq!(bed.entry(), None, "no rule, no consequence");
        bed.rule(Some(Threshold { bounces: 4, ..RULE })).await;
        judge_all().await;
        assert_eq!(bed.entry(), None, "three are not four");
        bed.rule(Some(RULE)).await;
        judge_all().await;
        assert_eq!(bed.entry().map(|(.., day)| day), Some(184));
    }

    /// More than one read and one commit have room for, and an address whose bounces lie in two reads.
    #[tokio::test]
    async fn many_are_judged_each_once() {
        let bed = Bed::with(None).await;
        let write = |tx: &crate::Transaction<'_>| {
            for n in 0..4_200 {
                for day in 1..=(2 + n % 3) {
                    let soft = SoftBounce {
                        workspace_id: WS,
                        address: &format!("user{n}@gull.example"),
                        recipient_id: RecipientId(n),
                        origin: Origin::Campaign { campaign: CampaignId(1), contact: ContactId(1) },
                        at_ms: day * DAY_MS,
                        text: "mailbox full",
                    };
                    note(tx, &soft)?;
                }
            }
            Ok(())
        };
        bed.storage.queue().write(write).await.unwrap();
        bed.rule(Some(RULE)).await;
        let (mut after, mut reads) = (None, 0);
        loop {
            after = judge(&bed.storage, after, 5 * DAY_MS).await.unwrap();
            reads += 1;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(reads, 3, "12,600 are two reads, and one that finds nothing");
        let counts = |c: &Connection| {
            let all = suppression::count(c, WS, &suppression::Filter::default())?;
            let left: u64 = c.query_row("SELECT count(*) FROM soft_bounce", [], |row| crate::words::count(row, 0))?;
            Ok((all, left))
        };
        assert_eq!(bed.storage.read_blocking(counts).unwrap(), (2_800, 2_800), "those with two are left alone");
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
