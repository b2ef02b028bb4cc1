//! Imports under way: each on a thread of its own, one at a time, since all write to the same file. What was
//! interrupted goes on at the next start. What was uploaded and never started goes after a week, file and all.

use crate::app::Shared;
use campaign::import::{self, Outcome};
use std::time::Duration;
use storage::StorageError;
use storage::import::Import;

/// An upload that was not started is kept for this long.
const DRAFT_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Looked for so often.
const TIDY_EVERY: Duration = Duration::from_hours(6);
/// Uploads deleted at a time.
const TIDY_CHUNK: u32 = 100;

/// Goes on with what was interrupted.
pub(crate) async fn resume(app: &Shared) -> anyhow::Result<()> {
    forget_half_uploads(app);
    for import in app.storage.read(storage::import::running).await? {
        tracing::info!(import = %import.id, line = import.next_line, "an interrupted import goes on");
        begin(app, import);
    }
    Ok(())
}

/// Deletes uploads that nobody started, until the daemon stops.
pub(crate) async fn tidy(app: Shared) {
    loop {
        if let Err(error) = forget_drafts(&app).await {
            tracing::warn!(%error, "old uploads cannot be deleted; trying again later");
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
    }
}

async fn forget_drafts(app: &Shared) -> Result<(), StorageError> {
    let before_ms = app.now_ms() - DRAFT_KEPT_MS;
    loop {
        let gone = app.storage.main().write(move |tx| storage::import::abandon(tx, before_ms, TIDY_CHUNK)).await?;
        for id in &gone {
            // The row is gone first: a file that stays behind is only space.
            let _ = tokio::fs::remove_file(import::path(app.storage.dir(), *id)).await;
        }
        if gone.len() < TIDY_CHUNK as usize {
            return Ok(());
        }
    }
}

/// Uploads that ended with the last run.
fn forget_half_uploads(app: &Shared) {
    let folder = app.storage.dir().join("imports");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".part") {
            // At worst it stays and takes space.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Reads a started import to its end, as soon as those before it are through.
pub(crate) fn begin(app: &Shared, import: Import) {
    let app = app.clone();
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let turn = tokio::select! {
            () = app.stop.cancelled() => return,
            turn = app.imports.clone().acquire_owned() => turn,
        };
        let id = import.id;
        let read = app.tasks.spawn_blocking({
            let app = app.clone();
            move || {
                let _turn = turn;
                import::run(&app.storage, &app.clock, &import, &|| app.stop.is_cancelled())
            }
        });
        match read.await {
            Ok(Ok(Outcome::Finished)) => tracing::info!(import = %id, "import finished"),
            Ok(Ok(Outcome::Ended)) => tracing::info!(import = %id, "import cancelled"),
            Ok(Ok(Outcome::Interrupted)) => {
                tracing::info!(import = %id, "import interrupted; it goes on after the start")
            }
            Ok(Err(e)) => tracing::warn!(import = %id, error = %e, "import stopped"),
            Err(e) => tracing::error!(import = %id, error = %e, "import broke off"),
        }
    });
}
