//! `packetboat campaign`.

use super::client::Client;
use super::trace;
use api_types::{Campaign, CampaignInput, CampaignState, CheckLevel, Checklist, Progress, ResponseShare};
use clap::Subcommand;
use std::time::Duration;

const FOLLOW_EVERY: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub(crate) enum CampaignCommand {
    /// Lists the campaigns.
    List,
    /// Shows one campaign with its checklist or its figures.
    Show {
        /// Number of the campaign.
        id: i64,
    },
    /// Chooses the stream of a draft.
    Stream {
        /// Number of the campaign.
        id: i64,
        /// Name of the stream.
        stream: String,
    },
    /// Lists a campaign's recipients: all, or those in a state, of a class, or who did something with the mail.
    Recipients(trace::CampaignRecipients),
    /// Launches a draft. It begins to send at once.
    Launch {
        /// Number of the campaign.
        id: i64,
    },
    /// Stops sending until it is resumed.
    Pause {
        /// Number of the campaign.
        id: i64,
    },
    /// Goes on sending.
    Resume {
        /// Number of the campaign.
        id: i64,
    },
    /// Stops sending for good.
    Cancel {
        /// Number of the campaign.
        id: i64,
    },
    /// Prints how far a campaign is.
    Progress {
        /// Number of the campaign.
        id: i64,
        /// Prints again every second until it is finished.
        #[arg(long)]
        follow: bool,
    },
}

pub(crate) async fn run(client: &Client, command: CampaignCommand) -> anyhow::Result<()> {
    match command {
        CampaignCommand::List => {
            for campaign in client.list::<Campaign>("/campaigns").await? {
                println!("{:>4}  {:<9} {}", campaign.id, state_word(campaign.state), campaign.name);
            }
        }
        CampaignCommand::Recipients(which) => trace::of_campaign(client, which).await?,
        CampaignCommand::Show { id } => show(client, id).await?,
        CampaignCommand::Stream { id, stream } => choose_stream(client, id, stream).await?,
        CampaignCommand::Launch { id } => {
            act(client, id, "launch").await?;
            if !client.daemon_runs() {
                println!("No daemon is running: sending begins when it starts.");
            }
        }
        CampaignCommand::Pause { id } => act(client, id, "pause").await?,
        CampaignCommand::Resume { id } => act(client, id, "resume").await?,
        CampaignCommand::Cancel { id } => act(client, id, "cancel").await?,
        CampaignCommand::Progress { id, follow } => loop {
            let progress: Progress = client.get(&format!("/campaigns/{id}/progress")).await?;
            println!("{}", line(&progress));
            println!("  {}", responses(&progress));
            let ended = !matches!(progress.state, Some(CampaignState::Running | CampaignState::Paused));
            if !follow || ended {
                break;
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        },
    }
    Ok(())
}

async fn act(client: &Client, id: i64, action: &str) -> anyhow::Result<()> {
    let campaign: Campaign = client.post(&format!("/campaigns/{id}/{action}"), &()).await?;
    println!("{} is {}.", campaign.name, state_word(campaign.state));
    Ok(())
}

async fn choose_stream(client: &Client, id: i64, stream: String) -> anyhow::Result<()> {
    let path = format!("/campaigns/{id}");
    let draft: Campaign = client.get(&path).await?;
    let input = CampaignInput {
        name: draft.name,
        template_id: draft.template_id,
        segment_id: draft.segment_id,
        list_id: draft.list_id,
        from_email: draft.from_email,
        from_name: draft.from_name,
        reply_to: draft.reply_to,
        stream,
        pool: draft.pool,
    };
    let saved: Campaign = client.put(&path, &input).await?;
    println!("{} belongs to the stream {}.", saved.name, saved.stream);
    Ok(())
}

async fn show(client: &Client, id: i64) -> anyhow::Result<()> {
    let campaign: Campaign = client.get(&format!("/campaigns/{id}")).await?;
    println!("{} ({})", campaign.name, state_word(campaign.state));
    if !campaign.state_reason.is_empty() {
        println!("  {}", campaign.state_reason);
    }
    println!("  from      {} <{}>", campaign.from_name, campaign.from_email);
    println!("  template  {}", campaign.template.as_deref().unwrap_or("none yet"));
    println!("  stream    {}", campaign.stream);
    println!("  audience  {}", campaign.segment.as_deref().unwrap_or("everybody"));
    match &campaign.progress {
        Some(progress) => println!("  {}\n  {}", line(progress), responses(progress)),
        None => {
            let list: Checklist = client.get(&format!("/campaigns/{id}/check")).await?;
            for point in list.points.iter().filter(|point| point.level != CheckLevel::Ok) {
                let mark = if point.level == CheckLevel::Fatal { "must be mended" } else { "doubtful" };
                println!("  {mark}: {}: {}", point.name, point.message);
            }
            println!("  {} would receive it, {} are suppressed", list.receiving, list.suppressed);
        }
    }
    Ok(())
}

/// What the recipients did, each with its share of those delivered.
fn responses(progress: &Progress) -> String {
    let one = |share: &ResponseShare| format!("{} {} ({:.2} %)", share.count, share.response, share.percent);
    progress.responses.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn line(progress: &Progress) -> String {
    let waiting = progress.queued + progress.deferred + progress.sending;
    format!(
        "{} of {}{}: {} delivered, {} bounced, {} waiting ({} deferred), {} expired, {} suppressed, {} cancelled, \
         {} unknown; {:.0}/s",
        progress.accepted - waiting.min(progress.accepted),
        progress.accepted,
        if progress.audience_complete { "" } else { " and counting" },
        progress.delivered,
        progress.bounced,
        waiting,
        progress.deferred,
        progress.expired,
        progress.suppressed,
        progress.cancelled,
        progress.unknown,
        progress.rate_now,
    )
}

fn state_word(state: CampaignState) -> &'static str {
    match state {
        CampaignState::Draft => "draft",
        CampaignState::Running => "running",
        CampaignState::Paused => "paused",
        CampaignState::Cancelled => "cancelled",
        CampaignState::Finished => "finished",
    }
}
