//! Single messages: what the search field means, and how a message stands.

use api_types::{KeyScope, Message};

use crate::tone::{self, Tone};

/// What was typed into the search field: a whole address, or else a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// The API's `address`.
    pub address: String,
    /// The API's `tag`.
    pub tag: String,
}

/// Reads the search field. An address that is not whole yet finds nothing by tag either, so nothing is refused while
/// somebody types.
#[must_use]
pub fn sought(q: &str) -> Sought {
    let q = q.trim();
    let whole = q.rsplit_once('@').is_some_and(|(local, domain)| {
        let labels_end_well = domain.split('.').all(|label| !label.is_empty());
        !local.is_empty() && domain.contains('.') && labels_end_well
    });
    if whole {
        Sought { address: q.to_owned(), tag: String::new() }
    } else {
        Sought { address: String::new(), tag: q.to_owned() }
    }
}

/// How a message stands: one state's word, or how many recipients are in which.
#[must_use]
pub fn standing(message: &Message) -> (Tone, String) {
    if let [only] = message.states.as_slice() {
        let (tone, word) = tone::recipient(&only.name);
        return (tone, if only.count > 1 { format!("{word} ({})", only.count) } else { word });
    }
    let parts: Vec<String> = message
        .states
        .iter()
        .map(|state| format!("{} {}", state.count, tone::recipient(&state.name).1.to_lowercase()))
        .collect();
    let bad = message.states.iter().any(|state| matches!(state.name.as_str(), "bounced" | "expired"));
    (if bad { Tone::Danger } else { Tone::Active }, parts.join(", "))
}

/// To whom: the first recipient, and how many more.
#[must_use]
pub fn to(message: &Message) -> String {
    match message.recipients {
        0 | 1 => message.first_recipient.clone(),
        n => format!("{} and {} more", message.first_recipient, n - 1),
    }
}

/// What a new API key can be given, from the least to the most, with what each means.
pub const SCOPE_CHOICES: [(&str, &[KeyScope], &str); 6] = [
    ("send", &[KeyScope::Send], "Send messages only"),
    ("read", &[KeyScope::Read], "Look only"),
    ("send,read", &[KeyScope::Send, KeyScope::Read], "Send messages and look"),
    ("inbound", &[KeyScope::Inbound], "Feed mail that came elsewhere, such as returned mail"),
    ("marketing", &[KeyScope::Marketing], "Contacts and campaigns, sending and looking"),
    ("admin", &[KeyScope::Admin], "Everything"),
];

/// The scopes of a choice; the least for a word that is none.
#[must_use]
pub fn scopes(choice: &str) -> Vec<KeyScope> {
    let found = SCOPE_CHOICES.iter().find(|(word, ..)| *word == choice);
    found.map_or(&[KeyScope::Send][..], |(_, scopes, _)| scopes).to_vec()
}

/// The rate of a form's field: none where it is empty; what is no number is zero, which the server refuses in words.
#[must_use]
pub fn rate(text: &str) -> Option<u32> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.parse().unwrap_or(0))
}

/// A key's scopes and rate, as listed.
#[must_use]
pub fn allowed(scopes: &[KeyScope], rate_per_minute: Option<u32>) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    match rate_per_minute {
        Some(rate) => format!("{}, {rate} a minute", words.join(" and ")),
        None => words.join(" and "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::Count;

    #[test]
    fn an_address_is_whole_or_a_tag() {
        for (q, address, tag) in [
            ("", "", ""),
            (" ana@example.com ", "ana@example.com", ""),
            ("ana@example", "", "ana@example"),
            ("ana@example.", "", "ana@example."),
            ("@example.com", "", "@example.com"),
            ("order 17", "", "order 17"),
        ] {
            assert_eq!(sought(q), Sought { address: address.to_owned(), tag: tag.to_owned() }, "{q}");
        }
    }

    #[test]
    fn a_message_stands_as_its_recipients_do() {
        for (states, expected) in [
            (&[("delivered", 1)][..], (Tone::Success, "Accepted")),
            (&[("queued", 3)], (Tone::Neutral, "Waiting (3)")),
            (&[("queued", 1), ("delivered", 2)], (Tone::Active, "1 waiting, 2 accepted")),
            (&[("bounced", 1), ("delivered", 2)], (Tone::Danger, "1 bounced, 2 accepted")),
        ] {
            let states = states.iter().map(|(name, count)| Count { name: (*name).to_owned(), count: *count }).collect();
            let message = Message {
                id: 1,
                header_id: String::new(),
                from: String::new(),
                subject: String::new(),
                first_recipient: "ana@example.com".to_owned(),
                recipients: 3,
                states,
                stream: String::new(),
                tags: Vec::new(),
                origin: String::new(),
                submitter: String::new(),
                size_bytes: 0,
                accepted_at: String::new(),
                send_at: String::new(),
                live: false,
            };
            assert_eq!(standing(&message), (expected.0, expected.1.to_owned()));
            assert_eq!(to(&message), "ana@example.com and 2 more");
        }
    }

    #[test]
    fn every_scope_can_be_chosen() {
        for scope in KeyScope::ALL {
            assert!(SCOPE_CHOICES.iter().any(|(_, scopes, _)| scopes.contains(&scope)), "{scope:?}");
        }
        assert_eq!(scopes("send,read"), [KeyScope::Send, KeyScope::Read]);
        assert_eq!([rate(" "), rate("60"), rate("1.5")], [None, Some(60), Some(0)]);
        assert_eq!(allowed(&scopes("send,read"), Some(60)), "send and read, 60 a minute");
    }
}
