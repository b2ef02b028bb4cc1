//! Streams: kinds of mail with names, each with its pool, its waits and its age at the end.

use crate::check::Pool;
use crate::problem::Collector;
use crate::sections::{SmtpSection, StreamEntry};
use crate::values::Name;
use mail::StreamKind;
use std::time::Duration;
use toml::de::DeTable;

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Unique name.
    pub name: Name,
    /// Which of the two kinds its mail is.
    pub kind: StreamKind,
    /// The pool that its mail leaves from; it exists.
    pub pool: Name,
    /// Waits before each new attempt, at least one; the last one repeats.
    pub retry: Vec<Duration>,
    /// Age at which its mail is given up.
    pub expiry: Duration,
}

/// All streams. The ones that are named like the two kinds are always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams(Vec<Stream>);

impl Streams {
    /// The stream of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Stream> {
        self.0.iter().find(|stream| stream.name.as_str() == name)
    }

    /// The stream that mail of this kind belongs to when it names none, or one that is not configured any more.
    #[must_use]
    pub fn default_of(&self, kind: StreamKind) -> &Stream {
        // `of` puts both in.
        self.find(kind.as_str()).expect("each kind has a stream of its name")
    }

    /// All of them: first the two that always exist, then in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.0.iter()
    }

    /// The streams of a checked file.
    pub(crate) fn of(entries: Vec<StreamEntry>, smtp: &SmtpSection, default_pool: &Name) -> Streams {
        let mut streams: Vec<Stream> = Vec::new();
        for (kind, name) in [(StreamKind::Transactional, "transactional"), (StreamKind::Bulk, "bulk")] {
            let (retry, expiry) = of_kind(smtp, kind);
            streams.push(Stream { name: Name::coined(name), kind, pool: default_pool.clone(), retry, expiry });
        }
        for entry in entries {
            let (retry, expiry) = of_kind(smtp, entry.kind);
            let stream = Stream {
                name: entry.name,
                kind: entry.kind,
                pool: entry.pool.unwrap_or_else(|| default_pool.clone()),
                retry: entry.retry.unwrap_or(retry),
                expiry: entry.expiry.unwrap_or(expiry),
            };
            match streams.iter_mut().find(|known| known.name == stream.name) {
                Some(known) => *known = stream,
                None => streams.push(stream),
            }
        }
        Streams(streams)
    }
}

fn of_kind(smtp: &SmtpSection, kind: StreamKind) -> (Vec<Duration>, Duration) {
    match kind {
        StreamKind::Transactional => (smtp.transactional_retry.clone(), smtp.transactional_expiry),
        StreamKind::Bulk => (smtp.bulk_retry.clone(), smtp.bulk_expiry),
    }
}

/// What only shows when the entries are seen together, and beside the pools.
pub(crate) fn check(entries: &[(StreamEntry, &DeTable<'_>)], pools: &[&str], problems: &mut Collector<'_>) {
    for (number, (entry, table)) in entries.iter().enumerate() {
        let at = |key: &str| table.get(key).map_or(0..0, toml::Spanned::span);
        let name = entry.name.as_str();
        if entries[..number].iter().any(|(earlier, _)| earlier.name == entry.name) {
            let message = format!("two streams are named {name}; names must be unique");
            problems.add(&at("name"), "stream.name", message);
        }
        // Mail that names no stream takes the one that is named like its kind.
        if StreamKind::parse(name).is_some_and(|kind| kind != entry.kind) {
            let message = format!("the stream {name} must be of the kind \"{name}\"; give yours another name");
            problems.add(&at("kind"), "stream.kind", message);
        }
        if entry.retry.as_ref().is_some_and(Vec::is_empty) {
            let message = format!("stream {name} must have at least one wait in retry, such as [\"5m\"]");
            problems.add(&at("retry"), "stream.retry", message);
        }
        if let Some(pool) = entry.pool.as_ref().map(Name::as_str).filter(|pool| !pools.contains(pool)) {
            let hint = match crate::suggest::nearest(pool, pools) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("pools: {}", pools.join(", ")),
            };
            let message = format!("stream {name} names pool {pool}, which does not exist; {hint}");
            problems.add(&at("pool"), "stream.pool", message);
        }
    }
}

/// The pool for mail that names none: `default`, or the first.
pub(crate) fn default_pool(pools: &[Pool]) -> &Pool {
    pools.iter().find(|pool| pool.name.as_str() == "default").unwrap_or(&pools[0])
}
