//! Reports: words, tones and charts of what the world says about our domains.

use api_types::{AuthFailure, Complaints, DmarcDay, DmarcSender, DmarcSenderKind, Listing, TlsDay};

use crate::number::share;
use crate::tone::{Status, Tone};

/// Periods to choose from: days in the URL, and their name. Thirty days are what an empty URL means.
pub const PERIODS: [(&str, &str); 4] =
    [("7", "Last 7 days"), ("", "Last 30 days"), ("90", "Last 90 days"), ("365", "Last year")];

/// Who sent messages.
#[must_use]
pub fn sender(kind: DmarcSenderKind) -> Status {
    match kind {
        DmarcSenderKind::Ours => (Tone::Active, "Our source"),
        DmarcSenderKind::Aligned => (Tone::Success, "Others that may"),
        DmarcSenderKind::Failing => (Tone::Danger, "Fails"),
    }
}

/// The word of a sort of sender in the API's filter, with its name in lists.
pub const SENDERS: [(&str, &str); 4] =
    [("", "Every sender"), ("ours", "Our sources"), ("aligned", "Others that may"), ("failing", "Failing senders")];

/// An address with the name of our source, where it is one.
#[must_use]
pub fn sender_name(sender: &DmarcSender) -> String {
    let ip = if sender.source_ip.is_empty() { "no address told" } else { &sender.source_ip };
    match &sender.source {
        Some(name) => format!("{name} ({ip})"),
        None => ip.to_owned(),
    }
}

/// What was done with messages that fail.
#[must_use]
pub fn disposition(word: &str) -> Status {
    match word {
        "reject" => (Tone::Danger, "Refused"),
        "quarantine" => (Tone::Warning, "Put among the spam"),
        _ => (Tone::Neutral, "Nothing"),
    }
}

/// Pass or fail.
#[must_use]
pub fn passes(passes: bool) -> Status {
    if passes { (Tone::Success, "Passes") } else { (Tone::Danger, "Fails") }
}

/// What a report of a single mail says failed: the check, and the signatures that it names.
#[must_use]
pub fn failure(report: &AuthFailure) -> String {
    let what = match report.failure.as_str() {
        "" => "Authentication".to_owned(),
        "bodyhash" => "DKIM: the body is not the one that was signed".to_owned(),
        "signature" => "DKIM: the signature is wrong".to_owned(),
        "revoked" => "DKIM: the key is revoked".to_owned(),
        "adsp" | "dkim" | "dmarc" | "spf" => report.failure.to_uppercase(),
        other => other.to_owned(),
    };
    if report.signatures.is_empty() { what } else { format!("{what} ({})", report.signatures) }
}

/// What a report tells, or that it does not.
#[must_use]
pub fn told(text: &str) -> String {
    if text.is_empty() { "not told".to_owned() } else { text.to_owned() }
}

/// Whether a listing is, or was.
#[must_use]
pub fn listing(listing: &Listing) -> Status {
    if listing.gone_at.is_some() { (Tone::Neutral, "Was listed") } else { (Tone::Danger, "Listed") }
}

/// A column of a chart over days: the day, whether it is named below the bars, and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayColumn {
    /// The day.
    pub day: String,
    /// Its name below the bars; empty for none.
    pub tick: String,
    /// One value per series.
    pub values: Vec<u64>,
}

/// So many days are named below a chart at most.
const NAMED_MAX: usize = 6;

fn columns<T>(days: &[T], of: impl Fn(&T) -> (&str, Vec<u64>)) -> Vec<DayColumn> {
    let step = days.len().div_ceil(NAMED_MAX).max(1);
    let column = |(n, day): (usize, &T)| {
        let (day, values) = of(day);
        let tick = if n % step == 0 { crate::when::short_day(day) } else { String::new() };
        DayColumn { day: day.to_owned(), tick, values }
    };
    days.iter().enumerate().map(column).collect()
}

/// Messages that pass and that fail, by day.
#[must_use]
pub fn dmarc_columns(days: &[DmarcDay]) -> Vec<DayColumn> {
    columns(days, |day| {
        let failed = day.counts.messages.saturating_sub(day.counts.passed);
        (&day.day, vec![day.counts.passed, failed])
    })
}

/// Sessions that went well and that failed, by day.
#[must_use]
pub fn tls_columns(days: &[TlsDay]) -> Vec<DayColumn> {
    columns(days, |day| (&day.day, vec![day.successful, day.failed]))
}

/// Complaints by day.
#[must_use]
pub fn complaint_columns(days: &[Complaints]) -> Vec<DayColumn> {
    columns(days, |day| (&day.name, vec![day.complained]))
}

/// Whether a chart has anything to show.
#[must_use]
pub fn is_blank(columns: &[DayColumn]) -> bool {
    columns.iter().all(|column| column.values.iter().all(|value| *value == 0))
}

/// Complaints as a share of what was delivered: receivers count in thousandths.
#[must_use]
pub fn complaint_share(complained: u64, delivered: u64) -> String {
    if delivered == 0 {
        return share(complained, delivered);
    }
    format!("{:.3} %", complained as f64 * 100.0 / delivered as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::DmarcCounts;

    #[test]
    fn days_become_columns() {
        let day = |n: u64| DmarcDay {
            day: format!("2026-01-{n:02}"),
            counts: DmarcCounts { messages: n, dkim_pass: 0, spf_pass: 0, passed: n.min(3) },
        };
        let days: Vec<DmarcDay> = (1..=8).map(day).collect();
        let columns = dmarc_columns(&days);
        let shown: Vec<_> = columns.iter().map(|column| (column.tick.as_str(), column.values.clone())).collect();
        assert_eq!(shown[..3], [("1 Jan", vec![1, 0]), ("", vec![2, 0]), ("3 Jan", vec![3, 0])]);
        assert_eq!(shown[7], ("", vec![3, 5]));
        assert!(!is_blank(&columns) && is_blank(&dmarc_columns(&[])));
        let quiet = [TlsDay { day: "2026-01-01".to_owned(), successful: 0, failed: 0 }];
        assert!(is_blank(&tls_columns(&quiet)));
    }

    #[test]
    fn failures_in_words() {
        for (failure, signatures, expected) in [
            ("spf", "", "SPF"),
            (
                "bodyhash",
                "s1._domainkey.a.example",
                "DKIM: the body is not the one that was signed (s1._domainkey.a.example)",
            ),
            ("", "", "Authentication"),
            ("odd", "", "odd"),
        ] {
            let report = AuthFailure {
                id: 1,
                domain: "a.example".to_owned(),
                received_at: String::new(),
                arrived_at: String::new(),
                organization: String::new(),
                brought_by: String::new(),
                failure: failure.to_owned(),
                source_ip: String::new(),
                item: String::new(),
                signatures: signatures.to_owned(),
                delivery: String::new(),
                incidents: 1,
                header_id: String::new(),
                recipient_id: None,
            };
            assert_eq!(super::failure(&report), expected);
        }
        assert_eq!((told("reject"), told("")), ("reject".to_owned(), "not told".to_owned()));
    }

    #[test]
    fn senders_have_names() {
        let sender = |ip: &str, source: Option<&str>| DmarcSender {
            source_ip: ip.to_owned(),
            source: source.map(str::to_owned),
            sender: DmarcSenderKind::Ours,
            counts: DmarcCounts::default(),
            quarantined: 0,
            rejected: 0,
            organizations: 1,
            latest_at: String::new(),
        };
        for (ip, source, expected) in [
            ("198.51.100.7", Some("mx1"), "mx1 (198.51.100.7)"),
            ("198.51.100.8", None, "198.51.100.8"),
            ("", None, "no address told"),
        ] {
            assert_eq!(sender_name(&sender(ip, source)), expected);
        }
    }

    #[test]
    fn complaints_are_counted_in_thousandths() {
        for (complained, delivered, expected) in [(1, 1000, "0.100 %"), (0, 10, "0.000 %"), (0, 0, "–")] {
            assert_eq!(complaint_share(complained, delivered), expected);
        }
    }
}
