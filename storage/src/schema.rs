//! Numbered migrations of the three files, applied in a transaction each, never edited after a release.

use crate::StorageError;
use rusqlite::Connection;
use std::path::Path;

#[cfg(test)]
mod tests;

mod main_db {
    refinery::embed_migrations!("src/schema/main");
}
mod queue_db {
    refinery::embed_migrations!("src/schema/queue");
}
mod events_db {
    refinery::embed_migrations!("src/schema/events");
}

/// Which of the three files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Main,
    Queue,
    Events,
}

impl File {
    pub(crate) fn name(self) -> &'static str {
        match self {
            File::Main => "main.db",
            File::Queue => "queue.db",
            File::Events => "events.db",
        }
    }

    fn runner(self) -> refinery::Runner {
        match self {
            File::Main => main_db::migrations::runner(),
            File::Queue => queue_db::migrations::runner(),
            File::Events => events_db::migrations::runner(),
        }
    }

    fn newest(self) -> u32 {
        let newest = self.runner().get_migrations().iter().map(refinery::Migration::version).max();
        newest.and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
    }
}

/// Brings the file to the newest schema.
pub(crate) fn migrate(connection: &mut Connection, file: File, path: &Path) -> Result<(), StorageError> {
    let failed = |e: refinery::Error| StorageError::Migration { path: path.to_owned(), why: e.to_string() };
    let found = version(connection)?;
    let known = file.newest();
    if found > known {
        return Err(StorageError::NewerSchema { path: path.to_owned(), found, known });
    }
    if found < known {
        file.runner().set_grouped(true).run(connection).map_err(failed)?;
    }
    Ok(())
}

/// The schema version of a file, 0 when new.
fn version(connection: &Connection) -> Result<u32, StorageError> {
    let has_history: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'refinery_schema_history')",
        [],
        |row| row.get(0),
    )?;
    if !has_history {
        return Ok(0);
    }
    Ok(connection.query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))?)
}
