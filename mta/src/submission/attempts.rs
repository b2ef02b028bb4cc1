//! Wrong logins by address of the network: each next one waits longer for its answer, and after some the address may
//! not try again for a while. The secrets are random, so this only keeps guessers from being a load.

use crate::shared::lock;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

/// Wrong logins until an address may not try any more.
const WRONG_MAX: u32 = 10;
/// After so long without a wrong login all is forgotten.
const FORGET_MS: i64 = 15 * 60 * 1000;
/// The first wrong login waits so long for its answer, the next twice as long.
const DELAY_FIRST: Duration = Duration::from_millis(500);
/// The longest such wait.
const DELAY_MAX: Duration = Duration::from_secs(8);
/// Addresses remembered. Beyond it the one that was quiet for longest is forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Who erred how often.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Clone, Copy)]
struct Wrong {
    count: u32,
    last_ms: i64,
}

impl Attempts {
    /// Whether a login may be tried from there.
    pub fn may_try(&self, ip: IpAddr, now_ms: i64) -> bool {
        let wrong = lock(&self.0).get(&network(ip)).copied();
        wrong.is_none_or(|wrong| wrong.count < WRONG_MAX || now_ms - wrong.last_ms >= FORGET_MS)
    }

    /// Notes a wrong login; says how long its answer is to wait.
    pub fn wrong(&self, ip: IpAddr, now_ms: i64) -> Duration {
        let mut all = lock(&self.0);
        let ip = network(ip);
        if all.len() >= ADDRESSES_MAX && !all.contains_key(&ip) {
            make_room(&mut all, now_ms);
        }
        let wrong = all.entry(ip).or_insert(Wrong { count: 0, last_ms: now_ms });
        if now_ms - wrong.last_ms >= FORGET_MS {
            wrong.count = 0;
        }
        *wrong = Wrong { count: wrong.count + 1, last_ms: now_ms };
        DELAY_FIRST.saturating_mul(1 << (wrong.count - 1).min(8)).min(DELAY_MAX)
    }

    /// Forgets the address: somebody there knows a secret.
    pub fn right(&self, ip: IpAddr) {
        lock(&self.0).remove(&network(ip));
    }
}

fn make_room(all: &mut HashMap<IpAddr, Wrong>, now_ms: i64) {
    all.retain(|_, wrong| now_ms - wrong.last_ms < FORGET_MS);
    if all.len() < ADDRESSES_MAX {
        return;
    }
    if let Some(quiet) = all.iter().min_by_key(|(_, wrong)| wrong.last_ms).map(|(ip, _)| *ip) {
        all.remove(&quiet);
    }
}

/// One customer has a whole /64 of IPv6 addresses.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_then_not_at_all_then_forgotten() {
        let attempts = Attempts::default();
        let ip = "2001:db8::1".parse().unwrap();
        let neighbour = "2001:db8::2".parse().unwrap();
        let mut waits = Vec::new();
        for _ in 0..WRONG_MAX {
            assert!(attempts.may_try(ip, 0));
            waits.push(attempts.wrong(ip, 0).as_millis());
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000]);
        assert!(!attempts.may_try(ip, 1) && !attempts.may_try(neighbour, FORGET_MS - 1));
        assert!(attempts.may_try("192.0.2.1".parse().unwrap(), 1));
        assert!(attempts.may_try(ip, FORGET_MS));
        assert_eq!(attempts.wrong(ip, FORGET_MS).as_millis(), 500);
        attempts.right(ip);
        assert_eq!(attempts.wrong(ip, FORGET_MS).as_millis(), 500);
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..ADDRESSES_MAX as u32 + 100 {
            attempts.wrong(IpAddr::from(n.to_be_bytes()), i64::from(n));
        }
        assert_eq!(lock(&attempts.0).len(), ADDRESSES_MAX);
        assert!(lock(&attempts.0).contains_key(&IpAddr::from((ADDRESSES_MAX as u32 + 99).to_be_bytes())));
    }
}
