//! The queue: what waits, why, and whether every recipient is accounted for; and what can be done about it.

mod bulk;
mod figures;
mod pauses;
mod test;

use std::collections::BTreeSet;

use api_types::{BOUNCE_CLASSES, Egress, Page, Pause, QueueSummary, Recipient};
use leptos::prelude::*;
use view::query::with;
use view::tone;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use bulk::{BulkBar, choice, use_jobs};
use pauses::PauseDialog;
pub use pauses::Resume;
use test::TestDialog;

const FILTERS: [&str; 11] = [
    "q",
    "state",
    "reason",
    "domain",
    "provider",
    "source",
    "campaign_id",
    "stream",
    "min_age_seconds",
    "class",
    "submitted",
];
const LIVE: [&str; 4] = ["queued", "claimed", "sending", "held"];
const AGES: [(&str, &str); 5] = [
    ("", "Any age"),
    ("600", "10 min and older"),
    ("3600", "1 h and older"),
    ("21600", "6 h and older"),
    ("86400", "1 day and older"),
];

#[component]
pub fn Queue() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let of_domain = query.param("domain");
    let summary = load(move || {
        let domain = of_domain.get();
        api.get::<QueueSummary>(with("/queue", &[("domain", &domain)]))
    })
    .every(5, || true);
    let paused = load(move || api.get::<Vec<Pause>>("/pauses".to_owned())).every(10, || true);
    let egress = load(move || api.get::<Egress>("/egress".to_owned()));
    let jobs = use_jobs();
    let params = FILTERS.map(|name| query.param(name));
    let pairs = Signal::derive(move || {
        FILTERS.iter().copied().zip(params.map(|param| param.get())).collect::<Vec<(&'static str, String)>>()
    });
    let filter = Signal::derive(move || {
        pairs.with(|pairs| {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            view::queue::filter(&pairs)
        })
    });
    let cursor = query.param("cursor");
    let page = load(move || {
        let pairs = pairs.get();
        let cursor = cursor.get();
        let mut pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pairs.push(("cursor", &cursor));
        api.get::<Page<Recipient>>(with("/recipients", &pairs))
    })
    .every(10, || true);
    let chosen = RwSignal::new(BTreeSet::<i64>::new());
    // Who was chosen among other rows is not meant any more.
    Effect::new(move |_| {
        pairs.track();
        chosen.set(BTreeSet::new());
    });
    let changed = Callback::new(move |()| {
        jobs.reload();
        page.reload();
        summary.reload();
        paused.reload();
    });
    // A job that has ended has changed what is shown.
    let running = jobs.map(|page| page.items.iter().filter(|job| job.finished_at.is_none()).count());
    Effect::new(move |before: Option<usize>| {
        let now = running.get();
        if before.is_some_and(|before| now < before) {
            page.reload();
            summary.reload();
        }
        now
    });
    let (pausing, testing) = (RwSignal::new(false), RwSignal::new(false));
    let pools = Signal::derive(move || {
        egress.data.with(|egress| {
            let Some(egress) = egress else { return Vec::new() };
            let pools = egress.pools.iter().map(|pool| pool.name.clone());
            pools.chain(egress.sources.iter().map(|source| format!("source:{}", source.name))).collect()
        })
    });
    let sources = Signal::derive(move || {
        egress.data.with(|egress| {
            let sources = egress.iter().flat_map(|egress| egress.sources.iter());
            sources.filter(|source| source.enabled).map(|source| source.name.clone()).collect::<Vec<_>>()
        })
    });
    let states: Vec<_> = std::iter::once((String::new(), "Every state".to_owned()))
        .chain(LIVE.iter().map(|state| ((*state).to_owned(), tone::recipient(state).1)))
        .collect();
    let ages: Vec<_> = AGES.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect();
    let known = move |param: usize, first: &'static str, names: fn(&QueueSummary) -> Vec<String>| {
        let chosen = params[param];
        Signal::derive(move || {
            let mut names = summary.data.with(|summary| summary.as_ref().map(names).unwrap_or_default());
            let chosen = chosen.get();
            if !chosen.is_empty() && !names.contains(&chosen) {
                names.push(chosen);
            }
            names.retain(|name| !name.is_empty());
            let options = names.into_iter().map(|name| (name.clone(), name));
            std::iter::once((String::new(), first.to_owned())).chain(options).collect::<Vec<_>>()
        })
    };
    let reasons = known(2, "Every reason", |summary| summary.reasons.iter().map(|row| row.name.clone()).collect());
    let domains = known(3, "Every domain", |summary| summary.domains.iter().map(|row| row.name.clone()).collect());
    let providers =
        known(4, "Every provider", |summary| summary.providers.iter().map(|row| row.name.clone()).collect());
    let from_sources = known(5, "Every source", |summary| summary.sources.iter().map(|row| row.name.clone()).collect());
    let classes: Vec<Choice> = std::iter::once((String::new(), "Every class".to_owned()))
        .chain(BOUNCE_CLASSES.iter().map(|class| ((*class).to_owned(), tone::words(class))))
        .collect();
    let submitted: Vec<Choice> = vec![
        (String::new(), "Campaigns and single mail".to_owned()),
        ("true".to_owned(), "Submitted mail only".to_owned()),
    ];
    let campaign = params[6];
    let campaigns = Signal::derive(move || {
        let chosen = campaign.get();
        let mut rows: Vec<Choice> = summary.data.with(|summary| {
            let rows = summary.iter().flat_map(|summary| &summary.campaigns);
            rows.map(|row| (row.id.to_string(), row.name.clone())).collect()
        });
        if !chosen.is_empty() && !rows.iter().any(|(id, _)| *id == chosen) {
            rows.push((chosen.clone(), format!("Campaign {chosen}")));
        }
        std::iter::once((String::new(), "Every campaign".to_owned())).chain(rows).collect::<Vec<_>>()
    });
    let heads = || {
        let mut heads = vec![Head::text("")];
        heads.extend(recipient_heads());
        heads
    };
    let row = move |recipient: &Recipient| {
        recipient_row(recipient).with_first(choice(chosen, recipient.id, &recipient.address))
    };
    let empty = || {
        view! { <Empty title="The queue is empty" about="Every recipient has its final state. A campaign's recipients show up here while they wait and while they are sent."/> }
            .into_any()
    };
    let domain = params[3];
    view! {
        <PageHeader title="Queue" about="Every recipient that has no final state yet, and why it waits.">
            <Button on_press=Callback::new(move |()| testing.set(true))>"Test delivery…"</Button>
            <Button look=Look::Danger on_press=Callback::new(move |()| pausing.set(true))>"Pause…"</Button>
        </PageHeader>
        {summary.show(4, move |summary| view! {
            <div class="stats">{move || figures::states(&summary.get())}</div>
            {move || figures::ledger(&summary.with(|summary| summary.ledger.clone()))}
            {move || figures::stalled(&summary.with(|summary| summary.stalled.clone()))}
            <div class="columns">
                <Card title="By provider">{move || summary.with(|summary| figures::groups(&summary.providers, "Provider", "provider"))}</Card>
                <Card title="By recipient domain">{move || summary.with(|summary| figures::groups(&summary.domains, "Domain", "domain"))}</Card>
            </div>
            <div class="columns">
                <Card title="By reason">{move || summary.with(|summary| figures::counts(&summary.reasons, "Waits for", "reason"))}</Card>
                <Card title="By source of the last attempt">{move || summary.with(|summary| figures::counts(&summary.sources, "Source", "source"))}</Card>
            </div>
            <Card title="By campaign">{move || summary.with(figures::campaigns)}</Card>
            <Card title="By age">{move || summary.with(|summary| figures::ages(summary, &domain.get()))}</Card>
        }.into_any())}
        <Card title="Paused">{paused.show(1, move |rows| view! { {move || pauses::pauses(&rows.get(), changed)} }.into_any())}</Card>
        <Card title="Done by hand">{jobs.show(1, move |page| view! { {move || bulk::jobs(&page.with(|page| page.items.clone()), changed)} }.into_any())}</Card>
        <h2 class="section">"Recipients"</h2>
        <Toolbar>
            <Search query label="Search addresses"/>
            <FilterBy query param="state" label="State" options=states/>
            <FilterBy query param="reason" label="Reason" options=reasons/>
            <FilterBy query param="provider" label="Provider" options=providers/>
            <FilterBy query param="domain" label="Domain" options=domains/>
            <FilterBy query param="source" label="Source of the last attempt" options=from_sources/>
            <FilterBy query param="campaign_id" label="Campaign" options=campaigns/>
            <FilterBy query param="submitted" label="Kind of mail" options=submitted/>
            <FilterBy query param="class" label="Class of the last answer" options=classes/>
            <FilterBy query param="min_age_seconds" label="Age" options=ages/>
        </Toolbar>
        <BulkBar chosen filter query=pairs pools changed/>
        {list("Recipients in the queue", query, page, &FILTERS, heads, row, empty)}
        <PauseDialog open=pausing changed/>
        <TestDialog open=testing sources/>
    }
    .into_any()
}
