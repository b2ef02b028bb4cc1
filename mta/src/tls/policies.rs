//! The policies at work: asked for when a site is found and before each connection, held against each session after.

use super::dane;
use super::decide::{By, Check, Dane, Encryption, Known, Skip, Sts, TlsRequirement, decide};
use super::outcomes::{Outcomes, day_of};
use super::store::Store;
use super::sts::{Mode, StsPolicy};
use super::trust::{Failure, FailureKind, Trust, check_web};
use crate::site::Site;
use config::{SmtpSection, TlsMode};
use futures_util::future::join_all;
use moka::sync::Cache;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;
use storage::Storage;
use storage::tls::{PolicyType, ResultKey, SessionCount};
use world::{Dns, Dnssec, Fetch, Proof};

/// Hosts whose DANE records, or broken TLS, are remembered.
const HOSTS_MAX: u64 = 100_000;
/// How long an answer about a host's records is kept here; absence is not kept by the resolver below.
const KEEP_MS: i64 = 300_000;
/// How long one that failed is.
const KEEP_TROUBLE_MS: i64 = 60_000;
/// How long a server whose STARTTLS does not work is spoken to without.
const BROKEN_MS: i64 = 3_600_000;

/// What policies need of the world.
#[derive(Clone)]
pub struct TlsParts {
    /// Proven DNS answers, for DANE; `None` where it is off.
    pub dnssec: Option<Arc<dyn Dnssec>>,
    /// HTTPS, for MTA-STS and for reports.
    pub fetch: Arc<dyn Fetch>,
    /// The authorities that certificates are checked by where a policy wants it.
    pub roots: Arc<RootCertStore>,
    /// Who sends our reports: the name of this host.
    pub submitter: String,
}

/// Policies of all hosts and domains.
pub(crate) struct Policies {
    parts: TlsParts,
    mode: TlsMode,
    store: Option<Store>,
    danes: Cache<String, (i64, Dane)>,
    broken: Cache<String, i64>,
    pub outcomes: Outcomes,
}

/// What the policies say of a whole site; domains that differ in it are different sites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteTls {
    /// The MX set is signed and one of its hosts may have TLSA records.
    pub dane: bool,
    /// MTA-STS: the mode, and the hosts that the policy does not list.
    pub sts: Option<(Mode, Vec<String>)>,
}

impl SiteTls {
    /// What the site's name ends with, so that sites of the same hosts have names of their own.
    #[must_use]
    pub fn suffix(&self) -> String {
        let dane = if self.dane { " +dane" } else { "" };
        let sts = self.sts.as_ref().map(|(mode, others)| {
            let others = if others.is_empty() { String::new() } else { format!(" without {}", others.join(", ")) };
            format!(" +mta-sts {}{others}", mode.as_str())
        });
        format!("{dane}{}", sts.unwrap_or_default())
    }
}

/// One try at one address of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try<'a> {
    pub domains: &'a [String],
    pub host: &'a str,
    pub ip: Option<IpAddr>,
    pub source: Option<IpAddr>,
    pub now_ms: i64,
}

impl Policies {
    pub fn new(parts: TlsParts, dns: Arc<dyn Dns>, storage: &Storage, smtp: &SmtpSection) -> Policies {
        let store = smtp.mta_sts.then(|| Store::new(dns, parts.fetch.clone(), storage.clone()));
        Policies {
            mode: smtp.tls,
            store: store.filter(|_| smtp.tls != TlsMode::Off),
            danes: Cache::new(HOSTS_MAX),
            broken: Cache::new(HOSTS_MAX),
            outcomes: Outcomes::default(),
            parts,
        }
    }

    pub fn parts(&self) -> &TlsParts {
        &self.parts
    }

    /// What holds for a domain with these hosts.
    ///
    /// # Errors
    /// When the proof about its MX set is broken: then nobody knows where its mail goes.
    pub async fn of_site(&self, domain: &str, hosts: &[&str], now_ms: i64) -> Result<SiteTls, String> {
        let (dane, sts) =
            futures_util::join!(self.mx_is_signed(domain, hosts, now_ms), self.sts(domain, hosts, now_ms));
        Ok(SiteTls { dane: dane?, sts })
    }

    /// Whether DANE holds for the domain: its MX set is signed. Asked only where a host could have records.
    async fn mx_is_signed(&self, domain: &str, hosts: &[&str], now_ms: i64) -> Result<bool, String> {
        let Some(dnssec) = self.dnssec() else { return Ok(false) };
        let danes = join_all(hosts.iter().map(|host| self.dane(dnssec, host, now_ms))).await;
        if danes.iter().all(|dane| *dane == Dane::Absent) {
            return Ok(false);
        }
        match dnssec.mx_proof(domain).await {
            Ok(Proof::Secure) => Ok(true),
            Ok(Proof::Insecure) => Ok(false),
            Ok(Proof::Bogus) => Err(format!("the MX records of {domain} fail DNSSEC validation")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn dnssec(&self) -> Option<&Arc<dyn Dnssec>> {
        self.parts.dnssec.as_ref().filter(|_| self.mode != TlsMode::Off)
    }

    async fn sts(&self, domain: &str, hosts: &[&str], now_ms: i64) -> Option<(Mode, Vec<String>)> {
        let asked = self.store.as_ref()?.of(domain, now_ms).await;
        if let Some(trouble) = &asked.trouble {
            let at = Try { domains: &[domain.to_owned()], host: "", ip: None, source: None, now_ms };
            self.count(&at, PolicyType::Sts, &[], Some(trouble));
        }
        asked.policy.map(|policy| (policy.mode, unlisted(&policy, hosts)))
    }

    /// What is asked of TLS with a host of a site.
    ///
    /// # Errors
    /// When the host is not to be used, and why.
    pub async fn requirement(&self, site: &Site, at: &Try<'_>) -> Result<TlsRequirement, String> {
        let dane = match self.dnssec() {
            Some(dnssec) if site.tls.dane => self.dane(dnssec, at.host, at.now_ms).await,
            _ => Dane::Absent,
        };
        let sts = match &site.tls.sts {
            Some((mode, others)) => Sts::Policy { mode: *mode, covered: !others.iter().any(|other| other == at.host) },
            None => Sts::Absent,
        };
        let known = Known { mode: self.mode, provider_requires: site.provider.tls_required, dane, sts };
        decide(&known).map_err(|skip| self.skipped(at, skip))
    }

    fn skipped(&self, at: &Try<'_>, skip: Skip) -> String {
        let host = at.host;
        match skip {
            Skip::Dnssec(why) => {
                self.count(at, PolicyType::Tlsa, &[], Some(&Failure::new(FailureKind::DnssecInvalid, &why)));
                format!("{host} is left alone: {why}")
            }
            Skip::NotListed => {
                let text = format!("{host} is not among the hosts of the domain's MTA-STS policy");
                self.count(at, PolicyType::Sts, &[], Some(&Failure::new(FailureKind::HostMismatch, &text)));
                text
            }
        }
    }

    /// The DANE records of a host, kept for some minutes.
    async fn dane(&self, dnssec: &Arc<dyn Dnssec>, host: &str, now_ms: i64) -> Dane {
        if let Some((until_ms, dane)) = self.danes.get(host)
            && now_ms < until_ms
        {
            return dane;
        }
        let dane = ask_dane(&**dnssec, host).await;
        let keep_ms = if matches!(dane, Dane::Broken(_)) { KEEP_TROUBLE_MS } else { KEEP_MS };
        self.danes.insert(host.to_owned(), (now_ms + keep_ms, dane.clone()));
        dane
    }

    /// Whether STARTTLS is to be tried: a server where it broke lately is spoken to without, if that is allowed.
    pub fn tries_tls(&self, asked: &TlsRequirement, at: &Try<'_>) -> bool {
        match asked.encryption {
            Encryption::Never => false,
            Encryption::Always => true,
            Encryption::IfOffered => !self.is_broken(at),
        }
    }

    fn is_broken(&self, at: &Try<'_>) -> bool {
        self.broken.get(at.host).is_some_and(|until_ms| at.now_ms < until_ms)
    }

    /// STARTTLS broke; says whether to go on without.
    pub fn goes_without(&self, asked: &TlsRequirement, at: &Try<'_>, why: &str) -> bool {
        if asked.encryption == Encryption::IfOffered {
            // Counted with the session that comes now.
            self.broken.insert(at.host.to_owned(), at.now_ms + BROKEN_MS);
            return true;
        }
        self.judge(asked, at, Some(Failure::invalid(why)));
        false
    }

    /// Holds a session against what was asked: the certificates of the server, or `None` where there is no TLS.
    ///
    /// # Errors
    /// Why no mail may go over it.
    pub fn check(
        &self,
        asked: &TlsRequirement,
        at: &Try<'_>,
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Result<(), String> {
        let failure = match (chain, &asked.check) {
            (None, _) if asked.by == By::Nobody => None,
            (None, _) if self.is_broken(at) => Some(Failure::invalid("STARTTLS is offered there and does not work")),
            (None, _) => Some(Failure::new(
                FailureKind::StartTlsNotSupported,
                "TLS is required, and the server does not offer it",
            )),
            (Some(chain), check) => {
                let trust = Trust { host: at.host, now_ms: at.now_ms, roots: &self.parts.roots };
                match check {
                    Check::Nothing => None,
                    Check::Dane(records) => dane::check(records, chain, &trust).err(),
                    Check::Web => check_web(chain, &trust).err(),
                }
            }
        };
        let is_met = failure.is_none();
        let text = failure.as_ref().map(|failure| failure.text.clone()).unwrap_or_default();
        self.judge(asked, at, failure);
        let is_kept_back = match chain {
            None => asked.encryption == Encryption::Always,
            Some(_) => asked.is_binding(),
        };
        if is_met || !is_kept_back { Ok(()) } else { Err(format!("{}{text}", because(asked.by))) }
    }

    /// Counts how a session stood with its policy.
    fn judge(&self, asked: &TlsRequirement, at: &Try<'_>, failure: Option<Failure>) {
        let unusable = || Failure::new(FailureKind::TlsaInvalid, "none of the TLSA records can be used");
        let unlisted = || Failure::new(FailureKind::HostMismatch, "the host is not among those of the policy");
        match (asked.by, &asked.check) {
            (By::Dane, Check::Dane(records)) => {
                let lines: Vec<String> = records.iter().map(dane::written).collect();
                self.count(at, PolicyType::Tlsa, &lines, failure.as_ref());
            }
            (By::DaneUnusable, _) => self.count(at, PolicyType::Tlsa, &[], Some(&failure.unwrap_or_else(unusable))),
            (By::StsTesting, _) if asked.not_listed => {
                self.count(at, PolicyType::Sts, &[], Some(&failure.unwrap_or_else(unlisted)));
            }
            (By::Sts | By::StsTesting, _) => self.count(at, PolicyType::Sts, &[], failure.as_ref()),
            _ => {}
        }
    }

    fn count(&self, at: &Try<'_>, policy: PolicyType, lines: &[String], failure: Option<&Failure>) {
        for domain in at.domains {
            let policy_lines = match (&self.store, policy) {
                (Some(store), PolicyType::Sts) => store.lines(domain),
                _ => lines.to_vec(),
            };
            let ip = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
            // Those in order are counted together, failures by where they happened.
            let (source_ip, host, host_ip) = match failure {
                Some(_) => (ip(at.source), at.host.to_owned(), ip(at.ip)),
                None => Default::default(),
            };
            let failure_word = failure.map(|failure| failure.kind.as_str().to_owned()).unwrap_or_default();
            let key = ResultKey {
                day_ms: day_of(at.now_ms),
                domain: domain.clone(),
                policy,
                failure: failure_word,
                source_ip,
                host,
                host_ip,
            };
            let reason = failure.map(|failure| failure.text.clone()).unwrap_or_default();
            self.outcomes.add(SessionCount { key, policy_lines, reason, n: 1 });
        }
    }
}

/// What the DNS says about DANE for a host, asked now. Addresses come first: where they are not signed nothing else is
/// asked, since servers of unsigned zones are known to fail at questions for TLSA (RFC 7672 §2.2.2).
pub(crate) async fn ask_dane(dnssec: &dyn Dnssec, host: &str) -> Dane {
    match dnssec.address_proof(host).await {
        Ok(Proof::Secure) => {}
        Ok(Proof::Insecure) => return Dane::Absent,
        Ok(Proof::Bogus) => return Dane::Broken(format!("the addresses of {host} fail DNSSEC validation")),
        Err(error) => return Dane::Broken(error.to_string()),
    }
    match dnssec.tlsa(&dane::tlsa_name(host)).await {
        Ok((Proof::Secure, records)) if !records.is_empty() => Dane::Records(records.into()),
        Ok((Proof::Secure | Proof::Insecure, _)) => Dane::Absent,
        Ok((Proof::Bogus, _)) => Dane::Broken(format!("the TLSA records of {host} fail DNSSEC validation")),
        Err(error) => Dane::Broken(error.to_string()),
    }
}

/// The hosts that a policy does not list.
fn unlisted(policy: &StsPolicy, hosts: &[&str]) -> Vec<String> {
    hosts.iter().filter(|host| !policy.covers(host)).map(|host| (*host).to_owned()).collect()
}

/// Who asks, before what is missing.
fn because(by: By) -> &'static str {
    match by {
        By::Dane | By::DaneUnusable => "the domain uses DANE: ",
        By::Sts => "the domain enforces MTA-STS: ",
        By::Nobody | By::Operator | By::Provider | By::StsTesting => "",
    }
}
