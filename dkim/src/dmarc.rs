//! DMARC: where the policy of a domain is found, what it says, and whether our mail is aligned with it.
//!
//! The policy is looked for as RFC 9989 §4.10 has it (up the tree, without a list of public suffixes); older receivers
//! (RFC 7489 §6.6.3) ask at the domain and at the registrable one, which are among the names asked here.

use crate::compare::{Verdict, tag, tags};
use mail::Domain;

/// RFC 9989 §4.10: questions of one walk; longer names skip to their last seven labels.
const QUESTIONS_MAX: usize = 8;

/// What a domain's DMARC record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The name that the record stands at.
    pub at: String,
    /// `none`, `quarantine` or `reject`, as it holds for the domain asked about.
    pub policy: String,
    /// `d=` must be the From domain itself, not only of the same organization.
    pub strict_dkim: bool,
    /// So must the return-path domain.
    pub strict_spf: bool,
    /// Who gets the aggregate reports (`rua`), as written; empty for nobody.
    pub reports: String,
}

/// The names under which the policy of a domain may stand, the nearest first.
#[must_use]
pub fn names(domain: &Domain) -> Vec<String> {
    let labels: Vec<&str> = domain.as_str().split('.').collect();
    let mut out = vec![format!("_dmarc.{domain}")];
    let first_parent = labels.len().saturating_sub(QUESTIONS_MAX - 1).max(1);
    for n in first_parent..labels.len().saturating_sub(1) {
        out.push(format!("_dmarc.{}", labels[n..].join(".")));
    }
    out
}

/// Judges what was found under [`names`], in their order: the nearest record holds. The note tells what it means.
#[must_use]
pub fn judge(
    domain: &Domain,
    return_path: &Domain,
    found: &[(String, Vec<String>)],
) -> (Verdict, Option<Policy>, String) {
    for (at, texts) in found {
        let records: Vec<_> = texts.iter().map(|text| tags(text)).filter(|tags| is_record(tags)).collect();
        let record = match records.as_slice() {
            [] => continue,
            [record] => record,
            _ => {
                let why = "there are several DMARC records; receivers then ignore all of them (RFC 9989 §4.10)";
                return (differs(why), None, String::new());
            }
        };
        let own = *at == format!("_dmarc.{domain}");
        return match policy(record, at, own) {
            Ok(policy) => {
                let note = note(&policy, domain, return_path, own);
                (Verdict::Found, Some(policy), note)
            }
            Err(why) => (differs(&why), None, String::new()),
        };
    }
    (Verdict::Missing, None, String::new())
}

fn differs(why: &str) -> Verdict {
    Verdict::Differs { why: why.to_owned() }
}

fn is_record(tags: &[(String, String)]) -> bool {
    tags.first().is_some_and(|(name, value)| name == "v" && value.eq_ignore_ascii_case("dmarc1"))
}

/// `own` is whether the record stands at the domain itself; a parent's may say otherwise for what is below it.
fn policy(record: &[(String, String)], at: &str, own: bool) -> Result<Policy, String> {
    let word = |name: &str| tag(record, name).map(str::to_ascii_lowercase);
    let p = word("p").ok_or("it has no policy; add p=none at least")?;
    let holds = if own { p } else { word("sp").unwrap_or(p) };
    if !["none", "quarantine", "reject"].contains(&holds.as_str()) {
        return Err(format!("its policy p={holds} is not none, quarantine or reject"));
    }
    let strict = |name: &str| word(name).is_some_and(|mode| mode == "s");
    Ok(Policy {
        at: at.to_owned(),
        policy: holds,
        strict_dkim: strict("adkim"),
        strict_spf: strict("aspf"),
        reports: tag(record, "rua").unwrap_or_default().to_owned(),
    })
}

fn note(policy: &Policy, domain: &Domain, return_path: &Domain, own: bool) -> String {
    let mut out = format!("The policy is {}", policy.policy);
    if !own {
        out += &format!(", inherited from {}", policy.at);
    }
    out += ". Our signatures are aligned: they name the From domain itself.";
    if spf_aligned(policy, domain, return_path) {
        out += " So is SPF.";
    } else {
        out += &format!(" SPF is not: aspf=s wants the return path at {domain} itself, so DKIM must pass.");
    }
    if policy.reports.is_empty() {
        out += " Nobody gets the reports; add rua=mailto: with an address to learn who sends in this name.";
    }
    out
}

/// What is good to know where reports go to others than the mailbox of ours; empty where they come to it, or to nobody.
#[must_use]
pub fn hint(policy: &Policy, mailbox: &str) -> String {
    let takes = |uri: &str| {
        // RFC 7489 §6.2: a size may follow, as in `mailto:a@example.com!10m`.
        let address = uri.trim().split('!').next().unwrap_or("");
        address.split_once(':').is_some_and(|(scheme, address)| {
            scheme.eq_ignore_ascii_case("mailto") && address.eq_ignore_ascii_case(mailbox)
        })
    };
    if policy.reports.is_empty() || policy.reports.split(',').any(takes) {
        return String::new();
    }
    format!("Its reports go elsewhere; add mailto:{mailbox} to rua= to see them under Reports.")
}

/// Whether the return path counts for the From domain (RFC 9989 §4.4): ours lies below it.
#[must_use]
pub fn spf_aligned(policy: &Policy, domain: &Domain, return_path: &Domain) -> bool {
    if policy.strict_spf {
        return domain == return_path;
    }
    domain == return_path || return_path.as_str().ends_with(&format!(".{domain}"))
}
