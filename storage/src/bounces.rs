//! Bounces told apart: who was refused or given up, by class, provider, source, campaign and day. Counted when events are
//! moved to their file; the recipients behind a figure are found in `queue::refused` with the same filter.

use crate::words::count;
use crate::{CampaignId, Storage, StorageError, WorkspaceId};
use mail::{BounceClass, RecipientState};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

/// A day, in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// What the figures are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Class of the answer.
    Class,
    /// Receiving provider.
    Provider,
    /// Egress source.
    Source,
    /// Campaign; submitted mail is of none.
    Campaign,
    /// Day (UTC) on which the mail was finished.
    Day,
}

impl By {
    /// All of them, with the words of the API.
    pub const ALL: [(By, &'static str); 5] = [
        (By::Class, "class"),
        (By::Provider, "provider"),
        (By::Source, "source"),
        (By::Campaign, "campaign"),
        (By::Day, "day"),
    ];
}

/// How a recipient ended: the state, and the class of the last answer where there was one.
pub type Ending = (RecipientState, Option<BounceClass>);

/// Which bounces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of mail that was finished then or later.
    pub since_ms: i64,
    /// Of mail that was finished before.
    pub until_ms: i64,
    /// Only this class.
    pub class: Option<BounceClass>,
    /// Only those without an answer that has a class.
    pub without_class: bool,
    /// Only at this provider; empty for those where it is not known.
    pub provider: Option<String>,
    /// Only from this source; empty for those that never left from one.
    pub source: Option<String>,
    /// Only of this campaign; [`CampaignId::NONE`] for submitted mail.
    pub campaign: Option<CampaignId>,
    /// Only those that ended so.
    pub endings: Option<Vec<Ending>>,
}

impl Filter {
    /// Appends what it asks besides the time, each with ` AND ` before it. The columns are called alike wherever bounces
    /// are; only an absent campaign is not.
    pub(crate) fn push(&self, sql: &mut String, values: &mut Vec<Value>) {
        // Where there is none, it is empty in the figures and NULL with the recipients.
        let named = |condition, without, name: &Option<String>| {
            (if name.as_deref() == Some("") { without } else { condition }, name.clone())
        };
        let words = [
            (" AND class = ?", self.class.map(|class| class.as_str().to_owned())),
            (" AND coalesce(class, '') = ?", self.without_class.then(String::new)),
            named(" AND provider = ?", " AND coalesce(provider, '') = ?", &self.provider),
            named(" AND source = ?", " AND coalesce(source, '') = ?", &self.source),
            (
                " AND state || ':' || coalesce(class, '') IN (SELECT value FROM json_each(?))",
                self.endings.as_deref().map(json),
            ),
        ];
        for (condition, value) in words {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value.into());
            }
        }
        if let Some(campaign) = self.campaign {
            // The plus keeps the walk on the time.
            let condition = if campaign == CampaignId::NONE { "coalesce(campaign_id, 0)" } else { "+campaign_id" };
            sql.push_str(&format!(" AND {condition} = ?"));
            values.push(campaign.0.into());
        }
    }
}

/// Endings as the database compares them.
fn json(endings: &[Ending]) -> String {
    let word = |(state, class): &Ending| format!("{}:{}", state.as_str(), class.map_or("", BounceClass::as_str));
    serde_json::Value::from(endings.iter().map(word).collect::<Vec<_>>()).to_string()
}

/// Figures of one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What to ask for with the filter: the class's word, a name, the campaign's id, the day's beginning. Empty where
    /// there is none.
    pub key: String,
    /// All that were refused or given up.
    pub all: u64,
    /// Of them, those whose address is at fault for good.
    pub hard: u64,
    /// Of them, those refused because of the sender or the content.
    pub block: u64,
}

/// Run on the writer of events.db, which sees queue.db, in the commit that moves the events behind `?1`. The finished row
/// says it as it stands; whom a person gave up, nobody refused.
pub(crate) const COUNT: &str = "
    INSERT INTO rollup_bounce_day (workspace_id, day_ms, campaign_id, provider, source, class, state, n)
    SELECT d.workspace_id, d.finished_ms - d.finished_ms % 86400000, coalesce(d.campaign_id, 0), coalesce(d.provider, ''),
        coalesce(d.source, ''), coalesce(d.class, ''), d.state, count(*)
    FROM event e JOIN recipient_done d ON d.id = e.recipient_id
    WHERE e.id > ?1 AND e.kind IN ('bounced', 'expired') AND d.state IN ('bounced', 'expired')
        AND NOT (d.state = 'bounced' AND d.class IS 'unclassified' AND d.reply_code IS NULL)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT DO UPDATE SET n = n + excluded.n";

const FIGURES: &str = " AS key, sum(n),
        coalesce(sum(n) FILTER (WHERE state || ':' || class IN (SELECT value FROM json_each(?))), 0),
        coalesce(sum(n) FILTER (WHERE state || ':' || class IN (SELECT value FROM json_each(?))), 0)
    FROM rollup_bounce_day
    WHERE workspace_id = ? AND day_ms >= ? AND day_ms < ?";

/// Figures of whole days, those with most first (days in their order); at most `limit`. `hard` and `block` are the
/// endings that count as such.
///
/// # Errors
/// The database's.
pub fn figures(
    connection: &Connection,
    workspace: WorkspaceId,
    (by, filter): (By, &Filter),
    (hard, block): (&[Ending], &[Ending]),
    limit: u32,
) -> Result<Vec<Figures>, StorageError> {
    let (sql, values) = statement(workspace, (by, filter), (hard, block), limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(Figures { key: row.get(0)?, all: count(row, 1)?, hard: count(row, 2)?, block: count(row, 3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn statement(
    workspace: WorkspaceId,
    (by, filter): (By, &Filter),
    (hard, block): (&[Ending], &[Ending]),
    limit: u32,
) -> (String, Vec<Value>) {
    let (what, order) = match by {
        By::Class => ("class", "2 DESC, 1"),
        By::Provider => ("provider", "2 DESC, 1"),
        By::Source => ("source", "2 DESC, 1"),
        By::Campaign => ("iif(campaign_id = 0, '', CAST(campaign_id AS TEXT))", "2 DESC, 1"),
        By::Day => ("CAST(day_ms AS TEXT)", "day_ms"),
    };
    let mut sql = format!("SELECT {what}{FIGURES}");
    let mut values: Vec<Value> = vec![
        json(hard).into(),
        json(block).into(),
        workspace.0.into(),
        (filter.since_ms - filter.since_ms.rem_euclid(DAY_MS)).into(),
        filter.until_ms.into(),
    ];
    filter.push(&mut sql, &mut values);
    sql.push_str(&format!(" GROUP BY 1 ORDER BY {order} LIMIT ?"));
    values.push(i64::from(limit).into());
    (sql, values)
}

const FORGET: &str = "
    DELETE FROM rollup_bounce_day WHERE (workspace_id, day_ms, campaign_id, provider, source, class, state) IN
        (SELECT workspace_id, day_ms, campaign_id, provider, source, class, state FROM rollup_bounce_day
         WHERE day_ms < ?1 LIMIT ?2)";

/// Deletes at most `limit` of the figures from before `before_ms`; says how many. Call again until 0.
///
/// # Errors
/// The database's.
pub async fn forget(storage: &Storage, before_ms: i64, limit: u32) -> Result<usize, StorageError> {
    storage.events().write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before_ms, limit])?)).await
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    vec![COUNT, FORGET]
}

#[cfg(test)]
mod tests;
