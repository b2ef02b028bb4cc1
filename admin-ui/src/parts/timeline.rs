//! What happened, newest first, in the server's own words with our class beside them.

use api_types::TimelineEntry;
use leptos::prelude::*;
use view::tone;

use super::{chip, moment};

/// A timeline.
pub fn timeline(entries: &[TimelineEntry]) -> AnyView {
    if entries.is_empty() {
        return view! { <p class="muted">"Nothing has happened yet."</p> }.into_any();
    }
    let entries = entries.iter().map(entry).collect_view();
    view! { <ol class="timeline">{entries}</ol> }.into_any()
}

fn entry(entry: &TimelineEntry) -> AnyView {
    let facts = [
        entry.provider.clone().map(|provider| format!("at {provider}")),
        entry.source.clone().map(|source| format!("from {source}")),
        entry.mx.clone().map(|mx| format!("host {mx}")),
        entry.attempt.map(|attempt| format!("attempt {attempt}")),
        entry.took_ms.map(|took| format!("{took} ms")),
        entry.tls.clone(),
    ];
    let facts = facts.into_iter().flatten().map(|fact| view! { <span>{fact}</span> }).collect_view();
    let campaign = entry.campaign_id.map(|id| {
        let name = entry.campaign.clone().unwrap_or_else(|| format!("Campaign {id}"));
        view! { <a href=format!("/campaigns/{id}")>{name}</a> }
    });
    let recipient = entry.recipient_id.map(|id| view! { <a href=format!("/recipients/{id}")>"delivery"</a> });
    let leads = entry.leads_to.as_ref().map(view::trace::link);
    let leads = leads.map(|(href, text)| view! { <a href=href>{text}</a> });
    let talk = entry.conversation.clone().map(|talk| {
        view! { <details><summary>"Conversation"</summary><code class="reply">{talk}</code></details> }
    });
    view! {
        <li data-tone=tone::event(&entry.kind).name()>
            <span class="dot" aria-hidden="true"></span>
            <div>
                <p class="timeline-head"><strong>{entry.summary.clone()}</strong>{entry.class.as_deref().map(|class| chip(tone::words(class)))}</p>
                {entry.reply.clone().map(|reply| view! { <code class="reply">{reply}</code> })}
                <p class="muted facts-line">{moment(&entry.at)}{campaign}{recipient}{leads}{facts}</p>
                {talk}
            </div>
        </li>
    }
    .into_any()
}
