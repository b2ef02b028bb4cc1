//! Answers and reply addresses: what rows and forms say.

use api_types::{NewReplyAddress, ReplyAction, ReplyAddress, ReplyAddressChange, ReplyDone, ReplyRow, Webhook};

use crate::tone::{Status, Tone};

/// What can be done with an answer, as the API's filters spell it, with its word for people.
pub const DONE: [(&str, ReplyDone); 4] = [
    ("kept", ReplyDone::Kept),
    ("forwarded", ReplyDone::Forwarded),
    ("webhook", ReplyDone::Webhook),
    ("stopped", ReplyDone::Stopped),
];

/// What was done with an answer.
#[must_use]
pub fn done(done: ReplyDone) -> Status {
    match done {
        ReplyDone::Kept => (Tone::Neutral, "Kept"),
        ReplyDone::Forwarded => (Tone::Success, "Forwarded"),
        ReplyDone::Webhook => (Tone::Success, "Told to a webhook"),
        ReplyDone::Stopped => (Tone::Warning, "Stopped"),
    }
}

/// The subject, or that there is none.
#[must_use]
pub fn subject(row: &ReplyRow) -> String {
    if row.subject.trim().is_empty() { "(no subject)".to_owned() } else { row.subject.clone() }
}

/// What happens with what comes to an address.
#[must_use]
pub fn what(row: &ReplyAddress) -> String {
    match (&row.forward_to, row.webhook_id) {
        (Some(to), _) => format!("forwarded to {to}"),
        (None, Some(id)) => format!("told to webhook {id}"),
        (None, None) => "kept for reading".to_owned(),
    }
}

/// The choices of a form: keep, forward, and each webhook.
#[must_use]
pub fn choices(webhooks: &[Webhook]) -> Vec<(String, String)> {
    let fixed = [("keep", "Keep for reading"), ("forward", "Forward to an address")];
    let fixed = fixed.into_iter().map(|(word, label)| (word.to_owned(), label.to_owned()));
    fixed.chain(webhooks.iter().map(|hook| (hook.id.to_string(), format!("Tell the webhook {}", hook.name)))).collect()
}

/// The choice that an address stands for.
#[must_use]
pub fn choice(row: &ReplyAddress) -> String {
    match row.action {
        ReplyAction::Keep => "keep".to_owned(),
        ReplyAction::Forward => "forward".to_owned(),
        ReplyAction::Webhook => row.webhook_id.unwrap_or_default().to_string(),
    }
}

/// What is sent for a choice and the field beside it.
#[must_use]
pub fn change(choice: &str, forward_to: &str) -> ReplyAddressChange {
    match choice {
        "forward" => ReplyAddressChange {
            action: ReplyAction::Forward,
            forward_to: Some(forward_to.trim().to_owned()),
            webhook_id: None,
        },
        _ => match choice.parse() {
            Ok(id) => ReplyAddressChange { action: ReplyAction::Webhook, forward_to: None, webhook_id: Some(id) },
            Err(_) => ReplyAddressChange { action: ReplyAction::Keep, forward_to: None, webhook_id: None },
        },
    }
}

/// A new address with its choice.
#[must_use]
pub fn new(address: &str, change: ReplyAddressChange) -> NewReplyAddress {
    let ReplyAddressChange { action, forward_to, webhook_id } = change;
    NewReplyAddress { address: address.trim().to_owned(), action, forward_to, webhook_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form() {
        for (choice, action, to, webhook) in [
            ("keep", ReplyAction::Keep, None, None),
            ("forward", ReplyAction::Forward, Some("team@example.com"), None),
            ("17", ReplyAction::Webhook, None, Some(17)),
        ] {
            let made = new(" hello@bounce.example.com ", change(choice, " team@example.com "));
            assert_eq!((made.address.as_str(), made.action), ("hello@bounce.example.com", action));
            assert_eq!((made.forward_to.as_deref(), made.webhook_id), (to, webhook), "{choice}");
        }
        let labels: Vec<String> = choices(&[]).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["Keep for reading", "Forward to an address"]);
    }

    #[test]
    fn rows() {
        let mut row = ReplyAddress {
            id: 1,
            address: "hello@bounce.example.com".to_owned(),
            action: ReplyAction::Keep,
            forward_to: None,
            webhook_id: None,
            created_by: String::new(),
            created_at: String::new(),
        };
        assert_eq!(what(&row), "kept for reading");
        (row.action, row.forward_to) = (ReplyAction::Forward, Some("team@example.com".to_owned()));
        assert_eq!((what(&row), choice(&row)), ("forwarded to team@example.com".to_owned(), "forward".to_owned()));
        (row.action, row.forward_to, row.webhook_id) = (ReplyAction::Webhook, None, Some(17));
        assert_eq!((what(&row), choice(&row)), ("told to webhook 17".to_owned(), "17".to_owned()));
        for (word, each) in DONE {
            assert_eq!(serde_json::to_value(each).unwrap(), word);
            assert!(!done(each).1.is_empty());
        }
    }
}
