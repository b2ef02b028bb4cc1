//! Suppressions in words: what an entry keeps away, what a change did, what a contact can still get.

use crate::tone::{self, Status, Tone};
use api_types::{ContactStanding, Mailable, SuppressionAction, SuppressionChange, SuppressionCovers, SuppressionFrom};

/// Which mail an entry keeps away.
#[must_use]
pub fn covers(covers: SuppressionCovers) -> &'static str {
    match covers {
        SuppressionCovers::All => "Every mail",
        SuppressionCovers::Marketing => "Campaigns",
    }
}

/// The API's word for what an entry covers, as choices have it.
#[must_use]
pub fn covers_of(word: &str) -> SuppressionCovers {
    if word == "marketing" { SuppressionCovers::Marketing } else { SuppressionCovers::All }
}

/// The last moment of a day as a date field gives it; nothing where no day is chosen.
#[must_use]
pub fn end_of_day(day: &str) -> Option<String> {
    let day = day.trim();
    (!day.is_empty()).then(|| format!("{day}T23:59:59Z"))
}

/// Where the page of the mail is that led to an entry, and what it is called.
#[must_use]
pub fn mail(from: &SuppressionFrom) -> (String, String) {
    match (from.message_id, &from.campaign, from.campaign_id) {
        (Some(message), ..) => (format!("/messages/{message}"), "The message".to_owned()),
        (None, Some(campaign), _) => (format!("/recipients/{}", from.recipient_id), campaign.clone()),
        (None, None, Some(id)) => (format!("/recipients/{}", from.recipient_id), format!("Campaign {id}")),
        (None, None, None) => (format!("/recipients/{}", from.recipient_id), "The delivery".to_owned()),
    }
}

/// What a change did.
#[must_use]
pub fn change(change: &SuppressionChange) -> Status {
    match change.action {
        SuppressionAction::Added => (Tone::Warning, "Put on the list"),
        SuppressionAction::Removed => (Tone::Success, "Taken off"),
    }
}

/// How a contact stands, in a word or two.
#[must_use]
pub fn standing(standing: &ContactStanding) -> (Tone, String) {
    let why = |more: &str| {
        let reason = standing.entries.first().map_or("Suppressed", |entry| tone::suppression(entry.reason).1);
        format!("{reason}{more}")
    };
    match standing.gets {
        Mailable::Nothing => (Tone::Danger, why("")),
        Mailable::SingleMail => (Tone::Warning, why(": no campaigns")),
        Mailable::All if standing.soft_bounces > 0 => (Tone::Warning, format!("Refused {}", soft_bounces(standing))),
        Mailable::All => (Tone::Success, "Can get mail".to_owned()),
    }
}

/// How often its mailbox refused for now, and how often it may.
#[must_use]
pub fn soft_bounces(standing: &ContactStanding) -> String {
    match (standing.soft_bounces, standing.soft_bounces_max) {
        (n, 0) => format!("{n} in {} days", standing.soft_bounce_days),
        (n, max) => format!("{n} of {max} in {} days", standing.soft_bounce_days),
    }
}

/// What a contact can get, as a sentence.
#[must_use]
pub fn gets(gets: Mailable) -> &'static str {
    match gets {
        Mailable::All => "Every mail",
        Mailable::SingleMail => "Single mail such as receipts, no campaigns",
        Mailable::Nothing => "Nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::{Suppression, SuppressionReason};

    fn entry(reason: SuppressionReason) -> Suppression {
        Suppression {
            id: 1,
            address: None,
            reason,
            covers: SuppressionCovers::All,
            global: false,
            origin: String::new(),
            created_by: None,
            created_at: String::new(),
            expires_at: None,
            ended: false,
            from: None,
        }
    }

    #[test]
    fn how_a_contact_stands() {
        let table = [
            (Mailable::All, vec![], 0, (Tone::Success, "Can get mail")),
            (Mailable::All, vec![], 2, (Tone::Warning, "Refused 2 of 3 in 30 days")),
            (
                Mailable::SingleMail,
                vec![SuppressionReason::Unsubscribe],
                0,
                (Tone::Warning, "Unsubscribed: no campaigns"),
            ),
            (
                Mailable::Nothing,
                vec![SuppressionReason::HardBounce, SuppressionReason::Unsubscribe],
                1,
                (Tone::Danger, "Address does not work"),
            ),
        ];
        for (gets, reasons, soft_bounces, (tone, words)) in table {
            let entries = reasons.into_iter().map(entry).collect();
            let stands = ContactStanding { gets, entries, soft_bounces, soft_bounces_max: 3, soft_bounce_days: 30 };
            assert_eq!(standing(&stands), (tone, words.to_owned()));
        }
        let unlimited = ContactStanding { soft_bounces: 4, soft_bounce_days: 30, ..ContactStanding::default() };
        assert_eq!(soft_bounces(&unlimited), "4 in 30 days");
    }

    #[test]
    fn the_page_of_the_mail() {
        let from = |campaign: Option<&str>, campaign_id, message_id| SuppressionFrom {
            recipient_id: 7,
            campaign_id,
            campaign: campaign.map(str::to_owned),
            message_id,
        };
        for (from, href, name) in [
            (from(None, None, Some(3)), "/messages/3", "The message"),
            (from(Some("Spring"), Some(2), None), "/recipients/7", "Spring"),
            (from(None, Some(2), None), "/recipients/7", "Campaign 2"),
            (from(None, None, None), "/recipients/7", "The delivery"),
        ] {
            assert_eq!(mail(&from), (href.to_owned(), name.to_owned()));
        }
    }

    #[test]
    fn a_day_ends_with_its_last_second() {
        assert_eq!(end_of_day("2027-01-31").as_deref(), Some("2027-01-31T23:59:59Z"));
        assert_eq!(end_of_day(" "), None);
    }
}
