//! Sending while very many wait: speed, cost and memory beside a short queue, how soon a transactional message leaves
//! meanwhile, and very many destinations at once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use config::Signatures;
use serde_json::{Value, json};

use super::Bench;
use super::ours::Daemon;
use super::process::{MemoryWatch, Usage};
use super::sink::{self, Sink};

/// Waiting recipients of the three measurements, each with the number of campaigns that they belong to. A campaign takes
/// every contact.
const QUEUES: [(usize, usize); 3] = [(20_000, 1), (1_000_000, 1), (10_000_000, 10)];
/// Messages sent while it is measured.
const SENT: usize = 15_000;
/// Transactional messages handed in while bulk mail goes out.
const PROBES: usize = 20;
/// Destinations of the measurement with very many: domains, and mail exchangers that serve ten of them each.
const WIDE: (usize, usize) = (10_000, 1_000);
const WAIT: Duration = Duration::from_secs(1_200);
const ASK_EVERY: Duration = Duration::from_millis(10);

/// One measurement.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Recipients in the queue at its beginning.
    pub recipients: usize,
    /// Messages a second.
    pub messages_per_s: f64,
    /// CPU seconds for 1,000 messages.
    pub cpu_s_per_1000: f64,
    /// Most memory, from the start of the daemon on; MiB.
    pub peak_mib: f64,
    /// Seconds from handing a transactional message in until it was delivered, in ascending order.
    pub transactional_s: Vec<f64>,
}

/// Queues of all lengths.
pub fn queues(bench: &Bench<'_>) -> Result<Vec<Waiting>> {
    QUEUES.iter().map(|(recipients, campaigns)| queue(bench, *recipients, *campaigns)).collect()
}

fn queue(bench: &Bench<'_>, recipients: usize, campaigns: usize) -> Result<Waiting> {
    let folder = bench.fresh("waiting")?;
    let mut sink = Sink::start(&folder)?;
    let mut daemon = Daemon::start_for_campaign(bench, &folder, sink.port(), Signatures::All)?;
    let memory = MemoryWatch::start(vec![daemon.pid()]);
    let first = daemon.prepare_campaign(recipients / campaigns)?;
    let pause = daemon.pause_everything()?;
    let more = (1..campaigns).map(|n| daemon.another_campaign(&format!("News {n}")));
    for campaign in [Ok(first)].into_iter().chain(more) {
        daemon.launch(&campaign?)?;
    }
    daemon.wait_until_waiting(recipients, WAIT)?;
    let (before, begun) = (Usage::of(&[daemon.pid()])?, Instant::now());
    daemon.end_pause(&pause)?;
    sink.wait_for(SENT, WAIT, || daemon.must_run())?;
    let (took, sent) = (begun.elapsed(), sink.count()?);
    let used = Usage::of(&[daemon.pid()])?.since(before);
    // A short queue is empty by now.
    let transactional_s = if recipients > SENT * 10 { probe(&daemon)? } else { Vec::new() };
    let measured = Waiting {
        recipients,
        messages_per_s: sent as f64 / took.as_secs_f64(),
        cpu_s_per_1000: used.cpu_s * 1000.0 / sent as f64,
        peak_mib: memory.peak_mib(),
        transactional_s,
    };
    eprintln!("with {recipients} waiting: {measured:?}");
    Ok(measured)
}

/// How soon transactional messages are delivered, in ascending order.
fn probe(daemon: &Daemon) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    for n in 0..PROBES {
        let message = json!({ "from": "desk@bench.example", "to": [format!("someone{n}@{}", sink::domain(500 + n))],
            "subject": "Your code", "text": "123456", "stream": "transactional" });
        let begun = Instant::now();
        let id = daemon.post("/messages", &message)?["id"].as_i64().context("the message has no id")?;
        loop {
            let found = daemon.get(&format!("/messages/{id}"))?;
            if found["message"]["live"] == false {
                ensure!(delivered(&found), "the transactional message was not delivered: {found}");
                break;
            }
            ensure!(begun.elapsed() < WAIT, "the transactional message waits for longer than {WAIT:?}: {found}");
            std::thread::sleep(ASK_EVERY);
        }
        seconds.push(begun.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

fn delivered(message: &Value) -> bool {
    message["recipients"]["items"][0]["recipient"]["state"] == "delivered"
}

/// Very many destinations at once: all messages of a campaign to as many domains at as many mail exchangers.
pub fn wide(bench: &Bench<'_>) -> Result<Waiting> {
    let (domains, exchangers) = WIDE;
    let recipients = domains * 2;
    let folder = bench.fresh("wide")?;
    let mut sink = Sink::start_everywhere(&folder)?;
    let mut daemon = Daemon::start_wide(bench, &folder, sink.port(), domains, exchangers)?;
    let memory = MemoryWatch::start(vec![daemon.pid()]);
    let campaign = daemon.prepare_campaign_to(recipients, |n| format!("w{}.example", n % domains))?;
    let (before, begun) = (Usage::of(&[daemon.pid()])?, Instant::now());
    daemon.launch(&campaign)?;
    sink.wait_for_all_at_counting(recipients, WAIT)?;
    let took = begun.elapsed();
    daemon.wait_until_finished(&campaign, recipients, WAIT)?;
    let used = Usage::of(&[daemon.pid()])?.since(before);
    let measured = Waiting {
        recipients,
        messages_per_s: recipients as f64 / took.as_secs_f64(),
        cpu_s_per_1000: used.cpu_s * 1000.0 / recipients as f64,
        peak_mib: memory.peak_mib(),
        transactional_s: Vec::new(),
    };
    eprintln!("{domains} domains at {exchangers} mail exchangers: {measured:?}");
    Ok(measured)
}
