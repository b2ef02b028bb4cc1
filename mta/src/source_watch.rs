//! The watch over the sources' addresses: one that disappears takes its source out, and it comes back by itself. Both are
//! said in the log and kept as events.

use crate::hold::off_clock;
use crate::metric;
use crate::shared::Shared;
use mail::WaitReason;
use std::sync::Arc;
use std::time::Duration;
use storage::event::{Event, Kind};
use storage::{WorkspaceId, outbox};

/// Each address is looked for so often. The look costs a system call.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks at every source's address, until the engine stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    loop {
        for source in 0..shared.sources.len() {
            look(&shared, source).await;
        }
        shared.clock.sleep(LOOK_EVERY).await;
    }
}

async fn look(shared: &Arc<Shared>, source: usize) {
    let Some(ip) = shared.sources[source].ip.filter(|_| shared.sources[source].enabled) else { return };
    let gone = (!shared.dial.has_source(ip)).then(|| format!("this host does not have {ip}"));
    if !shared.source_states.note(source, gone.clone()) {
        return;
    }
    tell(shared, source, gone.as_deref()).await;
    match gone {
        // What waits for it looks for another source.
        Some(why) => {
            for lane in shared.lanes().into_iter().filter(|lane| lane.source == source) {
                lane.hold(shared, WaitReason::Local, LOOK_EVERY, why.clone());
            }
        }
        None => shared.book.counts.wake.notify_one(),
    }
}

/// Says that a source is out, or back.
pub(crate) async fn tell(shared: &Shared, source: usize, gone: Option<&str>) {
    let name = shared.sources[source].name.to_string();
    let (kind, text) = match gone {
        Some(why) => {
            tracing::error!(source = name, "a source is out, its mail leaves from the others of its pools: {why}");
            (Kind::SourceOut, why.to_owned())
        }
        None => {
            tracing::warn!(source = name, "a source is back: this host has its address again");
            (Kind::SourceBack, "this host has its address again".to_owned())
        }
    };
    let out = if gone.is_some() { 1.0 } else { 0.0 };
    metrics::gauge!(metric::SOURCE_OUT, "source" => name.clone()).set(out);
    let (storage, at_ms) = (shared.storage.clone(), shared.clock.now_ms());
    let written = off_clock(async move {
        let write = storage.queue().write(move |tx| {
            let event = Event::new(at_ms, WorkspaceId::MAIN, kind);
            outbox::put(tx, &Event { source: Some(&name), text: Some(&text), ..event })
        });
        write.await
    });
    if let Some(Err(error)) = written.await {
        tracing::error!(%error, "the event about a source cannot be written");
    }
}
