//! `packetboat hygiene`.

use super::client::Client;
use api_types::{Hygiene, HygieneRan, HygieneSettings};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum HygieneCommand {
    /// Shows the rules, whom each would reach now, and what they did.
    Show,
    /// Changes what is given and leaves the rest.
    Set {
        /// Whether contacts that stay silent get no marketing mail any more.
        #[arg(long, value_enum)]
        sunset: Option<Switch>,
        /// After so many months, 1 to 120.
        #[arg(long)]
        sunset_months: Option<u32>,
        /// Whether contacts that have become silent get a tag.
        #[arg(long, value_enum)]
        reengage: Option<Switch>,
        /// After so many months, 1 to 120.
        #[arg(long)]
        reengage_months: Option<u32>,
        /// The tag.
        #[arg(long)]
        reengage_tag: Option<String>,
    },
    /// Applies the rules that are on, now.
    Run {
        /// Only says whom they would reach.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

pub(crate) async fn run(client: &Client, command: HygieneCommand) -> anyhow::Result<()> {
    match command {
        HygieneCommand::Show => show(&client.get("/hygiene").await?),
        HygieneCommand::Set { sunset, sunset_months, reengage, reengage_months, reengage_tag } => {
            let old: Hygiene = client.get("/hygiene").await?;
            let old = old.settings;
            let is_on = |switch: Option<Switch>, old: bool| switch.map_or(old, |switch| switch == Switch::On);
            let wanted = HygieneSettings {
                sunset: is_on(sunset, old.sunset),
                sunset_months: sunset_months.unwrap_or(old.sunset_months),
                reengage: is_on(reengage, old.reengage),
                reengage_months: reengage_months.unwrap_or(old.reengage_months),
                reengage_tag: reengage_tag.unwrap_or(old.reengage_tag),
            };
            show(&client.put("/hygiene", &wanted).await?);
        }
        HygieneCommand::Run { dry_run: true } => {
            let found: Hygiene = client.get("/hygiene").await?;
            let would = |on: bool, n: u64| if on { n } else { 0 };
            println!(
                "{} contacts would get no marketing mail any more, {} would get the tag {}; nothing was changed.",
                would(found.settings.sunset, found.sunset_would),
                would(found.settings.reengage, found.reengage_would),
                found.settings.reengage_tag
            );
        }
        HygieneCommand::Run { dry_run: false } => {
            let ran: HygieneRan = client.post("/hygiene/run", &()).await?;
            println!("{} contacts get no marketing mail any more, {} got the tag.", ran.sunset, ran.reengage);
        }
    }
    Ok(())
}

fn show(found: &Hygiene) {
    let settings = &found.settings;
    let word = |on: bool| if on { "on" } else { "off" };
    println!(
        "sunset    {:3}  after {} months of mail without a sign of engagement: no marketing mail; {} contacts now, {} are",
        word(settings.sunset),
        settings.sunset_months,
        found.sunset_would,
        found.sunset_now
    );
    println!(
        "reengage  {:3}  after {} months: the tag {}; {} contacts now",
        word(settings.reengage),
        settings.reengage_months,
        settings.reengage_tag,
        found.reengage_would
    );
    for run in &found.runs {
        let ended = if run.finished_at.is_some() { "" } else { ", not ended" };
        println!("  {}  {} by {}: {} contacts{ended}", run.started_at, run.rule, run.started_by, run.changed);
    }
}
