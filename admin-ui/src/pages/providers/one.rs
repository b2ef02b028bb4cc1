//! One provider: every limit with the layer that set it, lanes, automations.

use api_types::{Lane, LimitInForce, ProviderDetail};
use leptos::prelude::*;
use view::number::grouped;
use view::query::encode;
use view::shaping::{layer, limit};
use view::tone;

use super::automations::automations;
use crate::api::use_api;
use crate::load::{Shown, load};
use crate::parts::*;

pub fn one(name: String) -> impl IntoView {
    let api = use_api();
    let path = format!("/providers/{}", encode(&name));
    let detail = load(move || api.get::<ProviderDetail>(path.clone())).every(5, || true);
    let about = detail.map(|detail| match detail.suffixes.is_empty() {
        true => "Known by its mail servers only: it begins with the limits of everybody.".to_owned(),
        false => format!("Mail servers under {}.", detail.suffixes.join(", ")),
    });
    let limits = detail.map(|detail| detail.limits.clone());
    let lanes = detail.map(|detail| detail.lanes.clone());
    let day = move |figure: fn(&ProviderDetail) -> u64| detail.map(move |detail| grouped(figure(detail)));
    let (delivered, deferred, bounced) = (day(|d| d.day.delivered), day(|d| d.day.deferred), day(|d| d.day.bounced));
    let changed = Callback::new(move |()| detail.reload());
    let body = move |found: Shown<ProviderDetail>| {
        let open = Signal::derive(move || found.get().automations);
        view! {
            <div class="stats">
                <StatCard label="Accepted, 24 h" figure=delivered/>
                <StatCard label="Deferred, 24 h" figure=deferred/>
                <StatCard label="Bounced, 24 h" figure=bounced/>
            </div>
            <Card title="Held or slowed down by itself">{automations(open, changed)}</Card>
            <Card title="Limits in force">{move || limits_table(&limits.get())}</Card>
            <Card title="Lanes now">{move || lanes_table(&lanes.get())}</Card>
        }
        .into_any()
    };
    view! {
        <PageHeader title=name about above=("/providers".to_owned(), "Providers")/>
        {detail.show(8, body)}
    }
}

pub fn limits_table(limits: &[LimitInForce]) -> AnyView {
    let row = |row: &LimitInForce| {
        let (tone, word) = layer(&row.layer);
        let value = if row.value == "none" { none() } else { row.value.clone().into_any() };
        Row::new(vec![limit(&row.name).into_any(), value, badge(tone, word)])
    };
    let heads = vec![Head::text("Limit"), Head::text("Value"), Head::text("Set by")];
    table("Limits in force", heads, limits.iter().map(row).collect())
}

fn lanes_table(lanes: &[Lane]) -> AnyView {
    if lanes.is_empty() {
        return view! { <p class="muted">"Nothing is being sent there right now."</p> }.into_any();
    }
    let row = |lane: &Lane| {
        let waits = lane.wait_reason.clone().map_or_else(none, |reason| {
            let until = lane.wait_until.as_deref().map(|at| view! { ", again "{ago(at)} });
            view! { <span class="answer"><span>{tone::words(&reason)}{until}</span></span> }.into_any()
        });
        Row::new(vec![
            lane.source.clone().into_any(),
            view! { <code>{lane.site.clone()}</code> }.into_any(),
            format!("{} of {}", lane.connections, lane.connections_max).into_any(),
            figure(u64::from(lane.ready)),
            waits,
        ])
    };
    let heads = vec![
        Head::text("Source"),
        Head::text("Site"),
        Head::number("Connections"),
        Head::number("Ready"),
        Head::text("Waits for"),
    ];
    table("Lanes", heads, lanes.iter().map(row).collect())
}
