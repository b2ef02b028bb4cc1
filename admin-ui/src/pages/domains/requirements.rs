//! What the large mailbox providers demand of bulk senders, and whether the domain meets it.

use api_types::{DomainDetail, ProviderRequirements, Requirement};
use leptos::prelude::*;

use crate::parts::*;

/// A card per provider.
pub fn requirements(detail: &DomainDetail) -> AnyView {
    let cards = detail.requirements.iter().map(provider).collect_view();
    view! { <div class="columns">{cards}</div> }.into_any()
}

fn provider(provider: &ProviderRequirements) -> AnyView {
    let actions = chip(view::domain::summary(&provider.requirements));
    let rows = provider.requirements.iter().map(row).collect_view();
    let (page, name) = (provider.page.clone(), provider.provider.clone());
    let about = format!("The rules of {name}");
    view! {
        <Card title=name actions>
            <ul class="checklist demands">{rows}</ul>
            <p><a href=page target="_blank" rel="noopener noreferrer">{about}</a></p>
        </Card>
    }
    .into_any()
}

fn row(requirement: &Requirement) -> AnyView {
    let (tone, word) = view::domain::met(requirement.met);
    view! {
        <li data-tone=tone.name()>
            {badge(tone, word)}
            <span><strong>{requirement.wants.clone()}</strong>" "<span class="muted">{requirement.why.clone()}</span></span>
        </li>
    }
    .into_any()
}
