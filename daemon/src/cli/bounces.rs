//! `packetboat bounces`.

use super::client::Client;
use api_types::{BounceFigures, Bounces, Page, Recipient};
use clap::Args;

#[derive(Args)]
pub(crate) struct BouncesArgs {
    /// What to tell them by: class, provider, source, campaign or day.
    #[arg(long, default_value = "class")]
    by: String,
    /// From this day (UTC) on, such as 2027-01-31; a week ago when absent.
    #[arg(long)]
    since: Option<String>,
    /// Up to this day; today when absent.
    #[arg(long)]
    until: Option<String>,
    /// Only this class, such as `bad_mailbox`.
    #[arg(long)]
    class: Option<String>,
    /// Only hard, soft or block.
    #[arg(long)]
    kind: Option<String>,
    /// Only at this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Only from this source.
    #[arg(long)]
    source: Option<String>,
    /// Only of the campaign with this id.
    #[arg(long)]
    campaign: Option<i64>,
    /// Lists so many of the recipients instead, with the servers' words.
    #[arg(long)]
    recipients: Option<u32>,
}

pub(crate) async fn run(client: &Client, args: BouncesArgs) -> anyhow::Result<()> {
    let campaign = args.campaign.map(|id| id.to_string());
    let filters = [
        ("since", &args.since),
        ("until", &args.until),
        ("class", &args.class),
        ("kind", &args.kind),
        ("provider", &args.provider),
        ("source", &args.source),
        ("campaign", &campaign),
    ];
    let escaped = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let filters: String =
        filters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value.as_deref()?)))).collect();
    match args.recipients {
        Some(most) => list(client, &filters, most).await,
        None => {
            let told: Bounces = client.get(&format!("/bounces?by={}{filters}", escaped(&args.by))).await?;
            show(&told);
            Ok(())
        }
    }
}

fn show(told: &Bounces) {
    println!("Refused or given up, {} to {} (UTC)", told.since, told.until);
    let line = |name: &str, figures: &BounceFigures| {
        let BounceFigures { all, hard, soft, block } = figures;
        println!("{name:<28} {all:>8}  {hard:>8} hard  {soft:>8} soft  {block:>8} blocked");
    };
    for row in &told.rows {
        line(&row.name, &row.figures);
        if let Some(reply) = &row.reply {
            println!("    {reply}");
        }
    }
    line("all", &told.total);
}

async fn list(client: &Client, filters: &str, most: u32) -> anyhow::Result<()> {
    let (mut left, mut cursor) = (most, String::new());
    while left > 0 {
        let path = format!("/bounces/recipients?limit={}&cursor={cursor}{filters}", left.min(200));
        let page: Page<Recipient> = client.get(&path).await?;
        for one in &page.items {
            let (at, class) = (one.finished_at.as_deref().unwrap_or(""), one.class.as_deref().unwrap_or("no answer"));
            println!("{:>9}  {at}  {:<32} {class}", one.id, one.address);
            if let Some(reply) = &one.reply {
                println!("    {reply}");
            }
        }
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(left));
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    Ok(())
}
