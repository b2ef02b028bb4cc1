//! Reports that are figures: DMARC aggregate reports (RFC 7489 §7.2, RFC 9990) and TLS reports (RFC 8460) about our
//! domains. Each is kept once, for the workspace whose domain it is about, and says whether something of ours fails.
//!
//! Anybody can send them, so a report is only a figure: it changes nothing about mail, who brought it is kept beside it,
//! and a domain has room for so many a day.

mod judge;

use super::Inbound;
use super::report::{Incoming, Settled};
use crate::metric;
use bounce::{DmarcFigures, Report, TlsFailure, TlsFigures, TlsPolicyFigures};
use config::{ReportsSection, SmtpSection, Source};
use futures_util::future::join_all;
pub(super) use judge::{cut, is_possible, owner};
use judge::{sender_of, told_of_policy, told_of_source};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use storage::dmarc_report::{self, DmarcReport, DmarcRow, Kept, Sender, Sums};
use storage::domain::{self, OwnDomain};
use storage::event::{Event, Kind};
use storage::report_alarm::{self, Change, Told};
use storage::tls_report::{self, FailureRow, PolicyRow, TlsHeard};
use storage::{StorageError, WorkspaceId, outbox};
use world::Dns;

/// How long the look for our own public addresses may take; a report is not held up by it.
const LOOK_UP_MAX: Duration = Duration::from_secs(5);

/// What taking reports of figures needs.
pub struct Figures {
    /// DMARC reports come to this local part at every return-path domain.
    dmarc: String,
    /// TLS reports likewise.
    tlsrpt: String,
    /// Finds the addresses that our names have in public.
    dns: Arc<dyn Dns>,
    /// `[[source]]`: a report of theirs is about us.
    sources: Vec<Source>,
    /// `[reports]`
    settings: ReportsSection,
}

impl Figures {
    /// Takes reports as the configuration says.
    pub fn new(smtp: &SmtpSection, settings: ReportsSection, sources: Vec<Source>, dns: Arc<dyn Dns>) -> Figures {
        Figures {
            dmarc: smtp.dmarc_local_part.to_string(),
            tlsrpt: smtp.tlsrpt_local_part.to_string(),
            dns,
            sources,
            settings,
        }
    }

    /// Whether reports come to this local part.
    pub(super) fn is_address(&self, local: &str) -> bool {
        local.eq_ignore_ascii_case(&self.dmarc) || local.eq_ignore_ascii_case(&self.tlsrpt)
    }

    /// Reports of one kind about one domain that are kept in a day.
    pub(super) fn daily_max(&self) -> u32 {
        self.settings.daily_max
    }

    /// Reports of failed authentication about one thing of ours within a day, from which on there is an alarm.
    pub(super) fn auth_alarm_reports(&self) -> u32 {
        self.settings.auth_alarm_reports
    }

    /// Our addresses, each with the source's name: those of the configuration, and those that the EHLO names have, since
    /// others see a source behind a translator under that one.
    pub(super) async fn own(&self, hostname: &str) -> HashMap<IpAddr, String> {
        let names = self.sources.iter().map(|source| (source.ehlo.as_str(), source.name.as_str()));
        let names: BTreeMap<&str, &str> = [(hostname, hostname)].into_iter().chain(names).collect();
        let look = names.into_iter().map(async |(host, source)| {
            let ips = self.dns.addresses(host).await.unwrap_or_default();
            ips.into_iter().map(|ip| (ip, source.to_owned())).collect::<Vec<_>>()
        });
        // Without an answer a report is read by the addresses that are known.
        let found = tokio::time::timeout(LOOK_UP_MAX, join_all(look)).await.unwrap_or_default();
        let configured = self.sources.iter().filter_map(|source| Some((source.ip?, source.name.to_string())));
        found.into_iter().flatten().chain(configured).collect()
    }
}

/// Keeps what a DMARC or TLS report tells of domains of ours.
pub(super) async fn settle(inbound: &Inbound, report: &Report, incoming: &Incoming) -> Result<Settled, StorageError> {
    match (&report.dmarc, &report.tls) {
        (Some(figures), _) => dmarc(inbound, figures, incoming).await,
        (None, Some(figures)) => tls(inbound, figures, incoming).await,
        (None, None) => Ok(Settled::No("it is no DMARC or TLS report")),
    }
}

const NO_DOMAIN: &str = "the report is about no domain of ours";
const NO_TIME: &str = "the report does not tell of a time that is possible";

async fn dmarc(inbound: &Inbound, figures: &DmarcFigures, incoming: &Incoming) -> Result<Settled, StorageError> {
    let now_ms = inbound.clock.now_ms();
    let millis = |seconds: u64| i64::try_from(seconds).ok()?.checked_mul(1000);
    let span = millis(figures.begin_s).zip(millis(figures.end_s)).filter(|span| is_possible(*span, now_ms));
    let Some((begin_ms, end_ms)) = span else { return Ok(Settled::No(NO_TIME)) };
    let candidates = candidates(inbound, &figures.domain).await?;
    let own = inbound.figures.own(inbound.hostname.as_str()).await;
    let mut by_owner: BTreeMap<usize, Vec<DmarcRow>> = BTreeMap::new();
    for row in &figures.rows {
        if let Some(n) = owner(&candidates, &figures.domain, &row.header_from) {
            by_owner.entry(n).or_default().push(kept_row(row, &own, &candidates[n]));
        }
    }
    if by_owner.is_empty() {
        return Ok(Settled::No(NO_DOMAIN));
    }
    for (n, rows) in by_owner {
        let of = &candidates[n];
        let report = DmarcReport {
            id: 0,
            domain: of.domain.clone(),
            policy_domain: cut(&figures.domain),
            organization: cut(&figures.organization),
            report_id: cut(&figures.report_id),
            policy: figures.policy.clone(),
            begin_ms,
            end_ms,
            received_ms: now_ms,
            bytes: incoming.message.len() as u64,
            brought_by: incoming.peer.clone(),
            sums: Sums::default(),
            rows_left: 0,
        };
        let told = told_of_sources(&report, &rows, &own, inbound.figures.settings.dmarc_alarm_messages);
        let (workspace, daily_max) = (of.workspace_id, inbound.figures.settings.daily_max);
        let kept = inbound.storage.events().write(move |tx| {
            let kept = dmarc_report::keep(tx, workspace, &report, rows, daily_max)?;
            Ok((kept, if kept == Kept::New { tell(tx, workspace, told, now_ms)? } else { Vec::new() }))
        });
        let (kept, changes) = kept.await?;
        count("dmarc", kept);
        say(inbound, workspace, changes, now_ms).await?;
    }
    Ok(Settled::Did { recipient: None, what: "the report is kept" })
}

/// A row as it is kept.
fn kept_row(row: &bounce::DmarcRow, own: &HashMap<IpAddr, String>, of: &OwnDomain) -> DmarcRow {
    let signature = |s: &bounce::DmarcSignature| format!("{}._domainkey.{}={}", s.selector, s.domain, s.result);
    let signatures: Vec<String> = row.signatures.iter().map(signature).collect();
    DmarcRow {
        source_ip: row.source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        sender: sender_of(row, own, &of.return_path_domain),
        messages: row.messages,
        dkim_pass: row.dkim_pass,
        spf_pass: row.spf_pass,
        disposition: row.disposition.clone(),
        header_from: cut(&row.header_from.to_ascii_lowercase()),
        envelope_from: cut(&row.envelope_from.to_ascii_lowercase()),
        signatures: cut(&signatures.join(" ")),
        spf: row.spf.as_ref().map(|(domain, result)| cut(&format!("{domain}={result}"))).unwrap_or_default(),
    }
}

/// What the report says of each source of ours in it.
fn told_of_sources(report: &DmarcReport, rows: &[DmarcRow], own: &HashMap<IpAddr, String>, least: u32) -> Vec<Told> {
    let mut by_ip: BTreeMap<&str, Vec<&DmarcRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.sender == Sender::Ours) {
        by_ip.entry(&row.source_ip).or_default().push(row);
    }
    if least == 0 {
        return Vec::new();
    }
    let told = |(ip, rows): (&str, Vec<&DmarcRow>)| {
        let name = ip.parse().ok().and_then(|ip: IpAddr| own.get(&ip)).map(String::as_str);
        told_of_source(report, (ip, name), &rows, u64::from(least))
    };
    by_ip.into_iter().map(told).collect()
}

async fn tls(inbound: &Inbound, figures: &TlsFigures, incoming: &Incoming) -> Result<Settled, StorageError> {
    let now_ms = inbound.clock.now_ms();
    let millis = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    let span = millis(&figures.begin).zip(millis(&figures.end)).filter(|span| is_possible(*span, now_ms));
    let Some((begin_ms, end_ms)) = span else { return Ok(Settled::No(NO_TIME)) };
    let mut by_owner: BTreeMap<(WorkspaceId, String), Vec<&TlsPolicyFigures>> = BTreeMap::new();
    // A report is about one domain, or about several of one organization: few enough to ask for each.
    for policy in figures.policies.iter().take(tls_report::ROWS_MAX) {
        let candidates = candidates(inbound, &policy.domain).await?;
        if let Some(n) = owner(&candidates, &policy.domain, &policy.domain) {
            let of = &candidates[n];
            by_owner.entry((of.workspace_id, of.domain.clone())).or_default().push(policy);
        }
    }
    if by_owner.is_empty() {
        return Ok(Settled::No(NO_DOMAIN));
    }
    for ((workspace, domain), policies) in by_owner {
        let sum = |of: fn(&TlsPolicyFigures) -> u64| policies.iter().fold(0u64, |sum, p| sum.saturating_add(of(p)));
        let report = TlsHeard {
            id: 0,
            domain,
            organization: cut(&figures.organization),
            report_id: cut(&figures.report_id),
            begin_ms,
            end_ms,
            received_ms: now_ms,
            bytes: incoming.message.len() as u64,
            brought_by: incoming.peer.clone(),
            successful: sum(|policy| policy.successful),
            failed: sum(|policy| policy.failed),
        };
        let percent = u64::from(inbound.figures.settings.tls_alarm_percent);
        let told: Vec<Told> = match percent {
            0 => Vec::new(),
            percent => policies.iter().map(|policy| told_of_policy(&report, policy, percent)).collect(),
        };
        let failures: Vec<FailureRow> = policies
            .iter()
            .flat_map(|policy| policy.failures.iter().map(|one| kept_failure(&policy.policy, one)))
            .collect();
        let policies: Vec<PolicyRow> = policies.into_iter().map(kept_policy).collect();
        let daily_max = inbound.figures.settings.daily_max;
        let kept = inbound.storage.events().write(move |tx| {
            let kept = tls_report::keep(tx, workspace, &report, (&policies, &failures), daily_max)?;
            Ok((kept, if kept == Kept::New { tell(tx, workspace, told, now_ms)? } else { Vec::new() }))
        });
        let (kept, changes) = kept.await?;
        count("tls", kept);
        say(inbound, workspace, changes, now_ms).await?;
    }
    Ok(Settled::Did { recipient: None, what: "the report is kept" })
}

fn kept_policy(policy: &TlsPolicyFigures) -> PolicyRow {
    PolicyRow {
        policy_domain: cut(&policy.domain.to_ascii_lowercase()),
        policy: cut(&policy.policy),
        successful: policy.successful,
        failed: policy.failed,
    }
}

fn kept_failure(policy: &str, failure: &TlsFailure) -> FailureRow {
    FailureRow {
        policy: cut(policy),
        result: cut(&failure.result),
        mx: cut(&failure.mx),
        sending_ip: cut(&failure.sending_ip),
        sessions: failure.sessions,
        detail: cut(&failure.detail),
    }
}

/// Domains of ours that a report about `name` can be about. A public suffix is nobody's own, so it names none.
pub(super) async fn candidates(inbound: &Inbound, name: &str) -> Result<Vec<OwnDomain>, StorageError> {
    let Ok(name) = mail::Domain::parse(name.trim_end_matches('.')) else { return Ok(Vec::new()) };
    if psl::domain(name.as_str().as_bytes()).is_none() {
        return Ok(Vec::new());
    }
    inbound.storage.read(move |c| domain::about(c, name.as_str())).await
}

/// Lets alarms begin and end; says which did.
pub(super) fn tell(
    tx: &storage::Connection,
    workspace: WorkspaceId,
    told: Vec<Told>,
    now_ms: i64,
) -> Result<Vec<(Told, Change)>, StorageError> {
    let mut changes = Vec::new();
    for told in told {
        match report_alarm::tell(tx, workspace, &told, now_ms)? {
            Change::None => {}
            change => changes.push((told, change)),
        }
    }
    Ok(changes)
}

pub(super) fn count(kind: &'static str, kept: Kept) {
    let outcome = match kept {
        Kept::New => "kept",
        Kept::Known => "known",
        Kept::Beyond => "beyond",
    };
    metrics::counter!(metric::FIGURES, "kind" => kind, "outcome" => outcome).increment(1);
}

/// Says in the log and by events what began and what ended.
pub(super) async fn say(
    inbound: &Inbound,
    workspace: WorkspaceId,
    changes: Vec<(Told, Change)>,
    now_ms: i64,
) -> Result<(), StorageError> {
    if changes.is_empty() {
        return Ok(());
    }
    let line = |(told, change): (Told, Change)| {
        let domain = &told.domain;
        match told.text {
            Some(text) => {
                tracing::warn!(%domain, "a report tells of failing mail: {text}");
                (change, format!("{domain}: {text}"))
            }
            None => (change, format!("{domain}: {} is well again, says {}", told.item, told.organization)),
        }
    };
    let lines: Vec<(Change, String)> = changes.into_iter().map(line).collect();
    let write = move |tx: &storage::Transaction<'_>| {
        for (change, text) in &lines {
            let kind = if *change == Change::Began { Kind::AlarmBegan } else { Kind::AlarmEnded };
            outbox::put(tx, &Event { text: Some(text), ..Event::new(now_ms, workspace, kind) })?;
        }
        Ok(())
    };
    inbound.storage.queue().write(write).await
}
