//! Texts of replies and reports that no rule knew, grouped by their shape: so many a workspace, the least recently seen
//! go.

use crate::{StorageError, WorkspaceId};
use mail::BounceClass;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Shapes kept of each workspace.
pub const SHAPES_MAX: u32 = 5_000;

/// What was seen of one shape since it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose mail it was about.
    pub workspace_id: WorkspaceId,
    /// Whose server said it; empty where that is not known.
    pub provider: String,
    /// The text without what differs.
    pub shape: String,
    /// One of them, without personal data.
    pub sample: String,
    /// Where in the session.
    pub stage: &'static str,
    /// What it was taken for.
    pub class: BounceClass,
    /// The rule that took it for that, by its codes.
    pub rule: String,
    /// How often.
    pub n: u64,
    /// The first time.
    pub first_ms: i64,
    /// The last time.
    pub last_ms: i64,
}

/// One shape as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownText {
    /// Id.
    pub id: i64,
    /// Whose server said it; empty where that is not known.
    pub provider: String,
    /// The text without what differs.
    pub shape: String,
    /// The first one that was seen, without personal data.
    pub sample: String,
    /// Where in the session.
    pub stage: String,
    /// What it was last taken for.
    pub class: BounceClass,
    /// The rule that took it for that, by its codes.
    pub rule: String,
    /// How often it was seen.
    pub n: u64,
    /// The first time.
    pub first_ms: i64,
    /// The last time.
    pub last_ms: i64,
}

const NOTE: &str = "
    INSERT INTO unknown_text (workspace_id, provider, shape, sample, stage, class, rule, n, first_ms, last_ms)
    VALUES (:workspace_id, :provider, :shape, :sample, :stage, :class, :rule, :n, :first_ms, :last_ms)
    ON CONFLICT (workspace_id, provider, shape) DO UPDATE SET
        n = n + excluded.n, last_ms = max(last_ms, excluded.last_ms), class = excluded.class, rule = excluded.rule";
const TRIM: &str = "
    DELETE FROM unknown_text WHERE id IN (
        SELECT id FROM unknown_text WHERE workspace_id = ?1 ORDER BY last_ms DESC LIMIT -1 OFFSET ?2)";

/// Adds what was seen; beyond [`SHAPES_MAX`] of a workspace the least recently seen go.
///
/// # Errors
/// The database's.
pub fn note(tx: &Connection, all: &[Seen]) -> Result<(), StorageError> {
    let mut insert = tx.prepare_cached(NOTE)?;
    let mut workspaces: Vec<WorkspaceId> = Vec::new();
    for seen in all {
        insert.execute(named_params! {
            ":workspace_id": seen.workspace_id,
            ":provider": seen.provider,
            ":shape": seen.shape,
            ":sample": crate::event::bounded(&seen.sample),
            ":stage": seen.stage,
            ":class": seen.class.as_str(),
            ":rule": seen.rule,
            ":n": i64::try_from(seen.n).unwrap_or(i64::MAX),
            ":first_ms": seen.first_ms,
            ":last_ms": seen.last_ms,
        })?;
        if !workspaces.contains(&seen.workspace_id) {
            workspaces.push(seen.workspace_id);
        }
    }
    for workspace in workspaces {
        tx.prepare_cached(TRIM)?.execute(params![workspace, SHAPES_MAX])?;
    }
    Ok(())
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The most frequent first.
    Count,
    /// The most recently seen first.
    Last,
}

/// Where the page before ended: the value that is sorted by, and the id.
pub type Before = (i64, i64);

const BY_COUNT: &str = "
    SELECT id, provider, shape, sample, stage, class, rule, n, first_ms, last_ms FROM unknown_text
    WHERE workspace_id = :workspace_id AND (n, id) < (:value, :id) AND dismissed_ms IS NULL
        AND (:provider IS NULL OR provider = :provider)
    ORDER BY n DESC, id DESC LIMIT :limit";
const BY_LAST: &str = "
    SELECT id, provider, shape, sample, stage, class, rule, n, first_ms, last_ms FROM unknown_text
    WHERE workspace_id = :workspace_id AND (last_ms, id) < (:value, :id) AND dismissed_ms IS NULL
        AND (:provider IS NULL OR provider = :provider)
    ORDER BY last_ms DESC, id DESC LIMIT :limit";

/// Shapes that nobody has dismissed; of one provider, where it is named.
///
/// # Errors
/// The database's.
pub fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    provider: Option<&str>,
    (sort, before): (Sort, Option<Before>),
    limit: u32,
) -> Result<Vec<UnknownText>, StorageError> {
    let (value, id) = before.unwrap_or((i64::MAX, i64::MAX));
    let sql = match sort {
        Sort::Count => BY_COUNT,
        Sort::Last => BY_LAST,
    };
    let mut statement = connection.prepare_cached(sql)?;
    let values = named_params! {
        ":workspace_id": workspace, ":provider": provider, ":value": value, ":id": id, ":limit": limit
    };
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const FIND: &str = "
    SELECT id, provider, shape, sample, stage, class, rule, n, first_ms, last_ms FROM unknown_text
    WHERE id = ?1 AND workspace_id = ?2";

/// One shape, dismissed or not.
///
/// # Errors
/// The database's.
pub fn find(connection: &Connection, workspace: WorkspaceId, id: i64) -> Result<Option<UnknownText>, StorageError> {
    Ok(connection.prepare_cached(FIND)?.query_row(params![id, workspace], read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<UnknownText> {
    Ok(UnknownText {
        id: row.get(0)?,
        provider: row.get(1)?,
        shape: row.get(2)?,
        sample: row.get(3)?,
        stage: row.get(4)?,
        class: crate::words::word(row, 5, BounceClass::parse)?,
        rule: row.get(6)?,
        n: crate::words::count(row, 7)?,
        first_ms: row.get(8)?,
        last_ms: row.get(9)?,
    })
}

const DISMISS: &str = "
    UPDATE unknown_text SET dismissed_ms = ?3 WHERE id = ?1 AND workspace_id = ?2 AND dismissed_ms IS NULL";

/// Takes a shape out of the list for as long as it is seen again and again; says whether it was there.
///
/// # Errors
/// The database's.
pub fn dismiss(tx: &Connection, workspace: WorkspaceId, id: i64, now_ms: i64) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DISMISS)?.execute(params![id, workspace, now_ms])? == 1)
}

const FORGET: &str = "
    DELETE FROM unknown_text WHERE id IN (SELECT id FROM unknown_text WHERE last_ms < ?1 ORDER BY last_ms LIMIT ?2)";

/// Deletes at most `limit` of those not seen since `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub fn forget(tx: &Connection, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[NOTE, TRIM, BY_COUNT, BY_LAST, FIND, DISMISS, FORGET];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage};

    const WS: WorkspaceId = WorkspaceId::MAIN;

    fn seen(shape: &str, n: u64, at_ms: i64) -> Seen {
        Seen {
            workspace_id: WS,
            provider: "Example Mail".to_owned(),
            shape: shape.to_owned(),
            sample: format!("550 {shape}"),
            stage: "rcpt",
            class: BounceClass::Unclassified,
            rule: "none".to_owned(),
            n,
            first_ms: at_ms,
            last_ms: at_ms,
        }
    }

    fn open() -> (tempfile::TempDir, Storage) {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        (dir, storage)
    }

    fn shapes(storage: &Storage, workspace: WorkspaceId, provider: Option<&'static str>, sort: Sort) -> Vec<String> {
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let rows = storage.read_blocking(move |c| page(c, workspace, provider, (sort, before), 2)).unwrap();
            let Some(last) = rows.last() else { return found };
            before = Some((if sort == Sort::Count { i64::try_from(last.n).unwrap() } else { last.last_ms }, last.id));
            found.extend(rows.into_iter().map(|row| format!("{} {}", row.shape, row.n)));
        }
    }

    #[test]
    fn counted_sorted_dismissed_forgotten() {
        let (_dir, storage) = open();
        let all = vec![seen("a", 3, 10), seen("b", 1, 30), seen("c", 3, 20), seen("a", 2, 40)];
        storage.events().write_blocking(move |tx| note(tx, &all)).unwrap();
        assert_eq!(shapes(&storage, WS, None, Sort::Count), ["a 5", "c 3", "b 1"]);
        assert_eq!(shapes(&storage, WS, Some("Example Mail"), Sort::Last), ["a 5", "b 1", "c 3"]);
        assert!(shapes(&storage, WS, Some("Other"), Sort::Last).is_empty());
        assert!(shapes(&storage, WorkspaceId(2), None, Sort::Last).is_empty());

        let first = storage.read_blocking(|c| page(c, WS, None, (Sort::Count, None), 1)).unwrap().remove(0);
        assert_eq!((first.first_ms, first.last_ms, &*first.sample), (10, 40, "550 a"));
        let dismiss =
            |workspace, id| storage.events().write_blocking(move |tx| super::dismiss(tx, workspace, id, 50)).unwrap();
        assert!(!dismiss(WorkspaceId(2), first.id), "it is not theirs");
        assert!(dismiss(WS, first.id) && !dismiss(WS, first.id));
        storage.events().write_blocking(|tx| note(tx, &[seen("a", 1, 60)])).unwrap();
        assert_eq!(shapes(&storage, WS, None, Sort::Count), ["c 3", "b 1"], "what was dismissed stays so");

        let forget = |before_ms| storage.events().write_blocking(move |tx| super::forget(tx, before_ms, 10)).unwrap();
        assert_eq!([forget(31), forget(31)], [2, 0]);
    }

    #[test]
    fn the_least_recently_seen_go() {
        let (_dir, storage) = open();
        let most = i64::from(SHAPES_MAX);
        let all: Vec<Seen> = (0..most + 10).map(|n| seen(&format!("shape {n}"), 1, n)).collect();
        storage.events().write_blocking(move |tx| note(tx, &all)).unwrap();
        storage
            .read_blocking(|c| {
                let (n, oldest): (i64, i64) =
                    c.query_row("SELECT count(*), min(last_ms) FROM unknown_text", [], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?;
                assert_eq!((n, oldest), (i64::from(SHAPES_MAX), 10));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn lists_walk_indexes() {
        let (_dir, storage) = open();
        storage
            .read_blocking(|c| {
                for (sql, index) in
                    [(BY_COUNT, "unknown_text_count"), (BY_LAST, "unknown_text_last"), (FORGET, "unknown_text_age")]
                {
                    let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let mut rows = statement.raw_query();
                    let mut plan = String::new();
                    while let Some(row) = rows.next()? {
                        plan.push_str(&row.get::<_, String>(3)?);
                    }
                    assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
                }
                Ok(())
            })
            .unwrap();
    }
}
