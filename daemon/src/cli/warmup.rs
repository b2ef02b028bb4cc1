//! `packetboat warmup`.

use super::client::Client;
use crate::warmup::spoken;
use anyhow::bail;
use api_types::{
    Done, NewWarmupDomain, SetWarmupStage, WarmupAxis, WarmupDomain, WarmupForecast, WarmupLine, WarmupPlan,
    WarmupState,
};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum WarmupCommand {
    /// Lists how far each source and each new sending domain is at each provider.
    List {
        /// Only this source or sending domain.
        subject: Option<String>,
    },
    /// Lists the plans.
    Plans,
    /// Keeps a source or domain at its stage at a provider.
    Pause {
        #[command(flatten)]
        which: Which,
    },
    /// Lets it climb again.
    Resume {
        #[command(flatten)]
        which: Which,
    },
    /// Puts it at another stage, from now on.
    SetStage {
        #[command(flatten)]
        which: Which,
        /// From 1, or "done": warm, nothing is limited any more.
        stage: String,
    },
    /// Says when the queue, or a campaign, will have left, if every day goes well.
    Forecast {
        /// Only this campaign: its id.
        #[arg(long)]
        campaign: Option<i64>,
    },
    /// Has a sending domain earn its volume by a plan, over all sources.
    BeginDomain {
        /// The sending domain.
        domain: String,
        /// The plan.
        #[arg(default_value = "standard")]
        plan: String,
    },
    /// Ends a sending domain's warm-up.
    EndDomain {
        /// The sending domain.
        domain: String,
    },
}

/// A source or sending domain at a provider.
#[derive(Args)]
pub(crate) struct Which {
    /// The source's name, or the sending domain.
    subject: String,
    /// The provider, as `warmup list` names it.
    provider: String,
}

pub(crate) async fn run(client: &Client, command: WarmupCommand) -> anyhow::Result<()> {
    match command {
        WarmupCommand::List { subject } => {
            let lines = client.list::<WarmupLine>(&of(subject.as_deref().unwrap_or(""))).await?;
            if lines.is_empty() {
                println!("Nothing was sent under a warm-up yet.");
            }
            lines.iter().for_each(|line| println!("{}", told(line)));
        }
        WarmupCommand::Plans => {
            for plan in client.get::<Vec<WarmupPlan>>("/warmup/plans").await? {
                let stages: Vec<String> = plan.stages.iter().map(u64::to_string).collect();
                println!("{}: {}", plan.name, stages.join(" "));
            }
        }
        WarmupCommand::Pause { which } => act(client, &which, "pause").await?,
        WarmupCommand::Resume { which } => act(client, &which, "resume").await?,
        WarmupCommand::SetStage { which, stage } => {
            let line = find(client, &which).await?;
            let stage = match stage.parse() {
                Ok(stage) => stage,
                Err(_) if stage == "done" => line.stages + 1,
                Err(_) => bail!("the stage must be a number from 1 to {}, or \"done\"", line.stages),
            };
            let changed: WarmupLine =
                client.post(&format!("/warmup/{}/stage", line.id), &SetWarmupStage { stage }).await?;
            println!("{}", told(&changed));
        }
        WarmupCommand::Forecast { campaign } => {
            let query = campaign.map(|id| format!("?campaign_id={id}")).unwrap_or_default();
            print_forecast(&client.get(&format!("/warmup/forecast{query}")).await?);
        }
        WarmupCommand::BeginDomain { domain, plan } => {
            let begun: WarmupDomain = client.post("/warmup/domains", &NewWarmupDomain { domain, plan }).await?;
            println!("{} follows the plan {} at each provider.", begun.domain, begun.plan);
        }
        WarmupCommand::EndDomain { domain } => {
            let known: Vec<WarmupDomain> = client.get("/warmup/domains").await?;
            let Some(found) = known.iter().find(|known| known.domain == domain.to_lowercase()) else {
                bail!("{domain} does not warm up; `packetboat warmup list` shows what does");
            };
            let done: Done = client.delete(&format!("/warmup/domains/{}", found.id)).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

async fn act(client: &Client, which: &Which, verb: &str) -> anyhow::Result<()> {
    let line = find(client, which).await?;
    let changed: WarmupLine = client.post(&format!("/warmup/{}/{verb}", line.id), &()).await?;
    println!("{}", told(&changed));
    Ok(())
}

async fn find(client: &Client, which: &Which) -> anyhow::Result<WarmupLine> {
    let lines = client.list::<WarmupLine>(&of(&which.subject)).await?;
    let is = |line: &WarmupLine| line.provider.eq_ignore_ascii_case(&which.provider);
    match lines.into_iter().find(is) {
        Some(line) => Ok(line),
        None => bail!(
            "nothing was sent from {} to {} under a warm-up yet; `packetboat warmup list` shows what was",
            which.subject,
            which.provider
        ),
    }
}

/// The path of a source's or sending domain's lines.
fn of(subject: &str) -> String {
    let subject: String = subject.bytes().map(|b| format!("%{b:02X}")).collect();
    format!("/warmup?subject={subject}")
}

fn told(line: &WarmupLine) -> String {
    let what = match line.axis {
        WarmupAxis::Source => "source",
        WarmupAxis::Domain => "domain",
    };
    let stage = match line.state {
        WarmupState::Done => "warm".to_owned(),
        WarmupState::Paused => format!("stage {} of {}, paused", line.stage, line.stages),
        WarmupState::Running => format!("stage {} of {}", line.stage, line.stages),
    };
    let allowed = line.allowed.map_or_else(|| "any number".to_owned(), |allowed| allowed.to_string());
    format!(
        "{what} {:<24} {:<24} {stage:<22} today {} of {allowed}, {} delivered, {} deferred, {} blocked  {}",
        line.subject, line.provider, line.sent, line.delivered, line.deferred, line.blocked, line.note
    )
}

fn print_forecast(forecast: &WarmupForecast) {
    for at in &forecast.providers {
        let limit = match (at.allowed_today, &at.finishes_at) {
            (None, _) => "not limited".to_owned(),
            (Some(allowed), Some(end)) => format!("{allowed} today, finishes about {} (UTC)", spoken(end)),
            (Some(allowed), None) => format!("{allowed} today, not finished within a year"),
        };
        println!("{:<24} pool {:<16} {:>10} waiting  {limit}", at.provider, at.pool, at.waiting);
    }
    if forecast.others > 0 {
        println!("{} more at other domains, with few each", forecast.others);
    }
}
