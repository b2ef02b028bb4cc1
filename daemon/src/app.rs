//! What every request handler and job of the running daemon shares.

use crate::figures::Figures;
use crate::http::limits::Limits;
use crate::passwords::Passwords;
use crate::serve::Keys;
use crate::text::time;
use campaign::mailing;
use config::Config;
use std::sync::{Arc, OnceLock};
use storage::Storage;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dns, Random};

/// Live progress streams at once: each holds a connection and asks the database every second.
const STREAMS_MAX: usize = 64;
/// Lanes shown at most.
const LANES_MAX: usize = 200;

/// What every request handler and job shares. Handed around as [`Shared`].
pub struct App {
    /// The database.
    pub storage: Storage,
    /// The configuration in force.
    pub config: Config,
    /// The master key and what is derived from it.
    pub keys: Keys,
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// Keys and tokens.
    pub random: Arc<dyn Random>,
    /// Records of sending domains.
    pub dns: Arc<dyn Dns>,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
    /// Password hashing, a few at a time.
    pub(crate) passwords: Passwords,
    /// Rates of what strangers can ask for.
    pub(crate) limits: Limits,
    /// The engine, while mail is sent from this process.
    pub(crate) engine: OnceLock<mta::Waker>,
    /// The releaser, likewise.
    pub(crate) releaser: OnceLock<mailing::Waker>,
    /// Samples for the campaigns' rates.
    pub(crate) rates: mailing::Rates,
    /// Jobs and connections that end before the database closes.
    pub(crate) tasks: TaskTracker,
    /// The turn of one import at a time.
    pub(crate) imports: Arc<Semaphore>,
    /// Places for live streams.
    pub(crate) streams: Arc<Semaphore>,
    /// The turn of one action on the queue at a time.
    pub(crate) jobs: Arc<Semaphore>,
    /// The queue's figures.
    pub(crate) figures: Figures,
}

/// The daemon's shared parts as handlers hold them.
pub type Shared = Arc<App>;

/// The parts of the outside world that tests and the demo replace.
pub struct World {
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// Keys and tokens.
    pub random: Arc<dyn Random>,
    /// DNS.
    pub dns: Arc<dyn Dns>,
}

impl App {
    pub(crate) fn new(config: Config, storage: Storage, keys: Keys, world: World) -> App {
        App {
            storage,
            config,
            keys,
            clock: world.clock,
            random: world.random,
            dns: world.dns,
            stop: CancellationToken::new(),
            passwords: Passwords::new(),
            limits: Limits::new(),
            engine: OnceLock::new(),
            releaser: OnceLock::new(),
            rates: mailing::Rates::default(),
            tasks: TaskTracker::new(),
            imports: Arc::new(Semaphore::new(1)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            jobs: Arc::new(Semaphore::new(1)),
            figures: Figures::default(),
        }
    }

    /// The lanes at work, busiest first; none where nothing is sent from this process.
    pub(crate) fn lanes(&self) -> Vec<api_types::Lane> {
        let lanes = self.engine.get().map(mta::Waker::lanes).unwrap_or_default();
        let shape = |lane: mta::LaneStatus| api_types::Lane {
            source: lane.source,
            site: lane.site,
            provider: lane.provider,
            connections: lane.connections,
            connections_max: lane.connections_max,
            ready: u32::try_from(lane.ready).unwrap_or(u32::MAX),
            wait_reason: lane.wait_reason.map(|reason| reason.as_str().to_owned()),
            wait_until: lane.wait_until_ms.map(time),
            reply: lane.reply,
        };
        lanes.into_iter().take(LANES_MAX).map(shape).collect()
    }

    /// Tells releaser and engine that there is something to do.
    pub(crate) fn wake(&self) {
        if let Some(releaser) = self.releaser.get() {
            releaser.wake();
        }
        if let Some(engine) = self.engine.get() {
            engine.wake();
        }
    }

    /// Pools with a source in use: those that a campaign can leave from.
    pub(crate) fn pools(&self) -> Vec<String> {
        let enabled =
            |name: &config::Name| self.config.sources.iter().any(|source| source.enabled && source.name == *name);
        let usable = |pool: &&config::Pool| pool.sources.iter().any(|member| enabled(&member.source));
        self.config.pools.iter().filter(usable).map(|pool| pool.name.to_string()).collect()
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}
