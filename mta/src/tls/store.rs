//! MTA-STS policies (RFC 8461): fetched, and kept as long as they say. One that is kept holds even when record or server
//! cannot be reached any more, since that is what an attacker would do.

use super::sts::{self, Mode, POLICY_BYTES_MAX, StsPolicy};
use super::trust::{Failure, FailureKind};
use crate::hold::off_clock;
use moka::sync::Cache;
use std::sync::Arc;
use storage::Storage;
use storage::tls::{StsPolicyRow, find_policy, keep_policy};
use world::{Dns, Fetch, FetchError};

/// Domains kept in memory; the others are in the database.
const DOMAINS_MAX: u64 = 50_000;
/// A policy that could not be fetched is not asked for again before (RFC 8461 §3.3 wants five minutes at least).
const FETCH_AGAIN_MS: i64 = 600_000;
/// A policy is fetched anew after a day, though its id stays: ids are forgotten by people who change policies.
const REFRESH_MS: i64 = 86_400_000;

/// Fetches and keeps policies.
pub(crate) struct Store {
    dns: Arc<dyn Dns>,
    fetch: Arc<dyn Fetch>,
    storage: Storage,
    known: Cache<String, Arc<Entry>>,
}

/// What is known of a domain.
#[derive(Clone, Default)]
struct Entry {
    kept: Option<Kept>,
    /// When a fetch failed last, and why.
    failed: Option<(i64, Failure)>,
}

#[derive(Clone)]
struct Kept {
    record_id: String,
    policy: Arc<StsPolicy>,
    fetched_ms: i64,
    expires_ms: i64,
}

/// What a domain asks for now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Its policy, unless that asks for nothing.
    pub policy: Option<Arc<StsPolicy>>,
    /// Why a policy that is announced could not be had.
    pub trouble: Option<Failure>,
}

impl Store {
    pub fn new(dns: Arc<dyn Dns>, fetch: Arc<dyn Fetch>, storage: Storage) -> Store {
        Store { dns, fetch, storage, known: Cache::new(DOMAINS_MAX) }
    }

    /// The policy of a domain, as it holds now.
    pub async fn of(&self, domain: &str, now_ms: i64) -> Asked {
        let mut entry = self.entry(domain).await;
        let record = self.dns.txt(&format!("{}.{domain}", sts::RECORD_LABEL)).await;
        // A record that is gone or broken changes nothing about a policy that still holds (RFC 8461 §5.1).
        let id = record.ok().and_then(|texts| sts::read_record(&texts).ok().flatten());
        let is_announced = id.is_some();
        if let Some(id) = id.filter(|id| entry.wants_fetch(id, now_ms)) {
            entry = Arc::new(self.fetched(domain, id, &entry, now_ms).await);
            self.known.insert(domain.to_owned(), entry.clone());
        }
        Asked { policy: entry.policy(now_ms), trouble: entry.trouble().filter(|_| is_announced) }
    }

    /// The policy's lines as last known, for reports.
    pub fn lines(&self, domain: &str) -> Vec<String> {
        let kept = self.known.get(domain).and_then(|entry| entry.kept.clone());
        kept.map(|kept| kept.policy.lines()).unwrap_or_default()
    }

    async fn entry(&self, domain: &str) -> Arc<Entry> {
        if let Some(entry) = self.known.get(domain) {
            return entry;
        }
        let (storage, name) = (self.storage.clone(), domain.to_owned());
        let row = off_clock(async move { storage.read(move |c| find_policy(c, &name)).await }).await;
        let kept = match row {
            Some(Ok(row)) => row.and_then(Kept::of_row),
            Some(Err(error)) => {
                tracing::warn!(%error, domain, "a kept MTA-STS policy cannot be read");
                None
            }
            None => None,
        };
        let entry = Arc::new(Entry { kept, failed: None });
        self.known.insert(domain.to_owned(), entry.clone());
        entry
    }

    async fn fetched(&self, domain: &str, id: String, before: &Entry, now_ms: i64) -> Entry {
        match fetch_policy(&*self.fetch, domain).await {
            Ok(policy) => {
                let max_age_ms = i64::try_from(policy.max_age_s).unwrap_or(0).saturating_mul(1000);
                let expires_ms = now_ms.saturating_add(max_age_ms);
                let kept = Kept { record_id: id, policy: Arc::new(policy), fetched_ms: now_ms, expires_ms };
                self.keep(kept.row(domain)).await;
                Entry { kept: Some(kept), failed: None }
            }
            Err(failure) => {
                tracing::info!(domain, "no MTA-STS policy: {}", failure.text);
                Entry { kept: before.kept.clone(), failed: Some((now_ms, failure)) }
            }
        }
    }

    async fn keep(&self, row: StsPolicyRow) {
        let storage = self.storage.clone();
        let written = off_clock(async move { storage.queue().write(move |tx| keep_policy(tx, &row)).await }).await;
        if let Some(Err(error)) = written {
            // It holds in memory all the same.
            tracing::warn!(%error, "an MTA-STS policy cannot be kept");
        }
    }
}

/// Fetches the policy of a domain.
///
/// # Errors
/// Why there is none, in the words of reports.
pub(crate) async fn fetch_policy(fetch: &dyn Fetch, domain: &str) -> Result<StsPolicy, Failure> {
    let fetched = fetch.get(&sts::policy_url(domain), POLICY_BYTES_MAX).await.map_err(|error| {
        let kind = match error {
            FetchError::Certificate { .. } => FailureKind::StsWebPki,
            FetchError::TooLong { .. } => FailureKind::StsInvalid,
            FetchError::Failed { .. } => FailureKind::StsFetch,
        };
        Failure::new(kind, error.to_string())
    })?;
    if fetched.status != 200 {
        let text = format!("mta-sts.{domain} answers with status {}", fetched.status);
        return Err(Failure::new(FailureKind::StsFetch, text));
    }
    // RFC 8461 §3.2: so that nobody makes a policy of somebody's uploaded file.
    let media_type = fetched.content_type.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("text/plain") {
        let text = format!("the policy of {domain} has the type {media_type:?} and not text/plain");
        return Err(Failure::new(FailureKind::StsInvalid, text));
    }
    sts::read_policy(&fetched.body).map_err(|error| Failure::new(FailureKind::StsInvalid, error.to_string()))
}

impl Entry {
    /// Whether the policy is to be fetched, given the id that the DNS shows.
    fn wants_fetch(&self, id: &str, now_ms: i64) -> bool {
        if self.failed.as_ref().is_some_and(|(at_ms, _)| now_ms < at_ms + FETCH_AGAIN_MS) {
            return false;
        }
        self.kept.as_ref().is_none_or(|kept| {
            kept.record_id != id || now_ms >= kept.expires_ms || now_ms >= kept.fetched_ms + REFRESH_MS
        })
    }

    /// The policy, unless it is over or asks for nothing.
    fn policy(&self, now_ms: i64) -> Option<Arc<StsPolicy>> {
        let holds = self.kept.as_ref().filter(|kept| now_ms < kept.expires_ms);
        holds.map(|kept| kept.policy.clone()).filter(|policy| policy.mode != Mode::None)
    }

    fn trouble(&self) -> Option<Failure> {
        self.failed.as_ref().map(|(_, failure)| failure.clone())
    }
}

impl Kept {
    fn of_row(row: StsPolicyRow) -> Option<Kept> {
        let policy = Arc::new(sts::read_policy(row.policy.as_bytes()).ok()?);
        Some(Kept { record_id: row.record_id, policy, fetched_ms: row.fetched_ms, expires_ms: row.expires_ms })
    }

    fn row(&self, domain: &str) -> StsPolicyRow {
        StsPolicyRow {
            domain: domain.to_owned(),
            record_id: self.record_id.clone(),
            policy: self.policy.lines().join("\n"),
            fetched_ms: self.fetched_ms,
            expires_ms: self.expires_ms,
        }
    }
}
