//! Time: the date in milliseconds, and sleeping.

use futures_util::future::BoxFuture;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The date and the passing of time. Tokio's paused clock moves `sleep` but not the date, so both come from here.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970, UTC.
    fn now_ms(&self) -> i64;
    /// Ends after `span`.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}
