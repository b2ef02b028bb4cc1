//! Single values of the whole installation, and the database's own health.

use crate::StorageError;
use rusqlite::{Connection, OptionalExtension, named_params};

const GET: &str = "SELECT value FROM meta WHERE key = :key";

/// The value under a key.
///
/// # Errors
/// The database's.
pub fn get(tx: &Connection, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(tx.prepare_cached(GET)?.query_row(named_params! { ":key": key }, |row| row.get(0)).optional()?)
}

const SET: &str = "
    INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// Sets the value under a key.
///
/// # Errors
/// The database's.
pub fn set(tx: &Connection, key: &str, value: &[u8]) -> Result<(), StorageError> {
    tx.prepare_cached(SET)?.execute(named_params! { ":key": key, ":value": value })?;
    Ok(())
}

/// What SQLite finds wrong with a file's structure; empty when nothing is. Reads the whole file.
///
/// # Errors
/// When even looking fails.
pub fn integrity(tx: &Connection) -> Result<Vec<(&'static str, String)>, StorageError> {
    let mut found = Vec::new();
    for (schema, file) in [("main", "main.db"), ("queue", "queue.db"), ("events", "events.db")] {
        let mut statement = tx.prepare(&format!("PRAGMA {schema}.integrity_check(20)"))?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = line?;
            if line != "ok" {
                found.push((file, line));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[GET, SET];
