//! Rates of what can be asked without being signed in (sign-in, and the pages for recipients), and of API keys that
//! have one.

use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use storage::ApiKeyId;

/// Sign-ins per address of the network: 10 at once, then one every 6 seconds.
const SIGN_IN_PER_IP: u32 = 10;
/// Sign-ins per account: 10 at once, then one every 6 seconds, wherever they come from.
const SIGN_IN_PER_ACCOUNT: u32 = 10;
/// Pages for recipients per address of the network and minute. Scanners of a large provider share few addresses.
const PUBLIC_PER_IP: u32 = 300;
/// Remembered keys at which those that rest are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// The limiters.
pub(crate) struct Limits {
    sign_in_ip: DefaultKeyedRateLimiter<IpAddr>,
    sign_in_account: DefaultKeyedRateLimiter<String>,
    public_ip: DefaultKeyedRateLimiter<IpAddr>,
    keys: Mutex<HashMap<ApiKeyId, KeyRate>>,
}

/// The rate of one API key.
struct KeyRate {
    per_minute: u32,
    limiter: DefaultDirectRateLimiter,
}

/// Why an API key has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyWait {
    /// Its rate is used up for so long.
    Later(Duration),
    /// So much at once is more than it may ask in a minute.
    Never,
}

fn per_minute(count: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
}

impl Limits {
    pub fn new() -> Limits {
        Limits {
            sign_in_ip: RateLimiter::keyed(per_minute(SIGN_IN_PER_IP)),
            sign_in_account: RateLimiter::keyed(per_minute(SIGN_IN_PER_ACCOUNT)),
            public_ip: RateLimiter::keyed(per_minute(PUBLIC_PER_IP)),
            keys: Mutex::new(HashMap::new()),
        }
    }

    /// Whether one more sign-in may be tried from there, for that account.
    pub fn sign_in(&self, ip: IpAddr, account: &str) -> bool {
        tidy(&self.sign_in_ip);
        tidy(&self.sign_in_account);
        // Both are asked, so that an attempt always counts on both sides.
        let from_ip = self.sign_in_ip.check_key(&ip).is_ok();
        let for_account = self.sign_in_account.check_key(&account.to_owned()).is_ok();
        from_ip && for_account
    }

    /// Whether one more sign-in link may be tried from there. A link names no account that could be guessed at.
    pub fn link(&self, ip: IpAddr) -> bool {
        tidy(&self.sign_in_ip);
        self.sign_in_ip.check_key(&ip).is_ok()
    }

    /// Whether one more page may be shown there.
    pub fn public(&self, ip: IpAddr) -> bool {
        tidy(&self.public_ip);
        self.public_ip.check_key(&ip).is_ok()
    }

    /// Whether an API key may ask `count` times more: a minute's worth at once, then evenly.
    pub fn key(&self, id: ApiKeyId, rate: u32, count: u32) -> Result<(), KeyWait> {
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() > REMEMBERED_MAX {
            keys.clear();
        }
        let key = keys.entry(id).or_insert_with(|| KeyRate::new(rate));
        if key.per_minute != rate {
            *key = KeyRate::new(rate);
        }
        match key.limiter.check_n(count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_yet)) => Err(KeyWait::Later(not_yet.wait_time_from(key.limiter.clock().now()))),
            Err(_) => Err(KeyWait::Never),
        }
    }
}

impl KeyRate {
    fn new(rate: u32) -> KeyRate {
        KeyRate { per_minute: rate, limiter: RateLimiter::direct(per_minute(rate)) }
    }
}

/// Keeps the memory of a limiter bounded.
fn tidy<K: std::hash::Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>) {
    if limiter.len() > REMEMBERED_MAX {
        limiter.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_rate() {
        let limits = Limits::new();
        let (one, other) = (ApiKeyId(1), ApiKeyId(2));
        assert_eq!(limits.key(one, 3, 3), Ok(()));
        let wait = limits.key(one, 3, 1).unwrap_err();
        assert!(
            matches!(wait, KeyWait::Later(wait) if wait > Duration::from_secs(15) && wait <= Duration::from_secs(20)),
            "{wait:?}"
        );
        assert_eq!(limits.key(one, 3, 4), Err(KeyWait::Never));
        assert_eq!(limits.key(other, 1, 1), Ok(()));
    }
}
