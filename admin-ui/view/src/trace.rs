//! Traces: where their entries lead, and what recipients do, in words.

use api_types::{TraceLink, TraceTarget};

use crate::query::with;
use crate::tone::{Tone, words};

/// Where an entry leads, and what the link says.
#[must_use]
pub fn link(link: &TraceLink) -> (String, String) {
    let id = link.id.unwrap_or_default();
    match link.to {
        TraceTarget::Message if link.name.is_empty() => (format!("/messages/{id}"), format!("message {id}")),
        TraceTarget::Message => (format!("/messages/{id}"), link.name.clone()),
        TraceTarget::Suppressions => (with("/suppressions", &[("q", &link.name)]), "the suppression list".to_owned()),
        TraceTarget::Reply if link.name.is_empty() => (format!("/replies/{id}"), "the answer".to_owned()),
        TraceTarget::Reply => (format!("/replies/{id}"), link.name.clone()),
        TraceTarget::Webhook => (format!("/webhooks/{id}"), link.name.clone()),
    }
}

/// The page about an address.
#[must_use]
pub fn of_address(address: &str) -> String {
    with("/trace", &[("q", address)])
}

/// What recipients do with mail: the API's word, ours, and what it means.
pub const RESPONSES: [(&str, &str, &str); 4] = [
    ("unsubscribed", "Unsubscribed", "wants no marketing mail any more"),
    ("left", "Left a list", "wants no more of the list that the mail belongs to, or of another"),
    ("complained", "Complained", "reported the mail as spam"),
    ("replied", "Answered", "wrote back; automatic answers are not counted"),
];

/// What recipients did, for people. What only reports say of single addresses is told as such.
#[must_use]
pub fn response(word: &str) -> String {
    match (RESPONSES.iter().find(|(known, ..)| *known == word), word) {
        (Some((_, label, _)), _) => (*label).to_owned(),
        (None, "delivered" | "relayed" | "expanded") => format!("Reported as {word}"),
        (None, other) => words(other),
    }
}

/// How bad it is.
#[must_use]
pub fn response_tone(word: &str) -> Tone {
    match word {
        "complained" => Tone::Danger,
        "unsubscribed" | "left" => Tone::Warning,
        "replied" => Tone::Success,
        _ => Tone::Neutral,
    }
}

/// `0.25 %`, with as many digits as such shares need.
#[must_use]
pub fn percent(percent: f64) -> String {
    if percent == 0.0 || percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.2} %") }
}

/// Whether a search ended before it had looked at everything: a page that is not full, and yet has a next one.
#[must_use]
pub fn was_cut(rows: usize, page: usize, has_next: bool) -> bool {
    has_next && rows < page
}

/// What such a page says.
#[must_use]
pub fn cut(rows: usize) -> String {
    let found = if rows == 0 { "Nothing was found".to_owned() } else { format!("Only {rows} were found") };
    format!("{found} among those that this search has looked at, and there are older ones: look at them with Next.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages() {
        let to = |to, id: Option<i64>, name: &str| link(&TraceLink { to, id, name: name.to_owned() });
        for (found, href, text) in [
            (to(TraceTarget::Message, Some(4), "Your order"), "/messages/4", "Your order"),
            (to(TraceTarget::Message, Some(4), ""), "/messages/4", "message 4"),
            (
                to(TraceTarget::Suppressions, None, "a@b.example"),
                "/suppressions?q=a%40b.example",
                "the suppression list",
            ),
            (to(TraceTarget::Reply, Some(2), ""), "/replies/2", "the answer"),
            (to(TraceTarget::Webhook, Some(1), "desk"), "/webhooks/1", "desk"),
        ] {
            assert_eq!(found, (href.to_owned(), text.to_owned()));
        }
        assert_eq!(of_address("a+b@c.example"), "/trace?q=a%2Bb%40c.example");
    }

    #[test]
    fn responses_in_words() {
        let found = ["left", "relayed", "odd_one"].map(response);
        assert_eq!(found, ["Left a list", "Reported as relayed", "Odd one"]);
        assert_eq!([0.0, 0.1, 9.99, 12.4, 100.0].map(percent), ["0 %", "0.10 %", "9.99 %", "12 %", "100 %"]);
    }

    #[test]
    fn a_search_that_was_cut_says_so() {
        assert_eq!([was_cut(50, 50, true), was_cut(3, 50, true), was_cut(3, 50, false)], [false, true, false]);
        assert!(cut(0).starts_with("Nothing was found among") && cut(3).starts_with("Only 3 were found among"));
    }
}
