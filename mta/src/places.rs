//! Places for connections, above what each lane allows itself: all connections together, and those to a provider whose
//! limit counts over all its sites. A few are kept for lanes that have transactional mail, so that bulk mail cannot take
//! them all. A place is a value; dropping it gives it back.

use crate::providers::{Provider, Scope};
use crate::shared::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The places that there are.
pub(crate) struct Places {
    max: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: u32,
    /// By source and provider.
    here: HashMap<(usize, Arc<str>), u32>,
}

/// One in so many places is kept for urgent lanes.
const KEPT_PART: u32 = 10;

/// Whether a lane has transactional mail that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    Bulk,
    Urgent,
}

/// The right to have one connection open.
pub(crate) struct Place {
    places: Arc<Places>,
    key: (usize, Arc<str>),
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.all -= 1;
        if let Some(n) = taken.here.get_mut(&self.key) {
            *n -= 1;
            if *n == 0 {
                taken.here.remove(&self.key);
            }
        }
    }
}

impl Places {
    pub fn new(max: u32) -> Arc<Places> {
        Arc::new(Places { max, taken: Mutex::default() })
    }

    /// A place for a connection from this source to a site of this provider, if there is one.
    pub fn take(self: &Arc<Self>, source: usize, provider: &Provider, urgency: Urgency) -> Option<Place> {
        let kept = if urgency == Urgency::Bulk { self.max / KEPT_PART } else { 0 };
        let mut taken = lock(&self.taken);
        let key = (source, provider.name.clone());
        let here = taken.here.get(&key).copied().unwrap_or(0);
        if taken.all >= self.max - kept || (provider.scope == Scope::Provider && here >= provider.connections) {
            return None;
        }
        taken.all += 1;
        taken.here.insert(key.clone(), here + 1);
        Some(Place { places: self.clone(), key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Providers;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_limit_is_ever_exceeded(steps in prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>(), any::<bool>()), 1..200)) {
            let all = Providers::builtin(10, 100);
            let google = all.of_hosts(&["aspmx.l.google.com"]);
            let providers = [google.clone(), all.of_hosts(&["mx.one.example"]), all.of_hosts(&["mx.two.example"])];
            let places = Places::new(12);
            let mut open: Vec<(usize, usize, Place)> = Vec::new();
            for (source, provider, closes, urgent) in steps {
                if closes && !open.is_empty() {
                    open.swap_remove((source * 7 + provider) % open.len());
                    continue;
                }
                let here = open.iter().filter(|(s, p, _)| (*s, *p) == (source, provider)).count();
                let urgency = if urgent { Urgency::Urgent } else { Urgency::Bulk };
                let full = open.len() >= if urgent { 12 } else { 11 } || (provider == 0 && here >= google.connections as usize);
                let place = places.take(source, &providers[provider], urgency);
                prop_assert_eq!(place.is_none(), full);
                open.extend(place.map(|place| (source, provider, place)));
            }
            drop(open);
            prop_assert_eq!(lock(&places.taken).all, 0);
            prop_assert!(lock(&places.taken).here.is_empty());
        }
    }
}
