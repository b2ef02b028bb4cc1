//! `packetboat credential`.

use super::client::Client;
use anyhow::bail;
use api_types::{CreatedSmtpCredential, Done, NewSmtpCredential, SmtpCredential, SmtpCredentialChange};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum CredentialCommand {
    /// Makes a credential and prints its login and its secret, this once.
    Add {
        /// What it is for.
        name: String,
        /// The stream of its mail, where a message names none.
        #[arg(long, default_value = "transactional")]
        stream: String,
        /// A sending domain that it may send from; repeat it for several. Without any it may use all of them.
        #[arg(long = "domain", value_name = "DOMAIN")]
        domains: Vec<String>,
        /// Messages that it may hand in within a minute.
        #[arg(long, value_name = "MESSAGES")]
        per_minute: Option<u32>,
    },
    /// Lists the credentials.
    List,
    /// Lets a credential work again.
    Enable {
        /// Its login or name.
        which: String,
    },
    /// Lets a credential work no longer, until it is enabled again.
    Disable {
        /// Its login or name.
        which: String,
    },
    /// Takes a credential back for good.
    Remove {
        /// Its login or name.
        which: String,
    },
}

pub(crate) async fn run(client: &Client, command: CredentialCommand) -> anyhow::Result<()> {
    match command {
        CredentialCommand::Add { name, stream, domains, per_minute } => {
            let new = NewSmtpCredential { name, stream, domains, messages_per_minute: per_minute };
            print_created(&client.post("/smtp-credentials", &new).await?);
        }
        CredentialCommand::List => {
            for row in client.list::<SmtpCredential>("/smtp-credentials").await? {
                print_row(&row);
            }
        }
        CredentialCommand::Enable { which } => switch(client, &which, true).await?,
        CredentialCommand::Disable { which } => switch(client, &which, false).await?,
        CredentialCommand::Remove { which } => {
            let found = find(client, &which).await?;
            let done: Done = client.delete(&format!("/smtp-credentials/{}", found.id)).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

fn print_created(created: &CreatedSmtpCredential) {
    println!("Login:  {}", created.credential.login);
    println!("Secret: {}", created.secret);
    let server = &created.server;
    if let Some(port) = server.starttls_port {
        println!("Server: {} port {port}, STARTTLS", server.host);
    }
    if let Some(port) = server.tls_port {
        println!("Server: {} port {port}, TLS", server.host);
    }
    if server.starttls_port.is_none() && server.tls_port.is_none() {
        println!("No listener is configured yet: set [submission] listen or listen_tls, and restart the daemon.");
    }
}

fn print_row(row: &SmtpCredential) {
    let domains = if row.all_domains { "all domains".to_owned() } else { row.domains.join(", ") };
    let used = row.last_used_at.as_deref().unwrap_or("never");
    let state = if row.enabled { "" } else { ", disabled" };
    println!("{}  {:<24} {}, {domains}, last used {used}{state}", row.login, row.name, row.stream);
}

async fn switch(client: &Client, which: &str, enabled: bool) -> anyhow::Result<()> {
    let found = find(client, which).await?;
    let change = SmtpCredentialChange { enabled: Some(enabled), ..SmtpCredentialChange::default() };
    let now: SmtpCredential = client.patch(&format!("/smtp-credentials/{}", found.id), &change).await?;
    println!("{} works {}.", now.login, if now.enabled { "again" } else { "no longer" });
    Ok(())
}

async fn find(client: &Client, which: &str) -> anyhow::Result<SmtpCredential> {
    let all = client.list::<SmtpCredential>("/smtp-credentials").await?;
    let Some(found) = all.into_iter().find(|row| row.login == which || row.name == which) else {
        bail!("there is no credential {which}; `packetboat credential list` shows which there are");
    };
    Ok(found)
}
