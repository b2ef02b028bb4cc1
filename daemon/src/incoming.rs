//! What settles mail that comes in: one for the listener, the API and the mailboxes that are read.

use crate::app::Shared;
use mta::inbound::{Desk, Inbound};
use mta::submission::Certificate;
use std::sync::Arc;

/// Makes it, for as long as the daemon runs.
pub(crate) fn begin(app: &Shared, certificate: Option<Arc<Certificate>>) -> Arc<Inbound> {
    let engine = {
        let app = Arc::downgrade(app);
        move || app.upgrade().and_then(|app| app.engine.get().cloned())
    };
    let inbound = Arc::new(Inbound {
        storage: app.storage.clone(),
        clock: app.clock.clone(),
        verp: Arc::new(bounce::verp::Key::new(&app.keys.verp)),
        hostname: app.config.server.hostname.clone(),
        feedback: app.config.smtp.feedback_local_part.to_string(),
        certificate,
        random: app.random.clone(),
        streams: app.config.streams.clone(),
        desk: Desk::default(),
        wake: Box::new({
            let engine = engine.clone();
            move || {
                if let Some(engine) = engine() {
                    engine.wake();
                }
            }
        }),
        heard: Box::new(move |heard| {
            if let Some(engine) = engine() {
                engine.heard(heard);
            }
        }),
    });
    // Set once: there is one per app.
    let _ = app.inbound.set(Arc::clone(&inbound));
    inbound
}
