//! `packetboat trace`: everything about one recipient, or everything that was sent to one address; and the recipients
//! of a campaign.

use super::client::Client;
use api_types::{AddressTrace, Page, Recipient, RecipientDetail, ResponseSum, Suppression, TimelineEntry};
use clap::Args;

#[derive(Args)]
pub(crate) struct TraceArgs {
    /// The number of a recipient, or a whole address.
    what: String,
    /// Of an address, so many mails at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(crate) async fn run(client: &Client, args: TraceArgs) -> anyhow::Result<()> {
    match args.what.parse() {
        Ok(id) => recipient(client, id).await,
        Err(_) => address(client, &args.what, args.limit).await,
    }
}

/// One recipient, from where it came from to what came back.
pub(super) async fn recipient(client: &Client, id: i64) -> anyhow::Result<()> {
    let RecipientDetail { recipient, timeline, notes } = client.get(&format!("/recipients/{id}")).await?;
    println!("{}", recipient_line(&recipient));
    for (name, value) in [
        ("campaign", &recipient.campaign),
        ("provider", &recipient.provider),
        ("source", &recipient.source),
        ("pool", &recipient.pool),
    ] {
        if let Some(value) = value {
            println!("  {name:<10} {value}");
        }
    }
    // The newest comes first on the wire; people read the other way.
    timeline.iter().rev().for_each(print_entry);
    notes.iter().for_each(|note| println!("({note})"));
    Ok(())
}

fn print_entry(entry: &TimelineEntry) {
    println!("{}  {}", entry.at, entry.summary);
    let way = [entry.source.as_deref(), entry.mx.as_deref(), entry.tls.as_deref()];
    let way: Vec<&str> = way.into_iter().flatten().collect();
    if let Some(attempt) = entry.attempt {
        let way = if way.is_empty() { String::new() } else { format!(", {}", way.join(" -> ")) };
        println!("    attempt {attempt}{way}, {} ms", entry.took_ms.unwrap_or_default());
    }
    if let Some(class) = &entry.class {
        println!("    {}", class.replace('_', " "));
    }
    if let Some(reply) = &entry.reply {
        println!("    {}", reply.replace('\n', "\n    "));
    }
    for line in entry.conversation.iter().flat_map(|talk| talk.lines()) {
        println!("    | {line}");
    }
}

async fn address(client: &Client, address: &str, most: usize) -> anyhow::Result<()> {
    let address: String = address.bytes().map(|b| format!("%{b:02X}")).collect();
    let (mut shown, mut cursor) = (0, String::new());
    while shown < most {
        let rows = (most - shown).min(200);
        let path = format!("/trace?address={address}&limit={rows}&cursor={cursor}");
        let told: AddressTrace = client.get(&path).await?;
        if cursor.is_empty() {
            heading(&told);
        }
        shown += told.recipients.items.len();
        told.recipients.items.iter().for_each(|row| println!("{}", sent_line(row)));
        match told.recipients.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    Ok(())
}

fn heading(told: &AddressTrace) {
    println!("{}", told.address);
    let standing = &told.standing;
    if let Some(id) = standing.contact_id {
        println!("  contact {id}");
    }
    for Suppression { id, reason, origin, created_at, expires_at, global, .. } in &standing.suppressions {
        let reason = storage::suppression::reason_word(*reason).replace('_', " ");
        let until = expires_at.as_deref().map(|at| format!(" until {at}")).unwrap_or_default();
        let whose = if *global { ", in every workspace" } else { "" };
        println!("  suppressed since {created_at}{until}{whose}: {reason}: {origin} ({id})");
    }
    if standing.soft_bounces > 0 {
        println!("  refused for now {} times that count against it", standing.soft_bounces);
    }
    for ResponseSum { response, count, last_at } in &standing.responses {
        println!("  {response} {count} times, at last {last_at}");
    }
    if told.recipients.items.is_empty() {
        println!("Nothing was sent to it in the last {} days.", told.kept_days);
    }
}

fn sent_line(row: &Recipient) -> String {
    let from = match (&row.campaign, row.message_id) {
        (Some(name), _) => format!("campaign {name}"),
        (None, Some(id)) => format!("message {id}"),
        (None, None) => row.campaign_id.map(|id| format!("campaign {id}")).unwrap_or_default(),
    };
    format!("{}  {from}: {}", row.accepted_at, recipient_line(row))
}

pub(super) fn recipient_line(row: &Recipient) -> String {
    let waits = row.wait_reason.as_deref().map(|reason| format!(" ({})", reason.replace('_', " "))).unwrap_or_default();
    let due = row.due_at.as_deref().map(|at| format!("  next {at}")).unwrap_or_default();
    let reply = row.reply.as_deref().map(|reply| format!("  {}", reply.replace('\n', " "))).unwrap_or_default();
    format!("{:>9}  {:<40} {}{waits}, attempts {}{due}{reply}", row.id, row.address, row.state, row.attempts)
}

/// Which recipients of a campaign.
#[derive(Args)]
pub(crate) struct CampaignRecipients {
    /// The campaign's number.
    id: i64,
    /// In this state: delivered, bounced, deferred, ...
    #[arg(long)]
    state: Option<String>,
    /// At this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Whose last attempt went from this source.
    #[arg(long)]
    source: Option<String>,
    /// Whose last answer was of this class, such as `bad_mailbox`.
    #[arg(long)]
    class: Option<String>,
    /// Who did this: unsubscribed, left, complained or replied.
    #[arg(long)]
    response: Option<String>,
    /// Whose address contains this.
    #[arg(long)]
    address: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) async fn of_campaign(client: &Client, which: CampaignRecipients) -> anyhow::Result<()> {
    let filters = [
        ("state", which.state),
        ("provider", which.provider),
        ("source", which.source),
        ("class", which.class),
        ("response", which.response),
        ("q", which.address),
    ];
    let escaped = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let filters: String =
        filters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value.as_deref()?)))).collect();
    let (mut shown, mut cursor) = (0, String::new());
    while shown < which.limit {
        let rows = (which.limit - shown).min(200);
        let path = format!("/campaigns/{}/recipients?limit={rows}&cursor={cursor}{filters}", which.id);
        let page: Page<Recipient> = client.get(&path).await?;
        shown += page.items.len();
        page.items.iter().for_each(|row| println!("{}", recipient_line(row)));
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    Ok(())
}
