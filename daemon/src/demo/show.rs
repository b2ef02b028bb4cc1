//! What the terminal shows: one line while it sends, then a table.

use std::collections::BTreeMap;

use api_types::{Progress, ProviderProgress, Recipient};
use sandbox::{Providers, Received};

/// Recipients with a final state.
pub fn settled(progress: &Progress) -> u64 {
    let Progress { delivered, bounced, expired, suppressed, cancelled, unknown, .. } = progress;
    delivered + bounced + expired + suppressed + cancelled + unknown
}

/// Sent x of y, how fast, until when.
pub fn line(progress: &Progress) -> String {
    let mut line = format!(
        "{} of {}{} settled, {} a second",
        number(settled(progress)),
        number(progress.accepted),
        if progress.audience_complete { "" } else { " and counting" },
        number(progress.rate_now.round() as u64),
    );
    if progress.deferred > 0 {
        line.push_str(&format!(", {} wait for a retry", number(progress.deferred)));
    }
    // The time of day in UTC, as the API says it.
    if let Some(time) = progress.finishes_at.as_deref().and_then(|at| at.get(11..19)) {
        line.push_str(&format!(", finished about {time} UTC"));
    }
    line
}

/// One row per provider, largest first, and one for those whose domain has no mail server.
pub fn table(progress: &Progress, recipients: &[Recipient], providers: &Providers) -> String {
    let mut rows: Vec<[String; 7]> =
        vec![["provider", "accepted", "deferrals", "retried", "blocked", "unknown", "bounced"].map(str::to_owned)];
    let mut all: Vec<&ProviderProgress> = progress.providers.iter().collect();
    all.sort_by_key(|provider| std::cmp::Reverse(provider.delivered));
    for provider in all {
        let bounced = provider.bounced.iter().map(|class| in_words(&class.name, class.count));
        let counts = [provider.delivered, provider.deferrals, provider.retried, provider.blocked, provider.unknown];
        let [accepted, deferrals, retried, blocked, unknown] = counts.map(number);
        let bounced = bounced.collect::<Vec<_>>().join(", ");
        rows.push([name(&provider.provider, providers), accepted, deferrals, retried, blocked, unknown, bounced]);
    }
    let nowhere = bounced_nowhere(recipients);
    if !nowhere.is_empty() {
        let [name, zero] = ["(no mail server)", "0"].map(str::to_owned);
        rows.push([name, zero.clone(), zero.clone(), zero.clone(), zero.clone(), zero, nowhere]);
    }
    aligned(&rows)
}

fn in_words(class: &str, count: u64) -> String {
    format!("{} {}", number(count), class.replace('_', " "))
}

/// Bounces of recipients that no provider was found for, by class.
fn bounced_nowhere(recipients: &[Recipient]) -> String {
    let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
    for recipient in recipients.iter().filter(|row| row.provider.is_none() && row.state == "bounced") {
        *classes.entry(recipient.class.as_deref().unwrap_or("unknown")).or_default() += 1;
    }
    classes.into_iter().map(|(class, count)| in_words(class, count)).collect::<Vec<_>>().join(", ")
}

/// The daemon knows providers by the domain of their mail exchangers; the simulated internet knows their names.
fn name(mx_domain: &str, providers: &Providers) -> String {
    let known = providers.providers.iter().find(|provider| {
        provider.mx.iter().any(|mx| mx.host == mx_domain || mx.host.ends_with(&format!(".{mx_domain}")))
    });
    known.map_or_else(|| mx_domain.to_owned(), |provider| provider.name.clone())
}

/// The address in the last mail's List-Unsubscribe (RFC 2369 §3.2).
pub fn unsubscribe_page(messages: &[Received]) -> Option<String> {
    let content = String::from_utf8_lossy(&messages.last()?.content).into_owned();
    let (_, value) = content.split_once("\r\nList-Unsubscribe:")?;
    let (_, rest) = value.split_once("<http")?;
    let (address, _) = rest.split_once('>')?;
    // A long header may be folded inside its brackets.
    Some(format!("http{}", address.split_whitespace().collect::<String>()))
}

/// The first and the last column to the left, figures to the right.
fn aligned(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!("{:<width$}", row[0], width = width(0)));
        for (column, cell) in row.iter().enumerate().take(6).skip(1) {
            text.push_str(&format!("  {cell:>width$}", width = width(column)));
        }
        text.push_str("  ");
        text.push_str(&row[6]);
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
    }
    text
}

/// With thousands set apart.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::Count;

    fn progress() -> Progress {
        let count = |name: &str, count| Count { name: name.to_owned(), count };
        let provider = |provider: &str, delivered, bounced| ProviderProgress {
            provider: provider.to_owned(),
            delivered,
            deferrals: 12,
            retried: 9,
            bounced,
            blocked: 0,
            unknown: 1,
            complained: 0,
            expired: 0,
        };
        Progress {
            accepted: 1_700,
            audience_complete: true,
            delivered: 1_534,
            bounced: 25,
            deferred: 40,
            unknown: 2,
            rate_now: 812.4,
            finishes_at: Some("2026-11-21T12:34:56.000Z".to_owned()),
            providers: vec![
                provider("nosuchdomain.example", 0, vec![count("bad_domain", 4)]),
                provider("petrel-mx.example", 1_534, vec![count("bad_mailbox", 20), count("mailbox_full", 1)]),
            ],
            ..Progress::default()
        }
    }

    #[test]
    fn the_line_tells_how_far_how_fast_and_until_when() {
        assert_eq!(
            line(&progress()),
            "1,561 of 1,700 settled, 812 a second, 40 wait for a retry, finished about 12:34:56 UTC"
        );
    }

    #[test]
    fn the_table_is_aligned_and_names_providers() {
        let expected = "\
provider              accepted  deferrals  retried  blocked  unknown  bounced
Petrel                   1,534         12        9        0        1  20 bad mailbox, 1 mailbox full
nosuchdomain.example         0         12        9        0        1  4 bad domain
";
        assert_eq!(table(&progress(), &[], &Providers::builtin()), expected);
    }
}
