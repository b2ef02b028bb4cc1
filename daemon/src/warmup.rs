//! What the warm-ups allow: lines for people, and the forecast for an audience or a queue.

use crate::app::App;
use crate::http::error::ApiError;
use crate::text::time;
use api_types::{CheckLevel, CheckPoint, WarmupAxis, WarmupForecast, WarmupLine, WarmupProvider, WarmupState};
use campaign::segment;
use config::Source;
use futures_util::StreamExt;
use mta::warmup::forecast::{Forecast, Way, forecast};
use mta::warmup::{Plan, Plans, day_of};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use storage::campaign::Campaign;
use storage::warmup::{self, Axis, DomainWarmup, Line, State, Waiting};
use storage::{CampaignId, Connection, DomainId, StorageError, WorkspaceId, contact, domain};

/// Recipient domains whose providers are looked up for a forecast: those with the most recipients.
const DOMAINS_MAX: u32 = 40;
/// Time for those look-ups; what is not known by then counts among the others.
const LOOKUPS_MAX: Duration = Duration::from_secs(5);
/// Look-ups at a time.
const LOOKUPS_AT_ONCE: usize = 16;

/// A line as the API shows it.
pub(crate) fn shape(app: &App, line: Line, domains: &[DomainWarmup]) -> WarmupLine {
    let plan = plan_of(app, &line, domains);
    let today = line.day == day_of(app.now_ms());
    let figures = if today { line.figures } else { warmup::Figures::default() };
    let allowed = plan.as_ref().filter(|_| line.state != State::Done).and_then(|plan| plan.target(line.stage));
    WarmupLine {
        id: line.id,
        axis: match line.key.axis {
            Axis::Source => WarmupAxis::Source,
            Axis::Domain => WarmupAxis::Domain,
        },
        subject: line.key.subject.to_string(),
        provider: line.key.provider.to_string(),
        stages: plan.as_ref().map_or(0, |plan| u32::try_from(plan.stages.len()).unwrap_or(u32::MAX)),
        plan: plan.map(|plan| plan.name.clone()),
        state: match line.state {
            State::Running => WarmupState::Running,
            State::Paused => WarmupState::Paused,
            State::Done => WarmupState::Done,
        },
        stage: line.stage + 1,
        allowed,
        sent: figures.sent,
        delivered: figures.delivered,
        deferred: figures.deferred,
        blocked: figures.blocked,
        bounced: figures.bounced,
        complained: figures.complained,
        note: line.note,
        noted_at: time(line.note_ms),
    }
}

/// The plan that a line follows, if it still follows one.
pub(crate) fn plan_of(app: &App, line: &Line, domains: &[DomainWarmup]) -> Option<Arc<Plan>> {
    let plans = Plans::new(&app.config.warmup_plans);
    match line.key.axis {
        Axis::Source => {
            let source = app.config.sources.iter().find(|source| source.name.as_str() == &*line.key.subject)?;
            plans.of_source(source, &line.key.provider).cloned()
        }
        Axis::Domain => {
            let domain = domains.iter().find(|domain| *domain.domain == *line.key.subject)?;
            plans.get(&domain.plan).cloned()
        }
    }
}

/// The forecast for queued recipients, all of the workspace's or one campaign's.
pub(crate) async fn of_queue(
    app: &App,
    workspace: WorkspaceId,
    campaign: Option<CampaignId>,
) -> Result<WarmupForecast, ApiError> {
    let read = move |c: &Connection| {
        let launch = campaign.map(|id| storage::campaign::find(c, workspace, id)).transpose()?.flatten();
        let total = storage::queue::ledger(c, workspace, campaign)?.queued;
        let waiting = warmup::waiting_by_domain(c, workspace, campaign, DOMAINS_MAX)?;
        Ok((launch, waiting, total))
    };
    let (found, waiting, total) = app.storage.read(read).await?;
    if campaign.is_some() && found.is_none() {
        return Err(ApiError::not_found("campaign"));
    }
    let sender = found.and_then(|campaign| campaign.launch).map(|launch| launch.domain_id);
    foresee(app, waiting, total, sender).await
}

/// The point of the checklist about the warm-up; none where it limits nothing, or where nothing is sent from here.
pub(crate) async fn check_point(
    app: &App,
    workspace: WorkspaceId,
    campaign: Campaign,
) -> Result<Option<CheckPoint>, ApiError> {
    let (pool, now_ms) = (campaign.draft.pool.clone(), app.now_ms());
    let read = move |c: &Connection| {
        let from = mail::Address::parse(&campaign.draft.from_email).ok();
        let sender = from.map(|from| domain::find_by_name(c, workspace, from.domain().as_str())).transpose()?.flatten();
        let sender = sender.map(|domain| domain.id);
        let warms = warmup::domains(c, Some(workspace))?.iter().any(|domain| Some(domain.domain_id) == sender);
        Ok((sender, warms, campaign))
    };
    let (sender, warms, campaign) = app.storage.read(read).await?;
    if app.engine.get().is_none() || !(warms || chain(app, &pool).iter().any(|source| may_warm(source))) {
        return Ok(None);
    }
    let segment = campaign.draft.segment_id;
    let audience = app.storage.read(move |c| {
        let compiled = segment::filter_of(c, workspace, segment)
            .and_then(|condition| segment::compile(c, workspace, &condition, now_ms));
        // What is wrong with the audience is told by its own point.
        let Ok(compiled) = compiled else { return Ok((Vec::new(), 0)) };
        let total = contact::count_matching(c, workspace, &compiled, now_ms)?.matching;
        Ok((contact::domains_matching(c, workspace, &compiled, DOMAINS_MAX)?, total))
    });
    let (domains, total) = audience.await?;
    let waiting = domains.into_iter().map(|(domain, count)| Waiting { pool: pool.clone(), domain, count }).collect();
    let forecast = foresee(app, waiting, total, sender).await?;
    let expiry = app.config.smtp.bulk_expiry;
    let given_up_ms = now_ms.saturating_add(i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX));
    Ok(point(&forecast, &time(given_up_ms)))
}

/// `given_up_at` is when mail of now is given up; moments of the API compare as texts.
fn point(forecast: &WarmupForecast, given_up_at: &str) -> Option<CheckPoint> {
    let name = "warm_up".to_owned();
    let limited = || forecast.providers.iter().filter_map(|at| Some((at, at.allowed_today?)));
    let short: Vec<_> = limited().filter(|(at, allowed)| at.waiting > *allowed).collect();
    if short.is_empty() {
        limited().next()?;
        let message = "The warm-up allows all of it today, spread over the day.".to_owned();
        return Some(CheckPoint { name, level: CheckLevel::Ok, message });
    }
    let told: Vec<String> = short
        .iter()
        .map(|(at, allowed)| format!("{allowed} to {} today, this campaign needs {}", at.provider, at.waiting))
        .collect();
    let end = match &forecast.finishes_at {
        Some(at) => format!("If every day goes well, it finishes about {} (UTC).", spoken(at)),
        None => "It would not be finished within a year.".to_owned(),
    };
    let expires = if forecast.finishes_at.as_deref().is_none_or(|at| at > given_up_at) {
        let end = spoken(given_up_at);
        format!(" What has not left by {end} is given up: raise smtp.bulk_expiry, or write to fewer.")
    } else {
        String::new()
    };
    let message = format!("The warm-up allows {}. {end}{expires}", told.join("; "));
    Some(CheckPoint { name, level: CheckLevel::Warning, message })
}

/// A moment as people say it: `Thursday 2026-01-08 14:00`.
pub(crate) fn spoken(at: &str) -> String {
    let read = at.parse::<jiff::Timestamp>().map(|at| at.to_zoned(jiff::tz::TimeZone::UTC));
    read.map_or_else(|_| at.to_owned(), |at| at.strftime("%A %Y-%m-%d %H:%M").to_string())
}

async fn foresee(
    app: &App,
    waiting: Vec<Waiting>,
    total: u64,
    sender: Option<DomainId>,
) -> Result<WarmupForecast, ApiError> {
    let Some(engine) = app.engine.get() else {
        let message =
            "The daemon does not run, so nobody can say which providers the recipients are at. Start it first.";
        return Err(ApiError::wrong_state(message));
    };
    let look_ups = futures_util::stream::iter(waiting)
        .map(async |row| (engine.provider_of(&row.domain).await, row))
        .buffer_unordered(LOOKUPS_AT_ONCE)
        .take_until(app.clock.sleep(LOOKUPS_MAX));
    let found: Vec<(Option<Arc<str>>, Waiting)> = look_ups.collect().await;
    let mut by_provider: BTreeMap<(String, Arc<str>), u64> = BTreeMap::new();
    for (provider, row) in found {
        if let Some(provider) = provider {
            *by_provider.entry((row.pool, provider)).or_default() += row.count;
        }
    }
    let looked_at: u64 = by_provider.values().sum();
    let now_ms = app.now_ms();
    let ways = Ways { plans: Plans::new(&app.config.warmup_plans), today: day_of(now_ms), now_ms };
    let mut providers = Vec::new();
    let mut ends = Vec::new();
    for ((pool, provider), waiting) in by_provider {
        let sources: Vec<Source> = chain(app, &pool).into_iter().cloned().collect();
        let (at, ways) = (provider.clone(), ways.clone());
        let seen = app.storage.read(move |c| ways.foresee(c, &sources, sender, &at, waiting)).await?;
        let limited = seen.today.is_some();
        ends.extend(limited.then_some(seen.finishes_ms));
        providers.push(WarmupProvider {
            provider: provider.to_string(),
            pool,
            waiting,
            allowed_today: seen.today,
            finishes_at: seen.finishes_ms.filter(|_| limited).map(time),
        });
    }
    providers.sort_by_key(|at| (at.allowed_today.is_none(), std::cmp::Reverse(at.waiting)));
    // The last of all, unless one of them is too far to be seen.
    let end: Option<Vec<i64>> = ends.into_iter().collect();
    let finishes_at = end.and_then(|ends| ends.into_iter().max()).map(time);
    Ok(WarmupForecast { providers, finishes_at, others: total.saturating_sub(looked_at) })
}

/// The enabled sources of a pool and of the pools that it overflows into.
fn chain<'a>(app: &'a App, pool: &str) -> Vec<&'a Source> {
    let by_name: HashMap<&str, &config::Pool> =
        app.config.pools.iter().map(|pool| (pool.name.as_str(), pool)).collect();
    let mut next = Some(by_name.get(pool).copied().unwrap_or_else(|| app.config.default_pool()));
    let mut sources = Vec::new();
    while let Some(pool) = next {
        let member = |member: &config::PoolMember| {
            app.config.sources.iter().find(|source| source.enabled && source.name == member.source)
        };
        sources.extend(pool.sources.iter().filter_map(member));
        next = pool.overflow.as_ref().and_then(|name| by_name.get(name.as_str()).copied());
    }
    sources
}

fn may_warm(source: &Source) -> bool {
    source.warmup.is_some() || source.warmup_providers.iter().any(|at| at.plan.is_some())
}

#[derive(Clone)]
struct Ways {
    plans: Plans,
    today: i64,
    now_ms: i64,
}

impl Ways {
    fn foresee(
        &self,
        c: &Connection,
        sources: &[Source],
        sender: Option<DomainId>,
        provider: &str,
        waiting: u64,
    ) -> Result<Forecast, StorageError> {
        let of_sources: Option<Vec<&Arc<Plan>>> =
            sources.iter().map(|source| self.plans.of_source(source, provider)).collect();
        let mut seen = Forecast::open(self.now_ms);
        // A source that is warm there takes everything.
        if let Some(plans) = of_sources {
            let mut ways = Vec::new();
            for (source, plan) in sources.iter().zip(plans) {
                let line = warmup::at(c, Axis::Source, source.name.as_str(), provider)?;
                ways.push(self.way(plan, line.as_ref()));
            }
            seen = forecast(waiting, &ways, self.now_ms);
        }
        let domains = warmup::domains(c, None)?;
        let warming = domains.iter().find(|domain| Some(domain.domain_id) == sender);
        if let Some((domain, plan)) = warming.and_then(|domain| Some((domain, self.plans.get(&domain.plan)?))) {
            let line = warmup::at(c, Axis::Domain, &domain.domain, provider)?;
            seen = seen.and(forecast(waiting, &[self.way(plan, line.as_ref())], self.now_ms));
        }
        Ok(seen)
    }

    fn way<'p>(&self, plan: &'p Plan, line: Option<&Line>) -> Way<'p> {
        let Some(line) = line else { return Way { plan, stage: 0, paused: false, sent: 0 } };
        // Behind the last stage nothing is limited.
        let stage = if line.state == State::Done { u32::MAX } else { line.stage };
        let sent = if line.day == self.today { line.figures.sent } else { 0 };
        Way { plan, stage, paused: line.state == State::Paused, sent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checklist_says_how_long_it_takes() {
        let at = |provider: &str, waiting, allowed_today: Option<u64>| WarmupProvider {
            provider: provider.to_owned(),
            pool: "default".to_owned(),
            waiting,
            allowed_today,
            finishes_at: None,
        };
        let told = |providers: Vec<WarmupProvider>, finishes_at: Option<&str>| {
            let forecast = WarmupForecast { providers, finishes_at: finishes_at.map(str::to_owned), others: 0 };
            point(&forecast, "2026-01-09T00:00:00.000Z")
                .map(|point| format!("{:?}: {}", point.level, point.message))
                .unwrap_or_default()
        };
        let thursday = Some("2026-01-08T14:00:00.000Z");
        let (google, gmx) = (at("Google", 11_200, Some(4_000)), at("GMX", 50, Some(200)));
        assert_eq!(told(vec![at("Google", 11_200, None)], None), "");
        assert_eq!(told(vec![gmx.clone()], thursday), "Ok: The warm-up allows all of it today, spread over the day.");
        assert_eq!(
            told(vec![google.clone(), gmx], thursday),
            "Warning: The warm-up allows 4000 to Google today, this campaign needs 11200. If every day goes well, it \
             finishes about Thursday 2026-01-08 14:00 (UTC)."
        );
        let too_late =
            "What has not left by Friday 2026-01-09 00:00 is given up: raise smtp.bulk_expiry, or write to fewer.";
        assert!(
            told(vec![google.clone()], None).ends_with(&format!("It would not be finished within a year. {too_late}"))
        );
        assert!(told(vec![google], Some("2026-01-09T00:00:01.000Z")).ends_with(too_late));
    }
}
