//! `packetboat domain`.

use super::client::Client;
use anyhow::{Context, bail};
use api_types::{
    DomainDetail, DomainHealth, DomainKey, Done, KeyStep, NewDomain, RecordNeed, RecordStatus, RequirementMet,
    RotationSchedule, SendingDomain,
};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum DomainCommand {
    /// Adds a sending domain, makes its signing keys and prints the records to publish.
    Add {
        /// The name.
        domain: String,
    },
    /// Lists the sending domains, and how each stands.
    List,
    /// Looks the records up; prints how each stands, the keys, and what the large mailbox providers demand.
    #[command(visible_alias = "show")]
    Check {
        /// The name.
        domain: String,
    },
    /// Makes new signing keys, which take over when their records are visible; or says how often that is done.
    Rotate(Rotate),
    /// Prints the signing keys and what comes next for each; or lets one sign, or removes it.
    Keys(Keys),
}

#[derive(Args)]
pub(crate) struct Rotate {
    /// The name.
    domain: String,
    /// Does it every so many days from now on.
    #[arg(long, value_name = "DAYS", conflicts_with = "by_hand")]
    every: Option<u32>,
    /// Does it by hand only from now on.
    #[arg(long)]
    by_hand: bool,
}

#[derive(Args)]
pub(crate) struct Keys {
    /// The name.
    domain: String,
    /// Lets the key with this selector sign although its record is not visible.
    #[arg(long, value_name = "SELECTOR", conflicts_with = "remove")]
    sign_anyway: Option<String>,
    /// Removes the key with this selector.
    #[arg(long, value_name = "SELECTOR")]
    remove: Option<String>,
}

pub(crate) async fn run(client: &Client, command: DomainCommand) -> anyhow::Result<()> {
    match command {
        DomainCommand::Add { domain } => {
            let detail: DomainDetail = client.post("/domains", &NewDomain { domain }).await?;
            println!("{} was added. Publish these records:", detail.domain.domain);
            print_records(&detail);
        }
        DomainCommand::List => {
            for domain in client.list::<SendingDomain>("/domains").await? {
                print_line(&domain);
            }
        }
        DomainCommand::Check { domain } => {
            let id = find(client, &domain).await?;
            let detail: DomainDetail = client.post(&format!("/domains/{id}/verify"), &()).await?;
            print_line(&detail.domain);
            print_records(&detail);
            println!("\nKeys");
            print_keys(&detail.keys);
            print_requirements(&detail);
        }
        DomainCommand::Rotate(rotate) => run_rotate(client, rotate).await?,
        DomainCommand::Keys(keys) => run_keys(client, keys).await?,
    }
    Ok(())
}

async fn find(client: &Client, domain: &str) -> anyhow::Result<i64> {
    let wanted = domain.to_lowercase();
    let domains = client.list::<SendingDomain>("/domains").await?;
    let Some(found) = domains.iter().find(|known| known.domain == wanted) else {
        bail!("{domain} is not a sending domain; add it with `packetboat domain add {domain}`");
    };
    Ok(found.id)
}

async fn run_rotate(client: &Client, rotate: Rotate) -> anyhow::Result<()> {
    let id = find(client, &rotate.domain).await?;
    if rotate.every.is_some() || rotate.by_hand {
        let schedule = RotationSchedule { every_days: rotate.every };
        let _: DomainDetail = client.put(&format!("/domains/{id}/schedule"), &schedule).await?;
        match rotate.every {
            Some(days) => println!("New keys are made every {days} days."),
            None => println!("New keys are made by hand only."),
        }
        return Ok(());
    }
    let detail: DomainDetail = client.post(&format!("/domains/{id}/rotate"), &()).await?;
    println!("New keys were made. Publish their records; they take over by themselves when these are seen:");
    for record in detail.records.iter().filter(|record| record.status == RecordStatus::Unchecked) {
        if record.name.contains("._domainkey.") {
            println!("\n{}\n  {}  {}  {}", record.purpose, record.name, record.kind, record.wanted);
        }
    }
    Ok(())
}

async fn run_keys(client: &Client, keys: Keys) -> anyhow::Result<()> {
    let id = find(client, &keys.domain).await?;
    let mut detail: DomainDetail = client.get(&format!("/domains/{id}")).await?;
    let key = |selector: &str| {
        let found = detail.keys.iter().find(|key| key.selector == selector);
        found.map(|key| key.id).with_context(|| format!("{} has no key {selector}", keys.domain))
    };
    if let Some(selector) = &keys.sign_anyway {
        let path = format!("/domains/{id}/keys/{}/sign_anyway", key(selector)?);
        detail = client.post(&path, &()).await?;
    } else if let Some(selector) = &keys.remove {
        let done: Done = client.delete(&format!("/domains/{id}/keys/{}", key(selector)?)).await?;
        println!("{}", done.message);
        return Ok(());
    }
    print_keys(&detail.keys);
    Ok(())
}

fn print_line(domain: &SendingDomain) {
    let checked = domain.checked_at.as_deref().unwrap_or("never");
    println!(
        "{:<40} {:<16} {} of {} records good, looked up {checked}",
        domain.domain,
        health_word(domain.health),
        domain.records_ok,
        domain.records_total
    );
    println!("  {}", domain.health_reason);
}

fn print_records(detail: &DomainDetail) {
    for record in &detail.records {
        let mark = match record.status {
            RecordStatus::Unchecked => "",
            RecordStatus::Found => " [found]",
            RecordStatus::Missing => " [missing]",
            RecordStatus::Differs => " [differs]",
            RecordStatus::Failed => " [look-up failed]",
        };
        let need = match record.need {
            RecordNeed::Required => "",
            RecordNeed::Recommended => ", recommended",
            RecordNeed::Optional => ", optional",
        };
        println!("\n{}{need}{mark}", record.purpose);
        println!("  {}  {}  {}", record.name, record.kind, record.wanted);
        if record.status == RecordStatus::Differs {
            for found in &record.found {
                println!("  found: {found}");
            }
        }
        if !record.message.is_empty() {
            println!("  {}", record.message);
        }
    }
}

fn print_keys(keys: &[DomainKey]) {
    for key in keys {
        println!("  {:<16} {:<15} {:<10} since {}", key.selector, key.algorithm, step_word(key.step), key.step_at);
        let until = key.next_at.as_deref().map(|at| format!(" (until {at})")).unwrap_or_default();
        println!("  {:<16} {}{until}", "", key.next);
        if let (Some(by), Some(at)) = (&key.forced_by, &key.forced_at) {
            println!("  {:<16} {by} let it sign without its record on {at}.", "");
        }
    }
}

fn print_requirements(detail: &DomainDetail) {
    for provider in &detail.requirements {
        println!("\n{} ({})", provider.provider, provider.page);
        for requirement in &provider.requirements {
            let mark = match requirement.met {
                RequirementMet::Met => "met    ",
                RequirementMet::NotMet => "NOT MET",
                RequirementMet::NotCheckable => "unknown",
            };
            println!("  {mark}  {}: {}", requirement.wants, requirement.why);
        }
    }
}

fn health_word(health: DomainHealth) -> &'static str {
    match health {
        DomainHealth::Unchecked => "not checked yet",
        DomainHealth::Good => "good",
        DomainHealth::Attention => "needs attention",
        DomainHealth::Broken => "broken",
        DomainHealth::CannotSign => "CANNOT SEND",
    }
}

fn step_word(step: KeyStep) -> &'static str {
    match step {
        KeyStep::Waiting => "waiting",
        KeyStep::Seen => "seen",
        KeyStep::Active => "active",
        KeyStep::Replaced => "replaced",
        KeyStep::Retired => "retired",
        KeyStep::Revoked => "revoked",
        KeyStep::Removable => "removable",
    }
}
