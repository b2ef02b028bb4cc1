//! Group commit: one writer thread per file turns the operations waiting for it into one transaction.
//!
//! Each operation runs in a savepoint of its own, so that one that fails takes only its own changes back; all are
//! answered after the commit. An operation whose answer says "done" is on disk.

use crate::StorageError;
use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Operations in one commit at most: bounds the time that the first waits for the last.
const GROUP_MAX: usize = 1024;
/// Operations waiting at most; who comes then waits for a place.
const WAITING_MAX: usize = 8192;

/// What may wait for company is committed after this at the latest.
const COMPANY_WAIT: Duration = Duration::from_millis(5);

/// Runs inside the group's transaction; the outcome is told to `answer` once the commit has succeeded or failed.
trait Operation: Send {
    fn run(&mut self, tx: &Transaction<'_>);
    /// `commit` is the commit's own failure.
    fn answer(self: Box<Self>, commit: Result<(), &StorageError>);
}

struct Write<F, T> {
    work: Option<F>,
    outcome: Option<Result<T, StorageError>>,
    answer: oneshot::Sender<Result<T, StorageError>>,
}

impl<F, T> Operation for Write<F, T>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Transaction<'_>) {
        let Some(work) = self.work.take() else { return };
        self.outcome = Some(in_savepoint(tx, work));
    }

    fn answer(self: Box<Self>, commit: Result<(), &StorageError>) {
        let outcome = match (commit, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(StorageError::DiskFull), _) => Err(StorageError::DiskFull),
            (Err(StorageError::Sqlite(e)), _) => Err(StorageError::Sqlite(rusqlite::Error::SqliteFailure(
                e.sqlite_error().copied().unwrap_or(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR)),
                Some(format!("the commit failed: {e}")),
            ))),
            _ => Err(StorageError::Closed),
        };
        // Nobody waits any more: the caller was cancelled; what is committed is committed.
        let _ = self.answer.send(outcome);
    }
}

/// Where operations go in, and come out.
type Entrance = Sender<Box<dyn Operation>>;
type Exit = Receiver<Box<dyn Operation>>;

/// Two lines of operations.
struct Lines<T> {
    /// A commit begins as soon as there is one.
    urgent: T,
    /// These wait a little for others, so that many share a commit.
    patient: T,
}

/// Writes to one file. Dropping it waits for what is under way and closes the file.
pub struct Writer {
    /// `None` only while being dropped.
    waiting: Option<Lines<Entrance>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.waiting = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Writer {
    /// Starts the thread that owns `connection`.
    pub(crate) fn start(name: &str, connection: Connection) -> std::io::Result<Writer> {
        let (urgent, urgent_operations) = bounded(WAITING_MAX);
        let (patient, patient_operations) = bounded(WAITING_MAX);
        let operations = Lines { urgent: urgent_operations, patient: patient_operations };
        let thread =
            std::thread::Builder::new().name(format!("write-{name}")).spawn(move || serve(connection, &operations))?;
        Ok(Writer { waiting: Some(Lines { urgent, patient }), thread: Some(thread) })
    }

    /// Runs `work` in the next group's transaction and waits for the commit.
    ///
    /// # Errors
    /// What `work` returned (its changes are taken back), or the commit's failure.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
        T: Send + 'static,
    {
        self.put(work, |waiting| &waiting.urgent).await
    }

    /// The same for what can wait some milliseconds: while other things are written, a flood of small operations shares
    /// their commits.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn write_with_others<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
        T: Send + 'static,
    {
        self.put(work, |waiting| &waiting.patient).await
    }

    async fn put<T, F>(&self, work: F, line: fn(&Lines<Entrance>) -> &Entrance) -> Result<T, StorageError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let mut operation: Box<dyn Operation> = Box::new(Write { work: Some(work), outcome: None, answer });
        // The channel is almost never full; when it is, the disk is the bottleneck and a short wait is right.
        loop {
            let Some(waiting) = &self.waiting else { return Err(StorageError::Closed) };
            match line(waiting).try_send(operation) {
                Ok(()) => break,
                Err(crossbeam_channel::TrySendError::Full(back)) => {
                    operation = back;
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err(crossbeam_channel::TrySendError::Disconnected(_)) => return Err(StorageError::Closed),
            }
        }
        answered.await.unwrap_or(Err(StorageError::Closed))
    }

    /// The same from a thread outside the async runtime.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let operation = Box::new(Write { work: Some(work), outcome: None, answer });
        let Some(waiting) = &self.waiting else { return Err(StorageError::Closed) };
        waiting.urgent.send(operation).map_err(|_| StorageError::Closed)?;
        answered.blocking_recv().unwrap_or(Err(StorageError::Closed))
    }
}

fn serve(mut connection: Connection, operations: &Lines<Exit>) {
    let (mut company, mut is_full) = (false, false);
    while let Some(mut group) = first(operations, &mut company) {
        let committing = AssertUnwindSafe(|| commit_group(&mut connection, operations, &mut group));
        // A panic takes back what its group has written, and whoever waits for the group is told that it failed. Without
        // this thread nothing could be written any more.
        let Ok(outcome) = catch_unwind(committing) else { continue };
        match &outcome {
            // Said once: a flood of what cannot be written would be a flood of lines too.
            Err(StorageError::DiskFull) if is_full => {}
            Err(e) => {
                tracing::error!(error = %e, operations = group.len(), "a database commit failed; nothing of it was kept");
            }
            Ok(()) if is_full => tracing::info!("the database can be written again"),
            Ok(()) => {}
        }
        is_full = matches!(outcome, Err(StorageError::DiskFull));
        for operation in group {
            operation.answer(outcome.as_ref().copied());
        }
    }
    // Leaves one file without a WAL beside it, where no reader holds it open.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

/// What a commit begins with; `None` when nobody is left who could write. `company` is whether waiting for what is urgent
/// was of use lately: where nothing else is written, nobody waits.
fn first(operations: &Lines<Exit>, company: &mut bool) -> Option<Vec<Box<dyn Operation>>> {
    let patient = crossbeam_channel::select_biased! {
        recv(operations.urgent) -> urgent => {
            *company = true;
            // Both lines end together; what still stands in the other one is written.
            return urgent.or_else(|_| operations.patient.recv()).ok().map(|one| vec![one]);
        }
        recv(operations.patient) -> patient => patient,
    };
    let Ok(patient) = patient else { return operations.urgent.recv().ok().map(|urgent| vec![urgent]) };
    if *company && let Ok(urgent) = operations.urgent.recv_timeout(COMPANY_WAIT) {
        return Some(vec![urgent, patient]);
    }
    *company = false;
    Some(vec![patient])
}

fn commit_group(
    connection: &mut Connection,
    operations: &Lines<Exit>,
    group: &mut Vec<Box<dyn Operation>>,
) -> Result<(), StorageError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for operation in group.iter_mut() {
        if tx.is_autocommit() {
            break;
        }
        operation.run(&tx);
    }
    // What arrived while the last commit was written joins this one.
    while group.len() < GROUP_MAX && !tx.is_autocommit() {
        let Ok(mut next) = operations.urgent.try_recv().or_else(|_| operations.patient.try_recv()) else { break };
        next.run(&tx);
        group.push(next);
    }
    // A full disk makes SQLite take the whole transaction back by itself: then everybody of the group has failed, and
    // nothing more may run, since it would be committed on its own.
    if tx.is_autocommit() {
        return Err(StorageError::DiskFull);
    }
    tx.commit()?;
    Ok(())
}

/// Runs `work` so that its failure takes back its own changes and nobody else's.
fn in_savepoint<T>(
    tx: &Transaction<'_>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    tx.prepare_cached("SAVEPOINT operation")?.execute([])?;
    let outcome = work(tx);
    if tx.is_autocommit() {
        // The transaction has ended under us (see `commit_group`), and the savepoint with it.
        return outcome;
    }
    if outcome.is_err() {
        tx.prepare_cached("ROLLBACK TO operation")?.execute([])?;
    }
    tx.prepare_cached("RELEASE operation")?.execute([])?;
    outcome
}
