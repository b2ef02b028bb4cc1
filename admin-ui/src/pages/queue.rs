//! The queue: what waits, why, and whether every recipient is accounted for.

use api_types::{Count, Ledger, Page, QueueSummary, Recipient};
use leptos::prelude::*;
use view::number::grouped;
use view::query::with;
use view::tone::{self, Tone};

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;

const FILTERS: [&str; 6] = ["q", "state", "reason", "domain", "source", "campaign_id"];
const LIVE: [&str; 4] = ["queued", "claimed", "sending", "held"];

#[component]
pub fn Queue() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let summary = load(move || api.get::<QueueSummary>("/queue".to_owned())).every(5, || true);
    let params = FILTERS.map(|name| query.param(name));
    let cursor = query.param("cursor");
    let page = load(move || {
        let values = params.map(|param| param.get());
        let mut pairs: Vec<(&str, &str)> = FILTERS.iter().copied().zip(values.iter().map(String::as_str)).collect();
        let cursor = cursor.get();
        pairs.push(("cursor", &cursor));
        api.get::<Page<Recipient>>(with("/recipients", &pairs))
    })
    .every(10, || true);
    let states: Vec<_> = std::iter::once((String::new(), "Every state".to_owned()))
        .chain(LIVE.iter().map(|state| ((*state).to_owned(), tone::recipient(state).1)))
        .collect();
    let domain = query.param("domain");
    let domains = Signal::derive(move || {
        let known = summary.data.with(|summary| {
            summary
                .as_ref()
                .map(|summary| summary.domains.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
                .unwrap_or_default()
        });
        let chosen = domain.get();
        let extra = (!chosen.is_empty() && !known.contains(&chosen)).then_some(chosen);
        let first = (String::new(), "Every domain".to_owned());
        std::iter::once(first)
            .chain(known.into_iter().chain(extra).map(|name| (name.clone(), name)))
            .collect::<Vec<_>>()
    });
    let empty = || {
        view! { <Empty title="The queue is empty" about="Every recipient has its final state. A campaign's recipients show up here while they wait and while they are sent."/> }
            .into_any()
    };
    view! {
        <PageHeader title="Queue" about="Every recipient that has no final state yet, and why it waits."/>
        {summary.show(4, move |summary| view! {
            <div class="stats">{move || states_row(&summary.get())}</div>
            {move || ledger(&summary.with(|summary| summary.ledger.clone()))}
            <div class="columns">
                <Card title="By recipient domain">{move || counts(&summary.with(|summary| summary.domains.clone()), "Domain", |name| with("/queue", &[("domain", name)]))}</Card>
                <Card title="By reason">{move || counts(&summary.with(|summary| summary.reasons.clone()), "Waits for", |name| with("/queue", &[("reason", name)]))}</Card>
            </div>
        }.into_any())}
        <h2 class="section">"Recipients"</h2>
        <Toolbar>
            <Search query label="Search addresses"/>
            <FilterBy query param="state" label="State" options=states/>
            <FilterBy query param="domain" label="Domain" options=domains/>
        </Toolbar>
        {list("Recipients in the queue", query, page, &FILTERS, recipient_heads, recipient_row, empty)}
    }
    .into_any()
}

fn states_row(summary: &QueueSummary) -> AnyView {
    let cards = summary.states.iter().map(|state| {
        let (_, label) = tone::recipient(&state.name);
        view! { <StatCard label figure=Signal::stored(grouped(state.count)) href=with("/queue", &[("state", &state.name)])/> }
    });
    let oldest = summary.oldest_at.as_deref().map(|at| view! {
        <div class="card stat"><span class="stat-label">"Oldest"</span><span class="stat-figure">{ago(at)}</span></div>
    });
    view! { {cards.collect_view()}{oldest} }.into_any()
}

fn ledger(ledger: &Ledger) -> AnyView {
    let (tone, word) = if ledger.holds {
        (Tone::Success, "Every recipient is accounted for")
    } else {
        (Tone::Danger, "The sum does not hold")
    };
    let terms = [
        ("accepted", ledger.delivered),
        ("bounced", ledger.bounced),
        ("expired", ledger.expired),
        ("suppressed", ledger.suppressed),
        ("cancelled", ledger.cancelled),
        ("unknown", ledger.unknown),
        ("in the queue", ledger.queued),
    ];
    let sum = terms.map(|(name, count)| format!("{} {name}", grouped(count))).join(" + ");
    let help = (!ledger.holds).then_some(" Run packetboat doctor on the server; it names the recipients.");
    view! {
        <p class="ledger" data-tone=tone.name()>{badge(tone, word)}<span>{format!("{} taken in = {sum}", grouped(ledger.accepted))}{help}</span></p>
    }
    .into_any()
}

fn counts(rows: &[Count], head: &'static str, href: impl Fn(&str) -> String) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing waits."</p> }.into_any();
    }
    let words = head == "Waits for";
    let row = |row: &Count| {
        let label = if words { tone::words(&row.name) } else { row.name.clone() };
        let name = view! { <a href=href(&row.name)>{label}</a> }.into_any();
        Row::new(vec![name, figure(row.count)])
    };
    table(head, vec![Head::text(head), Head::number("Recipients")], rows.iter().map(row).collect())
}
