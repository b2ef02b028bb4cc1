//! `packetboat suppressions`.

use super::client::Client;
use anyhow::bail;
use api_types::{Done, NewSuppression, RemoveSuppression, Suppression, SuppressionReason};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum SuppressionCommand {
    /// Puts an address on the list: nothing is sent to it any more.
    Add {
        /// The address.
        address: String,
        /// Why.
        #[arg(long, default_value = "")]
        note: String,
    },
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
        SuppressionCommand::Add { address, note } => {
            let _: Suppression = client.post("/suppressions", &NewSuppression { address, note }).await?;
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
                println!("{address:<40} {:<12} {}  {}", reason_word(row.reason), row.created_at, row.origin);
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
        SuppressionReason::Complaint => "complaint",
        SuppressionReason::Unsubscribe => "unsubscribe",
        SuppressionReason::Manual => "manual",
        SuppressionReason::Import => "import",
    }
}
