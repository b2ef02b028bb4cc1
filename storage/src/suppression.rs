//! Addresses that nothing is sent to. Keyed by the hash of the normalized address, so that an entry outlives the
//! contact. Checked in the commit that marks a recipient as being sent, which is the last moment.
//!
//! An entry is of one workspace, or of the whole installation ([`WorkspaceId::NONE`]), and covers bulk mail or every
//! mail: who unsubscribes or complains still gets the receipt of an order, who does not exist gets nothing.

use crate::event::{Event, Kind};
use crate::words::word;
use crate::{
    AddressHash, CampaignId, ContactId, RecipientId, StorageError, SuppressionId, WorkspaceId, address_hash, outbox,
};
use mail::{Address, StreamKind};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params, params_from_iter};

pub use api_types::{SuppressionCovers, SuppressionReason};

/// The stored word of a reason.
#[must_use]
pub fn reason_word(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::HardBounce => "hard_bounce",
        SuppressionReason::SoftBounces => "soft_bounces",
        SuppressionReason::Complaint => "complaint",
        SuppressionReason::Unsubscribe => "unsubscribe",
        SuppressionReason::Paused => "paused",
        SuppressionReason::Sunset => "sunset",
        SuppressionReason::Manual => "manual",
        SuppressionReason::Import => "import",
    }
}

/// The reason of a stored word.
#[must_use]
pub fn reason_of(word: &str) -> Option<SuppressionReason> {
    Some(match word {
        "hard_bounce" => SuppressionReason::HardBounce,
        "soft_bounces" => SuppressionReason::SoftBounces,
        "complaint" => SuppressionReason::Complaint,
        "unsubscribe" => SuppressionReason::Unsubscribe,
        "paused" => SuppressionReason::Paused,
        "sunset" => SuppressionReason::Sunset,
        "manual" => SuppressionReason::Manual,
        "import" => SuppressionReason::Import,
        _ => return None,
    })
}

/// The stored word of what an entry covers.
#[must_use]
pub fn covers_word(covers: SuppressionCovers) -> &'static str {
    match covers {
        SuppressionCovers::Marketing => "marketing",
        SuppressionCovers::All => "all",
    }
}

/// What the stored word says that an entry covers.
#[must_use]
pub fn covers_of(word: &str) -> Option<SuppressionCovers> {
    Some(match word {
        "marketing" => SuppressionCovers::Marketing,
        "all" => SuppressionCovers::All,
        _ => return None,
    })
}

/// What an entry covers where nobody said it: who wants no marketing still gets what they asked for.
#[must_use]
pub fn usual_covers(reason: SuppressionReason) -> SuppressionCovers {
    match reason {
        SuppressionReason::Complaint
        | SuppressionReason::Unsubscribe
        | SuppressionReason::Paused
        | SuppressionReason::Sunset => SuppressionCovers::Marketing,
        SuppressionReason::HardBounce
        | SuppressionReason::SoftBounces
        | SuppressionReason::Manual
        | SuppressionReason::Import => SuppressionCovers::All,
    }
}

/// An entry to add.
#[derive(Clone, Debug)]
pub struct NewSuppression<'a> {
    /// Whose list; [`WorkspaceId::NONE`] for that of the whole installation.
    pub workspace_id: WorkspaceId,
    /// The address.
    pub address: &'a Address,
    /// Which mail is not sent.
    pub covers: SuppressionCovers,
    /// Why.
    pub reason: SuppressionReason,
    /// What led to it: the server's words, the campaign, a note.
    pub origin: &'a str,
    /// The recipient whose outcome led to it.
    pub recipient_id: Option<RecipientId>,
    /// The campaign it came from.
    pub campaign_id: Option<CampaignId>,
    /// The contact whose timeline shows it.
    pub contact_id: Option<ContactId>,
    /// Who did it, when a person did.
    pub created_by: Option<&'a str>,
    /// Now.
    pub now_ms: i64,
    /// When it ends, if not never.
    pub expires_ms: Option<i64>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Id.
    pub id: SuppressionId,
    /// Whose; [`WorkspaceId::NONE`] where it is of the whole installation.
    pub workspace_id: WorkspaceId,
    /// Which mail is not sent.
    pub covers: SuppressionCovers,
    /// The address; absent where only its hash is kept.
    pub address: Option<String>,
    /// Why.
    pub reason: SuppressionReason,
    /// What led to it.
    pub origin: String,
    /// The recipient whose outcome led to it.
    pub recipient_id: Option<RecipientId>,
    /// The campaign it came from.
    pub campaign_id: Option<CampaignId>,
    /// Who did it, when a person did.
    pub created_by: Option<String>,
    /// Since when.
    pub created_ms: i64,
    /// Until when, if not for ever.
    pub expires_ms: Option<i64>,
}

const CHECK: &str = "
    SELECT reason FROM suppression
    WHERE workspace_id IN (0, ?1) AND address_hash = ?2 AND (covers = 'all' OR ?4 = 'bulk')
        AND (expires_ms IS NULL OR expires_ms > ?3)
    LIMIT 1";

/// Why no mail of this kind is sent to this address now, if so.
///
/// # Errors
/// The database's.
pub fn check(
    connection: &Connection,
    workspace: WorkspaceId,
    (hash, kind): (&AddressHash, StreamKind),
    now_ms: i64,
) -> Result<Option<SuppressionReason>, StorageError> {
    let mut statement = connection.prepare_cached(CHECK)?;
    let found = statement.query_row(params![workspace, hash, now_ms, kind.as_str()], |row| word(row, 0, reason_of));
    Ok(found.optional()?)
}

// An entry that is in force stays as it is: the first reason is the one that counts. One that has ended begins anew; and
// one that ends by itself gives way to what does not, else who unsubscribes in a pause would get mail after it.
const ADD: &str = "
    INSERT INTO suppression (workspace_id, address_hash, address, reason, origin, recipient_id, campaign_id, created_by,
        created_ms, expires_ms, covers)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (workspace_id, address_hash, covers) DO UPDATE SET
        address = excluded.address, reason = excluded.reason, origin = excluded.origin,
        recipient_id = excluded.recipient_id, campaign_id = excluded.campaign_id, created_by = excluded.created_by,
        created_ms = excluded.created_ms, expires_ms = excluded.expires_ms
    WHERE expires_ms <= excluded.created_ms
        OR (reason IN ('paused', 'sunset') AND excluded.reason NOT IN ('paused', 'sunset'))
        OR (expires_ms IS NOT NULL AND excluded.reason IN ('unsubscribe', 'complaint'))";

/// Puts an address on the list; `false` when it stood there already. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn add(tx: &Connection, new: &NewSuppression<'_>) -> Result<bool, StorageError> {
    let normalized = new.address.normalized();
    let changed = tx.prepare_cached(ADD)?.execute(params![
        new.workspace_id,
        address_hash(new.address),
        normalized,
        reason_word(new.reason),
        crate::event::bounded(new.origin),
        new.recipient_id,
        new.campaign_id,
        new.created_by,
        new.now_ms,
        new.expires_ms,
        covers_word(new.covers),
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    let text = format!("{}: {}", reason_word(new.reason), new.origin);
    outbox::put(
        tx,
        &Event {
            recipient_id: new.recipient_id,
            campaign_id: new.campaign_id,
            contact_id: new.contact_id,
            text: Some(&text),
            actor: new.created_by,
            ..Event::new(new.now_ms, new.workspace_id, Kind::SuppressionAdded)
        },
    )?;
    Ok(true)
}

/// A statement with all columns in the order of `read`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, address, reason, origin, recipient_id, campaign_id, created_by, created_ms, expires_ms, \
             workspace_id, covers FROM suppression ",
            $rest
        )
    };
}

const FIND: &str = select!("WHERE id = :id AND workspace_id = :workspace_id");
const REMOVE: &str = "DELETE FROM suppression WHERE id = :id AND workspace_id = :workspace_id";

/// Takes an address off the list; who and why go into the event. `None` when it was not there.
///
/// # Errors
/// The database's.
pub fn remove(
    tx: &Connection,
    workspace: WorkspaceId,
    id: SuppressionId,
    (actor, why): (&str, &str),
    now_ms: i64,
) -> Result<Option<Suppression>, StorageError> {
    let found =
        tx.prepare_cached(FIND)?.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?;
    let Some(found) = found else { return Ok(None) };
    tx.prepare_cached(REMOVE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })?;
    let text = format!("{}: {why}", reason_word(found.reason));
    outbox::put(
        tx,
        &Event {
            recipient_id: found.recipient_id,
            campaign_id: found.campaign_id,
            text: Some(&text),
            actor: Some(actor),
            ..Event::new(now_ms, workspace, Kind::SuppressionRemoved)
        },
    )?;
    Ok(Some(found))
}

const OF_HASH: &str = select!(
    "WHERE workspace_id IN (0, :workspace_id) AND address_hash = :address_hash ORDER BY covers, workspace_id DESC"
);

/// The entries of an address that the workspace is bound by, in force or ended; those that cover most first.
///
/// # Errors
/// The database's.
pub fn of_hash(
    connection: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
) -> Result<Vec<Suppression>, StorageError> {
    let mut statement = connection.prepare_cached(OF_HASH)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace, ":address_hash": hash }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a page of the list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only addresses that contain this.
    pub q: String,
    /// Only this reason.
    pub reason: Option<SuppressionReason>,
    /// Only those of the whole installation, or only the workspace's own.
    pub global: Option<bool>,
}

/// Entries with ids below `before` (`i64::MAX` for the first page), newest first.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    before: i64,
    limit: u32,
) -> Result<Vec<Suppression>, StorageError> {
    // The `+` keeps the planner on the primary key, whose order is wanted.
    let mut sql = select!("WHERE +workspace_id IN (0, ?) AND id < ?").to_owned();
    let mut values: Vec<Value> = vec![workspace.0.into(), before.into()];
    narrow(&mut sql, &mut values, filter);
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::from(limit).into());
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many entries match.
///
/// # Errors
/// The database's.
pub fn count(connection: &Connection, workspace: WorkspaceId, filter: &Filter) -> Result<u64, StorageError> {
    let mut sql = "SELECT count(*) FROM suppression WHERE workspace_id IN (0, ?)".to_owned();
    let mut values: Vec<Value> = vec![workspace.0.into()];
    narrow(&mut sql, &mut values, filter);
    Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| crate::words::count(row, 0))?)
}

fn narrow(sql: &mut String, values: &mut Vec<Value>, filter: &Filter) {
    if let Some(reason) = filter.reason {
        sql.push_str(" AND reason = ?");
        values.push(reason_word(reason).to_owned().into());
    }
    if let Some(global) = filter.global {
        sql.push_str(if global { " AND +workspace_id = 0" } else { " AND +workspace_id <> 0" });
    }
    let q = filter.q.trim().to_lowercase();
    if !q.is_empty() {
        sql.push_str(" AND instr(address, ?) > 0");
        values.push(q.into());
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Suppression> {
    Ok(Suppression {
        id: row.get(0)?,
        address: row.get(1)?,
        reason: word(row, 2, reason_of)?,
        origin: row.get(3)?,
        recipient_id: row.get(4)?,
        campaign_id: row.get(5)?,
        created_by: row.get(6)?,
        created_ms: row.get(7)?,
        expires_ms: row.get(8)?,
        workspace_id: row.get(9)?,
        covers: word(row, 10, covers_of)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[CHECK, ADD, FIND, REMOVE, OF_HASH];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    const OTHER: WorkspaceId = WorkspaceId(2);

    /// Who gets what, with one entry on the lists.
    #[test]
    fn an_entry_keeps_away_what_it_covers_from_whom_it_binds() {
        use SuppressionCovers::{All, Marketing};
        let (bulk, single) = (StreamKind::Bulk, StreamKind::Transactional);
        let main = WorkspaceId::MAIN;
        for (owner, covers, away) in [
            (main, Marketing, &[(main, bulk)][..]),
            (main, All, &[(main, bulk), (main, single)]),
            (OTHER, All, &[(OTHER, bulk), (OTHER, single)]),
            (WorkspaceId::NONE, Marketing, &[(main, bulk), (OTHER, bulk)]),
            (WorkspaceId::NONE, All, &[(main, bulk), (main, single), (OTHER, bulk), (OTHER, single)]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
            let address = Address::parse("Ana@gull.example").unwrap();
            let hash = address_hash(&address);
            let add_it = move |tx: &crate::Transaction<'_>| {
                let new = NewSuppression {
                    workspace_id: owner,
                    address: &address,
                    covers,
                    reason: SuppressionReason::Manual,
                    origin: "asked by telephone",
                    recipient_id: None,
                    campaign_id: None,
                    contact_id: None,
                    created_by: Some("ana"),
                    now_ms: 10,
                    expires_ms: Some(20),
                };
                Ok([add(tx, &new)?, add(tx, &new)?])
            };
            assert_eq!(storage.queue().write_blocking(add_it).unwrap(), [true, false], "it stands there once");
            let ask = |workspace, kind, now_ms| {
                storage.read_blocking(|c| check(c, workspace, (&hash, kind), now_ms)).unwrap().is_some()
            };
            for workspace in [main, OTHER] {
                for kind in [bulk, single] {
                    let expected = away.contains(&(workspace, kind));
                    assert_eq!(ask(workspace, kind, 19), expected, "{owner} {covers:?}: {workspace} {kind}");
                    assert!(!ask(workspace, kind, 20), "it has ended");
                }
            }
        }
    }
}
