//! One recipient: its state, and everything that happened to it in the servers' own words, from where it came from to what
//! came back.

use api_types::{Recipient, RecipientDetail};
use leptos::prelude::*;
use view::tone;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_id;
use crate::parts::*;

const LIVE: [&str; 5] = ["queued", "claimed", "sending", "held", "deferred"];

#[component]
pub fn RecipientPage() -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let detail = load(move || api.get::<RecipientDetail>(format!("/recipients/{}", id.get())));
    let live = detail.map(|detail| LIVE.contains(&detail.recipient.state.as_str()));
    let detail = detail.every(5, move || live.get_untracked());
    let title = detail.title(|detail| detail.recipient.address.clone());
    view! {
        <PageHeader title about="One mail to one address, from the queue to its last answer."/>
        {detail.show(8, move |detail| view! {
            <Card title="State">{move || facts(&detail.with(|detail| detail.recipient.clone()))}</Card>
            <Card title="What happened">
                {move || detail.with(|detail| timeline(&detail.timeline))}
                {move || detail.with(|detail| notes(&detail.notes))}
            </Card>
        }.into_any())}
    }
    .into_any()
}

/// What of it is not kept any more.
fn notes(notes: &[String]) -> AnyView {
    let notes = notes.iter().map(|note| view! { <p class="muted">{note.clone()}</p> });
    notes.collect_view().into_any()
}

fn facts(recipient: &Recipient) -> AnyView {
    let (tone, word) = tone::recipient(&recipient.state);
    let contact = recipient.contact_id.map(
        |id| view! { <dt>"Contact"</dt><dd><a href=format!("/contacts/{id}")>{recipient.address.clone()}</a></dd> },
    );
    let message = recipient
        .message_id
        .map(|id| view! { <dt>"Message"</dt><dd><a href=format!("/messages/{id}")>{format!("Message {id}")}</a></dd> });
    let all = view::trace::of_address(&recipient.address);
    let campaign = recipient.campaign_id.map(|id| {
        let name = recipient.campaign.clone().unwrap_or_else(|| format!("Campaign {id}"));
        view! { <dt>"Campaign"</dt><dd><a href=format!("/campaigns/{id}")>{name}</a></dd> }
    });
    let text = |label: &'static str, value: &Option<String>| {
        value.clone().map(|value| view! { <dt>{label}</dt><dd>{value}</dd> })
    };
    let time = |label: &'static str, value: &Option<String>| {
        value.clone().map(|value| view! { <dt>{label}</dt><dd>{moment(&value)}</dd> })
    };
    view! {
        <dl class="facts">
            <dt>"State"</dt><dd>{badge(tone, word)}</dd>
            {text("Waits for", &recipient.wait_reason.as_deref().map(tone::words))}
            {text("Class", &recipient.class.as_deref().map(tone::words))}
            {recipient.reply.clone().map(|reply| view! { <dt>"Last answer"</dt><dd><code class="reply">{reply}</code></dd> })}
            {contact}
            {campaign}
            {message}
            <dt>"Address"</dt><dd><a href=all>"All mail to it"</a></dd>
            {text("Provider", &recipient.provider)}
            {text("Source", &recipient.source)}
            <dt>"Attempts"</dt><dd>{recipient.attempts}</dd>
            <dt>"Taken in"</dt><dd>{moment(&recipient.accepted_at)}</dd>
            {time("Next attempt", &recipient.due_at)}
            {time("Settled", &recipient.finished_at)}
        </dl>
    }
    .into_any()
}
