//! What grows with the data: importing, and starting.

use std::time::{Duration, Instant};

use anyhow::Result;
use config::Signatures;

use super::Bench;
use super::ours::{Daemon, contacts};
use super::sink::{self, Sink};

const CONTACTS: usize = 100_000;
const FINISHED: usize = 1_000_000;
const STARTS: usize = 5;
const CANCEL_WAIT: Duration = Duration::from_secs(600);

/// Times of something done several times.
#[derive(Clone, Debug)]
pub struct Times {
    /// How many things.
    pub things: usize,
    /// Seconds, in the order that they were taken in.
    pub seconds: Vec<f64>,
}

/// Imports into an empty database, each time anew.
pub fn import(bench: &Bench<'_>) -> Result<Times> {
    let csv = contacts(CONTACTS, sink::domain);
    let mut seconds = Vec::new();
    for run in 0..=bench.options.runs {
        let folder = bench.fresh("import")?;
        let daemon = Daemon::start(bench, &folder, "")?;
        let took = daemon.import(&csv, CONTACTS)?;
        eprintln!("import of {CONTACTS} contacts: {:.2} s", took.as_secs_f64());
        if run > 0 {
            seconds.push(took.as_secs_f64());
        }
    }
    Ok(Times { things: CONTACTS, seconds })
}

/// Gives a campaign that is large enough its end, most of it by cancelling, since sending would take ten minutes; then
/// stops and starts. A finished recipient is the same row, however it ended.
pub fn startup(bench: &Bench<'_>) -> Result<Times> {
    let folder = bench.fresh("startup")?;
    let sink = Sink::start(&folder)?;
    let mut daemon = Daemon::start_for_campaign(bench, &folder, sink.port(), Signatures::All)?;
    let campaign = daemon.prepare_campaign(FINISHED)?;
    eprintln!("launching and cancelling a campaign to {FINISHED} recipients, so that there is something to start with");
    daemon.launch(&campaign)?;
    daemon.cancel_when_queued(&campaign, FINISHED, CANCEL_WAIT)?;
    let mut seconds = Vec::new();
    for _ in 0..STARTS {
        let folder = daemon.stop();
        let begun = Instant::now();
        daemon = Daemon::start(bench, &folder, "")?;
        let took = begun.elapsed();
        eprintln!("ready with {FINISHED} finished recipients: {:.3} s", took.as_secs_f64());
        seconds.push(took.as_secs_f64());
    }
    Ok(Times { things: FINISHED, seconds })
}
