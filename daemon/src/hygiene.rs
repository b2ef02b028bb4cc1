//! List hygiene on a schedule: who was mailed is noted every hour, and each rule that is on is applied once a day.

use crate::app::{App, Shared};
use std::time::Duration;
use storage::hygiene::{self, Rule};
use storage::{StorageError, WorkspaceId};

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 86_400_000;

/// Runs until the daemon stops, which is safe at every moment.
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
    match campaign::hygiene::look(&app.storage, &app.clock).await {
        Ok(0) => {}
        Ok(lifted) => tracing::info!(lifted, "contacts that were engaged again get mail again"),
        Err(e) => tracing::warn!(error = %e, "cannot see who was mailed and who came back"),
    }
    let due = match due(app).await {
        Ok(due) => due,
        Err(e) => {
            tracing::warn!(error = %e, "cannot see which hygiene rules are due");
            return;
        }
    };
    for (workspace, rules) in due {
        match campaign::hygiene::run(&app.storage, &app.clock, workspace, (rules, "schedule".to_owned())).await {
            Ok(ran) => tracing::info!(
                workspace.id = %workspace, sunset = ran.sunset, reengage = ran.reengage, "hygiene rules were applied"
            ),
            Err(error) => tracing::warn!(workspace.id = %workspace, %error, "hygiene rules could not be applied"),
        }
    }
}

/// Rules that are on and were not applied for a day.
async fn due(app: &App) -> Result<Vec<(WorkspaceId, Vec<Rule>)>, StorageError> {
    let before_ms = app.now_ms() - DAY_MS;
    app.storage
        .read(move |c| {
            let mut due = Vec::new();
            for (workspace, settings) in hygiene::all(c)? {
                let mut rules = Vec::new();
                for (rule, on) in [(Rule::Reengage, settings.reengage), (Rule::Sunset, settings.sunset)] {
                    if on && hygiene::last_run(c, workspace, rule)?.is_none_or(|last_ms| last_ms <= before_ms) {
                        rules.push(rule);
                    }
                }
                if !rules.is_empty() {
                    due.push((workspace, rules));
                }
            }
            Ok(due)
        })
        .await
}
