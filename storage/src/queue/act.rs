//! By hand: holding, releasing, hurrying, giving up and re-routing many recipients, a chunk of ids at a time.
//!
//! What is being sent is never touched. What stands in memory is held by its row alone: whoever has it there learns of
//! it when it is marked, and only then can it be released into the queue (`in_hand`), so that nobody is sent twice.

use super::settle::{self, Ending, Settlement};
use super::{Answer, LiveFilter};
use crate::event::Kind;
use crate::{RecipientId, StorageError, WorkspaceId};
use mail::BounceClass;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

/// What is done with recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Kept back until released. It expires all the same.
    Hold,
    /// Back into the queue; one that was deferred keeps its time.
    Release,
    /// Due at once.
    Retry,
    /// Given up.
    Bounce,
    /// Leaves from another pool.
    Reroute,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 5] = [Action::Hold, Action::Release, Action::Retry, Action::Bounce, Action::Reroute];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Hold => "hold",
            Action::Release => "release",
            Action::Retry => "retry",
            Action::Bounce => "bounce",
            Action::Reroute => "reroute",
        }
    }

    /// The action of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// The states that it changes something of.
    fn applies_to(self) -> &'static str {
        match self {
            Action::Hold => " AND state IN ('queued', 'claimed')",
            Action::Release => " AND state = 'held'",
            Action::Retry => " AND state = 'queued'",
            Action::Bounce | Action::Reroute => " AND state IN ('queued', 'held', 'claimed')",
        }
    }

    fn event(self) -> Option<Kind> {
        match self {
            Action::Hold => Some(Kind::Held),
            Action::Release => Some(Kind::Released),
            Action::Retry => Some(Kind::Hurried),
            Action::Reroute => Some(Kind::Rerouted),
            // Settling tells it.
            Action::Bounce => None,
        }
    }
}

/// What is to be done, and who says so.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose recipients.
    pub workspace_id: WorkspaceId,
    /// What.
    pub action: Action,
    /// Which of them.
    pub filter: LiveFilter,
    /// The pool of a re-routing.
    pub pool: Option<String>,
    /// Who.
    pub created_by: String,
    /// Why.
    pub reason: String,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acted {
    /// Recipients up to this id are done.
    pub up_to: RecipientId,
    /// Matched the filter.
    pub matched: u64,
    /// Of those, changed; the others are in a state that the action does not concern.
    pub changed: u64,
}

/// What somebody waits for of whom nobody asked for patience: it is looked at anew when it is due, so a time that was
/// found for another pool, or before a pause or a hold ended, need not be waited for.
macro_rules! looked_up {
    () => {
        "('paused', 'warm_up', 'rate', 'lane_full', 'local', 'source_blocked', 'provider_hold', 'domain_hold', 'reputation')"
    };
}

const CHUNK_END: &str = "
    SELECT coalesce(max(id), ?2) FROM (SELECT id FROM recipient WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3)";
const WHOSE: &str = " FROM recipient WHERE workspace_id = ? AND id > ? AND id <= ?";

/// Acts on those of the next `chunk` recipients, with ids above `after` and up to `end`, that match.
///
/// # Errors
/// The database's.
pub fn act(
    tx: &Connection,
    order: &Order,
    (after, end): (RecipientId, RecipientId),
    chunk: u32,
    now_ms: i64,
) -> Result<Acted, StorageError> {
    let up_to: RecipientId = tx.prepare_cached(CHUNK_END)?.query_row(params![after, end, chunk], |row| row.get(0))?;
    let rows = Rows { tx, order, span: (after, up_to) };
    let (matched_sql, values) = rows.of("SELECT count(*)", false);
    let matched =
        tx.prepare_cached(&matched_sql)?.query_row(params_from_iter(values), |row| crate::words::count(row, 0))?;
    let changed = match order.action {
        _ if matched == 0 => 0,
        Action::Bounce => rows.give_up(now_ms)?,
        _ => {
            rows.tell(now_ms)?;
            rows.change(now_ms)?
        }
    };
    Ok(Acted { up_to, matched, changed: changed as u64 })
}

/// The recipients of a chunk.
struct Rows<'a> {
    tx: &'a Connection,
    order: &'a Order,
    span: (RecipientId, RecipientId),
}

impl Rows<'_> {
    /// A statement over them with its values: those that match, or only those that the action changes.
    fn of(&self, select: &str, changing: bool) -> (String, Vec<Value>) {
        let mut sql = format!("{select}{WHOSE}");
        let values = self.narrow(&mut sql, changing);
        (sql, values)
    }

    fn narrow(&self, sql: &mut String, changing: bool) -> Vec<Value> {
        let mut values: Vec<Value> = vec![self.order.workspace_id.0.into(), self.span.0.0.into(), self.span.1.0.into()];
        self.order.filter.push(sql, &mut values);
        if changing {
            sql.push_str(self.order.action.applies_to());
        }
        values
    }

    fn tell(&self, now_ms: i64) -> Result<(), StorageError> {
        let Some(kind) = self.order.action.event() else { return Ok(()) };
        let insert =
            "INSERT INTO outbox (at_ms, workspace_id, kind, recipient_id, campaign_id, contact_id, actor, text)
            SELECT ?, workspace_id, ?, id, campaign_id, contact_id, ?, ?";
        let (sql, values) = self.of(insert, true);
        let text = match &self.order.pool {
            Some(pool) if self.order.reason.is_empty() => pool.clone(),
            Some(pool) => format!("{pool}: {}", self.order.reason),
            None => self.order.reason.clone(),
        };
        let mut all: Vec<Value> = vec![
            now_ms.into(),
            kind.as_str().to_owned().into(),
            self.order.created_by.clone().into(),
            crate::event::bounded(&text).to_owned().into(),
        ];
        all.extend(values);
        self.tx.prepare_cached(&sql)?.execute(params_from_iter(all))?;
        Ok(())
    }

    fn change(&self, now_ms: i64) -> Result<usize, StorageError> {
        let (set, mut all): (&str, Vec<Value>) = match self.order.action {
            // What it waited for may be over long before it is released.
            Action::Hold => (
                concat!(
                    "UPDATE recipient SET in_hand = (state = 'claimed'), state = 'held', wait_reason = 'held',
                        due_ms = iif(wait_reason IN ",
                    looked_up!(),
                    ", ?, due_ms)
                     WHERE workspace_id = ? AND id > ? AND id <= ?"
                ),
                vec![now_ms.into()],
            ),
            // One that is still in somebody's hands goes on from there.
            Action::Release => (
                "UPDATE recipient SET state = iif(in_hand = 1, 'claimed', 'queued'), in_hand = 0,
                    wait_reason = CASE WHEN in_hand = 1 THEN NULL WHEN due_ms <= ? THEN 'turn'
                        WHEN class IS NULL THEN 'scheduled' ELSE 'deferred' END
                 WHERE workspace_id = ? AND id > ? AND id <= ?",
                vec![now_ms.into()],
            ),
            Action::Retry => (
                "UPDATE recipient SET due_ms = ?, wait_reason = 'turn' WHERE workspace_id = ? AND id > ? AND id <= ?",
                vec![now_ms.into()],
            ),
            // The sources of another pool may have room where those of this one have none.
            Action::Reroute => (
                concat!(
                    "UPDATE recipient SET pool = ?, source = NULL,
                        due_ms = iif(state = 'queued' AND wait_reason IN ",
                    looked_up!(),
                    ", ?, due_ms),
                        wait_reason = iif(state = 'queued' AND (due_ms <= ? OR wait_reason IN ",
                    looked_up!(),
                    "), 'turn', wait_reason)
                     WHERE workspace_id = ? AND id > ? AND id <= ?"
                ),
                vec![self.order.pool.clone().unwrap_or_default().into(), now_ms.into(), now_ms.into()],
            ),
            Action::Bounce => return Ok(0),
        };
        let mut sql = set.to_owned();
        all.extend(self.narrow(&mut sql, true));
        Ok(self.tx.prepare_cached(&sql)?.execute(params_from_iter(all))?)
    }

    fn give_up(&self, now_ms: i64) -> Result<usize, StorageError> {
        let (sql, values) = self.of("SELECT id", true);
        let mut statement = self.tx.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        let ids: Vec<RecipientId> = rows.collect::<Result<_, _>>()?;
        let why = match self.order.reason.as_str() {
            "" => format!("given up by {}", self.order.created_by),
            reason => format!("given up by {}: {reason}", self.order.created_by),
        };
        let settlement = |id| Settlement {
            id,
            at_ms: now_ms,
            ending: Ending::Bounced { suppress: false },
            attempt: None,
            answer: Some(Answer::of_trouble(BounceClass::Unclassified, why.clone())),
        };
        settle::settle(self.tx, &ids.into_iter().map(settlement).collect::<Vec<_>>())
    }
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[CHUNK_END];
