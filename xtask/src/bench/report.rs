//! `docs/performance.md`: the figures of the last run, and what they were measured on.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;

use super::campaign::{Compared, Measured};
use super::scale::Times;
use super::{Bench, machine};
use crate::shell;

/// What was measured so far.
pub struct Report {
    date: String,
    revision: String,
    machine: String,
    /// A campaign against the relay.
    pub campaign: Option<Compared>,
    /// Importing contacts.
    pub import: Option<Times>,
    /// Starting with much history.
    pub startup: Option<Times>,
}

impl Report {
    /// An empty one.
    pub fn new(bench: &Bench<'_>) -> Result<Report> {
        let revision = shell::output(shell::command(bench.root, "git").args(["rev-parse", "--short", "HEAD"]));
        Ok(Report {
            date: shell::output(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?.trim().to_owned(),
            revision: revision.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
            machine: machine::describe(),
            campaign: None,
            import: None,
            startup: None,
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
        if let Some(compared) = &self.campaign {
            campaign(&mut text, compared);
        }
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
        text
    }
}

type Figure = (&'static str, fn(&Measured) -> f64, usize);

const FIGURES: [Figure; 4] = [
    ("messages a second", |run| run.messages_per_s, 0),
    ("CPU seconds per 1,000 messages", |run| run.cpu_s_per_1000, 3),
    ("peak memory (PSS), MiB", |run| run.peak_mib, 0),
    ("bytes written per message", |run| run.written_per_message, 0),
];

fn campaign(text: &mut String, compared: &Compared) {
    let Compared { messages, ours, relay } = compared;
    let size = |runs: &[Measured]| runs.first().map_or(0, |run| run.message_bytes);
    let _ = write!(
        text,
        "\n## A campaign\n\n{} recipients at 1,000 domains, 10 KiB of HTML rendered for each ({} bytes on the wire with \
         the plain text part, encodings, headers and signatures), signed with RSA-2048 and Ed25519, to Debian's \
         `smtp-sink` over at most 20 connections; every outcome on disk, and the mark before each final dot. Beside it Postfix {} \
         with OpenDKIM {}, which relay as many of our own messages (without our signatures; {} bytes at the sink), signed with RSA-2048, \
         from 20 sessions to the same kind of sink over 20 kept connections; each message is on disk before it is \
         accepted. {} counted runs of each in turn, after one of each that does not count; signatures of 1 % of all messages \
         were verified, and every message arrived.\n\n\
         | | Packetboat: min / median / max | Postfix + OpenDKIM: min / median / max | ratio, pair by pair |\n\
         | --- | --- | --- | --- |\n",
        thousands(*messages),
        size(ours),
        machine::version("postfix"),
        machine::version("opendkim"),
        size(relay),
        ours.len(),
    );
    for (name, figure, digits) in FIGURES {
        let values = |runs: &[Measured]| runs.iter().map(figure).collect::<Vec<_>>();
        let cell = |runs: &[Measured]| {
            let [least, middle, most] = spread(&values(runs));
            format!("{least:.digits$} / **{middle:.digits$}** / {most:.digits$}")
        };
        let ratios: Vec<f64> = values(ours).iter().zip(values(relay)).map(|(ours, relay)| ours / relay).collect();
        let _ = writeln!(text, "| {name} | {} | {} | {} |", cell(ours), cell(relay), ratio_cell(&ratios));
    }
    text.push_str(
        "\nGoals of this first form: 7 × the messages a second, 1/8 of the CPU seconds, memory under 150 MiB.\n",
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
