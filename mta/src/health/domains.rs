//! The look at the sending domains: does a blocklist of domains know them (RFC 5782 §2.2). What was found is kept, and
//! listings with the time they began and ended.

use super::Checker;
use super::blocklist::{self, DomainList, Listing};
use futures_util::future::join_all;
use std::time::Duration;
use storage::event::{Event, Kind};
use storage::listing::{self, Answer, Changes, Subject};
use storage::source_check::{Finding, Level, Subject as Looked};
use storage::{StorageError, WorkspaceId, domain, outbox};
use world::DnsError;

/// Domains are asked for in chunks.
const CHUNK: u32 = 200;
/// New domains are looked at after so long at the latest.
const ROUND_EVERY: Duration = Duration::from_secs(600);
/// Names of a domain that are asked about: itself, and those above it that are its organization's.
const NAMES_MAX: usize = 4;

impl Checker {
    /// Looks at the domains whose last look is long ago; says when to come again.
    pub(super) async fn domains_round(&self) -> Result<Duration, StorageError> {
        let every_ms = i64::try_from(self.health.every.as_millis()).unwrap_or(i64::MAX);
        let domains = self.domains().await?;
        for (workspace, domain) in domains.clone() {
            let asked = domain.clone();
            let last = self.storage.read(move |c| listing::checked_ms(c, workspace, &asked)).await?;
            if last.is_none_or(|last| last + every_ms <= self.clock.now_ms()) {
                self.look_at_domain(workspace, domain).await?;
            }
        }
        let now_ms = self.clock.now_ms();
        self.storage.events().write(move |tx| listing::drop_others(tx, &domains, now_ms)).await?;
        Ok(ROUND_EVERY.min(self.health.every))
    }

    /// Looks at all domains of a workspace now.
    ///
    /// # Errors
    /// The database's.
    pub async fn check_domains(&self, workspace: WorkspaceId) -> Result<(), StorageError> {
        for (_, domain) in self.domains().await?.into_iter().filter(|(owner, _)| *owner == workspace) {
            self.look_at_domain(workspace, domain).await?;
        }
        Ok(())
    }

    async fn domains(&self) -> Result<Vec<(WorkspaceId, String)>, StorageError> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let chunk = self.storage.read(move |c| domain::names(c, after, CHUNK)).await?;
            let Some((last, ..)) = chunk.last() else { return Ok(all) };
            after = *last;
            all.extend(chunk.into_iter().map(|(_, workspace, domain)| (workspace, domain)));
        }
    }

    async fn look_at_domain(&self, workspace: WorkspaceId, domain: String) -> Result<(), StorageError> {
        let _turn = self.turn.lock().await;
        let answers = if self.health.blocklists {
            join_all(blocklist::of_domains().iter().map(|list| self.domain_at(list, &domain))).await
        } else {
            let found = "blocklists are not asked: health.blocklists is false".to_owned();
            vec![Answer { list: String::new(), level: Level::Off, found, advice: String::new() }]
        };
        let now_ms = self.clock.now_ms();
        let changes =
            self.storage.events().write(move |tx| listing::save_look(tx, workspace, &domain, &answers, now_ms)).await?;
        self.say(workspace, changes, now_ms).await
    }

    /// Says in the log and by events which listings of a domain began and ended.
    async fn say(&self, workspace: WorkspaceId, changes: Changes, now_ms: i64) -> Result<(), StorageError> {
        for found in &changes.began {
            tracing::warn!("a sending domain is on a blocklist: {found}");
        }
        if changes == Changes::default() {
            return Ok(());
        }
        let write = move |tx: &storage::Transaction<'_>| {
            let began = changes.began.iter().map(|text| (Kind::Listed, text));
            for (kind, text) in began.chain(changes.ended.iter().map(|text| (Kind::Delisted, text))) {
                outbox::put(tx, &Event { text: Some(text), ..Event::new(now_ms, workspace, kind) })?;
            }
            Ok(())
        };
        self.storage.queue().write(write).await
    }

    /// What a list says of a domain: of its names the worst.
    async fn domain_at(&self, list: &DomainList, domain: &str) -> Answer {
        let names = names(domain);
        let mut all = join_all(names.iter().map(|name| self.name_at(list, name))).await;
        // An organization's other domains may be well known where this one is not: what says least comes last.
        all.sort_by_key(|(level, ..)| *level);
        let (level, found, advice) = all.pop().unwrap_or((Level::Off, String::new(), String::new()));
        let found = if level == Level::Good { format!("{} does not list {domain}", list.name()) } else { found };
        Answer { list: list.name().to_owned(), level, found, advice }
    }

    async fn name_at(&self, list: &DomainList, name: &str) -> (Level, String, String) {
        let of = list.name();
        let question = list.question(name);
        let answers = match self.dns.addresses(&question).await {
            Err(DnsError::Temporary { why, .. }) => {
                let advice = "Nothing yet: it is asked again at the next look.";
                return (Level::Unsure, format!("{of} does not answer: {why}"), advice.to_owned());
            }
            Err(DnsError::NoSuchName { .. }) => Vec::new(),
            Ok(answers) => answers,
        };
        if answers.is_empty() {
            return (Level::Good, String::new(), String::new());
        }
        match list.read(&answers) {
            Listing::Refused => {
                let advice = "Set [dns] servers to a caching resolver of your own: lists refuse the large public ones.";
                (Level::Unsure, format!("{of} does not answer the resolver in use"), advice.to_owned())
            }
            Listing::Senseless => {
                let advice = "The resolver in use seems to invent addresses: set [dns] servers to another one.";
                (Level::Unsure, format!("{of} gave an answer that no blocklist gives"), advice.to_owned())
            }
            Listing::Listed(why) => {
                if self.dns.addresses(&list.counter_question()).await.is_ok_and(|answers| !answers.is_empty()) {
                    let found = format!("{of} lists every name, so it says nothing about {name}");
                    return (Level::Unsure, found, "Nothing: the list is out of order.".to_owned());
                }
                let level = if list.is_grave() { Level::Bad } else { Level::Warning };
                let advice = format!(
                    "Find out what was sent in its name and stop that; then have it removed: {}",
                    list.lookup(name)
                );
                (level, format!("{of} lists {name}: {why}"), advice)
            }
        }
    }

    /// Keeps the history of a source's listings.
    pub(super) async fn note_listings(&self, source: &str, findings: &[Finding]) -> Result<(), StorageError> {
        let of_list = |finding: &&Finding| finding.subject == Looked::Blocklist && !finding.item.is_empty();
        let answer = |finding: &Finding| Answer {
            list: finding.item.clone(),
            level: finding.level,
            found: finding.found.clone(),
            advice: finding.advice.clone(),
        };
        let answers: Vec<Answer> = findings.iter().filter(of_list).map(answer).collect();
        let (source, now_ms) = (source.to_owned(), self.clock.now_ms());
        let note = move |tx: &storage::Transaction<'_>| {
            listing::note(tx, WorkspaceId::NONE, (Subject::Source, &source), &answers, now_ms)
        };
        // That a source's finding changed is told by `source_check` already.
        self.storage.events().write(note).await.map(drop)
    }
}

/// The domain and those above it, down to the registrable one: some lists know only that.
fn names(domain: &str) -> Vec<&str> {
    let top = psl::domain_str(domain).unwrap_or(domain).len();
    let mut names = Vec::new();
    let mut rest = Some(domain);
    while let Some(name) = rest.filter(|name| name.len() >= top && names.len() < NAMES_MAX) {
        names.push(name);
        rest = name.split_once('.').map(|(_, above)| above);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_up_to_the_registrable_one() {
        for (domain, expected) in [
            ("example.com", "example.com"),
            ("news.example.com", "news.example.com example.com"),
            ("a.news.example.co.uk", "a.news.example.co.uk news.example.co.uk example.co.uk"),
            ("a.b.c.d.e.example.com", "a.b.c.d.e.example.com b.c.d.e.example.com c.d.e.example.com d.e.example.com"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(names(domain).join(" "), expected);
        }
    }
}
