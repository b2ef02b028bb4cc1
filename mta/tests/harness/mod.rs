//! An engine in a simulated world. Its `finish` fails if anybody is unaccounted for.
#![allow(dead_code, reason = "each test file uses its part")]

use config::{Config, Signatures, Source};
use mail::{Address, RecipientState, StreamKind};
use mta::inbound::{Figures, Inbound};
use mta::tls::TlsParts;
use mta::{ContentMaker, Engine, EngineHandle, Made, MakeError, Parts, Retention, RouteSetup};
use sandbox::{Manners, Provider, Providers, SimOptions, SimWorld};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::campaign_run::{self, AudienceChunk};
use storage::contact::Member;
use storage::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
use storage::queue::{self, Claimed, Ledger, LogFilter, Origin, Recipient};
use storage::{CampaignId, ContactId, DomainId, MessageId, OpenOptions, Storage, WorkspaceId, address_hash};
use world::Clock;

pub const WS: WorkspaceId = WorkspaceId::MAIN;
pub const CAMPAIGN: CampaignId = CampaignId(1);
pub const VERP_SECRET: [u8; 32] = [7; 32];

/// Makes a short message for everybody.
pub struct Letters {
    pub made: AtomicUsize,
    storage: Storage,
    submitted: Mutex<HashMap<MessageId, bytes::Bytes>>,
    clock: Arc<dyn Clock>,
    verp: bounce::verp::Key,
}

impl ContentMaker for Letters {
    fn make(&self, recipient: &Claimed, _: Signatures) -> Result<Made, MakeError> {
        self.made.fetch_add(1, SeqCst);
        if recipient.address.local().as_str().starts_with("broken") {
            return Err(MakeError::Permanent("a variable is missing".to_owned()));
        }
        if let Origin::Message(id) = recipient.origin {
            return Ok(self.submitted(recipient, id));
        }
        let local = bounce::verp::encode(&self.verp, recipient.id.0, self.clock.now_ms());
        // The second campaign has another sending domain.
        let domain = match recipient.origin.campaign() {
            Some(CampaignId(2)) => "other.example",
            _ => "sender.example",
        };
        // More than the pipes hold: its final dot stays with us until the server has read most of it.
        let is_long = recipient.address.local().as_str().starts_with("long");
        let more = if is_long { "a line of a long letter\r\n".repeat(20_000) } else { String::new() };
        let message = format!(
            "From: news@{domain}\r\nTo: {}\r\nSubject: Hello\r\nMessage-ID: <{}@sender.example>\r\n\r\n\
             {more}Hello\r\n.a line that begins with a dot\r\n",
            recipient.address, recipient.id
        );
        Ok(Made {
            message: message.into(),
            reverse_path: Some(Address::parse(&format!("{local}@bounce.sender.example")).unwrap()),
            shared_path: None,
            dsn: None,
            signing_domain: Some(domain.into()),
            eight_bit: false,
            smtputf8: false,
        })
    }
}

impl Letters {
    /// A submitted message: the same bytes for all its recipients.
    fn submitted(&self, recipient: &Claimed, id: MessageId) -> Made {
        let now_ms = self.clock.now_ms();
        let read =
            |c: &storage::Connection| Ok((message::find(c, WS, id)?.unwrap(), message::content(c, id)?.unwrap()));
        let (row, content) = self.storage.read_blocking(read).unwrap();
        let message = self.submitted.lock().unwrap().entry(id).or_insert_with(|| content.into()).clone();
        let path = |local: String| Address::parse(&format!("{local}@bounce.sender.example")).unwrap();
        let own = path(bounce::verp::encode(&self.verp, recipient.id.0, now_ms));
        let shared = path(bounce::verp::encode_message(&self.verp, id.0, now_ms));
        Made {
            message,
            reverse_path: (!row.null_sender).then_some(own),
            shared_path: (row.recipients > 1 && !row.null_sender).then_some(shared),
            dsn: Some(Arc::new(mta::Wishes { ret: row.dsn_ret, envid: row.dsn_envid })),
            signing_domain: Some("sender.example".into()),
            eight_bit: row.eight_bit,
            smtputf8: row.smtputf8,
        }
    }
}

/// The world, the database, and the engine while it runs.
pub struct Voyage {
    pub sim: SimWorld,
    pub storage: Storage,
    pub config: Config,
    pub routes: Vec<RouteSetup>,
    pub letters: Arc<Letters>,
    pub engine: Option<EngineHandle>,
    accepted: u64,
    /// Who may have got several copies: readers of packetboat's own mail, and mail that is rather sent twice than lost.
    several: HashSet<String>,
    _dir: tempfile::TempDir,
}

/// One provider with one domain, `NAME.example`.
pub fn provider(name: &str, last: u8, manners: Manners) -> Provider {
    let domain = format!("{name}.example");
    let mut provider = Provider::of(&domain, format!("127.20.0.{last}").parse().unwrap(), manners);
    provider.mx[0].host = format!("mx.{name}-mx.example");
    provider
}

pub fn world(providers: Vec<Provider>) -> Providers {
    Providers { providers, oddities: Providers::builtin().oddities }
}

/// Three sources, `one` to `three`, in the pool `default`.
const CONFIG: &str = r#"
    [[source]]
    name = "one"
    ip = "127.0.1.1"
    [[source]]
    name = "two"
    ip = "127.0.1.2"
    [[source]]
    name = "three"
    ip = "127.0.1.3"
    [smtp]
    inbound_listen = "127.0.0.1:25"
"#;

impl Voyage {
    /// A world and an engine that runs in it; `more` is appended to `[smtp]`.
    pub async fn start(providers: Providers, more: &str) -> Voyage {
        Voyage::start_with(providers, more, SimOptions::default()).await
    }

    pub async fn start_with(providers: Providers, more: &str, options: SimOptions) -> Voyage {
        let sim = SimWorld::new(&options, providers).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let config = config::parse("test", &format!("{CONFIG}{more}")).unwrap_or_else(|e| panic!("{e}"));
        let letters = Arc::new(Letters {
            made: AtomicUsize::new(0),
            storage: storage.clone(),
            submitted: Mutex::default(),
            clock: sim.clock.clone(),
            verp: bounce::verp::Key::new(&VERP_SECRET),
        });
        let route = |route: &config::Route| RouteSetup { route: route.clone(), passwords: Vec::new(), ca_pem: None };
        let routes = config.routes.iter().map(route).collect();
        let mut voyage = Voyage {
            sim,
            storage,
            config,
            routes,
            letters,
            engine: None,
            accepted: 0,
            several: HashSet::new(),
            _dir: dir,
        };
        voyage.engine = Some(voyage.begin().await);
        voyage
    }

    fn shaping(&self) -> Arc<mta::shaping::Snapshot> {
        let snapshot = mta::shaping::Snapshot::compile(&self.config.smtp, &self.config.shaping);
        Arc::new(snapshot.reading_by(self.config.rules()))
    }

    pub async fn begin(&self) -> EngineHandle {
        let parts = Parts {
            storage: self.storage.clone(),
            clock: self.sim.clock.clone(),
            random: self.sim.random.clone(),
            dns: self.sim.dns.clone(),
            dial: self.sim.dial.clone(),
            content: self.letters.clone(),
            maker_threads: 0,
            smtp: self.config.smtp.clone(),
            sources: self.config.sources.clone(),
            pools: self.config.pools.clone(),
            warmup_plans: self.config.warmup_plans.clone(),
            streams: self.config.streams.clone(),
            routes: self.routes.clone(),
            shaping: self.shaping(),
            soft_bounces: None,
            reputation: self.config.reputation.clone(),
            retention: Retention {
                events: YEAR,
                finished: YEAR,
                suppressions: YEAR,
                unmatched_reports: YEAR,
                unknown_texts: YEAR,
                reports: YEAR,
                conversations: YEAR,
                conversation_bytes: 1 << 30,
            },
            tls: TlsParts {
                dnssec: Some(self.sim.dns.clone()),
                fetch: self.sim.fetch.clone(),
                roots: self.sim.roots.clone(),
                submitter: "mail.sender.example".to_owned(),
            },
            notice: self.config.notice.clone(),
            unknown_texts: Arc::default(),
        };
        Engine::start(parts).await.unwrap()
    }

    pub fn sources(&self) -> &[Source] {
        &self.config.sources
    }

    /// Writes off the simulated clock.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&storage::Transaction<'_>) -> Result<T, storage::StorageError> + Send + 'static,
    ) -> T {
        let storage = self.storage.clone();
        tokio::task::spawn_blocking(move || storage.queue().write_blocking(work)).await.unwrap().unwrap()
    }

    /// Launches a campaign to these addresses and wakes the engine.
    pub async fn launch(&mut self, campaign: CampaignId, addresses: Vec<String>) {
        let now_ms = self.sim.clock.now_ms();
        let expires_ms = now_ms + i64::try_from(self.config.smtp.bulk_expiry.as_millis()).unwrap();
        self.accepted += addresses.len() as u64;
        let first = campaign.0 * 1_000_000;
        let members: Vec<Member> = (first + 1..).zip(addresses).map(|(id, text)| member(id, &text)).collect();
        let up_to = members.last().map_or(ContactId(0), |member| member.id);
        let chunk = AudienceChunk { after: ContactId(0), up_to, complete: true, members, now_ms, expires_ms };
        self.write(move |tx| {
            campaign_run::start(tx, (WS, campaign), ("bulk", "default"), "", now_ms)?;
            campaign_run::take_in(tx, (WS, campaign), chunk)
        })
        .await;
        if let Some(engine) = &self.engine {
            engine.wake();
        }
    }

    /// Takes a message in and wakes the engine.
    pub async fn submit(&mut self, new: NewMessage) -> MessageId {
        self.accepted += new.recipients.len() as u64;
        let id = self.write(move |tx| message::accept(tx, &new)).await;
        if let Some(engine) = &self.engine {
            engine.wake();
        }
        id
    }

    /// Takes many messages in at once, whose recipients may get them twice, and wakes the engine.
    pub async fn submit_all(&mut self, all: Vec<NewMessage>) -> Vec<MessageId> {
        for recipient in all.iter().flat_map(|new| &new.recipients) {
            self.accepted += 1;
            self.several.insert(recipient.address.to_string());
        }
        let ids = self.write(move |tx| all.iter().map(|new| message::accept(tx, new)).collect()).await;
        if let Some(engine) = &self.engine {
            engine.wake();
        }
        ids
    }

    /// Recipients that packetboat itself has written to count as accepted too, and this one may have got several.
    pub fn wrote_itself(&mut self, n: u64, to: &str) {
        self.accepted += n;
        self.several.insert(to.to_owned());
    }

    /// The recipients of a message, in their order.
    pub async fn of_message(&self, id: MessageId) -> Vec<Recipient> {
        let read = move |c: &storage::Connection| message::recipients(c, (WS, id), storage::RecipientId(0), 1000);
        self.storage.read(read).await.unwrap()
    }

    /// Opens the return path: `bounce.sender.example` leads to a listener of ours.
    pub async fn listen_for_reports(&self) -> tokio::task::JoinHandle<()> {
        let now_ms = self.sim.clock.now_ms();
        let storage = self.storage.clone();
        tokio::task::spawn_blocking(move || {
            let names = ("sender.example", "bounce.sender.example");
            storage.main().write_blocking(move |tx| storage::domain::insert(tx, WS, names, &[], now_ms))
        })
        .await
        .unwrap()
        .unwrap();
        let ip: std::net::IpAddr = "127.0.9.9".parse().unwrap();
        self.sim.zone.publish_mx("bounce.sender.example", 10, "mail.sender.example");
        self.sim.zone.publish_address("mail.sender.example", ip);
        let mut incoming = self.sim.dial.listen((ip, 25).into());
        let inbound = Inbound {
            storage: self.storage.clone(),
            clock: self.sim.clock.clone(),
            verp: Arc::new(bounce::verp::Key::new(&VERP_SECRET)),
            hostname: mail::Domain::parse("mail.sender.example").unwrap(),
            feedback: "fbl".to_owned(),
            shaping: self.shaping(),
            unknown_texts: Arc::default(),
            figures: Figures::new(
                &self.config.smtp,
                self.config.reports.clone(),
                self.config.sources.clone(),
                self.sim.dns.clone(),
            ),
            certificate: None,
            random: Arc::new(world::SystemRandom),
            streams: config::parse("packetboat.toml", "").unwrap().streams,
            desk: mta::inbound::Desk::default(),
            wake: Box::new(|| {}),
            heard: Box::new(|_| ()),
        };
        tokio::spawn(async move {
            let stop = tokio_util::sync::CancellationToken::new();
            while let Some(connection) = incoming.recv().await {
                mta::inbound::serve_one(&inbound, connection.stream, connection.source, &stop).await;
            }
        })
    }

    /// A sending domain, and the campaign's row that names it.
    pub async fn sending_domain(&self, name: &'static str, campaign: CampaignId) -> DomainId {
        let storage = self.storage.clone();
        let work = move |tx: &storage::Transaction<'_>| {
            let id = storage::domain::insert(tx, WS, (name, &format!("bounce.{name}")), &[], 0)?;
            let row = "INSERT INTO campaign (id, workspace_id, name, from_email, from_name, reply_to, pool, created_by, \
                created_ms, updated_ms, domain_id) VALUES (?1, ?2, 'c', '', '', '', 'default', 'ana', 0, 0, ?3)";
            tx.execute(row, (campaign, WS, id))?;
            Ok(id)
        };
        tokio::task::spawn_blocking(move || storage.main().write_blocking(work)).await.unwrap().unwrap()
    }

    pub async fn ledger(&self) -> Ledger {
        self.storage.read(|c| queue::ledger(c, WS, None)).await.unwrap()
    }

    /// Lets time pass until nobody is live, at most so long.
    pub async fn until_done(&self, most: Duration) -> Duration {
        let began_ms = self.sim.clock.now_ms();
        loop {
            let passed = Duration::from_millis(u64::try_from(self.sim.clock.now_ms() - began_ms).unwrap());
            let ledger = self.ledger().await;
            assert!(ledger.holds(), "{ledger:?}");
            if ledger.queued == 0 {
                return passed;
            }
            assert!(passed < most, "not done after {passed:?}: {ledger:?}\n{:?}", self.log().await);
            let pause = if passed < Duration::from_secs(900) { 1 } else { 60 };
            self.sim.clock.sleep(Duration::from_secs(pause)).await;
        }
    }

    /// Everybody, in the order in which they were launched.
    pub async fn log(&self) -> Vec<Recipient> {
        let rows = self
            .storage
            .read(|c| queue::campaign_log(c, (WS, CAMPAIGN), &LogFilter::default(), ContactId(0), 100_000))
            .await;
        rows.unwrap()
    }

    /// One line for each kind of ending: `delivered 12`, `bounced bad_mailbox 3`.
    pub async fn endings(&self) -> String {
        let mut counts: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
        for r in self.log().await {
            let class = r.class.map(|class| format!(" {class}")).unwrap_or_default();
            *counts.entry(format!("{}{class}", r.state)).or_default() += 1;
        }
        counts.iter().map(|(ending, n)| format!("{ending} {n}\n")).collect()
    }

    /// Stops, and proves the sum: everybody is settled, and nobody got two copies.
    pub async fn finish(self) {
        let breaches: Vec<_> = self.sim.ledger.summary().into_iter().filter(|(_, s)| !s.breaches.is_empty()).collect();
        assert!(breaches.is_empty(), "{breaches:?}");
        self.finish_on_bad_lines().await;
    }

    /// The same where a bad line made the servers see breaches of the protocol.
    pub async fn finish_on_bad_lines(mut self) {
        if let Some(engine) = self.engine.take() {
            engine.stop(Duration::from_secs(30)).await;
        }
        let ledger = self.ledger().await;
        assert!(ledger.holds() && ledger.accepted == self.accepted, "{ledger:?}");
        let mut doubles = self.sim.ledger.doubles();
        doubles.retain(|address| !self.several.contains(address));
        assert_eq!(doubles, Vec::<String>::new());
        for r in self.log().await {
            let copies = self.sim.ledger.copies(&r.address);
            match r.state {
                RecipientState::Delivered => assert_eq!(copies, 1, "{r:?}"),
                RecipientState::Unknown => assert!(copies <= 1, "{r:?}"),
                // Bounced by a report later, it was accepted once.
                RecipientState::Bounced => assert!(copies <= 1, "{r:?}"),
                _ => assert_eq!(copies, 0, "{r:?}"),
            }
        }
        let open = self.write(|tx| queue::recover(tx, 0)).await;
        assert_eq!(open, queue::Recovered::default(), "nothing is left in hand");
    }
}

pub const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn member(id: i64, text: &str) -> Member {
    let address = Address::parse(text).unwrap();
    Member {
        id: ContactId(id),
        address_hash: address_hash(&address),
        domain: address.domain().to_string(),
        email: address.to_string(),
    }
}

/// `n` addresses at a domain: `PREFIX1@DOMAIN` and so on.
pub fn people(prefix: &str, domain: &str, n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("{prefix}{i}@{domain}")).collect()
}

/// A single mail of the shop to one recipient.
pub fn single_mail(now_ms: i64, to: &str, content: &[u8]) -> NewMessage {
    let address = Address::parse(to).unwrap();
    NewMessage {
        workspace_id: WS,
        domain_id: DomainId(1),
        submission: Submission::Smtp,
        submitter: "shop".to_owned(),
        stream: "transactional".to_owned(),
        kind: StreamKind::Transactional,
        pool: "default".to_owned(),
        header_id: "order-7@sender.example".to_owned(),
        from_address: "shop@sender.example".to_owned(),
        subject: "Order 7".to_owned(),
        tags: Vec::new(),
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::Nobody,
        eight_bit: false,
        smtputf8: false,
        content: content.to_vec(),
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms + 86_400_000,
        recipients: vec![NewMessageRecipient {
            address_hash: address_hash(&address),
            address,
            dsn_notify: None,
            dsn_orcpt: None,
        }],
    }
}
