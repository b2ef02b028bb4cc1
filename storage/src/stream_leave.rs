//! Who wants no mail of a stream, and the last look at it before sending.
//!
//! Streams are the configuration's; which of them the preference centre offers is the workspace's. Leaving one is kept by
//! its name, so it holds again when a stream comes back to the configuration.

use crate::event::Kind;
use crate::list::{Mover, tell};
use crate::response::{self, Response};
use crate::{AddressHash, StorageError, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use std::collections::HashMap;

const LEAVE: &str = "
    INSERT INTO stream_leave (workspace_id, stream, address_hash, since_ms, recipient_id, campaign_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (workspace_id, stream, address_hash) DO NOTHING";

/// Takes an address off a stream, with its event, which shows `title`; `false` when it has left already. Belongs into the
/// writer of queue.db.
///
/// # Errors
/// The database's.
pub fn leave(tx: &Connection, who: Mover<'_>, (stream, title): (&str, &str)) -> Result<bool, StorageError> {
    let row = params![who.workspace, stream, who.hash, who.now_ms, who.recipient, who.campaign];
    let left = tx.prepare_cached(LEAVE)?.execute(row)? > 0;
    if left {
        if let Some(recipient) = who.recipient {
            response::note(tx, recipient, Response::Left, who.now_ms)?;
        }
        tell(tx, who, Kind::StreamLeft, title)?;
    }
    Ok(left)
}

const REJOIN: &str =
    "DELETE FROM stream_leave WHERE workspace_id = ?1 AND stream = ?2 AND address_hash = ?3 RETURNING recipient_id";

/// Takes the leaving back, with an event; `false` when it has not left. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn rejoin(tx: &Connection, who: Mover<'_>, (stream, title): (&str, &str)) -> Result<bool, StorageError> {
    let mut statement = tx.prepare_cached(REJOIN)?;
    let led = statement.query_row(params![who.workspace, stream, who.hash], |row| row.get(0)).optional()?;
    let Some(led) = led else { return Ok(false) };
    if let Some(recipient) = led {
        response::came_back(tx, (who.workspace, who.hash), recipient)?;
    }
    tell(tx, who, Kind::StreamJoined, title)?;
    Ok(true)
}

const OF_ADDRESS: &str = "
    SELECT stream, since_ms FROM stream_leave
    WHERE workspace_id = :workspace_id AND address_hash = :address_hash ORDER BY stream";

/// The streams that an address has left, each with the time. For readers.
///
/// # Errors
/// The database's.
pub fn of_address(
    connection: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
) -> Result<HashMap<String, i64>, StorageError> {
    let mut statement = connection.prepare_cached(OF_ADDRESS)?;
    let who = named_params! { ":workspace_id": workspace, ":address_hash": hash };
    let rows = statement.query_map(who, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const COUNT: &str = "SELECT count(*) FROM stream_leave WHERE workspace_id = :workspace_id AND stream = :stream";

/// How many addresses have left a stream. For readers.
///
/// # Errors
/// The database's.
pub fn count(connection: &Connection, workspace: WorkspaceId, stream: &str) -> Result<u64, StorageError> {
    let whose = named_params! { ":workspace_id": workspace, ":stream": stream };
    Ok(connection.prepare_cached(COUNT)?.query_row(whose, |row| crate::words::count(row, 0))?)
}

const ANYBODY: &str = "SELECT EXISTS (SELECT 1 FROM stream_leave WHERE workspace_id = ?1 AND stream = ?2)";

/// Whether anybody has left a stream.
///
/// # Errors
/// The database's.
pub fn anybody(connection: &Connection, workspace: WorkspaceId, stream: &str) -> Result<bool, StorageError> {
    Ok(connection.prepare_cached(ANYBODY)?.query_row(params![workspace, stream], |row| row.get(0))?)
}

const HAS_LEFT: &str = "
    SELECT EXISTS (SELECT 1 FROM stream_leave WHERE workspace_id = ?1 AND stream = ?2 AND address_hash = ?3)";

/// Looks at many recipients: whether anybody left their streams is asked once for each stream.
pub(crate) struct Looks<'a> {
    tx: &'a Connection,
    /// A batch is of few streams.
    known: Vec<(WorkspaceId, String, bool)>,
}

impl<'a> Looks<'a> {
    pub(crate) fn new(tx: &'a Connection) -> Looks<'a> {
        Looks { tx, known: Vec::new() }
    }

    /// Whether an address has left the stream.
    pub(crate) fn has_left(
        &mut self,
        workspace: WorkspaceId,
        stream: &str,
        hash: &AddressHash,
    ) -> Result<bool, StorageError> {
        let is_it = |(whose, name, _): &&(WorkspaceId, String, bool)| *whose == workspace && name == stream;
        let left = match self.known.iter().find(is_it) {
            Some((.., left)) => *left,
            None => {
                let left = anybody(self.tx, workspace, stream)?;
                self.known.push((workspace, stream.to_owned(), left));
                left
            }
        };
        if !left {
            return Ok(false);
        }
        Ok(self.tx.prepare_cached(HAS_LEFT)?.query_row(params![workspace, stream, hash], |row| row.get(0))?)
    }
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[LEAVE, REJOIN, OF_ADDRESS, COUNT, ANYBODY, HAS_LEFT];
