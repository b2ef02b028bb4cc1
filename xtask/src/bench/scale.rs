//! What grows with the data: importing, and starting.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Bench;
use super::ours::{Daemon, contacts};
use super::sink::Sink;

const CONTACTS: usize = 100_000;
const FINISHED: usize = 1_000_000;
const STARTS: usize = 5;
const SEND_WAIT: Duration = Duration::from_secs(1_800);

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
    let csv = contacts(CONTACTS);
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

/// Sends a campaign that is large enough, then stops and starts.
pub fn startup(bench: &Bench<'_>) -> Result<Times> {
    let folder = bench.fresh("startup")?;
    let mut sink = Sink::start(&folder)?;
    let mut daemon = Daemon::start_for_campaign(bench, &folder, sink.port())?;
    let campaign = daemon.prepare_campaign(FINISHED)?;
    eprintln!("sending to {FINISHED} recipients, so that there is something to start with");
    daemon.launch(&campaign)?;
    sink.wait_for(FINISHED, SEND_WAIT, || daemon.must_run())?;
    daemon.wait_until_finished(&campaign, FINISHED, SEND_WAIT)?;
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
