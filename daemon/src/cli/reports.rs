//! `packetboat reports`.

use super::client::Client;
use super::shaping::encoded;
use api_types::{
    AuthFailure, DmarcCounts, DmarcOverview, DmarcSender, DmarcSenderKind, Done, FeedbackOverview, Listing,
    ReportAlarm, SourceLevel, TlsOverview,
};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum ReportsCommand {
    /// What DMARC reports say: who sends as our domains, and how it fares.
    Dmarc {
        #[command(flatten)]
        period: Period,
    },
    /// What TLS reports about mail to our domains say.
    Tls {
        #[command(flatten)]
        period: Period,
    },
    /// How the sending domains stand at blocklists, and the listings of domains and sources.
    Blocklists {
        /// Asks the blocklists now.
        #[arg(long)]
        check: bool,
    },
    /// Complaints, and returned mail that nobody was found for.
    Feedback {
        /// Over the last so many days, 1 to 400.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Reports of single mails that failed authentication.
    Failures {
        /// Only about this sending domain.
        #[arg(long)]
        domain: Option<String>,
        /// Only those that name a source or a signing key of ours.
        #[arg(long)]
        ours: bool,
    },
    /// Ends an alarm, since what it is about is mended.
    Lift {
        /// Its number.
        id: i64,
    },
}

/// About what, over which time.
#[derive(Args)]
pub(crate) struct Period {
    /// Only this sending domain.
    #[arg(long)]
    domain: Option<String>,
    /// Over the last so many days, 1 to 400.
    #[arg(long, default_value_t = 30)]
    days: u32,
}

impl Period {
    fn query(&self) -> String {
        format!("days={}{}", self.days, about(self.domain.as_deref()))
    }
}

/// The part of a query that asks for one domain.
fn about(domain: Option<&str>) -> String {
    domain.map(|domain| format!("&domain={}", encoded(domain))).unwrap_or_default()
}

pub(crate) async fn run(client: &Client, command: ReportsCommand) -> anyhow::Result<()> {
    match command {
        ReportsCommand::Dmarc { period } => {
            let overview: DmarcOverview = client.get(&format!("/reports/dmarc?{}", period.query())).await?;
            let senders: Vec<DmarcSender> = client.list(&format!("/reports/dmarc/senders?{}", period.query())).await?;
            print!("{}", dmarc(&overview, &senders));
        }
        ReportsCommand::Tls { period } => {
            let overview: TlsOverview = client.get(&format!("/reports/tls?{}", period.query())).await?;
            print!("{}", tls(&overview));
        }
        ReportsCommand::Blocklists { check } => {
            if check {
                let done: Done = client.post("/reports/blocklists/check", &()).await?;
                println!("{}", done.message);
            }
            blocklists(client).await?;
        }
        ReportsCommand::Feedback { days } => {
            let overview: FeedbackOverview = client.get(&format!("/reports/feedback?days={days}")).await?;
            print!("{}", feedback(&overview));
        }
        ReportsCommand::Failures { domain, ours } => {
            let path = format!("/reports/failures?ours={ours}{}", about(domain.as_deref()));
            let all: Vec<AuthFailure> = client.list(&path).await?;
            print!("{}", failures(&all));
        }
        ReportsCommand::Lift { id } => {
            let done: Done = client.post(&format!("/reports/alarms/{id}/lift"), &()).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

/// `part` of `whole`, in percent with one digit.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

fn counts(counts: &DmarcCounts) -> String {
    let of = |part| share(part, counts.messages);
    format!(
        "{:>10} messages  {:>7} pass  {:>7} DKIM  {:>7} SPF",
        counts.messages,
        of(counts.passed),
        of(counts.dkim_pass),
        of(counts.spf_pass)
    )
}

fn alarms(alarms: &[ReportAlarm]) -> String {
    let line = |alarm: &ReportAlarm| format!("ALARM {}  {}: {}\n", alarm.id, alarm.domain, alarm.text);
    alarms.iter().map(line).collect()
}

fn beyond(n: u64) -> String {
    if n == 0 { String::new() } else { format!("{n} more reports came and were only counted.\n") }
}

fn dmarc(overview: &DmarcOverview, senders: &[DmarcSender]) -> String {
    let mut text = alarms(&overview.alarms);
    for domain in &overview.domains {
        text += &format!("{:<32} {:>5} reports {}\n", domain.domain, domain.reports, counts(&domain.counts));
        if let Some(record) = domain.record.as_ref().filter(|_| domain.reports == 0) {
            text += &format!("  to have reports sent here, publish: {} TXT \"{}\"\n", record.name, record.value);
        }
    }
    if !senders.is_empty() {
        text += "\nWho sends as these domains\n";
    }
    for sender in senders {
        let who = match sender.sender {
            DmarcSenderKind::Ours => sender.source.as_deref().unwrap_or("ours"),
            DmarcSenderKind::Aligned => "others that may",
            DmarcSenderKind::Failing => "FAILING",
        };
        let (quarantined, rejected) = (sender.quarantined, sender.rejected);
        text += &format!(
            "{:<40} {who:<16} {}  {quarantined} quarantined, {rejected} rejected\n",
            sender.source_ip,
            counts(&sender.counts)
        );
    }
    text + &beyond(overview.beyond)
}

fn tls(overview: &TlsOverview) -> String {
    let mut text = alarms(&overview.alarms);
    for policy in &overview.policies {
        let all = policy.successful.saturating_add(policy.failed);
        text += &format!(
            "{:<40} {:<16} {all:>10} sessions  {:>7} failed\n",
            policy.domain,
            policy.policy,
            share(policy.failed, all)
        );
    }
    for failure in overview.failures.iter() {
        text += &format!("  {:>10} × {} {} ({})\n", failure.sessions, failure.result, failure.mx, failure.policy);
    }
    if overview.policies.is_empty() {
        text += "No TLS report came in that time.\n";
        for record in &overview.records {
            text += &format!("  to have reports sent here, publish: {} TXT \"{}\"\n", record.name, record.value);
        }
    }
    text + &beyond(overview.beyond)
}

fn failures(all: &[AuthFailure]) -> String {
    if all.is_empty() {
        return "No mail was reported to have failed authentication.\n".to_owned();
    }
    let line = |one: &AuthFailure| {
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let ours = if one.item.is_empty() { String::new() } else { format!("  OURS: {}", one.item) };
        let whom = one.recipient_id.map(|id| format!("  recipient {id}")).unwrap_or_default();
        format!(
            "{}  {:<28} {:<10} from {:<24} {:<10} says {}{ours}{whom}\n",
            one.received_at,
            one.domain,
            or(&one.failure, "not told"),
            or(&one.source_ip, "not told"),
            or(&one.delivery, "-"),
            one.organization,
        )
    };
    all.iter().map(line).collect()
}

async fn blocklists(client: &Client) -> anyhow::Result<()> {
    let checks: Vec<api_types::DomainListing> = client.list("/reports/blocklists").await?;
    if checks.is_empty() {
        println!("No sending domain was looked at yet; `packetboat reports blocklists --check` does so now.");
    }
    for check in checks {
        let level = match check.level {
            SourceLevel::Off => "not asked",
            SourceLevel::Good => "good",
            SourceLevel::Unsure => "unsure",
            SourceLevel::Warning => "LISTED",
            SourceLevel::Bad => "LISTED!",
        };
        println!("{level:<10} {:<32} {:<14} {}  since {}", check.domain, check.list, check.found, check.since);
        if !check.advice.is_empty() {
            println!("{:10} {}", "", check.advice);
        }
    }
    let listings: Vec<Listing> = client.list("/reports/blocklists/listings").await?;
    for one in listings {
        let until = one.gone_at.as_deref().unwrap_or("now");
        println!("{} {} at {}: {} to {until}", one.subject, one.name, one.list, one.since);
    }
    Ok(())
}

fn feedback(overview: &FeedbackOverview) -> String {
    let mut text = String::new();
    let line = |name: &str, delivered: u64, complained: u64| {
        format!("{name:<32} {complained:>8} complaints  {delivered:>10} delivered  {}\n", share(complained, delivered))
    };
    for day in overview.days.iter().filter(|day| day.delivered + day.complained > 0) {
        text += &line(&day.name, day.delivered, day.complained);
    }
    for provider in &overview.providers {
        text += &line(&provider.name, provider.delivered, provider.complained);
    }
    for campaign in &overview.campaigns {
        let name = if campaign.campaign_id.is_some() { &campaign.name } else { "(of no campaign)" };
        text += &line(name, campaign.delivered, campaign.complained);
    }
    if text.is_empty() {
        text += "Nothing was delivered or complained about in that time.\n";
    }
    for reason in &overview.unmatched {
        text += &format!("{:>8} returned mails unmatched: {}\n", reason.count, reason.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::{DmarcDomain, ReportRecord};
    use expect_test::expect;

    #[test]
    fn what_is_printed() {
        let counts = DmarcCounts { messages: 200, dkim_pass: 150, spf_pass: 100, passed: 199 };
        let domain = |domain: &str, reports, counts| DmarcDomain {
            domain: domain.to_owned(),
            reports,
            counts,
            received_at: None,
            record: Some(ReportRecord {
                name: format!("_dmarc.{domain}"),
                value: "v=DMARC1; p=none".to_owned(),
                mailbox: None,
            }),
        };
        let at = "2026-01-05T00:00:00.000Z".to_owned();
        let overview = DmarcOverview {
            days: Vec::new(),
            domains: vec![domain("a.example", 3, counts), domain("b.example", 0, DmarcCounts::default())],
            alarms: vec![ReportAlarm {
                id: 7,
                kind: "dmarc".to_owned(),
                domain: "a.example".to_owned(),
                item: "198.51.100.7".to_owned(),
                organization: "big.example".to_owned(),
                text: "1 of 2 messages fail".to_owned(),
                total: 2,
                failed: 1,
                since: at.clone(),
                latest_at: at.clone(),
                ended_at: None,
                ended_by: None,
            }],
            beyond: 4,
        };
        let sender = DmarcSender {
            source_ip: "198.51.100.7".to_owned(),
            source: Some("mx1".to_owned()),
            sender: DmarcSenderKind::Ours,
            counts,
            quarantined: 1,
            rejected: 0,
            organizations: 2,
            latest_at: at,
        };
        expect![[r#"
            ALARM 7  a.example: 1 of 2 messages fail
            a.example                            3 reports        200 messages   99.5 % pass   75.0 % DKIM   50.0 % SPF
            b.example                            0 reports          0 messages        - pass        - DKIM        - SPF
              to have reports sent here, publish: _dmarc.b.example TXT "v=DMARC1; p=none"

            Who sends as these domains
            198.51.100.7                             mx1                     200 messages   99.5 % pass   75.0 % DKIM   50.0 % SPF  1 quarantined, 0 rejected
            4 more reports came and were only counted.
        "#]]
        .assert_eq(&dmarc(&overview, &[sender]));
    }
}
