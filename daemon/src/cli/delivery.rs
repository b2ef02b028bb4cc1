//! `packetboat suppressions`.

use super::client::Client;
use anyhow::bail;
use api_types::{
    Done, NewSuppression, RemoveSuppression, Suppression, SuppressionCovers, SuppressionReason, SuppressionsImported,
};
use clap::Subcommand;
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
    /// Suppresses the addresses of a CSV file. Columns: address; reason, covers, note, expires_at where they are there.
    Import {
        /// The file.
        file: PathBuf,
        /// For every workspace of the installation.
        #[arg(long)]
        global: bool,
    },
    /// Prints the whole list as CSV.
    Export,
    /// Takes an address off the list.
    Remove {
        /// The address.
        address: String,
        /// Why; kept with the event.
        #[arg(long)]
        reason: String,
    },
    /// Lists addresses.
    List {
        /// Only addresses that begin with this.
        #[arg(default_value = "")]
        q: String,
    },
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
        SuppressionCommand::Export => print!("{}", client.text("/suppressions/export").await?),
        SuppressionCommand::Add { address, note, marketing, global, until } => {
            let covers = if marketing { SuppressionCovers::Marketing } else { SuppressionCovers::All };
            let new = NewSuppression { address, note, covers, global, expires_at: until };
            let _: Suppression = client.post("/suppressions", &new).await?;
            println!("Nothing is sent to it any more.");
        }
        SuppressionCommand::Remove { address, reason } => {
            let found = find(client, &address).await?;
            let Some(found) = found.into_iter().find(|row| row.address.as_deref() == Some(&address.to_lowercase()))
            else {
                bail!("{address} is not on the suppression list");
            };
            let done: Done =
                client.post(&format!("/suppressions/{}/remove", found.id), &RemoveSuppression { reason }).await?;
            println!("{}", done.message);
        }
        SuppressionCommand::List { q } => {
            for row in find(client, &q).await? {
                let address = row.address.as_deref().unwrap_or("(only its hash is kept)");
                let covers = if row.covers == SuppressionCovers::Marketing { "marketing" } else { "all" };
                let whose = if row.global { "global" } else { "" };
                println!(
                    "{address:<40} {:<12} {covers:<9} {whose:<6} {}  {}",
                    reason_word(row.reason),
                    row.created_at,
                    row.origin
                );
            }
        }
    }
    Ok(())
}

async fn find(client: &Client, q: &str) -> anyhow::Result<Vec<Suppression>> {
    let q: String = q.bytes().map(|b| format!("%{b:02X}")).collect();
    client.list(&format!("/suppressions?q={q}")).await
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
