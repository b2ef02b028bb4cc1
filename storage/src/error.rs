//! What can go wrong with the database, told to whoever runs the machine.

use std::path::PathBuf;

/// Why an operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The data folder cannot be made or written.
    #[error("cannot use the data folder {}: {cause}; create it and give it to the user that runs packetboat", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Another process has the folder.
    #[error("another packetboat is running on {}; stop it first, or use another [storage] dir", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "{} has schema version {found}, and this packetboat knows only up to {known}; \
         install the newer packetboat again, or restore the backup made before its upgrade", path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Version found in it.
        found: u32,
        /// Newest version that this program knows.
        known: u32,
    },
    /// A migration failed; the file is as it was before.
    #[error("cannot bring {} to the present schema: {why}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// The disk is full.
    #[error("the disk that holds the database is full; free some space, nothing was lost")]
    DiskFull,
    /// A unique value exists already.
    #[error("it exists already")]
    Exists,
    /// Anything else that SQLite says.
    #[error("the database says: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// No reader became free in time.
    #[error("no database reader became free in time: {0}")]
    Pool(#[from] r2d2::Error),
    /// A stored word or JSON cannot be read: written by another program, or damaged.
    #[error("{what} in the database cannot be read: {value:?}")]
    Damaged {
        /// Which column.
        what: &'static str,
        /// What stands there.
        value: String,
    },
    /// The writer has ended, since the program is stopping or its thread panicked.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for StorageError {
    fn from(cause: rusqlite::Error) -> Self {
        match cause.sqlite_error() {
            Some(e) if e.code == rusqlite::ErrorCode::DiskFull => StorageError::DiskFull,
            Some(e)
                if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                    || e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY =>
            {
                StorageError::Exists
            }
            _ => StorageError::Sqlite(cause),
        }
    }
}
