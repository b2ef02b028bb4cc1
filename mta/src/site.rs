//! From a recipient's domain to its site: the set of hosts that take its mail (RFC 5321 §5.1).
//!
//! Strategies: null MX (RFC 7505) and a name that does not exist are final; no MX means the domain itself (implicit
//! MX); trouble of the DNS is a reason to wait. Domains that share their MX set, and what they ask of TLS, share a site,
//! and with it their lanes.
//! Answers are kept for a few minutes here, so that a campaign asks once per domain; the resolver below honours TTLs.

use crate::providers::Provider;
use crate::route::Way;
use crate::shaping::Snapshot;
use crate::tls::{Policies, SiteTls};
use mail::EnhancedStatus;
use moka::sync::Cache;
use std::net::IpAddr;
use std::sync::Arc;
use world::{Dns, DnsError, MxRecord, Random};

/// How long an answer is kept.
const KEEP_MS: i64 = 300_000;
/// How long "no answer" is kept.
const KEEP_TROUBLE_MS: i64 = 60_000;
/// Domains kept at most.
const DOMAINS_MAX: u64 = 100_000;
/// Longest name of a site; what exceeds it is cut, for people and metrics.
const NAME_MAX: usize = 120;

/// Domains that share an MX set; or the hosts of a route.
#[derive(Debug)]
pub struct Site {
    /// The MX set in short: `mx.example.com`, `(alt1|alt2).aspmx.l.google.com`.
    pub name: Arc<str>,
    /// The hosts with their preferences, best first.
    pub hosts: Vec<MxRecord>,
    /// Whose it is.
    pub provider: Arc<Provider>,
    /// How its hosts are reached, where a route says so.
    pub(crate) way: Option<Way>,
    /// The recipient domain that has this site to itself, because limits of its own are set for it.
    pub domain: Option<Arc<str>>,
    /// What its domains ask of TLS.
    pub tls: SiteTls,
}

/// Why a domain has no site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSite {
    /// It takes no mail at all: bounce.
    Never {
        /// 5.1.10 for the null MX (RFC 7505 §4.1), else 5.1.2 (RFC 3463 §3.2).
        status: EnhancedStatus,
        /// Why, for people.
        why: String,
    },
    /// The DNS did not answer: wait.
    NotNow {
        /// Why, for people.
        why: String,
    },
}

impl NoSite {
    fn never(detail: u16, why: String) -> NoSite {
        NoSite::Never { status: EnhancedStatus { class: 5, subject: 1, detail }, why }
    }
}

/// What the MX answer means: the hosts, the domain itself, or nothing.
#[derive(Debug, PartialEq, Eq)]
enum Exchange {
    Hosts(Vec<MxRecord>),
    Implicit,
    No(NoSite),
}

fn read_mx(domain: &str, answer: Result<Vec<MxRecord>, DnsError>) -> Exchange {
    match answer {
        Err(DnsError::NoSuchName { .. }) => {
            Exchange::No(NoSite::never(2, format!("the domain {domain} does not exist")))
        }
        Err(DnsError::Temporary { why, .. }) => {
            Exchange::No(NoSite::NotNow { why: format!("the DNS has no answer about {domain}: {why}") })
        }
        Ok(records) if records.is_empty() => Exchange::Implicit,
        Ok(mut records) => {
            // RFC 7505 §3: the null MX stands alone. Beside others the empty host is a mistake and passed over.
            records.retain(|mx| !mx.host.is_empty());
            if records.is_empty() {
                return Exchange::No(NoSite::never(10, format!("the domain {domain} takes no mail (null MX)")));
            }
            records.sort();
            records.dedup_by(|a, b| a.host == b.host);
            Exchange::Hosts(records)
        }
    }
}

/// Finds sites, and keeps what it found.
pub(crate) struct Resolver {
    dns: Arc<dyn Dns>,
    policies: Arc<Policies>,
    shaping: Arc<Snapshot>,
    found: Cache<String, (i64, Result<Arc<Site>, NoSite>)>,
    // Lanes are kept per site, so the same hosts must give the same site.
    sites: Cache<String, Arc<Site>>,
}

impl Resolver {
    pub fn new(dns: Arc<dyn Dns>, shaping: Arc<Snapshot>, policies: Arc<Policies>) -> Resolver {
        Resolver { dns, policies, shaping, found: Cache::new(DOMAINS_MAX), sites: Cache::new(DOMAINS_MAX) }
    }

    /// The DNS behind it.
    pub fn dns(&self) -> &dyn Dns {
        &*self.dns
    }

    /// What is known of a domain without asking.
    pub fn known(&self, domain: &str, now_ms: i64) -> Option<Result<Arc<Site>, NoSite>> {
        let (until_ms, found) = self.found.get(domain)?;
        (now_ms < until_ms).then_some(found)
    }

    /// The site of a domain.
    pub async fn resolve(&self, domain: &str, now_ms: i64) -> Result<Arc<Site>, NoSite> {
        if let Some(found) = self.known(domain, now_ms) {
            return found;
        }
        let found = self.ask(domain, now_ms).await;
        let keep_ms = if matches!(found, Err(NoSite::NotNow { .. })) { KEEP_TROUBLE_MS } else { KEEP_MS };
        self.found.insert(domain.to_owned(), (now_ms + keep_ms, found.clone()));
        found
    }

    async fn ask(&self, domain: &str, now_ms: i64) -> Result<Arc<Site>, NoSite> {
        match read_mx(domain, self.dns.mx(domain).await) {
            Exchange::Hosts(hosts) => self.site(domain, hosts, now_ms).await,
            Exchange::No(no) => Err(no),
            Exchange::Implicit => match self.dns.addresses(domain).await {
                Ok(ips) if ips.is_empty() => {
                    Err(NoSite::never(2, format!("the domain {domain} has neither MX nor address")))
                }
                Ok(_) => self.site(domain, vec![MxRecord { preference: 0, host: domain.to_owned() }], now_ms).await,
                Err(DnsError::NoSuchName { .. }) => {
                    Err(NoSite::never(2, format!("the domain {domain} does not exist")))
                }
                Err(DnsError::Temporary { why, .. }) => {
                    Err(NoSite::NotNow { why: format!("the DNS has no answer about {domain}: {why}") })
                }
            },
        }
    }

    async fn site(&self, domain: &str, hosts: Vec<MxRecord>, now_ms: i64) -> Result<Arc<Site>, NoSite> {
        let mut names: Vec<&str> = hosts.iter().map(|mx| mx.host.as_str()).collect();
        names.sort_unstable();
        let tls = self.policies.of_site(domain, &names, now_ms).await.map_err(|why| NoSite::NotNow { why })?;
        // Limits of its own need connections of its own: the domain does not share its site with others then.
        let own = self.shaping.names_domain(domain).then_some(domain);
        let at = format!("{}{}", names.join(" "), tls.suffix());
        let key = own.map_or_else(|| at.clone(), |own| format!("{own} at {at}"));
        Ok(self.sites.get_with(key, || {
            let provider = Arc::new(self.shaping.provider(&names, own));
            let whose = own.map(|own| format!(" for {own}")).unwrap_or_default();
            let name = format!("{}{}{whose}", short_name(&names), tls.suffix());
            let (hosts, domain) = (hosts.clone(), own.map(Arc::from));
            Arc::new(Site { name: name.into(), provider, hosts, tls: tls.clone(), way: None, domain })
        }))
    }

    /// Addresses of a host that `source` can reach, IPv4 first: reputation is built there, and few sources have both.
    pub async fn addresses(&self, host: &str, source: Option<IpAddr>) -> Result<Vec<IpAddr>, DnsError> {
        let mut ips = self.dns.addresses(host).await?;
        ips.retain(|ip| source.is_none_or(|source| source.is_ipv4() == ip.is_ipv4()));
        ips.sort_by_key(|ip| !ip.is_ipv4());
        Ok(ips)
    }
}

/// Hosts in the order of one connection's tries: by preference, random among equals (RFC 5321 §5.1).
pub(crate) fn order<'a>(hosts: &'a [MxRecord], random: &dyn Random) -> Vec<&'a str> {
    let mut keyed: Vec<_> = hosts.iter().map(|mx| (mx.preference, random.below(u64::MAX), mx.host.as_str())).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, host)| host).collect()
}

/// Sorted host names in short: what they have in common at the end is written once.
fn short_name(hosts: &[&str]) -> String {
    let [first, rest @ ..] = hosts else { return String::new() };
    if rest.is_empty() {
        return cut((*first).to_owned());
    }
    let labels = |host: &'_ str| host.rsplit('.').map(str::to_owned).collect::<Vec<_>>();
    let mut common = labels(first);
    for host in rest {
        let same = common.iter().zip(labels(host)).take_while(|(a, b)| *a == b).count();
        common.truncate(same);
    }
    common.reverse();
    let suffix = common.join(".");
    let heads: Vec<&str> = hosts.iter().map(|host| host[..host.len() - suffix.len()].trim_end_matches('.')).collect();
    let dot = if suffix.is_empty() { "" } else { "." };
    cut(format!("({}){dot}{suffix}", heads.join("|")))
}

/// Host names are ASCII, so any place is good to cut at.
fn cut(mut name: String) -> String {
    if name.len() > NAME_MAX && name.is_ascii() {
        let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        name.truncate(NAME_MAX - 9);
        name.push_str(&format!("~{sum:08x}"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mx(preference: u16, host: &str) -> MxRecord {
        MxRecord { preference, host: host.to_owned() }
    }

    #[test]
    fn what_an_mx_answer_means() {
        let read = |answer| read_mx("a.example", answer);
        assert_eq!(read(Ok(vec![])), Exchange::Implicit);
        assert_eq!(
            read(Ok(vec![mx(20, "b"), mx(10, "a"), mx(10, ""), mx(10, "a")])),
            Exchange::Hosts(vec![mx(10, "a"), mx(20, "b")])
        );
        let never = |detail, why: &str| Exchange::No(NoSite::never(detail, why.to_owned()));
        assert_eq!(read(Ok(vec![mx(0, "")])), never(10, "the domain a.example takes no mail (null MX)"));
        let name = "a.example".to_owned();
        assert_eq!(
            read(Err(DnsError::NoSuchName { name: name.clone() })),
            never(2, "the domain a.example does not exist")
        );
        let temporary = DnsError::Temporary { name, why: "SERVFAIL".to_owned() };
        assert!(matches!(read(Err(temporary)), Exchange::No(NoSite::NotNow { .. })));
    }

    #[test]
    fn names_of_sites() {
        for (hosts, name) in [
            (&["mx.example.com"][..], "mx.example.com"),
            (&["alt1.aspmx.l.google.com", "alt2.aspmx.l.google.com"], "(alt1|alt2).aspmx.l.google.com"),
            (&["example.com", "mx.example.com"], "(|mx).example.com"),
            (&["a.example", "b.test"], "(a.example|b.test)"),
        ] {
            assert_eq!(short_name(hosts), name);
        }
        assert_eq!(cut("x".repeat(300)).len(), NAME_MAX);
    }

    #[tokio::test]
    async fn domains_of_one_mx_set_share_a_site() {
        let options = sandbox::SimOptions::default();
        let world = sandbox::SimWorld::new(&options, sandbox::Providers::builtin()).unwrap();
        let smtp = config::parse("test", "").unwrap().smtp;
        let parts = crate::tls::TlsParts {
            dnssec: Some(world.dns.clone()),
            fetch: world.fetch.clone(),
            roots: world.roots.clone(),
            submitter: "mail.sender.example".to_owned(),
        };
        let dir = tempfile::tempdir().unwrap();
        let storage = storage::Storage::open(&storage::OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let policies = Arc::new(Policies::new(parts, world.dns.clone(), &storage, &smtp));
        let text = "[[shaping]]\ndomain = \"wingspan.example\"\nconnections = 1";
        let config = config::parse("test", text).unwrap();
        let plain = Arc::new(Snapshot::compile(&config.smtp, &[]));
        let resolver = Resolver::new(world.dns.clone(), plain, policies.clone());
        let of = async |domain: &str| resolver.resolve(domain, 0).await;
        let one = of("albatross.example").await.unwrap();
        let two = of("wingspan.example").await.unwrap();
        assert!(Arc::ptr_eq(&one, &two));
        assert_eq!(&*one.provider.name, "albatross-mx.example");
        assert_eq!(&*one.name, "(mx1|mx2).albatross-mx.example");
        let entries = Arc::new(Snapshot::compile(&config.smtp, &config.shaping));
        let own = Resolver::new(world.dns.clone(), entries, policies);
        let three = own.resolve("wingspan.example", 0).await.unwrap();
        assert_eq!(&*three.name, "(mx1|mx2).albatross-mx.example for wingspan.example");
        assert_eq!(&*own.resolve("albatross.example", 0).await.unwrap().name, &*one.name);
        let hermit = of("hermit.example").await.unwrap();
        assert_eq!(hermit.hosts, [mx(0, "hermit.example")]);
        assert!(matches!(of("nomail.example").await, Err(NoSite::Never { .. })));
        assert!(matches!(of("nosuchdomain.example").await, Err(NoSite::Never { .. })));
        assert!(matches!(of("brokendns.example").await, Err(NoSite::NotNow { .. })));
        let asked = world.dns.questions();
        assert!(matches!(of("brokendns.example").await, Err(NoSite::NotNow { .. })));
        assert_eq!(world.dns.questions(), asked, "trouble is kept too");
        let four = "192.0.2.1".parse().unwrap();
        assert!(resolver.addresses("mx1.albatross-mx.example", Some("::1".parse().unwrap())).await.unwrap().is_empty());
        assert_eq!(resolver.addresses("mx1.albatross-mx.example", Some(four)).await.unwrap().len(), 1);
    }
}
