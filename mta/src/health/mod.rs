//! The look at the sources, on a schedule and on demand: is the address on this host, what is it called and does EHLO say
//! so, do blocklists know it, does the network let mail out from it. What was found is kept with what to do about it.
//! The sending domains are asked about at blocklists on the same schedule.

mod blocklist;
mod domains;
mod names;

use blocklist::{Blocklist, Listing, is_public};
use config::{HealthSection, Source};
use futures_util::future::join_all;
use mail::Domain;
use names::{Answers, finding};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use storage::source_check::{self, Finding, Level, Subject};
use storage::{Storage, StorageError};
use tokio::sync::Mutex;
use world::{Clock, Dial, Dns, DnsError};

/// The first look comes so long after the start; by then the network is up.
const START_WAIT: Duration = Duration::from_secs(15);
/// Names of an address that are followed back.
const NAMES_MAX: usize = 5;
/// How long a probed mail server may take, and how many of its addresses are tried.
const PROBE_WAIT: Duration = Duration::from_secs(10);
const PROBE_TRIES: usize = 2;
/// What was found about a source that is not configured any more is kept for this long.
const KEEP_MS: i64 = 30 * 86_400_000;
const SMTP_PORT: u16 = 25;

/// Looks at sources.
pub struct Checker {
    /// Where findings are kept.
    pub storage: Storage,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Outgoing connections.
    pub dial: Arc<dyn Dial>,
    /// `[[source]]`.
    pub sources: Vec<Source>,
    /// `[health]`.
    pub health: HealthSection,
    /// One look at a time: who asks often does not make us ask others often.
    pub turn: Mutex<()>,
}

impl Checker {
    /// Looks at every source again and again. Runs until it is dropped.
    pub async fn run(&self) {
        self.clock.sleep(START_WAIT).await;
        loop {
            let sources = self.round().await;
            let waits = [sources, self.domains_round().await].map(|round| {
                round.unwrap_or_else(|error| {
                    tracing::error!(%error, "what was found about sources and domains cannot be kept; trying again later");
                    self.health.every
                })
            });
            self.clock.sleep(waits[0].min(waits[1])).await;
        }
    }

    /// Looks at those whose last look is long ago; says when to come again.
    async fn round(&self) -> Result<Duration, StorageError> {
        let every_ms = i64::try_from(self.health.every.as_millis()).unwrap_or(i64::MAX);
        let known = self.storage.read(source_check::all).await?;
        let mut next_ms = self.clock.now_ms() + every_ms;
        for source in self.sources.iter().filter(|source| source.enabled) {
            let last = known.iter().filter(|row| row.source == source.name.as_str()).map(|row| row.checked_ms).max();
            // A restart is no reason to ask everybody again.
            match last.map(|last| last + every_ms).filter(|due_ms| *due_ms > self.clock.now_ms()) {
                Some(due_ms) => next_ms = next_ms.min(due_ms),
                None => self.look(source).await?,
            }
        }
        let before_ms = self.clock.now_ms() - KEEP_MS.max(2 * every_ms);
        self.storage.queue().write(move |tx| source_check::forget(tx, before_ms)).await?;
        let wait_ms = u64::try_from(next_ms - self.clock.now_ms()).unwrap_or(0);
        Ok(Duration::from_millis(wait_ms.max(1000)))
    }

    /// Looks at one source now; `false` when there is none of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn check(&self, name: &str) -> Result<bool, StorageError> {
        let Some(source) = self.sources.iter().find(|source| source.name.as_str() == name) else { return Ok(false) };
        self.look(source).await?;
        Ok(true)
    }

    async fn look(&self, source: &Source) -> Result<(), StorageError> {
        let _turn = self.turn.lock().await;
        let findings = self.findings(source).await;
        let (name, now_ms) = (source.name.to_string(), self.clock.now_ms());
        for trouble in findings.iter().filter(|finding| finding.level == Level::Bad) {
            tracing::warn!(source = name, "{}", trouble.found);
        }
        self.note_listings(&name, &findings).await?;
        self.storage.queue().write(move |tx| source_check::save(tx, &name, &findings, now_ms)).await?;
        Ok(())
    }

    async fn findings(&self, source: &Source) -> Vec<Finding> {
        let ehlo = source.ehlo.as_str();
        let Some(ip) = source.ip else {
            let why = "the system chooses the address; name it as `ip` of the source to have it looked at";
            let off = |subject| finding(subject, Level::Off, why.to_owned(), String::new());
            return vec![
                off(Subject::Address),
                names::judge_name_alone(ehlo, &self.dns.addresses(ehlo).await),
                off(Subject::Blocklist),
                self.port25(None).await,
            ];
        };
        let is_here = self.dial.has_source(ip);
        let mut found = vec![address(ip, is_here)];
        found.extend(self.named(ip, ehlo).await);
        found.extend(self.blocklists(ip).await);
        found.push(if is_here {
            self.port25(Some(ip)).await
        } else {
            finding(Subject::Port25, Level::Off, format!("nothing leaves from {ip}"), String::new())
        });
        found
    }

    async fn named(&self, ip: IpAddr, ehlo: &str) -> Vec<Finding> {
        if !is_public(ip) {
            let why = format!(
                "{ip} is not a public address: others see another one, whose name cannot be looked up from here"
            );
            let off = |subject| finding(subject, Level::Off, why.clone(), String::new());
            let says = names::judge_name_alone(ehlo, &self.dns.addresses(ehlo).await);
            return vec![off(Subject::Ptr), off(Subject::Forward), says];
        }
        let ptr = self.dns.ptr(ip).await;
        let mut forward = Vec::new();
        for name in ptr.iter().flatten().take(NAMES_MAX) {
            forward.push((name.clone(), self.dns.addresses(name).await));
        }
        names::judge(ip, ehlo, &Answers { ptr, forward, ehlo: self.dns.addresses(ehlo).await })
    }

    async fn blocklists(&self, ip: IpAddr) -> Vec<Finding> {
        let off = |why: String| vec![finding(Subject::Blocklist, Level::Off, why, String::new())];
        if !self.health.blocklists {
            return off("blocklists are not asked: health.blocklists is false".to_owned());
        }
        if !is_public(ip) {
            return off(format!("{ip} is not a public address, so no blocklist can know it"));
        }
        join_all(blocklist::all().iter().filter(|list| list.knows(ip)).map(|list| self.blocklist(list, ip))).await
    }

    async fn blocklist(&self, list: &Blocklist, ip: IpAddr) -> Finding {
        let name = &list.name;
        let question = list.question(ip);
        let (level, found, advice) = match self.dns.addresses(&question).await {
            Err(DnsError::Temporary { why, .. }) => {
                let advice = "Nothing yet: it is asked again at the next look.";
                (Level::Unsure, format!("{name} does not answer: {why}"), advice.to_owned())
            }
            Err(DnsError::NoSuchName { .. }) => (Level::Good, format!("{name} does not list {ip}"), String::new()),
            Ok(answers) if answers.is_empty() => (Level::Good, format!("{name} does not list {ip}"), String::new()),
            Ok(answers) => match list.read(&answers) {
                Listing::Refused => {
                    let advice =
                        "Set [dns] servers to a caching resolver of your own: lists refuse the large public ones.";
                    (Level::Unsure, format!("{name} does not answer the resolver in use"), advice.to_owned())
                }
                Listing::Senseless => {
                    let advice = "The resolver in use seems to invent addresses: set [dns] servers to another one.";
                    (Level::Unsure, format!("{name} gave an answer that no blocklist gives"), advice.to_owned())
                }
                Listing::Listed(why) => self.listed(list, ip, &why).await,
            },
        };
        Finding { subject: Subject::Blocklist, item: name.clone(), level, found, advice }
    }

    async fn listed(&self, list: &Blocklist, ip: IpAddr, why: &str) -> (Level, String, String) {
        let name = &list.name;
        if self.dns.addresses(&list.counter_question()).await.is_ok_and(|answers| !answers.is_empty()) {
            let found = format!("{name} lists every address, so it says nothing about {ip}");
            return (Level::Unsure, found, "Nothing: the list is out of order.".to_owned());
        }
        // RFC 5782 §2.1: the list's own words are in a TXT record.
        let words = self.dns.txt(&list.question(ip)).await.unwrap_or_default();
        let words = words.first().map(|words| format!(" (it says: {words})")).unwrap_or_default();
        let level = if list.grave { Level::Bad } else { Level::Warning };
        let advice = format!("Find out what caused it and stop that; then have it removed: {}", list.lookup(ip));
        (level, format!("{name} lists {ip}: {why}{words}"), advice)
    }

    /// Whether mail servers can be reached from the source.
    async fn port25(&self, source: Option<IpAddr>) -> Finding {
        let Some(host) = &self.health.probe_host else {
            let why = "no mail server is named that may be tried: health.probe_host is unset";
            return finding(Subject::Port25, Level::Off, why.to_owned(), String::new());
        };
        match self.probe(source, host).await {
            Ok(ip) => finding(Subject::Port25, Level::Good, format!("{host} [{ip}] answers at port 25"), String::new()),
            Err((level, why)) => {
                let advice = match level {
                    Level::Bad => "Many networks close port 25 outwards: ask your hosting provider to open it for you.",
                    _ => "See whether health.probe_host names a mail server that this source can reach.",
                };
                finding(Subject::Port25, level, why, advice.to_owned())
            }
        }
    }

    async fn probe(&self, source: Option<IpAddr>, host: &Domain) -> Result<IpAddr, (Level, String)> {
        let found = self.dns.addresses(host.as_str()).await;
        let mut ips = found.map_err(|error| (Level::Unsure, error.to_string()))?;
        ips.retain(|ip| source.is_none_or(|source| source.is_ipv4() == ip.is_ipv4()));
        let mut last = (Level::Unsure, format!("{host} has no address that could be tried"));
        for ip in ips.into_iter().take(PROBE_TRIES) {
            let peer = SocketAddr::new(ip, SMTP_PORT);
            match tokio::time::timeout(PROBE_WAIT, self.dial.connect(source, peer)).await {
                Ok(Ok(_)) => return Ok(ip),
                Ok(Err(error)) => last = (Level::Bad, format!("{host} [{ip}] cannot be reached at port 25: {error}")),
                Err(_) => {
                    let seconds = PROBE_WAIT.as_secs();
                    last = (Level::Bad, format!("{host} [{ip}] did not answer at port 25 in {seconds} s"));
                }
            }
        }
        Err(last)
    }
}

fn address(ip: IpAddr, is_here: bool) -> Finding {
    if is_here {
        return finding(Subject::Address, Level::Good, format!("this host has {ip}"), String::new());
    }
    let advice = "Add the address to one of this host's interfaces, or take the source out of the configuration; until \
                  then mail leaves from the other sources of its pools.";
    finding(Subject::Address, Level::Bad, format!("this host does not have {ip}"), advice.to_owned())
}
