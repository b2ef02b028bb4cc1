//! `packetboat message`.

use super::client::Client;
use anyhow::Context;
use api_types::{AcceptedMessage, Done, Message, MessageDetail, NewMessage, Notify, Page};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(crate) enum MessageCommand {
    /// Sends a message: written here, or whole with --raw.
    Send(Box<SendOptions>),
    /// Lists messages, newest first.
    List(ListOptions),
    /// Prints a message with what happened to each of its recipients.
    Show {
        /// The id.
        id: i64,
    },
    /// Cancels a message for every recipient that it was not sent to yet.
    Cancel {
        /// The id.
        id: i64,
    },
}

#[derive(Args)]
pub(crate) struct SendOptions {
    /// To whom; repeat it for more.
    #[arg(long, required = true)]
    to: Vec<String>,
    /// Who gets a copy; repeat it for more.
    #[arg(long)]
    cc: Vec<String>,
    /// Who gets a copy unseen; repeat it for more.
    #[arg(long)]
    bcc: Vec<String>,
    /// The author, at one of the sending domains.
    #[arg(long, required_unless_present = "raw")]
    from: Option<String>,
    /// The subject.
    #[arg(long)]
    subject: Option<String>,
    /// The plain text.
    #[arg(long)]
    text: Option<String>,
    /// File with the HTML.
    #[arg(long, value_name = "FILE")]
    html_file: Option<PathBuf>,
    /// File with the whole message (RFC 5322) instead of author, subject and text.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "subject", "text", "html_file"])]
    raw: Option<PathBuf>,
    /// The stream that it belongs to.
    #[arg(long)]
    stream: Option<String>,
    /// A word to find it by; repeat it for more.
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Where reports by mail go, at one of the sending domains.
    #[arg(long, value_name = "ADDRESS")]
    return_path: Option<String>,
    /// What is reported there: failure, delay or success; repeat it for more. Without it failures are.
    #[arg(long, value_name = "WHAT", requires = "return_path", value_parser = notify)]
    notify: Vec<Notify>,
    /// When to send it, such as 2026-01-31T08:00:00Z.
    #[arg(long)]
    send_at: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListOptions {
    /// Only to this address.
    #[arg(long)]
    to: Option<String>,
    /// Only with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only with a recipient in this state: queued, delivered, bounced, ...
    #[arg(long)]
    state: Option<String>,
    /// Only with a recipient whose last answer was of this class, such as `mailbox_full`.
    #[arg(long)]
    class: Option<String>,
    /// Only with a recipient at this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Only with a recipient whose last attempt went from this source.
    #[arg(long)]
    source: Option<String>,
    /// Only whose From address contains this.
    #[arg(long)]
    from: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(crate) async fn run(client: &Client, command: MessageCommand) -> anyhow::Result<()> {
    match command {
        MessageCommand::Send(options) => send(client, *options).await,
        MessageCommand::List(options) => list(client, options).await,
        MessageCommand::Show { id } => show(client, id).await,
        MessageCommand::Cancel { id } => {
            let done: Done = client.post(&format!("/messages/{id}/cancel"), &()).await?;
            println!("{}", done.message);
            Ok(())
        }
    }
}

async fn send(client: &Client, options: SendOptions) -> anyhow::Result<()> {
    let html = options.html_file.as_deref().map(read).transpose()?;
    let html = html.map(String::from_utf8).transpose().context("the HTML file is not UTF-8")?;
    let raw = options.raw.as_deref().map(read).transpose()?;
    let new = NewMessage {
        from: options.from,
        to: options.to,
        cc: options.cc,
        bcc: options.bcc,
        subject: options.subject,
        text: options.text,
        html,
        raw: raw.map(|bytes| STANDARD.encode(bytes)),
        stream: options.stream,
        tags: options.tags,
        return_path: options.return_path,
        notify: options.notify,
        send_at: options.send_at,
        ..NewMessage::default()
    };
    let accepted: AcceptedMessage = client.post("/messages", &new).await?;
    println!("Message {} was taken in for {} recipients.", accepted.id, accepted.recipients);
    if !client.daemon_runs() {
        println!("No daemon runs; it is sent when one is started.");
    }
    Ok(())
}

fn notify(word: &str) -> Result<Notify, String> {
    let found = Notify::ALL.into_iter().find(|notify| notify.as_str() == word);
    found.ok_or_else(|| "one of failure, delay, success".to_owned())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn list(client: &Client, options: ListOptions) -> anyhow::Result<()> {
    let filters = [
        ("address", options.to),
        ("tag", options.tag),
        ("state", options.state),
        ("class", options.class),
        ("provider", options.provider),
        ("source", options.source),
        ("from", options.from),
    ];
    let filters: String =
        filters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value.as_deref()?)))).collect();
    let (mut shown, mut cursor) = (0, String::new());
    while shown < options.limit {
        let limit = (options.limit - shown).min(200);
        let page: Page<Message> = client.get(&format!("/messages?limit={limit}&cursor={cursor}{filters}")).await?;
        shown += page.items.len();
        page.items.iter().for_each(line);
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    Ok(())
}

fn line(message: &Message) {
    let more = if message.recipients > 1 { format!(" and {} more", message.recipients - 1) } else { String::new() };
    println!(
        "{:>8}  {}  {:<24} {}{more}: {}",
        message.id,
        message.accepted_at,
        states(message),
        message.first_recipient,
        message.subject
    );
}

fn states(message: &Message) -> String {
    let words: Vec<String> = message.states.iter().map(|state| format!("{} {}", state.count, state.name)).collect();
    words.join(", ")
}

async fn show(client: &Client, id: i64) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let detail: MessageDetail = client.get(&format!("/messages/{id}?limit=200&cursor={cursor}")).await?;
        if cursor.is_empty() {
            heading(&detail.message);
        }
        for one in &detail.recipients.items {
            println!("\n{}: {}", one.recipient.address, one.recipient.state.replace('_', " "));
            // The newest comes first on the wire; people read the other way.
            for entry in one.timeline.iter().rev() {
                println!("  {}  {}", entry.at, entry.summary);
                if let Some(reply) = &entry.reply {
                    println!("    {reply}");
                }
            }
        }
        match detail.recipients.next {
            Some(next) => cursor = next,
            None => return Ok(()),
        }
    }
}

fn heading(message: &Message) {
    println!("Message {} <{}>", message.id, message.header_id);
    println!("From:      {}", message.from);
    println!("Subject:   {}", message.subject);
    println!("Stream:    {}", message.stream);
    if !message.tags.is_empty() {
        println!("Tags:      {}", message.tags.join(", "));
    }
    println!("Taken in:  {} from {} ({})", message.accepted_at, message.submitter, message.origin);
    if message.send_at != message.accepted_at {
        println!("Send at:   {}", message.send_at);
    }
    println!("Standing:  {}", states(message));
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}
