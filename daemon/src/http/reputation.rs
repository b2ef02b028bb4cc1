//! Reputation: rolling shares of bounces and complaints, and how they stand.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use api_types::{Page, Reputation, ReputationBy, ReputationLevel};
use axum::extract::State;
use config::ReputationSection;
use serde::Deserialize;
use storage::reputation::{self, By, Figures};
use storage::workspace;
use utoipa::IntoParams;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Of each sort at most.
const ROWS_MAX: u32 = 50;

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
        Ok((name, all.collect::<Result<Vec<_>, storage::StorageError>>()?))
    });
    let (workspace, found) = found.await?;
    let mut items = Vec::new();
    for (by, all) in found {
        items.extend(all.into_iter().filter(|figures| figures.sent + figures.bounced + figures.complained > 0).map(
            |figures| {
                let name = if by == By::Workspace { workspace.clone() } else { figures.name.clone() };
                shape(by, name, &figures, &app.config.reputation)
            },
        ));
    }
    // Stable: within a level the order of sorts and sizes stays.
    items.sort_by_key(|row| std::cmp::Reverse(row.level));
    Ok(Json(Page { total: Some(items.len() as u64), items, next: None }))
}

fn shape(by: By, name: String, figures: &Figures, limits: &ReputationSection) -> Reputation {
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
        advice: advice.map(str::to_owned),
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
        (L::Bad, limits.bounce_bad_percent * 10, limits.complaint_bad_permille),
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
