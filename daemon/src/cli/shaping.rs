//! `packetboat explain`, `packetboat rule` and `packetboat automation`.

use super::client::Client;
use api_types::{Automation, Done, Explanation, JudgedReply, TestReply};
use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The recipient domain.
    domain: String,
    /// From this source; without it, from any that has no limits of its own.
    #[arg(long)]
    source: Option<String>,
    /// Mail of this stream, which a route may lead elsewhere.
    #[arg(long)]
    stream: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum RuleCommand {
    /// Says what a reply means and what would follow from it. Nothing is done.
    Test {
        /// The reply as the server said it: "421 4.7.28 ...".
        reply: String,
        /// What it answered: greeting, hello, mail, rcpt, data or message; or report, where it stands in one.
        #[arg(long)]
        stage: Option<String>,
        /// Whose server said it, such as Google.
        #[arg(long)]
        provider: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum AutomationCommand {
    /// Lists what replies and ratios made the engine do by itself.
    List {
        /// Those that have ended too.
        #[arg(long)]
        all: bool,
    },
    /// Ends one before its time; what it held is due at once.
    Lift {
        /// Its id, from the list.
        id: i64,
    },
}

pub(crate) async fn explain(client: &Client, args: ExplainArgs) -> anyhow::Result<()> {
    let domain = encoded(&args.domain);
    let source = encoded(args.source.as_deref().unwrap_or(""));
    let stream = encoded(args.stream.as_deref().unwrap_or(""));
    let told: Explanation = client.get(&format!("/explain?domain={domain}&source={source}&stream={stream}")).await?;
    println!("{}", told.sentence());
    for way in &told.other_ways {
        println!("{}", way.sentence());
    }
    for limit in &told.limits {
        println!("  {:<26} {:<14} {}", limit.name, limit.value, limit.layer);
    }
    for automation in &told.automations {
        print_automation(automation);
    }
    Ok(())
}

pub(crate) async fn rule(client: &Client, command: RuleCommand) -> anyhow::Result<()> {
    let RuleCommand::Test { reply, stage, provider } = command;
    let judged: JudgedReply = client.post("/rules/test", &TestReply { reply, stage, provider }).await?;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let kind = judged.kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    let by = match judged.class_by.as_deref() {
        Some("own_rule") => "your own rule",
        Some("builtin_rule") => "the built-in rule",
        _ => "its codes alone, rule",
    };
    println!("class      {}{kind}, by {by} {}", or_none(judged.class), or_none(judged.class_rule));
    println!("recipient  {}", judged.recipient);
    println!("rule       {}", or_none(judged.rule));
    if let Some(effect) = judged.effect {
        println!("action     {effect}");
    }
    if let Some(alarm) = judged.alarm {
        println!("alarm      {alarm}");
    }
    Ok(())
}

pub(crate) async fn automation(client: &Client, command: AutomationCommand) -> anyhow::Result<()> {
    match command {
        AutomationCommand::List { all } => {
            let which = if all { "all" } else { "open" };
            let found = client.list::<Automation>(&format!("/automations?which={which}")).await?;
            if found.is_empty() {
                println!("Nothing is held or slowed down by itself.");
            }
            for automation in &found {
                print_automation(automation);
            }
        }
        AutomationCommand::Lift { id } => {
            let done: Done = client.delete(&format!("/automations/{id}")).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

fn print_automation(a: &Automation) {
    let end = match (&a.ended_at, &a.ended_by) {
        (Some(at), Some(by)) => format!("ended {at} by {by}"),
        (Some(at), None) => format!("ended {at}"),
        (None, _) => format!("until {}", a.until),
    };
    println!("\n{}  {}  since {}, {end}", a.id, a.rule, a.since);
    println!("    {}", a.effect);
    println!("    {}", a.reply);
    if let Some(alarm) = &a.alarm {
        println!("    {alarm}");
    }
}

/// For a query string: every byte that might mean something there.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}
