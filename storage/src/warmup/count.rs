//! Counting a day, in the transactions of what is counted.

use super::{Axis, Figures, Key};
use crate::{RecipientId, StorageError};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::sync::Arc;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What became of a message, for the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It leaves: its mark is on disk.
    Sent,
    /// It was marked, and provably stayed here.
    Returned,
    /// Taken.
    Delivered,
    /// Not now.
    Deferred,
    /// Refused because of our own address or name.
    Blocked,
    /// Refused for good.
    Bounced,
}

#[derive(Clone, Copy, Default)]
struct Change {
    sent: i64,
    delivered: i64,
    deferred: i64,
    blocked: i64,
    bounced: i64,
}

/// Changes of a batch, summed up so that each line is touched once.
#[derive(Default)]
pub struct Counts {
    changes: HashMap<(Arc<Key>, i64), Change>,
}

// The day's first message makes the line, or begins the day of one that rested. A late outcome of a day that is judged
// already changes nothing any more.
const ADD: &str = "
    INSERT INTO warmup (workspace_id, axis, subject, provider, state, stage, note, note_ms, day, sent, delivered, deferred,
        blocked, bounced)
    VALUES (?1, ?2, ?3, ?4, 'running', 0, 'begun', ?5 * 86400000, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (axis, subject, provider) DO UPDATE SET day = excluded.day, sent = max(0, sent + excluded.sent),
        delivered = delivered + excluded.delivered, deferred = deferred + excluded.deferred,
        blocked = blocked + excluded.blocked, bounced = bounced + excluded.bounced
    WHERE day = excluded.day OR (day < excluded.day AND sent = 0 AND excluded.sent > 0)";
const ADD_LATER: &str = "
    UPDATE warmup SET sent = max(0, sent + ?5), delivered = delivered + ?6, deferred = deferred + ?7,
        blocked = blocked + ?8, bounced = bounced + ?9
    WHERE axis = ?1 AND subject = ?2 AND provider = ?3 AND day = ?4";

impl Counts {
    /// Adds one message of that day (days since 1970, UTC).
    pub fn add(&mut self, key: &Arc<Key>, day: i64, fate: Fate) {
        let change = self.changes.entry((key.clone(), day)).or_default();
        match fate {
            Fate::Sent => change.sent += 1,
            Fate::Returned => change.sent -= 1,
            Fate::Delivered => change.delivered += 1,
            Fate::Deferred => change.deferred += 1,
            Fate::Blocked => change.blocked += 1,
            Fate::Bounced => change.bounced += 1,
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// The database's.
    pub fn write(&self, tx: &Connection) -> Result<(), StorageError> {
        for ((key, day), n) in &self.changes {
            let (axis, subject, provider) = (key.axis.as_str(), &*key.subject, &*key.provider);
            if n.sent > 0 {
                tx.prepare_cached(ADD)?.execute(params![
                    key.workspace_id,
                    axis,
                    subject,
                    provider,
                    day,
                    n.sent,
                    n.delivered,
                    n.deferred,
                    n.blocked,
                    n.bounced
                ])?;
            } else {
                let n = params![axis, subject, provider, day, n.sent, n.delivered, n.deferred, n.blocked, n.bounced];
                tx.prepare_cached(ADD_LATER)?.execute(n)?;
            }
        }
        Ok(())
    }
}

const IS_SENDING: &str = "SELECT 1 FROM recipient WHERE id = ?1 AND state = 'sending'";

/// Whether a recipient's mark is on disk.
///
/// # Errors
/// The database's.
pub fn is_sending(tx: &Connection, id: RecipientId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(IS_SENDING)?.exists([id])?)
}

const COMPLAINED: &str = "
    UPDATE warmup SET complained = complained + 1 WHERE axis = ?1 AND subject = ?2 AND provider = ?3";

/// A recipient reported what it got as spam: counted on the present day of its source and of its sending domain at its
/// provider, since reports come hours or days after the mail.
///
/// # Errors
/// The database's.
pub(crate) fn complained(
    tx: &Connection,
    (source, provider): (Option<&str>, &str),
    domain: Option<&str>,
) -> Result<(), StorageError> {
    for (axis, subject) in [(Axis::Source, source), (Axis::Domain, domain)] {
        if let Some(subject) = subject {
            tx.prepare_cached(COMPLAINED)?.execute(params![axis.as_str(), subject, provider])?;
        }
    }
    Ok(())
}

const BOUNCED_LATER: &str = "
    UPDATE warmup SET bounced = bounced + 1, delivered = max(0, delivered - 1)
    WHERE axis = ?1 AND subject = ?2 AND provider = ?3 AND day = ?4";

/// A report says that what was counted as delivered was not: corrected where that day is not judged yet.
///
/// # Errors
/// The database's.
pub(crate) fn bounced_later(
    tx: &Connection,
    (source, provider): (Option<&str>, &str),
    finished_ms: i64,
) -> Result<(), StorageError> {
    let Some(source) = source else { return Ok(()) };
    let day = finished_ms.div_euclid(DAY_MS);
    tx.prepare_cached(BOUNCED_LATER)?.execute(params![Axis::Source.as_str(), source, provider, day])?;
    Ok(())
}

impl Figures {
    /// Messages that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.delivered + self.deferred + self.blocked + self.bounced
    }
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ADD, ADD_LATER, IS_SENDING, COMPLAINED, BOUNCED_LATER];
