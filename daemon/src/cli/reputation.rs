//! `packetboat reputation`.

use super::client::Client;
use api_types::{Reputation, ReputationBy, ReputationLevel, ReputationLimits};

pub(crate) async fn show(client: &Client, days: u32) -> anyhow::Result<()> {
    let rows: Vec<Reputation> = client.list(&format!("/reputation?days={days}")).await?;
    let limits: ReputationLimits = client.get("/reputation/limits").await?;
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
        if let Some(action) = row.action {
            println!("         {} {} ({})", action.rule, action.effect, action.reply);
            println!("         until {}; ends with `packetboat automation lift {}`", action.until, action.id);
        }
    }
    show_limits(&limits);
    Ok(())
}

fn show_limits(limits: &ReputationLimits) {
    if !limits.acts {
        println!("\nNothing is done about it by itself: [reputation] acts is off.");
        return;
    }
    println!("\nWhat is done by itself about bulk mail:");
    for step in &limits.steps {
        let share = |percent: Option<f64>| percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"));
        println!(
            "{:<8} from {:>5} bounced, {:>5} complained of {} in {} d: {}",
            step.step,
            share(step.bounce_percent),
            share(step.complaint_percent),
            step.minimum,
            step.days,
            step.effect
        );
    }
}
