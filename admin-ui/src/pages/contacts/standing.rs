//! Whether a contact can be mailed, and what speaks against it.

use api_types::{Contact, Mailable, Suppression};
use leptos::prelude::*;
use view::suppression;
use view::tone;

use crate::pages::suppressions::mail;
use crate::parts::*;

/// What the contact gets, each entry with the server's words, how often its mailbox refused for now.
pub fn standing(contact: &Contact) -> AnyView {
    let standing = &contact.standing;
    let (tone, word) = suppression::standing(standing);
    let history = view::query::with("/suppressions/history", &[("address", &contact.email)]);
    let list = view::query::with("/suppressions", &[("q", &contact.email)]);
    let entries = standing.entries.iter().map(entry).collect_view();
    let manage = (standing.gets != Mailable::All).then(|| view! { <a href=list>"On the suppression list"</a> });
    view! {
        <dl class="facts">
            <dt>"Status"</dt><dd>{badge(tone, word)}</dd>
            <dt>"Gets"</dt><dd>{suppression::gets(standing.gets)}</dd>
            {entries}
            <dt>"Refused for now"</dt><dd>{suppression::soft_bounces(standing)}</dd>
        </dl>
        <p class="muted facts-line">{manage}<a href=history>"History"</a></p>
    }
    .into_any()
}

fn entry(entry: &Suppression) -> AnyView {
    let (tone, reason) = tone::suppression(entry.reason);
    let whose = if entry.global { ", in every workspace" } else { "" };
    let keeps = format!("keeps away: {}{whose}", suppression::covers(entry.covers).to_lowercase());
    let words = (!entry.origin.is_empty()).then(|| view! { <code class="reply">{entry.origin.clone()}</code> });
    let by = entry.created_by.clone().map(|by| view! { <span>"by "{by}</span> });
    let until = entry.expires_at.as_deref().map(|at| view! { <span>"until "{moment(at)}</span> });
    view! {
        <dt>{badge(tone, reason)}</dt>
        <dd>
            {words}
            <span class="muted facts-line"><span>{keeps}</span><span>"since "{moment(&entry.created_at)}</span>{until}{by}{mail(entry.from.as_ref())}</span>
        </dd>
    }
    .into_any()
}
