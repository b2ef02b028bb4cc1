//! What reports say is wrong with us: an alarm begins once, goes on with each further report of the kind, and ends by a
//! clean report of a later time, by silence where no report is ever clean, or by a person. Belongs into events.db.

use crate::words::{count, foreign, word};
use crate::{Storage, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// What sort of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A source of ours fails DMARC.
    Dmarc,
    /// Mail to our return path fails TLS.
    Tls,
    /// Single mails of a source of ours, or with a signature of ours, fail authentication.
    Auth,
}

impl Kind {
    /// Every one.
    pub const ALL: [Kind; 3] = [Kind::Dmarc, Kind::Tls, Kind::Auth];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Dmarc => "dmarc",
            Kind::Tls => "tls",
            Kind::Auth => "auth",
        }
    }

    /// The kind of a stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportAlarm {
    /// Id.
    pub id: i64,
    /// What sort of report says it.
    pub kind: Kind,
    /// Our domain.
    pub domain: String,
    /// Our address, the TLS policy, or the name of our signing key.
    pub item: String,
    /// Who reported it last.
    pub organization: String,
    /// What is wrong, for people.
    pub text: String,
    /// Messages or sessions that the reports tell of.
    pub total: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Since when.
    pub began_ms: i64,
    /// End of the time that the last such report tells of.
    pub latest_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// What or who ended it.
    pub ended_by: Option<String>,
}

/// What a report says of one thing of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What sort of report.
    pub kind: Kind,
    /// Our domain.
    pub domain: String,
    /// Our address, the TLS policy, or the name of our signing key.
    pub item: String,
    /// Who reports.
    pub organization: String,
    /// What is wrong, for people; `None` where nothing is.
    pub text: Option<String>,
    /// Messages or sessions.
    pub total: u64,
    /// Of these, failed.
    pub failed: u64,
    /// The time that it tells of.
    pub begin_ms: i64,
    /// Its end.
    pub end_ms: i64,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    None,
    /// An alarm began.
    Began,
    /// An alarm ended.
    Ended,
}

const CLEAN: &str = "
    SELECT coalesce(max(clean_ms), 0) FROM report_alarm
    WHERE workspace_id = ?1 AND kind = ?2 AND domain = ?3 AND item = ?4";
const IS_OPEN: &str = "
    SELECT EXISTS (SELECT 1 FROM report_alarm
        WHERE workspace_id = ?1 AND kind = ?2 AND domain = ?3 AND item = ?4 AND ended_ms IS NULL)";
const RAISE: &str = "
    INSERT INTO report_alarm (workspace_id, kind, domain, item, organization, text, total, failed, began_ms, latest_ms)
    VALUES (:workspace_id, :kind, :domain, :item, :organization, :text, :total, :failed, :now_ms, :end_ms)
    ON CONFLICT (workspace_id, kind, domain, item) WHERE ended_ms IS NULL DO UPDATE
    SET organization = excluded.organization, text = excluded.text, total = total + excluded.total,
        failed = failed + excluded.failed, latest_ms = max(latest_ms, excluded.latest_ms)";
// Another organization's clean report says nothing of what this one sees.
const CLEAR: &str = "
    UPDATE report_alarm SET ended_ms = :now_ms, ended_by = :by, clean_ms = :end_ms
    WHERE workspace_id = :workspace_id AND kind = :kind AND domain = :domain AND item = :item AND ended_ms IS NULL
        AND organization = :organization AND latest_ms <= :begin_ms";

/// Lets an alarm begin, go on or end by what a report tells.
///
/// # Errors
/// The database's.
pub fn tell(tx: &Connection, workspace: WorkspaceId, told: &Told, now_ms: i64) -> Result<Change, StorageError> {
    let key = params![workspace, told.kind.as_str(), told.domain, told.item];
    let Some(text) = &told.text else {
        let ended = tx.prepare_cached(CLEAR)?.execute(named_params! {
            ":workspace_id": workspace, ":kind": told.kind.as_str(), ":domain": told.domain, ":item": told.item,
            ":organization": told.organization, ":begin_ms": told.begin_ms, ":end_ms": told.end_ms, ":now_ms": now_ms,
            ":by": format!("a clean report of {}", told.organization),
        })?;
        return Ok(if ended > 0 { Change::Ended } else { Change::None });
    };
    let clean_ms: i64 = tx.prepare_cached(CLEAN)?.query_row(key, |row| row.get(0))?;
    if told.end_ms <= clean_ms {
        return Ok(Change::None);
    }
    let is_open: bool = tx.prepare_cached(IS_OPEN)?.query_row(key, |row| row.get(0))?;
    tx.prepare_cached(RAISE)?.execute(named_params! {
        ":workspace_id": workspace, ":kind": told.kind.as_str(), ":domain": told.domain, ":item": told.item,
        ":organization": told.organization, ":text": text, ":total": foreign(told.total), ":failed": foreign(told.failed),
        ":now_ms": now_ms, ":end_ms": told.end_ms,
    })?;
    Ok(if is_open { Change::None } else { Change::Began })
}

const LIFT: &str = "
    UPDATE report_alarm SET ended_ms = :now_ms, ended_by = :by, clean_ms = :now_ms
    WHERE id = :id AND workspace_id = :workspace_id AND ended_ms IS NULL";

/// A person ends an alarm; the alarm where it was in force.
///
/// # Errors
/// The database's.
pub fn lift(
    tx: &Connection,
    workspace: WorkspaceId,
    id: i64,
    by: &str,
    now_ms: i64,
) -> Result<Option<ReportAlarm>, StorageError> {
    let asked = named_params! { ":id": id, ":workspace_id": workspace, ":by": by, ":now_ms": now_ms };
    if tx.prepare_cached(LIFT)?.execute(asked)? == 0 {
        return Ok(None);
    }
    let mut statement = tx.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const QUIET: &str = "
    UPDATE report_alarm SET ended_ms = :now_ms, ended_by = 'silence', clean_ms = :now_ms
    WHERE id IN (SELECT id FROM report_alarm
        WHERE ended_ms IS NULL AND kind = :kind AND max(latest_ms, began_ms) < :before_ms LIMIT :limit)
    RETURNING workspace_id, domain, item";

/// Ends at most `limit` of the alarms of a kind of which nothing was told since `before_ms`: whose they are, the domain,
/// and what of ours it was. Reports of single failures never say that all is well again.
///
/// # Errors
/// The database's.
pub fn end_quiet(
    tx: &Connection,
    kind: Kind,
    before_ms: i64,
    limit: u32,
    now_ms: i64,
) -> Result<Vec<(WorkspaceId, String, String)>, StorageError> {
    let mut statement = tx.prepare_cached(QUIET)?;
    let asked = named_params! { ":kind": kind.as_str(), ":before_ms": before_ms, ":limit": limit, ":now_ms": now_ms };
    let rows = statement.query_map(asked, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FIND: &str = "
    SELECT id, kind, domain, item, organization, text, total, failed, began_ms, latest_ms, ended_ms, ended_by
    FROM report_alarm WHERE id = :id AND workspace_id = :workspace_id";
const PAGE: &str = "
    SELECT id, kind, domain, item, organization, text, total, failed, began_ms, latest_ms, ended_ms, ended_by
    FROM report_alarm
    WHERE workspace_id = :workspace_id AND (:kind IS NULL OR kind = :kind) AND (:domain IS NULL OR domain = :domain)
        AND (:ended OR ended_ms IS NULL) AND id < :before
    ORDER BY id DESC LIMIT :limit";

/// Which alarms.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// About this domain only.
    pub domain: Option<String>,
    /// Those that have ended too.
    pub ended: bool,
}

/// Alarms with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(
    c: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    before: i64,
    limit: u32,
) -> Result<Vec<ReportAlarm>, StorageError> {
    let mut statement = c.prepare_cached(PAGE)?;
    let asked = named_params! {
        ":workspace_id": workspace, ":kind": filter.kind.map(Kind::as_str), ":domain": filter.domain,
        ":ended": filter.ended, ":before": before, ":limit": limit,
    };
    let rows = statement.query_map(asked, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ReportAlarm> {
    Ok(ReportAlarm {
        id: row.get(0)?,
        kind: word(row, 1, Kind::parse)?,
        domain: row.get(2)?,
        item: row.get(3)?,
        organization: row.get(4)?,
        text: row.get(5)?,
        total: count(row, 6)?,
        failed: count(row, 7)?,
        began_ms: row.get(8)?,
        latest_ms: row.get(9)?,
        ended_ms: row.get(10)?,
        ended_by: row.get(11)?,
    })
}

const OPEN_COUNT: &str = "SELECT count(*) FROM report_alarm WHERE ended_ms IS NULL AND kind = ?1";

/// How many alarms of a kind are in force, of every workspace.
///
/// # Errors
/// The database's.
pub fn open_count(c: &Connection, kind: Kind) -> Result<u64, StorageError> {
    Ok(c.prepare_cached(OPEN_COUNT)?.query_row([kind.as_str()], |row| count(row, 0))?)
}

const FORGET: &str = "
    DELETE FROM report_alarm WHERE id IN
        (SELECT id FROM report_alarm WHERE ended_ms IS NOT NULL AND ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)";

/// Deletes at most `limit` of the alarms that ended before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[CLEAN, IS_OPEN, RAISE, CLEAR, LIFT, QUIET, FIND, PAGE, OPEN_COUNT, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    const WS: WorkspaceId = WorkspaceId::MAIN;

    /// Who reports, days told of, failed; and what follows.
    #[test]
    fn an_alarm_begins_once_and_ends_by_its_own_reporter() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let told = |organization: &str, day: i64, failed: u64| Told {
            kind: Kind::Dmarc,
            domain: "a.example".to_owned(),
            item: "198.51.100.7".to_owned(),
            organization: organization.to_owned(),
            text: (failed > 0).then(|| format!("{failed} of 10 fail")),
            total: 10,
            failed,
            begin_ms: day * 100,
            end_ms: day * 100 + 99,
        };
        let tell_it =
            |told: Told, now_ms: i64| storage.events().write_blocking(move |tx| tell(tx, WS, &told, now_ms)).unwrap();
        for (what, organization, day, failed, expected) in [
            ("clean at first", "big", 1, 0, Change::None),
            ("it fails", "big", 2, 3, Change::Began),
            ("again", "small", 2, 4, Change::None),
            ("somebody else sees nothing", "big", 3, 0, Change::None),
            ("a clean report of the same day", "small", 2, 0, Change::None),
            ("the reporter sees it mended", "small", 3, 0, Change::Ended),
            ("a late report of the time before", "big", 2, 5, Change::None),
            ("it fails again", "big", 4, 5, Change::Began),
        ] {
            assert_eq!(tell_it(told(organization, day, failed), day * 100 + 100), expected, "{what}");
        }
        let all = |ended| {
            let filter = Filter { ended, ..Filter::default() };
            storage.read_blocking(move |c| page(c, WS, &filter, i64::MAX, 10)).unwrap()
        };
        let shown: Vec<_> = all(true).iter().map(|a| (a.total, a.failed, a.organization.clone())).collect();
        assert_eq!(shown, [(10, 5, "big".to_owned()), (20, 7, "small".to_owned())]);
        let open = all(false);
        assert_eq!((open.len(), open[0].ended_by.clone()), (1, None));
        let id = open[0].id;
        let lifted = |now_ms| storage.events().write_blocking(move |tx| lift(tx, WS, id, "ana", now_ms)).unwrap();
        assert_eq!(lifted(700).and_then(|a| a.ended_by), Some("ana".to_owned()));
        assert_eq!(lifted(701), None, "it is over");
        assert_eq!(tell_it(told("big", 5, 1), 710), Change::None, "what tells of the time before is old");
        assert_eq!(tell_it(told("big", 7, 1), 800), Change::Began);
        assert_eq!(storage.read_blocking(|c| open_count(c, Kind::Dmarc)).unwrap(), 1);
    }
    #[test]
    fn an_alarm_that_nothing_ends_is_ended_by_silence() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let raise = move |tx: &crate::Transaction<'_>| {
            for (kind, item, at_ms) in [(Kind::Auth, "old", 100), (Kind::Auth, "new", 200), (Kind::Dmarc, "old", 100)] {
                let told = Told {
                    kind,
                    domain: "a.example".to_owned(),
                    item: item.to_owned(),
                    organization: "big".to_owned(),
                    text: Some("fails".to_owned()),
                    total: 1,
                    failed: 1,
                    // The clock of who reports says nothing of when it came.
                    begin_ms: 50,
                    end_ms: 50,
                };
                assert_eq!(tell(tx, WS, &told, at_ms)?, Change::Began);
            }
            Ok(())
        };
        storage.events().write_blocking(raise).unwrap();
        let end = |before_ms| {
            let end = move |tx: &crate::Transaction<'_>| end_quiet(tx, Kind::Auth, before_ms, 10, 300);
            storage.events().write_blocking(end).unwrap()
        };
        assert_eq!(end(100), []);
        assert_eq!(end(150), [(WS, "a.example".to_owned(), "old".to_owned())]);
        assert_eq!(end(150), []);
        let open = Kind::ALL.map(|kind| storage.read_blocking(move |c| open_count(c, kind)).unwrap());
        assert_eq!(open, [1, 0, 1]);
    }
}
