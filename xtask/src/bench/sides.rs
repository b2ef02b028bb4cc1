//! One run of one side: everything is started, measured and ended within it.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use config::Signatures;

use super::ours::{Daemon, html};
use super::postfix::{CONNECTIONS, Delivery, Relay};
use super::process::{MemoryWatch, Usage, bound};
use super::sink::Sink;
use super::{Bench, sink};
use crate::build;
use crate::shell;

/// No run takes longer; Postfix needs two to five minutes for 50,000 on two cores.
const RUN_WAIT: Duration = Duration::from_secs(1_200);

/// One run of one side.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// From the start until the last message was where it had to come.
    pub messages_per_s: f64,
    /// CPU seconds for 1,000 messages.
    pub cpu_s_per_1000: f64,
    /// Most memory.
    pub peak_mib: f64,
    /// Bytes to the disk for one message.
    pub written_per_message: f64,
    /// Size of a message as the sink got it; 0 where nothing was sent.
    pub message_bytes: usize,
}

impl Measured {
    /// For whoever waits at the terminal.
    pub fn line(&self) -> String {
        format!(
            "{:6.0} messages/s, {:.3} CPU-s per 1,000, {:.0} MiB, {:.0} bytes written per message of {} bytes",
            self.messages_per_s, self.cpu_s_per_1000, self.peak_mib, self.written_per_message, self.message_bytes
        )
    }
}

/// What is looked at while a run goes on.
struct Watch {
    pids: Vec<u32>,
    memory: MemoryWatch,
    before: Usage,
    begun: Instant,
}

impl Watch {
    fn start(pids: Vec<u32>) -> Result<Watch> {
        let (memory, before) = (MemoryWatch::start(pids.clone()), Usage::of(&pids)?);
        Ok(Watch { pids, memory, before, begun: Instant::now() })
    }

    fn end(self, messages: usize, took: Duration, kept: &[Vec<u8>]) -> Result<Measured> {
        let used = Usage::of(&self.pids)?.since(self.before);
        Ok(Measured {
            messages_per_s: messages as f64 / took.as_secs_f64(),
            cpu_s_per_1000: used.cpu_s * 1000.0 / messages as f64,
            peak_mib: self.memory.peak_mib(),
            written_per_message: used.written_bytes as f64 / messages as f64,
            message_bytes: kept.iter().map(Vec::len).sum::<usize>() / kept.len().max(1),
        })
    }
}

/// A campaign. Also returns one of its messages, without its signatures: what the others get to carry.
pub fn campaign(bench: &Bench<'_>, messages: usize, signatures: Signatures) -> Result<(Measured, Vec<u8>)> {
    let folder = bench.fresh("campaign")?;
    let mut sink = Sink::start(&folder)?;
    let mut daemon = Daemon::start_for_campaign(bench, &folder, sink.port(), signatures)?;
    let campaign = daemon.prepare_campaign(messages)?;
    let watch = Watch::start(vec![daemon.pid()])?;
    daemon.launch(&campaign)?;
    sink.wait_for(messages, RUN_WAIT, || daemon.must_run())?;
    let took = watch.begun.elapsed();
    // Every outcome is durable when the campaign says that it has finished.
    daemon.wait_until_finished(&campaign, messages, RUN_WAIT)?;
    let kept = sink.kept()?;
    let measured = watch.end(messages, took, &kept)?;
    verify(bench, &folder, &kept, &daemon.key_records()?)?;
    ensure!(sink.count()? == messages, "{} messages arrived, not {messages}", sink.count()?);
    let example = kept.first().context("no message was kept")?;
    Ok((measured, unsigned(example)))
}

/// Our relay: submitted over TLS with AUTH, which is the only way in; signed; delivered.
pub fn relay(bench: &Bench<'_>, messages: usize, template: &[u8]) -> Result<Measured> {
    let folder = bench.fresh("relay")?;
    let mut sink = Sink::start(&folder)?;
    let mut daemon = Daemon::start_for_submission(bench, &folder, sink.port())?;
    let login = daemon.prepare_submission()?;
    let watch = Watch::start(vec![daemon.pid()])?;
    submit(bench, &folder, daemon.submission_port(), messages, template, Some(&login))?;
    sink.wait_for(messages, RUN_WAIT, || daemon.must_run())?;
    let took = watch.begun.elapsed();
    daemon.wait_until_empty(messages, RUN_WAIT)?;
    let kept = sink.kept()?;
    let measured = watch.end(messages, took, &kept)?;
    verify(bench, &folder, &kept, &daemon.key_records()?)?;
    ensure!(sink.count()? == messages, "{} messages arrived, not {messages}", sink.count()?);
    Ok(measured)
}

/// Our acceptance alone: nothing is delivered meanwhile.
pub fn accept(bench: &Bench<'_>, messages: usize, template: &[u8]) -> Result<Measured> {
    let folder = bench.fresh("accept")?;
    let daemon = Daemon::start_for_submission(bench, &folder, sink::free_port()?)?;
    let login = daemon.prepare_submission()?;
    daemon.pause_everything()?;
    let watch = Watch::start(vec![daemon.pid()])?;
    submit(bench, &folder, daemon.submission_port(), messages, template, Some(&login))?;
    let took = watch.begun.elapsed();
    let measured = watch.end(messages, took, &[])?;
    daemon.must_hold(messages)?;
    Ok(measured)
}

/// Postfix with OpenDKIM, relaying.
pub fn peer_relay(bench: &Bench<'_>, messages: usize, template: &[u8]) -> Result<Measured> {
    let folder = bench.fresh("peer")?;
    let mut sink = Sink::start(&folder)?;
    let relay = Relay::start(&folder.join("postfix"), sink.port(), Delivery::AtOnce)?;
    let watch = Watch::start(relay.pids())?;
    submit(bench, &folder, relay.port(), messages, template, None)?;
    sink.wait_for(messages, RUN_WAIT, || Ok(()))?;
    let took = watch.begun.elapsed();
    let kept = sink.kept()?;
    let measured = watch.end(messages, took, &kept)?;
    verify(bench, &folder, &kept, &[relay.key_record().clone()])?;
    ensure!(sink.count()? == messages, "{} messages arrived, not {messages}", sink.count()?);
    ensure!(relay.queued()? == 0, "{} messages are left in Postfix's queue", relay.queued()?);
    Ok(measured)
}

/// Postfix with OpenDKIM, accepting and keeping.
pub fn peer_accept(bench: &Bench<'_>, messages: usize, template: &[u8]) -> Result<Measured> {
    let folder = bench.fresh("peer-accept")?;
    let relay = Relay::start(&folder.join("postfix"), sink::free_port()?, Delivery::Deferred)?;
    let watch = Watch::start(relay.pids())?;
    submit(bench, &folder, relay.port(), messages, template, None)?;
    let took = watch.begun.elapsed();
    let measured = watch.end(messages, took, &[])?;
    ensure!(relay.queued()? == messages, "Postfix holds {} messages, not {messages}", relay.queued()?);
    Ok(measured)
}

/// A client that only signs and sends: what the wire and the signatures cost at least.
pub fn bare(bench: &Bench<'_>, messages: usize, template: &[u8]) -> Result<Measured> {
    let folder = bench.fresh("bare")?;
    let mut sink = Sink::start(&folder)?;
    let file = folder.join("message");
    std::fs::write(&file, template)?;
    let program = build::release_folder(bench.root).join("examples/bare_client");
    let mut command = Command::new(program);
    command.arg(sink.port().to_string()).arg(messages.to_string()).arg(CONNECTIONS.to_string()).arg(&file);
    let said = shell::output(&mut command)?;
    sink.wait_for_all_at_counting(messages, RUN_WAIT)?;
    // `50000 in 7.123 s, 14.20 s`
    let seconds: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [_, took, cpu] = seconds[..] else { anyhow::bail!("the bare client says {said:?}") };
    Ok(Measured {
        messages_per_s: messages as f64 / took,
        cpu_s_per_1000: cpu * 1000.0 / messages as f64,
        peak_mib: 0.0,
        written_per_message: 0.0,
        message_bytes: template.len(),
    })
}

/// Hands messages in, as an application does; returns when the last one has been accepted.
fn submit(
    bench: &Bench<'_>,
    folder: &Path,
    port: u16,
    messages: usize,
    template: &[u8],
    login: Option<&(String, String)>,
) -> Result<()> {
    let file = folder.join("message");
    std::fs::write(&file, template)?;
    let mut command = bound(bench.sandbox(), None);
    command.arg("submit").arg("--server").arg(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string());
    command.args(["--messages", &messages.to_string(), "--sessions", &CONNECTIONS.to_string()]);
    if let Some((user, _)) = login {
        command.args(["--login", user]);
    }
    let mut child = command.arg(&file).stdin(Stdio::piped()).spawn().context("the application does not start")?;
    if let (Some(mut input), Some((_, secret))) = (child.stdin.take(), login) {
        input.write_all(secret.as_bytes())?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "not everything was accepted ({status})");
    Ok(())
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
pub fn made_up() -> Vec<u8> {
    let mut message = String::from(
        "From: News <news@bench.example>\r\nTo: x\r\nSubject: What is new\r\nMessage-ID: y\r\n\
         Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
    );
    message.push_str(&html(sink::DOMAINS).replace('\n', "\r\n"));
    message.into_bytes()
}

/// Without what a signer added: what an application would have handed over.
fn unsigned(message: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(message.len());
    let (mut in_header, mut dropping) = (true, false);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        in_header &= line != b"\r\n";
        if in_header && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            dropping = line.to_ascii_lowercase().starts_with(b"dkim-signature:");
        }
        if !(in_header && dropping) {
            plain.extend(line);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_go_with_their_folded_lines() {
        let signed = b"A: 1\r\nDKIM-Signature: v=1;\r\n\tb=x\r\nB: 2\r\n\r\nDKIM-Signature: body\r\n";
        assert_eq!(unsigned(signed), b"A: 1\r\nB: 2\r\n\r\nDKIM-Signature: body\r\n");
    }
}
