//! Recipients as rows of a log.

use api_types::Recipient;
use leptos::prelude::*;
use view::tone;

use super::{Head, Row, badge, moment, none};

/// The columns of a recipient log.
pub fn recipient_heads() -> Vec<Head> {
    vec![
        Head::text("Recipient"),
        Head::text("State"),
        Head::text("Provider"),
        Head::number("Attempts"),
        Head::text("Last answer"),
        Head::text("When"),
    ]
}

/// One recipient, by its address.
pub fn recipient_row(recipient: &Recipient) -> Row {
    named_recipient_row(recipient, recipient.address.clone())
}

/// One recipient under another name.
pub fn named_recipient_row(recipient: &Recipient, name: String) -> Row {
    let (tone, word) = tone::recipient(&recipient.state);
    let href = format!("/recipients/{}", recipient.id);
    let answer = match (&recipient.reply, &recipient.class, &recipient.wait_reason) {
        (None, None, None) => none(),
        (reply, class, reason) => {
            let class = class.as_deref().or(reason.as_deref()).map(tone::words).unwrap_or_default();
            let reply = reply.clone();
            view! { <span class="answer"><span>{class}</span>{reply.map(|reply| view! { <code>{reply}</code> })}</span> }.into_any()
        }
    };
    let when = recipient.finished_at.as_ref().or(recipient.due_at.as_ref()).unwrap_or(&recipient.accepted_at);
    Row::new(vec![
        view! { <a href=href>{name}</a> }.into_any(),
        badge(tone, word),
        recipient.provider.clone().map_or_else(none, IntoAny::into_any),
        recipient.attempts.to_string().into_any(),
        answer,
        moment(when),
    ])
}
