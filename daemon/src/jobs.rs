//! Actions on many recipients under way: one at a time, in chunks that the mail on its way hardly notices. What was
//! interrupted goes on at the next start.

use crate::app::Shared;
use std::time::Duration;
use storage::{JobId, job};

/// Recipients in one commit.
const CHUNK: u32 = 2_500;
/// Between two commits: the engine's own come first.
const PAUSE: Duration = Duration::from_millis(5);

/// Goes on with what was interrupted.
pub(crate) async fn resume(app: &Shared) -> anyhow::Result<()> {
    for id in app.storage.read(job::running).await? {
        tracing::info!(job = %id, "an interrupted action on the queue goes on");
        begin(app, id);
    }
    Ok(())
}

/// Brings a job to its end, as soon as those before it are through.
pub(crate) fn begin(app: &Shared, id: JobId) {
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = run(&app, id) => {}
        }
    });
}

async fn run(app: &Shared, id: JobId) {
    // The semaphore is never closed.
    let _turn = app.jobs.acquire().await;
    loop {
        let now_ms = app.now_ms();
        match app.storage.queue().write(move |tx| job::step(tx, id, CHUNK, now_ms)).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                tracing::error!(job = %id, error = %e, "an action on the queue stopped; it goes on after the next start");
                break;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!(job = %id, "an action on the queue has ended");
    app.wake();
}
