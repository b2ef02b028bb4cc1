//! DMARC aggregate reports about our domains (RFC 7489 §7.2): kept once each, with their rows. Belongs into events.db.

mod figures;

pub use figures::{Asked, Day, DomainFigures, SenderRow, days, domains, senders};

use crate::report_day::{self, Room};
use crate::words::{count, foreign, word};
use crate::{Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Rows that are kept of a report, those with the most messages first.
pub const ROWS_MAX: usize = 2_000;

/// Who sent the messages of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sender {
    /// A source of ours.
    Ours,
    /// Somebody else who may: DKIM or SPF passes, aligned.
    Aligned,
    /// Somebody else; neither passes.
    Failing,
}

impl Sender {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sender::Ours => "ours",
            Sender::Aligned => "aligned",
            Sender::Failing => "failing",
        }
    }

    /// The sender of a stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Sender> {
        [Sender::Ours, Sender::Aligned, Sender::Failing].into_iter().find(|sender| sender.as_str() == text)
    }
}

/// A row of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcRow {
    /// The address that the messages came from; empty where the report names none.
    pub source_ip: String,
    /// Who that is.
    pub sender: Sender,
    /// How many messages.
    pub messages: u64,
    /// Whether DKIM passed, aligned.
    pub dkim_pass: bool,
    /// Whether SPF passed, aligned.
    pub spf_pass: bool,
    /// `none`, `quarantine` or `reject`.
    pub disposition: String,
    /// The domain in From.
    pub header_from: String,
    /// The domain of the return path, where it is told.
    pub envelope_from: String,
    /// `selector._domainkey.domain=result`, with blanks between.
    pub signatures: String,
    /// `domain=result`.
    pub spf: String,
}

/// A report, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcReport {
    /// Id; 0 before it is kept.
    pub id: i64,
    /// Our domain that it is about.
    pub domain: String,
    /// The domain that it names.
    pub policy_domain: String,
    /// Who reports.
    pub organization: String,
    /// Their name for it.
    pub report_id: String,
    /// The policy as they saw it.
    pub policy: String,
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
    /// Sums over all rows, those that are not kept too.
    pub sums: Sums,
    /// Rows that are not kept.
    pub rows_left: u64,
}

/// Messages, and how they fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// All of them.
    pub messages: u64,
    /// Of these, DKIM passed, aligned.
    pub dkim_pass: u64,
    /// Of these, SPF passed, aligned.
    pub spf_pass: u64,
    /// Of these, one of both at least.
    pub passed: u64,
}

impl Sums {
    /// Over rows.
    #[must_use]
    pub fn of(rows: &[DmarcRow]) -> Sums {
        let sum = |which: fn(&DmarcRow) -> bool| {
            rows.iter().filter(|row| which(row)).fold(0u64, |sum, row| sum.saturating_add(row.messages))
        };
        Sums {
            messages: sum(|_| true),
            dkim_pass: sum(|row| row.dkim_pass),
            spf_pass: sum(|row| row.spf_pass),
            passed: sum(|row| row.dkim_pass || row.spf_pass),
        }
    }

    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Sums> {
        Ok(Sums {
            messages: count(row, first)?,
            dkim_pass: count(row, first + 1)?,
            spf_pass: count(row, first + 2)?,
            passed: count(row, first + 3)?,
        })
    }
}

const KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM dmarc_report
        WHERE workspace_id = ?1 AND domain = ?2 AND organization = ?3 AND report_id = ?4)";
const INSERT: &str = "
    INSERT INTO dmarc_report (workspace_id, domain, policy_domain, organization, report_id, policy, begin_ms, end_ms,
        received_ms, bytes, brought_by, messages, dkim_pass, spf_pass, passed, rows_left)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const INSERT_ROW: &str = "
    INSERT INTO dmarc_row (report, n, workspace_id, source_ip, sender, messages, dkim_pass, spf_pass, disposition,
        header_from, envelope_from, signatures, spf)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    New,
    /// It was there already.
    Known,
    /// So many came that day that it is only counted.
    Beyond,
}

/// Keeps a report unless it is there already, or `daily_max` of its domain came that day. Belongs into the writer of
/// events.db.
///
/// # Errors
/// The database's.
pub fn keep(
    tx: &Connection,
    workspace: WorkspaceId,
    report: &DmarcReport,
    mut rows: Vec<DmarcRow>,
    daily_max: u32,
) -> Result<Kept, StorageError> {
    let key = params![workspace, report.domain, report.organization, report.report_id];
    if tx.prepare_cached(KNOWN)?.query_row(key, |row| row.get(0))? {
        return Ok(Kept::Known);
    }
    let day = report_day::Day { at_ms: report.received_ms, workspace, domain: &report.domain, kind: "dmarc" };
    if report_day::take(tx, &day, daily_max)? == Room::None {
        return Ok(Kept::Beyond);
    }
    let sums = Sums::of(&rows);
    rows.sort_by_key(|row| std::cmp::Reverse(row.messages));
    let left = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    tx.prepare_cached(INSERT)?.execute(params![
        workspace,
        report.domain,
        report.policy_domain,
        report.organization,
        report.report_id,
        report.policy,
        report.begin_ms,
        report.end_ms,
        report.received_ms,
        foreign(report.bytes),
        report.brought_by,
        foreign(sums.messages),
        foreign(sums.dkim_pass),
        foreign(sums.spf_pass),
        foreign(sums.passed),
        foreign(left as u64),
    ])?;
    let id = tx.last_insert_rowid();
    let mut statement = tx.prepare_cached(INSERT_ROW)?;
    for (n, row) in (0_i64..).zip(&rows) {
        statement.execute(params![
            id,
            n,
            workspace,
            row.source_ip,
            row.sender.as_str(),
            foreign(row.messages),
            row.dkim_pass,
            row.spf_pass,
            row.disposition,
            row.header_from,
            row.envelope_from,
            row.signatures,
            row.spf,
        ])?;
    }
    Ok(Kept::New)
}

/// Which reports.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// About this domain only.
    pub domain: Option<String>,
    /// About times from then on.
    pub since_ms: i64,
}

const PAGE: &str = "
    SELECT id, domain, policy_domain, organization, report_id, policy, begin_ms, end_ms, received_ms, bytes, brought_by,
        messages, dkim_pass, spf_pass, passed, rows_left
    FROM dmarc_report
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
) -> Result<Vec<DmarcReport>, StorageError> {
    let mut statement = c.prepare_cached(PAGE)?;
    let asked = named_params! {
        ":workspace_id": workspace, ":since_ms": filter.since_ms, ":domain": filter.domain, ":before": before, ":limit": limit,
    };
    let rows = statement.query_map(asked, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FIND: &str = "
    SELECT id, domain, policy_domain, organization, report_id, policy, begin_ms, end_ms, received_ms, bytes, brought_by,
        messages, dkim_pass, spf_pass, passed, rows_left
    FROM dmarc_report WHERE id = :id AND workspace_id = :workspace_id";

/// One report.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: i64) -> Result<Option<DmarcReport>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const ROWS: &str = "
    SELECT n, source_ip, sender, messages, dkim_pass, spf_pass, disposition, header_from, envelope_from, signatures, spf
    FROM dmarc_row WHERE report = :report AND workspace_id = :workspace_id AND n > :after ORDER BY n LIMIT :limit";

/// Rows of a report with their numbers, from behind the number `after` (-1 for the first page), those with the most
/// messages first.
///
/// # Errors
/// The database's.
pub fn rows(
    c: &Connection,
    workspace: WorkspaceId,
    report: i64,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, DmarcRow)>, StorageError> {
    let mut statement = c.prepare_cached(ROWS)?;
    let asked = named_params! { ":report": report, ":workspace_id": workspace, ":after": after, ":limit": limit };
    let rows = statement.query_map(asked, |row| {
        let read = DmarcRow {
            source_ip: row.get(1)?,
            sender: word(row, 2, Sender::parse)?,
            messages: count(row, 3)?,
            dkim_pass: row.get(4)?,
            spf_pass: row.get(5)?,
            disposition: row.get(6)?,
            header_from: row.get(7)?,
            envelope_from: row.get(8)?,
            signatures: row.get(9)?,
            spf: row.get(10)?,
        };
        Ok((row.get(0)?, read))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<DmarcReport> {
    Ok(DmarcReport {
        id: row.get(0)?,
        domain: row.get(1)?,
        policy_domain: row.get(2)?,
        organization: row.get(3)?,
        report_id: row.get(4)?,
        policy: row.get(5)?,
        begin_ms: row.get(6)?,
        end_ms: row.get(7)?,
        received_ms: row.get(8)?,
        bytes: count(row, 9)?,
        brought_by: row.get(10)?,
        sums: Sums::read(row, 11)?,
        rows_left: count(row, 15)?,
    })
}

const FORGET_ROWS: &str = "
    DELETE FROM dmarc_row WHERE report IN
        (SELECT id FROM dmarc_report WHERE received_ms < ?1 ORDER BY received_ms, id LIMIT ?2)";
const FORGET: &str = "
    DELETE FROM dmarc_report WHERE id IN
        (SELECT id FROM dmarc_report WHERE received_ms < ?1 ORDER BY received_ms, id LIMIT ?2)";

/// Deletes at most `limit` of the reports that came before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage
        .events()
        .write(move |tx| {
            tx.prepare_cached(FORGET_ROWS)?.execute(params![before_ms, limit])?;
            Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
        })
        .await
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let own = [KNOWN, INSERT, INSERT_ROW, PAGE, FIND, ROWS, FORGET_ROWS, FORGET];
    [&own[..], figures::STATEMENTS].concat()
}

#[cfg(test)]
mod tests;
