//! `packetboat reputation`.

use super::client::Client;
use api_types::{Reputation, ReputationBy, ReputationLevel};

pub(crate) async fn show(client: &Client, days: u32) -> anyhow::Result<()> {
    let rows: Vec<Reputation> = client.list(&format!("/reputation?days={days}")).await?;
    if rows.is_empty() {
        println!("Nothing was sent in that time.");
    }
    for row in rows {
        let by = match row.by {
            ReputationBy::Workspace => "workspace",
            ReputationBy::Domain => "domain",
            ReputationBy::Source => "source",
            ReputationBy::Provider => "provider",
            ReputationBy::Campaign => "campaign",
        };
        let level = match row.level {
            ReputationLevel::Unsure => "unsure",
            ReputationLevel::Good => "good",
            ReputationLevel::Warning => "warning",
            ReputationLevel::Bad => "bad",
        };
        println!(
            "{level:<8} {by:<9} {:<32} {:>9} sent  {:>7.3} % bounced  {:>7.3} % complained  {}",
            row.name,
            row.sent,
            row.bounced_percent,
            row.complained_percent,
            row.advice.unwrap_or_default()
        );
    }
    Ok(())
}
