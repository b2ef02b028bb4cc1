//! Back-pressure: while disk space or memory is short, nothing new is taken in (SMTP 452, HTTP 503), and what is here
//! goes on being delivered, which makes room. It ends by itself, a little above the threshold, so that it does not
//! flicker.

use crate::app::{App, Shared};
use crate::disk;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const MIB: u64 = 1024 * 1024;

/// What is short now.
#[derive(Default)]
pub(crate) struct Pressure {
    disk: AtomicBool,
    memory: AtomicBool,
}

impl mta::submission::Pressure for Pressure {
    fn shortage(&self) -> Option<&'static str> {
        if self.disk.load(Ordering::Relaxed) {
            return Some("disk space");
        }
        self.memory.load(Ordering::Relaxed).then_some("memory")
    }
}

/// Looks once.
pub(crate) fn look(app: &App) {
    let min = u64::from(app.config.storage.min_free_mb) * MIB;
    if let Some(free) = disk::free_bytes(app.storage.dir()) {
        settle(&app.pressure.disk, "disk space", |before| low(before, free, min));
    }
    let max = u64::from(app.config.server.memory_max_mb) * MIB;
    if let Some(used) = used_bytes() {
        settle(&app.pressure.memory, "memory", |before| high(before, used, max));
    }
}

/// Looks again and again.
pub(crate) async fn watch(app: Shared) {
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = app.clock.sleep(LOOK_EVERY) => look(&app),
        }
    }
}

fn settle(flag: &AtomicBool, what: &str, next: impl Fn(bool) -> bool) {
    let before = flag.load(Ordering::Relaxed);
    let now = next(before);
    flag.store(now, Ordering::Relaxed);
    match (before, now) {
        (false, true) => tracing::warn!("short of {what}: new mail is put off until there is more"),
        (true, false) => tracing::info!("there is enough {what} again: new mail is taken in"),
        _ => {}
    }
}

/// Short below the minimum; enough again with a twentieth more.
fn low(before: bool, free: u64, min: u64) -> bool {
    free < if before { min + min / 20 } else { min }
}

/// Short above the maximum; enough again with a twentieth less.
fn high(before: bool, used: u64, max: u64) -> bool {
    used > if before { max - max / 20 } else { max }
}

/// Memory of this process; `None` when the system does not say.
fn used_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta::submission::Pressure as _;

    #[test]
    fn it_begins_at_the_threshold_and_ends_a_little_beyond() {
        let story = |levels: [u64; 7], next: fn(bool, u64, u64) -> bool| {
            let mut now = false;
            levels.map(|level| {
                now = next(now, level, 1000);
                now
            })
        };
        assert_eq!(
            story([1001, 1000, 999, 1000, 1049, 1050, 1000], low),
            [false, false, true, true, true, false, false]
        );
        assert_eq!(
            story([999, 1000, 1001, 1000, 951, 950, 1000], high),
            [false, false, true, true, true, false, false]
        );
        assert!(!low(true, 0, 0), "no threshold, no pressure");
    }

    #[test]
    fn what_is_short_is_named() {
        let pressure = Pressure::default();
        assert_eq!(pressure.shortage(), None);
        settle(&pressure.memory, "memory", |_| true);
        assert_eq!(pressure.shortage(), Some("memory"));
        settle(&pressure.disk, "disk space", |_| true);
        assert_eq!(pressure.shortage(), Some("disk space"));
        assert!(used_bytes().is_some_and(|used| used > MIB));
    }
}
