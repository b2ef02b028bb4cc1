//! Routes: mail that goes to a smart host, a relay or another port instead of its domain's own hosts.
//!
//! Strategies: the first route that fits stream and domain is taken; its hosts are asked in their order; a route that
//! says so gives way to the domain's own hosts while none of its hosts can be reached. A route has one site, named after
//! its first host, so lanes, limits and retries work as everywhere.

use crate::providers::Provider;
use crate::shaping::Snapshot;
use crate::site::Site;
use crate::smtp::{Login, verified_config};
use crate::tls::SiteTls;
use config::RouteTls;
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use world::MxRecord;

/// A configured route with what lies outside the configuration file.
#[derive(Clone)]
pub struct RouteSetup {
    /// The route.
    pub route: config::Route,
    /// The password of each host that has a user, in the order of the hosts.
    pub passwords: Vec<Option<String>>,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca_pem: Option<Vec<u8>>,
}

/// What the operator sees of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteStatus {
    /// Name.
    pub name: String,
    /// The site that its lanes lead to.
    pub site: String,
    /// Until when mail goes to the domains' own hosts instead, while it does.
    pub down_until_ms: Option<i64>,
}

/// How the hosts of a route's site are reached.
#[derive(Debug)]
pub(crate) struct Way {
    pub hosts: Vec<WayHost>,
    /// TLS with a certificate that must be good.
    pub verified: Arc<ClientConfig>,
    then_direct: bool,
    /// None of the hosts could be reached; mail goes elsewhere until then.
    down_until_ms: AtomicI64,
}

/// One host of a route.
#[derive(Debug)]
pub(crate) struct WayHost {
    /// `smtp.example.com:587`
    pub label: String,
    pub host: String,
    pub port: u16,
    pub tls: RouteTls,
    pub login: Option<Login>,
}

impl Way {
    /// None of the hosts can be reached. Whether mail may go to the domains' own hosts meanwhile.
    pub fn gives_way(&self, until_ms: i64) -> bool {
        if self.then_direct {
            self.down_until_ms.store(until_ms, SeqCst);
        }
        self.then_direct
    }

    fn is_down(&self, now_ms: i64) -> bool {
        now_ms < self.down_until_ms.load(SeqCst)
    }
}

/// All routes in their order.
#[derive(Default)]
pub(crate) struct Routes(Vec<Route>);

struct Route {
    route: config::Route,
    site: Arc<Site>,
}

impl Routes {
    /// # Errors
    /// When TLS cannot be set up for a route, with its name.
    pub fn new(
        setups: Vec<RouteSetup>,
        shaping: &Snapshot,
        roots: &RootCertStore,
    ) -> Result<Routes, (String, rustls::Error)> {
        let mut names = HashSet::new();
        let mut routes = Vec::new();
        for setup in setups {
            let name = setup.route.name.to_string();
            let way = way(&setup, roots).map_err(|cause| (name.clone(), cause))?;
            // Lanes are found by their site's name, which no other route may have.
            let mut site_name = way.hosts[0].label.clone();
            if !names.insert(site_name.clone()) {
                site_name = format!("{site_name} ({name})");
            }
            let hosts: Vec<MxRecord> = (0..)
                .zip(&way.hosts)
                .map(|(preference, host)| MxRecord { preference, host: host.host.clone() })
                .collect();
            let provider = provider_of(&way.hosts[0].host, shaping);
            let site =
                Site { name: site_name.into(), hosts, provider, tls: SiteTls::default(), way: Some(way), domain: None };
            routes.push(Route { route: setup.route, site: Arc::new(site) });
        }
        Ok(Routes(routes))
    }

    /// The site that mail of this stream to this domain goes to instead of the domain's own.
    pub fn find(&self, stream: &str, domain: &str, now_ms: i64) -> Option<&Arc<Site>> {
        let found = self.0.iter().find(|route| route.route.fits(stream, domain))?;
        let is_down = found.site.way.as_ref().is_some_and(|way| way.is_down(now_ms));
        (!is_down).then_some(&found.site)
    }

    pub fn status(&self, now_ms: i64) -> Vec<RouteStatus> {
        let status = |route: &Route| RouteStatus {
            name: route.route.name.to_string(),
            site: route.site.name.to_string(),
            down_until_ms: route
                .site
                .way
                .as_ref()
                .filter(|way| way.is_down(now_ms))
                .map(|way| way.down_until_ms.load(SeqCst)),
        };
        self.0.iter().map(status).collect()
    }
}

fn way(setup: &RouteSetup, roots: &RootCertStore) -> Result<Way, rustls::Error> {
    let verified = verified_config(roots, setup.ca_pem.as_deref())?;
    let passwords = setup.passwords.iter().cloned().chain(std::iter::repeat(None));
    let host = |(host, password): (&config::RouteHost, Option<String>)| WayHost {
        label: if host.host.contains(':') {
            format!("[{}]:{}", host.host, host.port)
        } else {
            format!("{}:{}", host.host, host.port)
        },
        host: host.host.clone(),
        port: host.port,
        tls: host.tls,
        login: host.user.clone().zip(password).map(|(user, password)| Login { user, password }),
    };
    Ok(Way {
        hosts: setup.route.hosts.iter().zip(passwords).map(host).collect(),
        verified,
        then_direct: setup.route.then_direct,
        down_until_ms: AtomicI64::new(i64::MIN),
    })
}

fn provider_of(host: &str, shaping: &Snapshot) -> Arc<Provider> {
    let found = shaping.provider(&[host], None);
    Arc::new(Provider { name: shaping.provider_of_route(host), ..found })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        [[stream]]
        name = "alerts"
        kind = "transactional"
        [[route]]
        name = "partner"
        domains = ["partner.example", "*.partner.example"]
        hosts = [{ host = "192.0.2.1", port = 2525, tls = "opportunistic" }]
        [[route]]
        name = "relay"
        streams = ["alerts"]
        hosts = [{ host = "smtp.relay.example", port = 587, tls = "none" }, { host = "b.relay.example", tls = "none" }]
        then_direct = true
        [[route]]
        name = "other"
        streams = ["bulk"]
        domains = ["there.example"]
        hosts = [{ host = "smtp.relay.example", port = 587, tls = "none" }]
    "#;

    fn routes() -> Routes {
        let config = config::parse("x", CONFIG).unwrap_or_else(|e| panic!("{e}"));
        let setup = |route| RouteSetup { route, passwords: Vec::new(), ca_pem: None };
        let shaping = Snapshot::compile(&config.smtp, &config.shaping);
        let setups = config.routes.into_iter().map(setup).collect();
        Routes::new(setups, &shaping, &RootCertStore::empty()).unwrap_or_else(|(name, e)| panic!("{name}: {e}"))
    }

    #[test]
    fn the_first_that_fits() {
        let routes = routes();
        for (stream, domain, site) in [
            ("bulk", "partner.example", Some("192.0.2.1:2525")),
            ("alerts", "mx.partner.example", Some("192.0.2.1:2525")),
            ("alerts", "otherpartner.example", Some("smtp.relay.example:587")),
            ("bulk", "there.example", Some("smtp.relay.example:587 (other)")),
            ("bulk", "elsewhere.example", None),
            ("transactional", "there.example", None),
        ] {
            let found = routes.find(stream, domain, 0).map(|site| &*site.name);
            assert_eq!(found, site, "{stream} {domain}");
        }
        assert_eq!(&*routes.0[0].site.provider.name, "192.0.2.1");
        assert_eq!(&*routes.0[1].site.provider.name, "relay.example");
    }

    #[test]
    fn one_that_is_down_gives_way_if_it_may() {
        let routes = routes();
        let way = |place: usize| routes.0[place].site.way.as_ref().unwrap();
        assert!(!way(0).gives_way(1000) && way(1).gives_way(1000));
        assert!(routes.find("bulk", "partner.example", 0).is_some());
        assert!(routes.find("alerts", "a.example", 999).is_none());
        assert!(routes.find("alerts", "a.example", 1000).is_some());
        let down: Vec<Option<i64>> = routes.status(999).into_iter().map(|status| status.down_until_ms).collect();
        assert_eq!(down, [None, Some(1000), None]);
    }
}
