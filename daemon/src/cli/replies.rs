//! `packetboat reply-address` and `packetboat replies`.

use super::client::Client;
use anyhow::bail;
use api_types::{
    Done, NewReplyAddress, Page, ReplyAction, ReplyAddress, ReplyAddressChange, ReplyDone, ReplyMail, ReplyRow,
};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum ReplyAddressCommand {
    /// Makes a reply address: mail to it is kept, or forwarded.
    Add {
        /// The address, at a return path, or at a sending domain or below one, with its MX at this host.
        address: String,
        /// Where answers go on to; without it they are only kept.
        #[arg(long, value_name = "ADDRESS")]
        forward_to: Option<String>,
    },
    /// Lists the reply addresses.
    List,
    /// Changes where answers go on to.
    Set {
        /// The reply address.
        address: String,
        /// Where answers go on to; without it they are only kept.
        #[arg(long, value_name = "ADDRESS")]
        forward_to: Option<String>,
    },
    /// Deletes a reply address.
    Remove {
        /// The reply address.
        address: String,
    },
}

pub(crate) async fn addresses(client: &Client, command: ReplyAddressCommand) -> anyhow::Result<()> {
    match command {
        ReplyAddressCommand::Add { address, forward_to } => {
            let new = NewReplyAddress { address, action: action(forward_to.as_ref()), forward_to };
            print_address(&client.post("/reply-addresses", &new).await?);
        }
        ReplyAddressCommand::List => {
            client.list::<ReplyAddress>("/reply-addresses").await?.iter().for_each(print_address);
        }
        ReplyAddressCommand::Set { address, forward_to } => {
            let found = find(client, &address).await?;
            let change = ReplyAddressChange { action: action(forward_to.as_ref()), forward_to };
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

fn action(forward_to: Option<&String>) -> ReplyAction {
    if forward_to.is_some() { ReplyAction::Forward } else { ReplyAction::Keep }
}

async fn find(client: &Client, address: &str) -> anyhow::Result<ReplyAddress> {
    let all = client.list::<ReplyAddress>("/reply-addresses").await?;
    let Some(found) = all.into_iter().find(|row| row.address.eq_ignore_ascii_case(address)) else {
        bail!("there is no reply address {address}; `packetboat reply-address list` shows which there are");
    };
    Ok(found)
}

fn print_address(row: &ReplyAddress) {
    match (row.action, &row.forward_to) {
        (ReplyAction::Forward, Some(to)) => println!("{}  forwarded to {to}", row.address),
        _ => println!("{}  kept", row.address),
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
