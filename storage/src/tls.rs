//! What other domains ask of TLS: their MTA-STS policies as fetched, sessions counted by day, and the reports about them
//! (RFC 8461, RFC 8460).

use crate::StorageError;
use rusqlite::{Connection, OptionalExtension, named_params, params};

/// Rows kept for one day and domain: more hosts and reasons than these are not told apart any more.
const ROWS_MAX: u32 = 200;

/// A policy as fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsPolicyRow {
    /// Whose.
    pub domain: String,
    /// The id of the TXT record under which it was fetched.
    pub record_id: String,
    /// The policy, line by line.
    pub policy: String,
    /// When.
    pub fetched_ms: i64,
    /// Until when it holds.
    pub expires_ms: i64,
}

const FIND_POLICY: &str =
    "SELECT domain, record_id, policy, fetched_ms, expires_ms FROM sts_policy WHERE domain = :domain";

/// The policy of a domain, expired or not.
///
/// # Errors
/// The database's.
pub fn find_policy(c: &Connection, domain: &str) -> Result<Option<StsPolicyRow>, StorageError> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(StsPolicyRow {
            domain: row.get(0)?,
            record_id: row.get(1)?,
            policy: row.get(2)?,
            fetched_ms: row.get(3)?,
            expires_ms: row.get(4)?,
        })
    };
    Ok(c.prepare_cached(FIND_POLICY)?.query_row(named_params! { ":domain": domain }, read).optional()?)
}

const KEEP_POLICY: &str = "
    INSERT OR REPLACE INTO sts_policy (domain, record_id, policy, fetched_ms, expires_ms)
    VALUES (:domain, :record_id, :policy, :fetched_ms, :expires_ms)";

/// Keeps a policy in the place of the one before.
///
/// # Errors
/// The database's.
pub fn keep_policy(tx: &Connection, row: &StsPolicyRow) -> Result<(), StorageError> {
    tx.prepare_cached(KEEP_POLICY)?.execute(named_params! {
        ":domain": row.domain,
        ":record_id": row.record_id,
        ":policy": row.policy,
        ":fetched_ms": row.fetched_ms,
        ":expires_ms": row.expires_ms,
    })?;
    Ok(())
}

/// Which kind of policy a session was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyType {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
}

impl PolicyType {
    /// The stored word, which is that of reports too (RFC 8460 §4.2).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PolicyType::Tlsa => "tlsa",
            PolicyType::Sts => "sts",
        }
    }

    fn parse(word: &str) -> Option<PolicyType> {
        [PolicyType::Tlsa, PolicyType::Sts].into_iter().find(|policy| policy.as_str() == word)
    }
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResultKey {
    /// Begin of the day, UTC.
    pub day_ms: i64,
    /// The recipients' domain.
    pub domain: String,
    /// Which policy.
    pub policy: PolicyType,
    /// The result type of RFC 8460 §4.3; empty for sessions in order.
    pub failure: String,
    /// Where we connected from; empty where it does not matter or is not known.
    pub source_ip: String,
    /// The host; empty where it does not matter.
    pub host: String,
    /// Its address; empty where there was none.
    pub host_ip: String,
}

/// Sessions of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCount {
    /// What is counted.
    pub key: ResultKey,
    /// The policy as it stood, line by line.
    pub policy_lines: Vec<String>,
    /// What went wrong, in words.
    pub reason: String,
    /// How often.
    pub n: u64,
}

const COUNT_FIRST: &str = "
    INSERT INTO tls_result (day_ms, domain, policy, failure, source_ip, host, host_ip, policy_lines, reason, n)
    SELECT :day_ms, :domain, :policy, :failure, :source_ip, :host, :host_ip, :policy_lines, :reason, :n
    WHERE (SELECT count(*) FROM tls_result WHERE day_ms = :day_ms AND domain = :domain) < :rows_max";
const COUNT_MORE: &str = "
    UPDATE tls_result SET n = n + :n, policy_lines = :policy_lines, reason = :reason
    WHERE day_ms = :day_ms AND domain = :domain AND policy = :policy AND failure = :failure AND source_ip = :source_ip
        AND host = :host AND host_ip = :host_ip";

/// Adds sessions to the day's counts.
///
/// # Errors
/// The database's.
pub fn count(tx: &Connection, counts: &[SessionCount]) -> Result<(), StorageError> {
    let mut more = tx.prepare_cached(COUNT_MORE)?;
    let mut first = tx.prepare_cached(COUNT_FIRST)?;
    for SessionCount { key, policy_lines, reason, n } in counts {
        let lines = serde_json::Value::from(policy_lines.clone()).to_string();
        let n = i64::try_from(*n).unwrap_or(i64::MAX);
        let updated = more.execute(named_params! {
            ":day_ms": key.day_ms, ":domain": key.domain, ":policy": key.policy.as_str(), ":failure": key.failure,
            ":source_ip": key.source_ip, ":host": key.host, ":host_ip": key.host_ip,
            ":policy_lines": lines, ":reason": crate::event::bounded(reason), ":n": n,
        })?;
        if updated == 0 {
            first.execute(named_params! {
                ":day_ms": key.day_ms, ":domain": key.domain, ":policy": key.policy.as_str(), ":failure": key.failure,
                ":source_ip": key.source_ip, ":host": key.host, ":host_ip": key.host_ip,
                ":policy_lines": lines, ":reason": crate::event::bounded(reason), ":n": n, ":rows_max": ROWS_MAX,
            })?;
        }
    }
    Ok(())
}

const RESULTS: &str = "
    SELECT policy, failure, source_ip, host, host_ip, policy_lines, reason, n FROM tls_result
    WHERE day_ms = :day_ms AND domain = :domain ORDER BY policy, failure, source_ip, host, host_ip";

/// What was counted for a domain on a day.
///
/// # Errors
/// The database's.
pub fn results(c: &Connection, day_ms: i64, domain: &str) -> Result<Vec<SessionCount>, StorageError> {
    let mut statement = c.prepare_cached(RESULTS)?;
    let rows = statement.query_map(named_params! { ":day_ms": day_ms, ":domain": domain }, |row| {
        let lines: String = row.get(5)?;
        Ok(SessionCount {
            key: ResultKey {
                day_ms,
                domain: domain.to_owned(),
                policy: crate::words::word(row, 0, PolicyType::parse)?,
                failure: row.get(1)?,
                source_ip: row.get(2)?,
                host: row.get(3)?,
                host_ip: row.get(4)?,
            },
            policy_lines: serde_json::from_str(&lines).unwrap_or_default(),
            reason: row.get(6)?,
            n: crate::words::count(row, 7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How a report stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// It is on its way, or taken.
    Sent,
    /// The domain asks for no reports.
    NotWanted,
    /// There is no sending domain of ours that it could come from.
    NoSender,
    /// Not yet; it is tried again.
    Failed,
    /// Not any more.
    GivenUp,
}

impl ReportState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReportState::Sent => "sent",
            ReportState::NotWanted => "not_wanted",
            ReportState::NoSender => "no_sender",
            ReportState::Failed => "failed",
            ReportState::GivenUp => "given_up",
        }
    }

    fn parse(word: &str) -> Option<ReportState> {
        use ReportState as S;
        [S::Sent, S::NotWanted, S::NoSender, S::Failed, S::GivenUp].into_iter().find(|state| state.as_str() == word)
    }
}

/// A report about a day's sessions with a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsReport {
    /// Begin of the day, UTC.
    pub day_ms: i64,
    /// The recipients' domain.
    pub domain: String,
    /// How it stands.
    pub state: ReportState,
    /// What there is to say about that.
    pub detail: String,
    /// Its id.
    pub report_id: String,
    /// Times it was tried to be sent.
    pub attempts: u32,
    /// When last.
    pub tried_ms: i64,
}

const DUE: &str = "
    SELECT DISTINCT t.day_ms, t.domain, coalesce(r.attempts, 0)
    FROM tls_result t LEFT JOIN tls_report r ON r.day_ms = t.day_ms AND r.domain = t.domain
    WHERE t.day_ms < :before_ms AND (r.state IS NULL OR (r.state = 'failed' AND r.tried_ms < :tried_before_ms))
    LIMIT :limit";

/// Days and domains that are to be reported, with the attempts so far: of days that began before `before_ms`, and not
/// tried since `tried_before_ms`.
///
/// # Errors
/// The database's.
pub fn due(
    c: &Connection,
    before_ms: i64,
    tried_before_ms: i64,
    limit: u32,
) -> Result<Vec<(i64, String, u32)>, StorageError> {
    let mut statement = c.prepare_cached(DUE)?;
    let rows = statement.query_map(
        named_params! { ":before_ms": before_ms, ":tried_before_ms": tried_before_ms, ":limit": limit },
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const PUT_REPORT: &str = "
    INSERT OR REPLACE INTO tls_report (day_ms, domain, state, detail, report_id, attempts, tried_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Writes how a report stands.
///
/// # Errors
/// The database's.
pub fn put_report(tx: &Connection, r: &TlsReport) -> Result<(), StorageError> {
    let state = r.state.as_str();
    let detail = crate::event::bounded(&r.detail);
    tx.prepare_cached(PUT_REPORT)?.execute(params![
        r.day_ms,
        r.domain,
        state,
        detail,
        r.report_id,
        r.attempts,
        r.tried_ms
    ])?;
    Ok(())
}

const REPORTS_OF: &str = "
    SELECT day_ms, domain, state, detail, report_id, attempts, tried_ms FROM tls_report
    WHERE domain = :domain AND day_ms >= :since_ms ORDER BY day_ms DESC LIMIT :limit";

/// The reports about a domain since a day, newest first.
///
/// # Errors
/// The database's.
pub fn reports_of(c: &Connection, domain: &str, since_ms: i64, limit: u32) -> Result<Vec<TlsReport>, StorageError> {
    let mut statement = c.prepare_cached(REPORTS_OF)?;
    let rows =
        statement.query_map(named_params! { ":domain": domain, ":since_ms": since_ms, ":limit": limit }, |row| {
            Ok(TlsReport {
                day_ms: row.get(0)?,
                domain: row.get(1)?,
                state: crate::words::word(row, 2, ReportState::parse)?,
                detail: row.get(3)?,
                report_id: row.get(4)?,
                attempts: row.get(5)?,
                tried_ms: row.get(6)?,
            })
        })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FORGET_RESULTS: &str = "DELETE FROM tls_result WHERE day_ms < ?1";
const FORGET_REPORTS: &str = "DELETE FROM tls_report WHERE day_ms < ?1";
const FORGET_POLICIES: &str = "DELETE FROM sts_policy WHERE expires_ms < ?1";

/// Deletes counts and reports of days before `before_ms`, and policies that are over at `now_ms`; says how many rows.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, now_ms: i64) -> Result<usize, StorageError> {
    let mut gone = 0;
    for (sql, until_ms) in [(FORGET_RESULTS, before_ms), (FORGET_REPORTS, before_ms), (FORGET_POLICIES, now_ms)] {
        gone += tx.prepare_cached(sql)?.execute([until_ms])?;
    }
    Ok(gone)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    FIND_POLICY,
    KEEP_POLICY,
    COUNT_FIRST,
    COUNT_MORE,
    RESULTS,
    DUE,
    PUT_REPORT,
    REPORTS_OF,
    FORGET_RESULTS,
    FORGET_REPORTS,
    FORGET_POLICIES,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    fn session(day_ms: i64, domain: &str, failure: &str, host: &str, n: u64) -> SessionCount {
        let key = ResultKey {
            day_ms,
            domain: domain.to_owned(),
            policy: PolicyType::Sts,
            failure: failure.to_owned(),
            source_ip: String::new(),
            host: host.to_owned(),
            host_ip: String::new(),
        };
        SessionCount { key, policy_lines: vec!["mode: enforce".to_owned()], reason: failure.to_owned(), n }
    }

    #[test]
    fn a_day_is_counted_reported_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let write = |counts: Vec<SessionCount>| storage.queue().write_blocking(move |tx| count(tx, &counts)).unwrap();
        write(vec![session(0, "a.example", "", "", 2), session(0, "a.example", "certificate-expired", "mx", 1)]);
        write(vec![session(0, "a.example", "", "", 3), session(86_400_000, "a.example", "", "", 9)]);
        let read = |day_ms| storage.read_blocking(move |c| results(c, day_ms, "a.example")).unwrap();
        let counted: Vec<(String, u64)> = read(0).into_iter().map(|s| (s.key.failure, s.n)).collect();
        assert_eq!(counted, [(String::new(), 5), ("certificate-expired".to_owned(), 1)]);

        let due_at = |tried_ms| storage.read_blocking(move |c| due(c, 86_400_000, tried_ms, 10)).unwrap();
        assert_eq!(due_at(0), [(0, "a.example".to_owned(), 0)]);
        let put = |state, tried_ms| {
            let (domain, detail, report_id) = ("a.example".to_owned(), "why".to_owned(), "1".to_owned());
            let report = TlsReport { day_ms: 0, domain, state, detail, report_id, attempts: 1, tried_ms };
            storage.queue().write_blocking(move |tx| put_report(tx, &report)).unwrap();
        };
        put(ReportState::Failed, 50);
        assert_eq!(due_at(50), []);
        assert_eq!(due_at(51), [(0, "a.example".to_owned(), 1)]);
        put(ReportState::Sent, 60);
        assert_eq!(due_at(1000), []);
        let reports = storage.read_blocking(|c| reports_of(c, "a.example", 0, 10)).unwrap();
        assert_eq!((reports.len(), reports[0].state), (1, ReportState::Sent));

        let gone = storage.queue().write_blocking(|tx| forget(tx, 86_400_000, 0)).unwrap();
        assert_eq!((gone, read(0).len(), read(86_400_000).len()), (3, 0, 1));
    }

    #[test]
    fn what_a_domain_can_fill_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let many: Vec<_> = (0..300).map(|n| session(0, "a.example", "", &format!("mx{n}"), 1)).collect();
        let again = vec![session(0, "a.example", "", "mx0", 4), session(0, "a.example", "", "mx999", 4)];
        storage.queue().write_blocking(move |tx| count(tx, &many).and_then(|()| count(tx, &again))).unwrap();
        let kept = storage.read_blocking(|c| results(c, 0, "a.example")).unwrap();
        assert_eq!(kept.len(), ROWS_MAX as usize);
        assert_eq!(kept.iter().map(|s| s.n).sum::<u64>(), u64::from(ROWS_MAX) + 4);
    }

    #[test]
    fn policies_are_kept_until_they_are_over() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let row = StsPolicyRow {
            domain: "a.example".to_owned(),
            record_id: "1".to_owned(),
            policy: "mode: enforce".to_owned(),
            fetched_ms: 10,
            expires_ms: 100,
        };
        let kept = row.clone();
        storage.queue().write_blocking(move |tx| keep_policy(tx, &kept)).unwrap();
        let find = || storage.read_blocking(|c| find_policy(c, "a.example")).unwrap();
        assert_eq!(find(), Some(row));
        storage.queue().write_blocking(|tx| forget(tx, 0, 100)).unwrap();
        assert!(find().is_some());
        storage.queue().write_blocking(|tx| forget(tx, 0, 101)).unwrap();
        assert_eq!(find(), None);
    }
}
