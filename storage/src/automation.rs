//! What replies and ratios made the engine do by itself. The engine is the only one that begins automations; it keeps
//! those in force in memory too, and reads them back at start.

use crate::event::{Event, Kind, bounded};
use crate::words::word;
use crate::{AutomationId, CampaignId, RecipientId, Storage, StorageError, WorkspaceId, outbox};
use mail::WaitReason;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// What an automation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One source at one site.
    SourceSite,
    /// One source at all sites of a provider.
    SourceProvider,
    /// Mail that one domain signs, at all sites of a provider.
    DomainProvider,
    /// A workspace's mail at all sites of a provider.
    WorkspaceProvider,
    /// A workspace's bulk mail, wherever it goes.
    Workspace,
    /// The bulk mail of one sending domain of a workspace, wherever it goes.
    Domain,
    /// One campaign's mail.
    Campaign,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 7] = [
        Scope::SourceSite,
        Scope::SourceProvider,
        Scope::DomainProvider,
        Scope::WorkspaceProvider,
        Scope::Workspace,
        Scope::Domain,
        Scope::Campaign,
    ];

    /// Whether it is about bulk mail wherever it goes: only figures of reputation lead to that, no reply does.
    #[must_use]
    pub fn is_everywhere(self) -> bool {
        matches!(self, Scope::Workspace | Scope::Domain | Scope::Campaign)
    }

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::SourceSite => "source_site",
            Scope::SourceProvider => "source_provider",
            Scope::DomainProvider => "domain_provider",
            Scope::WorkspaceProvider => "workspace_provider",
            Scope::Workspace => "workspace",
            Scope::Domain => "domain",
            Scope::Campaign => "campaign",
        }
    }

    /// The scope of a stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// An automation, in force or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automation {
    /// Id.
    pub id: AutomationId,
    /// Whose mail led to it.
    pub workspace_id: WorkspaceId,
    /// What it is about.
    pub scope: Scope,
    /// The source, where the scope has one.
    pub source: Option<String>,
    /// The site, where the scope has one.
    pub site: Option<String>,
    /// The provider; empty where it is about mail wherever it goes.
    pub provider: String,
    /// The signing domain, where the scope has one.
    pub domain: Option<String>,
    /// The campaign, where the scope has one.
    pub campaign_id: Option<CampaignId>,
    /// The rule that led to it.
    pub rule: String,
    /// Nothing goes until then.
    pub hold_until_ms: Option<i64>,
    /// Messages at most, as in the configuration.
    pub rate: Option<String>,
    /// Connections at most.
    pub connections: Option<u32>,
    /// Whether one connection is added at a time after the hold.
    pub recovers: bool,
    /// What a person should do.
    pub alarm: Option<String>,
    /// The server's words, or the figures of a ratio.
    pub reply: String,
    /// Since when.
    pub since_ms: i64,
    /// Until when, unless it is ended or extended before.
    pub until_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Who or what ended it before its time.
    pub ended_by: Option<String>,
}

const PUT: &str = "
    INSERT INTO automation (id, workspace_id, scope, source, site, provider, domain, rule, hold_until_ms, rate, connections,
        recovers, alarm, reply, since_ms, until_ms, campaign_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (id) DO UPDATE SET hold_until_ms = excluded.hold_until_ms, connections = excluded.connections,
        reply = excluded.reply, until_ms = excluded.until_ms";

/// Writes an automation as it stands now. `told` is the event's text where people should know of the change.
///
/// # Errors
/// The database's.
pub fn put(tx: &Connection, a: &Automation, told: Option<(i64, &str)>) -> Result<(), StorageError> {
    tx.prepare_cached(PUT)?.execute(params![
        a.id,
        a.workspace_id,
        a.scope.as_str(),
        a.source,
        a.site,
        a.provider,
        a.domain,
        a.rule,
        a.hold_until_ms,
        a.rate,
        a.connections,
        a.recovers,
        a.alarm,
        bounded(&a.reply),
        a.since_ms,
        a.until_ms,
        a.campaign_id,
    ])?;
    match told {
        Some((at_ms, text)) => tell(tx, a, (at_ms, Kind::AutomationBegan), text, None),
        None => Ok(()),
    }
}

/// A statement with all columns in the order of `read`.
macro_rules! all_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, workspace_id, scope, source, site, provider, domain, rule, hold_until_ms, rate, connections, recovers, \
             alarm, reply, since_ms, until_ms, ended_ms, ended_by, campaign_id ",
            $after
        )
    };
}
const END: &str = all_columns!(
    "UPDATE automation SET ended_ms = :at_ms, ended_by = :by WHERE id = :id AND ended_ms IS NULL RETURNING",
    ""
);

/// Ends an automation: its time is over when `by` is `None`. `None` when it is not in force.
///
/// # Errors
/// The database's.
pub fn end(
    tx: &Connection,
    id: AutomationId,
    at_ms: i64,
    by: Option<&str>,
) -> Result<Option<Automation>, StorageError> {
    let mut statement = tx.prepare_cached(END)?;
    let ended = statement.query_row(named_params! { ":id": id, ":at_ms": at_ms, ":by": by }, read).optional()?;
    drop(statement);
    if let Some(ended) = &ended {
        tell(tx, ended, (at_ms, Kind::AutomationEnded), &ended.rule, by)?;
    }
    Ok(ended)
}

const SPAN: &str = "SELECT max(id), count(*) FROM (SELECT id FROM recipient WHERE id > ?1 ORDER BY id LIMIT ?2)";
const RELEASE: &str = "
    UPDATE recipient SET due_ms = :now_ms
    WHERE id > :after AND id <= :last AND state = 'queued' AND wait_reason = :reason AND due_ms > :now_ms
        AND (:workspace_id IS NULL OR workspace_id = :workspace_id)";

/// What waits for this reason, of one workspace or of all, is due now: something that held it was lifted. Looks at `chunk`
/// recipients with ids above `after`; says where to go on, `None` at the end of the queue.
///
/// # Errors
/// The database's.
pub async fn release(
    storage: &Storage,
    (reason, workspace): (WaitReason, Option<WorkspaceId>),
    after: RecipientId,
    chunk: u32,
    now_ms: i64,
) -> Result<Option<RecipientId>, StorageError> {
    let span = move |c: &Connection| -> Result<(Option<RecipientId>, u32), StorageError> {
        Ok(c.prepare_cached(SPAN)?.query_row(params![after, chunk], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    let (Some(last), n) = storage.read(span).await? else { return Ok(None) };
    storage
        .queue()
        .write(move |tx| {
            Ok(tx.prepare_cached(RELEASE)?.execute(named_params! {
                ":now_ms": now_ms, ":after": after, ":last": last, ":reason": reason.as_str(), ":workspace_id": workspace,
            })?)
        })
        .await?;
    Ok((n == chunk).then_some(last))
}

fn tell(
    tx: &Connection,
    a: &Automation,
    (at_ms, kind): (i64, Kind),
    text: &str,
    actor: Option<&str>,
) -> Result<(), StorageError> {
    let event = Event {
        source: a.source.as_deref(),
        site: a.site.as_deref(),
        provider: Some(a.provider.as_str()).filter(|provider| !provider.is_empty()),
        campaign_id: a.campaign_id,
        text: Some(text),
        actor,
        ..Event::new(at_ms, a.workspace_id, kind)
    };
    outbox::put(tx, &event)
}

const OPEN: &str = all_columns!("SELECT", "FROM automation WHERE ended_ms IS NULL ORDER BY id");

/// All that are in force, of every workspace, for the engine's start.
///
/// # Errors
/// The database's.
pub fn open(connection: &Connection) -> Result<Vec<Automation>, StorageError> {
    let mut statement = connection.prepare_cached(OPEN)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM automation";

/// The highest id there is; 0 when there is none.
///
/// # Errors
/// The database's.
pub fn newest(connection: &Connection) -> Result<AutomationId, StorageError> {
    Ok(connection.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?)
}

// What concerns a source concerns everybody who sends from it.
const PAGE: &str = all_columns!(
    "SELECT",
    "FROM automation
     WHERE (workspace_id = :workspace_id OR scope IN ('source_site', 'source_provider')) AND id < :before
     ORDER BY id DESC LIMIT :limit"
);
const PAGE_OPEN: &str = all_columns!(
    "SELECT",
    "FROM automation
     WHERE (workspace_id = :workspace_id OR scope IN ('source_site', 'source_provider')) AND id < :before
        AND ended_ms IS NULL
     ORDER BY id DESC LIMIT :limit"
);
const FIND: &str = all_columns!(
    "SELECT",
    "FROM automation
     WHERE (workspace_id = :workspace_id OR scope IN ('source_site', 'source_provider')) AND id = :id"
);

/// Which automations a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those in force.
    Open,
    /// Ended ones too.
    All,
}

/// What a workspace sees, newest first, with ids below `before` (`i64::MAX` for the first page).
///
/// # Errors
/// The database's.
pub fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    which: Which,
    before: i64,
    limit: u32,
) -> Result<Vec<Automation>, StorageError> {
    let sql = match which {
        Which::Open => PAGE_OPEN,
        Which::All => PAGE,
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":before": before, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One that a workspace sees.
///
/// # Errors
/// The database's.
pub fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    id: AutomationId,
) -> Result<Option<Automation>, StorageError> {
    let mut statement = connection.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":workspace_id": workspace, ":id": id }, read).optional()?)
}

/// Who ends what figures led to when they change: it may be begun again from the same figures.
pub const BY_FIGURES: &str = "reputation";

/// What figures of reputation led to, and when that was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// Whose mail.
    pub workspace_id: WorkspaceId,
    /// What it was about.
    pub scope: Scope,
    /// The sending domain, where the scope has one.
    pub domain: Option<String>,
    /// The campaign, where the scope has one.
    pub campaign_id: Option<CampaignId>,
    /// When it was over: its time was, or a person lifted it.
    pub ended_ms: i64,
}

const ACTED: &str = "
    SELECT workspace_id, scope, domain, campaign_id, max(ended_ms) FROM automation
    WHERE scope IN ('workspace', 'domain', 'campaign') AND ended_ms >= ?1 AND ended_by IS NOT ?2
    GROUP BY 1, 2, 3, 4";

/// What was over at `since_ms` or later, each subject once: what came before that has been acted on.
///
/// # Errors
/// The database's.
pub fn acted(connection: &Connection, since_ms: i64) -> Result<Vec<Acted>, StorageError> {
    let mut statement = connection.prepare_cached(ACTED)?;
    let rows = statement.query_map(params![since_ms, BY_FIGURES], |row| {
        Ok(Acted {
            workspace_id: row.get(0)?,
            scope: word(row, 1, Scope::parse)?,
            domain: row.get(2)?,
            campaign_id: row.get(3)?,
            ended_ms: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FORGET: &str = "
    DELETE FROM automation
    WHERE id IN (SELECT id FROM automation ORDER BY id LIMIT ?2) AND ended_ms IS NOT NULL AND ended_ms < ?1
        AND id < (SELECT max(id) FROM automation)";

/// Deletes at most `limit` of the oldest that ended before `before_ms`; says how many. Never the newest: its id tells
/// the next start which ids are used.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Automation> {
    Ok(Automation {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        scope: word(row, 2, Scope::parse)?,
        source: row.get(3)?,
        site: row.get(4)?,
        provider: row.get(5)?,
        domain: row.get(6)?,
        rule: row.get(7)?,
        hold_until_ms: row.get(8)?,
        rate: row.get(9)?,
        connections: row.get(10)?,
        recovers: row.get(11)?,
        alarm: row.get(12)?,
        reply: row.get(13)?,
        since_ms: row.get(14)?,
        until_ms: row.get(15)?,
        ended_ms: row.get(16)?,
        ended_by: row.get(17)?,
        campaign_id: row.get(18)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[PUT, END, SPAN, RELEASE, OPEN, NEWEST, PAGE, PAGE_OPEN, FIND, ACTED, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{self, NewRecipient, Origin};
    use crate::{ContactId, OpenOptions, address_hash};
    use mail::{Address, StreamKind};

    fn row(id: i64, workspace: i64, scope: Scope) -> Automation {
        let of_source = matches!(scope, Scope::SourceSite | Scope::SourceProvider);
        Automation {
            id: AutomationId(id),
            workspace_id: WorkspaceId(workspace),
            scope,
            source: of_source.then(|| "mx1".to_owned()),
            site: None,
            provider: "Google".to_owned(),
            domain: None,
            campaign_id: None,
            rule: "rule".to_owned(),
            hold_until_ms: Some(600),
            rate: None,
            connections: Some(1),
            recovers: true,
            alarm: None,
            reply: "421".to_owned(),
            since_ms: 0,
            until_ms: 900,
            ended_ms: None,
            ended_by: None,
        }
    }

    fn storage() -> (Storage, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap(), dir)
    }

    #[test]
    fn scopes_read_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::parse("everywhere"), None);
    }

    #[test]
    fn begun_extended_ended_forgotten() {
        let (storage, _dir) = storage();
        let write = |work: fn(&Connection) -> Result<usize, StorageError>| {
            storage.queue().write_blocking(move |tx| work(tx)).unwrap()
        };
        write(|tx| {
            put(tx, &row(1, 1, Scope::WorkspaceProvider), Some((0, "began")))?;
            put(tx, &row(2, 2, Scope::WorkspaceProvider), None)?;
            put(tx, &row(3, 2, Scope::SourceProvider), None)?;
            put(
                tx,
                &Automation { connections: Some(2), until_ms: 1_000, ..row(1, 1, Scope::WorkspaceProvider) },
                None,
            )?;
            Ok(end(tx, AutomationId(1), 950, None)?.map_or(0, |ended| ended.until_ms as usize))
        });
        let seen = |which| -> Vec<i64> {
            let rows = storage.read_blocking(|c| page(c, WorkspaceId(1), which, i64::MAX, 10)).unwrap();
            rows.iter().map(|row| row.id.0).collect()
        };
        assert_eq!((seen(Which::Open), seen(Which::All)), (vec![3], vec![3, 1]));
        let open: Vec<i64> = storage.read_blocking(open).unwrap().iter().map(|row| row.id.0).collect();
        assert_eq!(open, [2, 3]);
        let first = storage.read_blocking(|c| find(c, WorkspaceId(1), AutomationId(1))).unwrap().unwrap();
        assert_eq!(
            (first.connections, first.until_ms, first.ended_ms, first.ended_by),
            (Some(2), 1_000, Some(950), None)
        );
        assert_eq!(write(|tx| Ok(usize::from(end(tx, AutomationId(1), 960, Some("twice"))?.is_some()))), 0);
        assert_eq!(storage.read_blocking(crate::outbox::waiting).unwrap(), 2, "one began, one ended");
        assert_eq!(write(|tx| forget(tx, 940, 10)), 0);
        assert_eq!(write(|tx| forget(tx, 2_000, 10)), 1, "what is in force stays");
        assert_eq!(storage.read_blocking(newest).unwrap(), AutomationId(3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waited_for_it_is_due() {
        let (storage, _dir) = storage();
        let recipient = |contact: i64, workspace: i64| {
            let address = Address::parse(&format!("c{contact}@a.example")).unwrap();
            NewRecipient {
                workspace_id: WorkspaceId(workspace),
                origin: Origin::Campaign { campaign: CampaignId(1), contact: ContactId(contact) },
                address_hash: address_hash(&address),
                domain: address.domain().to_string(),
                address: address.to_string(),
                stream: "bulk".to_owned(),
                kind: StreamKind::Bulk,
                pool: "default".to_owned(),
                due_ms: 0,
                accepted_ms: 0,
                expires_ms: 1_000_000,
                dsn_notify: None,
                dsn_orcpt: None,
            }
        };
        let rows: Vec<_> = [(1, 1), (2, 1), (3, 2)].map(|(contact, ws)| recipient(contact, ws)).into();
        storage
            .queue()
            .write(move |tx| {
                queue::enqueue(tx, &rows)?;
                // Two are held because of their domain, the second for something else.
                let waits = [(1, "domain_hold"), (2, "rate"), (3, "domain_hold")];
                for (id, reason) in waits {
                    tx.execute("UPDATE recipient SET due_ms = 5000, wait_reason = ?2 WHERE id = ?1", (id, reason))?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let (mut after, mut rounds) = (RecipientId(0), 0);
        while let Some(next) =
            release(&storage, (WaitReason::DomainHold, Some(WorkspaceId(1))), after, 1, 100).await.unwrap()
        {
            (after, rounds) = (next, rounds + 1);
        }
        assert_eq!(rounds, 3);
        let due = storage.read(|c| {
            let mut statement = c.prepare("SELECT due_ms FROM recipient ORDER BY id")?;
            let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        assert_eq!(due.await.unwrap(), [100, 5_000, 5_000]);
    }
}
