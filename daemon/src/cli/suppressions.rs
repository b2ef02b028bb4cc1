//! `packetboat suppressions`.

use super::client::Client;
use super::shaping::encoded;
use anyhow::bail;
use api_types::{
    Done, NewSuppression, RemoveSuppression, Suppression, SuppressionAction, SuppressionChange, SuppressionCovers,
    SuppressionReason, SuppressionsImported,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum SuppressionCommand {
    /// Puts an address on the list: nothing is sent to it any more.
    Add {
        /// The address.
        address: String,
        /// Why.
        #[arg(long, default_value = "")]
        note: String,
        /// Only campaigns and other bulk mail are not sent; single mail still goes.
        #[arg(long)]
        marketing: bool,
        /// For every workspace of the installation.
        #[arg(long)]
        global: bool,
        /// Until when, such as 2027-01-31T12:00:00Z; for ever without it.
        #[arg(long)]
        until: Option<String>,
    },
    /// Suppresses the addresses of a CSV file. Columns: address, or address_hash (SHA-256 of the address in lower case);
    /// reason, covers, note, expires_at where they are there.
    Import {
        /// The file.
        file: PathBuf,
        /// For every workspace of the installation.
        #[arg(long)]
        global: bool,
    },
    /// Prints the list as CSV, or what of it is asked for.
    Export(Narrowing),
    /// Takes an address off the list, whatever put it there.
    Remove {
        /// The address.
        address: String,
        /// Why; kept in the history.
        #[arg(long)]
        reason: String,
        /// Off the list of the installation instead of the workspace's own.
        #[arg(long)]
        global: bool,
    },
    /// Lists addresses, newest first.
    List(Narrowing),
    /// Who was put on the lists and taken off them, when, why and by whom, newest first.
    History {
        /// Only of this address.
        address: Option<String>,
    },
}

/// Which entries are meant.
#[derive(Args)]
pub(crate) struct Narrowing {
    /// Only addresses that contain this; a whole address is found also where only its hash is kept.
    #[arg(default_value = "")]
    q: String,
    /// Only this reason, such as hard_bounce or complaint.
    #[arg(long, default_value = "")]
    reason: String,
    /// Only what covers this: all or marketing.
    #[arg(long, default_value = "")]
    covers: String,
    /// Only what holds for the whole installation.
    #[arg(long, conflicts_with = "own")]
    global: bool,
    /// Only what holds for the workspace alone.
    #[arg(long)]
    own: bool,
    /// Only what has ended.
    #[arg(long, conflicts_with = "in_force")]
    ended: bool,
    /// Only what has not.
    #[arg(long)]
    in_force: bool,
}

impl Narrowing {
    fn path(&self, of: &str) -> String {
        let mut path = format!("{of}?q={}", encoded(&self.q));
        for (name, word) in [("reason", &self.reason), ("covers", &self.covers)] {
            path.push_str(&format!("&{name}={}", encoded(word)));
        }
        for (name, yes, no) in [("global", self.global, self.own), ("ended", self.ended, self.in_force)] {
            if yes || no {
                path.push_str(&format!("&{name}={yes}"));
            }
        }
        path
    }
}

pub(crate) async fn suppression(client: &Client, command: SuppressionCommand) -> anyhow::Result<()> {
    match command {
        SuppressionCommand::Import { file, global } => {
            let told: SuppressionsImported =
                client.upload(&format!("/suppressions/import?global={global}"), &file).await?;
            println!(
                "{} rows: {} added, {} stood there already, {} refused.",
                told.rows, told.added, told.known, told.failed
            );
            for error in told.errors {
                println!("line {}, {}: {:?} {}", error.line, error.column, error.value, error.reason);
            }
        }
        SuppressionCommand::Export(narrowing) => {
            print!("{}", client.text(&narrowing.path("/suppressions/export")).await?);
        }
        SuppressionCommand::Add { address, note, marketing, global, until } => {
            let covers = if marketing { SuppressionCovers::Marketing } else { SuppressionCovers::All };
            let new = NewSuppression { address, note, covers, global, expires_at: until };
            let made: Suppression = client.post("/suppressions", &new).await?;
            let until = made.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
            let what = if marketing { "No campaign" } else { "Nothing" };
            println!("{what} is sent to it any more{until}.");
        }
        SuppressionCommand::Remove { address, reason, global } => remove(client, &address, reason, global).await?,
        SuppressionCommand::List(narrowing) => {
            for row in client.list::<Suppression>(&narrowing.path("/suppressions")).await? {
                println!("{}", line(&row));
            }
        }
        SuppressionCommand::History { address } => {
            let path = format!("/suppressions/history?address={}", encoded(address.as_deref().unwrap_or_default()));
            for change in client.list::<SuppressionChange>(&path).await? {
                println!("{}", change_line(&change));
            }
        }
    }
    Ok(())
}

/// All entries of the address on the one list or the other.
async fn remove(client: &Client, address: &str, reason: String, global: bool) -> anyhow::Result<()> {
    let found: Vec<Suppression> = client.list(&format!("/suppressions?global={global}&q={}", encoded(address))).await?;
    // An address that contains this one is another; an entry without its address was found by the hash.
    let is_it = |row: &Suppression| row.address.as_deref().is_none_or(|found| same(found, address));
    let entries: Vec<Suppression> = found.into_iter().filter(is_it).collect();
    if entries.is_empty() {
        let list = if global { "the installation's list" } else { "the workspace's list" };
        bail!("{address} is not on {list}");
    }
    for entry in entries {
        let body = RemoveSuppression { reason: reason.clone() };
        let _: Done = client.post(&format!("/suppressions/{}/remove", entry.id), &body).await?;
        println!("Removed: {}", line(&entry));
    }
    Ok(())
}

fn same(found: &str, address: &str) -> bool {
    mail::Address::parse(address).is_ok_and(|address| address.normalized() == found)
}

pub(super) fn line(row: &Suppression) -> String {
    let address = row.address.as_deref().unwrap_or("(only its hash is kept)");
    let whose = if row.global { "global" } else { "" };
    let end = match (&row.expires_at, row.ended) {
        (Some(at), true) => format!(" (ended {at})"),
        (Some(at), false) => format!(" (until {at})"),
        (None, _) => String::new(),
    };
    let (reason, covers) = (reason_word(row.reason), covers_word(row.covers));
    format!("{address:<40} {reason:<13} {covers:<9} {whose:<6} {}{end}  {}", row.created_at, row.origin)
}

fn change_line(change: &SuppressionChange) -> String {
    let address = change.address.as_deref().unwrap_or(&change.masked);
    let action = match change.action {
        SuppressionAction::Added => "added",
        SuppressionAction::Removed => "removed",
    };
    let whose = if change.global { "global" } else { "" };
    let by = change.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let (reason, covers) = (reason_word(change.reason), covers_word(change.covers));
    format!("{} {action:<7} {address:<40} {reason:<13} {covers:<9} {whose:<6}{by}: {}", change.at, change.words)
}

fn covers_word(covers: SuppressionCovers) -> &'static str {
    match covers {
        SuppressionCovers::Marketing => "marketing",
        SuppressionCovers::All => "all",
    }
}

fn reason_word(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::HardBounce => "hard bounce",
        SuppressionReason::SoftBounces => "soft bounces",
        SuppressionReason::Complaint => "complaint",
        SuppressionReason::Unsubscribe => "unsubscribe",
        SuppressionReason::Paused => "paused",
        SuppressionReason::Sunset => "sunset",
        SuppressionReason::Manual => "manual",
        SuppressionReason::Import => "import",
    }
}
