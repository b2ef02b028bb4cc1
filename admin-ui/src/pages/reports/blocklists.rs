//! Blocklists: how each sending domain stands now, and which listings there are and were.

use api_types::{DomainListing, Done, Listing, Page};
use leptos::prelude::*;
use view::query::with;
use view::{report, source};

use super::parts::choices;
use crate::api::use_api;
use crate::load::{Load, load};
use crate::nav::Query;
use crate::parts::*;
use crate::submit::Submit;

const SHOWN: [(&str, &str); 2] = [("", "How domains stand"), ("history", "Listings, past ones too")];

pub fn blocklists(query: Query) -> impl IntoView {
    let show = query.param("show");
    view! {
        <Toolbar><FilterBy query param="show" label="What is listed" options=choices(&SHOWN)/></Toolbar>
        {move || match show.get().as_str() {
            "history" => history(query).into_any(),
            _ => standing(query).into_any(),
        }}
    }
}

fn standing(query: Query) -> impl IntoView {
    let api = use_api();
    let cursor = query.param("cursor");
    let page = load(move || api.get::<Page<DomainListing>>(with("/reports/blocklists", &[("cursor", &cursor.get())])));
    let heads = || {
        vec![
            Head::text("Domain"),
            Head::text("List"),
            Head::text("Result"),
            Head::text("Found"),
            Head::text("What to do"),
            Head::text("Since"),
            Head::text("Looked at"),
        ]
    };
    let row = |row: &DomainListing| {
        let (tone, word) = source::level(row.level);
        let text = |text: &str| if text.is_empty() { none() } else { text.to_owned().into_any() };
        Row::new(vec![
            row.domain.clone().into_any(),
            text(&row.list),
            badge(tone, word),
            view! { <span class="answer">{row.found.clone()}</span> }.into_any(),
            text(&row.advice),
            ago(&row.since),
            ago(&row.checked_at),
        ])
    };
    let empty = || {
        view! { <Empty title="No sending domain was looked at yet" about="Blocklists are asked about every sending domain some minutes after it was added, and then on the schedule of [health]."/> }
            .into_any()
    };
    view! {
        <LookNow page/>
        {list("Domains at blocklists", query, page, &[], heads, row, empty)}
        <p class="muted">"How the sources' addresses stand is on the page "<a href="/egress">"Egress"</a>"."</p>
    }
}

#[component]
fn LookNow(page: Load<Page<DomainListing>>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let submit = Submit::new();
    let look = Callback::new(move |()| {
        submit.run(async move {
            match api.act::<Done>("/reports/blocklists/check".to_owned()).await {
                Ok(done) => {
                    toasts.good(done.message);
                    page.reload();
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    view! { <div class="actions end"><Button busy=submit.busy on_press=look>"Look now"</Button></div> }.into_any()
}

fn history(query: Query) -> impl IntoView {
    let api = use_api();
    let cursor = query.param("cursor");
    let page =
        load(move || api.get::<Page<Listing>>(with("/reports/blocklists/listings", &[("cursor", &cursor.get())])));
    let heads = || {
        vec![
            Head::text("State"),
            Head::text("What"),
            Head::text("Name"),
            Head::text("List"),
            Head::text("Found"),
            Head::text("From"),
            Head::text("To"),
        ]
    };
    let row = |row: &Listing| {
        let (tone, word) = report::listing(row);
        let what = if row.subject == "source" { "Source" } else { "Domain" };
        Row::new(vec![
            badge(tone, word),
            what.into_any(),
            row.name.clone().into_any(),
            row.list.clone().into_any(),
            view! { <span class="answer">{row.found.clone()}</span> }.into_any(),
            moment(&row.since),
            row.gone_at.as_deref().map_or_else(none, moment),
        ])
    };
    let empty = || {
        view! { <Empty title="Nothing was listed" about="When a blocklist lists a sending domain or a source, it stands here, with the time it lasted."/> }
            .into_any()
    };
    list("Listings", query, page, &[], heads, row, empty)
}
