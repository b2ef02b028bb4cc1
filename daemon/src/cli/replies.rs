//! `packetboat reply-address` and `packetboat replies`.

use super::client::Client;
use anyhow::bail;
use api_types::{
    Done, NewReplyAddress, Page, ReplyAction, ReplyAddress, ReplyAddressChange, ReplyDone, ReplyMail, ReplyRow,
};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum ReplyAddressCommand {
    /// Makes a reply address: mail to it is kept, forwarded, or told to a webhook.
    Add {
        /// The address, at a return path, or at a sending domain or below one, with its MX at this host.
        address: String,
        #[command(flatten)]
        onward: Onward,
    },
    /// Lists the reply addresses.
    List,
    /// Changes what is done with answers.
    Set {
        /// The reply address.
        address: String,
        #[command(flatten)]
        onward: Onward,
    },
    /// Deletes a reply address.
    Remove {
        /// The reply address.
        address: String,
    },
}

/// What is done with answers besides keeping them.
#[derive(Args)]
pub(crate) struct Onward {
    /// Where answers go on to.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "webhook")]
    forward_to: Option<String>,
    /// The number of a webhook that is told.
    #[arg(long, value_name = "ID")]
    webhook: Option<i64>,
}

impl Onward {
    fn action(&self) -> ReplyAction {
        match (&self.forward_to, self.webhook) {
            (Some(_), _) => ReplyAction::Forward,
            (None, Some(_)) => ReplyAction::Webhook,
            (None, None) => ReplyAction::Keep,
        }
    }
}

pub(crate) async fn addresses(client: &Client, command: ReplyAddressCommand) -> anyhow::Result<()> {
    match command {
        ReplyAddressCommand::Add { address, onward } => {
            let action = onward.action();
            let Onward { forward_to, webhook: webhook_id } = onward;
            let new = NewReplyAddress { address, action, forward_to, webhook_id };
            print_address(&client.post("/reply-addresses", &new).await?);
        }
        ReplyAddressCommand::List => {
            client.list::<ReplyAddress>("/reply-addresses").await?.iter().for_each(print_address);
        }
        ReplyAddressCommand::Set { address, onward } => {
            let found = find(client, &address).await?;
            let action = onward.action();
            let Onward { forward_to, webhook: webhook_id } = onward;
            let change = ReplyAddressChange { action, forward_to, webhook_id };
            print_address(&client.patch(&format!("/reply-addresses/{}", found.id), &change).await?);
        }
        ReplyAddressCommand::Remove { address } => {
            let found = find(client, &address).await?;
            let done: Done = client.delete(&format!("/reply-addresses/{}", found.id)).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

async fn find(client: &Client, address: &str) -> anyhow::Result<ReplyAddress> {
    let all = client.list::<ReplyAddress>("/reply-addresses").await?;
    let Some(found) = all.into_iter().find(|row| row.address.eq_ignore_ascii_case(address)) else {
        bail!("there is no reply address {address}; `packetboat reply-address list` shows which there are");
    };
    Ok(found)
}

fn print_address(row: &ReplyAddress) {
    match (&row.forward_to, row.webhook_id) {
        (Some(to), _) => println!("{}  forwarded to {to}", row.address),
        (None, Some(id)) => println!("{}  told to webhook {id}", row.address),
        (None, None) => println!("{}  kept", row.address),
    }
}

#[derive(Subcommand)]
pub(crate) enum RepliesCommand {
    /// Lists answers, newest first.
    List {
        /// Only those that this was done with: kept, forwarded, webhook, stopped.
        #[arg(long, default_value = "")]
        done: String,
        /// So many, 1 to 200.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Prints an answer as it came.
    Show {
        /// Its number.
        id: i64,
    },
}

pub(crate) async fn replies(client: &Client, command: RepliesCommand) -> anyhow::Result<()> {
    match command {
        RepliesCommand::List { done, limit } => {
            let page: Page<ReplyRow> = client.get(&format!("/replies?done={done}&limit={limit}")).await?;
            page.items.iter().for_each(print_reply);
        }
        RepliesCommand::Show { id } => {
            let mail: ReplyMail = client.get(&format!("/replies/{id}")).await?;
            print!("{}", mail.content);
            if mail.is_cut {
                eprintln!("packetboat: only the beginning of this answer is kept");
            }
        }
    }
    Ok(())
}

fn print_reply(row: &ReplyRow) {
    let done = match row.done {
        ReplyDone::Kept => "kept",
        ReplyDone::Forwarded => "forwarded",
        ReplyDone::Webhook => "webhook",
        ReplyDone::Stopped => "stopped",
    };
    let why = row.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    println!("{:>6}  {}  {} -> {}  {done}{why}  {}", row.id, row.received_at, row.from, row.address, row.subject);
}
