//! Opening the data folder: one daemon at a time, migrations, writers, the pool of readers.

use crate::schema::{self, File};
use crate::{StorageError, Writer, pragmas};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How to open a data folder.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The folder; made when absent.
    pub dir: PathBuf,
    /// Readers in the pool.
    pub readers: u32,
}

/// The open database. Clones share it.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    main: Writer,
    queue: Writer,
    events: Writer,
    readers: r2d2::Pool<SqliteConnectionManager>,
    /// The newest event that was moved to events.db by this process; 0 before the first.
    newest_event: watch::Sender<i64>,
    // Released by the system when the process ends, however it ends. Last: the writers close first.
    _lock: fs::File,
}

impl Storage {
    /// Opens the folder, migrates the three files, starts their writers.
    ///
    /// # Errors
    /// Folder not usable, another daemon on it, a newer schema, a failed migration.
    pub fn open(options: &OpenOptions) -> Result<Storage, StorageError> {
        let folder = |cause| StorageError::Folder { path: options.dir.clone(), cause };
        // Contacts and keys are inside: not for everybody on this host. A folder that is there keeps its mode.
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&options.dir).map_err(folder)?;
        let lock = lock(&options.dir)?;
        let inner = Inner {
            main: writer(&options.dir, File::Main)?,
            queue: writer(&options.dir, File::Queue)?,
            events: writer(&options.dir, File::Events)?,
            readers: readers(&options.dir, options.readers)?,
            newest_event: watch::Sender::new(0),
            dir: options.dir.clone(),
            _lock: lock,
        };
        Ok(Storage { inner: Arc::new(inner) })
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Writes people and settings.
    #[must_use]
    pub fn main(&self) -> &Writer {
        &self.inner.main
    }

    /// Writes recipients and what is decided with them.
    #[must_use]
    pub fn queue(&self) -> &Writer {
        &self.inner.queue
    }

    /// Writes what happened.
    #[must_use]
    pub fn events(&self) -> &Writer {
        &self.inner.events
    }

    /// Changes whenever events have come to events.db: the id of the newest.
    #[must_use]
    pub fn newest_event(&self) -> watch::Receiver<i64> {
        self.inner.newest_event.subscribe()
    }

    /// Tells who waits for events that they are there.
    pub(crate) fn events_moved(&self, newest: i64) {
        self.inner.newest_event.send_replace(newest);
    }

    /// Reads, off the async threads. The connection sees all three files.
    ///
    /// # Errors
    /// What `work` returned, or that no reader became free.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        F: FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
        T: Send + 'static,
    {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.read_blocking(work)).await.unwrap_or(Err(StorageError::Closed))
    }

    /// Reads on this thread.
    ///
    /// # Errors
    /// As [`Storage::read`].
    pub fn read_blocking<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let connection = self.inner.readers.get()?;
        work(&connection)
    }

    /// Reads on this thread, all at one moment: for several small reads, which would lock the files one by one.
    ///
    /// # Errors
    /// As [`Storage::read`].
    pub fn read_at_once<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let connection = self.inner.readers.get()?;
        let moment = connection.unchecked_transaction()?;
        let read = work(&moment);
        moment.rollback()?;
        read
    }
}

/// Whether somebody has the folder open, this process included.
#[must_use]
pub fn in_use(dir: &Path) -> bool {
    matches!(lock(dir), Err(StorageError::Locked { .. }))
}

/// Takes the folder for this process.
fn lock(dir: &Path) -> Result<fs::File, StorageError> {
    let folder = |cause| StorageError::Folder { path: dir.to_owned(), cause };
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("packetboat.lock"))
        .map_err(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StorageError::Locked { path: dir.to_owned() }),
        Err(fs::TryLockError::Error(cause)) => Err(folder(cause)),
    }
}

fn writer(dir: &Path, file: File) -> Result<Writer, StorageError> {
    let path = dir.join(file.name());
    let mut connection = Connection::open(&path)?;
    pragmas::writer(&connection)?;
    schema::migrate(&mut connection, file, &path)?;
    if file == File::Events {
        // `outbox::drain` copies within SQLite. Read-only: the writer's transactions begin IMMEDIATE, which would
        // else lock queue.db against its own writer.
        let outbox = uri(&dir.join(File::Queue.name()));
        connection.execute("ATTACH DATABASE ?1 AS queue", [format!("{outbox}?mode=ro")])?;
    }
    Writer::start(file.name(), connection).map_err(|cause| StorageError::Folder { path: dir.to_owned(), cause })
}

/// The path as SQLite's URI, in which three characters have a meaning.
fn uri(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}")
}

fn readers(dir: &Path, count: u32) -> Result<r2d2::Pool<SqliteConnectionManager>, StorageError> {
    let attached: Vec<(PathBuf, &'static str)> =
        vec![(dir.join(File::Queue.name()), "queue"), (dir.join(File::Events.name()), "events")];
    let manager = SqliteConnectionManager::file(dir.join(File::Main.name()))
        .with_flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .with_init(move |connection| {
            for (path, name) in &attached {
                connection.execute(&format!("ATTACH DATABASE ?1 AS {name}"), [path.to_string_lossy()])?;
            }
            pragmas::reader(connection)
        });
    let pool = r2d2::Pool::builder()
        .max_size(count.max(2))
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(10))
        .test_on_check_out(false)
        .build(manager)?;
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(dir: &tempfile::TempDir) -> OpenOptions {
        OpenOptions { dir: dir.path().join("data"), readers: 2 }
    }

    fn set(tx: &rusqlite::Transaction<'_>, key: &str) -> Result<(), StorageError> {
        tx.execute("INSERT INTO meta (key, value) VALUES (?1, x'00')", [key])?;
        Ok(())
    }

    #[tokio::test]
    async fn what_was_answered_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&options(&dir)).unwrap();
        storage.main().write(|tx| set(tx, "a")).await.unwrap();
        drop(storage);
        let storage = Storage::open(&options(&dir)).unwrap();
        let count: i64 =
            storage.read(|c| Ok(c.query_row("SELECT count(*) FROM meta", [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(count, 1);
    }

    #[tokio::test]
    async fn what_waits_for_others_is_written_with_them_or_alone() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&options(&dir)).unwrap();
        storage.main().write_with_others(|tx| set(tx, "alone")).await.unwrap();
        let writes = (0..200).map(|n| {
            let storage = storage.clone();
            async move {
                let key = format!("{n}");
                match n % 10 {
                    0 => storage.main().write(move |tx| set(tx, &key)).await,
                    // One that fails takes only its own changes back.
                    1 => storage.main().write_with_others(|tx| set(tx, "alone")).await,
                    _ => storage.main().write_with_others(move |tx| set(tx, &key)).await,
                }
            }
        });
        let outcomes = futures_join(writes).await;
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Err(StorageError::Exists))).count(), 20);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 180);
        drop(storage);
        let storage = Storage::open(&options(&dir)).unwrap();
        let count: i64 =
            storage.read(|c| Ok(c.query_row("SELECT count(*) FROM meta", [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(count, 181);
    }

    #[tokio::test]
    async fn one_that_fails_takes_only_its_own_changes_back() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&options(&dir)).unwrap();
        let writes = (0..50).map(|n| {
            let storage = storage.clone();
            async move {
                let key = format!("{}", n % 40);
                storage
                    .main()
                    .write(move |tx| {
                        set(tx, &format!("before-{n}"))?;
                        set(tx, &key)
                    })
                    .await
            }
        });
        let outcomes = futures_join(writes).await;
        assert_eq!(outcomes.iter().filter(|o| matches!(o, Err(StorageError::Exists))).count(), 10);
        let count: i64 =
            storage.read(|c| Ok(c.query_row("SELECT count(*) FROM meta", [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(count, 80);
    }

    /// What panics takes its own changes back and those of its group; the next one is written.
    #[tokio::test]
    async fn a_panic_does_not_end_the_writing() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&options(&dir)).unwrap();
        let wrong = storage.main().write(|tx| {
            set(tx, "lost")?;
            let number: u32 = tx.query_row("SELECT 'no number'", [], |row| row.get(0)).expect("panics on purpose");
            Ok(number)
        });
        assert!(matches!(wrong.await, Err(StorageError::Closed)));
        storage.main().write(|tx| set(tx, "kept")).await.unwrap();
        let names = |c: &Connection| {
            let mut statement = c.prepare("SELECT key FROM meta WHERE key IN ('lost', 'kept')")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        };
        assert_eq!(storage.read(names).await.unwrap(), ["kept"]);
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_overcome() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&options(&dir)).unwrap();
        let limit = |pages: u32| {
            let main = storage.main();
            main.write(move |tx| Ok(tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?))
        };
        limit(1).await.unwrap();
        let blob = |key: &'static str| {
            storage.main().write(move |tx| {
                tx.execute("INSERT INTO meta (key, value) VALUES (?1, zeroblob(1000000))", [key])?;
                Ok(())
            })
        };
        let (small, big, after) = tokio::join!(storage.main().write(|tx| set(tx, "small")), blob("big"), blob("big 2"));
        assert!(matches!(big, Err(StorageError::DiskFull)), "{big:?}");
        assert!(after.is_err());
        let has = |key: &'static str| {
            storage.read_blocking(|c| {
                Ok(c.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)", [key], |row| {
                    row.get::<_, bool>(0)
                })?)
            })
        };
        assert_eq!(small.is_ok(), has("small").unwrap(), "what was answered is what is there");
        assert!(!has("big").unwrap() && !has("big 2").unwrap());
        limit(1_000_000).await.unwrap();
        blob("big").await.unwrap();
        assert!(has("big").unwrap());
    }

    async fn futures_join<F: Future + Send + 'static>(all: impl Iterator<Item = F>) -> Vec<F::Output>
    where
        F::Output: Send,
    {
        let tasks: Vec<_> = all.map(tokio::spawn).collect();
        let mut out = Vec::new();
        for task in tasks {
            out.push(task.await.unwrap());
        }
        out
    }

    #[test]
    fn a_second_daemon_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Storage::open(&options(&dir)).unwrap();
        assert!(matches!(Storage::open(&options(&dir)), Err(StorageError::Locked { .. })));
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Storage::open(&options(&dir)).unwrap());
        let connection = Connection::open(dir.path().join("data/queue.db")).unwrap();
        connection
            .execute(
                "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (99, 'x', '', '')",
                [],
            )
            .unwrap();
        drop(connection);
        let error = Storage::open(&options(&dir)).err().unwrap().to_string();
        assert!(error.contains("schema version 99"), "{error}");
    }

    #[test]
    fn a_reader_cannot_write_and_sees_all_files() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&options(&dir)).unwrap();
        storage
            .read_blocking(|c| {
                assert!(c.execute("DELETE FROM recipient", []).is_err());
                c.query_row("SELECT count(*) FROM contact, recipient, event", [], |row| row.get::<_, i64>(0))?;
                Ok(())
            })
            .unwrap();
    }
}
