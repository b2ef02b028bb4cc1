//! The watchdog: a lane that has work and lets nobody go for a while is told to people, with why.

use crate::hold::off_clock;
use crate::lane::Lane;
use crate::metric;
use crate::shared::{Shared, lock};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::event::{Event, Kind};
use storage::{WorkspaceId, outbox};

/// Lanes are looked at so often.
const EVERY: Duration = Duration::from_secs(15);

/// A lane with work and without progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalledLane {
    /// Source.
    pub source: String,
    /// Site.
    pub site: String,
    /// Provider.
    pub provider: String,
    /// Recipients that wait in it.
    pub ready: usize,
    /// Since when nobody has left it.
    pub since_ms: i64,
    /// Why, as far as it can be seen.
    pub why: String,
}

/// What was seen of the lanes that have work.
#[derive(Default)]
pub(crate) struct Watchdog(Mutex<HashMap<LaneKey, Seen>>);

type LaneKey = (usize, Arc<str>);

struct Seen {
    left: u64,
    since_ms: i64,
    stalled: Option<StalledLane>,
}

impl Watchdog {
    /// The lanes that make no progress, longest first.
    pub fn stalled(&self) -> Vec<StalledLane> {
        let mut all: Vec<StalledLane> = lock(&self.0).values().filter_map(|seen| seen.stalled.clone()).collect();
        all.sort_by(|a, b| (a.since_ms, &a.site, &a.source).cmp(&(b.since_ms, &b.site, &b.source)));
        all
    }

    /// Looks at the lanes; returns those that are found stalled for the first time.
    fn look(&self, shared: &Shared, now_ms: i64) -> Vec<StalledLane> {
        let stall_ms = i64::try_from(shared.smtp.stall_after.as_millis()).unwrap_or(i64::MAX);
        let mut seen_before = lock(&self.0);
        let mut seen_now = HashMap::new();
        let mut new = Vec::new();
        for lane in shared.lanes() {
            let (left, ready) = lane.progress();
            // A lane that is held has nobody in it.
            if ready == 0 {
                continue;
            }
            let key = (lane.source, lane.site.name.clone());
            let mut seen = match seen_before.remove(&key) {
                Some(seen) if seen.left == left => seen,
                _ => Seen { left, since_ms: now_ms, stalled: None },
            };
            if now_ms - seen.since_ms >= stall_ms {
                let stalled = describe(shared, &lane, (ready, seen.since_ms));
                if seen.stalled.is_none() {
                    new.push(stalled.clone());
                }
                seen.stalled = Some(stalled);
            }
            seen_now.insert(key, seen);
        }
        metrics::gauge!(metric::LANES_STALLED).set(seen_now.values().filter(|s| s.stalled.is_some()).count() as f64);
        *seen_before = seen_now;
        new
    }
}

fn describe(shared: &Shared, lane: &Lane, (ready, since_ms): (usize, i64)) -> StalledLane {
    let status = lane.status(shared);
    let what = match status.connections {
        0 if shared.is_crowded() => "all places for connections are taken".to_owned(),
        0 if !shared.makers.has_room() => "made messages fill the memory that there is for them".to_owned(),
        0 => "no connection is open".to_owned(),
        1 => "one connection is open, and nothing comes of it".to_owned(),
        n => format!("{n} connections are open, and nothing comes of them"),
    };
    let said = status.reply.map(|reply| format!("; last answer: {reply}")).unwrap_or_default();
    StalledLane {
        source: status.source,
        site: status.site,
        provider: status.provider,
        ready,
        since_ms,
        why: format!("{what}{said}"),
    }
}

/// Watches until the engine ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep(EVERY).await;
        let now_ms = shared.clock.now_ms();
        for lane in shared.watchdog.look(&shared, now_ms) {
            tracing::error!(source = %lane.source, site = %lane.site, ready = lane.ready, why = %lane.why, "a lane makes no progress");
            tell(&shared, lane, now_ms).await;
        }
    }
}

async fn tell(shared: &Shared, lane: StalledLane, now_ms: i64) {
    let storage = shared.storage.clone();
    let write = async move {
        let told = storage.queue().write(move |tx| {
            outbox::put(
                tx,
                &Event {
                    source: Some(&lane.source),
                    site: Some(&lane.site),
                    provider: Some(&lane.provider),
                    text: Some(&lane.why),
                    ..Event::new(now_ms, WorkspaceId::MAIN, Kind::LaneStalled)
                },
            )
        });
        told.await
    };
    if let Some(Err(error)) = off_clock(write).await {
        tracing::warn!(%error, "an event about a lane cannot be written");
    }
    shared.book.counts.events.notify_one();
}
