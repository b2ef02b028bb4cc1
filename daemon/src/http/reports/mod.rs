//! What the world reports about our domains: DMARC and TLS reports, failed authentication, blocklists, complaints.

pub(crate) mod alarms;
pub(crate) mod blocklists;
pub(crate) mod dmarc;
pub(crate) mod failures;
pub(crate) mod feedback;
pub(crate) mod notices;
pub(crate) mod tls;

use crate::app::App;
use crate::http::error::ApiError;
use crate::text::time;
use serde::Deserialize;
use utoipa::IntoParams;

const DAY_MS: i64 = 86_400_000;
/// The longest period that is summed up.
const DAYS_MAX: u32 = 400;
const DAYS_DEFAULT: u32 = 30;
/// Alarms shown beside figures.
const ALARMS_MAX: u32 = 50;
/// Domains whose records are shown.
const DOMAINS_MAX: u32 = 200;

/// About which domain, over which time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PeriodQuery {
    /// Only this sending domain.
    domain: Option<String>,
    /// The last so many days, 1 to 400; 30 when absent.
    days: Option<u32>,
}

/// Likewise, page by page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PeriodPageQuery {
    /// Only this sending domain.
    domain: Option<String>,
    /// The last so many days, 1 to 400; 30 when absent.
    days: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// The beginning of the first day of the period; today is its last.
fn since(app: &App, days: Option<u32>) -> Result<i64, ApiError> {
    let days = days.unwrap_or(DAYS_DEFAULT);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(ApiError::invalid("days", format!("days must be 1 to {DAYS_MAX}.")));
    }
    let now_ms = app.now_ms();
    Ok(now_ms - now_ms.rem_euclid(DAY_MS) - i64::from(days - 1) * DAY_MS)
}

/// A word of the query that narrows; an empty one narrows nothing.
fn narrowed(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_ascii_lowercase()).filter(|text| !text.is_empty())
}

/// Every day from `since_ms` on, with what is known of it.
fn every_day<T>(app: &App, since_ms: i64, known: impl Fn(i64) -> T) -> Vec<(String, T)> {
    let days = (app.now_ms() - since_ms) / DAY_MS;
    (0..=days).map(|n| since_ms + n * DAY_MS).map(|day_ms| (day(day_ms), known(day_ms))).collect()
}

/// `2026-01-31`.
fn day(at_ms: i64) -> String {
    time(at_ms).chars().take(10).collect()
}

/// `next` of a page whose rows have ids.
fn next(len: usize, limit: u32, last: Option<i64>) -> Option<String> {
    last.filter(|_| len == limit as usize).map(|id| id.to_string())
}
