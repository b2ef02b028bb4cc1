//! One contact: who it is, what happened, why nothing is sent.

use api_types::{Contact, Page, TimelineEntry};
use leptos::prelude::*;

use super::edit::EditContact;
use super::lists::ContactLists;
use super::standing::standing;
use super::streams::ContactStreams;
use crate::api::use_api;
use crate::load::{Load, load};
use crate::nav::{Query, use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn ContactPage() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let query = use_query();
    let id = use_id();
    let cursor = query.param("cursor");
    let contact = load(move || api.get::<Contact>(format!("/contacts/{}", id.get())));
    let events = load(move || {
        let path = format!("/contacts/{}/timeline", id.get());
        api.get::<Page<TimelineEntry>>(view::query::with(&path, &[("cursor", &cursor.get())]))
    });
    let title = contact.title(|contact| contact.email.clone());
    let editing = RwSignal::new(false);
    let deleting = RwSignal::new(false);
    let delete = Submit::new();
    let deleted = Callback::new(move |()| {
        let id = id.get_untracked();
        delete.run(async move {
            api.delete(format!("/contacts/{id}")).await?;
            toasts.good("The contact is deleted");
            nav.to("/contacts");
            Ok(())
        });
    });
    let changed = Callback::new(move |fresh: Contact| {
        contact.data.put(fresh);
        events.reload();
    });
    let close = Callback::new(move |()| editing.set(false));
    view! {
        <PageHeader title ready=contact.there() above=("/contacts".to_owned(), "Contacts")>
            <Button look=Look::Danger on_press=Callback::new(move |()| deleting.set(true))>"Delete"</Button>
            <Button on_press=Callback::new(move |()| editing.set(true))>"Edit"</Button>
        </PageHeader>
        {contact.show(6, move |contact| view! {
            <Card title="Can it be mailed?">{move || contact.with(standing)}</Card>
            <Card title="Who it is">{move || facts(&contact.get())}</Card>
            <ContactLists id changed=Callback::new(move |()| events.reload())/>
            <ContactStreams id changed=Callback::new(move |()| events.reload())/>
            <Card title="What happened">{happened(events, query)}</Card>
        }.into_any())}
        <Dialog open=editing title="Edit the contact">
            {move || contact.data.get_untracked().map(|contact| view! { <EditContact contact changed close/> })}
        </Dialog>
        <ConfirmDialog open=deleting title="Delete this contact?" confirm="Delete" busy=delete.busy failure=delete.rest(&[]) on_confirm=deleted>
            <p>"Its fields and tags are gone. If the address is suppressed it stays so, also when it is imported again; the list then keeps only a hash of it. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}

fn happened(events: Load<Page<TimelineEntry>>, query: Query) -> AnyView {
    let earlier = move |next: String| {
        let go = Callback::new(move |()| query.set(&[("cursor", next.clone())]));
        view! { <div class="actions"><Button on_press=go>"Earlier"</Button></div> }
    };
    events.show(6, move |page| {
        view! {
            {move || page.with(|page| timeline(&page.items))}
            {move || page.with(|page| page.next.clone()).map(earlier)}
        }
        .into_any()
    })
}

fn facts(contact: &Contact) -> AnyView {
    let name = format!("{} {}", contact.first_name, contact.last_name);
    let fields = contact.attributes.iter().map(|(name, value)| {
        view! { <dt>{name.clone()}</dt><dd>{view::contact::as_text(value)}</dd> }
    });
    let tags = match contact.tags.is_empty() {
        true => none(),
        false => view! { <span class="chips">{contact.tags.iter().map(chip).collect_view()}</span> }.into_any(),
    };
    view! {
        <dl class="facts">
            <dt>"Mail"</dt><dd><a href=view::trace::of_address(&contact.email)>"All mail to this address"</a></dd>
            <dt>"Name"</dt><dd>{if name.trim().is_empty() { none() } else { name.into_any() }}</dd>
            <dt>"Tags"</dt><dd>{tags}</dd>
            {fields.collect_view()}
            <dt>"Consent"</dt><dd>{contact.consent_source.clone()}</dd>
            <dt>"Last engaged"</dt><dd>{contact.engaged_at.as_deref().map_or_else(none, moment)}</dd>
            <dt>"Added"</dt><dd>{moment(&contact.created_at)}</dd>
            <dt>"Changed"</dt><dd>{moment(&contact.updated_at)}</dd>
        </dl>
    }
    .into_any()
}
