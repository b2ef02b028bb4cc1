//! Bounces told apart by class, provider, source, campaign and day, and the recipients behind each figure.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, limit};
use crate::http::queue as queue_page;
use crate::http::timeline::campaign_names;
use api_types::{BounceFigures, BounceRow, Bounces, Page, Recipient};
use axum::extract::State;
use bounce::Kind;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mail::{BounceClass, RecipientState, Severity};
use serde::Deserialize;
use storage::bounces::{self, By, DAY_MS, Ending, Figures, Filter};
use storage::queue;
use storage::{CampaignId, Connection, RecipientId, StorageError, WorkspaceId};
use utoipa::IntoParams;

/// Rows at most.
const ROWS_MAX: u32 = 200;
/// What asks for those without a class, provider or source.
const NAMELESS: &str = "-";
/// Days that are looked at when the request does not say.
const DAYS_DEFAULT: i64 = 7;

/// Which bounces.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BouncesQuery {
    /// `class` (when absent), `provider`, `source`, `campaign` or `day`. Of the list of recipients without meaning.
    by: Option<String>,
    /// The first day (UTC) on which the mail was finished, such as 2027-01-31; a week ago when absent.
    since: Option<String>,
    /// The last one; today when absent.
    until: Option<String>,
    /// Only this class; `-` for those without an answer.
    class: Option<String>,
    /// Only `hard`, `soft` or `block`.
    kind: Option<String>,
    /// Only at this provider; `-` where it is not known.
    provider: Option<String>,
    /// Only from this source; `-` for those that never left from one.
    source: Option<String>,
    /// Only of this campaign; `0` for submitted mail.
    campaign: Option<i64>,
    /// Of the list of recipients: `next` of the page before.
    cursor: Option<String>,
    /// Of the list of recipients: rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Who was refused or given up, told by class, provider, source, campaign or day.
#[utoipa::path(get, path = "/api/v1/bounces", tag = "bounces", params(BouncesQuery),
    responses((status = 200, body = Bounces)))]
pub(crate) async fn figures(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<BouncesQuery>,
) -> Result<Json<Bounces>, ApiError> {
    let asked = query.by.as_deref().filter(|word| !word.is_empty()).unwrap_or("class");
    let by = By::ALL.into_iter().find(|(_, word)| *word == asked);
    let (by, word) =
        by.ok_or_else(|| ApiError::invalid("by", "by must be class, provider, source, campaign or day."))?;
    let filter = filter(&query, &app)?;
    let (since_ms, until_ms, workspace) = (filter.since_ms, filter.until_ms, actor.workspace);
    let rows = app
        .storage
        .read(move |c| {
            let (hard, block) = (endings(Kind::Hard), endings(Kind::Block));
            let found = bounces::figures(c, workspace, (by, &filter), (&hard, &block), ROWS_MAX)?;
            found.into_iter().map(|figures| row(c, workspace, (by, &filter), figures)).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let total = rows.iter().fold(BounceFigures::default(), |sum, row: &BounceRow| BounceFigures {
        all: sum.all + row.figures.all,
        hard: sum.hard + row.figures.hard,
        soft: sum.soft + row.figures.soft,
        block: sum.block + row.figures.block,
    });
    let (since, until) = (day(since_ms), day(until_ms - DAY_MS));
    Ok(Json(Bounces { by: word.to_owned(), since, until, total, rows }))
}

/// The recipients behind a figure, the last ones first.
#[utoipa::path(get, path = "/api/v1/bounces/recipients", tag = "bounces", params(BouncesQuery),
    responses((status = 200, body = Page<Recipient>)))]
pub(crate) async fn recipients(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<BouncesQuery>,
) -> Result<Json<Page<Recipient>>, ApiError> {
    let limit = limit(query.limit)?;
    let after = query.cursor.as_deref().filter(|text| !text.is_empty()).map(place).transpose()?;
    let (filter, workspace) = (filter(&query, &app)?, actor.workspace);
    let (rows, names) = app
        .storage
        .read(move |c| {
            let rows = queue::refused(c, workspace, &filter, after, limit)?;
            let names = campaign_names(c, workspace, rows.iter().filter_map(|row| row.origin.campaign()))?;
            Ok((rows, names))
        })
        .await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| format!("{}.{}", last.finished_ms.unwrap_or_default(), last.id));
    let items = rows.into_iter().map(|row| queue_page::shape(row, &names)).collect();
    Ok(Json(Page { items, next, total: None }))
}

/// Where a page ended: moment and id.
fn place(text: &str) -> Result<(i64, RecipientId), ApiError> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let (at_ms, id) =
        parts.ok_or_else(|| ApiError::invalid("cursor", "cursor must be the `next` of the page before."))?;
    Ok((at_ms, RecipientId(id)))
}

fn filter(query: &BouncesQuery, app: &Shared) -> Result<Filter, ApiError> {
    let now_ms = app.now_ms();
    let today_ms = now_ms - now_ms.rem_euclid(DAY_MS);
    let until_ms = moment("until", query.until.as_deref())?.unwrap_or(today_ms) + DAY_MS;
    let since_ms = moment("since", query.since.as_deref())?.unwrap_or(until_ms - DAYS_DEFAULT * DAY_MS);
    if since_ms >= until_ms {
        return Err(ApiError::invalid("since", "since must not lie behind until."));
    }
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let named = |text: &Option<String>| set(text).map(|text| if text == NAMELESS { String::new() } else { text });
    let without_class = query.class.as_deref() == Some(NAMELESS);
    let class = set(&query.class).filter(|_| !without_class).map(|word| {
        BounceClass::parse(&word).ok_or_else(|| ApiError::invalid("class", format!("There is no class {word}.")))
    });
    let endings = set(&query.kind).map(|word| match word.as_str() {
        "hard" => Ok(endings(Kind::Hard)),
        "soft" => Ok(endings(Kind::Soft)),
        "block" => Ok(endings(Kind::Block)),
        _ => Err(ApiError::invalid("kind", "kind must be hard, soft or block.")),
    });
    Ok(Filter {
        since_ms,
        until_ms,
        class: class.transpose()?,
        without_class,
        provider: queue_page::called(app, named(&query.provider)),
        source: named(&query.source),
        campaign: query.campaign.map(CampaignId),
        endings: endings.transpose()?,
    })
}

/// The beginning of a day (UTC).
fn moment(field: &'static str, text: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let day: Option<Date> = text.parse().ok();
    let at = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    let at = at.ok_or_else(|| ApiError::invalid(field, format!("{field} must be a day such as 2027-01-31.")))?;
    Ok(Some(at.timestamp().as_millisecond()))
}

fn day(at_ms: i64) -> String {
    crate::text::time(at_ms).chars().take(10).collect()
}

/// How recipients end that count as hard, soft or blocked.
fn endings(kind: Kind) -> Vec<Ending> {
    let classes = BounceClass::ALL.iter().copied().map(Some).chain([None]);
    let all = classes.flat_map(|class| [RecipientState::Bounced, RecipientState::Expired].map(|state| (state, class)));
    all.filter(|ending| kind_of(*ending) == kind).collect()
}

/// Who was given up after many attempts may still be blocked; only what was refused for good is hard.
fn kind_of((state, class): Ending) -> Kind {
    let severity = if state == RecipientState::Bounced { Severity::Permanent } else { Severity::Transient };
    match class.map(|class| Kind::of(class, severity)) {
        Some(kind @ (Kind::Hard | Kind::Block)) => kind,
        _ => Kind::Soft,
    }
}

fn row(
    c: &Connection,
    workspace: WorkspaceId,
    (by, filter): (By, &Filter),
    found: Figures,
) -> Result<BounceRow, StorageError> {
    let Figures { key, all, hard, block } = found;
    let figures = BounceFigures { all, hard, soft: all.saturating_sub(hard + block), block };
    let asked = match (by, key.as_str()) {
        (By::Campaign, "") => "0",
        (_, "") => NAMELESS,
        (_, key) => key,
    };
    let plain = |name: String| BounceRow { key: asked.to_owned(), name, figures, action: None, reply: None };
    Ok(match by {
        By::Class => {
            let Some(class) = BounceClass::parse(&key) else { return Ok(plain("no answer".to_owned())) };
            let of_class = Filter { class: Some(class), ..filter.clone() };
            let last = queue::refused(c, workspace, &of_class, None, 1)?.pop();
            let reply = last.and_then(|last| queue_page::shape(last, &Default::default()).reply);
            let action = kind_of((RecipientState::Bounced, Some(class))).advice().to_owned();
            BounceRow { action: Some(action), reply, ..plain(key.replace('_', " ")) }
        }
        By::Provider => plain(if key.is_empty() { "not known".to_owned() } else { key.clone() }),
        By::Source => plain(if key.is_empty() { "none".to_owned() } else { key.clone() }),
        By::Campaign => {
            let Ok(id) = key.parse() else { return Ok(plain("Submitted mail".to_owned())) };
            let names = campaign_names(c, workspace, std::iter::once(CampaignId(id)))?;
            plain(
                names.into_values().next().filter(|name| !name.is_empty()).unwrap_or_else(|| format!("Campaign {id}")),
            )
        }
        By::Day => {
            let name = day(key.parse().unwrap_or_default());
            BounceRow { key: name.clone(), ..plain(name) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_soft_and_blocked() {
        use BounceClass as C;
        use RecipientState::{Bounced, Expired};
        for (ending, expected) in [
            ((Bounced, Some(C::BadMailbox)), Kind::Hard),
            ((Bounced, Some(C::MailboxFull)), Kind::Soft),
            ((Bounced, Some(C::Blocklist)), Kind::Block),
            ((Bounced, Some(C::Unclassified)), Kind::Soft),
            ((Expired, Some(C::BadMailbox)), Kind::Soft),
            ((Expired, Some(C::Reputation)), Kind::Block),
            ((Expired, Some(C::RateLimit)), Kind::Soft),
            ((Expired, None), Kind::Soft),
        ] {
            assert_eq!(kind_of(ending), expected, "{ending:?}");
            assert!(endings(expected).contains(&ending), "{ending:?}");
        }
    }

    #[test]
    fn days() {
        let read = |text| moment("since", Some(text)).ok().flatten();
        assert_eq!((read("1970-01-03"), read(""), read("3")), (Some(2 * DAY_MS), None, None));
        assert_eq!(day(2 * DAY_MS), "1970-01-03");
        assert_eq!(place("12.7").ok(), Some((12, RecipientId(7))));
        assert!(place("12").is_err());
    }
}
