//! `packetboat source`.

use super::client::Client;
use api_types::{Source, SourceDetail, SourceLevel};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum SourceCommand {
    /// Lists the sources and how each stands.
    List,
    /// Prints what was found at the last look at a source, and what happened to it.
    Show {
        /// Name of the source.
        name: String,
    },
    /// Looks at a source now: its address, its names, blocklists, port 25.
    Check {
        /// Name of the source; all of them when absent.
        name: Option<String>,
    },
}

pub(crate) async fn run(client: &Client, command: SourceCommand) -> anyhow::Result<()> {
    match command {
        SourceCommand::List => {
            for source in client.list::<Source>("/sources").await? {
                let address = source.ip.as_deref().unwrap_or("the system's choice");
                let checked = source.checked_at.as_deref().unwrap_or("never");
                println!("{:<20} {address:<24} {:<15} looked at {checked}", source.name, state(&source));
            }
        }
        SourceCommand::Show { name } => {
            let detail: SourceDetail = client.get(&format!("/sources/{name}")).await?;
            print_source(&detail.source);
            for event in &detail.events {
                println!("  {}  {:<12} {}", event.at, event.kind, event.text);
            }
        }
        SourceCommand::Check { name } => {
            let names = match name {
                Some(name) => vec![name],
                None => client.list::<Source>("/sources").await?.into_iter().map(|source| source.name).collect(),
            };
            for name in names {
                let detail: SourceDetail = client.post(&format!("/sources/{name}/check"), &()).await?;
                print_source(&detail.source);
            }
        }
    }
    Ok(())
}

fn state(source: &Source) -> &'static str {
    match (source.enabled, &source.out) {
        (false, _) => "switched off",
        (true, Some(_)) => "OUT",
        (true, None) => level(source.level),
    }
}

fn level(level: SourceLevel) -> &'static str {
    match level {
        SourceLevel::Off => "not looked at",
        SourceLevel::Good => "good",
        SourceLevel::Unsure => "unsure",
        SourceLevel::Warning => "doubtful",
        SourceLevel::Bad => "BAD",
    }
}

fn print_source(source: &Source) {
    println!("{} ({}), EHLO {}", source.name, state(source), source.ehlo);
    if let Some(why) = &source.out {
        println!("  nothing leaves from it: {why}");
    }
    if let Some(rate) = &source.max_rate {
        println!("  at most {rate}");
    }
    for check in &source.checks {
        println!("  {:<13} {:<10} {}", level(check.level), check.subject, check.found);
        if !check.advice.is_empty() {
            println!("  {:24} {}", "", check.advice);
        }
    }
}
