//! `packetboat domain` and `packetboat suppressions`.

use super::client::Client;
use anyhow::bail;
use api_types::{
    DomainDetail, Done, NewDomain, NewSuppression, RecordStatus, RemoveSuppression, SendingDomain, Suppression,
    SuppressionReason,
};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum DomainCommand {
    /// Adds a sending domain, makes its signing keys and prints the records to publish.
    Add {
        /// The name.
        domain: String,
    },
    /// Lists the sending domains.
    List,
    /// Looks the records up and prints how each stands.
    Show {
        /// The name.
        domain: String,
    },
}

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

pub(crate) async fn domain(client: &Client, command: DomainCommand) -> anyhow::Result<()> {
    match command {
        DomainCommand::Add { domain } => {
            let detail: DomainDetail = client.post("/domains", &NewDomain { domain }).await?;
            println!("{} was added. Publish these records:", detail.domain.domain);
            print_records(&detail);
        }
        DomainCommand::List => {
            for domain in client.list::<SendingDomain>("/domains").await? {
                let checked = domain.checked_at.as_deref().unwrap_or("never");
                println!(
                    "{:<40} {} of {} records good, looked up {checked}",
                    domain.domain, domain.records_ok, domain.records_total
                );
            }
        }
        DomainCommand::Show { domain } => {
            let wanted = domain.to_lowercase();
            let domains = client.list::<SendingDomain>("/domains").await?;
            let Some(found) = domains.iter().find(|known| known.domain == wanted) else {
                bail!("{domain} is not a sending domain; add it with `packetboat domain add {domain}`");
            };
            let detail: DomainDetail = client.post(&format!("/domains/{}/verify", found.id), &()).await?;
            print_records(&detail);
        }
    }
    Ok(())
}

fn print_records(detail: &DomainDetail) {
    for record in &detail.records {
        let mark = match record.status {
            RecordStatus::Unchecked => "",
            RecordStatus::Found => " [found]",
            RecordStatus::Missing => " [missing]",
            RecordStatus::Differs => " [differs]",
            RecordStatus::Failed => " [look-up failed]",
        };
        let need = if record.required { "" } else { ", recommended" };
        println!("\n{}{need}{mark}", record.purpose);
        println!("  {}  {}  {}", record.name, record.kind, record.wanted);
        if !record.message.is_empty() {
            println!("  {}", record.message);
        }
    }
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
