//! `docs/performance.md`: the figures of the last run, and what they were measured on.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::compare::{Compared, Pairs};
use super::flood::Flooded;
use super::scale::Times;
use super::sides::Measured;
use super::waiting::Waiting;
use super::{Bench, machine};
use crate::shell;

/// What was measured so far.
pub struct Report {
    date: String,
    revision: String,
    machine: String,
    /// The daemon beside its peers.
    pub compared: Compared,
    /// Importing contacts.
    pub import: Option<Times>,
    /// Starting with much history.
    pub startup: Option<Times>,
    /// Sending while very many wait.
    pub queues: Vec<Waiting>,
    /// Sending to very many destinations.
    pub wide: Option<Waiting>,
    /// Taking a flood of reports.
    pub flooded: Option<Flooded>,
}

impl Report {
    /// An empty one.
    pub fn new(bench: &Bench<'_>) -> Result<Report> {
        let revision = shell::output(shell::command(bench.root, "git").args(["rev-parse", "--short", "HEAD"]));
        Ok(Report {
            date: shell::output(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?.trim().to_owned(),
            revision: revision.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
            machine: machine::describe(),
            compared: Compared::default(),
            import: None,
            startup: None,
            queues: Vec::new(),
            wide: None,
            flooded: None,
        })
    }

    /// The page.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# Performance\n\nWritten by `cargo xtask bench` on {} at revision {}, on this machine: {}. Everything runs on \
             it, the load and the sink too, over loopback. Absolute figures hold for it alone; CPU seconds and ratios \
             travel better.\n",
            self.date, self.revision, self.machine
        );
        compared(&mut text, &self.compared);
        for (times, heading, goal) in [
            (&self.import, "Importing contacts from CSV", "10"),
            (&self.startup, "Starting with finished recipients in the database", "1"),
        ] {
            if let Some(times) = times {
                let things = thousands(times.things);
                let [least, middle, most] = spread(&times.seconds);
                let _ = write!(
                    text,
                    "\n## {heading}\n\n{things} in {middle:.2} s (median of {}; {least:.2} to {most:.2}). Goal: under {goal} s.\n",
                    times.seconds.len()
                );
            }
        }
        waiting(&mut text, &self.queues, self.wide.as_ref());
        flooded(&mut text, self.flooded.as_ref());
        text
    }

    /// Writes the page; what was written by hand behind [`BY_HAND`] stays.
    pub fn write_into(&self, file: &Path) -> Result<()> {
        let before = std::fs::read_to_string(file).unwrap_or_default();
        let by_hand = before.find(BY_HAND).map_or("", |at| &before[at..]);
        let text = format!("{}\n{by_hand}", self.text());
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Ratios (ours over the peer's) and runs, for programs.
    pub fn json(&self) -> String {
        let paths =
            [("campaign", &self.compared.campaign), ("relay", &self.compared.relay), ("accept", &self.compared.accept)];
        let mut ratios = serde_json::Map::new();
        let mut runs = Vec::new();
        for (path, pairs) in paths.into_iter().filter(|(_, pairs)| !pairs.ours.is_empty()) {
            let median = |figure: fn(&Measured) -> f64| spread(&pairs.ratios(figure))[1];
            let ratio = json!({ "speed": median(|run| run.messages_per_s), "cpu": median(|run| run.cpu_s_per_1000) });
            ratios.insert(path.to_owned(), ratio);
            for (side, measured) in [("packetboat", &pairs.ours), ("postfix_opendkim", &pairs.peer)] {
                runs.extend(measured.iter().map(|run| run_json(path, side, run)));
            }
        }
        let messages = self.compared.messages;
        let whole = json!({ "date": self.date, "revision": self.revision, "machine": self.machine,
            "messages": messages, "ratios": ratios, "runs": runs });
        format!("{whole:#}\n")
    }
}

/// Above it the page is written anew by each whole benchmark.
const BY_HAND: &str = "## Where the seconds go";

fn run_json(path: &str, side: &str, run: &Measured) -> Value {
    json!({ "path": path, "side": side, "messages_per_s": run.messages_per_s, "cpu_s_per_1000": run.cpu_s_per_1000,
        "peak_mib": run.peak_mib, "written_bytes_per_message": run.written_per_message })
}

type Figure = (&'static str, fn(&Measured) -> f64, usize);

const FIGURES: [Figure; 4] = [
    ("messages a second", |run| run.messages_per_s, 0),
    ("CPU seconds per 1,000 messages", |run| run.cpu_s_per_1000, 3),
    ("peak memory (PSS), MiB", |run| run.peak_mib, 0),
    ("bytes written per message", |run| run.written_per_message, 0),
];

fn compared(text: &mut String, compared: &Compared) {
    let Compared { messages, campaign, bare, ed25519, relay, accept } = compared;
    let messages = thousands(*messages);
    let size = |runs: &[Measured]| runs.first().map_or(0, |run| run.message_bytes);
    if !campaign.ours.is_empty() {
        let about = format!(
            "{messages} recipients at 1,000 domains, 10 KiB of HTML rendered for each ({} bytes on the wire with the plain \
             text part, encodings, headers and signature), signed with RSA-2048, to Debian's `smtp-sink` \
             over at most 20 connections; every outcome on disk, and the mark before each final dot. Beside it Postfix {} \
             with OpenDKIM {}, which relay as many of our own messages (without our signature; {} bytes at the sink), \
             signed with RSA-2048, from 20 pipelined sessions to the same kind of sink over 20 kept connections; each \
             message is on disk before it is accepted. One run of each in turn, after one of each that does not count; \
             signatures of 1 % of all messages were verified, and every message arrived.",
            size(&campaign.ours),
            machine::version("postfix"),
            machine::version("opendkim"),
            size(&campaign.peer),
        );
        table(text, "A campaign", &about, "Postfix + OpenDKIM", campaign, &FIGURES);
        text.push_str("\nGoals: 12 × the messages a second, 1/13 of the CPU seconds, at most 0.36 of them; memory under 150 MiB.\n");
    }
    if !bare.ours.is_empty() {
        let about = "The same campaign runs beside a client that only signs the same message with the same kind of key \
            and sends it over as many connections to the same sink: no queue, no database, nothing rendered.";
        table(text, "Against the limit", about, "bare client", bare, &FIGURES[..2]);
        text.push_str("\nGoal: at least 80 % of the bare client's messages a second.\n");
    }
    if !ed25519.is_empty() {
        let [least, middle, most] = spread(&ed25519.iter().map(|run| run.messages_per_s).collect::<Vec<_>>());
        let cpu = spread(&ed25519.iter().map(|run| run.cpu_s_per_1000).collect::<Vec<_>>());
        let _ = write!(
            text,
            "\n## With Ed25519 alone\n\nThe same campaign, signed with an Ed25519 key alone (RFC 8463), for receivers that \
             are known to verify it: {middle:.0} messages a second ({least:.0} to {most:.0}), {:.3} CPU seconds per 1,000 \
             ({:.3} to {:.3}). Goals: 12,000 a second, 0.14.\n",
            cpu[1], cpu[0], cpu[2]
        );
    }
    if !relay.ours.is_empty() {
        let about = format!(
            "{messages} of the same messages from 20 pipelined sessions, ours over TLS with AUTH, which is the only way in, \
             Postfix's in plain text: accepted when they are on disk, signed, delivered to the sink."
        );
        table(text, "Relaying", &about, "Postfix + OpenDKIM", relay, &FIGURES);
        text.push_str("\nGoals: 8 × the messages a second, 1/10 of the CPU seconds.\n");
    }
    if !accept.ours.is_empty() {
        let about =
            format!("{messages} of the same messages, accepted and kept, while delivery is held on both sides.");
        table(text, "Acceptance alone", &about, "Postfix + OpenDKIM", accept, &FIGURES);
        text.push_str("\nGoal: 10 × the messages a second.\n");
    }
}

fn table(text: &mut String, heading: &str, about: &str, peer: &str, pairs: &Pairs, figures: &[Figure]) {
    let _ = write!(
        text,
        "\n## {heading}\n\n{about}\n\n| | Packetboat: min / median / max | {peer}: min / median / max | ratio, pair by \
         pair |\n| --- | --- | --- | --- |\n"
    );
    for (name, figure, digits) in figures {
        let cell = |runs: &[Measured]| {
            let [least, middle, most] = spread(&runs.iter().map(figure).collect::<Vec<_>>());
            format!("{least:.digits$} / **{middle:.digits$}** / {most:.digits$}")
        };
        let (ours, theirs) = (cell(&pairs.ours), cell(&pairs.peer));
        let _ = writeln!(text, "| {name} | {ours} | {theirs} | {} |", ratio_cell(&pairs.ratios(*figure)));
    }
}

fn waiting(text: &mut String, queues: &[Waiting], wide: Option<&Waiting>) {
    if !queues.is_empty() {
        text.push_str(
            "\n## With very many waiting\n\nThe same campaign, begun when all its recipients were in the queue (ten of them \
             for 10,000,000); meanwhile transactional messages were handed in through the API, one after the other, and \
             their state was asked for until it was \"delivered\".\n\n| waiting | messages a second | CPU seconds per 1,000 | \
             peak memory (PSS), MiB, import included | transactional message: median / longest, s |\n| --- | --- | --- | --- | --- |\n",
        );
        for queue in queues {
            let [_, middle, most] = spread(&queue.transactional_s);
            let soon =
                if queue.transactional_s.is_empty() { "–".to_owned() } else { format!("{middle:.2} / {most:.2}") };
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.3} | {:.0} | {soon} |",
                thousands(queue.recipients),
                queue.messages_per_s,
                queue.cpu_s_per_1000,
                queue.peak_mib
            );
        }
        text.push_str(
            "\nGoals: memory under 200 MiB with 1,000,000 and under 300 MiB with 10,000,000; speed within 10 % of that of \
             the short queue; a transactional message within a second.\n",
        );
    }
    if let Some(wide) = wide {
        let _ = write!(
            text,
            "\n## Many destinations at once\n\n{} messages to 10,000 domains at 1,000 mail exchangers with an address each: \
             {:.0} messages a second, {:.3} CPU seconds per 1,000, {:.0} MiB.\n",
            thousands(wide.recipients),
            wide.messages_per_s,
            wide.cpu_s_per_1000,
            wide.peak_mib
        );
    }
}

fn flooded(text: &mut String, flooded: Option<&Flooded>) {
    let Some(flooded) = flooded else { return };
    let _ = write!(
        text,
        "\n## A flood of reports\n\n{} reports that an address does not exist, each to the return path of a message of its \
         own, taken over SMTP and settled with the suppression of the address: {:.0} a second, {:.3} CPU seconds per 1,000. \
         A campaign alone: {:.0} messages a second; beside 2,000 reports a second: {:.0}, {:.0} % of that. Goals: 2,000 a \
         second, 80 %.\n",
        thousands(flooded.reports),
        flooded.reports_per_s,
        flooded.cpu_s_per_1000,
        flooded.alone_per_s,
        flooded.beside_per_s,
        flooded.beside_per_s * 100.0 / flooded.alone_per_s
    );
}

/// "7.1 ×" where ours is more, "1/8.2" where it is less.
fn ratio_cell(ratios: &[f64]) -> String {
    let words = ratios
        .iter()
        .map(|ratio| if *ratio >= 1.0 { format!("{ratio:.1} ×") } else { format!("1/{:.1}", 1.0 / ratio) });
    words.collect::<Vec<_>>().join(", ")
}

/// Least, median, most.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let middle = if sorted.len().is_multiple_of(2) {
        (at(sorted.len().wrapping_sub(1) / 2) + at(sorted.len() / 2)) / 2.0
    } else {
        at(sorted.len() / 2)
    };
    [at(0), middle, at(sorted.len().saturating_sub(1))]
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_spread_and_spelled() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
        assert_eq!(spread(&[4.0, 1.0]), [1.0, 2.5, 4.0]);
        assert_eq!([thousands(999), thousands(50_000), thousands(1_000_000)], ["999", "50,000", "1,000,000"]);
        assert_eq!(ratio_cell(&[8.04, 0.125]), "8.0 ×, 1/8.0");
    }
}
