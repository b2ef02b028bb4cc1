//! Reputation that acts: the rolling figures of bulk mail are looked at every minute, and what they lead to comes into
//! force as an automation: a warning, a lower rate, a hold, a workspace's suspension.
//!
//! The narrowest that explains the figures is acted upon: what a campaign has been slowed down or held for counts neither
//! for its domain nor for its workspace, and what a domain has been held for not for the workspace; only for the
//! suspension everything counts. What was over, because its time was or because a person lifted it, is not begun again
//! from figures of before.

mod judge;

use crate::hold::{blocking, off_clock};
use crate::housekeeping::release;
use crate::shaping::{Change, Target, target_of};
use crate::shared::Shared;
use config::ReputationSection;
use judge::{Figures, Judgement, Measure, Span, Step, judge};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use storage::automation::{self, Acted, Automation, BY_FIGURES, Scope};
use storage::campaign_run::{self, RunState};
use storage::standing::{self, Hour};
use storage::{AutomationId, CampaignId, StorageError, WorkspaceId};

/// Figures are looked at so often.
const EVERY: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// A campaign that is paused stays so until a person resumes it; what is told of it ends by then.
const PAUSE_TOLD_MS: i64 = 30 * DAY_MS;

/// Looks at the figures as long as the engine runs. Where it is switched off, what it had begun before is over.
pub(crate) async fn watch(shared: Arc<Shared>, limits: ReputationSection) {
    if !limits.acts {
        for row in shared.shaping.register.everywhere() {
            end(&shared, &row, "packetboat.toml");
        }
        return;
    }
    loop {
        shared.clock.sleep(EVERY).await;
        match look(&shared, &limits).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::error!(%error, "the figures of reputation cannot be read; trying again"),
            None => return,
        }
    }
}

/// The figures of one campaign, domain or workspace.
#[derive(Clone, Copy)]
struct Standing {
    workspace: WorkspaceId,
    day: Figures,
    week: Figures,
}

async fn look(shared: &Arc<Shared>, limits: &ReputationSection) -> Option<Result<(), StorageError>> {
    let now_ms = shared.clock.now_ms();
    if let Err(error) = resumed(shared, now_ms).await? {
        return Some(Err(error));
    }
    // What has ended must be on disk before it is asked what has.
    shared.book.flush().await;
    let in_force = shared.shaping.register.everywhere();
    let storage = shared.storage.clone();
    let since_ms = now_ms - WEEK_MS;
    let read = blocking(move || {
        storage.read_blocking(|c| Ok((standing::since(c, since_ms - HOUR_MS)?, automation::acted(c, since_ms)?)))
    });
    let (hours, acted) = match read.await? {
        Ok(found) => found,
        Err(error) => return Some(Err(error)),
    };
    let floors = floors(acted);
    // What has been acted upon; of a narrower subject it counts no more for the wider ones.
    let acted_on = in_force.iter().filter(|row| Step::of_rule(&row.rule) > Some(Step::Warn));
    let mut done: HashSet<Target> = acted_on.filter_map(target_of).collect();
    let in_force: HashSet<Target> = in_force.iter().filter_map(target_of).collect();
    for level in [Scope::Campaign, Scope::Domain, Scope::Workspace] {
        let standings = standings(&hours, level, (&done, &floors), now_ms);
        for (subject, standing) in standings {
            // Lifted just now, after it was read what has ended.
            if in_force.contains(&subject) && shared.shaping.register.first(&subject).is_none() {
                continue;
            }
            match act(shared, limits, &subject, &standing, now_ms).await? {
                Ok(Some(step)) if step > Step::Warn => _ = done.insert(subject),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
    Some(Ok(()))
}

/// From which hour on figures of a subject count: those of before have been acted on.
fn floors(acted: Vec<Acted>) -> HashMap<Target, i64> {
    let floor = |over: Acted| {
        let subject = match over.scope {
            Scope::Workspace => Target::Workspace(over.workspace_id),
            Scope::Domain => Target::Domain(over.workspace_id, over.domain?.into()),
            Scope::Campaign => Target::Campaign(over.campaign_id?),
            _ => return None,
        };
        Some((subject, over.ended_ms - over.ended_ms.rem_euclid(HOUR_MS) + HOUR_MS))
    };
    acted.into_iter().filter_map(floor).collect()
}

/// The subjects that an hour counts for, the narrowest first.
fn subjects(hour: &Hour) -> [Option<Target>; 3] {
    [
        hour.campaign_id.map(Target::Campaign),
        hour.domain.as_deref().map(|domain| Target::Domain(hour.workspace_id, domain.into())),
        Some(Target::Workspace(hour.workspace_id)),
    ]
}

fn level_of(subject: &Target) -> Option<Scope> {
    Some(match subject {
        Target::Campaign(_) => Scope::Campaign,
        Target::Domain(..) => Scope::Domain,
        Target::Workspace(_) => Scope::Workspace,
        _ => return None,
    })
}

/// The figures of every subject of a level.
fn standings(
    hours: &[Hour],
    level: Scope,
    (done, floors): (&HashSet<Target>, &HashMap<Target, i64>),
    now_ms: i64,
) -> HashMap<Target, Standing> {
    let mut standings: HashMap<Target, Standing> = HashMap::new();
    let day_ms = now_ms - DAY_MS - now_ms.rem_euclid(HOUR_MS) + HOUR_MS;
    for hour in hours {
        let all = subjects(hour);
        let Some(place) = all.iter().position(|s| s.as_ref().and_then(level_of) == Some(level)) else { continue };
        let Some(subject) = &all[place] else { continue };
        let is_old = |subject: &Target| floors.get(subject).is_some_and(|floor| hour.hour_ms < *floor);
        if is_old(subject) {
            continue;
        }
        let standing = standings.entry(subject.clone()).or_insert(Standing {
            workspace: hour.workspace_id,
            day: Figures::default(),
            week: Figures::default(),
        });
        let figures = Figures { sent: hour.sent, bounced: hour.bounced, complained: hour.complained };
        standing.week.add(figures);
        let explained = all[..place].iter().flatten().any(|narrower| done.contains(narrower) || is_old(narrower));
        if hour.hour_ms >= day_ms && !explained {
            standing.day.add(figures);
        }
    }
    standings
}

/// What follows from the figures of one subject; the step that is in force afterwards.
async fn act(
    shared: &Arc<Shared>,
    limits: &ReputationSection,
    subject: &Target,
    standing: &Standing,
    now_ms: i64,
) -> Option<Result<Option<Step>, StorageError>> {
    let known = shared.shaping.register.first(subject);
    let in_force = known.as_ref().and_then(|row| Step::of_rule(&row.rule));
    let week = matches!(subject, Target::Workspace(_)).then_some(&standing.week);
    let (step, measure) = match judge(limits, in_force, &standing.day, week) {
        Judgement::Stay => return Some(Ok(in_force)),
        Judgement::Over => {
            known.iter().for_each(|row| end(shared, row, BY_FIGURES));
            return Some(Ok(None));
        }
        Judgement::Step(step, measure) => (step, measure),
    };
    let figures = if step.span() == Span::Week { &standing.week } else { &standing.day };
    let told = figures.told(measure, step.span());
    if let Target::Campaign(campaign) = subject {
        match campaign_goes(shared, (standing.workspace, *campaign), step, &told, now_ms).await? {
            Ok(true) => {}
            // Nothing of it goes out any more.
            Ok(false) => return Some(Ok(in_force)),
            Err(error) => return Some(Err(error)),
        }
    }
    known.iter().for_each(|row| end(shared, row, BY_FIGURES));
    begin(shared, row(limits, subject, standing.workspace, (step, measure), told, now_ms), now_ms);
    Some(Ok(Some(step)))
}

/// Whether a campaign sends; where it does and is to be held, it is paused.
async fn campaign_goes(
    shared: &Arc<Shared>,
    whose: (WorkspaceId, CampaignId),
    step: Step,
    told: &str,
    now_ms: i64,
) -> Option<Result<bool, StorageError>> {
    let storage = shared.storage.clone();
    if step < Step::Hold {
        let running = move || {
            let run = storage.read_blocking(|c| campaign_run::find(c, whose.0, whose.1))?;
            Ok(run.is_some_and(|run| run.state == RunState::Running))
        };
        return blocking(running).await;
    }
    let reason = format!("paused because of its reputation: {told}");
    let pause = campaign_run::Change::Pause;
    blocking(move || storage.queue().write_blocking(move |tx| campaign_run::change(tx, whose, pause, &reason, now_ms)))
        .await
}

/// A campaign that was paused and goes on, or has come to its end: a person has decided.
async fn resumed(shared: &Arc<Shared>, now_ms: i64) -> Option<Result<(), StorageError>> {
    for row in shared.shaping.register.everywhere() {
        let Some(campaign) = row.campaign_id.filter(|_| row.hold_until_ms.is_some_and(|until| now_ms < until)) else {
            continue;
        };
        let (storage, workspace) = (shared.storage.clone(), row.workspace_id);
        let run = off_clock(async move { storage.read(move |c| campaign_run::find(c, workspace, campaign)).await });
        match run.await? {
            Ok(run) if run.as_ref().is_none_or(|run| run.state != RunState::Paused) => end(shared, &row, "resumed"),
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(()))
}

fn row(
    limits: &ReputationSection,
    subject: &Target,
    workspace_id: WorkspaceId,
    (step, measure): (Step, Measure),
    told: String,
    now_ms: i64,
) -> Automation {
    let (scope, domain, campaign_id) = match subject {
        Target::Campaign(id) => (Scope::Campaign, None, Some(*id)),
        Target::Domain(_, domain) => (Scope::Domain, Some(domain.to_string()), None),
        _ => (Scope::Workspace, None, None),
    };
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let until_ms = now_ms
        + match step {
            Step::Hold if scope == Scope::Campaign => PAUSE_TOLD_MS,
            Step::Warn | Step::Slow | Step::Hold => ms(limits.action_time),
            Step::Suspend => ms(limits.suspend_time),
        };
    Automation {
        id: AutomationId(0),
        workspace_id,
        scope,
        source: None,
        site: None,
        provider: String::new(),
        domain,
        campaign_id,
        rule: step.rule(measure),
        hold_until_ms: (step >= Step::Hold).then_some(until_ms),
        rate: (step == Step::Slow).then(|| limits.slow_rate.to_string()),
        connections: None,
        recovers: false,
        alarm: Some(measure.advice().to_owned()),
        reply: told,
        since_ms: now_ms,
        until_ms,
        ended_ms: None,
        ended_by: None,
    }
}

fn begin(shared: &Arc<Shared>, row: Automation, now_ms: i64) {
    let Some(begun) = shared.shaping.register.begin(row, None, now_ms) else { return };
    let Some(row) = begun.row else { return };
    tracing::info!(rule = row.rule, workspace = row.workspace_id.0, "reputation acts: {}", row.reply);
    let told = format!("{}: {}", row.rule, row.reply);
    let holds = row.hold_until_ms.is_some();
    shared.book.automation(Change::Put(Box::new(row), Some((now_ms, told))));
    if holds {
        shared.clear_bulk(now_ms);
    }
}

fn end(shared: &Arc<Shared>, row: &Automation, by: &'static str) {
    let Some(row) = shared.shaping.register.lift(row.id) else { return };
    shared.book.automation(Change::Ended(row.id, shared.clock.now_ms(), Some(by)));
    shared.tasks.spawn(release(shared.clone(), row));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(at: i64, campaign: Option<i64>, domain: &str, bounced: u64) -> Hour {
        Hour {
            hour_ms: at * HOUR_MS,
            workspace_id: WorkspaceId::MAIN,
            campaign_id: campaign.map(CampaignId),
            domain: Some(domain.to_owned()),
            sent: 100,
            bounced,
            complained: 0,
        }
    }

    /// Day and week of each subject of a level, as (bounced of the day, bounced of the week).
    #[test]
    fn the_narrowest_is_acted_upon() {
        let (ws, campaign) = (Target::Workspace(WorkspaceId::MAIN), Target::Campaign(CampaignId(1)));
        let domain = |name: &str| Target::Domain(WorkspaceId::MAIN, name.into());
        let hours =
            [hour(1, Some(1), "a", 1), hour(170, Some(1), "a", 2), hour(171, Some(2), "a", 4), hour(172, None, "b", 8)];
        let now_ms = 172 * HOUR_MS + 5;
        for (what, level, done, floor, subject, expected) in [
            ("a campaign", Scope::Campaign, vec![], None, campaign.clone(), Some((2, 3))),
            ("its domain", Scope::Domain, vec![], None, domain("a"), Some((6, 7))),
            ("submitted mail", Scope::Domain, vec![], None, domain("b"), Some((8, 8))),
            ("everything", Scope::Workspace, vec![], None, ws.clone(), Some((14, 15))),
            ("but for the campaign", Scope::Workspace, vec![campaign.clone()], None, ws.clone(), Some((12, 15))),
            (
                "and for a domain",
                Scope::Workspace,
                vec![campaign.clone(), domain("a")],
                None,
                ws.clone(),
                Some((8, 15)),
            ),
            ("lifted", Scope::Campaign, vec![], Some((campaign.clone(), 171)), campaign.clone(), None),
            ("lifted, its domain", Scope::Domain, vec![], Some((campaign, 171)), domain("a"), Some((4, 7))),
            ("all lifted", Scope::Workspace, vec![], Some((ws.clone(), 172)), ws, Some((8, 8))),
        ] {
            let done: HashSet<Target> = done.into_iter().collect();
            let floors: HashMap<Target, i64> = floor.into_iter().map(|(of, at)| (of, at * HOUR_MS)).collect();
            let found = standings(&hours, level, (&done, &floors), now_ms);
            let found = found.get(&subject).map(|standing| (standing.day.bounced, standing.week.bounced));
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn what_is_over_counts_from_the_next_hour_on() {
        let over = |ended_ms| Acted {
            workspace_id: WorkspaceId::MAIN,
            scope: Scope::Domain,
            domain: Some("a".to_owned()),
            campaign_id: None,
            ended_ms,
        };
        let domain = Target::Domain(WorkspaceId::MAIN, "a".into());
        assert_eq!(floors(vec![over(5 * HOUR_MS + 1)])[&domain], 6 * HOUR_MS);
    }
}
