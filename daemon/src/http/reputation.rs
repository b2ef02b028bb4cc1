//! Reputation: rolling shares of bounces and complaints, how they stand, and what was done about them.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use crate::http::shaping;
use api_types::{Automation, Page, Reputation, ReputationBy, ReputationLevel, ReputationLimits, ReputationStep};
use axum::extract::State;
use config::ReputationSection;
use serde::Deserialize;
use storage::automation::{self, Scope, Which};
use storage::reputation::{self, By, Figures};
use storage::{Connection, StorageError, WorkspaceId, campaign, workspace};
use utoipa::IntoParams;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Of each sort at most.
const ROWS_MAX: u32 = 50;
/// Automations in force that are looked at.
const ACTIONS_MAX: u32 = 200;

/// Over which time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReputationQuery {
    /// The last so many days, 1 to 30; 1 when absent.
    days: Option<u32>,
}

/// Shares of bounces and complaints by workspace, sending domain, source, provider and campaign; the worst first.
#[utoipa::path(get, path = "/api/v1/reputation", tag = "shaping", params(ReputationQuery),
    responses((status = 200, body = Page<Reputation>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ReputationQuery>,
) -> Result<Json<Page<Reputation>>, ApiError> {
    let days = query.days.unwrap_or(1);
    if !(1..=30).contains(&days) {
        return Err(ApiError::invalid("days", "days must be 1 to 30."));
    }
    let since_ms = app.now_ms() - i64::from(days) * DAY_MS;
    let since_ms = since_ms - since_ms.rem_euclid(HOUR_MS);
    let found = app.storage.read(move |c| {
        let name = workspace::find(c, actor.workspace)?.map(|found| found.name).unwrap_or_default();
        let all =
            By::ALL.into_iter().map(|by| Ok((by, reputation::figures(c, actor.workspace, by, since_ms, ROWS_MAX)?)));
        let all = all.collect::<Result<Vec<_>, storage::StorageError>>()?;
        let actions = actions(c, actor.workspace, &name)?;
        Ok((name, all, actions))
    });
    let (workspace, found, mut actions) = found.await?;
    let mut items = Vec::new();
    for (by, all) in found {
        for figures in all.into_iter().filter(|figures| figures.sent + figures.bounced + figures.complained > 0) {
            let name = if by == By::Workspace { workspace.clone() } else { figures.name.clone() };
            let place = actions.iter().position(|action| action.by == by && action.name == name);
            let action = place.map(|place| actions.swap_remove(place).row);
            items.push(shape(by, name, &figures, &app.config.reputation, action));
        }
    }
    // What is in force is shown though its figures are of before.
    for Action { by, name, row } in actions {
        items.push(shape(by, name, &Figures::default(), &app.config.reputation, Some(row)));
    }
    // Stable: within a level the order of sorts and sizes stays.
    items.sort_by_key(|row| std::cmp::Reverse((row.action.is_some(), row.level)));
    Ok(Json(Page { total: Some(items.len() as u64), items, next: None }))
}

/// From which shares on what is done by itself.
#[utoipa::path(get, path = "/api/v1/reputation/limits", tag = "shaping",
    responses((status = 200, body = ReputationLimits)))]
pub(crate) async fn limits(State(app): State<Shared>) -> Json<ReputationLimits> {
    Json(steps(&app.config.reputation))
}

fn steps(limits: &ReputationSection) -> ReputationLimits {
    let permille = |n: u32| (n > 0).then(|| f64::from(n) / 10.0);
    let percent = |n: u32| (n > 0).then(|| f64::from(n));
    let time = mta::shaping::span(limits.action_time);
    let step = |step: &str, effect: String, bounces: u32, complaints: u32| ReputationStep {
        step: step.to_owned(),
        effect,
        days: 1,
        minimum: limits.minimum,
        bounce_percent: percent(bounces),
        complaint_percent: permille(complaints),
    };
    let slow = format!("Bulk mail goes at {} at most, for {time}.", limits.slow_rate);
    let hold = format!("No bulk mail goes for {time}; a campaign is paused until you resume it.");
    let suspend = format!("No bulk mail of the workspace goes for {}.", mta::shaping::span(limits.suspend_time));
    let suspend = step("suspend", suspend, limits.suspend_bounce_percent, limits.suspend_complaint_permille);
    ReputationLimits {
        acts: limits.acts,
        steps: vec![
            step("warn", "You are told.".to_owned(), limits.bounce_warn_percent, limits.complaint_warn_permille),
            step("slow", slow, limits.bounce_slow_percent, limits.complaint_slow_permille),
            step("hold", hold, limits.bounce_hold_percent, limits.complaint_hold_permille),
            ReputationStep { days: 7, minimum: limits.suspend_minimum, ..suspend },
        ],
    }
}

/// What is in force, of whom.
struct Action {
    by: By,
    name: String,
    row: Automation,
}

fn actions(c: &Connection, workspace: WorkspaceId, its_name: &str) -> Result<Vec<Action>, StorageError> {
    let mut actions = Vec::new();
    for row in automation::page(c, workspace, Which::Open, i64::MAX, ACTIONS_MAX)? {
        let (by, name) = match row.scope {
            Scope::Workspace => (By::Workspace, its_name.to_owned()),
            Scope::Domain => (By::Domain, row.domain.clone().unwrap_or_default()),
            Scope::Campaign => {
                let found = row.campaign_id.map(|id| campaign::find(c, workspace, id)).transpose()?.flatten();
                (By::Campaign, found.map(|found| found.draft.name).unwrap_or_default())
            }
            _ => continue,
        };
        actions.push(Action { by, name, row: shaping::shape(row) });
    }
    Ok(actions)
}

fn shape(
    by: By,
    name: String,
    figures: &Figures,
    limits: &ReputationSection,
    action: Option<Automation>,
) -> Reputation {
    let (level, advice) = judge(figures, limits);
    let percent = |n: u64| (n as f64 * 100_000.0 / figures.sent.max(1) as f64).round() / 1000.0;
    Reputation {
        by: match by {
            By::Workspace => ReputationBy::Workspace,
            By::Domain => ReputationBy::Domain,
            By::Source => ReputationBy::Source,
            By::Provider => ReputationBy::Provider,
            By::Campaign => ReputationBy::Campaign,
        },
        name,
        sent: figures.sent,
        bounced: figures.bounced,
        complained: figures.complained,
        bounced_percent: percent(figures.bounced),
        complained_percent: percent(figures.complained),
        level,
        advice: advice.map(str::to_owned).or_else(|| action.as_ref().and_then(|action| action.alarm.clone())),
        action,
    }
}

/// How figures stand, and what to do. A plain function.
fn judge(figures: &Figures, limits: &ReputationSection) -> (ReputationLevel, Option<&'static str>) {
    use ReputationLevel as L;
    if figures.sent < u64::from(limits.minimum) {
        return (L::Unsure, None);
    }
    let reaches = |n: u64, permille: u32| permille > 0 && n * 1000 >= figures.sent * u64::from(permille);
    let bounces =
        (figures.bounced, "Old or bought addresses bounce: send to those who were engaged lately, and clean the list.");
    let complaints = (
        figures.complained,
        "Recipients report it as spam: look at what is sent, how often, and whether they asked for it.",
    );
    for (level, bounced, complained) in [
        (L::Bad, limits.bounce_hold_percent * 10, limits.complaint_hold_permille),
        (L::Warning, limits.bounce_warn_percent * 10, limits.complaint_warn_permille),
    ] {
        for ((n, advice), permille) in [(complaints, complained), (bounces, bounced)] {
            if reaches(n, permille) {
                return (level, Some(advice));
            }
        }
    }
    (L::Good, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        use ReputationLevel as L;
        let limits = config::Config::default().reputation;
        for ([sent, bounced, complained], expected) in [
            ([999, 999, 999], L::Unsure),
            ([1000, 49, 0], L::Good),
            ([1000, 50, 0], L::Warning),
            ([1000, 100, 0], L::Bad),
            ([1000, 0, 1], L::Warning),
            ([2001, 0, 2], L::Good),
            ([1000, 50, 3], L::Bad),
        ] {
            let figures = Figures { name: String::new(), sent, bounced, complained };
            assert_eq!(judge(&figures, &limits).0, expected, "{sent} {bounced} {complained}");
        }
    }
}
