//! Which live recipients: the one filter of lists, counts and actions.
//!
//! A filter narrows the rows of a walk along the ids; it never makes the walk start anew, so that pages and chunks of a
//! million rows cost what they look at.

use crate::{CampaignId, RecipientId};
use mail::{BounceClass, RecipientState, WaitReason};
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

/// Which live recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveFilter {
    /// Only this state.
    pub state: Option<RecipientState>,
    /// Only waiting for this reason.
    pub reason: Option<WaitReason>,
    /// Only this recipient domain.
    pub domain: Option<String>,
    /// Only this provider.
    pub provider: Option<String>,
    /// Domains known to be that provider's: recipients without any attempt have no provider on their row yet.
    pub provider_domains: Vec<String>,
    /// Only those whose last attempt went from this source.
    pub source: Option<String>,
    /// Only this campaign.
    pub campaign: Option<CampaignId>,
    /// Only submitted mail, which belongs to no campaign.
    pub submitted: bool,
    /// Only those whose last answer was of this class.
    pub class: Option<BounceClass>,
    /// Only this stream.
    pub stream: Option<String>,
    /// Only this pool.
    pub pool: Option<String>,
    /// Only those accepted at or before this moment.
    pub accepted_until_ms: Option<i64>,
    /// Only those accepted at or after this moment.
    pub accepted_from_ms: Option<i64>,
    /// Only addresses that contain this.
    pub q: String,
    /// Only these recipients; empty for all.
    pub ids: Vec<RecipientId>,
}

impl LiveFilter {
    /// Appends the conditions, each with ` AND ` before it, and their values.
    pub(super) fn push(&self, sql: &mut String, values: &mut Vec<Value>) {
        let words = [
            (" AND state = ?", self.state.map(|state| state.as_str().to_owned())),
            (" AND wait_reason = ?", self.reason.map(|reason| reason.as_str().to_owned())),
            (" AND domain = ?", self.domain.as_ref().map(|domain| domain.to_lowercase())),
            (" AND source = ?", self.source.clone()),
            // Never by the index of deferred ones, which would sort them for each page.
            (" AND +class = ?", self.class.map(|class| class.as_str().to_owned())),
            (" AND stream = ?", self.stream.clone()),
            (" AND pool = ?", self.pool.clone()),
        ];
        for (condition, value) in words {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value.into());
            }
        }
        if let Some(provider) = &self.provider {
            sql.push_str(" AND (provider = ? OR (provider IS NULL AND domain IN (SELECT value FROM json_each(?))))");
            values.push(provider.clone().into());
            values.push(serde_json::Value::from(self.provider_domains.clone()).to_string().into());
        }
        // The plus keeps the walk on the ids: going by the campaign's index would sort the whole campaign per page.
        let numbers = [
            (" AND +campaign_id = ?", self.campaign.map(|campaign| campaign.0)),
            (" AND accepted_ms <= ?", self.accepted_until_ms),
            (" AND accepted_ms >= ?", self.accepted_from_ms),
        ];
        for (condition, value) in numbers {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value.into());
            }
        }
        if self.submitted {
            sql.push_str(" AND +campaign_id IS NULL");
        }
        let q = self.q.trim().to_lowercase();
        if !q.is_empty() {
            sql.push_str(" AND instr(lower(address), ?) > 0");
            values.push(q.into());
        }
        if !self.ids.is_empty() {
            sql.push_str(" AND id IN (SELECT value FROM json_each(?))");
            let ids: Vec<i64> = self.ids.iter().map(|id| id.0).collect();
            values.push(serde_json::Value::from(ids).to_string().into());
        }
    }

    /// The filter as a job keeps it.
    pub(crate) fn to_json(&self) -> String {
        let stored = Stored {
            state: self.state.map(|state| state.as_str().to_owned()),
            reason: self.reason.map(|reason| reason.as_str().to_owned()),
            domain: self.domain.clone(),
            provider: self.provider.clone(),
            provider_domains: self.provider_domains.clone(),
            source: self.source.clone(),
            class: self.class.map(|class| class.as_str().to_owned()),
            campaign: self.campaign.map(|id| id.0),
            submitted: self.submitted,
            stream: self.stream.clone(),
            pool: self.pool.clone(),
            accepted_until_ms: self.accepted_until_ms,
            accepted_from_ms: self.accepted_from_ms,
            q: self.q.clone(),
            ids: self.ids.iter().map(|id| id.0).collect(),
        };
        // Strings and numbers always become JSON.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// The filter that a job kept; `None` when another program wrote it.
    pub(crate) fn from_json(text: &str) -> Option<LiveFilter> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let state = stored.state.as_deref().map(RecipientState::parse);
        let reason = stored.reason.as_deref().map(WaitReason::parse);
        let class = stored.class.as_deref().map(BounceClass::parse);
        if state == Some(None) || reason == Some(None) || class == Some(None) {
            return None;
        }
        Some(LiveFilter {
            state: state.flatten(),
            reason: reason.flatten(),
            domain: stored.domain,
            provider: stored.provider,
            provider_domains: stored.provider_domains,
            source: stored.source,
            class: class.flatten(),
            campaign: stored.campaign.map(CampaignId),
            submitted: stored.submitted,
            stream: stored.stream,
            pool: stored.pool,
            accepted_until_ms: stored.accepted_until_ms,
            accepted_from_ms: stored.accepted_from_ms,
            q: stored.q,
            ids: stored.ids.into_iter().map(RecipientId).collect(),
        })
    }
}

/// The form in the database.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    state: Option<String>,
    reason: Option<String>,
    domain: Option<String>,
    provider: Option<String>,
    provider_domains: Vec<String>,
    source: Option<String>,
    #[serde(default)]
    class: Option<String>,
    campaign: Option<i64>,
    submitted: bool,
    stream: Option<String>,
    pool: Option<String>,
    accepted_until_ms: Option<i64>,
    accepted_from_ms: Option<i64>,
    q: String,
    ids: Vec<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_read_back() {
        let filter = LiveFilter {
            state: Some(RecipientState::Held),
            reason: Some(WaitReason::Greylisted),
            provider: Some("p.example".to_owned()),
            provider_domains: vec!["d.example".to_owned()],
            class: Some(BounceClass::MailboxFull),
            campaign: Some(CampaignId(3)),
            accepted_until_ms: Some(9),
            q: "ana@".to_owned(),
            ids: vec![RecipientId(1), RecipientId(7)],
            ..LiveFilter::default()
        };
        assert_eq!(LiveFilter::from_json(&filter.to_json()), Some(filter));
        assert_eq!(LiveFilter::from_json("{}"), None);
        let odd = LiveFilter::default().to_json().replace("\"state\":null", "\"state\":\"asleep\"");
        assert_eq!(LiveFilter::from_json(&odd), None);
    }
}
