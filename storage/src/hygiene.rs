//! List hygiene: who is mailed and stays silent, what the rules say about them, and what they did.
//!
//! Who was mailed is taken from the events, some time after the delivery: no delivery waits for it.

use crate::contact::Member;
use crate::event::Kind;
use crate::suppression::{self, NewSuppression, Removal, SuppressionReason, usual_covers};
use crate::tag::{self, TagId};
use crate::{ContactId, Storage, StorageError, SuppressionId, WorkspaceId, meta};
use api_types::HygieneSettings;
use mail::Address;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Events looked at in one commit.
const CHUNK: u32 = 2000;
/// Runs that are kept of each workspace.
const RUNS_KEPT: u32 = 1000;
/// Up to which event the deliveries are noted.
const NOTED: &str = "hygiene_noted_event";

// In the order of ids, which is that of time.
const DELIVERED: &str = "
    SELECT id, contact_id, workspace_id, at_ms, kind FROM event WHERE id > ?1 ORDER BY id LIMIT ?2";
// To the day: most mails of most contacts change nothing.
const NOTE: &str = "
    INSERT INTO contact_mailed (contact_id, workspace_id, first_ms, last_ms)
    SELECT id, workspace_id, ?3, ?3 FROM contact WHERE id = ?1 AND workspace_id = ?2
    ON CONFLICT (contact_id) DO UPDATE SET last_ms = excluded.last_ms WHERE excluded.last_ms >= last_ms + 86400000";

/// Notes who was mailed, of the next events; says whether there may be more. Crashing in between changes nothing.
///
/// # Errors
/// The database's.
pub async fn note_mailed(storage: &Storage) -> Result<bool, StorageError> {
    let (rows, last) = storage
        .read(|c| {
            let noted = meta::get(c, NOTED)?.and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes);
            let mut statement = c.prepare_cached(DELIVERED)?;
            let mut found = statement.query(params![noted, CHUNK])?;
            let (mut rows, mut last, mut read) = (Vec::new(), noted, 0);
            while let Some(row) = found.next()? {
                (last, read) = (row.get(0)?, read + 1);
                let contact: Option<ContactId> = row.get(1)?;
                let delivered = row.get::<_, String>(4)? == Kind::Delivered.as_str();
                if let Some(contact) = contact.filter(|_| delivered) {
                    rows.push((contact, row.get::<_, WorkspaceId>(2)?, row.get::<_, i64>(3)?));
                }
            }
            Ok((rows, (read > 0).then_some((last, read == CHUNK))))
        })
        .await?;
    let Some((last, more)) = last else { return Ok(false) };
    storage
        .main()
        .write(move |tx| {
            let mut note = tx.prepare_cached(NOTE)?;
            for (contact, workspace, at_ms) in rows {
                note.execute(params![contact, workspace, at_ms])?;
            }
            meta::set(tx, NOTED, &last.to_be_bytes())?;
            Ok(more)
        })
        .await
}

const GET: &str = "SELECT settings FROM hygiene WHERE workspace_id = ?1";

/// The workspace's rules; all of them off where it has none.
///
/// # Errors
/// The database's.
pub fn get(tx: &Connection, workspace: WorkspaceId) -> Result<HygieneSettings, StorageError> {
    let found: Option<String> = tx.prepare_cached(GET)?.query_row([workspace], |row| row.get(0)).optional()?;
    found.map_or_else(|| Ok(HygieneSettings::default()), parse)
}

fn parse(text: String) -> Result<HygieneSettings, StorageError> {
    serde_json::from_str(&text).map_err(|_| StorageError::Damaged { what: "hygiene.settings", value: text })
}

const PUT: &str = "
    INSERT INTO hygiene (workspace_id, settings, updated_ms, updated_by) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (workspace_id) DO UPDATE SET
        settings = excluded.settings, updated_ms = excluded.updated_ms, updated_by = excluded.updated_by";

/// Replaces the workspace's rules.
///
/// # Errors
/// The database's.
pub fn put(
    tx: &Connection,
    workspace: WorkspaceId,
    settings: &HygieneSettings,
    by: &str,
    now_ms: i64,
) -> Result<(), StorageError> {
    // Serializing numbers and a text cannot fail.
    let text = serde_json::to_string(settings).unwrap_or_else(|_| "{}".to_owned());
    tx.prepare_cached(PUT)?.execute(params![workspace, text, now_ms, by])?;
    Ok(())
}

const ALL: &str = "SELECT workspace_id, settings FROM hygiene ORDER BY workspace_id";

/// The rules of all workspaces that have some.
///
/// # Errors
/// The database's.
pub fn all(tx: &Connection) -> Result<Vec<(WorkspaceId, HygieneSettings)>, StorageError> {
    let mut statement = tx.prepare_cached(ALL)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| row.map_err(StorageError::from).and_then(|(id, text)| Ok((id, parse(text)?)))).collect()
}

const ENGAGED_SINCE: &str = "
    SELECT EXISTS (SELECT 1 FROM contact INDEXED BY contact_engaged
                   WHERE workspace_id = ?1 AND engaged_ms IS NOT NULL AND engaged_ms >= ?2)";

/// Whether any contact was engaged since then: where none was, nothing measures it, and silence says nothing.
///
/// # Errors
/// The database's.
pub fn engaged_since(tx: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(ENGAGED_SINCE)?.query_row(params![workspace, since_ms], |row| row.get(0))?)
}

/// Keeps marketing mail from those who stayed silent; says from how many it was not kept before. Belongs into the writer
/// of queue.db.
///
/// # Errors
/// The database's.
pub fn sunset(
    tx: &Connection,
    workspace: WorkspaceId,
    (members, months): (&[Member], u32),
    now_ms: i64,
) -> Result<u64, StorageError> {
    let origin = format!("mailed for {months} months without a sign of engagement");
    let reason = SuppressionReason::Sunset;
    let mut changed = 0;
    for member in members {
        // It was parsed when the contact was made.
        let Ok(address) = Address::parse(&member.email) else { continue };
        let new = NewSuppression {
            workspace_id: workspace,
            address: &address,
            covers: usual_covers(reason),
            reason,
            origin: &origin,
            recipient_id: None,
            campaign_id: None,
            contact_id: Some(member.id),
            created_by: None,
            now_ms,
            expires_ms: None,
        };
        changed += u64::from(suppression::add(tx, &new)?);
    }
    Ok(changed)
}

const CAME_BACK: &str = "
    SELECT s.id, s.workspace_id, c.id, c.engaged_ms > s.created_ms
    FROM suppression s INDEXED BY suppression_sunset
    LEFT JOIN contact c ON c.workspace_id = s.workspace_id AND c.address_hash = s.address_hash
    WHERE s.reason = 'sunset' AND s.id > ?1 ORDER BY s.id LIMIT ?2";

/// Lifts what silence led to of those who were engaged since, of the entries behind `after`; says up to where it looked
/// and how many it lifted. `None` when there is nothing behind.
///
/// # Errors
/// The database's.
pub async fn lift(
    storage: &Storage,
    after: SuppressionId,
    now_ms: i64,
) -> Result<Option<(SuppressionId, usize)>, StorageError> {
    type Entry = (SuppressionId, WorkspaceId, Option<ContactId>, Option<bool>);
    let rows: Vec<Entry> = storage
        .read(move |c| {
            let mut statement = c.prepare_cached(CAME_BACK)?;
            let rows = statement
                .query_map(params![after, CHUNK], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    let Some(&(last, ..)) = rows.last() else { return Ok(None) };
    let back: Vec<Entry> = rows.into_iter().filter(|(.., engaged)| *engaged == Some(true)).collect();
    if back.is_empty() {
        return Ok(Some((last, 0)));
    }
    let lifted = storage.queue().write(move |tx| {
        let mut lifted = 0;
        for (id, workspace, contact, _) in back {
            // Another reason may have taken its place since it was looked at.
            let still = suppression::find(tx, workspace, id)?;
            if still.is_none_or(|entry| entry.reason != SuppressionReason::Sunset) {
                continue;
            }
            let removal = Removal { why: "engaged again", actor: None, recipient_id: None, campaign_id: None, now_ms };
            lifted += usize::from(suppression::remove(tx, workspace, (id, contact), removal)?.is_some());
        }
        Ok(lifted)
    });
    Ok(Some((last, lifted.await?)))
}

const SUNSET_NOW: &str = "
    SELECT count(*) FROM suppression INDEXED BY suppression_sunset WHERE reason = 'sunset' AND workspace_id = ?1";

/// How many addresses the rule keeps mail from now.
///
/// # Errors
/// The database's.
pub fn sunset_now(connection: &Connection, workspace: WorkspaceId) -> Result<u64, StorageError> {
    Ok(connection.prepare_cached(SUNSET_NOW)?.query_row([workspace], |row| crate::words::count(row, 0))?)
}

/// Puts the tag on contacts; says how many did not have it.
///
/// # Errors
/// The database's.
pub fn tag(tx: &Connection, workspace: WorkspaceId, name: &str, members: &[Member]) -> Result<u64, StorageError> {
    let tag: TagId = tag::ensure(tx, workspace, name)?;
    let mut added = 0;
    for member in members {
        // Deleted meanwhile: a tag of nobody.
        if crate::contact::find(tx, workspace, member.id)?.is_some() {
            added += u64::from(tag::add(tx, tag, member.id)?);
        }
    }
    Ok(added)
}

const UNTAG: &str = "
    DELETE FROM contact_tag
    WHERE contact_id = ?1 AND tag_id = (SELECT id FROM tag WHERE workspace_id = ?2 AND name = ?3)";

/// Takes the tag off contacts that are silent no more.
///
/// # Errors
/// The database's.
pub fn untag(tx: &Connection, workspace: WorkspaceId, name: &str, members: &[Member]) -> Result<(), StorageError> {
    for member in members {
        tx.prepare_cached(UNTAG)?.execute(params![member.id, workspace, name])?;
    }
    Ok(())
}

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Silent contacts get no marketing mail any more.
    Sunset,
    /// Contacts that have become silent get a tag.
    Reengage,
}

impl Rule {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Sunset => "sunset",
            Rule::Reengage => "reengage",
        }
    }
}

/// What a rule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The stored word of the rule.
    pub rule: String,
    /// Who began it.
    pub started_by: String,
    /// When.
    pub started_ms: i64,
    /// When it ended.
    pub finished_ms: Option<i64>,
    /// Contacts that were changed.
    pub changed: u64,
}

const BEGIN: &str = "
    INSERT INTO hygiene_run (workspace_id, rule, started_by, started_ms) VALUES (?1, ?2, ?3, ?4)";
const TIDY: &str = "
    DELETE FROM hygiene_run WHERE workspace_id = ?1 AND id <=
        (SELECT id FROM hygiene_run WHERE workspace_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";

/// Notes that a rule begins, and forgets the oldest runs; its number.
///
/// # Errors
/// The database's.
pub fn begin(
    tx: &Connection,
    (workspace, rule): (WorkspaceId, Rule),
    by: &str,
    now_ms: i64,
) -> Result<i64, StorageError> {
    tx.prepare_cached(BEGIN)?.execute(params![workspace, rule.as_str(), by, now_ms])?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached(TIDY)?.execute(params![workspace, RUNS_KEPT])?;
    Ok(id)
}

const PROGRESS: &str = "
    UPDATE hygiene_run SET changed = :changed, finished_ms = :finished_ms
    WHERE id = :id AND workspace_id = :workspace_id";

/// Notes how far a run is, or that it has ended.
///
/// # Errors
/// The database's.
pub fn progress(
    tx: &Connection,
    (workspace, id): (WorkspaceId, i64),
    changed: u64,
    finished_ms: Option<i64>,
) -> Result<(), StorageError> {
    tx.prepare_cached(PROGRESS)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":changed": i64::try_from(changed).unwrap_or(i64::MAX),
        ":finished_ms": finished_ms,
    })?;
    Ok(())
}

const RUNS: &str = "
    SELECT rule, started_by, started_ms, finished_ms, changed
    FROM hygiene_run WHERE workspace_id = ?1 ORDER BY id DESC LIMIT ?2";
const LAST: &str = "
    SELECT max(started_ms) FROM hygiene_run WHERE workspace_id = ?1 AND rule = ?2 AND finished_ms IS NOT NULL";

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        rule: row.get(0)?,
        started_by: row.get(1)?,
        started_ms: row.get(2)?,
        finished_ms: row.get(3)?,
        changed: crate::words::count(row, 4)?,
    })
}

/// The last runs, newest first.
///
/// # Errors
/// The database's.
pub fn runs(tx: &Connection, workspace: WorkspaceId, limit: u32) -> Result<Vec<Run>, StorageError> {
    let mut statement = tx.prepare_cached(RUNS)?;
    let rows = statement.query_map(params![workspace, limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When a rule last began that came to its end.
///
/// # Errors
/// The database's.
pub fn last_run(tx: &Connection, workspace: WorkspaceId, rule: Rule) -> Result<Option<i64>, StorageError> {
    Ok(tx.prepare_cached(LAST)?.query_row(params![workspace, rule.as_str()], |row| row.get(0))?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[DELIVERED, NOTE, GET, PUT, ALL, ENGAGED_SINCE, CAME_BACK, SUNSET_NOW, UNTAG, BEGIN, TIDY, PROGRESS, RUNS, LAST];

#[cfg(test)]
mod tests;
