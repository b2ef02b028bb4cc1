//! Waiting for the database's threads without letting simulated time run.
//!
//! Tokio's paused clock moves on whenever every task waits, and knows nothing of a writer thread; while a blocking task
//! runs, it stands still. In production this is a thread hop for each batch, not for each message.

/// Runs `work` on a blocking thread; `None` when it panicked or the runtime is gone.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Runs an async operation of `storage` on a blocking thread.
pub(crate) async fn off_clock<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let handle = tokio::runtime::Handle::current();
    blocking(move || handle.block_on(work)).await
}
