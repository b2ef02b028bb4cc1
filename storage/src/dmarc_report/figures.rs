//! Figures over DMARC reports: by day, by domain, by sender.

use super::{Sender, Sums};
use crate::words::{count, word};
use crate::{StorageError, WorkspaceId};
use rusqlite::{Connection, named_params};

/// Domains that are summed up.
const DOMAINS_MAX: u32 = 200;

/// What was reported of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day's beginning, UTC.
    pub day_ms: i64,
    /// Messages and how they fared.
    pub sums: Sums,
}

const DAYS: &str = "
    SELECT begin_ms - begin_ms % 86400000, sum(messages), sum(dkim_pass), sum(spf_pass), sum(passed)
    FROM dmarc_report
    WHERE workspace_id = :workspace_id AND begin_ms >= :since_ms AND (:domain IS NULL OR domain = :domain)
    GROUP BY 1 ORDER BY 1";

/// The days since `since_ms` that something is reported of, oldest first; of one domain or of all.
///
/// # Errors
/// The database's.
pub fn days(
    c: &Connection,
    workspace: WorkspaceId,
    domain: Option<&str>,
    since_ms: i64,
) -> Result<Vec<Day>, StorageError> {
    let mut statement = c.prepare_cached(DAYS)?;
    let asked = named_params! { ":workspace_id": workspace, ":since_ms": since_ms, ":domain": domain };
    let rows = statement.query_map(asked, |row| Ok(Day { day_ms: row.get(0)?, sums: Sums::read(row, 1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What was reported of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainFigures {
    /// The domain.
    pub domain: String,
    /// How many reports.
    pub reports: u64,
    /// Messages and how they fared.
    pub sums: Sums,
    /// When the newest report came.
    pub received_ms: i64,
}

const DOMAINS: &str = "
    SELECT domain, count(*), sum(messages), sum(dkim_pass), sum(spf_pass), sum(passed), max(received_ms)
    FROM dmarc_report
    WHERE workspace_id = :workspace_id AND begin_ms >= :since_ms
    GROUP BY domain ORDER BY sum(messages) DESC, domain LIMIT :limit";

/// The domains that something is reported of since `since_ms`, those with the most messages first.
///
/// # Errors
/// The database's.
pub fn domains(c: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<Vec<DomainFigures>, StorageError> {
    let mut statement = c.prepare_cached(DOMAINS)?;
    let asked = named_params! { ":workspace_id": workspace, ":since_ms": since_ms, ":limit": DOMAINS_MAX };
    let rows = statement.query_map(asked, |row| {
        Ok(DomainFigures {
            domain: row.get(0)?,
            reports: count(row, 1)?,
            sums: Sums::read(row, 2)?,
            received_ms: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Who sends as a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRow {
    /// The address; empty where reports name none.
    pub source_ip: String,
    /// Who that is; one address can be several, where other mail is forwarded over it.
    pub sender: Sender,
    /// Messages and how they fared.
    pub sums: Sums,
    /// Messages that were put among the spam.
    pub quarantined: u64,
    /// Messages that were refused.
    pub rejected: u64,
    /// How many organizations tell of it.
    pub organizations: u64,
    /// The last moment that a report with it tells of.
    pub latest_ms: i64,
}

const SENDERS: &str = "
    SELECT r.source_ip, r.sender, sum(r.messages), sum(r.messages * r.dkim_pass), sum(r.messages * r.spf_pass),
        sum(r.messages * max(r.dkim_pass, r.spf_pass)), sum(r.messages * (r.disposition = 'quarantine')),
        sum(r.messages * (r.disposition = 'reject')), count(DISTINCT p.organization), max(p.end_ms)
    FROM dmarc_report p JOIN dmarc_row r ON r.report = p.id
    WHERE p.workspace_id = :workspace_id AND p.begin_ms >= :since_ms AND (:domain IS NULL OR p.domain = :domain)
        AND (:sender IS NULL OR r.sender = :sender)
    GROUP BY r.source_ip, r.sender
    HAVING sum(r.messages) < :below OR (sum(r.messages) = :below AND r.source_ip || ' ' || r.sender > :behind)
    ORDER BY sum(r.messages) DESC, r.source_ip || ' ' || r.sender LIMIT :limit";

/// Which senders.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of this domain only.
    pub domain: Option<String>,
    /// Of this sort only.
    pub sender: Option<Sender>,
    /// Over times from then on.
    pub since_ms: i64,
}

/// Who sends as our domains, the busiest first, from behind a row: its messages, and `address sender`.
///
/// # Errors
/// The database's.
pub fn senders(
    c: &Connection,
    workspace: WorkspaceId,
    asked: &Asked,
    behind: Option<&(u64, String)>,
    limit: u32,
) -> Result<Vec<SenderRow>, StorageError> {
    let mut statement = c.prepare_cached(SENDERS)?;
    let below = behind.map_or(i64::MAX, |(messages, _)| i64::try_from(*messages).unwrap_or(i64::MAX));
    let asked = named_params! {
        ":workspace_id": workspace, ":since_ms": asked.since_ms, ":domain": asked.domain,
        ":sender": asked.sender.map(Sender::as_str), ":below": below,
        ":behind": behind.map_or("", |(_, name)| name.as_str()), ":limit": limit,
    };
    let rows = statement.query_map(asked, |row| {
        Ok(SenderRow {
            source_ip: row.get(0)?,
            sender: word(row, 1, Sender::parse)?,
            sums: Sums::read(row, 2)?,
            quarantined: count(row, 6)?,
            rejected: count(row, 7)?,
            organizations: count(row, 8)?,
            latest_ms: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[DAYS, DOMAINS, SENDERS];
