//! One sending domain: its health, and under tabs its records, keys, the providers' demands, and what happened.

use api_types::{DomainDetail, DomainEvent};
use leptos::prelude::*;

use super::keys::Keys;
use super::records::records;
use super::requirements::requirements;
use crate::api::use_api;
use crate::load::load;
use crate::nav::{use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

const TABS: &[Tab] =
    &[("", "Records"), ("keys", "Signing keys"), ("demands", "Providers' demands"), ("events", "Events")];

#[component]
pub fn DomainPage() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = use_id();
    let tab = use_query().param("tab");
    let detail = load(move || api.get::<DomainDetail>(format!("/domains/{}", id.get()))).every(60, || true);
    let title = detail.title(|detail| detail.domain.domain.clone());
    let fresh = Callback::new(move |found: DomainDetail| {
        detail.data.put(found);
    });
    let verify = Submit::new();
    let check = Callback::new(move |()| {
        let id = id.get_untracked();
        verify.run(async move {
            match api.act::<DomainDetail>(format!("/domains/{id}/verify")).await {
                Ok(found) => {
                    toasts.good(format!("{} of {} records found", found.domain.records_ok, found.domain.records_total));
                    fresh.run(found);
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    let removing = RwSignal::new(false);
    let remove = Submit::new();
    let removed = Callback::new(move |()| {
        let id = id.get_untracked();
        remove.run(async move {
            api.delete(format!("/domains/{id}")).await?;
            toasts.good("The domain is removed");
            nav.to("/domains");
            Ok(())
        });
    });
    view! {
        <PageHeader title ready=detail.there() above=("/domains".to_owned(), "Domains") about="Publish these records where the domain's DNS is kept, then check.">
            <Button look=Look::Danger on_press=Callback::new(move |()| removing.set(true))>"Remove"</Button>
            <Button look=Look::Primary busy=verify.busy on_press=check>"Check the records now"</Button>
        </PageHeader>
        {detail.show(8, move |detail| view! {
            {move || detail.with(standing)}
            <Tabs label="Parts of the domain" tabs=TABS chosen=tab/>
            {move || match tab.get().as_str() {
                "keys" => view! { <Keys detail fresh/> }.into_any(),
                "demands" => (move || detail.with(requirements)).into_any(),
                "events" => (move || detail.with(|detail| events(&detail.events))).into_any(),
                _ => (move || detail.with(records)).into_any(),
            }}
        }.into_any())}
        <ConfirmDialog open=removing title="Remove this domain?" confirm="Remove" type_name=title busy=remove.busy failure=remove.rest(&[]) on_confirm=removed>
            <p>"Its signing keys are destroyed. Campaigns cannot send from it any more, and mail already signed can no longer be verified once the records are gone. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// Health, its reason, and when was and will be looked.
fn standing(detail: &DomainDetail) -> AnyView {
    let domain = &detail.domain;
    let (tone, word) = view::domain::health(domain.health);
    let checked = match domain.checked_at.as_deref() {
        Some(at) => view! { "Last checked "{ago(at)}", next "{ago(&domain.next_check_at)}"." }.into_any(),
        None => "Not checked yet.".into_any(),
    };
    view! {
        <div class="notice" data-tone=tone.name()>
            {badge(tone, word)}
            <span>{domain.health_reason.clone()}</span>
            <span class="muted" role="status">{checked}</span>
        </div>
    }
    .into_any()
}

fn events(events: &[DomainEvent]) -> AnyView {
    let row = |event: &DomainEvent| {
        let actor = event.actor.clone().map(|actor| view! { <span>{format!("by {actor}")}</span> });
        view! {
            <li data-tone=view::domain::event(event.kind).name()>
                <span class="dot" aria-hidden="true"></span>
                <div>
                    <p class="timeline-head"><strong>{event.text.clone()}</strong></p>
                    <p class="muted facts-line">{moment(&event.at)}{actor}</p>
                </div>
            </li>
        }
    };
    let body = match events {
        [] => view! { <p class="muted">"Nothing has happened yet."</p> }.into_any(),
        events => view! { <ol class="timeline">{events.iter().map(row).collect_view()}</ol> }.into_any(),
    };
    view! { <Card title="Events">{body}</Card> }.into_any()
}
