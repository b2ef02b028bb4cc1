//! What the simulated internet received: the witness of the tests and the demo.
//!
//! Addresses are kept as 64-bit hashes (a million take some 30 MB); a chance collision of two of a million has the
//! probability of one in thirty million.

use crate::dkim_verify::{self, Checked};
use crate::hash::hash;
use crate::zone::Zone;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many examples of something wrong are kept word for word.
const EXAMPLES_MAX: usize = 100;

/// Which messages have their DKIM signatures verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DkimCheck {
    /// None.
    Off,
    /// Every n-th; 1 is all of them.
    OneIn(u32),
}

/// What to record.
#[derive(Clone, Copy, Debug)]
pub struct LedgerOptions {
    /// Whose signatures are verified.
    pub dkim: DkimCheck,
    /// How many of the last messages are kept whole.
    pub keep_last: usize,
    /// How many of the last attempts are kept.
    pub keep_attempts: usize,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        LedgerOptions { dkim: DkimCheck::OneIn(1), keep_last: 16, keep_attempts: 1000 }
    }
}

/// One attempt to deliver to one recipient, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who tried.
    pub source: IpAddr,
    /// The recipient.
    pub recipient: String,
    /// Code and enhanced status ("451 4.7.1"), or "cut" when the connection ended without an answer.
    pub answer: String,
}

/// A message as a provider received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The provider's name.
    pub provider: String,
    /// Whose server it was, by address.
    pub server: IpAddr,
    /// Who connected.
    pub source: IpAddr,
    /// The name given in EHLO.
    pub ehlo: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The reverse-path; empty for `<>`.
    pub reverse_path: String,
    /// The recipients that were accepted.
    pub recipients: Vec<String>,
    /// The parameters of RFC 3461 that came with MAIL and with each accepted RCPT, in their order.
    pub wishes: Vec<String>,
    /// The content, as transferred, without dot-stuffing.
    pub content: Vec<u8>,
    /// What became of each DKIM signature; empty when they were not looked at.
    pub dkim: Vec<Checked>,
}

/// What one provider saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProviderSummary {
    /// Connections taken.
    pub connections: u64,
    /// Most connections at a time, from all sources.
    pub connections_peak: u64,
    /// Messages accepted.
    pub messages: u64,
    /// Recipients of accepted messages, repeated ones too.
    pub copies: u64,
    /// Bytes of accepted messages.
    pub bytes: u64,
    /// Messages that came over TLS.
    pub tls_messages: u64,
    /// Messages that came in chunks (BDAT).
    pub chunked: u64,
    /// Replies that were not positive, by code and enhanced status ("550 5.1.1").
    pub refusals: BTreeMap<String, u64>,
    /// Connections ended without an answer, by the step.
    pub cuts: BTreeMap<String, u64>,
    /// Accepted messages per source.
    pub sources: BTreeMap<IpAddr, u64>,
    /// Reports (DSN) that were delivered to the reverse-path.
    pub reports_sent: u64,
    /// Reports that could not be delivered.
    pub reports_failed: u64,
    /// Messages whose signatures were looked at and all held.
    pub dkim_passed: u64,
    /// Messages with a signature that did not hold.
    pub dkim_failed: u64,
    /// Messages looked at that had no signature.
    pub dkim_missing: u64,
    /// Breaches of the protocol by the client, by what they were.
    pub breaches: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Books {
    providers: BTreeMap<String, ProviderSummary>,
    copies: HashMap<u64, u32>,
    doubles: Vec<String>,
    doubles_count: u64,
    message_ids: HashSet<u64>,
    repeated_message_ids: u64,
    dkim_failures: Vec<String>,
    last: VecDeque<Received>,
    attempts: VecDeque<Attempt>,
    counter: u64,
}

/// A handle to the records; clones share them.
#[derive(Clone)]
pub struct Ledger {
    books: Arc<Mutex<Books>>,
    options: LedgerOptions,
    zone: Zone,
}

impl Ledger {
    /// Empty books; public keys of signatures are looked up in `zone`.
    #[must_use]
    pub fn new(zone: Zone, options: LedgerOptions) -> Ledger {
        Ledger { books: Arc::default(), options, zone }
    }

    /// What each provider saw, by its name.
    #[must_use]
    pub fn summary(&self) -> BTreeMap<String, ProviderSummary> {
        self.books().providers.clone()
    }

    /// What all providers together saw. The peak of connections is that of the busiest one.
    #[must_use]
    pub fn total(&self) -> ProviderSummary {
        let mut total = ProviderSummary::default();
        for summary in self.books().providers.values() {
            total.add(summary);
        }
        total
    }

    /// How many accepted copies `address` got.
    #[must_use]
    pub fn copies(&self, address: &str) -> u32 {
        self.books().copies.get(&key(address)).copied().unwrap_or(0)
    }

    /// How many different addresses got at least one copy.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.books().copies.len()
    }

    /// Addresses that got more than one copy, the first hundred; [`Ledger::doubles_count`] has the number.
    #[must_use]
    pub fn doubles(&self) -> Vec<String> {
        self.books().doubles.clone()
    }

    /// How many copies were one too many.
    #[must_use]
    pub fn doubles_count(&self) -> u64 {
        self.books().doubles_count
    }

    /// How many messages had a Message-ID that had come before.
    #[must_use]
    pub fn repeated_message_ids(&self) -> u64 {
        self.books().repeated_message_ids
    }

    /// The first hundred signatures that did not hold, in words.
    #[must_use]
    pub fn dkim_failures(&self) -> Vec<String> {
        self.books().dkim_failures.clone()
    }

    /// The last messages, oldest first.
    #[must_use]
    pub fn last_messages(&self) -> Vec<Received> {
        self.books().last.iter().cloned().collect()
    }

    /// The last attempts to deliver to `recipient`, oldest first.
    #[must_use]
    pub fn attempts(&self, recipient: &str) -> Vec<Attempt> {
        let books = self.books();
        books.attempts.iter().filter(|a| a.recipient.eq_ignore_ascii_case(recipient)).cloned().collect()
    }

    /// The last attempts to deliver to anybody, oldest first.
    #[must_use]
    pub fn all_attempts(&self) -> Vec<Attempt> {
        self.books().attempts.iter().cloned().collect()
    }

    /// Enters how an attempt ended.
    pub(crate) fn attempted(&self, attempt: Attempt) {
        if self.options.keep_attempts > 0 {
            let mut books = self.books();
            if books.attempts.len() >= self.options.keep_attempts {
                books.attempts.pop_front();
            }
            books.attempts.push_back(attempt);
        }
    }

    /// Enters an accepted message; verifies its signatures when they are due.
    pub(crate) fn accepted(&self, mut message: Received, now_ms: i64) {
        let due = {
            let mut books = self.books();
            books.counter += 1;
            match self.options.dkim {
                DkimCheck::Off => false,
                DkimCheck::OneIn(n) => books.counter.is_multiple_of(u64::from(n.max(1))),
            }
        };
        if due {
            // Outside the lock: this is the expensive part.
            let now_s = u64::try_from(now_ms / 1000).ok();
            message.dkim = dkim_verify::verify(&message.content, now_s, |name| self.zone.txt(name));
        }
        let id = dkim_verify::header(&message.content, "Message-ID").map(|id| hash(2, id.trim().as_bytes()));
        let mut books = self.books();
        books.enter(&message, due, id);
        if self.options.keep_last > 0 {
            if books.last.len() >= self.options.keep_last {
                books.last.pop_front();
            }
            books.last.push_back(message);
        }
    }

    /// Changes one provider's summary.
    pub(crate) fn note(&self, provider: &str, change: impl FnOnce(&mut ProviderSummary)) {
        let mut books = self.books();
        change(books.provider(provider));
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn provider(&mut self, name: &str) -> &mut ProviderSummary {
        if !self.providers.contains_key(name) {
            self.providers.insert(name.to_owned(), ProviderSummary::default());
        }
        self.providers.get_mut(name).expect("it was just inserted")
    }

    fn enter(&mut self, message: &Received, dkim_checked: bool, id: Option<u64>) {
        for recipient in &message.recipients {
            let copies = self.copies.entry(key(recipient)).or_default();
            *copies += 1;
            if *copies > 1 {
                self.doubles_count += 1;
                if self.doubles.len() < EXAMPLES_MAX {
                    self.doubles.push(recipient.clone());
                }
            }
        }
        if id.is_some_and(|id| !self.message_ids.insert(id)) {
            self.repeated_message_ids += 1;
        }
        let failed: Vec<_> = message.dkim.iter().filter(|checked| checked.result.is_err()).collect();
        for checked in &failed {
            if self.dkim_failures.len() < EXAMPLES_MAX {
                self.dkim_failures.push(format!("{}: {checked}", message.provider));
            }
        }
        let summary = self.provider(&message.provider);
        summary.messages += 1;
        summary.copies += message.recipients.len() as u64;
        summary.bytes += message.content.len() as u64;
        summary.tls_messages += u64::from(message.tls);
        *summary.sources.entry(message.source).or_default() += 1;
        match (dkim_checked, message.dkim.is_empty(), failed.is_empty()) {
            (false, ..) => {}
            (true, true, _) => summary.dkim_missing += 1,
            (true, false, true) => summary.dkim_passed += 1,
            (true, false, false) => summary.dkim_failed += 1,
        }
    }
}

impl ProviderSummary {
    fn add(&mut self, other: &ProviderSummary) {
        self.connections += other.connections;
        self.connections_peak = self.connections_peak.max(other.connections_peak);
        self.messages += other.messages;
        self.copies += other.copies;
        self.bytes += other.bytes;
        self.tls_messages += other.tls_messages;
        self.chunked += other.chunked;
        self.reports_sent += other.reports_sent;
        self.reports_failed += other.reports_failed;
        self.dkim_passed += other.dkim_passed;
        self.dkim_failed += other.dkim_failed;
        self.dkim_missing += other.dkim_missing;
        for (into, from) in [
            (&mut self.refusals, &other.refusals),
            (&mut self.cuts, &other.cuts),
            (&mut self.breaches, &other.breaches),
        ] {
            for (name, count) in from {
                *into.entry(name.clone()).or_default() += count;
            }
        }
        for (source, count) in &other.sources {
            *self.sources.entry(*source).or_default() += count;
        }
    }
}

fn key(address: &str) -> u64 {
    hash(1, address.to_ascii_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipient: &str, id: &str) -> Received {
        Received {
            provider: "A".to_owned(),
            server: "127.20.0.1".parse().unwrap(),
            source: "127.0.0.1".parse().unwrap(),
            ehlo: String::new(),
            tls: true,
            reverse_path: String::new(),
            recipients: vec![recipient.to_owned()],
            wishes: Vec::new(),
            content: format!("Message-ID: <{id}>\r\n\r\nHello\r\n").into_bytes(),
            dkim: vec![],
        }
    }

    #[test]
    fn copies_and_repeated_ids_are_counted() {
        let options = LedgerOptions { keep_last: 2, ..LedgerOptions::default() };
        let ledger = Ledger::new(Zone::default(), options);
        for (recipient, id) in [("ana@a.example", "1"), ("bob@a.example", "2"), ("Ana@A.example", "2")] {
            ledger.accepted(message(recipient, id), 0);
        }
        assert_eq!(
            (ledger.copies("ana@a.example"), ledger.copies("bob@a.example"), ledger.copies("c@a.example")),
            (2, 1, 0)
        );
        assert_eq!((ledger.doubles(), ledger.doubles_count()), (vec!["Ana@A.example".to_owned()], 1));
        assert_eq!(ledger.repeated_message_ids(), 1);
        assert_eq!(ledger.recipients(), 2);
        assert_eq!(ledger.last_messages().len(), 2);
        assert_eq!((ledger.total().messages, ledger.total().dkim_missing), (3, 3));
    }
}
