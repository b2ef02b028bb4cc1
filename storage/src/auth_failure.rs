//! Reports of single mails that failed authentication (RFC 6591, RFC 9991): kept once each. Belongs into events.db.

use crate::dmarc_report::Kept;
use crate::report_day::{self, Room};
use crate::words::{count, foreign};
use crate::{RecipientId, Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, Row, named_params, params};

const DAY_MS: i64 = 86_400_000;

/// A report, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFailure {
    /// Id; 0 before it is kept.
    pub id: i64,
    /// Our domain that it is about.
    pub domain: String,
    /// When it came.
    pub received_ms: i64,
    /// When the mail came to the reporter.
    pub arrived_ms: i64,
    /// Who reports.
    pub organization: String,
    /// The address that the report came from.
    pub brought_by: String,
    /// What failed: the word of Auth-Failure.
    pub failure: String,
    /// The address that the mail came from; empty where it is not told.
    pub source_ip: String,
    /// What of ours failed: the address of a source, or the name of a signing key; empty where it is nothing of ours.
    pub item: String,
    /// The signatures that failed: `selector._domainkey.domain`, with blanks between.
    pub signatures: String,
    /// What the reporter did with the mail, in its word; empty where it is not told.
    pub delivery: String,
    /// How many mails the report stands for.
    pub incidents: u64,
    /// Message-ID of the mail; empty where it is not told.
    pub header_id: String,
    /// Whom it went to, where a mark of ours says so.
    pub recipient_id: Option<RecipientId>,
}

const KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM auth_failure WHERE workspace_id = ?1 AND domain = ?2 AND fingerprint = ?3)";
const INSERT: &str = "
    INSERT INTO auth_failure (workspace_id, domain, fingerprint, received_ms, arrived_ms, organization, brought_by, failure,
        source_ip, item, signatures, delivery, incidents, header_id, recipient_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// Keeps a report unless it is there already, or `daily_max` of its domain came that day. Belongs into the writer of
/// events.db.
///
/// # Errors
/// The database's.
pub fn keep(
    tx: &Connection,
    workspace: WorkspaceId,
    report: &AuthFailure,
    fingerprint: &[u8; 32],
    daily_max: u32,
) -> Result<Kept, StorageError> {
    let key = params![workspace, report.domain, fingerprint];
    if tx.prepare_cached(KNOWN)?.query_row(key, |row| row.get(0))? {
        return Ok(Kept::Known);
    }
    let day = report_day::Day { at_ms: report.received_ms, workspace, domain: &report.domain, kind: "auth" };
    if report_day::take(tx, &day, daily_max)? == Room::None {
        return Ok(Kept::Beyond);
    }
    tx.prepare_cached(INSERT)?.execute(params![
        workspace,
        report.domain,
        fingerprint,
        report.received_ms,
        report.arrived_ms,
        report.organization,
        report.brought_by,
        report.failure,
        report.source_ip,
        report.item,
        report.signatures,
        report.delivery,
        foreign(report.incidents),
        report.header_id,
        report.recipient_id,
    ])?;
    Ok(Kept::New)
}

const OF_ITEM: &str = "
    SELECT count(*) FROM auth_failure
    WHERE workspace_id = ?1 AND domain = ?2 AND item = ?3 AND item <> '' AND received_ms > ?4";

/// How many reports about one thing of ours came within a day before `now_ms`.
///
/// # Errors
/// The database's.
pub fn of_item(
    tx: &Connection,
    workspace: WorkspaceId,
    (domain, item): (&str, &str),
    now_ms: i64,
) -> Result<u64, StorageError> {
    let asked = params![workspace, domain, item, now_ms - DAY_MS];
    Ok(tx.prepare_cached(OF_ITEM)?.query_row(asked, |row| count(row, 0))?)
}

/// Which reports.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// About this domain only.
    pub domain: Option<String>,
    /// Only those that say that something of ours fails.
    pub ours: bool,
}

const PAGE: &str = "
    SELECT id, domain, received_ms, arrived_ms, organization, brought_by, failure, source_ip, item, signatures, delivery,
        incidents, header_id, recipient_id
    FROM auth_failure
    WHERE workspace_id = :workspace_id AND (:domain IS NULL OR domain = :domain) AND (NOT :ours OR item <> '')
        AND id < :before
    ORDER BY id DESC LIMIT :limit";

/// Reports with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(
    c: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    before: i64,
    limit: u32,
) -> Result<Vec<AuthFailure>, StorageError> {
    let mut statement = c.prepare_cached(PAGE)?;
    let asked = named_params! {
        ":workspace_id": workspace, ":domain": filter.domain, ":ours": filter.ours, ":before": before, ":limit": limit,
    };
    let rows = statement.query_map(asked, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const OF_RECIPIENT: &str = "
    SELECT id, domain, received_ms, arrived_ms, organization, brought_by, failure, source_ip, item, signatures, delivery,
        incidents, header_id, recipient_id
    FROM auth_failure WHERE recipient_id = ?1 AND workspace_id = ?2 ORDER BY id DESC LIMIT ?3";

/// The newest reports about the mail of a recipient.
///
/// # Errors
/// The database's.
pub fn of_recipient(
    c: &Connection,
    workspace: WorkspaceId,
    id: RecipientId,
    limit: u32,
) -> Result<Vec<AuthFailure>, StorageError> {
    let mut statement = c.prepare_cached(OF_RECIPIENT)?;
    let rows = statement.query_map(params![id, workspace, limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuthFailure> {
    Ok(AuthFailure {
        id: row.get(0)?,
        domain: row.get(1)?,
        received_ms: row.get(2)?,
        arrived_ms: row.get(3)?,
        organization: row.get(4)?,
        brought_by: row.get(5)?,
        failure: row.get(6)?,
        source_ip: row.get(7)?,
        item: row.get(8)?,
        signatures: row.get(9)?,
        delivery: row.get(10)?,
        incidents: count(row, 11)?,
        header_id: row.get(12)?,
        recipient_id: row.get(13)?,
    })
}

const FORGET: &str = "
    DELETE FROM auth_failure WHERE id IN
        (SELECT id FROM auth_failure WHERE received_ms < ?1 ORDER BY received_ms LIMIT ?2)";

/// Deletes at most `limit` of the reports from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[KNOWN, INSERT, OF_ITEM, PAGE, OF_RECIPIENT, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    const WS: WorkspaceId = WorkspaceId::MAIN;

    fn report(item: &str, received_ms: i64, recipient: Option<i64>) -> AuthFailure {
        AuthFailure {
            id: 0,
            domain: "a.example".to_owned(),
            received_ms,
            arrived_ms: received_ms - 5,
            organization: "big.example".to_owned(),
            brought_by: "192.0.2.1".to_owned(),
            failure: "bodyhash".to_owned(),
            source_ip: "198.51.100.7".to_owned(),
            item: item.to_owned(),
            signatures: "s1._domainkey.a.example".to_owned(),
            delivery: "spam".to_owned(),
            incidents: u64::MAX,
            header_id: "1.2.3@a.example".to_owned(),
            recipient_id: recipient.map(RecipientId),
        }
    }

    #[test]
    fn a_report_is_kept_once_and_found_by_what_it_is_about() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let keep = |mark: u8, item: &'static str, received_ms: i64, recipient| {
            let report = report(item, received_ms, recipient);
            storage.events().write_blocking(move |tx| keep(tx, WS, &report, &[mark; 32], 3)).unwrap()
        };
        for (mark, item, received_ms, recipient, expected) in [
            (1, "198.51.100.7", 100, Some(7), Kept::New),
            (1, "198.51.100.7", 101, Some(7), Kept::Known),
            (2, "", 102, None, Kept::New),
            (3, "198.51.100.7", 103, None, Kept::New),
            (4, "198.51.100.7", 104, None, Kept::Beyond),
            (4, "198.51.100.7", DAY_MS + 100, None, Kept::New),
        ] {
            assert_eq!(keep(mark, item, received_ms, recipient), expected, "{mark} at {received_ms}");
        }
        let read = |c: &Connection| {
            let ids = |rows: Vec<AuthFailure>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
            let of = |domain: Option<&str>, ours| Filter { domain: domain.map(str::to_owned), ours };
            assert_eq!(ids(page(c, WS, &of(None, false), i64::MAX, 2)?), [4, 3]);
            assert_eq!(ids(page(c, WS, &of(Some("a.example"), true), 4, 9)?), [3, 1]);
            assert_eq!(ids(page(c, WS, &of(Some("b.example"), false), i64::MAX, 9)?), Vec::<i64>::new());
            assert_eq!(ids(page(c, WorkspaceId(2), &of(None, false), i64::MAX, 9)?), Vec::<i64>::new());
            let found = of_recipient(c, WS, RecipientId(7), 9)?;
            let kept =
                AuthFailure { id: 1, incidents: foreign(u64::MAX) as u64, ..report("198.51.100.7", 100, Some(7)) };
            assert_eq!(found, [kept]);
            assert_eq!(of_recipient(c, WorkspaceId(2), RecipientId(7), 9)?, []);
            let counts =
                [103, DAY_MS + 101].map(|now_ms| of_item(c, WS, ("a.example", "198.51.100.7"), now_ms).unwrap());
            assert_eq!((counts, of_item(c, WS, ("a.example", ""), 103)?), ([3, 2], 0));
            Ok(())
        };
        storage.read_blocking(read).unwrap();
        let forgotten = |tx: &crate::Transaction<'_>| Ok(tx.prepare_cached(FORGET)?.execute(params![103, 10])?);
        assert_eq!(storage.events().write_blocking(forgotten).unwrap(), 2);
    }
}
