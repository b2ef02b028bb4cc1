//! Places for connections, above what each lane allows itself: all connections together, those of all sources to one
//! site, and those of one source to all sites of a provider. A few are kept for lanes that have transactional mail, so
//! that bulk mail cannot take them all. A place is a value; dropping it gives it back.

use crate::shaping::Limits;
use crate::shared::lock;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

/// The places that there are.
pub(crate) struct Places {
    max: u32,
    taken: Mutex<Taken>,
}

type AtProvider = (usize, Arc<str>);

#[derive(Default)]
struct Taken {
    all: u32,
    by_site: HashMap<Arc<str>, u32>,
    /// By source and provider.
    by_provider: HashMap<AtProvider, u32>,
}

/// One in so many places is kept for urgent lanes.
const KEPT_PART: u32 = 10;

/// Whether a lane has transactional mail that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    Bulk,
    Urgent,
}

/// Who wants a place.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub source: usize,
    pub site: &'a Arc<str>,
    pub provider: &'a Arc<str>,
    pub limits: &'a Limits,
    /// Connections of the source at the provider, where something restrains them for a while.
    pub restrained: Option<u32>,
    pub urgency: Urgency,
}

/// The right to have one connection open.
pub(crate) struct Place {
    places: Arc<Places>,
    site: Arc<str>,
    at_provider: AtProvider,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.all -= 1;
        one_less(&mut taken.by_site, &self.site);
        one_less(&mut taken.by_provider, &self.at_provider);
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(n) = counts.get_mut(key) {
        *n -= 1;
        if *n == 0 {
            counts.remove(key);
        }
    }
}

impl Places {
    pub fn new(max: u32) -> Arc<Places> {
        Arc::new(Places { max, taken: Mutex::default() })
    }

    /// A place for a connection, if there is one.
    pub fn take(self: &Arc<Self>, wanted: Wanted<'_>) -> Option<Place> {
        let kept = if wanted.urgency == Urgency::Bulk { self.max / KEPT_PART } else { 0 };
        let mut taken = lock(&self.taken);
        let at_provider = (wanted.source, wanted.provider.clone());
        let at_site = taken.by_site.get(wanted.site).copied().unwrap_or(0);
        let here = taken.by_provider.get(&at_provider).copied().unwrap_or(0);
        let full = |n: u32, limit: Option<u32>| limit.is_some_and(|limit| n >= limit);
        if taken.all >= self.max - kept
            || full(at_site, wanted.limits.site_connections)
            || full(here, wanted.limits.provider_connections)
            || full(here, wanted.restrained)
        {
            return None;
        }
        taken.all += 1;
        taken.by_site.insert(wanted.site.clone(), at_site + 1);
        taken.by_provider.insert(at_provider.clone(), here + 1);
        Some(Place { places: self.clone(), site: wanted.site.clone(), at_provider })
    }

    /// Connections of a source at a provider.
    pub fn at_provider(&self, source: usize, provider: &Arc<str>) -> u32 {
        lock(&self.taken).by_provider.get(&(source, provider.clone())).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shaping::{Place as At, Snapshot};
    use config::Config;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_limit_is_ever_exceeded(
            steps in prop::collection::vec((0..3_usize, 0..4_usize, any::<bool>(), any::<bool>(), 0..4_u32), 1..200),
        ) {
            let text = "[[shaping]]\nsite = \"mx.two.example\"\nsite_connections = 3\n[[shaping]]\nprovider = \"one.example\"\n\
                        provider_connections = 2";
            let config: Config = config::parse("test", text).unwrap();
            let snapshot = Snapshot::compile(&config.smtp, &config.shaping);
            // Two sites of the first provider; the third and the fourth have one each.
            let hosts = ["mx.a.one.example", "mx.b.one.example", "mx.two.example", "aspmx.l.google.com"];
            let sites: Vec<(Arc<str>, Arc<str>, Limits)> = hosts.iter().map(|host| {
                let provider = snapshot.provider_name(&[host]);
                let place = At { provider: &provider, hosts: &[host], domain: None, source: None };
                let limits = snapshot.limits(&place);
                (Arc::from(*host), provider, limits)
            }).collect();
            let places = Places::new(12);
            let mut open: Vec<(usize, usize, Place)> = Vec::new();
            for (source, site, closes, urgent, restrained) in steps {
                if closes && !open.is_empty() {
                    open.swap_remove((source * 7 + site) % open.len());
                    continue;
                }
                let (name, provider, limits) = &sites[site];
                let at_site = open.iter().filter(|(_, s, _)| *s == site).count();
                let here = open.iter().filter(|(f, s, _)| *f == source && sites[*s].1 == *provider).count();
                let restrained = (restrained > 0).then_some(restrained);
                let (site_max, provider_max) = [(usize::MAX, 2), (usize::MAX, 2), (3, usize::MAX), (usize::MAX, 5)][site];
                let full = open.len() >= if urgent { 12 } else { 11 }
                    || at_site >= site_max
                    || here >= provider_max
                    || restrained.is_some_and(|max| here >= max as usize);
                let urgency = if urgent { Urgency::Urgent } else { Urgency::Bulk };
                let place = places.take(Wanted { source, site: name, provider, limits, restrained, urgency });
                prop_assert_eq!(place.is_none(), full);
                open.extend(place.map(|place| (source, site, place)));
                let counted = open.iter().filter(|(f, s, _)| *f == source && sites[*s].1 == *provider).count();
                prop_assert_eq!(places.at_provider(source, provider) as usize, counted);
            }
            drop(open);
            let taken = lock(&places.taken);
            prop_assert_eq!(taken.all, 0);
            prop_assert!(taken.by_site.is_empty() && taken.by_provider.is_empty());
        }
    }
}
