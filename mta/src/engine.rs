//! The engine: its parts put together, started, watched, stopped.

use crate::book::Book;
use crate::content::{ContentMaker, Makers};
use crate::conversation::{self, Keeper};
use crate::housekeeping::{self, Retention};
use crate::lane::LaneStatus;
use crate::notice;
use crate::pause::{self, Pauses};
use crate::places::Places;
use crate::reputation;
use crate::route::{RouteSetup, RouteStatus, Routes};
use crate::scheduler;
use crate::shaping::{Shaping, Snapshot};
use crate::shared::{Open, Shared};
use crate::site::Resolver;
use crate::smtp::client_config;
use crate::source::SourceStates;
use crate::source_watch;
use crate::stream::StreamRules;
use crate::tls::{Policies, TlsParts, reporting};
use crate::unknown_text::{self, UnknownTexts};
use crate::warmup::{self, Board, Plans};
use crate::watchdog::{self, StalledLane, Watchdog};
use config::{NoticeSection, Pool, SmtpSection, Source, Streams};
use mail::WaitReason;
use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use storage::queue::{self, Recovered};
use storage::{AutomationId, RecipientId, Storage, StorageError, automation};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dial, Dns, Random};

/// Time for the makers to end what they are at, when the engine stops.
const MAKERS_WAIT: Duration = Duration::from_secs(5);

/// What an engine is made of.
pub struct Parts {
    /// The database.
    pub storage: Storage,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Outgoing connections.
    pub dial: Arc<dyn Dial>,
    /// Makes messages.
    pub content: Arc<dyn ContentMaker>,
    /// Threads that make messages: one per core. 0 makes them on the async threads, which simulated time needs.
    pub maker_threads: usize,
    /// `[smtp]`.
    pub smtp: SmtpSection,
    /// `[[source]]`.
    pub sources: Vec<Source>,
    /// `[[pool]]`.
    pub pools: Vec<Pool>,
    /// The warm-up plans, built-in ones and own ones.
    pub warmup_plans: Vec<config::WarmupPlan>,
    /// `[[stream]]`.
    pub streams: Streams,
    /// `[[route]]`.
    pub routes: Vec<RouteSetup>,
    /// The limits and rules in force.
    pub shaping: Arc<Snapshot>,
    /// How long finished things are kept.
    pub retention: Retention,
    /// How many soft bounces suppress an address; without it none do.
    pub soft_bounces: Option<storage::soft_bounce::Threshold>,
    /// `[reputation]`.
    pub reputation: config::ReputationSection,
    /// What TLS policies need.
    pub tls: TlsParts,
    /// `[notice]`.
    pub notice: NoticeSection,
    /// Where texts are noted that no rule knows.
    pub unknown_texts: Arc<UnknownTexts>,
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The queue could not be brought into order.
    #[error("the queue cannot be recovered")]
    Recover(#[source] StorageError),
    /// No thread.
    #[error("a thread for making messages cannot be started")]
    Thread(#[source] std::io::Error),
    /// TLS.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// TLS of a route.
    #[error("TLS of the route {route} cannot be set up")]
    Route {
        /// Which.
        route: String,
        /// What is wrong.
        #[source]
        cause: rustls::Error,
    },
}

/// The engine.
pub struct Engine;

impl Engine {
    /// Recovers the queue and begins to send. Within a tokio runtime.
    ///
    /// # Errors
    /// When the queue cannot be recovered or a thread cannot be started.
    pub async fn start(parts: Parts) -> Result<EngineHandle, StartError> {
        crate::metric::describe();
        let now_ms = parts.clock.now_ms();
        let storage = parts.storage.clone();
        let soft_bounces = parts.soft_bounces;
        let put_in_order = move |tx: &storage::Transaction<'_>| {
            storage::soft_bounce::set_rule(tx, soft_bounces)?;
            queue::recover(tx, now_ms)
        };
        let recovered = crate::hold::blocking(move || storage.queue().write_blocking(put_in_order))
            .await
            .unwrap_or(Err(StorageError::Closed))
            .map_err(StartError::Recover)?;
        if recovered != Recovered::default() {
            let Recovered { requeued, unknown } = recovered;
            tracing::info!(requeued, unknown, "recovered recipients of the last run");
        }
        let storage = parts.storage.clone();
        let restrained = move || storage.read_blocking(|c| Ok((automation::open(c)?, automation::newest(c)?)));
        let (open, newest) = crate::hold::blocking(restrained)
            .await
            .unwrap_or(Err(StorageError::Closed))
            .map_err(StartError::Recover)?;
        let tls = client_config().map_err(StartError::Tls)?;
        let makers = Makers::start(parts.content, parts.maker_threads).map_err(StartError::Thread)?;
        let (book, writing) = Book::open(parts.storage.clone(), parts.clock.clone());
        let routes = Routes::new(parts.routes, &parts.shaping, &parts.tls.roots);
        let routes = routes.map_err(|(route, cause)| StartError::Route { route, cause })?;
        let connections_max = parts.smtp.connections_max;
        let board = Board::new(Plans::new(&parts.warmup_plans), &parts.sources);
        warmup::refresh(&board, &parts.storage, now_ms).await.map_err(StartError::Recover)?;
        let policies = Policies::new(parts.tls, parts.dns.clone(), &parts.storage, &parts.smtp);
        let policies = Arc::new(policies);
        let keeper = Keeper::new(parts.smtp.conversation, parts.retention.conversation_bytes);
        let shared = Arc::new(Shared {
            storage: parts.storage,
            resolver: Resolver::new(parts.dns, parts.shaping.clone(), policies.clone()),
            shaping: Shaping::new(parts.shaping, open, newest),
            policies,
            clock: parts.clock,
            random: parts.random,
            dial: parts.dial,
            pools: pools(&parts.pools, &parts.sources),
            overflow: overflow(&parts.pools),
            warmup: board,
            streams: StreamRules::new(&parts.streams, parts.smtp.jitter_percent),
            routes,
            source_states: SourceStates::new(&parts.sources),
            smtp: parts.smtp,
            source_names: parts.sources.iter().map(|source| source.name.as_str().into()).collect(),
            sources: parts.sources,
            tls,
            book,
            makers,
            places: Places::new(connections_max),
            open: Open::default(),
            pauses: Pauses::default(),
            keeper,
            unknown_texts: parts.unknown_texts,
            watchdog: Watchdog::default(),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let tasks = vec![
            tokio::spawn(writing),
            tokio::spawn(scheduler::run(shared.clone())),
            tokio::spawn(source_watch::watch(shared.clone())),
            tokio::spawn(pause::run(shared.clone())),
            tokio::spawn(conversation::run(shared.clone())),
            tokio::spawn(unknown_text::run(shared.clone())),
            tokio::spawn(watchdog::run(shared.clone())),
            tokio::spawn(housekeeping::lanes(shared.clone())),
            tokio::spawn(housekeeping::expiry(shared.clone())),
            tokio::spawn(housekeeping::soft_bounces(shared.clone())),
            tokio::spawn(reputation::watch(shared.clone(), parts.reputation)),
            tokio::spawn(warmup::nights(shared.clone())),
            tokio::spawn(housekeeping::events(shared.clone())),
            tokio::spawn(housekeeping::retention(shared.clone(), parts.retention)),
            tokio::spawn(reporting::write_counts(shared.clone())),
            tokio::spawn(reporting::run(shared.clone())),
            tokio::spawn(notice::run(shared.clone(), parts.notice)),
        ];
        Ok(EngineHandle { shared, tasks, recovered })
    }
}

/// The pool that has this source alone, for mail that must leave from it. No configured pool has a colon in its name.
#[must_use]
pub fn pool_of_source(source: &str) -> String {
    format!("source:{source}")
}

/// Enabled sources of each pool, with their weights; and each enabled source as a pool of its own.
fn pools(pools: &[Pool], sources: &[Source]) -> HashMap<String, Vec<(usize, u32)>> {
    let members = |pool: &Pool| {
        let enabled = pool.sources.iter().filter_map(|member| {
            let place = sources.iter().position(|source| source.name == member.source && source.enabled)?;
            Some((place, member.weight))
        });
        (pool.name.to_string(), enabled.collect())
    };
    let alone = sources.iter().enumerate().filter(|(_, source)| source.enabled);
    let alone = alone.map(|(place, source)| (pool_of_source(source.name.as_str()), vec![(place, 1)]));
    pools.iter().map(members).chain(alone).collect()
}

/// The overflow pool of each pool that has one.
fn overflow(pools: &[Pool]) -> HashMap<String, String> {
    pools.iter().filter_map(|pool| Some((pool.name.to_string(), pool.overflow.as_ref()?.to_string()))).collect()
}

/// A running engine. Stop it; dropping it leaves its tasks running.
pub struct EngineHandle {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    recovered: Recovered,
}

impl EngineHandle {
    /// Something new may be due: a campaign was launched or resumed, recipients came in.
    pub fn wake(&self) {
        self.shared.book.counts.wake.notify_one();
    }

    /// A handle that only wakes.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(self.shared.clone())
    }

    /// What the start found of the run before.
    #[must_use]
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Recipients in memory: claimed and not yet settled.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.shared.book.counts.in_hand.load(SeqCst)
    }

    /// Lanes with work or connections, or something to tell, busiest first.
    #[must_use]
    pub fn lanes(&self) -> Vec<LaneStatus> {
        lanes(&self.shared)
    }

    /// Ends in good order: nothing new is begun, transactions under way are finished within `grace`, everything else
    /// goes back into the queue, and what came of it is on disk.
    pub async fn stop(self, grace: Duration) {
        let EngineHandle { shared, tasks, .. } = self;
        shared.stopping.cancel();
        shared.put_everything_back();
        shared.tasks.close();
        if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
            tracing::warn!("connections are still busy after the grace time; they are cut");
            shared.aborting.cancel();
            shared.tasks.wait().await;
        }
        // The makers may be in the middle of a message each; what they bring goes back too.
        let deadline = tokio::time::Instant::now() + MAKERS_WAIT;
        loop {
            shared.put_everything_back();
            shared.book.flush().await;
            if shared.book.counts.in_hand.load(SeqCst) == 0 || tokio::time::Instant::now() > deadline {
                break;
            }
            shared.clock.sleep(Duration::from_millis(5)).await;
        }
        for task in tasks.iter().skip(1) {
            task.abort();
        }
        conversation::write(&shared).await;
        shared.unknown_texts.write(&shared.storage).await;
        housekeeping::drain(&shared).await;
        shared.policies.outcomes.write(&shared.storage).await;
    }
}

impl EngineHandle {
    /// Ends as a crash does: at once, and nothing more is written. For tests of what the next start recovers.
    pub async fn crash(self) {
        let EngineHandle { shared, tasks, .. } = self;
        // The book is first among them: what is dropped from now on finds nobody who writes it down.
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        shared.stopping.cancel();
        shared.aborting.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

/// Wakes the engine from elsewhere, and tells of its lanes.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Something new may be due.
    pub fn wake(&self) {
        self.0.book.counts.wake.notify_one();
    }

    /// A warm-up was changed by hand: what is stored is read anew, and who waits for it may find a place.
    ///
    /// # Errors
    /// The database's; what is stored is in force from the next night on.
    pub async fn warmup_changed(&self) -> Result<(), StorageError> {
        warmup::refresh(&self.0.warmup, &self.0.storage, self.0.clock.now_ms()).await?;
        self.wake();
        Ok(())
    }

    /// Recipients are going to be made due by hand, those who wait for a warm-up too: they stand in line anew, from now.
    pub fn hurries(&self) {
        self.0.warmup.begin_lines();
    }

    /// The provider of a recipient domain, if its site can be found now.
    pub async fn provider_of(&self, domain: &str) -> Option<Arc<str>> {
        let found = self.0.resolver.resolve(domain, self.0.clock.now_ms()).await;
        found.ok().map(|site| site.provider.name.clone())
    }

    /// What was heard later of mail that had left: it counts for the ratios.
    pub fn heard(&self, heard: &crate::inbound::Heard) {
        self.0.heard(heard);
    }

    /// As [`EngineHandle::lanes`].
    #[must_use]
    pub fn lanes(&self) -> Vec<LaneStatus> {
        lanes(&self.0)
    }

    /// An automation that a person has ended in the database is not in force here any more either; what waited because
    /// of it is due.
    pub fn lifted(&self, id: AutomationId) {
        if let Some(row) = self.0.shaping.register.lift(id) {
            for lane in self.0.lanes() {
                lane.drive(&self.0);
            }
            self.0.tasks.spawn(housekeeping::release(self.0.clone(), row));
        }
    }
}

impl Waker {
    /// Routes, and whether each is in use.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteStatus> {
        self.0.routes.status(self.0.clock.now_ms())
    }

    /// Why a source is out, if it is.
    #[must_use]
    pub fn source_gone(&self, name: &str) -> Option<String> {
        let source = self.0.sources.iter().position(|source| source.name.as_str() == name)?;
        self.0.source_states.gone(source)
    }

    /// Something was paused or resumed: what is in memory is looked through at once.
    pub fn pauses_changed(&self) {
        self.0.pauses.changed();
    }

    /// Lanes that have work and make no progress, longest first.
    #[must_use]
    pub fn stalled(&self) -> Vec<StalledLane> {
        self.0.watchdog.stalled()
    }

    /// The provider of a recipient domain, where it is known without asking.
    #[must_use]
    pub fn known_provider_of(&self, domain: &str) -> Option<String> {
        let site = self.0.resolver.known(domain, self.0.clock.now_ms())?.ok()?;
        Some(site.provider.name.to_string())
    }

    /// From now on the recipient's transactions can be looked at as they go on, and are kept. For an hour at most.
    pub fn look(&self, recipient: RecipientId) {
        self.0.keeper.look(recipient, self.0.clock.now_ms());
    }

    /// What has been said with the recipient's message, while somebody looks.
    #[must_use]
    pub fn conversation(&self, recipient: RecipientId) -> Option<String> {
        self.0.keeper.live(recipient).map(|live| live.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn lanes(shared: &Arc<Shared>) -> Vec<LaneStatus> {
    let pauses = shared.pauses.now();
    let mut all: Vec<LaneStatus> = shared.lanes().iter().map(|lane| lane.status(shared)).collect();
    for lane in &mut all {
        if pauses.stops_source(&lane.source) || pauses.stops_provider(&lane.provider) {
            (lane.wait_reason, lane.wait_until_ms) = (Some(WaitReason::Paused), None);
        }
    }
    all.retain(|lane| lane.connections > 0 || lane.ready > 0 || lane.reply.is_some() || lane.wait_reason.is_some());
    all.sort_by(|a, b| (b.connections, b.ready, &a.site).cmp(&(a.connections, a.ready, &b.site)));
    all
}
