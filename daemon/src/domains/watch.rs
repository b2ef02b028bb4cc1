//! Looks after all domains on a schedule: what is due is checked, one after the other, and new keys are made where the
//! domain's schedule says so.

use super::check::{rotation_at, verify};
use super::keys::rotate;
use crate::app::{App, Shared};
use crate::http::error::ApiError;
use std::time::Duration;
use storage::{DomainId, WorkspaceId, domain};

/// How often to look for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Domains that are checked before looking again.
const BATCH: u32 = 20;

/// Runs until the daemon stops.
pub(crate) async fn watch(app: Shared) {
    while !app.stop.is_cancelled() {
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = look(&app) => {}
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.clock.sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(app: &App) {
    let now_ms = app.now_ms();
    let due = match app.storage.read(move |c| domain::due(c, now_ms, BATCH)).await {
        Ok(due) => due,
        Err(e) => {
            tracing::warn!(error = %e, "cannot see which sending domains are due for a check");
            return;
        }
    };
    for (workspace, id) in due {
        if let Err(e) = check(app, workspace, id).await {
            tracing::warn!(domain = %id, error = %e, "a sending domain could not be checked");
        }
    }
}

async fn check(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<(), ApiError> {
    let found = super::rows(app, workspace, id).await?;
    if rotation_at(&found.row, &found.keys).is_some_and(|at| at <= app.now_ms()) {
        match rotate(app, workspace, id, None).await {
            Ok(()) => tracing::info!(domain = %found.row.domain, "new signing keys were made; publish their records"),
            Err(e) => tracing::warn!(domain = %found.row.domain, error = %e, "new signing keys could not be made"),
        }
    }
    verify(app, workspace, id).await?;
    Ok(())
}
