//! The recipient log of a campaign: every recipient with its state and the server's own words.

use api_types::{Campaign, Egress, Recipient};
use leptos::prelude::*;
use view::tone::{self, RECIPIENT_STATES};
use view::trace::RESPONSES;

use crate::api::use_api;
use crate::load::listed;
use crate::load::load;
use crate::nav::{use_id, use_query};
use crate::parts::*;

const FILTERS: [&str; 6] = ["q", "state", "provider", "source", "class", "response"];

#[component]
pub fn CampaignRecipients() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let id = use_id();
    let campaign = load(move || api.get::<Campaign>(format!("/campaigns/{}", id.get())));
    let page = listed::<Recipient>(query, &FILTERS, move || format!("/campaigns/{}/recipients", id.get()));
    let title = campaign.title(|campaign| format!("Recipients of {}", campaign.name));
    let states = std::iter::once("deferred").chain(RECIPIENT_STATES);
    let states: Vec<Choice> = std::iter::once((String::new(), "Every state".to_owned()))
        .chain(states.map(|state| (state.to_owned(), tone::recipient(state).1)))
        .collect();
    let providers = known(campaign, "Every provider", query.param("provider"), |campaign| {
        let rows = campaign.progress.iter().flat_map(|progress| &progress.providers);
        rows.map(|row| (row.provider.clone(), row.provider.clone())).collect()
    });
    let classes = known(campaign, "Every class", query.param("class"), |campaign| {
        let rows = campaign.progress.iter().flat_map(|progress| &progress.providers).flat_map(|row| &row.bounced);
        let mut names: Vec<String> = rows.map(|class| class.name.clone()).collect();
        names.sort();
        names.dedup();
        names.into_iter().map(|name| (name.clone(), tone::words(&name))).collect()
    });
    let egress = load(move || api.get::<Egress>("/egress".to_owned()));
    let sources = chosen_among(
        egress.map(|egress| egress.sources.iter().map(|source| source.name.clone()).collect()),
        "Every source",
        query.param("source"),
    );
    let responses: Vec<Choice> = std::iter::once((String::new(), "Whatever they did".to_owned()))
        .chain(RESPONSES.iter().map(|(word, label, _)| ((*word).to_owned(), (*label).to_owned())))
        .collect();
    let empty = || {
        view! { <Empty title="No recipient yet" about="They appear here as soon as the campaign is launched."/> }
            .into_any()
    };
    view! {
        <PageHeader title above=(format!("/campaigns/{}", id.get_untracked()), "The campaign") about="Every recipient, with the last answer in the server's own words."/>
        <Toolbar>
            <Search query label="Search addresses"/>
            <FilterBy query param="state" label="State" options=states/>
            <FilterBy query param="provider" label="Provider" options=providers/>
            <FilterBy query param="source" label="Source" options=sources/>
            <FilterBy query param="class" label="Class" options=classes/>
            <FilterBy query param="response" label="What they did" options=responses/>
        </Toolbar>
        {list("Recipients", query, page, &FILTERS, recipient_heads, recipient_row, empty)}
    }
    .into_any()
}

/// The values that a campaign has, and the one that is chosen even if it has it no more.
fn known(
    campaign: crate::load::Load<Campaign>,
    all: &'static str,
    chosen: Memo<String>,
    values: fn(&Campaign) -> Vec<Choice>,
) -> Signal<Vec<Choice>> {
    let rows = campaign.map(values);
    Signal::derive(move || {
        let (rows, chosen) = (rows.get(), chosen.get());
        let kept = (!chosen.is_empty() && !rows.iter().any(|(value, _)| *value == chosen))
            .then(|| (chosen.clone(), tone::words(&chosen)));
        std::iter::once((String::new(), all.to_owned())).chain(kept).chain(rows).collect()
    })
}
