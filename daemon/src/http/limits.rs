//! Rates of what can be asked without being signed in: sign-in, and the pages for recipients.

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;

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
}

/// Keeps the memory of a limiter bounded.
fn tidy<K: std::hash::Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>) {
    if limiter.len() > REMEMBERED_MAX {
        limiter.retain_recent();
    }
}
