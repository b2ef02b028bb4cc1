//! `packetboat unknown-texts`.

use super::client::Client;
use super::shaping::encoded;
use api_types::{Done, DraftedRule, UnknownText};
use clap::{Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum UnknownTextsCommand {
    /// Lists them.
    List {
        /// Only what this provider's servers said.
        #[arg(long)]
        provider: Option<String>,
        /// In which order.
        #[arg(long, value_enum, default_value_t = Order::Count)]
        sort: Order,
    },
    /// Prints a rule made of one, to be put into packetboat.toml.
    Rule {
        /// Its id, from the list.
        id: i64,
        /// What it means.
        #[arg(long)]
        class: String,
    },
    /// Takes one out of the list.
    Dismiss {
        /// Its id, from the list.
        id: i64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Order {
    /// The most frequent first.
    Count,
    /// The most recently seen first.
    Last,
}

pub(crate) async fn run(client: &Client, command: UnknownTextsCommand) -> anyhow::Result<()> {
    match command {
        UnknownTextsCommand::List { provider, sort } => {
            let provider = encoded(provider.as_deref().unwrap_or(""));
            let sort = match sort {
                Order::Count => "count",
                Order::Last => "last",
            };
            let found: Vec<UnknownText> =
                client.list(&format!("/unknown-texts?sort={sort}&provider={provider}")).await?;
            if found.is_empty() {
                println!("Every text was known to a rule.");
            }
            for text in &found {
                print_text(text);
            }
        }
        UnknownTextsCommand::Rule { id, class } => {
            let drafted: DraftedRule =
                client.get(&format!("/unknown-texts/{id}/rule?class={}", encoded(&class))).await?;
            print!("{}", drafted.toml);
            for fault in &drafted.faults {
                eprintln!("packetboat: {fault}");
            }
        }
        UnknownTextsCommand::Dismiss { id } => {
            let done: Done = client.delete(&format!("/unknown-texts/{id}")).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

fn print_text(text: &UnknownText) {
    let provider = if text.provider.is_empty() { "somebody" } else { &text.provider };
    println!("\n{}  {} times, last {}  {provider}, {}", text.id, text.count, text.last_seen, text.stage);
    println!("    {}", text.sample);
    println!("    taken for {} (rule {})", text.class, text.rule);
    if let Some(rule) = &text.known_by {
        println!("    known by now to the rule {rule}");
    }
}
