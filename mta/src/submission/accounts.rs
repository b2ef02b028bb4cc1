//! Who may submit: credentials with what each may do, kept for some seconds, and how much each has used of its rate.

use crate::shared::lock;
use mail::Domain;
use moka::sync::Cache;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::credential::{self, Credential, SecretKey};
use storage::{CredentialId, DomainId, Storage, StorageError};

/// A changed credential, or one taken back, is noticed within this time, in open sessions too.
const KEPT: Duration = Duration::from_secs(5);
/// Credentials kept.
const KEPT_MAX: u64 = 10_000;
/// Rates remembered at which those that rest are forgotten.
const USED_MAX: usize = 10_000;
/// Use is noted this often at most: a write per message would be one too many.
const NOTED_EVERY_MS: i64 = 60_000;
/// A rate's whole minute may be used at once.
const MINUTE_US: i64 = 60_000_000;

/// All credentials.
pub(super) struct Accounts {
    storage: Storage,
    key: SecretKey,
    kept: Cache<String, Arc<Account>>,
    /// What must outlive `kept`.
    used: Mutex<HashMap<CredentialId, Arc<Used>>>,
}

/// A credential and what it may do.
pub(super) struct Account {
    pub credential: Credential,
    domains: HashMap<String, DomainId>,
    used: Arc<Used>,
}

/// What a credential has used.
#[derive(Default)]
struct Used {
    /// When its rate will be free again, in microseconds.
    free_us: Mutex<i64>,
    noted_ms: AtomicI64,
}

impl Accounts {
    pub fn new(storage: Storage, key: SecretKey) -> Accounts {
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build();
        Accounts { storage, key, kept, used: Mutex::default() }
    }

    /// The account that this login and secret open.
    pub async fn sign_in(&self, login: &str, secret: &str) -> Result<Option<Arc<Account>>, StorageError> {
        let found = self.find(login).await?;
        Ok(found.filter(|account| self.key.is_right(login, secret, &account.credential.secret_tag)))
    }

    /// The same account as it is now; `None` when it works no longer.
    pub async fn again(&self, account: &Account) -> Result<Option<Arc<Account>>, StorageError> {
        let before = &account.credential;
        let found = self.find(&before.login).await?;
        Ok(found.filter(|now| now.credential.id == before.id && now.credential.secret_tag == before.secret_tag))
    }

    /// Has it looked up anew: it was changed.
    pub fn forget(&self, login: &str) {
        self.kept.invalidate(login);
    }

    async fn find(&self, login: &str) -> Result<Option<Arc<Account>>, StorageError> {
        if let Some(account) = self.kept.get(login) {
            return Ok(Some(account));
        }
        let wanted = login.to_owned();
        let found = self.storage.read(move |c| {
            let Some(credential) = credential::find_by_login(c, &wanted)? else { return Ok(None) };
            let domains = credential::domains(c, &credential)?;
            Ok(Some((credential, domains)))
        });
        let Some((credential, domains)) = found.await?.filter(|(credential, _)| credential.enabled) else {
            return Ok(None);
        };
        let used = self.used(credential.id);
        used.noted_ms.fetch_max(credential.last_used_ms.unwrap_or(0), Ordering::Relaxed);
        let domains = domains.into_iter().map(|(id, name)| (name, id)).collect();
        let account = Arc::new(Account { credential, domains, used });
        self.kept.insert(login.to_owned(), Arc::clone(&account));
        Ok(Some(account))
    }

    fn used(&self, id: CredentialId) -> Arc<Used> {
        let mut all = lock(&self.used);
        // Those that nobody holds are not in use now: what they forget is a minute's rate at most.
        if all.len() >= USED_MAX && !all.contains_key(&id) {
            all.retain(|_, used| Arc::strong_count(used) > 1);
        }
        Arc::clone(all.entry(id).or_default())
    }

    /// Notes the use, once a minute.
    pub async fn note_use(&self, account: &Account, now_ms: i64) -> Result<(), StorageError> {
        let noted = account.used.noted_ms.load(Ordering::Relaxed);
        let due = now_ms - noted >= NOTED_EVERY_MS;
        // Of several sessions one writes.
        if !due || account.used.noted_ms.compare_exchange(noted, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return Ok(());
        }
        let id = account.credential.id;
        self.storage.main().write(move |tx| credential::used(tx, id, now_ms)).await
    }
}

impl Account {
    /// The sending domain of that name, if the credential may use it.
    pub fn domain(&self, name: &Domain) -> Option<DomainId> {
        self.domains.get(name.as_str()).copied()
    }

    /// Takes one message out of the rate, or says how long to wait.
    pub fn take_one(&self, now_ms: i64) -> Result<(), Duration> {
        let Some(rate) = self.credential.messages_per_minute else { return Ok(()) };
        let mut free_us = lock(&self.used.free_us);
        let now_us = now_ms.saturating_mul(1000);
        let next = (*free_us).max(now_us) + MINUTE_US / i64::from(rate.max(1));
        let over = next - now_us - MINUTE_US;
        if over > 0 {
            return Err(Duration::from_micros(over.unsigned_abs()));
        }
        *free_us = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::WorkspaceId;

    fn account(messages_per_minute: Option<u32>) -> Account {
        let credential = Credential {
            id: CredentialId(1),
            workspace_id: WorkspaceId::MAIN,
            name: "shop".to_owned(),
            login: "pb1".to_owned(),
            secret_tag: Vec::new(),
            stream: "transactional".to_owned(),
            all_domains: true,
            messages_per_minute,
            enabled: true,
            created_ms: 0,
            last_used_ms: None,
        };
        Account { credential, domains: HashMap::new(), used: Arc::default() }
    }

    #[test]
    fn a_rate_is_never_exceeded_over_a_minute_beyond_its_burst() {
        let limited = account(Some(60));
        let taken =
            |from_ms: i64, to_ms: i64| (from_ms..to_ms).step_by(10).filter(|at| limited.take_one(*at).is_ok()).count();
        assert_eq!(taken(0, 1000), 60, "a whole minute's at once");
        assert_eq!(limited.take_one(1000), Ok(()), "one more a second");
        assert_eq!(limited.take_one(1000), Err(Duration::from_secs(1)));
        assert_eq!(taken(1010, 61_010), 60);
        let free = account(None);
        assert!((0..10_000).all(|_| free.take_one(0).is_ok()));
    }
}
