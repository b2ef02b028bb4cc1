//! Which mail to a reply address goes no further: what a program wrote, what went in a circle, what comes too often.
//! Whoever forwards or answers such mail makes loops (RFC 3834 §2, RFC 5321 §6.3).

use super::head::Head;
use crate::shared::lock;
use bounce::Sort;
use mail::Address;
use std::collections::HashMap;
use std::sync::Mutex;

/// In what we forward: through which reply address it went. Not one of the fields with our name before it, which are for
/// submitters and are taken out.
pub(super) const LOOP_FIELD: &str = "Packetboat-Loop";
/// RFC 5321 §6.3 wants at least 100 for relays; a mail that a person wrote has come over few hosts.
const RECEIVED_MAX: usize = 30;
/// So many reply addresses may forward one to the other.
const LOOP_FIELDS_MAX: usize = 5;
/// In an hour, from one sender to one address, and to one address from all.
const SENDER_HOURLY_MAX: u32 = 20;
const ADDRESS_HOURLY_MAX: u32 = 500;
/// Senders remembered; beyond them those of unknown senders wait for the next hour.
const REMEMBERED_MAX: usize = 20_000;
const HOUR_MS: i64 = 3_600_000;

/// Why the mail goes no further. `reverse_path` is empty for reports; `None` where nobody knows it.
pub(super) fn stopped(head: &Head<'_>, reverse_path: Option<&str>, sort: Sort, address: &str) -> Option<&'static str> {
    if reverse_path == Some("") {
        return Some("its reverse path is empty: a program wrote it");
    }
    if head.all("Auto-Submitted").any(|field| !field.text().to_ascii_lowercase().starts_with("no")) {
        return Some("Auto-Submitted: a program wrote it");
    }
    let precedence = head.text("Precedence").unwrap_or_default().to_ascii_lowercase();
    if ["bulk", "list", "junk", "auto_reply"].contains(&precedence.as_str()) {
        return Some("Precedence: it is no personal mail");
    }
    if head.all("List-Id").next().is_some() {
        return Some("List-Id: it is no personal mail");
    }
    let mut passed = head.all(LOOP_FIELD).map(|field| field.text().to_ascii_lowercase());
    if passed.any(|text| text == address) || head.all(LOOP_FIELD).count() >= LOOP_FIELDS_MAX {
        return Some("it has been here before");
    }
    if head.all("Received").count() > RECEIVED_MAX {
        return Some("it has come over too many hosts");
    }
    match sort {
        Sort::Ordinary | Sort::Unsubscribe => None,
        _ => Some("it is a report or an automatic answer"),
    }
}

/// How many came in the hour, by sender and address.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, (i64, u32)>>);

impl Rates {
    /// Why one more is too many; else it is counted.
    pub fn over(&self, sender: &Address, address: &str, now_ms: i64) -> Option<&'static str> {
        let mut hours = lock(&self.0);
        if hours.len() >= REMEMBERED_MAX {
            hours.retain(|_, (since_ms, _)| now_ms - *since_ms < HOUR_MS);
        }
        let pair = format!("{} {address}", sender.normalized());
        if hours.len() >= REMEMBERED_MAX && !hours.contains_key(&pair) {
            return Some("too many senders write in this hour");
        }
        let mut count = |key: String| {
            let (since_ms, count) = hours.entry(key).or_insert((now_ms, 0));
            if now_ms - *since_ms >= HOUR_MS {
                (*since_ms, *count) = (now_ms, 0);
            }
            *count = count.saturating_add(1);
            *count
        };
        if count(pair) > SENDER_HOURLY_MAX {
            return Some("its sender wrote too often in this hour");
        }
        (count(address.to_owned()) > ADDRESS_HOURLY_MAX).then_some("too much came to the address in this hour")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &str, reverse_path: Option<&str>, sort: Sort, expected: Option<&str>) {
        let raw = format!("From: ana@example.net\r\n{fields}\r\nbody");
        let found = stopped(&Head::read(raw.as_bytes()), reverse_path, sort, "hello@news.example");
        assert_eq!(found.map(|why| why.split([':', ' ']).next().unwrap()), expected, "{fields:?} {reverse_path:?}");
    }

    #[test]
    fn what_goes_no_further() {
        let person = Some("ana@example.net");
        check("", person, Sort::Ordinary, None);
        check("", None, Sort::Ordinary, None);
        check("", person, Sort::Unsubscribe, None);
        check("", Some(""), Sort::Ordinary, Some("its"));
        check("Auto-Submitted: no\r\n", person, Sort::Ordinary, None);
        check("Auto-Submitted: auto-replied; owner=x\r\n", person, Sort::Ordinary, Some("Auto-Submitted"));
        check("AUTO-SUBMITTED:\r\n auto-generated\r\n", person, Sort::Ordinary, Some("Auto-Submitted"));
        for word in ["bulk", "List", "JUNK"] {
            check(&format!("Precedence: {word}\r\n"), person, Sort::Ordinary, Some("Precedence"));
        }
        check("Precedence: normal\r\n", person, Sort::Ordinary, None);
        check("List-Id: <x.example>\r\n", person, Sort::Ordinary, Some("List-Id"));
        check("Packetboat-Loop: hello@news.example\r\n", person, Sort::Ordinary, Some("it"));
        check("Packetboat-Loop: team@other.example\r\n", person, Sort::Ordinary, None);
        check(&"Packetboat-Loop: team@other.example\r\n".repeat(5), person, Sort::Ordinary, Some("it"));
        check(&"Received: from a by b\r\n".repeat(30), person, Sort::Ordinary, None);
        check(&"Received: from a by b\r\n".repeat(31), person, Sort::Ordinary, Some("it"));
        for sort in [Sort::AutoReply, Sort::Bounce, Sort::DeliveryReport, Sort::Feedback, Sort::Challenge] {
            check("", person, sort, Some("it"));
        }
    }

    #[test]
    fn so_many_in_an_hour() {
        let rates = Rates::default();
        let (ana, here, there) = (Address::parse("ana@a.example").unwrap(), "x@news.example", "y@news.example");
        for _ in 0..SENDER_HOURLY_MAX {
            assert_eq!(rates.over(&ana, here, 0), None);
        }
        assert!(rates.over(&ana, here, 1).is_some());
        assert_eq!(rates.over(&ana, there, 1), None, "another address");
        assert!(rates.over(&ana, here, HOUR_MS - 1).is_some());
        assert_eq!(rates.over(&ana, here, HOUR_MS), None);
        let other = |n: u32| Address::parse(&format!("u{n}@a.example")).unwrap();
        let passed = (0..ADDRESS_HOURLY_MAX * 2).filter(|n| rates.over(&other(*n), "z@news.example", 0).is_none());
        assert_eq!(passed.count(), ADDRESS_HOURLY_MAX as usize);
    }
}
