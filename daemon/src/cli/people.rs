//! `packetboat user`, `packetboat api-key` and `packetboat workspace`.

use super::client::Client;
use anyhow::{Context, bail};
use api_types::{
    ApiKey, CreatedApiKey, CreatedSignInLink, Done, KeyScope, NewApiKey, NewUser, Role, User, WorkspaceSettings,
};
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Adds a user.
    Add {
        /// Mail address to sign in with.
        email: String,
        /// What the user may do.
        #[arg(long, value_enum)]
        role: RoleWord,
        /// Name as shown.
        #[arg(long, default_value = "")]
        name: String,
        /// File with the password, its first line. Without it a password is made and printed.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Lists the users.
    List,
    /// Prints a link that signs a user in once, within a quarter of an hour.
    Link {
        /// Mail address of the user.
        email: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleWord {
    /// Everything.
    Owner,
    /// Everything but removing the workspace.
    Admin,
    /// Contacts, segments, templates, campaigns, suppressions.
    Marketer,
    /// Looking only.
    Viewer,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Role {
        match word {
            RoleWord::Owner => Role::Owner,
            RoleWord::Admin => Role::Admin,
            RoleWord::Marketer => Role::Marketer,
            RoleWord::Viewer => Role::Viewer,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Makes a key and prints it, this once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do; repeat it for more.
        #[arg(long = "scope", value_enum, default_value = "admin")]
        scopes: Vec<ScopeWord>,
        /// Requests a minute at most, each message of a batch counted.
        #[arg(long, value_name = "COUNT")]
        rate: Option<u32>,
    },
    /// Lists the keys.
    List,
    /// Takes a key back; it stops working at once.
    Revoke {
        /// The id, as `packetboat api-key list` shows it.
        id: i64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ScopeWord {
    /// Sending messages; it shows nothing.
    Send,
    /// Looking only.
    Read,
    /// Feeding mail that came elsewhere, such as returned mail.
    Inbound,
    /// Contacts, segments, templates, campaigns, suppressions; looking and sending too.
    Marketing,
    /// Everything.
    Admin,
}

impl From<ScopeWord> for KeyScope {
    fn from(word: ScopeWord) -> KeyScope {
        match word {
            ScopeWord::Send => KeyScope::Send,
            ScopeWord::Read => KeyScope::Read,
            ScopeWord::Inbound => KeyScope::Inbound,
            ScopeWord::Marketing => KeyScope::Marketing,
            ScopeWord::Admin => KeyScope::Admin,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Shows name, time zone and postal address.
    Show,
    /// Changes what is given and leaves the rest.
    Set {
        /// Name, as templates and the console show it.
        #[arg(long)]
        name: Option<String>,
        /// IANA name of the time zone in which relative dates are meant.
        #[arg(long)]
        time_zone: Option<String>,
        /// Postal address, which the law of many countries wants in every campaign.
        #[arg(long)]
        postal_address: Option<String>,
    },
}

pub(crate) async fn workspace(client: &Client, command: WorkspaceCommand) -> anyhow::Result<()> {
    let mut settings: WorkspaceSettings = client.get("/workspace").await?;
    if let WorkspaceCommand::Set { name, time_zone, postal_address } = command {
        settings.name = name.unwrap_or(settings.name);
        settings.time_zone = time_zone.unwrap_or(settings.time_zone);
        settings.postal_address = postal_address.unwrap_or(settings.postal_address);
        settings = client.put("/workspace", &settings).await?;
    }
    println!("name            {}", settings.name);
    println!("time zone       {}", settings.time_zone);
    let address = if settings.postal_address.is_empty() { "none" } else { &settings.postal_address };
    println!("postal address  {address}");
    Ok(())
}

pub(crate) async fn user(client: &Client, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { email, role, name, password_file } => {
            let (password, made) = match password_file {
                Some(file) => {
                    let text = std::fs::read_to_string(&file);
                    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
                    (text.lines().next().unwrap_or("").to_owned(), false)
                }
                None => (crate::text::token(&world::SystemRandom), true),
            };
            let new = NewUser { email, name, role: role.into(), password: password.clone() };
            let user: User = client.post("/users", &new).await?;
            println!("{} was added.", user.email);
            if made {
                println!("Password: {password}");
            }
        }
        UserCommand::List => {
            for user in client.list::<User>("/users").await? {
                let seen = user.last_sign_in_at.as_deref().unwrap_or("never");
                println!("{:>4}  {:<9} {:<40} last sign-in {seen}", user.id, role_word(user.role), user.email);
            }
        }
        UserCommand::Link { email } => {
            let wanted = email.to_lowercase();
            let users = client.list::<User>("/users").await?;
            let Some(user) = users.iter().find(|user| user.email == wanted) else {
                bail!("there is no user {email}; `packetboat user list` shows who is there");
            };
            let link: CreatedSignInLink = client.post(&format!("/users/{}/sign_in_link", user.id), &()).await?;
            println!("{}", link.url);
        }
    }
    Ok(())
}

pub(crate) async fn api_key(client: &Client, command: ApiKeyCommand) -> anyhow::Result<()> {
    match command {
        ApiKeyCommand::Create { name, scopes, rate } => {
            let scopes = scopes.into_iter().map(KeyScope::from).collect();
            let new = NewApiKey { name, scopes, rate_per_minute: rate };
            let created: CreatedApiKey = client.post("/api_keys", &new).await?;
            println!("{}", created.key);
        }
        ApiKeyCommand::List => {
            for key in client.list::<ApiKey>("/api_keys").await? {
                let used = key.last_used_at.as_deref().unwrap_or("never");
                let scopes = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
                let rate = key.rate_per_minute.map(|rate| format!(", {rate} a minute")).unwrap_or_default();
                println!("{:>4}  {}...  {:<40} {scopes}{rate}; last used {used}", key.id, key.prefix, key.name);
            }
        }
        ApiKeyCommand::Revoke { id } => {
            let done: Done = client.delete(&format!("/api_keys/{id}")).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

fn role_word(role: Role) -> &'static str {
    crate::http::access::word(role)
}
