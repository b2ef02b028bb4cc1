//! What every request handler and job of the running daemon shares.

use crate::figures::Figures;
use crate::http::limits::Limits;
use crate::http::messages::Room;
use crate::passwords::Passwords;
use crate::pressure::Pressure;
use crate::serve::Keys;
use crate::text::time;
use crate::webhooks::Webhooks;
use campaign::mailing;
use campaign::template::Merger;
use config::Config;
use mta::health::Checker;
use mta::tls::TlsParts;
use std::sync::{Arc, OnceLock};
use storage::Storage;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dial, Dns, Random};

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
    /// Where mail goes.
    pub dns: Arc<dyn Dns>,
    /// Records of sending domains: asked anew each time, since somebody waits for what has just been published.
    pub record_dns: Arc<dyn Dns>,
    /// What TLS policies of other domains need.
    pub tls: TlsParts,
    /// Outgoing connections.
    pub dial: Arc<dyn Dial>,
    /// Looks at the sources.
    pub(crate) checker: Checker,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
    /// Password hashing, a few at a time.
    pub(crate) passwords: Passwords,
    /// Rates of what strangers can ask for.
    pub(crate) limits: Limits,
    /// The limits and rules in force.
    pub(crate) shaping: Arc<mta::shaping::Snapshot>,
    /// Where texts are noted that no rule knows.
    pub(crate) unknown_texts: Arc<mta::UnknownTexts>,
    /// The engine, while mail is sent from this process.
    pub(crate) engine: OnceLock<mta::Waker>,
    /// Whether something is short.
    pub(crate) pressure: Arc<Pressure>,
    /// The submission service, where mail can be handed in by SMTP.
    pub(crate) submission: OnceLock<Arc<mta::submission::Submission>>,
    /// What settles mail that comes in, over the listener or another way.
    pub(crate) inbound: OnceLock<Arc<mta::inbound::Inbound>>,
    /// The mailboxes elsewhere that are read, where there are any.
    pub(crate) puller: OnceLock<Arc<mta::inbound::pull::Puller>>,
    /// The releaser, likewise.
    pub(crate) releaser: OnceLock<mailing::Waker>,
    /// What brings journeys on, likewise.
    pub(crate) journeys: OnceLock<campaign::journey::Waker>,
    /// Samples for the campaigns' rates.
    pub(crate) rates: mailing::Rates,
    /// Jobs and connections that end before the database closes.
    pub(crate) tasks: TaskTracker,
    /// The turn of one import at a time.
    pub(crate) imports: Arc<Semaphore>,
    /// Places for live streams.
    pub(crate) streams: Arc<Semaphore>,
    /// Room in memory for messages that are being taken in.
    pub(crate) room: Room,
    /// Templates of single messages, kept ready.
    pub(crate) merger: Merger,
    /// The turn of one action on the queue at a time.
    pub(crate) jobs: Arc<Semaphore>,
    /// The queue's figures.
    pub(crate) figures: Figures,
    /// What the webhooks' loops and handlers share.
    pub(crate) webhooks: Webhooks,
}

/// The daemon's shared parts as handlers hold them.
pub type Shared = Arc<App>;

/// The parts of the outside world that tests and the demo replace.
pub struct World {
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// Keys and tokens.
    pub random: Arc<dyn Random>,
    /// DNS that remembers.
    pub dns: Arc<dyn Dns>,
    /// DNS that asks anew each time.
    pub record_dns: Arc<dyn Dns>,
    /// What TLS policies of other domains need.
    pub tls: TlsParts,
    /// Outgoing connections.
    pub dial: Arc<dyn Dial>,
}

impl App {
    pub(crate) fn new(config: Config, storage: Storage, keys: Keys, world: World) -> App {
        let checker = Checker {
            storage: storage.clone(),
            clock: world.clock.clone(),
            dns: world.dns.clone(),
            dial: world.dial.clone(),
            sources: config.sources.clone(),
            health: config.health.clone(),
            turn: tokio::sync::Mutex::default(),
        };
        let shaping = mta::shaping::Snapshot::compile(&config.smtp, &config.shaping);
        let shaping = Arc::new(shaping.reading_by(config.rules()));
        let room = Room::new(config.http.message_max_mb);
        let webhooks = Webhooks::new(&config);
        App {
            webhooks,
            checker,
            dial: world.dial,
            storage,
            shaping,
            config,
            keys,
            clock: world.clock,
            random: world.random,
            dns: world.dns,
            record_dns: world.record_dns,
            tls: world.tls,
            stop: CancellationToken::new(),
            passwords: Passwords::new(),
            limits: Limits::new(),
            unknown_texts: Arc::default(),
            engine: OnceLock::new(),
            pressure: Arc::default(),
            submission: OnceLock::new(),
            inbound: OnceLock::new(),
            puller: OnceLock::new(),
            releaser: OnceLock::new(),
            journeys: OnceLock::new(),
            rates: mailing::Rates::default(),
            tasks: TaskTracker::new(),
            imports: Arc::new(Semaphore::new(1)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            room,
            merger: Merger::default(),
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

    /// Tells releaser, journeys and engine that there is something to do.
    pub(crate) fn wake(&self) {
        if let Some(releaser) = self.releaser.get() {
            releaser.wake();
        }
        if let Some(journeys) = self.journeys.get() {
            journeys.wake();
        }
        if let Some(engine) = self.engine.get() {
            engine.wake();
        }
    }

    /// The streams, and the pools with a source in use: how a campaign can leave.
    pub(crate) fn campaign_egress(&self) -> mailing::Egress {
        mailing::Egress { streams: self.config.streams.clone(), pools: self.pools() }
    }

    /// Pools with a source in use.
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
