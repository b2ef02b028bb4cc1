//! The first page, and the doctor.

use crate::app::{App, Shared};
use crate::disk;
use crate::domains;
use crate::http::access::Actor;
use crate::http::campaigns;
use crate::http::error::ApiError;
use crate::http::extract::Json;
use crate::http::queue as queue_page;
use crate::http::reports::notices as reports;
use crate::http::sources;
use crate::incoming;
use crate::text::time;
use crate::webhooks;
use api_types::{CheckLevel, CheckPoint, DomainHealth, HourFigures, Notice, Overview, ProviderDay, SuppressionReason};
use axum::extract::State;
use mta::inbound::pull::MailboxStatus;
use std::collections::BTreeMap;
use storage::automation::{self, Automation, Which};
use storage::event::{self, Kind, Sum};
use storage::queue::{self, Ledger};
use storage::source_check;
use storage::suppression;
use storage::webhook;
use storage::{Connection, StorageError, WorkspaceId, contact, domain, meta, outbox, user};

const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;
/// Providers of the table.
const PROVIDERS_MAX: usize = 12;
/// Domains whose state is looked at.
const DOMAINS_MAX: u32 = 200;
/// Automations, and disabled webhooks, that are looked at for alarms.
const ALARMS_MAX: u32 = 20;
/// Campaigns of the list.
const CAMPAIGNS_MAX: u32 = 5;

/// Figures of the last 24 hours, newest campaigns, and what needs attention.
#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", responses((status = 200, body = Overview)))]
pub(crate) async fn overview(State(app): State<Shared>, actor: Actor) -> Result<Json<Overview>, ApiError> {
    let workspace = actor.workspace;
    let now_ms = app.now_ms();
    let since_ms = now_ms - now_ms.rem_euclid(HOUR_MS) - (HOURS - 1) * HOUR_MS;
    let campaigns = campaigns::newest(&app, workspace, CAMPAIGNS_MAX).await?;
    let free_low = disk::low(&app);
    let found = app.storage.read(move |c| read(c, workspace, since_ms)).await?;
    let hours = hours(&found.hours, since_ms);
    Ok(Json(Overview {
        contacts: found.contacts,
        suppressed: found.suppressed,
        queued: found.ledger.queued,
        delivered_day: hours.iter().map(|hour| hour.delivered).sum(),
        bounced_day: hours.iter().map(|hour| hour.bounced).sum(),
        deferred_day: hours.iter().map(|hour| hour.deferred).sum(),
        hours,
        providers: {
            let mut providers = providers_of_day(&found.providers);
            providers.truncate(PROVIDERS_MAX);
            providers
        },
        campaigns,
        notices: notices(&app, &found, free_low),
    }))
}

struct Found {
    contacts: u64,
    suppressed: u64,
    ledger: Ledger,
    hours: Vec<Sum>,
    providers: Vec<Sum>,
    domains: Vec<(domain::SendingDomain, Vec<domain::DkimKey>)>,
    has_users: bool,
    complaints: u64,
    source_checks: Vec<source_check::SourceCheck>,
    alarms: Vec<Automation>,
    webhooks: Vec<webhook::Webhook>,
    reports: reports::Found,
}

fn read(c: &Connection, workspace: WorkspaceId, since_ms: i64) -> Result<Found, StorageError> {
    let complaints =
        suppression::Filter { reason: Some(SuppressionReason::Complaint), ..suppression::Filter::default() };
    let with_keys = |row: domain::SendingDomain| domain::keys(c, workspace, row.id).map(|keys| (row, keys));
    let domains = domain::list(c, workspace, 0, DOMAINS_MAX)?.into_iter().map(with_keys).collect::<Result<_, _>>()?;
    Ok(Found {
        contacts: contact::count(c, workspace)?,
        suppressed: suppression::count(c, workspace, &suppression::Filter::default())?,
        ledger: queue::ledger(c, workspace, None)?,
        hours: event::by_hour(c, workspace, since_ms)?,
        providers: event::by_provider(c, workspace, since_ms)?,
        domains,
        has_users: user::any(c)?,
        complaints: suppression::count(c, workspace, &complaints)?,
        source_checks: source_check::all(c)?,
        alarms: automation::page(c, workspace, Which::Open, i64::MAX, ALARMS_MAX)?,
        webhooks: webhook::disabled(c, workspace, ALARMS_MAX)?,
        reports: reports::read(c, workspace)?,
    })
}

/// Every hour, those in which nothing happened too.
fn hours(sums: &[Sum], since_ms: i64) -> Vec<HourFigures> {
    let figure = |at_ms: i64, kinds: &[Kind]| {
        let name = at_ms.to_string();
        sums.iter().filter(|sum| sum.name == name && kinds.contains(&sum.kind)).map(|sum| sum.n).sum()
    };
    let hour = |n: i64| {
        let at_ms = since_ms + n * HOUR_MS;
        HourFigures {
            at: time(at_ms),
            delivered: figure(at_ms, &[Kind::Delivered]),
            bounced: figure(at_ms, &[Kind::Bounced]),
            deferred: figure(at_ms, &[Kind::Deferred, Kind::Blocked]),
        }
    };
    (0..HOURS).map(hour).collect()
}

/// The last 24 hours by provider, largest first.
pub(crate) fn providers_of_day(sums: &[Sum]) -> Vec<ProviderDay> {
    let mut by_name: BTreeMap<&str, ProviderDay> = BTreeMap::new();
    for sum in sums.iter().filter(|sum| !sum.name.is_empty()) {
        let day = by_name.entry(&sum.name).or_insert_with(|| ProviderDay {
            provider: sum.name.clone(),
            delivered: 0,
            bounced: 0,
            deferred: 0,
        });
        match sum.kind {
            Kind::Delivered => day.delivered += sum.n,
            Kind::Bounced => day.bounced += sum.n,
            Kind::Deferred | Kind::Blocked => day.deferred += sum.n,
            _ => {}
        }
    }
    let mut days: Vec<ProviderDay> = by_name.into_values().collect();
    days.sort_by_key(|day| std::cmp::Reverse(day.delivered + day.bounced));
    days
}

fn notices(app: &Shared, found: &Found, free_low: Option<u64>) -> Vec<Notice> {
    let notice = |tone: &str, message: String, link: Option<&str>| Notice {
        tone: tone.to_owned(),
        message,
        link: link.map(str::to_owned),
    };
    let mut notices = Vec::new();
    if !found.ledger.holds() {
        let message =
            "The ledger's sum does not hold. Run `packetboat doctor`, keep a copy of the data folder and report it.";
        notices.push(notice("danger", message.to_owned(), Some("/queue")));
    }
    if let Some(free) = free_low {
        let message = format!(
            "Only {free} MiB are left on the server's disk: imports and launches are refused until there is more."
        );
        notices.push(notice("danger", message, None));
    }
    notices.extend(sources::notices(app, &found.source_checks));
    for lane in queue_page::stalled(app) {
        let message = format!(
            "Nothing has left for {} from {} since {}, and {} wait: {}.",
            lane.site, lane.source, lane.since, lane.ready, lane.why
        );
        notices.push(notice("danger", message, Some("/queue")));
    }
    if !found.has_users {
        let message = "Nobody can sign in yet. Add a user with `packetboat user add EMAIL --role owner`.";
        notices.push(notice("warning", message.to_owned(), None));
    }
    if found.domains.is_empty() {
        let message = "No sending domain yet. Add one and publish its records before the first campaign.";
        notices.push(notice("warning", message.to_owned(), Some("/domains")));
    }
    notices.extend(found.domains.iter().filter_map(|(domain, keys)| domain_notice(app, domain, keys)));
    for alarm in &found.alarms {
        if let Some(message) = alarm.alarm.as_deref() {
            notices.push(notice("warning", alarm_text(alarm, message), Some("/providers")));
        }
    }
    notices.extend(found.webhooks.iter().map(|row| notice("danger", webhooks::notice(row), Some("/webhooks"))));
    notices.extend(reports::notices(&found.reports));
    for mailbox in incoming::statuses(app) {
        if let Some(trouble) = &mailbox.trouble {
            let message = format!("The mailbox {} cannot be read: {trouble}.", mailbox.name);
            notices.push(notice("warning", message, None));
        }
        if mailbox.left > 0 {
            notices.push(notice("warning", format!("The mailbox {}: {}.", mailbox.name, left(mailbox.left)), None));
        }
    }
    if app.config.smtp.inbound_listen.is_none() && app.config.mailboxes.is_empty() {
        let message = "There is no return-path listener: bounces that come later are not heard. Set [smtp] inbound_listen, or name a \
             [[mailbox]] that they come to.";
        notices.push(notice("info", message.to_owned(), None));
    }
    if found.complaints > 0 {
        let message =
            format!("{} recipients reported mail as spam. Nothing is sent to them any more.", found.complaints);
        notices.push(notice("warning", message, Some("/suppressions?reason=complaint")));
    }
    notices
}

/// Whom an alarm is about, what was done because of which figures, and what to do.
fn alarm_text(alarm: &Automation, advice: &str) -> String {
    let campaign = alarm.campaign_id.map(|id| format!("campaign {id}"));
    let whose = alarm.domain.as_deref().or(alarm.source.as_deref()).or(campaign.as_deref()).unwrap_or("this workspace");
    if !alarm.scope.is_everywhere() {
        return format!("{whose} at {}: {advice}", alarm.provider);
    }
    let done = match (alarm.hold_until_ms, &alarm.rate) {
        (Some(_), _) if alarm.campaign_id.is_some() => "It is paused. ",
        (Some(_), _) => "Its mail is held, but for what is transactional. ",
        (None, Some(_)) => "Its mail is slowed down, but for what is transactional. ",
        (None, None) => "",
    };
    format!("{whose}: {}. {done}{advice}", alarm.reply)
}

fn domain_notice(app: &App, row: &domain::SendingDomain, keys: &[domain::DkimKey]) -> Option<Notice> {
    let domain = domains::summary(app, row, keys).ok()?;
    let tone = match domain.health {
        DomainHealth::Good => return None,
        DomainHealth::CannotSign => "danger",
        DomainHealth::Unchecked | DomainHealth::Attention | DomainHealth::Broken => "warning",
    };
    Some(Notice {
        tone: tone.to_owned(),
        message: format!("{}: {}", domain.domain, domain.health_reason),
        link: Some(format!("/domains/{}", domain.id)),
    })
}

/// Looks the data over: the ledger's sum, the database files, events on their way. Reads the whole database.
#[utoipa::path(get, path = "/api/v1/doctor", tag = "overview", responses((status = 200, body = Vec<CheckPoint>)))]
pub(crate) async fn doctor(State(app): State<Shared>, actor: Actor) -> Result<Json<Vec<CheckPoint>>, ApiError> {
    let workspace = actor.workspace;
    let (ledger, broken, waiting) = app
        .storage
        .read(move |c| Ok((queue::ledger(c, workspace, None)?, meta::integrity(c)?, outbox::waiting(c)?)))
        .await?;
    let mut points = vec![ledger_point(&ledger)];
    if broken.is_empty() {
        points.push(point("database", CheckLevel::Ok, "the three files are sound".to_owned()));
    }
    for (file, what) in broken {
        points.push(point("database", CheckLevel::Fatal, format!("{file}: {what}; restore it from a backup")));
    }
    points.push(point("events", CheckLevel::Ok, format!("{waiting} on their way to events.db")));
    points.push(match (disk::low(&app), disk::free_bytes(app.storage.dir())) {
        (Some(free), _) => point("disk", CheckLevel::Warning, format!("only {free} MiB are free")),
        (None, Some(free)) => point("disk", CheckLevel::Ok, format!("{} MiB are free", free / (1024 * 1024))),
        (None, None) => point("disk", CheckLevel::Warning, "the system does not say how much is free".to_owned()),
    });
    points.extend(incoming::statuses(&app).into_iter().map(mailbox_point));
    Ok(Json(points))
}

fn mailbox_point(status: MailboxStatus) -> CheckPoint {
    let name = format!("mailbox {}", status.name);
    match (status.trouble, status.good_ms) {
        (Some(trouble), _) => {
            let since = status.trouble_ms.map(time).unwrap_or_default();
            point(&name, CheckLevel::Warning, format!("cannot be read since {since}: {trouble}"))
        }
        (None, Some(_)) if status.left > 0 => point(&name, CheckLevel::Warning, left(status.left)),
        (None, Some(good_ms)) => {
            let message = format!("read at {}, {} mails taken since the start", time(good_ms), status.taken);
            point(&name, CheckLevel::Ok, message)
        }
        (None, None) => point(&name, CheckLevel::Ok, "not read yet".to_owned()),
    }
}

/// Mails that were not taken from a mailbox.
fn left(n: u64) -> String {
    let (mails, are) = if n == 1 { ("mail", "is") } else { ("mails", "are") };
    let most = mta::inbound::REPORT_MAX / (1024 * 1024);
    format!("{n} {mails} {are} left there, larger than {most} MiB; look at them with a mail program, and delete them")
}

fn ledger_point(ledger: &Ledger) -> CheckPoint {
    let sum = format!(
        "{} accepted = {} delivered + {} bounced + {} expired + {} suppressed + {} cancelled + {} unknown + {} queued",
        ledger.accepted,
        ledger.delivered,
        ledger.bounced,
        ledger.expired,
        ledger.suppressed,
        ledger.cancelled,
        ledger.unknown,
        ledger.queued,
    );
    if ledger.holds() {
        return point("ledger", CheckLevel::Ok, sum);
    }
    point("ledger", CheckLevel::Fatal, format!("{sum} does not hold; keep a copy of the data folder and report it"))
}

fn point(name: &str, level: CheckLevel, message: String) -> CheckPoint {
    CheckPoint { name: name.to_owned(), level, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_has_its_place() {
        let sum = |name: &str, kind, n| Sum { name: name.to_owned(), kind, n };
        let sums = [
            sum("3600000", Kind::Delivered, 5),
            sum("3600000", Kind::Blocked, 1),
            sum("3600000", Kind::Deferred, 2),
            sum("0", Kind::Bounced, 4),
        ];
        let hours = hours(&sums, 0);
        assert_eq!(hours.len(), 24);
        assert_eq!((hours[0].delivered, hours[0].bounced, hours[0].deferred), (0, 4, 0));
        assert_eq!((hours[1].delivered, hours[1].bounced, hours[1].deferred), (5, 0, 3));
        assert_eq!(hours[1].at, "1970-01-01T01:00:00.000Z");
    }
}
