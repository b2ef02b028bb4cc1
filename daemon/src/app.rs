//! What every request handler and job of the running daemon shares.

use crate::http::limits::Limits;
use crate::passwords::Passwords;
use crate::serve::Keys;
use config::Config;
use std::sync::Arc;
use storage::Storage;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dns, Random};

/// Live progress streams at once: each holds a connection and asks the database every second.
const STREAMS_MAX: usize = 64;

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
    /// Jobs and connections that end before the database closes.
    pub(crate) tasks: TaskTracker,
    /// The turn of one import at a time.
    pub(crate) imports: Arc<Semaphore>,
    /// Places for live streams.
    pub(crate) streams: Arc<Semaphore>,
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
            tasks: TaskTracker::new(),
            imports: Arc::new(Semaphore::new(1)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// The lanes at work, busiest first.
    pub(crate) fn lanes(&self) -> Vec<api_types::Lane> {
        Vec::new()
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}
