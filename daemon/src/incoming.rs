//! What settles mail that comes in: one for the listener, the API and the mailboxes that are read. Those mailboxes, and
//! how they are doing. And what came long ago goes.

use crate::app::{App, Shared};
use anyhow::Context;
use config::{Config, Mailbox};
use mta::inbound::pull::{MailboxStatus, Outside, Puller, Setup};
use mta::inbound::{Desk, Inbound};
use mta::submission::Certificate;
use std::sync::Arc;
use std::time::Duration;
use storage::reply;

/// The server of a mailbox may be silent for this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Old answers are deleted in chunks, this often.
const TIDY_EVERY: Duration = Duration::from_secs(600);
const TIDY_CHUNK: u32 = 500;
const DAY_MS: i64 = 86_400_000;

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
        shaping: app.shaping.clone(),
        unknown_texts: app.unknown_texts.clone(),
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

/// Begins to read the mailboxes of the configuration, until the daemon stops.
pub(crate) fn begin_reading(app: &Shared, inbound: Arc<Inbound>) -> anyhow::Result<()> {
    let setups = setups(&app.config)?;
    if setups.is_empty() {
        return Ok(());
    }
    let outside =
        Outside { dns: app.dns.clone(), dial: app.dial.clone(), roots: app.tls.roots.clone(), patience: PATIENCE };
    let puller = Puller::new(setups, outside, inbound).context("the certificates of a mailbox cannot be used")?;
    let puller = Arc::new(puller);
    // Set once: there is one per app.
    let _ = app.puller.set(Arc::clone(&puller));
    let stop = app.stop.clone();
    app.tasks.spawn(async move { puller.run(&stop).await });
    Ok(())
}

/// The mailboxes with what lies outside the configuration file.
///
/// # Errors
/// When a password or a file of certificates is not there.
pub(crate) fn setups(config: &Config) -> anyhow::Result<Vec<Setup>> {
    let with_name = |mailbox: &Mailbox| setup(mailbox).with_context(|| format!("the mailbox {}", mailbox.name));
    config.mailboxes.iter().map(with_name).collect()
}

fn setup(mailbox: &Mailbox) -> anyhow::Result<Setup> {
    let password = mailbox.password(|name| std::env::var_os(name))?;
    anyhow::ensure!(!password.chars().any(char::is_control), "its password has a control character");
    let read = |file: &std::path::PathBuf| {
        std::fs::read(file).with_context(|| format!("its certificates in {}", file.display()))
    };
    let ca_pem = mailbox.ca_file.as_ref().map(read).transpose()?;
    Ok(Setup { mailbox: mailbox.clone(), password, ca_pem })
}

/// How the mailboxes are doing.
pub(crate) fn statuses(app: &App) -> Vec<MailboxStatus> {
    app.puller.get().map(|puller| puller.statuses()).unwrap_or_default()
}

/// Deletes answers that are older than they are kept, again and again.
pub(crate) async fn tidy(app: Shared) {
    while !app.stop.is_cancelled() {
        let before_ms = app.now_ms() - i64::from(app.config.storage.reply_days) * DAY_MS;
        match app.storage.queue().write(move |tx| reply::forget(tx, before_ms, TIDY_CHUNK)).await {
            // There may be more.
            Ok(gone) if gone == TIDY_CHUNK as usize => continue,
            Ok(_) => {}
            Err(e) => tracing::warn!(error = %e, "old answers could not be deleted"),
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.clock.sleep(TIDY_EVERY) => {}
        }
    }
}
