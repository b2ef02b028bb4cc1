//! TLS reports about our domains (RFC 8460): kept once each, with policies and failures. Belongs into events.db. The
//! reports that we send are `tls`'s.

use crate::dmarc_report::{Filter, Kept};
use crate::report_day::{self, Room};
use crate::words::{count, foreign};
use crate::{Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, Row, named_params, params};

/// Policies, and failures, that are kept of a report.
pub const ROWS_MAX: usize = 500;
/// Rows of the sums.
const SUMS_MAX: u32 = 200;

/// A report, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsHeard {
    /// Id; 0 before it is kept.
    pub id: i64,
    /// Our sending domain.
    pub domain: String,
    /// Who reports.
    pub organization: String,
    /// Their name for it.
    pub report_id: String,
    /// The first moment that it tells of.
    pub begin_ms: i64,
    /// The last one.
    pub end_ms: i64,
    /// When it came.
    pub received_ms: i64,
    /// Size of the mail.
    pub bytes: u64,
    /// The address that the mail came from.
    pub brought_by: String,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

/// What a report says of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// The policy's domain.
    pub policy_domain: String,
    /// `tlsa`, `sts` or `no-policy-found`.
    pub policy: String,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

/// One sort of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The policy that was held against it.
    pub policy: String,
    /// What went wrong.
    pub result: String,
    /// The receiving host, where it is told.
    pub mx: String,
    /// The sender's address, where it is told.
    pub sending_ip: String,
    /// How many sessions.
    pub sessions: u64,
    /// More about it.
    pub detail: String,
}

const KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM tls_heard
        WHERE workspace_id = ?1 AND domain = ?2 AND organization = ?3 AND report_id = ?4)";
const INSERT: &str = "
    INSERT INTO tls_heard (workspace_id, domain, organization, report_id, begin_ms, end_ms, received_ms, bytes, brought_by,
        successful, failed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const INSERT_POLICY: &str = "
    INSERT INTO tls_heard_policy (report, n, workspace_id, policy_domain, policy, successful, failed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const INSERT_FAILURE: &str = "
    INSERT INTO tls_heard_failure (report, n, workspace_id, policy, result, mx, sending_ip, sessions, detail)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Keeps a report unless it is there already, or `daily_max` of its domain came that day. Belongs into the writer of
/// events.db.
///
/// # Errors
/// The database's.
pub fn keep(
    tx: &Connection,
    workspace: WorkspaceId,
    report: &TlsHeard,
    (policies, failures): (&[PolicyRow], &[FailureRow]),
    daily_max: u32,
) -> Result<Kept, StorageError> {
    let key = params![workspace, report.domain, report.organization, report.report_id];
    if tx.prepare_cached(KNOWN)?.query_row(key, |row| row.get(0))? {
        return Ok(Kept::Known);
    }
    let day = report_day::Day { at_ms: report.received_ms, workspace, domain: &report.domain, kind: "tls" };
    if report_day::take(tx, &day, daily_max)? == Room::None {
        return Ok(Kept::Beyond);
    }
    tx.prepare_cached(INSERT)?.execute(params![
        workspace,
        report.domain,
        report.organization,
        report.report_id,
        report.begin_ms,
        report.end_ms,
        report.received_ms,
        foreign(report.bytes),
        report.brought_by,
        foreign(report.successful),
        foreign(report.failed),
    ])?;
    let id = tx.last_insert_rowid();
    for (n, row) in (0_i64..).zip(policies.iter().take(ROWS_MAX)) {
        let values =
            params![id, n, workspace, row.policy_domain, row.policy, foreign(row.successful), foreign(row.failed)];
        tx.prepare_cached(INSERT_POLICY)?.execute(values)?;
    }
    for (n, row) in (0_i64..).zip(failures.iter().take(ROWS_MAX)) {
        let values = params![
            id,
            n,
            workspace,
            row.policy,
            row.result,
            row.mx,
            row.sending_ip,
            foreign(row.sessions),
            row.detail
        ];
        tx.prepare_cached(INSERT_FAILURE)?.execute(values)?;
    }
    Ok(Kept::New)
}

const PAGE: &str = "
    SELECT id, domain, organization, report_id, begin_ms, end_ms, received_ms, bytes, brought_by, successful, failed
    FROM tls_heard
    WHERE workspace_id = :workspace_id AND begin_ms >= :since_ms AND (:domain IS NULL OR domain = :domain)
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
) -> Result<Vec<TlsHeard>, StorageError> {
    let mut statement = c.prepare_cached(PAGE)?;
    let asked = named_params! {
        ":workspace_id": workspace, ":since_ms": filter.since_ms, ":domain": filter.domain, ":before": before, ":limit": limit,
    };
    let rows = statement.query_map(asked, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<TlsHeard> {
    Ok(TlsHeard {
        id: row.get(0)?,
        domain: row.get(1)?,
        organization: row.get(2)?,
        report_id: row.get(3)?,
        begin_ms: row.get(4)?,
        end_ms: row.get(5)?,
        received_ms: row.get(6)?,
        bytes: count(row, 7)?,
        brought_by: row.get(8)?,
        successful: count(row, 9)?,
        failed: count(row, 10)?,
    })
}

/// What was reported of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day's beginning, UTC.
    pub day_ms: i64,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

const DAYS: &str = "
    SELECT begin_ms - begin_ms % 86400000, sum(successful), sum(failed) FROM tls_heard
    WHERE workspace_id = :workspace_id AND begin_ms >= :since_ms AND (:domain IS NULL OR domain = :domain)
    GROUP BY 1 ORDER BY 1";
const POLICIES: &str = "
    SELECT p.policy_domain, p.policy, sum(p.successful), sum(p.failed)
    FROM tls_heard t JOIN tls_heard_policy p ON p.report = t.id
    WHERE t.workspace_id = :workspace_id AND t.begin_ms >= :since_ms AND (:domain IS NULL OR t.domain = :domain)
    GROUP BY 1, 2 ORDER BY sum(p.failed) DESC, 1, 2 LIMIT :limit";
const FAILURES: &str = "
    SELECT f.policy, f.result, f.mx, '', sum(f.sessions), max(f.detail)
    FROM tls_heard t JOIN tls_heard_failure f ON f.report = t.id
    WHERE t.workspace_id = :workspace_id AND t.begin_ms >= :since_ms AND (:domain IS NULL OR t.domain = :domain)
    GROUP BY 1, 2, 3 ORDER BY sum(f.sessions) DESC, 1, 2, 3 LIMIT :limit";

/// Sums over reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// By day, oldest first.
    pub days: Vec<Day>,
    /// By policy, those with the most failures first.
    pub policies: Vec<PolicyRow>,
    /// By sort of failure, the most frequent first; without the senders' addresses.
    pub failures: Vec<FailureRow>,
}

/// What the reports say in sum.
///
/// # Errors
/// The database's.
pub fn sums(c: &Connection, workspace: WorkspaceId, filter: &Filter) -> Result<Sums, StorageError> {
    let asked = named_params! { ":workspace_id": workspace, ":since_ms": filter.since_ms, ":domain": filter.domain };
    let mut statement = c.prepare_cached(DAYS)?;
    let days = statement
        .query_map(asked, |row| Ok(Day { day_ms: row.get(0)?, successful: count(row, 1)?, failed: count(row, 2)? }))?;
    let days = days.collect::<Result<_, _>>()?;
    let asked = named_params! {
        ":workspace_id": workspace, ":since_ms": filter.since_ms, ":domain": filter.domain, ":limit": SUMS_MAX,
    };
    let mut statement = c.prepare_cached(POLICIES)?;
    let policies = statement.query_map(asked, |row| {
        Ok(PolicyRow {
            policy_domain: row.get(0)?,
            policy: row.get(1)?,
            successful: count(row, 2)?,
            failed: count(row, 3)?,
        })
    })?;
    let policies = policies.collect::<Result<_, _>>()?;
    let mut statement = c.prepare_cached(FAILURES)?;
    let failures = statement.query_map(asked, |row| {
        Ok(FailureRow {
            policy: row.get(0)?,
            result: row.get(1)?,
            mx: row.get(2)?,
            sending_ip: row.get(3)?,
            sessions: count(row, 4)?,
            detail: row.get(5)?,
        })
    })?;
    Ok(Sums { days, policies, failures: failures.collect::<Result<_, _>>()? })
}

const FORGET_POLICIES: &str = "
    DELETE FROM tls_heard_policy WHERE report IN
        (SELECT id FROM tls_heard WHERE received_ms < ?1 ORDER BY received_ms, id LIMIT ?2)";
const FORGET_FAILURES: &str = "
    DELETE FROM tls_heard_failure WHERE report IN
        (SELECT id FROM tls_heard WHERE received_ms < ?1 ORDER BY received_ms, id LIMIT ?2)";
const FORGET: &str = "
    DELETE FROM tls_heard WHERE id IN
        (SELECT id FROM tls_heard WHERE received_ms < ?1 ORDER BY received_ms, id LIMIT ?2)";

/// Deletes at most `limit` of the reports that came before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage
        .events()
        .write(move |tx| {
            tx.prepare_cached(FORGET_POLICIES)?.execute(params![before_ms, limit])?;
            tx.prepare_cached(FORGET_FAILURES)?.execute(params![before_ms, limit])?;
            Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
        })
        .await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    KNOWN,
    INSERT,
    INSERT_POLICY,
    INSERT_FAILURE,
    PAGE,
    DAYS,
    POLICIES,
    FAILURES,
    FORGET_POLICIES,
    FORGET_FAILURES,
    FORGET,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    const WS: WorkspaceId = WorkspaceId::MAIN;
    const DAY_MS: i64 = 86_400_000;

    #[tokio::test]
    async fn kept_once_summed_up_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let keep_one = async |id: &str, day: i64, failed: u64| {
            let report = TlsHeard {
                id: 0,
                domain: "a.example".to_owned(),
                organization: "big".to_owned(),
                report_id: id.to_owned(),
                begin_ms: day * DAY_MS,
                end_ms: (day + 1) * DAY_MS - 1,
                received_ms: (day + 1) * DAY_MS,
                bytes: 700,
                brought_by: "192.0.2.9".to_owned(),
                successful: 90,
                failed,
            };
            let policy = PolicyRow {
                policy_domain: "bounce.a.example".to_owned(),
                policy: "sts".to_owned(),
                successful: 90,
                failed,
            };
            let failure = FailureRow {
                policy: "sts".to_owned(),
                result: "certificate-expired".to_owned(),
                mx: "mx.a.example".to_owned(),
                sending_ip: "192.0.2.9".to_owned(),
                sessions: failed,
                detail: String::new(),
            };
            storage.events().write(move |tx| keep(tx, WS, &report, (&[policy], &[failure]), 2)).await.unwrap()
        };
        assert_eq!(keep_one("1", 1, 4).await, Kept::New);
        assert_eq!(keep_one("1", 1, 4).await, Kept::Known);
        assert_eq!(keep_one("2", 2, 6).await, Kept::New);
        let told = async |domain: Option<&str>, since: i64| {
            let filter = Filter { domain: domain.map(str::to_owned), since_ms: since * DAY_MS };
            storage.read(move |c| sums(c, WS, &filter)).await.unwrap()
        };
        let all = told(None, 0).await;
        assert_eq!(all.days.iter().map(|day| (day.day_ms / DAY_MS, day.failed)).collect::<Vec<_>>(), [(1, 4), (2, 6)]);
        assert_eq!((all.policies.len(), all.policies[0].successful, all.failures[0].sessions), (1, 180, 10));
        assert_eq!(told(Some("a.example"), 2).await.failures[0].sessions, 6);
        assert_eq!(told(Some("b.example"), 0).await, Sums::default());
        assert_eq!(forget(&storage, 3 * DAY_MS, 10).await.unwrap(), 1);
        assert_eq!(told(None, 0).await.failures[0].sessions, 6, "its rows went with it");
    }
}
