//! What the large mailbox providers ask of bulk senders: the demands are data (`data/requirements.toml`), the checks
//! plain functions over what is known of a domain. What nobody but the provider knows is said to be not checkable.

use crate::dmarc::{self, Policy};
use mail::Domain;
use serde::Deserialize;
use std::sync::LazyLock;

/// How something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Good,
    /// It doesn't.
    Bad(String),
    /// It could not be found out, or was not looked up yet.
    Unknown(String),
}

/// What is known of a sending domain.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The domain in From and `d=`.
    pub domain: Domain,
    /// The domain of the return path.
    pub return_path: Domain,
    /// SPF of the return path for each sending address.
    pub spf: Standing,
    /// Whether an RSA key signs and its record is visible.
    pub dkim: Standing,
    /// Bits of the shortest RSA key that signs; `None` when none does.
    pub rsa_bits: Option<usize>,
    /// Whether there is a DMARC policy.
    pub dmarc: Standing,
    /// The policy, where it was read.
    pub policy: Option<Policy>,
    /// Whether names and addresses of all sources lead to each other.
    pub reverse_dns: Standing,
    /// Whether TLS is used where it is offered.
    pub tls: bool,
    /// Whether the links in mails begin with https, as RFC 8058 §3.1 wants of one-click ones.
    pub https_links: bool,
    /// The listener that hears bounces.
    pub bounces: Standing,
    /// Recipients known to have reported mail as spam.
    pub complaints: u64,
}

/// The demands of one provider, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The provider.
    pub provider: String,
    /// Its own page.
    pub page: String,
    /// Each demand.
    pub demands: Vec<Demand>,
}

/// One demand, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The rule in words.
    pub wants: String,
    /// Met or not.
    pub result: Met,
    /// Why.
    pub why: String,
}

/// Whether a demand is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Packetboat cannot tell.
    NotCheckable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<Provider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    name: String,
    page: String,
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    check: Check,
    wants: String,
    /// Of a key, for `key_length`.
    bits: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Check {
    Spf,
    Dkim,
    KeyLength,
    Dmarc,
    Alignment,
    ReverseDns,
    Tls,
    OneClick,
    UnsubscribeLink,
    UnsubscribeTime,
    MessageId,
    Format,
    Complaints,
    FeedbackId,
    Streams,
    Bounces,
}

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    // A test reads the file, so this is an invariant of the build.
    toml::from_str::<File>(include_str!("../data/requirements.toml")).expect("data/requirements.toml is good").provider
});

/// Judges every demand of every provider.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Judged> {
    let demand = |requirement: &Requirement| {
        let (result, why) = check(requirement, facts);
        Demand { wants: requirement.wants.clone(), result, why }
    };
    let provider = |provider: &Provider| Judged {
        provider: provider.name.clone(),
        page: provider.page.clone(),
        demands: provider.requirement.iter().map(demand).collect(),
    };
    PROVIDERS.iter().map(provider).collect()
}

fn check(requirement: &Requirement, facts: &Facts) -> (Met, String) {
    let yes = |why: &str| (Met::Yes, why.to_owned());
    let unknown = |why: &str| (Met::NotCheckable, why.to_owned());
    match requirement.check {
        Check::Spf => standing(&facts.spf, "every sending address passes"),
        Check::Dkim => standing(&facts.dkim, "mail is signed, and the key is in the DNS"),
        Check::KeyLength => key_length(requirement.bits.unwrap_or(0), facts.rsa_bits),
        Check::Dmarc => standing(&facts.dmarc, "there is a policy"),
        Check::Alignment => alignment(facts),
        Check::ReverseDns => standing(&facts.reverse_dns, "addresses and names lead to each other"),
        Check::Tls if facts.tls => yes("used wherever the other server offers it"),
        Check::Tls => (Met::No, "TLS is off; set [smtp] tls to \"opportunistic\"".to_owned()),
        Check::OneClick if facts.https_links => {
            yes("campaign mail carries List-Unsubscribe and List-Unsubscribe-Post, both covered by the signature")
        }
        Check::OneClick => {
            let why = "the links begin with http; one-click needs https (RFC 8058 §3.1): set [http] public_url";
            (Met::No, why.to_owned())
        }
        Check::UnsubscribeLink => yes("every campaign mail has one; where a template forgets it, it is added"),
        Check::UnsubscribeTime => yes("an unsubscribed address is suppressed at once"),
        Check::MessageId => yes("each recipient's mail gets one of its own"),
        Check::Format => yes("composed by Packetboat, with one From address"),
        Check::FeedbackId => yes("campaign mail carries it"),
        Check::Complaints => complaints(facts.complaints),
        Check::Streams => unknown("which mail leaves from which address and domain is yours to decide"),
        Check::Bounces => standing(&facts.bounces, "bounces are heard, and addresses that do not exist are suppressed"),
    }
}

fn standing(standing: &Standing, good: &str) -> (Met, String) {
    match standing {
        Standing::Good => (Met::Yes, good.to_owned()),
        Standing::Bad(why) => (Met::No, why.clone()),
        Standing::Unknown(why) => (Met::NotCheckable, why.clone()),
    }
}

fn key_length(wanted: usize, bits: Option<usize>) -> (Met, String) {
    match bits {
        None => (Met::No, "no RSA key signs".to_owned()),
        Some(bits) if bits >= wanted => (Met::Yes, format!("{bits} bits")),
        Some(bits) => (Met::No, format!("{bits} bits; rotate to a new key")),
    }
}

fn alignment(facts: &Facts) -> (Met, String) {
    let dkim = facts.dkim == Standing::Good;
    let loose = |policy: &Policy| dmarc::spf_aligned(policy, &facts.domain, &facts.return_path);
    // Without a policy the default holds, which is relaxed (RFC 9989 §4.4).
    let below = facts.return_path.as_str().ends_with(&format!(".{}", facts.domain));
    let spf = facts.spf == Standing::Good && facts.policy.as_ref().map_or(below, loose);
    match (dkim, spf) {
        (true, true) => (Met::Yes, "with both".to_owned()),
        (true, false) => (Met::Yes, "with DKIM".to_owned()),
        (false, true) => (Met::Yes, "with SPF only".to_owned()),
        (false, false) => match (&facts.dkim, &facts.spf) {
            (Standing::Unknown(why), _) | (_, Standing::Unknown(why)) => (Met::NotCheckable, why.clone()),
            _ => (Met::No, "neither DKIM nor SPF passes for it".to_owned()),
        },
    }
}

fn complaints(known: u64) -> (Met, String) {
    let told = match known {
        0 => "none was reported to this host".to_owned(),
        1 => "one recipient's report reached this host".to_owned(),
        n => format!("{n} recipients' reports reached this host"),
    };
    (Met::NotCheckable, format!("the provider alone counts; {told}"))
}
