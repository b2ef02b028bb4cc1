//! The simulated internet's DNS data: one zone that has every name.
//!
//! Records may be published while it is being asked: the demo puts the sending domain's DKIM, SPF and DMARC here.

use crate::manners::{OddAnswer, Providers};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, RwLock};
use world::{Proof, TlsaRecord};

/// How many CNAMEs are followed.
const CNAME_MAX: usize = 8;

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A mail exchanger; an empty host is the null MX (RFC 7505).
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The exchanger.
        host: String,
    },
    /// An address, of either family.
    Address(IpAddr),
    /// Text.
    Txt(String),
    /// The name of an address.
    Ptr(String),
    /// Another name for this one.
    Cname(String),
    /// Which certificates a server has (RFC 6698).
    Tlsa(TlsaRecord),
}

/// A type of records that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MX.
    Mx,
    /// A.
    A,
    /// AAAA.
    Aaaa,
    /// TXT.
    Txt,
    /// PTR.
    Ptr,
    /// CNAME.
    Cname,
    /// TLSA.
    Tlsa,
    /// Any other type: nothing here has it.
    Other,
}

/// What the zone says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The records, each with its owner's name; CNAMEs that were followed come first. Empty: the name exists and has
    /// none of that type.
    Records(Vec<(String, Record)>),
    /// NXDOMAIN, after the CNAMEs that led there.
    NoSuchName(Vec<(String, Record)>),
    /// SERVFAIL.
    Servfail,
}

#[derive(Default)]
struct Names {
    /// By reversed labels ("example.com" is "com.example."), so that what is below a name follows it.
    nodes: BTreeMap<String, Node>,
    /// What DNSSEC says of a name and everything below it, by reversed labels; nothing else is signed.
    proofs: BTreeMap<String, Proof>,
}

#[derive(Default)]
struct Node {
    records: Vec<Record>,
    servfail: bool,
}

/// A handle to the data; clones share it.
#[derive(Clone, Default)]
pub struct Zone {
    names: Arc<RwLock<Names>>,
}

impl Zone {
    /// A zone with the domains and servers of `providers`.
    #[must_use]
    pub fn of(providers: &Providers) -> Zone {
        let zone = Zone::default();
        for provider in &providers.providers {
            for mx in &provider.mx {
                zone.publish_address(&mx.host, mx.ip);
                zone.publish_ptr(mx.ip, &mx.host);
            }
            for domain in &provider.domains {
                if provider.implicit_mx {
                    zone.publish_address(domain, provider.mx[0].ip);
                    continue;
                }
                for mx in &provider.mx {
                    zone.publish_mx(domain, mx.preference, &mx.host);
                }
            }
        }
        for oddity in &providers.oddities {
            match oddity.answer {
                OddAnswer::NullMx => zone.publish_mx(&oddity.domain, 0, ""),
                OddAnswer::Servfail => zone.publish_servfail(&oddity.domain),
                OddAnswer::NoSuchName => {}
            }
        }
        zone
    }

    /// Adds an MX record; an empty host is the null MX.
    pub fn publish_mx(&self, name: &str, preference: u16, host: &str) {
        self.publish(name, Record::Mx { preference, host: plain(host) });
    }

    /// Adds an A or AAAA record.
    pub fn publish_address(&self, name: &str, ip: IpAddr) {
        self.publish(name, Record::Address(ip));
    }

    /// Adds a TXT record of any length.
    pub fn publish_txt(&self, name: &str, text: &str) {
        self.publish(name, Record::Txt(text.to_owned()));
    }

    /// Adds a TLSA record.
    pub fn publish_tlsa(&self, name: &str, record: TlsaRecord) {
        self.publish(name, Record::Tlsa(record));
    }

    /// Says what a validating resolver finds of `name` and everything below it. The records are not really signed: the
    /// simulated validator is told.
    pub fn set_proof(&self, name: &str, proof: Proof) {
        self.write().proofs.insert(key(name), proof);
    }

    /// What a validating resolver finds of a name.
    #[must_use]
    pub fn proof(&self, name: &str) -> Proof {
        let names = self.names.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = key(name);
        let above = names.proofs.iter().filter(|(above, _)| key.starts_with(above.as_str()));
        above.max_by_key(|(above, _)| above.len()).map_or(Proof::Insecure, |(_, proof)| proof.clone())
    }

    /// Adds the PTR record of an address.
    pub fn publish_ptr(&self, ip: IpAddr, name: &str) {
        self.publish(&reverse(ip), Record::Ptr(plain(name)));
    }

    /// Makes `name` another name of `target`.
    pub fn publish_cname(&self, name: &str, target: &str) {
        self.publish(name, Record::Cname(plain(target)));
    }

    /// Makes every question about `name` fail.
    pub fn publish_servfail(&self, name: &str) {
        self.write().nodes.entry(key(name)).or_default().servfail = true;
    }

    /// Removes everything that `name` has.
    pub fn withdraw(&self, name: &str) {
        self.write().nodes.remove(&key(name));
    }

    /// Answers a question.
    #[must_use]
    pub fn ask(&self, name: &str, kind: Kind) -> Answer {
        let names = self.names.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut found = Vec::new();
        let mut owner = plain(name);
        for _ in 0..CNAME_MAX {
            let Some(node) = names.nodes.get(&key(&owner)) else {
                return if names.has_below(&key(&owner)) { Answer::Records(found) } else { Answer::NoSuchName(found) };
            };
            if node.servfail {
                return Answer::Servfail;
            }
            let alias = node.records.iter().find_map(|record| match record {
                Record::Cname(target) if kind != Kind::Cname => Some(target.clone()),
                _ => None,
            });
            let Some(target) = alias else {
                found.extend(node.records.iter().filter(|r| r.is(kind)).map(|r| (owner.clone(), r.clone())));
                return Answer::Records(found);
            };
            found.push((owner, Record::Cname(target.clone())));
            owner = target;
        }
        Answer::Servfail
    }

    /// The TXT records of a name, for a verifier: empty when there is no answer of any kind.
    #[must_use]
    pub fn txt(&self, name: &str) -> Vec<String> {
        let Answer::Records(records) = self.ask(name, Kind::Txt) else { return Vec::new() };
        let text = |(_, record)| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        };
        records.into_iter().filter_map(text).collect()
    }

    fn publish(&self, name: &str, record: Record) {
        let mut names = self.write();
        let node = names.nodes.entry(key(name)).or_default();
        if !node.records.contains(&record) {
            node.records.push(record);
        }
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Names> {
        self.names.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Names {
    /// A name without records still exists when there is one below it (RFC 8020 §2).
    fn has_below(&self, key: &str) -> bool {
        self.nodes.range(key.to_owned()..).next().is_some_and(|(next, _)| next.starts_with(key))
    }
}

impl Record {
    fn is(&self, kind: Kind) -> bool {
        match self {
            Record::Mx { .. } => kind == Kind::Mx,
            Record::Address(IpAddr::V4(_)) => kind == Kind::A,
            Record::Address(IpAddr::V6(_)) => kind == Kind::Aaaa,
            Record::Txt(_) => kind == Kind::Txt,
            Record::Ptr(_) => kind == Kind::Ptr,
            Record::Cname(_) => kind == Kind::Cname,
            Record::Tlsa(_) => kind == Kind::Tlsa,
        }
    }
}

/// The name under which an address has its PTR record (RFC 1035 §3.5, RFC 3596 §2.5).
#[must_use]
pub fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn key(name: &str) -> String {
    plain(name).rsplit('.').map(|label| format!("{label}.")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_absence() {
        let zone = Zone::of(&Providers::builtin());
        let mx = |name: &str| zone.ask(name, Kind::Mx);
        assert!(matches!(mx("Albatross.Example."), Answer::Records(r) if r.len() == 2));
        assert_eq!(mx("nosuchdomain.example"), Answer::NoSuchName(vec![]));
        assert_eq!(mx("brokendns.example"), Answer::Servfail);
        assert_eq!(mx("hermit.example"), Answer::Records(vec![]));
        // It has nothing of its own, but there are names below it.
        assert_eq!(mx("albatross-mx.example"), Answer::Records(vec![]));
        assert_eq!(mx("batross-mx.example"), Answer::NoSuchName(vec![]));
        let null = Record::Mx { preference: 0, host: String::new() };
        assert_eq!(mx("nomail.example"), Answer::Records(vec![("nomail.example".to_owned(), null)]));
    }

    #[test]
    fn aliases_are_followed_and_loops_end() {
        let zone = Zone::default();
        zone.publish_cname("a.example", "b.example");
        zone.publish_txt("b.example", "hello");
        assert_eq!(zone.txt("A.EXAMPLE"), ["hello"]);
        zone.publish_cname("x.example", "y.example");
        zone.publish_cname("y.example", "x.example");
        assert_eq!(zone.ask("x.example", Kind::Txt), Answer::Servfail);
        zone.withdraw("b.example");
        assert!(matches!(zone.ask("a.example", Kind::Txt), Answer::NoSuchName(aliases) if aliases.len() == 1));
    }

    #[test]
    fn proofs_hold_for_what_is_below() {
        let zone = Zone::default();
        zone.set_proof("a.example", Proof::Secure);
        zone.set_proof("_25._tcp.mx.a.example", Proof::Bogus);
        for (name, proof) in [
            ("a.example", Proof::Secure),
            ("mx.A.example.", Proof::Secure),
            ("_25._tcp.mx.a.example", Proof::Bogus),
            ("ba.example", Proof::Insecure),
            ("example", Proof::Insecure),
        ] {
            assert_eq!(zone.proof(name), proof, "{name}");
        }
    }

    #[test]
    fn reversed_addresses() {
        assert_eq!(reverse("192.0.2.1".parse().unwrap()), "1.2.0.192.in-addr.arpa");
        let six = reverse("2001:db8::1".parse().unwrap());
        assert!(six.starts_with("1.0.0.0.") && six.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"), "{six}");
    }
}
