//! One journey: its steps, its figures, who is under way.

use api_types::{Journey, JourneyFigures, JourneyState};
use leptos::prelude::*;
use view::journey;
use view::number::grouped;
use view::query::with;

use super::actions::Actions;
use super::editor::Editor;
use super::runs::Runs;
use crate::api::use_api;
use crate::load::{Shown, load};
use crate::nav::{use_id, use_query};
use crate::parts::*;

const TABS: &[Tab] = &[("", "Steps"), ("figures", "Figures"), ("contacts", "Contacts")];

#[component]
pub fn JourneyPage() -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let tab = use_query().param("tab");
    let found = load(move || api.get::<Journey>(format!("/journeys/{}", id.get())));
    let state = Memo::new(move |_| found.data.with(|found| found.as_ref().map(|found| found.summary.state)));
    let found = found.every(10, move || state.get_untracked() == Some(JourneyState::Live));
    let title = found.title(|found| found.summary.name.clone());
    let changed = Callback::new(move |()| found.reload());
    view! {
        <PageHeader title ready=found.there() above=("/journeys".to_owned(), "Journeys")>
            <Actions state=state.into() name=title.into() changed/>
        </PageHeader>
        {found.show(8, move |found| view! {
            <p class="state-line">
                {move || state.get().map(|state| { let (tone, word) = journey::state(state); badge(tone, word) })}
                <span class="muted">{move || found.with(standing)}</span>
            </p>
            <Tabs label="Parts of the journey" tabs=TABS chosen=tab/>
            {move || match tab.get().as_str() {
                "figures" => figures(found),
                "contacts" => view! { <Runs found/> }.into_any(),
                _ => view! { <Editor found changed/> }.into_any(),
            }}
        }.into_any())}
    }
    .into_any()
}

/// Who brought it where it is, and how many are in it.
fn standing(found: &Journey) -> String {
    let summary = &found.summary;
    if summary.version == 0 {
        return "Nobody enters before it is published.".to_owned();
    }
    format!(
        "Version {}, {}. {} under way, {} entered.",
        summary.version,
        summary.state_reason,
        grouped(summary.waiting),
        grouped(summary.entered)
    )
}

/// Figures by step, and how those ended who are through.
fn figures(found: Shown<Journey>) -> AnyView {
    let ends = move || {
        found.with(|found| {
            let id = found.summary.id;
            let line = |(reason, n): (&String, &u64)| {
                let (tone, word) = journey::end_reason(reason);
                let href = with(&format!("/journeys/{id}"), &[("tab", "contacts"), ("reason", reason.as_str())]);
                view! { <li>{badge(tone, word)}" "<a href=href>{grouped(*n)}</a></li> }
            };
            found.summary.ended.iter().map(line).collect_view()
        })
    };
    let body = move || {
        found.with(|found| {
            if found.figures.is_empty() {
                let about = "They begin when the journey is published and the first contact enters.";
                return view! { <Empty title="No figures yet" about/> }.into_any();
            }
            let heads = vec![
                Head::text("Step"),
                Head::number("Version"),
                Head::number("Waiting now"),
                Head::number("Sent"),
                Head::number("Delivered"),
                Head::number("Bounced"),
                Head::number("Suppressed"),
                Head::number("Unsubscribed"),
                Head::number("Complained"),
            ];
            let rows = journey::in_order(found).iter().map(|step| row(found, step)).collect();
            table("Figures by step", heads, rows)
        })
    };
    view! {
        <Card title="By step">{body}</Card>
        {move || found.with(|found| !found.summary.ended.is_empty()).then(|| view! {
            <Card title="How they ended"><ul class="plain-list">{ends}</ul></Card>
        })}
    }
    .into_any()
}

fn row(found: &Journey, step: &JourneyFigures) -> Row {
    let id = found.summary.id;
    let waiting = waiting_link(id, step);
    // A mail of which nothing was sent has no recipients to look at.
    let sends = !step.campaign_ids.is_empty();
    let count = |n: u64, filter: (&str, &str)| match step.campaign_ids.as_slice() {
        [mailing] => figure_link(n, with(&format!("/campaigns/{mailing}/recipients"), &[filter])),
        _ if sends => figure(n),
        _ => none(),
    };
    Row::new(vec![
        journey::called(&found.graph, &step.step, &step.name).into_any(),
        figure(u64::from(step.version)),
        waiting,
        count(step.sent, ("state", "")),
        count(step.delivered, ("state", "delivered")),
        count(step.bounced, ("state", "bounced")),
        count(step.suppressed, ("state", "suppressed")),
        count(step.unsubscribed, ("response", "unsubscribed")),
        count(step.complained, ("response", "complained")),
    ])
}

/// How many wait at a step of a version, as the way to them.
pub fn waiting_link(id: i64, step: &JourneyFigures) -> AnyView {
    let version = step.version.to_string();
    let who = [("tab", "contacts"), ("state", "waiting"), ("step", step.step.as_str()), ("version", version.as_str())];
    figure_link(step.waiting, with(&format!("/journeys/{id}"), &who))
}
