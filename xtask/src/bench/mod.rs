//! `cargo xtask bench`: what the release build does on this machine, and beside it Postfix with OpenDKIM.
//!
//! Strategies: both sides alternate, so that what else the machine does falls on both; a first run of each is not
//! counted; ratios are taken pair by pair; cost is taken from `/proc`; a run whose signatures do not hold, or that lost
//! a message, does not count, and the benchmark fails.

mod compare;
mod flood;
mod machine;
mod ours;
mod postfix;
mod process;
mod report;
mod scale;
mod sides;
mod sink;
mod waiting;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::build;
use crate::setup::{Purpose, setup};

/// What to measure, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// One measurement; without it all of them, and docs/performance.md is written
    #[arg(value_enum)]
    what: Option<What>,
    /// Messages of a run
    #[arg(long, default_value_t = 50_000)]
    messages: usize,
    /// Counted runs of each side, after one that is not
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Where queues and databases lie; must be on a disk, and open to every user
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
    /// The main ratios in less than ten minutes: one round of fewer messages
    #[arg(long)]
    quick: bool,
    /// Writes ratios and runs to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Takes the release build as it is
    #[arg(long)]
    no_build: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// A campaign, against Postfix with OpenDKIM and against a client that only signs and sends
    Campaign,
    /// Relaying: SMTP in, signed, SMTP out, against the same
    Relay,
    /// Accepting alone, against the same
    Accept,
    /// Importing 100,000 contacts
    Import,
    /// Starting with 1,000,000 finished recipients
    Startup,
    /// Sending with 1,000,000 and 10,000,000 waiting
    Queue,
    /// Sending to 10,000 domains at once
    Wide,
    /// Taking 100,000 reports, alone and beside a campaign
    Flood,
}

/// A way of mail through the daemon that a peer has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Campaign,
    Relay,
    Accept,
}

/// Messages of a run of `--quick`.
const QUICK_MESSAGES: usize = 10_000;

/// Measures.
pub fn bench(root: &std::path::Path, options: &Options) -> Result<()> {
    setup(Purpose::Bench)?;
    let mut options = options.clone();
    if options.quick {
        (options.messages, options.runs) = (QUICK_MESSAGES, 1);
    }
    let folder = Folder::make(&options.folder)?;
    let daemon = build::release_folder(root).join("packetboat");
    let bench = Bench { root, daemon, folder: folder.0.clone(), options: &options };
    if !options.no_build {
        build::daemon_with_console(root)?;
        build::release_example(root, "mta", "bare_client")?;
    }
    let wanted = |what| options.what.is_none_or(|only| only == what);
    let mut report = report::Report::new(&bench)?;
    if wanted(What::Import) && !options.quick {
        report.import = Some(scale::import(&bench)?);
    }
    if wanted(What::Startup) && !options.quick {
        report.startup = Some(scale::startup(&bench)?);
    }
    if wanted(What::Queue) && !options.quick {
        report.queues = waiting::queues(&bench)?;
    }
    if wanted(What::Wide) && !options.quick {
        report.wide = Some(waiting::wide(&bench)?);
    }
    if wanted(What::Flood) && !options.quick {
        report.flooded = Some(flood::flood(&bench)?);
    }
    let path = |path| {
        wanted(match path {
            Path::Campaign => What::Campaign,
            Path::Relay => What::Relay,
            Path::Accept => What::Accept,
        })
    };
    if [Path::Campaign, Path::Relay, Path::Accept].into_iter().any(path) {
        report.compared = compare::compare(&bench, path, !options.quick)?;
    }
    println!("\n{}", report.text());
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if options.what.is_none() && !options.quick {
        let file = root.join("docs/performance.md");
        report.write_into(&file)?;
        println!("Written to {}.", file.display());
    }
    Ok(())
}

/// What every measurement needs.
struct Bench<'a> {
    root: &'a std::path::Path,
    daemon: PathBuf,
    folder: PathBuf,
    options: &'a Options,
}

impl Bench<'_> {
    /// The simulated internet's program, for its DNS and its verifier.
    fn sandbox(&self) -> PathBuf {
        build::release_folder(self.root).join("packetboat-sandbox")
    }

    /// An empty folder for one run.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// A folder of ours that goes with the benchmark.
struct Folder(PathBuf);

impl Folder {
    fn make(place: &std::path::Path) -> Result<Folder> {
        let folder = place.join(format!("packetboat-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left can be removed by hand; its name says whose it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
