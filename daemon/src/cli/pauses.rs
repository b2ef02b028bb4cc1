//! `packetboat pause` and `packetboat resume`.

use super::client::Client;
use anyhow::bail;
use api_types::{Done, NewPause, Pause, PauseScope};
use clap::{Args, Subcommand};

/// What can be paused.
#[derive(Subcommand)]
pub(crate) enum Target {
    /// All mail of the installation.
    Everything,
    /// All mail of the workspace.
    Workspace,
    /// A campaign.
    Campaign {
        /// Number of the campaign.
        id: i64,
    },
    /// Mail to a recipient domain.
    Domain {
        /// The domain.
        name: String,
    },
    /// Mail from a source; the others of its pool take over.
    Source {
        /// Name of the source.
        name: String,
    },
    /// Mail to a provider, from all sources.
    Provider {
        /// Name of the provider, as the queue shows it.
        name: String,
    },
}

impl Target {
    fn parts(self) -> (PauseScope, String) {
        match self {
            Target::Everything => (PauseScope::Everything, String::new()),
            Target::Workspace => (PauseScope::Workspace, String::new()),
            Target::Campaign { id } => (PauseScope::Campaign, id.to_string()),
            Target::Domain { name } => (PauseScope::Domain, name.to_lowercase()),
            Target::Source { name } => (PauseScope::Source, name),
            Target::Provider { name } => (PauseScope::Provider, name),
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum PauseCommand {
    /// Prints what is paused.
    List,
    /// Pauses all mail of the installation.
    Everything(Reason),
    /// Pauses all mail of the workspace.
    Workspace(Reason),
    /// Pauses a campaign.
    Campaign {
        /// Number of the campaign.
        id: i64,
    },
    /// Pauses mail to a recipient domain.
    Domain {
        /// The domain.
        name: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Pauses a source; the others of its pool take over.
    Source {
        /// Name of the source.
        name: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Pauses mail to a provider, from all sources.
    Provider {
        /// Name of the provider, as the queue shows it.
        name: String,
        #[command(flatten)]
        reason: Reason,
    },
}

#[derive(Args)]
pub(crate) struct Reason {
    /// Why; shown to whoever wonders.
    #[arg(long = "why", default_value = "")]
    text: String,
}

pub(crate) async fn pause(client: &Client, command: PauseCommand) -> anyhow::Result<()> {
    let (target, reason) = match command {
        PauseCommand::List => return list_pauses(client).await,
        PauseCommand::Everything(reason) => (Target::Everything, reason.text),
        PauseCommand::Workspace(reason) => (Target::Workspace, reason.text),
        PauseCommand::Campaign { id } => (Target::Campaign { id }, String::new()),
        PauseCommand::Domain { name, reason } => (Target::Domain { name }, reason.text),
        PauseCommand::Source { name, reason } => (Target::Source { name }, reason.text),
        PauseCommand::Provider { name, reason } => (Target::Provider { name }, reason.text),
    };
    let (scope, subject) = target.parts();
    let pause: Pause = client.post("/pauses", &NewPause { scope, subject, reason }).await?;
    println!("Paused: {}.", pause.what);
    Ok(())
}

async fn list_pauses(client: &Client) -> anyhow::Result<()> {
    let pauses: Vec<Pause> = client.get("/pauses").await?;
    if pauses.is_empty() {
        println!("Nothing is paused.");
    }
    for pause in pauses {
        let why = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
        println!("{}, since {}, by {}{why}", pause.what, pause.created_at, pause.created_by);
    }
    Ok(())
}

pub(crate) async fn resume(client: &Client, target: Target) -> anyhow::Result<()> {
    let (scope, subject) = target.parts();
    let pauses: Vec<Pause> = client.get("/pauses").await?;
    let is_meant = |pause: &Pause| match scope {
        PauseScope::Provider => pause.subject.eq_ignore_ascii_case(&subject),
        _ => pause.subject == subject,
    };
    let found = pauses.into_iter().find(|pause| pause.scope == scope && is_meant(pause));
    let Some(found) = found else { bail!("that is not paused; `packetboat pause list` prints what is") };
    let done: Done = client.delete(&format!("/pauses/{}", found.id)).await?;
    println!("{}", done.message);
    Ok(())
}
