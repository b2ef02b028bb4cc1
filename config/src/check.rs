//! The whole file: its sections read, and what only shows when they are seen together.

use crate::bounce_rule::{self, BounceRuleEntry};
use crate::declare::Section;
use crate::mailbox::{self, Mailbox};
use crate::problem::{Collector, Problem, Problems};
use crate::rate::Rate;
use crate::read::Reader;
use crate::route::{self, Route};
use crate::sections::{
    DnsSection, DomainsSection, HttpSection, LogSection, PoolEntry, ServerSection, SmtpSection, SourceEntry,
    StorageSection, StreamEntry,
};
use crate::sections::{
    HealthSection, MailboxEntry, NoticeSection, ReportsSection, ReputationSection, RouteEntry, SuppressionSection,
    WebhookSection,
};
use crate::shaping::{self, ShapingEntry};
use crate::stream::{self, Streams};
use crate::submission::SubmissionSection;
use crate::values::{Name, PoolMember};
use crate::warmup::{self, WarmupChoice, WarmupPlan, WarmupPlanEntry};
use bounce::{Rules, WrittenRule};
use mail::Domain;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The checked configuration. Only the daemon sees all of it; each room is handed its own section.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: ServerSection,
    /// `[storage]`
    pub storage: StorageSection,
    /// `[http]`
    pub http: HttpSection,
    /// `[smtp]`
    pub smtp: SmtpSection,
    /// `[submission]`; with certificate and key where it listens.
    pub submission: SubmissionSection,
    /// `[[source]]`, at least one; names and addresses are unique.
    pub sources: Vec<Source>,
    /// `[[pool]]`, at least one; names are unique, members exist.
    pub pools: Vec<Pool>,
    /// The built-in warm-up plans, then `[[warmup_plan]]`; names are unique.
    pub warmup_plans: Vec<WarmupPlan>,
    /// `[[stream]]`, and the two that always exist.
    pub streams: Streams,
    /// `[domains]`
    pub domains: DomainsSection,
    /// `[[route]]`, in the order in which they are tried; names are unique, streams exist.
    pub routes: Vec<Route>,
    /// `[[mailbox]]`; names are unique.
    pub mailboxes: Vec<Mailbox>,
    /// `[notice]`
    pub notice: NoticeSection,
    /// `[health]`
    pub health: HealthSection,
    /// `[reports]`
    pub reports: ReportsSection,
    /// `[reputation]`
    pub reputation: ReputationSection,
    /// `[suppression]`
    pub suppression: SuppressionSection,
    /// `[webhook]`
    pub webhook: WebhookSection,
    /// `[[shaping]]`, in the order of the file.
    pub shaping: Vec<ShapingEntry>,
    /// `[[bounce_rule]]`, in the order of the file; `bounce` takes them as they are.
    pub bounce_rules: Vec<WrittenRule>,
    /// `[dns]`
    pub dns: DnsSection,
    /// `[log]`
    pub log: LogSection,
}

/// An egress source: where a connection comes from, and the name it gives itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Unique name.
    pub name: Name,
    /// The address to bind; the system's choice when `None`.
    pub ip: Option<IpAddr>,
    /// The EHLO name.
    pub ehlo: Domain,
    /// Whether mail may leave from it.
    pub enabled: bool,
    /// Messages over all sites at most.
    pub max_rate: Option<Rate>,
    /// The warm-up plan that it follows; it exists.
    pub warmup: Option<Name>,
    /// Other plans at single providers.
    pub warmup_providers: Vec<WarmupChoice>,
}

impl Source {
    /// The warm-up plan that it follows at a provider, if it is not warm there.
    #[must_use]
    pub fn warmup_at(&self, provider: &str) -> Option<&Name> {
        match self.warmup_providers.iter().find(|choice| choice.provider.eq_ignore_ascii_case(provider)) {
            Some(choice) => choice.plan.as_ref(),
            None => self.warmup.as_ref(),
        }
    }
}

/// Sources that share a stream's mail by weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Unique name.
    pub name: Name,
    /// At least one; each names an existing source, and each only once.
    pub sources: Vec<PoolMember>,
    /// The pool that takes what these may not send for now; it exists, and does not lead back here.
    pub overflow: Option<Name>,
}

impl Config {
    /// Where the master key lies.
    #[must_use]
    pub fn master_key_file(&self) -> PathBuf {
        self.server.master_key_file.clone().unwrap_or_else(|| self.storage.dir.join("master.key"))
    }

    /// What replies mean: the operator's rules before the built-in ones.
    #[must_use]
    pub fn rules(&self) -> Rules {
        // Loading has compiled the same rules, so this is an invariant.
        Rules::with_own(&self.bounce_rules).expect("the rules of a checked configuration are good")
    }

    /// The pool for mail that names none: `default`, or the first.
    #[must_use]
    pub fn default_pool(&self) -> &Pool {
        stream::default_pool(&self.pools)
    }
}

impl Default for Config {
    /// What an empty file means.
    fn default() -> Config {
        // A test reads every default, so this is an invariant of the declarations.
        parse("defaults", "").expect("the declared defaults are good")
    }
}

macro_rules! default_section {
    ($($section:ty => $field:ident),+) => { $(
        impl Default for $section {
            fn default() -> $section {
                Config::default().$field
            }
        }
    )+ };
}
default_section!(ServerSection => server, StorageSection => storage, HttpSection => http, SmtpSection => smtp,
    SubmissionSection => submission, DomainsSection => domains, NoticeSection => notice, HealthSection => health,
    SuppressionSection => suppression, WebhookSection => webhook, ReportsSection => reports,
    ReputationSection => reputation, DnsSection => dns, LogSection => log);

/// Reads and checks a file.
///
/// # Errors
/// Every mistake at once, or that the file cannot be read.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("the configuration cannot be read: {error}");
        Problems(vec![Problem { file: file.clone(), place: None, key: String::new(), message }])
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let mut problems = Collector::new(&file, &good);
        problems.add(&(good.len()..good.len()), "", "a character is not UTF-8; save the file as UTF-8".to_owned());
        Problems(problems.finish())
    })?;
    parse(&file, text)
}

/// Checks a text; `file` names it in errors.
///
/// # Errors
/// Every mistake at once.
pub fn parse(file: &str, text: &str) -> Result<Config, Problems> {
    let mut problems = Collector::new(file, text);
    let (root, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        // What the parser recovers after a mistake of grammar is guesswork: judging it would report mistakes that
        // the operator never made.
        for error in &broken {
            let at = error.span().unwrap_or(0..0);
            let quote = problems.quote(&at);
            let near = if quote.is_empty() { String::new() } else { format!(" at {quote}") };
            problems.add(&at, "", format!("not valid TOML{near}: {}", error.message()));
        }
        return Err(Problems(problems.finish()));
    }
    let config = read_all(root.get_ref(), &mut problems);
    match (config, problems.finish()) {
        (Some(config), found) if found.is_empty() => Ok(config),
        (_, found) => Err(Problems(found)),
    }
}

fn read_all(root: &DeTable<'_>, problems: &mut Collector<'_>) -> Option<Config> {
    refuse_unknown_sections(root, problems);
    let server: Option<ServerSection> = table(root, problems);
    let storage = table(root, problems);
    let http = table(root, problems);
    let smtp = table(root, problems);
    let submission = table(root, problems);
    let domains = table(root, problems);
    let notice = table(root, problems);
    let health = table(root, problems);
    let suppression = table(root, problems);
    let webhook = table(root, problems);
    let reports = table(root, problems);
    let reputation = table(root, problems);
    let dns = table(root, problems);
    let log = table(root, problems);
    let source_entries: Vec<(SourceEntry, &DeTable<'_>)> = tables(root, problems);
    let pool_entries: Vec<(PoolEntry, &DeTable<'_>)> = tables(root, problems);
    let stream_entries: Vec<(StreamEntry, &DeTable<'_>)> = tables(root, problems);
    let route_entries: Vec<(RouteEntry, &DeTable<'_>)> = tables(root, problems);
    let shaping_entries: Vec<(ShapingEntry, &DeTable<'_>)> = tables(root, problems);
    shaping::check(&shaping_entries, &names_in::<SourceEntry>(root, &["default"]), problems);
    unique_sources(&source_entries, problems);
    check_pools(&pool_entries, &names_in::<SourceEntry>(root, &["default"]), problems);
    stream::check(&stream_entries, &names_in::<PoolEntry>(root, &["default"]), problems);
    let mailbox_entries: Vec<(MailboxEntry, &DeTable<'_>)> = tables(root, problems);
    mailbox::check(&mailbox_entries, problems);
    route::check(&route_entries, &stream_names(root), problems);
    let warmup_plans = warmup::plans(root, problems);
    warmup::check_sources(&source_entries, root, problems);
    warmup::check_overflow(&pool_entries, problems);
    let rule_entries: Vec<(BounceRuleEntry, &DeTable<'_>)> = tables(root, problems);
    let bounce_rules = bounce_rule::rules(&rule_entries, problems);
    let server = server?;
    let sources = sources(source_entries, &server.hostname);
    let pools = pools(pool_entries, &sources);
    check_smtp(smtp.as_ref(), root, problems);
    check_submission(submission.as_ref(), root, problems);
    let smtp = smtp?;
    let stream_entries = stream_entries.into_iter().map(|(entry, _)| entry).collect();
    let streams = Streams::of(stream_entries, &smtp, &stream::default_pool(&pools).name);
    let routes = route_entries.into_iter().map(|(entry, _)| Route::of(entry)).collect();
    let shaping = shaping_entries.into_iter().map(|(entry, _)| entry).collect();
    Some(Config {
        server,
        storage: storage?,
        http: http?,
        smtp,
        submission: submission?,
        sources,
        pools,
        streams,
        routes,
        mailboxes: mailbox_entries.into_iter().map(|(entry, _)| Mailbox::of(entry)).collect(),
        warmup_plans,
        notice: notice?,
        health: health?,
        suppression: suppression?,
        webhook: webhook?,
        reports: reports?,
        reputation: reputation?,
        domains: domains?,
        shaping,
        bounce_rules,
        dns: dns?,
        log: log?,
    })
}

/// `[[source]]` sections as read, each with its table.
pub(crate) type SourceEntries<'t> = [(SourceEntry, &'t DeTable<'t>)];

fn sources(entries: Vec<(SourceEntry, &DeTable<'_>)>, hostname: &Domain) -> Vec<Source> {
    if entries.is_empty() {
        let name = Name::coined("default");
        let (warmup, warmup_providers) = (None, Vec::new());
        let (ip, enabled, max_rate) = (None, true, None);
        return vec![Source { name, ip, ehlo: hostname.clone(), enabled, max_rate, warmup, warmup_providers }];
    }
    let source = |entry: SourceEntry| Source {
        name: entry.name,
        ip: entry.ip,
        ehlo: entry.ehlo.unwrap_or_else(|| hostname.clone()),
        enabled: entry.enabled,
        max_rate: entry.max_rate,
        warmup: entry.warmup,
        warmup_providers: entry.warmup_providers,
    };
    entries.into_iter().map(|(entry, _)| source(entry)).collect()
}

fn pools(entries: Vec<(PoolEntry, &DeTable<'_>)>, sources: &[Source]) -> Vec<Pool> {
    if entries.is_empty() {
        let all = sources.iter().map(|source| PoolMember { source: source.name.clone(), weight: 1 });
        return vec![Pool { name: Name::coined("default"), sources: all.collect(), overflow: None }];
    }
    let pool = |entry: PoolEntry| Pool { name: entry.name, sources: entry.sources, overflow: entry.overflow.0 };
    entries.into_iter().map(|(entry, _)| pool(entry)).collect()
}

/// Every section and its keys, for "it belongs to [http]".
fn section_of_key(name: &str) -> Option<&'static str> {
    fn has<S: Section>(name: &str) -> Option<&'static str> {
        S::settings().iter().any(|declared| declared.name == name).then_some(S::KEY)
    }
    has::<ServerSection>(name)
        .or_else(|| has::<StorageSection>(name))
        .or_else(|| has::<HttpSection>(name))
        .or_else(|| has::<SmtpSection>(name))
        .or_else(|| has::<SubmissionSection>(name))
        .or_else(|| has::<DomainsSection>(name))
        .or_else(|| has::<DnsSection>(name))
        .or_else(|| has::<LogSection>(name))
        .or_else(|| has::<SourceEntry>(name))
        .or_else(|| has::<PoolEntry>(name))
        .or_else(|| has::<StreamEntry>(name))
        .or_else(|| has::<RouteEntry>(name))
        .or_else(|| has::<MailboxEntry>(name))
        .or_else(|| has::<NoticeSection>(name))
        .or_else(|| has::<HealthSection>(name))
        .or_else(|| has::<SuppressionSection>(name))
        .or_else(|| has::<WebhookSection>(name))
        .or_else(|| has::<ReportsSection>(name))
        .or_else(|| has::<ReputationSection>(name))
        .or_else(|| has::<ShapingEntry>(name))
        .or_else(|| has::<WarmupPlanEntry>(name))
        .or_else(|| has::<BounceRuleEntry>(name))
}

const SECTIONS: [&str; 22] = [
    ServerSection::KEY,
    StorageSection::KEY,
    HttpSection::KEY,
    SmtpSection::KEY,
    SubmissionSection::KEY,
    SourceEntry::KEY,
    PoolEntry::KEY,
    WarmupPlanEntry::KEY,
    StreamEntry::KEY,
    DomainsSection::KEY,
    RouteEntry::KEY,
    MailboxEntry::KEY,
    NoticeSection::KEY,
    HealthSection::KEY,
    SuppressionSection::KEY,
    WebhookSection::KEY,
    ReportsSection::KEY,
    ReputationSection::KEY,
    ShapingEntry::KEY,
    BounceRuleEntry::KEY,
    DnsSection::KEY,
    LogSection::KEY,
];

fn refuse_unknown_sections(root: &DeTable<'_>, problems: &mut Collector<'_>) {
    for (key, value) in root {
        let name: &str = key.get_ref();
        if SECTIONS.contains(&name) {
            continue;
        }
        let what = if value.get_ref().is_table() { "section" } else { "key" };
        let hint = match (section_of_key(name), crate::suggest::nearest(name, &SECTIONS)) {
            (Some(section), _) if what == "key" => format!("it belongs to [{section}]"),
            (_, Some(near)) => format!("did you mean {near}?"),
            _ => format!("known sections: {}", SECTIONS.join(", ")),
        };
        problems.add(&key.span(), name, format!("unknown {what} {name}; {hint}"));
    }
}

fn table<S: Section>(root: &DeTable<'_>, problems: &mut Collector<'_>) -> Option<S> {
    let found = root.get(S::KEY);
    let table = found.and_then(|value| value.get_ref().as_table());
    if let (Some(value), None) = (found, table) {
        let message = format!("{key} must be a section written [{key}], once", key = S::KEY);
        problems.add(&value.span(), S::KEY, message);
    }
    let at = found.map_or(0..0, Spanned::span);
    S::read(&mut Reader::new(S::KEY.to_owned(), table, at, section_of_key, problems))
}

/// Reads `[[key]]` sections; those with mistakes are reported and left out.
pub(crate) fn tables<'t, S: Section>(root: &'t DeTable<'t>, problems: &mut Collector<'_>) -> Vec<(S, &'t DeTable<'t>)> {
    let Some(value) = root.get(S::KEY) else { return Vec::new() };
    let Some(array) = value.get_ref().as_array() else {
        problems.add(&value.span(), S::KEY, format!("{key} must be written [[{key}]]", key = S::KEY));
        return Vec::new();
    };
    let mut good = Vec::new();
    for (number, item) in array.iter().enumerate() {
        let path = format!("{}[{number}]", S::KEY);
        match item.get_ref().as_table() {
            Some(table) => {
                let read = S::read(&mut Reader::new(path, Some(table), item.span(), section_of_key, problems));
                good.extend(read.map(|entry| (entry, table)));
            }
            None => problems.add(&item.span(), &path, format!("{path} must be a section written [[{}]]", S::KEY)),
        }
    }
    good
}

/// Names of all sources, pools or streams in the file, those with other mistakes too: who names one of these doesn't
/// dangle. Without any there are the `usual` ones.
fn names_in<'t, S: Section>(root: &'t DeTable<'_>, usual: &[&'t str]) -> Vec<&'t str> {
    let Some(array) = root.get(S::KEY).and_then(|value| value.get_ref().as_array()) else {
        return usual.to_vec();
    };
    let name = |item: &'t Spanned<DeValue<'_>>| item.get_ref().as_table()?.get("name")?.get_ref().as_str();
    array.iter().filter_map(name).collect()
}

/// Names of all streams, the two that always exist among them.
fn stream_names<'t>(root: &'t DeTable<'_>) -> Vec<&'t str> {
    let mut names = vec!["transactional", "bulk"];
    names.extend(names_in::<StreamEntry>(root, &[]));
    names
}

pub(crate) fn span_of(table: &DeTable<'_>, key: &str) -> Range<usize> {
    table.get(key).map_or(0..0, Spanned::span)
}

fn unique_sources(entries: &[(SourceEntry, &DeTable<'_>)], problems: &mut Collector<'_>) {
    for (number, (entry, table)) in entries.iter().enumerate() {
        let before = || entries[..number].iter().map(|(earlier, _)| earlier);
        if before().any(|earlier| earlier.name == entry.name) {
            let message = format!("two sources are named {}; names must be unique", entry.name);
            problems.add(&span_of(table, "name"), "source.name", message);
        }
        if let Some(twin) = before().find(|earlier| entry.ip.is_some() && earlier.ip == entry.ip) {
            // Limits count per source: the same address twice would get twice what it may.
            let message = format!("sources {} and {} have the same address; each needs its own", twin.name, entry.name);
            problems.add(&span_of(table, "ip"), "source.ip", message);
        }
    }
}

fn check_pools(entries: &[(PoolEntry, &DeTable<'_>)], sources: &[&str], problems: &mut Collector<'_>) {
    for (number, (entry, table)) in entries.iter().enumerate() {
        if entries[..number].iter().any(|(earlier, _)| earlier.name == entry.name) {
            let message = format!("two pools are named {}; names must be unique", entry.name);
            problems.add(&span_of(table, "name"), "pool.name", message);
        }
        if entry.sources.is_empty() {
            let message = format!("pool {} has no sources; name at least one", entry.name);
            problems.add(&span_of(table, "sources"), "pool.sources", message);
        }
        let spans: Vec<Range<usize>> = table
            .get("sources")
            .and_then(|value| value.get_ref().as_array())
            .into_iter()
            .flat_map(|array| array.iter())
            .map(|item| item.get_ref().as_table().map_or(item.span(), |member| span_of(member, "source")))
            .collect();
        for (place, member) in entry.sources.iter().enumerate() {
            let name = member.source.as_str();
            let key = format!("pool.sources[{place}].source");
            let at = spans.get(place).cloned().unwrap_or(0..0);
            if !sources.contains(&name) {
                let hint = match crate::suggest::nearest(name, sources) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("sources: {}", sources.join(", ")),
                };
                problems.add(
                    &at,
                    &key,
                    format!("pool {} names source {name}, which does not exist; {hint}", entry.name),
                );
            } else if entry.sources[..place].iter().any(|earlier| earlier.source == member.source) {
                problems.add(&at, &key, format!("pool {} names source {name} twice", entry.name));
            }
        }
    }
}

fn check_smtp(smtp: Option<&SmtpSection>, root: &DeTable<'_>, problems: &mut Collector<'_>) {
    let Some(table) = root.get(SmtpSection::KEY).and_then(|value| value.get_ref().as_table()) else { return };
    let Some(smtp) = smtp else { return };
    for (key, schedule) in [("bulk_retry", &smtp.bulk_retry), ("transactional_retry", &smtp.transactional_retry)] {
        if schedule.is_empty() {
            let message = format!("smtp.{key} must have at least one wait, such as [\"5m\"]");
            problems.add(&span_of(table, key), &format!("smtp.{key}"), message);
        }
    }
}

fn check_submission(submission: Option<&SubmissionSection>, root: &DeTable<'_>, problems: &mut Collector<'_>) {
    let Some(table) = root.get(SubmissionSection::KEY).and_then(|value| value.get_ref().as_table()) else { return };
    let Some(submission) = submission.filter(|submission| submission.is_on()) else { return };
    let listens = if submission.listen.is_empty() { "listen_tls" } else { "listen" };
    for (key, file) in [("certificate_file", &submission.certificate_file), ("key_file", &submission.key_file)] {
        if file.is_none() {
            let message = format!(
                "submission.{key} is missing: clients sign in over TLS alone; name the file, or take \
                 submission.{listens} away"
            );
            problems.add(&span_of(table, listens), &format!("submission.{key}"), message);
        }
    }
}
