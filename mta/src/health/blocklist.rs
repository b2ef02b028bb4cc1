//! Blocklists of addresses and of domains (RFC 5782): how they are asked and what their answers mean. Which ones there are is data,
//! `data/dnsbl.toml`.

use serde::Deserialize;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

/// A blocklist.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Blocklist {
    pub name: String,
    pub zone: String,
    families: Vec<Family>,
    pub grave: bool,
    lookup: String,
    listing: Vec<Meaning>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Family {
    Ipv4,
    Ipv6,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meaning {
    answer: Ipv4Addr,
    means: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    list: Vec<Blocklist>,
    domain_list: Vec<DomainList>,
}

/// A blocklist of domains.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainList {
    name: String,
    zone: String,
    grave: bool,
    lookup: String,
    /// What it says to resolvers that are public, or ask too much, where that lies among its listings.
    refusals: Vec<Ipv4Addr>,
    listing: Vec<Meaning>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// Listed, and why.
    Listed(String),
    /// The list does not answer this resolver.
    Refused,
    /// The answer is none that a list gives.
    Senseless,
}

// A test reads the file, so this holds for every build that passed the tests.
static LISTS: LazyLock<File> =
    LazyLock::new(|| toml::from_str(include_str!("../../data/dnsbl.toml")).expect("the built-in blocklists read"));

/// The built-in lists of addresses.
pub(super) fn all() -> &'static [Blocklist] {
    &LISTS.list
}

/// The built-in lists of domains.
pub(super) fn of_domains() -> &'static [DomainList] {
    &LISTS.domain_list
}

impl Blocklist {
    /// Whether it knows addresses of this family.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.families.contains(if ip.is_ipv4() { &Family::Ipv4 } else { &Family::Ipv6 })
    }

    /// The name to ask for (RFC 5782 §2.1 and §2.4).
    pub fn question(&self, ip: IpAddr) -> String {
        let mut name = String::new();
        // Writing to a String cannot fail.
        let _ = match ip {
            IpAddr::V4(ip) => ip.octets().iter().rev().try_for_each(|octet| write!(name, "{octet}.")),
            IpAddr::V6(ip) => {
                ip.octets().iter().rev().try_for_each(|octet| write!(name, "{:x}.{:x}.", octet & 15, octet >> 4))
            }
        };
        name + &self.zone
    }

    /// The name that no list may have (RFC 5782 §5): who lists it lists everybody, as a list does that has ended.
    pub fn counter_question(&self) -> String {
        self.question(Ipv4Addr::LOCALHOST.into())
    }

    /// What its answers mean; at least one.
    pub fn read(&self, answers: &[IpAddr]) -> Listing {
        read(answers, &[], &self.listing)
    }

    /// Where to have a listing removed.
    pub fn lookup(&self, ip: IpAddr) -> String {
        self.lookup.replace("{ip}", &ip.to_string())
    }
}

impl DomainList {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether mail is refused at many places while a domain is listed.
    pub fn is_grave(&self) -> bool {
        self.grave
    }

    /// The name to ask for (RFC 5782 §2.2).
    pub fn question(&self, name: &str) -> String {
        format!("{name}.{}", self.zone)
    }

    /// The name that no list of domains may have (RFC 5782 §5).
    pub fn counter_question(&self) -> String {
        self.question("invalid")
    }

    /// What its answers mean; at least one.
    pub fn read(&self, answers: &[IpAddr]) -> Listing {
        read(answers, &self.refusals, &self.listing)
    }

    /// Where to have a listing removed.
    pub fn lookup(&self, name: &str) -> String {
        self.lookup.replace("{name}", name)
    }
}

fn read(answers: &[IpAddr], refusals: &[Ipv4Addr], listing: &[Meaning]) -> Listing {
    let four = |answer: &IpAddr| match answer {
        IpAddr::V4(four) => Some(*four),
        IpAddr::V6(_) => None,
    };
    let answers: Vec<Ipv4Addr> = answers.iter().filter_map(four).collect();
    // What lists say to resolvers that are public, or ask too much: 127.255.255.0/24.
    let refused = |answer: &Ipv4Addr| answer.octets()[..3] == [127, 255, 255] || refusals.contains(answer);
    if answers.iter().any(refused) {
        return Listing::Refused;
    }
    // RFC 5782 §2.1: answers lie within 127.0.0.0/8. Others come from resolvers that invent addresses.
    if answers.is_empty() || !answers.iter().all(Ipv4Addr::is_loopback) {
        return Listing::Senseless;
    }
    let meaning = |answer: &Ipv4Addr| {
        let known = listing.iter().find(|meaning| meaning.answer == *answer);
        known.map_or_else(|| format!("answer {answer}"), |meaning| meaning.means.clone())
    };
    Listing::Listed(answers.iter().map(meaning).collect::<Vec<_>>().join("; "))
}

/// Whether the world can see the address, so that a list may have heard of it.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64.0.0/10 is shared behind carriers' translators (RFC 6598).
            let is_shared = a == 100 && (64..128).contains(&b);
            !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || is_shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str) -> &'static Blocklist {
        all().iter().find(|list| list.name == name).unwrap()
    }

    #[test]
    fn questions() {
        let zen = list("Spamhaus ZEN");
        assert_eq!(zen.question("198.51.100.7".parse().unwrap()), "7.100.51.198.zen.spamhaus.org");
        assert_eq!(
            zen.question("2001:db8::1".parse().unwrap()),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org"
        );
        assert_eq!(zen.counter_question(), "1.0.0.127.zen.spamhaus.org");
        assert!(zen.knows("::1".parse().unwrap()) && !list("SpamCop").knows("::1".parse().unwrap()));
        assert_eq!(
            list("SpamCop").lookup("198.51.100.7".parse().unwrap()),
            "https://www.spamcop.net/bl.shtml?198.51.100.7"
        );
    }

    #[test]
    fn answers() {
        let zen = list("Spamhaus ZEN");
        let read = |answers: &[&str]| zen.read(&answers.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<_>>());
        for (answers, expected) in [
            (&["127.0.0.4"][..], Listing::Listed("XBL: looks infected or has an open proxy".to_owned())),
            (
                &["127.0.0.2", "127.0.0.77"],
                Listing::Listed("SBL: sends spam, seen by Spamhaus; answer 127.0.0.77".to_owned()),
            ),
            (&["127.255.255.254"], Listing::Refused),
            (&["192.0.2.80"], Listing::Senseless),
            (&["::1"], Listing::Senseless),
        ] {
            assert_eq!(read(answers), expected, "{answers:?}");
        }
    }

    #[test]
    fn domains_are_asked_about_by_name() {
        let dbl = of_domains().iter().find(|list| list.name() == "Spamhaus DBL").unwrap();
        let surbl = of_domains().iter().find(|list| list.name() == "SURBL").unwrap();
        assert_eq!(dbl.question("news.example"), "news.example.dbl.spamhaus.org");
        assert_eq!(dbl.counter_question(), "invalid.dbl.spamhaus.org");
        assert_eq!(dbl.lookup("news.example"), "https://check.spamhaus.org/results/?query=news.example");
        for (list, answer, expected) in [
            (dbl, "127.0.1.4", Listing::Listed("phishing".to_owned())),
            (dbl, "127.0.1.255", Listing::Refused),
            (dbl, "127.255.255.254", Listing::Refused),
            (dbl, "198.51.100.1", Listing::Senseless),
            (surbl, "127.0.0.1", Listing::Refused),
            (surbl, "127.0.0.80", Listing::Listed("answer 127.0.0.80".to_owned())),
        ] {
            assert_eq!(list.read(&[answer.parse().unwrap()]), expected, "{answer}");
        }
    }

    #[test]
    fn only_public_addresses_are_asked_about() {
        for ip in ["198.51.100.7", "100.128.0.1", "2001:db8::1"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "fe80::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn each_list_is_whole() {
        for list in all() {
            assert!(list.lookup.contains("{ip}") && list.lookup.starts_with("https://"), "{}", list.name);
            assert!(!list.families.is_empty() && mail::Domain::parse(&list.zone).is_ok(), "{}", list.name);
        }
        for list in of_domains() {
            assert!(list.lookup.starts_with("https://") && !list.listing.is_empty(), "{}", list.name);
            assert!(mail::Domain::parse(&list.zone).is_ok(), "{}", list.name);
        }
    }
}
