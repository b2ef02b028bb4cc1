//! Everything that a workspace sent to one address: submitted mail by the address itself, campaigns' mail by the contact
//! that has or had it. No index by address is needed for campaigns, which would cost each of their recipients a page of
//! the disk: a workspace has few campaigns, and each is asked for the contact.

use crate::queue::{DONE_COLUMNS, LIVE_COLUMNS, Recipient, read_recipient};
use crate::response::Response;
use crate::words::word;
use crate::{AddressHash, ContactId, RecipientId, StorageError, WorkspaceId};
use rusqlite::{Connection, named_params, params};

/// Contacts that had the address, at most.
const CONTACTS_MAX: u32 = 20;
/// Of submitted mail, so many of the newest are asked for what came back.
const SUBMITTED_MAX: u32 = 10_000;

const REMEMBER: &str = "
    INSERT INTO contact_past_address (workspace_id, address_hash, contact_id, until_ms)
    SELECT workspace_id, address_hash, id, ?3 FROM contact
    WHERE id = ?1 AND workspace_id = ?2 AND address_hash IS NOT ?4
    ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms";

/// Remembers a contact's address before it is given up for another, or for none. Belongs into the writer of main.db.
pub(crate) fn remember(
    tx: &Connection,
    (workspace, contact): (WorkspaceId, ContactId),
    next: Option<&AddressHash>,
    now_ms: i64,
) -> Result<(), StorageError> {
    tx.prepare_cached(REMEMBER)?.execute(params![contact, workspace, now_ms, next])?;
    Ok(())
}

const FORGET: &str = "
    DELETE FROM contact_past_address WHERE (workspace_id, address_hash, contact_id) IN
        (SELECT workspace_id, address_hash, contact_id FROM contact_past_address
         WHERE until_ms < ?1 ORDER BY until_ms LIMIT ?2)";

/// Forgets at most `limit` of the addresses that were given up before `before_ms`; says how many. Call again until 0.
/// Belongs into the writer of main.db.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

const CONTACTS: &str = "
    SELECT id FROM contact WHERE workspace_id = :workspace_id AND address_hash = :hash
    UNION ALL
    SELECT contact_id FROM contact_past_address WHERE workspace_id = :workspace_id AND address_hash = :hash
    LIMIT :limit";

/// The contacts that have the address (the first one, if so) or had it.
fn contacts(c: &Connection, workspace: WorkspaceId, hash: &AddressHash) -> Result<Vec<ContactId>, StorageError> {
    let values = named_params! { ":workspace_id": workspace, ":hash": hash, ":limit": CONTACTS_MAX };
    let mut found: Vec<ContactId> =
        c.prepare_cached(CONTACTS)?.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The statements of one of the two tables: submitted mail by address, campaigns' mail by contact.
macro_rules! statements {
    ($table:literal) => {
        (
            concat!(
                " FROM ",
                $table,
                " WHERE address_hash = :hash AND message_id IS NOT NULL AND workspace_id = :workspace_id
                     AND id < :before ORDER BY id DESC LIMIT :limit"
            ),
            concat!(
                " FROM ",
                $table,
                " WHERE id IN (SELECT d.id FROM campaign_run r
                     CROSS JOIN ",
                $table,
                " d ON d.campaign_id = r.campaign_id AND d.contact_id = :contact
                     WHERE r.workspace_id = :workspace_id AND d.address_hash = :hash AND d.id < :before
                     ORDER BY d.id DESC LIMIT :limit)"
            ),
        )
    };
}

const LIVE: (&str, &str) = statements!("recipient");
const DONE: (&str, &str) = statements!("recipient_done");

/// Recipients with this address, live and finished, the newest first, with ids below `before`.
///
/// # Errors
/// The database's.
pub fn page(
    c: &Connection,
    (workspace, hash): (WorkspaceId, &AddressHash),
    before: RecipientId,
    limit: u32,
) -> Result<Vec<Recipient>, StorageError> {
    // One moment for all of them: who is settled meanwhile would stand there twice, or not at all.
    let moment = c.is_autocommit().then(|| c.unchecked_transaction()).transpose()?;
    let contacts = contacts(c, workspace, hash)?;
    let mut all = Vec::new();
    for (columns, (submitted, campaigns)) in [(LIVE_COLUMNS, LIVE), (DONE_COLUMNS, DONE)] {
        let mut statement = c.prepare_cached(&format!("SELECT {columns}{submitted}"))?;
        let values = named_params! { ":workspace_id": workspace, ":hash": hash, ":before": before, ":limit": limit };
        for row in statement.query_map(values, read_recipient)? {
            all.push(row?);
        }
        let mut statement = c.prepare_cached(&format!("SELECT {columns}{campaigns}"))?;
        for contact in &contacts {
            let values = named_params! {
                ":workspace_id": workspace, ":hash": hash, ":before": before, ":limit": limit, ":contact": contact,
            };
            for row in statement.query_map(values, read_recipient)? {
                all.push(row?);
            }
        }
    }
    drop(moment);
    all.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    all.truncate(limit as usize);
    Ok(all)
}

const CAME_BACK_CAMPAIGNS: &str = "
    SELECT x.kind, x.at_ms FROM campaign_run r
    CROSS JOIN recipient_done d ON d.campaign_id = r.campaign_id AND d.contact_id = :contact
    CROSS JOIN response x ON x.recipient_id = d.id AND x.workspace_id = :workspace_id
    WHERE r.workspace_id = :workspace_id AND d.address_hash = :hash";
const CAME_BACK_SUBMITTED: &str = "
    SELECT x.kind, x.at_ms FROM
        (SELECT id FROM recipient_done
         WHERE address_hash = :hash AND message_id IS NOT NULL AND workspace_id = :workspace_id
         ORDER BY id DESC LIMIT :limit) d
    CROSS JOIN response x ON x.recipient_id = d.id AND x.workspace_id = :workspace_id";

/// What came back from an address, and when; of submitted mail as far as it is of the newest ten thousand.
///
/// # Errors
/// The database's.
pub fn came_back(
    c: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
) -> Result<Vec<(Response, i64)>, StorageError> {
    let read = |row: &rusqlite::Row<'_>| Ok((word(row, 0, Response::parse)?, row.get(1)?));
    let values = named_params! { ":workspace_id": workspace, ":hash": hash, ":limit": SUBMITTED_MAX };
    let mut statement = c.prepare_cached(CAME_BACK_SUBMITTED)?;
    let mut all: Vec<(Response, i64)> = statement.query_map(values, read)?.collect::<Result<_, _>>()?;
    let mut statement = c.prepare_cached(CAME_BACK_CAMPAIGNS)?;
    for contact in contacts(c, workspace, hash)? {
        let values = named_params! { ":workspace_id": workspace, ":hash": hash, ":contact": contact };
        for row in statement.query_map(values, read)? {
            all.push(row?);
        }
    }
    Ok(all)
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<String> {
    let fixed = [REMEMBER, FORGET, CONTACTS, CAME_BACK_CAMPAIGNS, CAME_BACK_SUBMITTED].map(str::to_owned);
    let pages =
        [(LIVE_COLUMNS, LIVE), (DONE_COLUMNS, DONE)].into_iter().flat_map(|(columns, (submitted, campaigns))| {
            [submitted, campaigns].map(|rest| format!("SELECT {columns}{rest}"))
        });
    fixed.into_iter().chain(pages).collect()
}

#[cfg(test)]
mod tests;
