//! `packetboat queue` and `packetboat test-delivery`.

use super::client::Client;
use super::shaping::encoded;
use super::trace;
use anyhow::bail;
use api_types::{
    MatchCount, NewTestDelivery, Page, QueueAction, QueueActionKind, QueueFilter, QueueJob, QueueJobState,
    QueueSummary, Recipient, TestDelivery,
};
use clap::{Args, Subcommand};
use std::process::ExitCode;
use std::time::Duration;

const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// A test that has not ended after this is left alone.
const TEST_LOOKS_MAX: u32 = 120;

/// Which recipients. Without any of them: everybody, which actions want to be told with --all.
#[derive(Args)]
pub(crate) struct Which {
    /// Numbers of recipients.
    ids: Vec<i64>,
    /// In this state: queued, claimed, sending or held.
    #[arg(long)]
    state: Option<String>,
    /// Waiting for this reason: turn, deferred, greylisted, ...
    #[arg(long)]
    reason: Option<String>,
    /// To this recipient domain.
    #[arg(long)]
    domain: Option<String>,
    /// To this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Whose last attempt went from this source.
    #[arg(long)]
    source: Option<String>,
    /// Whose last answer was of this class, such as `greylist` or `mailbox_full`.
    #[arg(long)]
    class: Option<String>,
    /// Of this campaign.
    #[arg(long)]
    campaign: Option<i64>,
    /// Submitted ones, which belong to no campaign.
    #[arg(long)]
    submitted: bool,
    /// Of this stream.
    #[arg(long)]
    stream: Option<String>,
    /// Of this pool.
    #[arg(long)]
    pool: Option<String>,
    /// At least so many minutes old.
    #[arg(long, value_name = "MINUTES")]
    older_than: Option<u64>,
    /// At most so many minutes old.
    #[arg(long, value_name = "MINUTES")]
    younger_than: Option<u64>,
    /// Whose address contains this.
    #[arg(long)]
    address: Option<String>,
}

impl Which {
    fn filter(self) -> QueueFilter {
        QueueFilter {
            state: self.state,
            reason: self.reason,
            domain: self.domain,
            provider: self.provider,
            source: self.source,
            class: self.class,
            campaign_id: self.campaign,
            submitted: self.submitted,
            stream: self.stream,
            pool: self.pool,
            min_age_seconds: self.older_than.map(|minutes| minutes.saturating_mul(60)),
            max_age_seconds: self.younger_than.map(|minutes| minutes.saturating_mul(60)),
            q: self.address,
            ids: self.ids,
        }
    }
}

#[derive(Args)]
pub(crate) struct Order {
    #[command(flatten)]
    which: Which,
    /// Everybody in the queue is meant.
    #[arg(long)]
    all: bool,
    /// Why; kept with each recipient.
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Subcommand)]
pub(crate) enum QueueCommand {
    /// Prints the queue in figures.
    Summary {
        /// The recipient domain whose ages are printed; without it those of everybody.
        #[arg(long)]
        domain: Option<String>,
    },
    /// Lists recipients.
    List {
        #[command(flatten)]
        which: Which,
        /// So many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Prints one recipient with everything that happened to it, and what was said over the wire.
    Show {
        /// Number of the recipient.
        id: i64,
    },
    /// Keeps recipients back until they are released. They expire all the same.
    Hold(Order),
    /// Puts held recipients back into the queue.
    Release(Order),
    /// Makes recipients due at once.
    Retry(Order),
    /// Gives recipients up; their addresses are not suppressed.
    Bounce(Order),
    /// Sends recipients over another pool, or `source:NAME`.
    Reroute {
        /// The pool.
        #[arg(long)]
        to: String,
        #[command(flatten)]
        order: Order,
    },
    /// Lists these actions, newest first.
    Jobs,
    /// Stops an action under way. What is done by then stays done.
    CancelJob {
        /// Number of the job.
        id: i64,
    },
}

pub(crate) async fn run(client: &Client, command: QueueCommand) -> anyhow::Result<()> {
    match command {
        QueueCommand::Summary { domain } => summary(client, domain).await,
        QueueCommand::List { which, limit } => list(client, which.filter(), limit).await,
        QueueCommand::Show { id } => trace::recipient(client, id).await,
        QueueCommand::Hold(order) => act(client, QueueActionKind::Hold, order, None).await,
        QueueCommand::Release(order) => act(client, QueueActionKind::Release, order, None).await,
        QueueCommand::Retry(order) => act(client, QueueActionKind::Retry, order, None).await,
        QueueCommand::Bounce(order) => act(client, QueueActionKind::Bounce, order, None).await,
        QueueCommand::Reroute { to, order } => act(client, QueueActionKind::Reroute, order, Some(to)).await,
        QueueCommand::Jobs => {
            let page: Page<QueueJob> = client.get("/queue/jobs?limit=50").await?;
            page.items.iter().for_each(|job| println!("{}", line(job)));
            Ok(())
        }
        QueueCommand::CancelJob { id } => {
            let job: QueueJob = client.post(&format!("/queue/jobs/{id}/cancel"), &()).await?;
            println!("{}", line(&job));
            Ok(())
        }
    }
}

async fn summary(client: &Client, domain: Option<String>) -> anyhow::Result<()> {
    let domain = domain.map(|name| name.trim().to_lowercase()).unwrap_or_default();
    let path = if domain.is_empty() { "/queue".to_owned() } else { format!("/queue?domain={}", encoded(&domain)) };
    let queue: QueueSummary = client.get(&path).await?;
    println!("{} in the queue, counted at {}", queue.ledger.queued, queue.at);
    let counts = [
        ("state", &queue.states),
        ("waiting for", &queue.reasons),
        ("source", &queue.sources),
        ("stream", &queue.streams),
    ];
    for (title, rows) in counts {
        for row in rows.iter().filter(|row| !row.name.is_empty()) {
            println!("  {title:<12} {:<40} {:>9}", row.name, row.count);
        }
    }
    for (title, rows) in [("provider", &queue.providers), ("domain", &queue.domains)] {
        for row in rows {
            let name = if row.name.is_empty() { "(not known yet)" } else { &row.name };
            let oldest = row.oldest_at.as_deref().map(|at| format!("  oldest {at}")).unwrap_or_default();
            println!("  {title:<12} {name:<40} {:>9}{oldest}", row.count);
        }
    }
    for row in &queue.campaigns {
        println!("  {:<12} {:<40} {:>9}", "campaign", format!("{} ({})", row.name, row.id), row.count);
    }
    if queue.submitted > 0 {
        println!("  {:<12} {:<40} {:>9}", "submitted", "", queue.submitted);
    }
    for line in age_lines(&queue, &domain) {
        println!("{line}");
    }
    for lane in &queue.stalled {
        println!("  no progress: {} from {} since {}: {}", lane.site, lane.source, lane.since, lane.why);
    }
    Ok(())
}

/// How many are how old: of everybody, or of a domain.
fn age_lines(queue: &QueueSummary, domain: &str) -> Vec<String> {
    let of_domain = queue.domains.iter().find(|group| group.name == domain).map(|group| &group.ages);
    let none = Vec::new();
    let ages = if domain.is_empty() { &queue.ages } else { of_domain.unwrap_or(&none) };
    let bound = |seconds: &u64| mta::shaping::span(Duration::from_secs(*seconds));
    let below = queue.age_bounds.iter().map(|seconds| format!("below {}", bound(seconds)));
    let above = queue.age_bounds.last().map(|seconds| format!("{} and more", bound(seconds)));
    let rows = below.chain(above).zip(ages).filter(|(_, count)| **count > 0);
    rows.map(|(name, count)| format!("  {:<12} {name:<40} {count:>9}", "age")).collect()
}

async fn list(client: &Client, filter: QueueFilter, limit: usize) -> anyhow::Result<()> {
    if !filter.ids.is_empty() {
        bail!("to see single recipients use `packetboat queue show NUMBER`");
    }
    let query = query(&filter);
    let mut cursor = String::new();
    let mut shown = 0;
    while shown < limit {
        let rows = (limit - shown).min(200);
        let page: Page<Recipient> = client.get(&format!("/recipients?limit={rows}&cursor={cursor}{query}")).await?;
        shown += page.items.len();
        page.items.iter().for_each(|row| println!("{}", trace::recipient_line(row)));
        match page.next {
            Some(next) => cursor = next,
            None => return Ok(()),
        }
    }
    let count: MatchCount = client.get(&format!("/recipients/count?limit=1{query}")).await?;
    println!("{} of {}{}", shown, count.count, if count.exact { "" } else { " or more" });
    Ok(())
}

/// The filter as the end of a query string.
fn query(filter: &QueueFilter) -> String {
    let text = |value: &Option<String>| value.clone();
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let parts = [
        ("state", text(&filter.state)),
        ("reason", text(&filter.reason)),
        ("domain", text(&filter.domain)),
        ("provider", text(&filter.provider)),
        ("source", text(&filter.source)),
        ("class", text(&filter.class)),
        ("campaign_id", filter.campaign_id.map(|id| id.to_string())),
        ("submitted", filter.submitted.then(|| "true".to_owned())),
        ("stream", text(&filter.stream)),
        ("pool", text(&filter.pool)),
        ("min_age_seconds", number(filter.min_age_seconds)),
        ("max_age_seconds", number(filter.max_age_seconds)),
        ("q", text(&filter.q)),
    ];
    let mut query = String::new();
    for (name, value) in parts {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", encoded(&value)));
        }
    }
    query
}

async fn act(client: &Client, action: QueueActionKind, order: Order, pool: Option<String>) -> anyhow::Result<()> {
    let body = QueueAction { action, filter: order.which.filter(), all: order.all, pool, reason: order.why };
    let mut job: QueueJob = client.post("/queue/actions", &body).await?;
    while job.state == QueueJobState::Running {
        tokio::time::sleep(FOLLOW_EVERY / 10).await;
        job = client.get(&format!("/queue/jobs/{}", job.id)).await?;
    }
    println!("{}", line(&job));
    Ok(())
}

fn line(job: &QueueJob) -> String {
    let action = match job.action {
        QueueActionKind::Hold => "hold",
        QueueActionKind::Release => "release",
        QueueActionKind::Retry => "retry",
        QueueActionKind::Bounce => "bounce",
        QueueActionKind::Reroute => "reroute",
    };
    let state = match job.state {
        QueueJobState::Running => "running",
        QueueJobState::Finished => "finished",
        QueueJobState::Cancelled => "cancelled",
    };
    let of = job.expected.map(|n| format!(" of {n}")).unwrap_or_default();
    format!(
        "{:>5}  {action} {} ({state}): {}{of} looked at, {} changed, {} skipped",
        job.id, job.filter, job.matched, job.changed, job.skipped
    )
}

#[derive(Args)]
pub(crate) struct Test {
    /// To whom.
    address: String,
    /// The source that it must leave from.
    #[arg(long)]
    source: String,
    /// The sending domain that it comes from; the first one when absent.
    #[arg(long)]
    domain: Option<String>,
}

pub(crate) async fn test_delivery(client: &Client, test: Test) -> anyhow::Result<ExitCode> {
    let Test { address, source, domain } = test;
    let mut state: TestDelivery = client.post("/test-deliveries", &NewTestDelivery { address, source, domain }).await?;
    let id = state.recipient.id;
    let mut shown = 0;
    for _ in 0..TEST_LOOKS_MAX {
        // A new attempt begins its conversation anew.
        shown = if state.conversation.len() < shown { 0 } else { shown };
        print!("{}", state.conversation.get(shown..).unwrap_or_default());
        shown = state.conversation.len();
        if state.done || state.recipient.wait_reason.as_deref().is_some_and(|reason| reason != "turn") {
            break;
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
        state = client.get(&format!("/test-deliveries/{id}")).await?;
    }
    println!("{}", trace::recipient_line(&state.recipient));
    Ok(if state.recipient.state == "delivered" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
