//! Counters, kept in the same transaction as what they count.
//!
//! Measures: `accepted` and the final states (the ledger); `deferral` (attempts answered "not now"), `retried`
//! (recipients deferred at least once), `blocked` (attempts refused because of our own address or name);
//! `class:WORD` (bounces by class); `complained`, `unsubscribed`, `left`, `replied` (recipients who did: [`crate::response`]). The
//! provider is empty where it is not known.

use crate::{CampaignId, StorageError, WorkspaceId};
use mail::{BounceClass, RecipientState};
use rusqlite::{Connection, named_params, params};
use std::collections::HashMap;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Recipients taken into the queue.
    Accepted,
    /// Recipients in this final state.
    Final(RecipientState),
    /// Attempts answered "not now".
    Deferral,
    /// Recipients deferred at least once.
    Retried,
    /// Attempts refused because of our own address or name.
    Blocked,
    /// Bounces of this class.
    Class(BounceClass),
    /// Recipients who reported the mail as spam.
    Complained,
    /// Recipients who unsubscribed from all marketing mail.
    Unsubscribed,
    /// Recipients who left a list.
    Left,
    /// Recipients who answered.
    Replied,
}

impl Measure {
    /// The stored word.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Measure::Accepted => "accepted".to_owned(),
            Measure::Final(state) => state.as_str().to_owned(),
            Measure::Deferral => "deferral".to_owned(),
            Measure::Retried => "retried".to_owned(),
            Measure::Blocked => "blocked".to_owned(),
            Measure::Class(class) => format!("class:{class}"),
            Measure::Complained => "complained".to_owned(),
            Measure::Unsubscribed => "unsubscribed".to_owned(),
            Measure::Left => "left".to_owned(),
            Measure::Replied => "replied".to_owned(),
        }
    }

    fn parse(word: &str) -> Option<Measure> {
        Some(match word {
            "accepted" => Measure::Accepted,
            "deferral" => Measure::Deferral,
            "retried" => Measure::Retried,
            "blocked" => Measure::Blocked,
            "complained" => Measure::Complained,
            "unsubscribed" => Measure::Unsubscribed,
            "left" => Measure::Left,
            "replied" => Measure::Replied,
            _ => match word.strip_prefix("class:") {
                Some(class) => Measure::Class(BounceClass::parse(class)?),
                None => Measure::Final(RecipientState::parse(word)?),
            },
        })
    }
}

/// Changes of counters, summed up in memory so that a batch touches each row once.
#[derive(Default)]
pub(crate) struct Changes {
    changes: HashMap<(WorkspaceId, CampaignId, String, Measure), i64>,
}

const ADD: &str = "
    INSERT INTO tally (workspace_id, campaign_id, provider, measure, n) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET n = n + excluded.n";

impl Changes {
    pub(crate) fn add(&mut self, owner: (WorkspaceId, CampaignId), provider: &str, measure: Measure, n: i64) {
        let key = (owner.0, owner.1, provider.to_owned(), measure);
        *self.changes.entry(key).or_default() += n;
    }

    /// The campaigns that something was counted for.
    pub(crate) fn campaigns(&self) -> Vec<CampaignId> {
        let mut campaigns: Vec<_> = self.changes.keys().map(|(_, campaign, ..)| *campaign).collect();
        campaigns.sort_unstable();
        campaigns.dedup();
        campaigns
    }

    pub(crate) fn write(&self, tx: &Connection) -> Result<(), StorageError> {
        let mut add = tx.prepare_cached(ADD)?;
        for ((workspace, campaign, provider, measure), n) in &self.changes {
            if *n != 0 {
                add.execute(params![workspace, campaign, provider, measure.word(), n])?;
            }
        }
        Ok(())
    }
}

/// One counter of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Receiving provider; empty where it was not known.
    pub provider: String,
    /// What is counted.
    pub measure: Measure,
    /// How many.
    pub n: i64,
}

const OF_CAMPAIGN: &str = "
    SELECT provider, measure, n FROM tally
    WHERE workspace_id = :workspace_id AND campaign_id = :campaign_id
    ORDER BY provider, measure";

/// All counters of a campaign.
///
/// # Errors
/// The database's.
pub fn of_campaign(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<Tally>, StorageError> {
    let mut statement = connection.prepare_cached(OF_CAMPAIGN)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace, ":campaign_id": campaign }, |row| {
        Ok(Tally { provider: row.get(0)?, measure: crate::words::word(row, 1, Measure::parse)?, n: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ADD, OF_CAMPAIGN];
