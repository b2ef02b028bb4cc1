//! Who was put on the lists and taken off them, when, why and by whom: of one address, or of all.

use api_types::SuppressionChange;
use leptos::prelude::*;
use view::suppression;
use view::tone::{self, Tone};

use super::mail;
use crate::load::listed;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

const FILTERS: [&str; 2] = ["address", "entry"];

#[component]
pub fn SuppressionHistory() -> impl IntoView {
    let query = use_query();
    let page = listed::<SuppressionChange>(query, &FILTERS, || "/suppressions/history".to_owned());
    let heads = || {
        vec![
            Head::text("When"),
            Head::text("Address"),
            Head::text("What"),
            Head::text("Reason"),
            Head::text("Keeps away"),
            Head::text("Why, and by whom"),
        ]
    };
    let empty = || {
        view! { <Empty title="Nothing has changed yet" about="Whoever is put on a suppression list or taken off it stands here, with who did it and why."/> }
            .into_any()
    };
    view! {
        <PageHeader title="History of suppressions" about="Who was put on the lists and taken off them. Addresses are kept as hashes; they are shown where an entry or a contact still has them." above=("/suppressions".to_owned(), "Suppressions")/>
        <AddressForm/>
        {list("Changes", query, page, &FILTERS, heads, change_row, empty)}
    }
    .into_any()
}

/// A whole address is asked for, since only its hash finds it.
#[component]
fn AddressForm() -> impl IntoView {
    let query = use_query();
    let asked = query.param("address");
    let address = RwSignal::new(asked.get_untracked());
    Effect::new(move |_| address.set(asked.get()));
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        query.set(&[("address", address.get_untracked().trim().to_owned()), ("entry", String::new())]);
    };
    view! {
        <form class="toolbar" role="search" on:submit=send>
            <label class="search">
                {icon(Icon::Search)}
                <span class="hidden">"Whole address"</span>
                <input type="search" class="input" data-search="" placeholder="A whole address" autocomplete="off"
                    spellcheck="false" prop:value=address on:input:target=move |event| address.set(event.target().value())/>
            </label>
            <Button submit=true busy=submit.busy>"Show its history"</Button>
        </form>
    }
    .into_any()
}

fn change_row(row: &SuppressionChange) -> Row {
    let (tone, word) = suppression::change(row);
    let (_, reason) = tone::suppression(row.reason);
    let whose = row.global.then(|| badge(Tone::Neutral, "Every workspace"));
    let until = row.expires_at.as_deref().map(|at| view! { <span class="muted">"until "{moment(at)}</span> });
    let words = (!row.words.is_empty()).then(|| view! { <code>{row.words.clone()}</code> });
    let by = row.by.clone().map(|by| view! { <span class="muted">"by "{by}</span> });
    Row::new(vec![
        moment(&row.at),
        row.address.clone().unwrap_or_else(|| row.masked.clone()).into_any(),
        badge(tone, word),
        view! { <span class="words">{reason}</span> }.into_any(),
        view! { <span class="chips">{suppression::covers(row.covers)}{whose}{until}</span> }.into_any(),
        view! { <span class="answer">{words}<span class="facts-line">{by}{mail(row.from.as_ref())}</span></span> }
            .into_any(),
    ])
}
