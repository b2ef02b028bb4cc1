//! Room on the disk that holds the data folder.

use crate::app::App;
use crate::http::error::ApiError;
use api_types::ErrorCode;
use mta::submission::Pressure as _;
use std::path::Path;

const MIB: u64 = 1024 * 1024;

/// Free bytes for this user; `None` when the system does not say.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// How many MiB are free, when that is less than wanted.
pub(crate) fn low(app: &App) -> Option<u64> {
    let free = free_bytes(app.storage.dir())? / MIB;
    (free < u64::from(app.config.storage.min_free_mb)).then_some(free)
}

/// What is too short to take new mail in, by SMTP or by HTTP.
pub(crate) fn shortage(app: &App) -> Option<&'static str> {
    app.pressure.shortage().or_else(|| low(app).map(|_| "disk space"))
}

/// Refuses what would fill a disk that is nearly full, and what comes while memory is short. Delivery goes on all the
/// same.
pub(crate) fn refuse_when_low(app: &App) -> Result<(), ApiError> {
    let Some(free) = low(app) else { return enough_memory(app) };
    let message = format!(
        "The server's disk has only {free} MiB left. Free some space, or lower [storage] min_free_mb, and try again."
    );
    Err(ApiError::new(ErrorCode::Unavailable, message))
}

fn enough_memory(app: &App) -> Result<(), ApiError> {
    match app.pressure.shortage() {
        None => Ok(()),
        Some(what) => {
            let message = format!("The server is short of {what} for the moment. Try again in a minute.");
            Err(ApiError::new(ErrorCode::Unavailable, message))
        }
    }
}
