//! The list of contacts.

use api_types::{Contact, Count, Page, Segment};
use leptos::prelude::*;
use view::number::grouped;
use view::tone::{self, SUPPRESSION_REASONS};

use crate::api::use_api;
use crate::load::{listed, load};
use crate::nav::use_query;
use crate::parts::*;

const FILTERS: [&str; 4] = ["q", "tag", "segment", "status"];

#[component]
pub fn Contacts() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let page = listed::<Contact>(query, &FILTERS, || "/contacts".to_owned());
    let tags = load(move || api.get::<Page<Count>>("/tags".to_owned()));
    let segments = load(move || api.get::<Page<Segment>>("/segments?limit=200".to_owned()));
    let tag_options = tags.map(|page| {
        let rows = page.items.iter().map(|tag| (tag.name.clone(), format!("{} ({})", tag.name, grouped(tag.count))));
        first("Every tag", rows)
    });
    let segment_options = segments.map(|page| {
        first("Every segment", page.items.iter().map(|segment| (segment.id.to_string(), segment.name.clone())))
    });
    let reasons = SUPPRESSION_REASONS.iter().map(|(word, reason)| (*word, tone::suppression(*reason).1));
    let statuses = [("active", "Can get mail"), ("soft_bouncing", "Refuses for now"), ("suppressed", "Suppressed")];
    let statuses = statuses.into_iter().chain(reasons).map(|(word, label)| (word.to_owned(), label.to_owned()));
    let statuses = first("Every status", statuses);
    let heads = || {
        vec![Head::text("Address"), Head::text("Name"), Head::text("Status"), Head::text("Tags"), Head::text("Added")]
    };
    let empty = || {
        view! {
            <Empty title="No contacts yet" about="The people you write to. Import them from a CSV file; every row that cannot be read is reported.">
                <LinkButton href="/contacts/import" look=Look::Primary>"Import contacts"</LinkButton>
                <LinkButton href="/contacts/new">"Add one by hand"</LinkButton>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Contacts" about="The people you write to.">
            <LinkButton href="/contacts/import">"Import"</LinkButton>
            <LinkButton href="/contacts/new" look=Look::Primary>{icon(Icon::Plus)}"Add a contact"</LinkButton>
        </PageHeader>
        <Toolbar>
            <Search query label="Search addresses and names"/>
            <FilterBy query param="tag" label="Tag" options=tag_options/>
            <FilterBy query param="segment" label="Segment" options=segment_options/>
            <FilterBy query param="status" label="Status" options=statuses/>
        </Toolbar>
        {list("Contacts", query, page, &FILTERS, heads, row, empty)}
    }
    .into_any()
}

fn first(all: &str, rows: impl Iterator<Item = Choice>) -> Vec<Choice> {
    std::iter::once((String::new(), all.to_owned())).chain(rows).collect()
}

fn row(contact: &Contact) -> Row {
    let name = format!("{} {}", contact.first_name, contact.last_name);
    let (tone, status) = view::suppression::standing(&contact.standing);
    Row::new(vec![
        view! { <a href=format!("/contacts/{}", contact.id)>{contact.email.clone()}</a> }.into_any(),
        if name.trim().is_empty() { none() } else { name.trim().to_owned().into_any() },
        badge(tone, status),
        view! { <span class="chips">{contact.tags.iter().map(chip).collect_view()}</span> }.into_any(),
        moment(&contact.created_at),
    ])
}
