//! A flood of reports: how fast it is taken alone, and what it does to a campaign beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Bench;
use super::ours::{Daemon, html};
use super::process::{Usage, bound};
use super::sink::{self, Recorder, Sink};

/// Reports of the flood alone.
const REPORTS: usize = 100_000;
/// Reports of the flood beside a campaign.
const BESIDE: usize = 40_000;
/// Of those, a second: what has to be taken.
const PER_SECOND: u32 = 2_000;
/// Messages of each measured campaign.
const SENT: usize = 25_000;
/// So long is the flood on its way before the campaign begins.
const LEAD: Duration = Duration::from_secs(1);
/// Connections at a time: fewer than one peer may have, since the listener may not have seen yet that one was closed.
const SESSIONS: &str = "16";
const WAIT: Duration = Duration::from_secs(1_200);
/// Domains whose mail is recorded, for its return paths.
const RECORDED_DOMAINS: usize = 100;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Flooded {
    /// Reports of the flood alone.
    pub reports: usize,
    /// Of them a second, with nothing beside.
    pub reports_per_s: f64,
    /// What 1,000 of them cost.
    pub cpu_s_per_1000: f64,
    /// Messages a second of a campaign with nothing beside.
    pub alone_per_s: f64,
    /// Messages a second of a campaign beside a flood of [`PER_SECOND`].
    pub beside_per_s: f64,
}

/// Measures: the flood alone, a campaign alone, both together.
pub fn flood(bench: &Bench<'_>) -> Result<Flooded> {
    let folder = bench.fresh("flood")?;
    let mut sink = Sink::start(&folder)?;
    let recorder = Recorder::start(&folder, sink.port())?;
    let inbound = sink::free_port()?;
    let mut daemon = Daemon::start_hearing(bench, &folder, (sink.port(), inbound), &recorded_domains())?;
    prepare(&daemon)?;
    let first = campaign(&daemon, "First", "Flood", "<p>Hello</p>")?;
    daemon.launch(&first)?;
    daemon.wait_until_finished(&first, REPORTS + BESIDE, WAIT)?;
    let paths = recorder.return_paths()?;
    ensure!(paths.len() == REPORTS + BESIDE, "{} return paths were recorded, not {}", paths.len(), REPORTS + BESIDE);
    let (alone, beside) = paths.split_at(REPORTS);

    let (before, begun) = (Usage::of(&[daemon.pid()])?, Instant::now());
    let mut flood = start_flood(bench, &folder, inbound, 0, alone)?;
    ensure!(flood.wait()?.success(), "not every report was taken");
    let took = begun.elapsed().as_secs_f64();
    let used = Usage::of(&[daemon.pid()])?.since(before);
    eprintln!("{REPORTS} reports in {took:.1} s, {:.3} CPU seconds per 1,000", used.cpu_s * 1000.0 / REPORTS as f64);
    suppressed_must_be(&daemon, REPORTS)?;

    let alone_per_s = send(&mut daemon, &mut sink, "Alone", SENT)?;
    let mut flood = start_flood(bench, &folder, inbound, PER_SECOND, beside)?;
    std::thread::sleep(LEAD);
    let beside_per_s = send(&mut daemon, &mut sink, "Beside", SENT * 2)?;
    ensure!(flood.try_wait()?.is_none(), "the flood was over before the campaign");
    ensure!(flood.wait()?.success(), "not every report was taken");
    suppressed_must_be(&daemon, REPORTS + BESIDE)?;
    let measured = Flooded {
        reports: REPORTS,
        reports_per_s: REPORTS as f64 / took,
        cpu_s_per_1000: used.cpu_s * 1000.0 / REPORTS as f64,
        alone_per_s,
        beside_per_s,
    };
    eprintln!("{measured:?}");
    Ok(measured)
}

fn recorded_domains() -> Vec<String> {
    (0..RECORDED_DOMAINS).map(|n| format!("f{n}.example")).collect()
}

/// Two sorts of contacts, told apart by their city.
fn prepare(daemon: &Daemon) -> Result<()> {
    daemon.add_domain()?;
    let mut csv = String::from("email,first_name,city\n");
    for n in 0..REPORTS + BESIDE {
        writeln!(csv, "r{n}@f{}.example,Ana{n},Flood", n % RECORDED_DOMAINS)?;
    }
    for n in 0..SENT {
        writeln!(csv, "r{n}@{},Ana{n},Load", sink::domain(n))?;
    }
    daemon.import(&csv, REPORTS + BESIDE + SENT)?;
    for city in ["Flood", "Load"] {
        let filter = json!({ "type": "attribute", "path": "attribute:city", "op": "equals", "value": city });
        daemon.post("/segments", &json!({ "name": city, "filter": filter }))?;
    }
    Ok(())
}

/// A campaign to the contacts of a city; returns its path.
fn campaign(daemon: &Daemon, name: &str, city: &str, source: &str) -> Result<String> {
    let segments = daemon.get("/segments")?;
    let segments = segments["items"].as_array().context("there are no segments")?;
    let segment = segments.iter().find(|segment| segment["name"] == city).context("a segment is missing")?;
    let template = json!({ "name": name, "kind": "html", "subject": "What is new", "source": source });
    let template = daemon.post("/templates", &template)?;
    let campaign = json!({ "name": name, "template_id": template["id"], "segment_id": segment["id"],
        "from_email": "news@bench.example", "from_name": "News" });
    Ok(format!("/campaigns/{}", daemon.post("/campaigns", &campaign)?["id"]))
}

/// A campaign of the usual size; `sent` are in the sink at its end. Returns its messages a second.
fn send(daemon: &mut Daemon, sink: &mut Sink, name: &str, sent: usize) -> Result<f64> {
    let campaign = campaign(daemon, name, "Load", &html(sink::DOMAINS))?;
    let begun = Instant::now();
    daemon.launch(&campaign)?;
    sink.wait_for(sent, WAIT, || daemon.must_run())?;
    let took = begun.elapsed().as_secs_f64();
    daemon.wait_until_finished(&campaign, SENT, WAIT)?;
    Ok(SENT as f64 / took)
}

fn start_flood(bench: &Bench<'_>, folder: &Path, port: u16, per_second: u32, paths: &[String]) -> Result<Child> {
    let list: PathBuf = folder.join("return-paths");
    fs::write(&list, paths.join("\n"))?;
    let mut command = bound(bench.sandbox(), None);
    command.args(["flood", "--server", &format!("127.0.0.1:{port}"), "--per-second", &per_second.to_string()]);
    command.args(["--sessions", SESSIONS]).arg(&list).stdin(Stdio::null()).spawn().context("the flood does not start")
}

/// Every report has done what it has to do when it has been taken.
fn suppressed_must_be(daemon: &Daemon, expected: usize) -> Result<()> {
    let suppressed = daemon.get("/overview")?["suppressed"].clone();
    ensure!(suppressed == expected, "{suppressed} addresses are suppressed, not {expected}");
    Ok(())
}
