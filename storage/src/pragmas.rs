//! Every pragma, in one place, with its reason.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// For the one writing connection of a file.
pub(crate) fn writer(connection: &Connection) -> rusqlite::Result<()> {
    // Before journal_mode: switching to WAL while a reader opens would else report "locked".
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Once we have answered, the mail is ours (RFC 5321 §6.1): a commit survives power loss.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // Checkpoints at 16 MiB of WAL: fewer of them than the default's 4 MiB, and the file stays small.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    // A WAL that once grew (a long reader) is cut back.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // What a savepoint would restore is kept in memory: as a file, one was made, written and deleted in most commits.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 16 MiB of page cache: the hot end of queue and indexes.
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    // Statements are planned once: else each one with a bound LIMIT, such as taking what is due, is planned anew every time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    crate::functions::register(connection)
}

/// For the pool's connections, after the other files are attached.
pub(crate) fn reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    // A reader that writes is a mistake in our code, told at once.
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", -4 * 1024)?;
    connection.set_prepared_statement_cache_capacity(128);
    crate::functions::register(connection)
}
