//! How TLS with a domain stands now, asked live: for people who want to know why mail goes the way it does.

use super::dane::{is_usable, written};
use super::decide::{Dane, Known, Skip, Sts, TlsRequirement, decide};
use super::policies::{TlsParts, ask_dane};
use super::rpt;
use super::store::fetch_policy;
use super::sts::{self, StsPolicy};
use crate::shaping::Snapshot;
use config::SmtpSection;
use world::{Dns, DnsError, Proof};

/// Hosts looked at.
const HOSTS_MAX: usize = 16;

/// What a domain publishes, and what follows from it.
#[derive(Clone, Debug)]
pub struct TlsOfDomain {
    /// The provider its hosts belong to.
    pub provider: String,
    /// What DNSSEC says of its MX records; `None` where nobody asked.
    pub mx_proof: Option<Result<Proof, String>>,
    /// The id of its MTA-STS record; `None` when it has none.
    pub sts_id: Result<Option<String>, String>,
    /// Its MTA-STS policy, where it has a record.
    pub sts_policy: Option<Result<StsPolicy, String>>,
    /// Where it wants reports.
    pub reports: Result<Vec<rpt::Place>, String>,
    /// Its hosts, best first.
    pub hosts: Vec<TlsOfHost>,
}

/// A host and what is asked of it.
#[derive(Clone, Debug)]
pub struct TlsOfHost {
    /// Name.
    pub host: String,
    /// TLSA records in the form of a zone file, each with whether it can be used; or why there is no answer.
    pub tlsa: Result<Vec<(String, bool)>, String>,
    /// What is asked, or why the host is not used.
    pub requirement: Result<TlsRequirement, String>,
}

/// Why a domain cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It takes no mail.
    #[error("{0} takes no mail")]
    NoMail(String),
    /// The DNS.
    #[error(transparent)]
    Dns(#[from] DnsError),
}

/// Looks at a domain, past everything that is kept.
///
/// # Errors
/// When its MX records cannot be had.
pub async fn look(
    domain: &str,
    dns: &dyn Dns,
    parts: &TlsParts,
    (smtp, shaping): (&SmtpSection, &Snapshot),
) -> Result<TlsOfDomain, LookError> {
    let mut mx = dns.mx(domain).await?;
    mx.sort();
    let mut hosts: Vec<String> = mx.iter().map(|mx| mx.host.clone()).filter(|host| !host.is_empty()).collect();
    if hosts.is_empty() && !mx.is_empty() {
        return Err(LookError::NoMail(domain.to_owned()));
    }
    if hosts.is_empty() {
        hosts.push(domain.to_owned());
    }
    hosts.truncate(HOSTS_MAX);
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let provider = shaping.provider(&names, Some(domain));
    let mx_proof = match &parts.dnssec {
        Some(dnssec) => Some(dnssec.mx_proof(domain).await.map_err(|e| e.to_string())),
        None => None,
    };
    let sts_id = texts(dns, &format!("{}.{domain}", sts::RECORD_LABEL)).await;
    let sts_id = sts_id.and_then(|texts| sts::read_record(&texts).map_err(|e| e.to_string()));
    let sts_policy = match &sts_id {
        Ok(Some(_)) => Some(fetch_policy(&*parts.fetch, domain).await.map_err(|failure| failure.text)),
        _ => None,
    };
    let reports = texts(dns, &format!("{}.{domain}", rpt::RECORD_LABEL)).await;
    let reports = reports.and_then(|texts| rpt::read_record(&texts).map_err(|e| e.to_string()));
    let policy = sts_policy.as_ref().and_then(|policy| policy.as_ref().ok()).filter(|_| smtp.mta_sts);
    let is_signed = mx_proof == Some(Ok(Proof::Secure));
    let mut found = Vec::with_capacity(hosts.len());
    for host in hosts {
        let dane = match &parts.dnssec {
            Some(dnssec) => ask_dane(&**dnssec, &host).await,
            None => Dane::Absent,
        };
        found.push(of_host(host, &dane, is_signed, policy, (smtp, provider.tls_required)));
    }
    let provider = provider.name.to_string();
    Ok(TlsOfDomain { provider, mx_proof, sts_id, sts_policy, reports, hosts: found })
}

fn of_host(
    host: String,
    dane: &Dane,
    is_signed: bool,
    policy: Option<&StsPolicy>,
    (smtp, provider_requires): (&SmtpSection, bool),
) -> TlsOfHost {
    let sts = policy.map_or(Sts::Absent, |policy| Sts::Policy { mode: policy.mode, covered: policy.covers(&host) });
    let tlsa = match dane {
        Dane::Absent => Ok(Vec::new()),
        Dane::Records(records) => Ok(records.iter().map(|record| (written(record), is_usable(record))).collect()),
        Dane::Broken(why) => Err(why.clone()),
    };
    let dane = if is_signed { dane.clone() } else { Dane::Absent };
    let decided = decide(&Known { mode: smtp.tls, provider_requires, dane, sts });
    let requirement = decided.map_err(|skip| match skip {
        Skip::Dnssec(why) => format!("The host is left alone: {why}."),
        Skip::NotListed => "The host is left alone: the domain's MTA-STS policy does not list it.".to_owned(),
    });
    TlsOfHost { host, tlsa, requirement }
}

async fn texts(dns: &dyn Dns, name: &str) -> Result<Vec<String>, String> {
    match dns.txt(name).await {
        Ok(texts) => Ok(texts),
        Err(DnsError::NoSuchName { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}
