//! How fast the engine is alone: recipients in the database, 10 KiB messages signed with RSA-2048, to Postfix's
//! smtp-sink on loopback. `cargo run --release -p mta --example throughput -- [recipients] [connections]`

use futures_util::future::BoxFuture;
use mail::{Address, Domain};
use mta::{ContentMaker, Engine, Made, MakeError, Parts, Retention};
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::campaign_run::{self, AudienceChunk};
use storage::contact::Member;
use storage::queue::{self, Claimed};
use storage::{CampaignId, ContactId, OpenOptions, Storage, WorkspaceId, address_hash};
use world::{Clock, Dns, DnsError, MxRecord, SystemClock, SystemRandom, TcpDial};

const PORT: u16 = 2526;
const WS: WorkspaceId = WorkspaceId::MAIN;

/// Every domain's mail goes to one host on loopback.
struct OneHost;

impl Dns for OneHost {
    fn mx<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, DnsError>> {
        Box::pin(async { Ok(vec![MxRecord { preference: 10, host: "mx.sink.example".to_owned() }]) })
    }
    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) })
    }
    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

struct Letters {
    signer: dkim::Signer,
    body: String,
}

impl ContentMaker for Letters {
    fn make(&self, r: &Claimed, _: config::Signatures) -> Result<Made, MakeError> {
        let message = format!(
            "From: News <news@sender.example>\r\nTo: <{}>\r\nSubject: Hello {}\r\nMessage-ID: <{}@sender.example>\r\n\
             Date: Mon, 5 Jan 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{}",
            r.address,
            r.origin.contact().map_or(0, |c| c.0),
            r.id,
            self.body
        );
        let mut signed = self
            .signer
            .sign(message.as_bytes(), SystemClock.now_ms())
            .map_err(|e| MakeError::Permanent(e.to_string()))?;
        signed.extend_from_slice(message.as_bytes());
        let reverse_path = Address::parse(&format!("b-{}@bounce.sender.example", r.id)).expect("an address");
        Ok(Made {
            message: signed.into(),
            reverse_path: Some(reverse_path),
            shared_path: None,
            dsn: None,
            signing_domain: None,
            eight_bit: false,
            smtputf8: false,
        })
    }
}

/// User and system seconds of a process, from /proc.
fn cpu_seconds(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or("");
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn sink() -> Child {
    Command::new("smtp-sink")
        .args(["-u", "nobody", &format!("127.0.0.1:{PORT}"), "1000"])
        .stdout(Stdio::null())
        .spawn()
        .expect("smtp-sink (Debian's postfix package) starts")
}

async fn fill(storage: &Storage, n: i64) {
    let storage = storage.clone();
    let now_ms = SystemClock.now_ms();
    storage
        .queue()
        .write(move |tx| campaign_run::start(tx, (WS, CampaignId(1)), ("bulk", "default"), "", now_ms))
        .await
        .expect("a run");
    let mut after = 0;
    while after < n {
        let up_to = (after + 2000).min(n);
        let member = |id: i64| {
            let address = Address::parse(&format!("user{id}@d{}.example", id % 1000)).expect("an address");
            Member {
                id: ContactId(id),
                address_hash: address_hash(&address),
                domain: address.domain().to_string(),
                email: address.to_string(),
            }
        };
        let members = (after + 1..=up_to).map(member).collect();
        let (begin, complete) = (ContactId(after), up_to == n);
        let expires_ms = now_ms + 172_800_000;
        let chunk = AudienceChunk { after: begin, up_to: ContactId(up_to), complete, members, now_ms, expires_ms };
        storage.queue().write(move |tx| campaign_run::take_in(tx, (WS, CampaignId(1)), chunk)).await.expect("a chunk");
        after = up_to;
    }
}

fn parts(storage: &Storage, connections: u32) -> Parts {
    let text = format!(
        "[smtp]\nremote_port = {PORT}\nconnections_per_lane = {connections}\nmessages_per_connection = 1000\n\
             [[shaping]]\nmessage_rate = \"none\"\nconnection_rate = \"none\""
    );
    let config = config::parse("throughput", &text).unwrap_or_else(|e| panic!("{e}"));
    let key = dkim::Key::generate_rsa().expect("a key");
    let domain = Domain::parse("sender.example").expect("a domain");
    let signer = dkim::Signer::new(&domain, [dkim::SigningKey { selector: "s1".to_owned(), key: Arc::new(key) }])
        .expect("a signer");
    let day = Duration::from_secs(86_400);
    Parts {
        storage: storage.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        dns: Arc::new(OneHost),
        dial: Arc::new(TcpDial),
        content: Arc::new(Letters { signer, body: "<p>Lorem ipsum dolor sit amet, consectetur</p>\r\n".repeat(215) }),
        maker_threads: 2,
        smtp: config.smtp.clone(),
        sources: config.sources,
        pools: config.pools,
        warmup_plans: config.warmup_plans,
        streams: config.streams,
        routes: Vec::new(),
        shaping: Arc::new(mta::shaping::Snapshot::compile(&config.smtp, &config.shaping)),
        soft_bounces: None,
        reputation: config.reputation,
        retention: Retention {
            events: day,
            finished: day,
            suppressions: day,
            unmatched_reports: day,
            unknown_texts: day,
            reports: day,
            conversations: day,
            conversation_bytes: 1 << 20,
        },
        tls: mta::tls::TlsParts {
            dnssec: None,
            fetch: Arc::new(world::HttpsFetch::new()),
            roots: Arc::new(rustls::RootCertStore::empty()),
            submitter: "sender.example".to_owned(),
        },
        notice: config.notice.clone(),
        unknown_texts: Arc::default(),
    }
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::INFO).init();
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<i64>().ok());
    let (n, connections) = (args.next().unwrap_or(50_000), args.next().unwrap_or(20));
    let dir = tempfile::tempdir().expect("a folder");
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 4 }).expect("a database");
    let began = Instant::now();
    fill(&storage, n).await;
    println!("queued {n} in {:.2} s, cpu {:.2} s", began.elapsed().as_secs_f64(), cpu_seconds("self"));
    let mut sink = sink();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (cpu, began) = (cpu_seconds("self"), Instant::now());
    let engine = Engine::start(parts(&storage, u32::try_from(connections).unwrap_or(20))).await.expect("an engine");
    let mut last = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(if n > 200_000 { 2000 } else { 200 })).await;
        let ledger = storage.read(|c| queue::ledger(c, WS, None)).await.expect("a ledger");
        if ledger.queued == 0 || began.elapsed() > Duration::from_secs(100) || (n > 200_000 && last > 100_000) {
            let (s, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds("self") - cpu);
            let done = ledger.finished() as f64;
            println!(
                "{ledger:?}\n{:.0} messages/s, {:.3} CPU-s per 1,000 (sink {:.3}), peak {} MiB",
                done / s,
                cpu / done * 1000.0,
                cpu_seconds(&sink.id().to_string()) / done * 1000.0,
                peak_mib()
            );
            break;
        }
        if ledger.finished() == last {
            println!("nothing moves: {ledger:?}, in memory {}, {:?}", engine.in_memory(), engine.lanes());
        }
        last = ledger.finished();
    }
    engine.stop(Duration::from_secs(5)).await;
    let _ = sink.kill();
    let _ = sink.wait();
}
