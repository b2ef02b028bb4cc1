//! The command line.
//!
//! `check`, `config`, `explain-mail` and `version` need no daemon. Every other command is a request to the API: over the local socket
//! of the running daemon, or, when none runs, over the same socket served by this process for as long as the command
//! takes. So there is one way to do each thing, whoever asks.

mod bounces;
mod campaigns;
mod check;
mod client;
mod contacts;
mod credentials;
mod domains;
mod explain_mail;
mod hygiene;
mod inbound;
mod journeys;
mod lists;
mod messages;
mod pauses;
mod people;
mod preference_centre;
mod queue;
mod replies;
mod reports;
mod reputation;
mod shaping;
mod sources;
mod standing;
mod suppressions;
mod tls;
mod trace;
mod unknown_texts;
mod warmup;
mod webhooks;

use clap::{Args, Parser, Subcommand};
use client::Client;
use std::path::PathBuf;
use std::process::ExitCode;

/// A self-hosted mail-transfer appliance: campaigns and delivery in one daemon.
#[derive(Parser)]
#[command(name = "packetboat", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Which configuration, for every command that needs one.
#[derive(Args, Clone)]
struct ConfigFile {
    /// The configuration file; without it /etc/packetboat/packetboat.toml, or the defaults when there is none.
    #[arg(id = "config", long = "config", value_name = "FILE", env = "PACKETBOAT_CONFIG", global = true)]
    file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the daemon until SIGTERM or Ctrl-C.
    Serve {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Checks a configuration file, then whether this host can run it; names every mistake at once.
    Check {
        /// The file; without it the one that `serve` would use.
        file: Option<PathBuf>,
    },
    /// Prints the version.
    Version,
    /// Prints the commented example file, or the reference of all settings.
    Config {
        #[command(subcommand)]
        what: ConfigDocument,
    },
    /// Users of the console.
    User {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: people::UserCommand,
    },
    /// The workspace's name, time zone and postal address.
    Workspace {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: people::WorkspaceCommand,
    },
    /// API keys.
    ApiKey {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: people::ApiKeyCommand,
    },
    /// SMTP credentials: what programs sign in with to hand in mail.
    Credential {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: credentials::CredentialCommand,
    },
    /// Webhooks: where what happens to mail is told to.
    Webhook {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: webhooks::WebhookCommand,
    },
    /// Contacts.
    Contacts {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: contacts::ContactsCommand,
    },
    /// Lists that people subscribe to.
    Lists {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: lists::ListsCommand,
    },
    /// What the pages for recipients say and look like.
    PreferenceCentre {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: Box<preference_centre::PreferenceCentreCommand>,
    },
    /// What becomes of contacts that stay silent.
    Hygiene {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: hygiene::HygieneCommand,
    },
    /// Campaigns.
    Campaign {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: campaigns::CampaignCommand,
    },
    /// Journeys.
    Journey {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: journeys::JourneyCommand,
    },
    /// Single messages.
    Message {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: messages::MessageCommand,
    },
    /// Sending domains.
    Domain {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: domains::DomainCommand,
    },
    /// Egress sources.
    Source {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: sources::SourceCommand,
    },
    /// How senders stand: rolling shares of bounces and complaints, the worst first.
    Reputation {
        #[command(flatten)]
        config: ConfigFile,
        /// Over the last so many days, 1 to 30.
        #[arg(long, default_value_t = 1)]
        days: u32,
    },
    /// Who was refused or given up: by class, provider, source, campaign or day, hard, soft and blocked told apart.
    Bounces {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        args: bounces::BouncesArgs,
    },
    /// What the world reports about our domains: DMARC and TLS reports, blocklists, complaints.
    Reports {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: reports::ReportsCommand,
    },
    /// The suppression list.
    Suppressions {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: suppressions::SuppressionCommand,
    },
    /// Stops mail: everything, a workspace's, a campaign's, or that to or from something. It holds at once.
    Pause {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: pauses::PauseCommand,
    },
    /// Ends pauses.
    Resume {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        what: pauses::Target,
    },
    /// The queue: who waits and why; holding, releasing, hurrying, giving up, re-routing.
    Queue {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: Box<queue::QueueCommand>,
    },
    /// Tells everything about one recipient, from where it came from to what came back; or lists everything that was sent to
    /// an address, with how the address stands.
    Trace {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        args: trace::TraceArgs,
    },
    /// Sends one real message from a chosen source and shows the conversation.
    TestDelivery {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        test: queue::Test,
    },
    /// How new sources and sending domains earn their volume.
    Warmup {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: warmup::WarmupCommand,
    },
    /// Shows every limit in force for mail to a domain, and where it comes from.
    Explain {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        args: shaping::ExplainArgs,
    },
    /// Says what a mail that came back means, and why: bounces, complaints, automatic answers, DMARC and TLS reports.
    ExplainMail(explain_mail::ExplainMail),
    /// Settles mail that came by another way: bounces, complaints, wishes to unsubscribe, answers.
    Inbound {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        args: inbound::InboundArgs,
    },
    /// Addresses that recipients answer to.
    ReplyAddress {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: replies::ReplyAddressCommand,
    },
    /// Answers that came.
    Replies {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: replies::RepliesCommand,
    },
    /// The rules for replies.
    Rule {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: shaping::RuleCommand,
    },
    /// Texts of servers that no rule knows, and rules made of them.
    UnknownTexts {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: unknown_texts::UnknownTextsCommand,
    },
    /// What replies and ratios made the engine do by itself.
    Automation {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: shaping::AutomationCommand,
    },
    /// Shows what a domain asks of TLS (DANE, MTA-STS), looked up now, and what follows for each of its hosts.
    TlsPolicy {
        #[command(flatten)]
        config: ConfigFile,
        /// A domain that mail is sent to.
        domain: String,
    },
    /// Sends a real campaign over a simulated internet on this host, and proves that every mail arrived once.
    Demo(crate::demo::Options),
    /// Checks the data: the ledger's sum and the database files.
    Doctor {
        #[command(flatten)]
        config: ConfigFile,
    },
}

#[derive(Subcommand)]
enum ConfigDocument {
    /// The commented example file, as shipped.
    Example,
    /// The reference of all settings, in Markdown.
    Reference,
}

/// Runs the command line; errors are printed with their causes.
#[must_use]
pub fn main() -> ExitCode {
    // One crypto provider for the whole program. It can only be set already by ourselves.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    end_with_the_reader();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("packetboat: cannot start: {e}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("packetboat: {}", sentence(&e));
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads the output may have seen enough (`| head`). That is no error, and nothing to tell of.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve { config } => crate::serve::run(check::load(config.file.as_deref())?).await?,
        Command::Check { file } => return Ok(check::check(file.as_deref()).await),
        Command::Version => println!("packetboat {}", env!("CARGO_PKG_VERSION")),
        Command::Config { what: ConfigDocument::Example } => print!("{}", config::example()),
        Command::Config { what: ConfigDocument::Reference } => print!("{}", config::reference()),
        Command::User { config, command } => with(&config, async |client| people::user(client, command).await).await?,
        Command::Workspace { config, command } => {
            with(&config, async |client| people::workspace(client, command).await).await?;
        }
        Command::ApiKey { config, command } => {
            with(&config, async |client| people::api_key(client, command).await).await?;
        }
        Command::Credential { config, command } => {
            with(&config, async |client| credentials::run(client, command).await).await?;
        }
        Command::Webhook { config, command } => {
            return with(&config, async |client| webhooks::run(client, command).await).await;
        }
        Command::Contacts { config, command } => {
            with(&config, async |client| contacts::run(client, command).await).await?;
        }
        Command::Lists { config, command } => with(&config, async |client| lists::run(client, command).await).await?,
        Command::PreferenceCentre { config, command } => {
            with(&config, async |client| preference_centre::run(client, *command).await).await?;
        }
        Command::Hygiene { config, command } => {
            with(&config, async |client| hygiene::run(client, command).await).await?;
        }
        Command::Campaign { config, command } => {
            with(&config, async |client| campaigns::run(client, command).await).await?;
        }
        Command::Journey { config, command } => {
            with(&config, async |client| journeys::run(client, command).await).await?;
        }
        Command::Message { config, command } => {
            with(&config, async |client| messages::run(client, command).await).await?;
        }
        Command::Domain { config, command } => {
            with(&config, async |client| domains::run(client, command).await).await?;
        }
        Command::Source { config, command } => {
            with(&config, async |client| sources::run(client, command).await).await?
        }
        Command::Reports { config, command } => {
            with(&config, async |client| reports::run(client, command).await).await?;
        }
        Command::Suppressions { config, command } => {
            with(&config, async |client| suppressions::suppression(client, command).await).await?;
        }
        Command::Pause { config, command } => {
            with(&config, async |client| pauses::pause(client, command).await).await?;
        }
        Command::Resume { config, what } => with(&config, async |client| pauses::resume(client, what).await).await?,
        Command::Queue { config, command } => with(&config, async |client| queue::run(client, *command).await).await?,
        Command::Trace { config, args } => with(&config, async |client| trace::run(client, args).await).await?,
        Command::TestDelivery { config, test } => {
            return with(&config, async |client| queue::test_delivery(client, test).await).await;
        }
        Command::Reputation { config, days } => {
            with(&config, async |client| reputation::show(client, days).await).await?;
        }
        Command::Bounces { config, args } => with(&config, async |client| bounces::run(client, args).await).await?,
        Command::Warmup { config, command } => with(&config, async |client| warmup::run(client, command).await).await?,
        Command::Explain { config, args } => with(&config, async |client| shaping::explain(client, args).await).await?,
        Command::ExplainMail(asked) => {
            return Ok(if explain_mail::run(&asked)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Inbound { config, args } => {
            let all_good = with(&config, async |client| inbound::run(client, args).await).await?;
            return Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::ReplyAddress { config, command } => {
            with(&config, async |client| replies::addresses(client, command).await).await?;
        }
        Command::Replies { config, command } => {
            with(&config, async |client| replies::replies(client, command).await).await?;
        }
        Command::Rule { config, command } => with(&config, async |client| shaping::rule(client, command).await).await?,
        Command::UnknownTexts { config, command } => {
            with(&config, async |client| unknown_texts::run(client, command).await).await?;
        }
        Command::Automation { config, command } => {
            with(&config, async |client| shaping::automation(client, command).await).await?;
        }
        Command::TlsPolicy { config, domain } => {
            with(&config, async |client| tls::policy(client, &domain).await).await?;
        }
        Command::Demo(options) => return crate::demo::run(options).await,
        Command::Doctor { config } => return with(&config, async |client| check::doctor(client).await).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs one command against the running daemon, or against this process when none runs.
async fn with<T>(config: &ConfigFile, command: impl AsyncFnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let client = Client::open(check::load(config.file.as_deref())?).await?;
    let outcome = command(&client).await;
    client.close().await?;
    outcome
}

/// An error with its causes, each said once.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
