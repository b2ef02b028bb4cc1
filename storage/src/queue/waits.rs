//! Why a recipient waited though nothing was attempted: a place, a rate, a hold. Kept on its row, since an event for each
//! wait would be more than all other events together; the same reason again and again is one wait.

use crate::{RecipientId, StorageError, WorkspaceId};
use mail::WaitReason;
use rusqlite::{Connection, OptionalExtension, named_params};

/// A wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// Why.
    pub reason: WaitReason,
    /// Since when.
    pub since_ms: i64,
}

const WAITS: &str = "
    SELECT waits FROM recipient WHERE id = :id AND workspace_id = :workspace_id
    UNION ALL
    SELECT waits FROM recipient_done WHERE id = :id AND workspace_id = :workspace_id
    LIMIT 1";

/// A recipient's waits, the newest first; the oldest of very many are not kept.
///
/// # Errors
/// The database's.
pub fn waits(c: &Connection, workspace: WorkspaceId, id: RecipientId) -> Result<Vec<Waited>, StorageError> {
    let values = named_params! { ":id": id, ":workspace_id": workspace };
    let found = c.prepare_cached(WAITS)?.query_row(values, |row| row.get::<_, Option<String>>(0)).optional()?;
    Ok(found.flatten().map(|text| read(&text)).unwrap_or_default())
}

/// What stands between attempts is empty, and the last one may be cut.
fn read(text: &str) -> Vec<Waited> {
    let Some((whole, _)) = text.rsplit_once(';') else { return Vec::new() };
    let one = |entry: &str| {
        let (reason, since) = entry.split_once(' ')?;
        Some(Waited { reason: WaitReason::parse(reason)?, since_ms: since.parse().ok()? })
    };
    whole.split(';').filter_map(one).collect()
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[WAITS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_left_out() {
        let wait = |reason, since_ms| Waited { reason, since_ms };
        for (text, expected) in [
            ("", vec![]),
            ("rate 12;", vec![wait(WaitReason::Rate, 12)]),
            (";warm_up 30;;rate 12;", vec![wait(WaitReason::WarmUp, 30), wait(WaitReason::Rate, 12)]),
            ("warm_up 30;rate 1", vec![wait(WaitReason::WarmUp, 30)]),
            ("asleep 4;rate 12;", vec![wait(WaitReason::Rate, 12)]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
