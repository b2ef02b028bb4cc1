//! `packetboat webhook`.

use super::client::Client;
use anyhow::bail;
use api_types::{
    Done, NewWebhook, Webhook, WebhookAnswer, WebhookChange, WebhookDelivery, WebhookDeliveryDetail, WebhookSecret,
    WebhookType,
};
use clap::Subcommand;
use serde::Serialize;
use std::process::ExitCode;

/// Deliveries shown unless more are asked for; the API gives as many at a time.
const SHOWN: u32 = 50;

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Lists the webhooks and how they fare.
    List,
    /// Makes a webhook and prints its secret, this once.
    Add {
        /// What it is for.
        name: String,
        /// Where requests go.
        url: String,
        /// What it is told of, such as message.bounced; repeat it for several. Without any it is told everything.
        #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
        types: Vec<WebhookType>,
        /// Only what belongs to the campaign of this id.
        #[arg(long)]
        campaign: Option<i64>,
        /// Only messages with this tag.
        #[arg(long)]
        tag: Option<String>,
        /// Only mail of this stream.
        #[arg(long)]
        stream: Option<String>,
    },
    /// Sends a signed request and shows what came back.
    Test {
        /// Its name or id.
        which: String,
    },
    /// Lists what was told, newest first.
    Deliveries {
        /// Its name or id.
        which: String,
        /// Only those that are `waiting`, `retrying` or `failed`.
        #[arg(long)]
        state: Option<String>,
        /// Shows one delivery with what was sent and what came back.
        #[arg(long, value_name = "ID", conflicts_with = "state")]
        show: Option<i64>,
        /// How many at most.
        #[arg(long, default_value_t = SHOWN, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// Sends a delivery once more, at once.
    Retry {
        /// Its webhook's name or id.
        which: String,
        /// The delivery's id.
        delivery: i64,
    },
    /// Tells a webhook nothing any more, until it is enabled again.
    Disable {
        /// Its name or id.
        which: String,
    },
    /// Goes on with a webhook, with what it missed.
    Enable {
        /// Its name or id.
        which: String,
        /// Leaves out what it missed.
        #[arg(long)]
        skip_missed: bool,
    },
    /// Makes a new secret and prints it, this once; for 24 hours the one before signs too.
    Rotate {
        /// Its name or id.
        which: String,
    },
    /// Deletes a webhook with its deliveries.
    Remove {
        /// Its name or id.
        which: String,
    },
}

/// A type by its word.
fn kind(text: &str) -> Result<WebhookType, String> {
    let asked = WebhookType::parse(text).filter(|kind| kind.is_asked_for());
    asked.ok_or_else(|| {
        let all = WebhookType::ALL.iter().filter(|kind| kind.is_asked_for()).map(|kind| kind.as_str());
        format!("there is no such type; types: {}", all.collect::<Vec<_>>().join(", "))
    })
}

pub(crate) async fn run(client: &Client, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    match command {
        WebhookCommand::List => {
            client.list::<Webhook>("/webhooks").await?.iter().for_each(print_row);
        }
        WebhookCommand::Add { name, url, types, campaign, tag, stream } => {
            let new = NewWebhook { name, url, types, campaign_id: campaign, tag, stream };
            print_secret(&client.post("/webhooks", &new).await?);
        }
        WebhookCommand::Test { which } => {
            let answer: WebhookAnswer = client.post(&path(client, &which, "/test").await?, &Nothing {}).await?;
            print_answer(&answer);
            return Ok(if answer.success { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        WebhookCommand::Deliveries { which, show: Some(id), .. } => {
            print_detail(&client.get(&path(client, &which, &format!("/deliveries/{id}")).await?).await?);
        }
        WebhookCommand::Deliveries { which, state, limit, .. } => {
            let state = state.map(|state| format!("&state={state}")).unwrap_or_default();
            let path = path(client, &which, &format!("/deliveries?limit={limit}{state}")).await?;
            let page: api_types::Page<WebhookDelivery> = client.get(&path).await?;
            page.items.iter().for_each(print_delivery);
        }
        WebhookCommand::Retry { which, delivery } => {
            let path = path(client, &which, &format!("/deliveries/{delivery}/retry")).await?;
            print_delivery(&client.post(&path, &Nothing {}).await?);
        }
        WebhookCommand::Disable { which } => switch(client, &which, false, false).await?,
        WebhookCommand::Enable { which, skip_missed } => switch(client, &which, true, skip_missed).await?,
        WebhookCommand::Rotate { which } => {
            print_secret(&client.post(&path(client, &which, "/secret").await?, &Nothing {}).await?);
        }
        WebhookCommand::Remove { which } => {
            let done: Done = client.delete(&path(client, &which, "").await?).await?;
            println!("{}", done.message);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The body of requests that say it all in their path.
#[derive(Serialize)]
struct Nothing {}

async fn path(client: &Client, which: &str, rest: &str) -> anyhow::Result<String> {
    Ok(format!("/webhooks/{}{rest}", find(client, which).await?.id))
}

async fn find(client: &Client, which: &str) -> anyhow::Result<Webhook> {
    let all = client.list::<Webhook>("/webhooks").await?;
    let Some(found) = all.into_iter().find(|row| row.name == which || row.id.to_string() == which) else {
        bail!("there is no webhook {which}; `packetboat webhook list` shows which there are");
    };
    Ok(found)
}

async fn switch(client: &Client, which: &str, enabled: bool, skip_missed: bool) -> anyhow::Result<()> {
    let change = WebhookChange { enabled: Some(enabled), skip_missed, ..WebhookChange::default() };
    print_row(&client.patch(&path(client, which, "").await?, &change).await?);
    Ok(())
}

fn print_secret(made: &WebhookSecret) {
    print_row(&made.webhook);
    println!("Secret: {}", made.secret);
}

fn print_row(row: &Webhook) {
    let health = &row.health;
    let state = match (row.enabled, &row.disabled_why) {
        (false, Some(why)) => format!("disabled: {why}"),
        (false, None) => "disabled".to_owned(),
        (true, _) if health.attempts_failed > 0 => {
            let failure = health.failure.as_deref().unwrap_or_default();
            format!("{} attempts in a row failed, last: {failure}", health.attempts_failed)
        }
        (true, _) => "works".to_owned(),
    };
    let last = health.success_at.as_deref().unwrap_or("never");
    println!("{:<4} {:<24} {}  last success {last}, {} behind, {state}", row.id, row.name, row.url, health.behind);
}

fn print_answer(answer: &WebhookAnswer) {
    let status = answer.status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
    println!("{} ({status}, {} ms)", if answer.success { "Works" } else { "Does not work" }, answer.took_ms);
    if !answer.answer.is_empty() {
        println!("{}", answer.answer);
    }
}

fn print_delivery(row: &WebhookDelivery) {
    let status = row.status.map_or("-".to_owned(), |status| status.to_string());
    let next = row.next_at.as_deref().map(|at| format!(", next {at}")).unwrap_or_default();
    println!(
        "{:<8} {} {:<22} {:<9} {status:>3}  {} attempts{next}",
        row.id,
        row.at,
        row.kind.as_str(),
        row.state.as_str(),
        row.attempts
    );
}

fn print_detail(detail: &WebhookDeliveryDetail) {
    print_delivery(&detail.delivery);
    println!("Sent:   {}", detail.request.as_deref().unwrap_or("(the event is no longer kept)"));
    println!("Answer: {}", detail.answer.as_deref().unwrap_or("(none yet)"));
}
