//! Answers and reply addresses: what rows and forms say.

use api_types::{NewReplyAddress, ReplyAction, ReplyAddress, ReplyDone, ReplyRow};

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
        ReplyDone::Webhook => (Tone::Success, "Told to webhooks"),
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
    match (row.action, &row.forward_to) {
        (ReplyAction::Forward, Some(to)) => format!("forwarded to {to}"),
        _ => "kept for reading".to_owned(),
    }
}

/// The form's two fields; an empty second one keeps answers.
#[must_use]
pub fn new(address: &str, forward_to: &str) -> NewReplyAddress {
    let to = forward_to.trim();
    let action = if to.is_empty() { ReplyAction::Keep } else { ReplyAction::Forward };
    NewReplyAddress { address: address.trim().to_owned(), action, forward_to: (!to.is_empty()).then(|| to.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form() {
        for (forward_to, action, to) in
            [("  ", ReplyAction::Keep, None), (" team@example.com ", ReplyAction::Forward, Some("team@example.com"))]
        {
            let made = new(" hello@bounce.example.com ", forward_to);
            assert_eq!((made.address.as_str(), made.action), ("hello@bounce.example.com", action));
            assert_eq!(made.forward_to.as_deref(), to);
        }
    }

    #[test]
    fn rows() {
        let mut row = ReplyAddress {
            id: 1,
            address: "hello@bounce.example.com".to_owned(),
            action: ReplyAction::Keep,
            forward_to: None,
            created_by: String::new(),
            created_at: String::new(),
        };
        assert_eq!(what(&row), "kept for reading");
        (row.action, row.forward_to) = (ReplyAction::Forward, Some("team@example.com".to_owned()));
        assert_eq!(what(&row), "forwarded to team@example.com");
        for (word, each) in DONE {
            assert_eq!(serde_json::to_value(each).unwrap(), word);
            assert!(!done(each).1.is_empty());
        }
    }
}
