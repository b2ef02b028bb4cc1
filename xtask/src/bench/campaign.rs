//! A campaign against the relay: A B A B.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::{self, Load};
use super::ours::Daemon;
use super::postfix::{CONNECTIONS, Relay};
use super::process::{MemoryWatch, Usage};
use super::sink::Sink;
use super::{Bench, sink};
use crate::shell;

/// No run takes longer; Postfix needs two to five minutes for 50,000 on two cores.
const RUN_WAIT: Duration = Duration::from_secs(1_200);
/// Messages of the first run of each side, which is not counted.
const WARM_UP: usize = 2_000;

/// One run of one side.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// From the start until the sink held the last message.
    pub messages_per_s: f64,
    /// CPU seconds for 1,000 messages.
    pub cpu_s_per_1000: f64,
    /// Most memory.
    pub peak_mib: f64,
    /// Bytes to the disk for one message.
    pub written_per_message: f64,
    /// Size of a message as the sink got it.
    pub message_bytes: usize,
}

/// All counted runs, pair by pair.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Messages of each run.
    pub messages: usize,
    /// Ours.
    pub ours: Vec<Measured>,
    /// The relay's.
    pub relay: Vec<Measured>,
}

/// Measures both sides in turn.
pub fn compare(bench: &Bench<'_>) -> Result<Compared> {
    let mut compared = Compared { messages: bench.options.messages, ..Compared::default() };
    let (_, template) = run_ours(bench, WARM_UP)?;
    run_relay(bench, WARM_UP, &template)?;
    for run in 1..=bench.options.runs {
        let (ours, _) = run_ours(bench, bench.options.messages)?;
        eprintln!("run {run}: ours  {}", line(&ours));
        let relay = run_relay(bench, bench.options.messages, &template)?;
        eprintln!("run {run}: relay {}", line(&relay));
        compared.ours.push(ours);
        compared.relay.push(relay);
    }
    Ok(compared)
}

/// The relay by itself, with a message of the same kind that we make up.
pub fn peer_alone(bench: &Bench<'_>) -> Result<()> {
    for run in 1..=bench.options.runs {
        let relay = run_relay(bench, bench.options.messages, &made_up())?;
        println!("run {run}: relay {}", line(&relay));
    }
    Ok(())
}

fn line(measured: &Measured) -> String {
    format!(
        "{:6.0} messages/s, {:.3} CPU-s per 1,000, {:.0} MiB, {:.0} bytes written per message of {} bytes",
        measured.messages_per_s,
        measured.cpu_s_per_1000,
        measured.peak_mib,
        measured.written_per_message,
        measured.message_bytes
    )
}

/// Our side. Also returns one of its messages, without its signatures: what the relay gets to carry.
fn run_ours(bench: &Bench<'_>, messages: usize) -> Result<(Measured, Vec<u8>)> {
    let folder = bench.fresh("ours")?;
    let mut sink = Sink::start(&folder)?;
    let mut daemon = Daemon::start_for_campaign(bench, &folder, sink.port())?;
    let campaign = daemon.prepare_campaign(messages)?;
    let pids = vec![daemon.pid()];
    let memory = MemoryWatch::start(pids.clone());
    let before = Usage::of(&pids)?;
    let begun = Instant::now();
    daemon.launch(&campaign)?;
    sink.wait_for(messages, RUN_WAIT, || daemon.must_run())?;
    let took = begun.elapsed();
    // Every outcome is durable when the campaign says that it has finished.
    daemon.wait_until_finished(&campaign, messages, RUN_WAIT)?;
    let used = Usage::of(&pids)?.since(before);
    let keys = daemon.key_records()?;
    let kept = sink.kept()?;
    verify(bench, &folder, &kept, &keys)?;
    ensure!(sink.count()? == messages, "{} messages arrived, not {messages}", sink.count()?);
    let example = kept.first().context("no message was kept")?;
    let measured = measured(messages, took, used, memory.peak_mib(), &kept);
    Ok((measured, load::unsigned(example)))
}

fn run_relay(bench: &Bench<'_>, messages: usize, template: &[u8]) -> Result<Measured> {
    let folder = bench.fresh("relay")?;
    let mut sink = Sink::start(&folder)?;
    let relay = Relay::start(&folder.join("postfix"), &sink)?;
    let pids = relay.pids();
    let memory = MemoryWatch::start(pids.clone());
    let before = Usage::of(&pids)?;
    let load = Load { messages, sessions: CONNECTIONS, port: relay.port(), template: template.to_vec() };
    let begun = Instant::now();
    load.run()?;
    sink.wait_for(messages, RUN_WAIT, || Ok(()))?;
    let took = begun.elapsed();
    let used = Usage::of(&pids)?.since(before);
    let kept = sink.kept()?;
    verify(bench, &folder, &kept, &[relay.key_record().clone()])?;
    ensure!(sink.count()? == messages, "{} messages arrived, not {messages}", sink.count()?);
    relay.must_be_empty()?;
    Ok(measured(messages, took, used, memory.peak_mib(), &kept))
}

fn measured(messages: usize, took: Duration, used: Usage, peak_mib: f64, kept: &[Vec<u8>]) -> Measured {
    Measured {
        messages_per_s: messages as f64 / took.as_secs_f64(),
        cpu_s_per_1000: used.cpu_s * 1000.0 / messages as f64,
        peak_mib,
        written_per_message: used.written_bytes as f64 / messages as f64,
        message_bytes: kept.iter().map(Vec::len).sum::<usize>() / kept.len().max(1),
    }
}

/// The signatures of everything that was kept, by the simulated internet's own verifier.
fn verify(bench: &Bench<'_>, folder: &Path, kept: &[Vec<u8>], keys: &[(String, String)]) -> Result<()> {
    ensure!(!kept.is_empty(), "no message was kept to verify");
    let received = folder.join("received");
    std::fs::create_dir_all(&received)?;
    let mut verify = Command::new(bench.sandbox());
    verify.arg("verify");
    for (name, record) in keys {
        verify.arg("--key").arg(format!("{name}={record}"));
    }
    for (n, message) in kept.iter().enumerate() {
        let file = received.join(n.to_string());
        std::fs::write(&file, message)?;
        verify.arg(file);
    }
    shell::output(&mut verify).context("the signatures do not hold, so this run does not count")?;
    Ok(())
}

/// A message as a campaign's: two parts, 10 KiB of HTML.
fn made_up() -> Vec<u8> {
    let mut message = String::from(
        "From: News <news@bench.example>\r\nTo: x\r\nSubject: What is new\r\nMessage-ID: y\r\n\
         Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
    );
    message.push_str(&super::ours::html(sink::DOMAINS).replace('\n', "\r\n"));
    message.into_bytes()
}
