//! Start, run, drain, stop.
//!
//! Order of the start: folder and database (which also keeps a second daemon away), master key, listeners, then the
//! jobs. Stopping goes the other way round: listeners close, live streams end, jobs finish what they hold, and the
//! database closes last, when nobody holds it any more.

mod keys;
mod listen;
mod logging;
mod providers;
mod submission;
mod tls;
mod web;

pub use keys::Keys;
pub(crate) use listen::socket_path;
pub(crate) use providers::warnings as provider_warnings;
pub(crate) use tls::warnings as tls_warnings;

use crate::app::{App, Shared, World};
use crate::content::Content;
use crate::{domains, http, imports, incoming, jobs, pressure, webhooks};
use anyhow::{Context, bail};
use campaign::journey;
use campaign::mailing::{self, Releaser};
use config::Config;
use mta::submission::Security;
use mta::tls::TlsParts;
use mta::{Engine, EngineHandle, Retention};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage::soft_bounce::Threshold;
use storage::{OpenOptions, Storage, session};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use world::{Clock, Dial, Dns, DnsOptions, HickoryDns, Random, SystemClock, SystemRandom, TcpDial};

/// How long requests under way may take to end.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// How long transactions with other servers may take to end.
const ENGINE_GRACE: Duration = Duration::from_secs(15);
/// Looks whether the database is let go, and the time between them: five seconds in all.
const RELEASE_LOOKS: u32 = 500;
const RELEASE_WAIT: Duration = Duration::from_millis(10);
/// Days in configuration.
const DAY: Duration = Duration::from_hours(24);
/// What is over is forgotten this often.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// What tests and the demo replace of the outside world; the real thing where `None`.
#[derive(Default)]
pub struct Overrides {
    /// The date.
    pub clock: Option<Arc<dyn Clock>>,
    /// Randomness.
    pub random: Option<Arc<dyn Random>>,
    /// DNS.
    pub dns: Option<Arc<dyn Dns>>,
    /// Outgoing connections.
    pub dial: Option<Arc<dyn Dial>>,
    /// HTTPS, proven DNS answers and certificate authorities.
    pub tls: Option<TlsParts>,
}

/// A running daemon. Stop it with [`Running::stop`]; dropping it leaves its tasks alone until the runtime ends.
pub struct Running {
    /// Where HTTP is served.
    pub http_addr: SocketAddr,
    /// Where the return-path listener hears, if there is one.
    pub inbound_addr: Option<SocketAddr>,
    /// Where mail is handed in, and how TLS begins there.
    pub submission_addrs: Vec<(Security, SocketAddr)>,
    app: Shared,
    engine: Option<EngineHandle>,
}

impl Running {
    /// The shared parts, for the operations of [`crate::ops`].
    #[must_use]
    pub fn app(&self) -> &Shared {
        &self.app
    }

    /// Stops accepting, ends live streams, brings transactions under way to their end, puts everything else back into
    /// the queue, and closes the database: after it the folder is free.
    ///
    /// # Errors
    /// When something did not end in time; what is on disk is good all the same.
    pub async fn stop(self) -> anyhow::Result<()> {
        let dir = self.app.storage.dir().to_owned();
        self.app.stop.cancel();
        self.app.tasks.close();
        if let Some(engine) = self.engine {
            engine.stop(ENGINE_GRACE).await;
        }
        let ended = tokio::time::timeout(DRAIN_MAX, self.app.tasks.wait()).await;
        drop(self.app);
        ended.context("some requests or jobs did not end in time and were cut off")?;
        released(&dir).await
    }
}

/// Waits until the last holder of the database has let it go: threads end a moment after their work.
async fn released(dir: &Path) -> anyhow::Result<()> {
    for _ in 0..RELEASE_LOOKS {
        if !storage::in_use(dir) {
            return Ok(());
        }
        tokio::time::sleep(RELEASE_WAIT).await;
    }
    bail!("something in this process still holds the database in {}", dir.display())
}

/// Starts the daemon inside this process.
///
/// # Errors
/// Each with what to do: folder not usable, another daemon on it, newer schema, wrong master key, port in use.
pub async fn start(mut config: Config, overrides: Overrides) -> anyhow::Result<Running> {
    http::metrics::start();
    let storage = open_storage(&config)?;
    let keys = Keys::load(&config, &storage).await?;
    let http = listen::bind("http", "listen", config.http.listen).await?;
    let http_addr = http.local_addr()?;
    let inbound = match config.smtp.inbound_listen {
        Some(address) => Some(listen::bind("smtp", "inbound_listen", address).await?),
        None => None,
    };
    let inbound_addr = inbound.as_ref().map(TcpListener::local_addr).transpose()?;
    let submission = submission::Listeners::bind(&config.submission).await?;
    let submission_addrs = submission.as_ref().map_or(Ok(Vec::new()), submission::Listeners::addresses)?;
    // Port 0 asks for any: links must name the one that it became.
    config.http.listen = http_addr;
    let world = real_world(&config, overrides)?;
    let app: Shared = Arc::new(App::new(config, storage, keys, world));
    for warning in provider_warnings(&app.config) {
        tracing::warn!("{warning}");
    }
    pressure::look(&app);
    app.tasks.spawn(pressure::watch(app.clone()));
    let engine = start_sending(&app).await?;
    let router = http::router(&app);
    listen::serve_local(&app, router.clone());
    listen::serve_http(&app, http, router);
    let certificate = submission.as_ref().map(submission::Listeners::certificate);
    let settling = incoming::begin(&app, certificate);
    if let Some(listener) = inbound {
        app.tasks.spawn(mta::inbound::serve(listener, Arc::clone(&settling), app.stop.clone()));
    }
    incoming::begin_reading(&app, settling)?;
    app.tasks.spawn(incoming::tidy(app.clone()));
    if let Some(listeners) = submission {
        listeners.serve(&app);
    }
    imports::resume(&app).await?;
    jobs::resume(&app).await?;
    app.tasks.spawn(tidy(app.clone()));
    app.tasks.spawn(webhooks::run::run(app.clone()));
    app.tasks.spawn(webhooks::run::move_queued(app.clone()));
    app.tasks.spawn(webhooks::run::tidy(app.clone()));
    app.tasks.spawn(imports::tidy(app.clone()));
    app.tasks.spawn(domains::watch(app.clone()));
    app.tasks.spawn(crate::hygiene::watch(app.clone()));
    app.tasks.spawn(look_at_sources(app.clone()));
    if !http::console_present() {
        tracing::warn!("built without the console; `cargo xtask ui` makes it");
    }
    tracing::info!(%http_addr, dir = %app.storage.dir().display(), "packetboat is ready");
    Ok(Running { http_addr, inbound_addr, submission_addrs, app, engine: Some(engine) })
}

/// The same without network and jobs, for one command while no daemon runs: only the local socket is served.
pub(crate) async fn start_offline(config: Config) -> anyhow::Result<Running> {
    let storage = open_storage(&config)?;
    let keys = Keys::load(&config, &storage).await?;
    let http_addr = config.http.listen;
    let world = real_world(&config, Overrides::default())?;
    let app: Shared = Arc::new(App::new(config, storage, keys, world));
    incoming::begin(&app, None);
    let router = http::router(&app);
    listen::serve_local(&app, router);
    imports::resume(&app).await?;
    jobs::resume(&app).await?;
    Ok(Running { http_addr, inbound_addr: None, submission_addrs: Vec::new(), app, engine: None })
}

/// Starts the engine, and the releaser that fills its queue.
async fn start_sending(app: &Shared) -> anyhow::Result<EngineHandle> {
    let config = &app.config;
    let parts = mta::Parts {
        storage: app.storage.clone(),
        clock: app.clock.clone(),
        random: app.random.clone(),
        dns: app.dns.clone(),
        dial: app.dial.clone(),
        content: Arc::new(Content::new(app)),
        maker_threads: std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
        smtp: config.smtp.clone(),
        sources: config.sources.clone(),
        pools: config.pools.clone(),
        warmup_plans: config.warmup_plans.clone(),
        streams: config.streams.clone(),
        routes: crate::routes::routes(config)?,
        shaping: app.shaping.clone(),
        retention: Retention {
            events: DAY * config.storage.event_retention_days,
            finished: DAY * config.storage.finished_retention_days,
            suppressions: DAY * config.suppression.history_days,
            unmatched_reports: DAY * config.storage.unmatched_report_days,
            unknown_texts: DAY * config.storage.unknown_text_days,
            reports: DAY * config.reports.retention_days,
            conversations: DAY * config.storage.conversation_days,
            conversation_bytes: u64::from(config.storage.conversation_mb) * 1024 * 1024,
        },
        soft_bounces: config.suppression.threshold().map(|(bounces, within, expiry)| Threshold {
            bounces,
            within_ms: i64::from(within) * 86_400_000,
            expiry_ms: i64::from(expiry) * 86_400_000,
        }),
        reputation: config.reputation.clone(),
        tls: app.tls.clone(),
        notice: config.notice.clone(),
        unknown_texts: app.unknown_texts.clone(),
    };
    let engine = Engine::start(parts).await.context("cannot start sending")?;
    let waker = engine.waker();
    // A crash may have come between the two steps of a launch.
    mailing::recover(&app.storage, &config.streams).await.context("cannot go on with launched campaigns")?;
    let releaser = Releaser::new(app.storage.clone(), app.clock.clone(), config.streams.clone())
        .earning(config.sources.clone(), config.pools.clone());
    let hook = waker.clone();
    let releaser = releaser.on_release(move || hook.wake());
    // Set once: there is one engine and one releaser per app.
    let _ = app.engine.set(waker);
    let _ = app.releaser.set(releaser.waker());
    let stop = app.stop.clone();
    app.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = releaser.run() => {}
        }
    });
    start_journeys(app).await?;
    Ok(engine)
}

/// Starts what brings journeys on.
async fn start_journeys(app: &Shared) -> anyhow::Result<()> {
    // A crash may have come between the two steps of publishing.
    let recovered = journey::recover(&app.storage, &app.config.streams, app.now_ms()).await;
    recovered.context("cannot go on with published journeys")?;
    let woken = app.engine.get().cloned();
    let on_release = move || woken.iter().for_each(mta::Waker::wake);
    let driver = journey::Driver::new(app.storage.clone(), app.clock.clone(), app.config.streams.clone(), on_release);
    // Set once: there is one driver per app.
    let _ = app.journeys.set(driver.waker());
    let stop = app.stop.clone();
    app.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = driver.run() => {}
        }
    });
    Ok(())
}

fn open_storage(config: &Config) -> anyhow::Result<Storage> {
    let options = OpenOptions { dir: config.storage.dir.clone(), readers: config.storage.readers };
    Storage::open(&options).context("cannot open the database")
}

fn real_world(config: &Config, overrides: Overrides) -> anyhow::Result<World> {
    let (dns, record_dns): (Arc<dyn Dns>, Arc<dyn Dns>) = match overrides.dns {
        Some(dns) => (dns.clone(), dns),
        None => (Arc::new(resolver(config, config.dns.cache_entries)?), Arc::new(resolver(config, 0)?)),
    };
    Ok(World {
        clock: overrides.clock.unwrap_or_else(|| Arc::new(SystemClock)),
        random: overrides.random.unwrap_or_else(|| Arc::new(SystemRandom)),
        dns,
        record_dns,
        tls: match overrides.tls {
            Some(tls) => tls,
            None => tls::parts(config)?,
        },
        dial: overrides.dial.unwrap_or_else(|| Arc::new(TcpDial)),
    })
}

fn resolver(config: &Config, cache_entries: u32) -> anyhow::Result<HickoryDns> {
    Ok(HickoryDns::new(&dns_options(config, cache_entries))?)
}

fn dns_options(config: &Config, cache_entries: u32) -> DnsOptions {
    let dns = &config.dns;
    DnsOptions {
        servers: dns.servers.iter().map(|server| server.0).collect(),
        timeout: dns.timeout,
        attempts: dns.attempts as usize,
        cache_answers: u64::from(cache_entries),
    }
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// As [`start`].
pub async fn run(config: Config) -> anyhow::Result<()> {
    logging::start(&config.log);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = start(config, Overrides::default()).await?;
    notify(&[sd_notify::NotifyState::Ready]);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("packetboat is stopping");
    notify(&[sd_notify::NotifyState::Stopping]);
    running.stop().await?;
    tracing::info!("packetboat has stopped");
    Ok(())
}

/// Tells systemd; elsewhere nobody listens, and that is fine.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!(error = %e, "systemd could not be told about the state");
    }
}

/// Looks at the sources again and again.
async fn look_at_sources(app: Shared) {
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = app.checker.run() => {}
    }
}

/// Forgets sessions and links that are over.
async fn tidy(app: Shared) {
    while !app.stop.is_cancelled() {
        let now_ms = app.now_ms();
        if let Err(e) = app.storage.main().write(move |tx| session::delete_expired(tx, now_ms)).await {
            tracing::warn!(error = %e, "sessions that are over could not be forgotten");
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.clock.sleep(TIDY_EVERY) => {}
        }
    }
}
