//! Imports under way: each on a thread of its own, one at a time, since all write to the same file. What was
//! interrupted goes on at the next start.

use crate::app::Shared;
use campaign::import::{self, Outcome};
use storage::import::Import;

/// Goes on with what was interrupted.
pub(crate) async fn resume(app: &Shared) -> anyhow::Result<()> {
    forget_half_uploads(app);
    for import in app.storage.read(storage::import::running).await? {
        tracing::info!(import = %import.id, line = import.next_line, "an interrupted import goes on");
        begin(app, import);
    }
    Ok(())
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
