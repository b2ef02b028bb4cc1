//! What an address is: decided by the address itself and its provider's shares, so that everybody who asks, before or
//! after the mail, hears the same.
//!
//! For tests, a prefix of the local part decides at every provider: `unknown-`, `full-`, `overquota-`, `report-`,
//! `cut-`, `limbo-`, and `fine-` where none of the shares shall apply.

use crate::hash::hash;
use crate::manners::{Manners, Provider};

/// What stands behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mailbox {
    /// A mailbox that takes mail.
    Fine,
    /// Nothing: 550 5.1.1.
    Unknown,
    /// A mailbox that is full at first: 452 4.2.2.
    FullForNow,
    /// A mailbox over its quota: 552 5.2.2.
    OverQuota,
    /// Nothing, but that is said later, by a report.
    ReportedLater,
    /// A mailbox whose first content transfer is cut.
    CutInContent,
    /// An address whose transfer is never answered; the provider kept the message.
    LimboKept,
    /// An address whose transfer is never answered; the provider lost the message.
    LimboLost,
}

const PREFIXES: [(&str, Mailbox); 8] = [
    ("fine-", Mailbox::Fine),
    ("unknown-", Mailbox::Unknown),
    ("full-", Mailbox::FullForNow),
    ("overquota-", Mailbox::OverQuota),
    ("report-", Mailbox::ReportedLater),
    ("cut-", Mailbox::CutInContent),
    ("limbo-kept-", Mailbox::LimboKept),
    ("limbo-", Mailbox::LimboLost),
];

impl Provider {
    /// What stands behind `local@domain` at this provider. Local parts are compared without case here.
    #[must_use]
    pub fn mailbox(&self, local: &str, domain: &str) -> Mailbox {
        let local = local.to_ascii_lowercase();
        if let Some((_, mailbox)) = PREFIXES.iter().find(|(prefix, _)| local.starts_with(prefix)) {
            return *mailbox;
        }
        let address = format!("{local}@{}", domain.to_ascii_lowercase());
        by_share(&self.manners, hash(0x6d61_696c, address.as_bytes()))
    }
}

fn by_share(manners: &Manners, hash: u64) -> Mailbox {
    let mut place = hash % 1000;
    let limbo = if hash & (1 << 40) == 0 { Mailbox::LimboKept } else { Mailbox::LimboLost };
    for (share, mailbox) in [
        (manners.unknown_per_mille, Mailbox::Unknown),
        (manners.full_per_mille, Mailbox::FullForNow),
        (manners.over_quota_per_mille, Mailbox::OverQuota),
        (manners.report_per_mille, Mailbox::ReportedLater),
        (manners.cut_per_mille, Mailbox::CutInContent),
        (manners.limbo_per_mille, limbo),
    ] {
        let share = u64::from(share);
        if place < share {
            return mailbox;
        }
        place -= share;
    }
    Mailbox::Fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_prefixes_decide() {
        let manners = Manners { unknown_per_mille: 100, report_per_mille: 50, ..Manners::default() };
        let provider = Provider::of("a.example", "127.20.0.1".parse().unwrap(), manners);
        let mailboxes: Vec<_> = (0..10_000).map(|n| provider.mailbox(&format!("user{n}"), "a.example")).collect();
        let count = |wanted| mailboxes.iter().filter(|m| **m == wanted).count();
        assert!((900..1100).contains(&count(Mailbox::Unknown)), "{}", count(Mailbox::Unknown));
        assert!((420..580).contains(&count(Mailbox::ReportedLater)), "{}", count(Mailbox::ReportedLater));
        assert_eq!(provider.mailbox("USER1", "A.example"), provider.mailbox("user1", "a.example"));
        assert_eq!(provider.mailbox("limbo-kept-1", "a.example"), Mailbox::LimboKept);
        assert_eq!(provider.mailbox("Unknown-1", "a.example"), Mailbox::Unknown);
    }
}
