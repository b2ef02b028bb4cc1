//! Egress: the addresses mail leaves from, how they are pooled, what each lane does right now.

mod sources;
mod ways;

use api_types::{Egress, EgressPool, EgressSource, Lane};
use leptos::prelude::*;
use sources::SourceHealth;
use view::tone::{self, Tone};
use ways::{routes_table, streams_table};

use crate::api::use_api;
use crate::load::load;
use crate::pages::warmup::WarmupCard;
use crate::parts::*;

#[component]
pub fn EgressPage() -> impl IntoView {
    let api = use_api();
    let egress = load(move || api.get::<Egress>("/egress".to_owned())).every(3, || true);
    let sources = egress.map(|egress| egress.sources.clone());
    let pools = egress.map(|egress| egress.pools.clone());
    let streams = egress.map(|egress| egress.streams.clone());
    let routes = egress.map(|egress| egress.routes.clone());
    let lanes = egress.map(|egress| egress.lanes.clone());
    view! {
        <PageHeader title="Egress" about="The addresses your mail leaves from, and what each does right now. Sources, pools, streams and routes are set in packetboat.toml."/>
        {egress.show(8, move |_| view! {
            <Card title="Sources">{move || sources_table(&sources.get())}</Card>
            <Card title="Pools">{move || pools_table(&pools.get())}</Card>
            <Card title="Streams">{move || streams_table(&streams.get())}</Card>
            <Card title="Routes">{move || routes_table(&routes.get())}</Card>
            <Card title="Lanes now">{move || lanes_table(&lanes.get())}</Card>
        }.into_any())}
        <SourceHealth/>
        <WarmupCard/>
    }
    .into_any()
}

fn sources_table(sources: &[EgressSource]) -> AnyView {
    if sources.is_empty() {
        let about = "Mail leaves from whatever address the system chooses. Name your addresses in packetboat.toml to see and steer each of them.";
        return view! { <p class="muted">{about}</p> }.into_any();
    }
    let heads = vec![
        Head::text("Source"),
        Head::text("State"),
        Head::text("Address"),
        Head::text("EHLO name"),
        Head::number("Accepted, 24 h"),
        Head::number("Deferred, 24 h"),
        Head::number("Blocked, 24 h"),
    ];
    let row = |source: &EgressSource| {
        let (tone, word) = match (source.enabled, source.bound) {
            (false, _) => (Tone::Neutral, "Switched off"),
            (true, false) => (Tone::Danger, "This host does not have the address"),
            (true, true) => (Tone::Success, "In use"),
        };
        let address = source
            .ip
            .clone()
            .map_or_else(|| "the system's choice".into_any(), |ip| view! { <code>{ip}</code> }.into_any());
        Row::new(vec![
            source.name.clone().into_any(),
            badge(tone, word),
            address,
            view! { <code>{source.ehlo.clone()}</code> }.into_any(),
            figure(source.delivered_day),
            figure(source.deferred_day),
            figure(source.blocked_day),
        ])
    };
    table("Sources", heads, sources.iter().map(row).collect())
}

fn pools_table(pools: &[EgressPool]) -> AnyView {
    if pools.is_empty() {
        return view! { <p class="muted">"No pools: every source is used alike."</p> }.into_any();
    }
    let row = |pool: &EgressPool| {
        let members = pool.sources.iter().map(|member| chip(format!("{} × {}", member.source, member.weight)));
        Row::new(vec![
            pool.name.clone().into_any(),
            view! { <span class="chips">{members.collect_view()}</span> }.into_any(),
        ])
    };
    table("Pools", vec![Head::text("Pool"), Head::text("Sources × weight")], pools.iter().map(row).collect())
}

fn lanes_table(lanes: &[Lane]) -> AnyView {
    if lanes.is_empty() {
        return view! { <p class="muted">"Nothing is being sent right now."</p> }.into_any();
    }
    let heads = vec![
        Head::text("Source"),
        Head::text("Provider"),
        Head::text("Site"),
        Head::number("Connections"),
        Head::number("Ready"),
        Head::text("Waits for"),
    ];
    let row = |lane: &Lane| {
        let waits = lane.wait_reason.clone().map_or_else(none, |reason| {
            let until = lane.wait_until.as_deref().map(|at| view! { ", again "{ago(at)} });
            let reply = lane.reply.clone().map(|reply| view! { <code>{reply}</code> });
            view! { <span class="answer"><span>{tone::words(&reason)}{until}</span>{reply}</span> }.into_any()
        });
        Row::new(vec![
            lane.source.clone().into_any(),
            lane.provider.clone().into_any(),
            view! { <code>{lane.site.clone()}</code> }.into_any(),
            format!("{} of {}", lane.connections, lane.connections_max).into_any(),
            figure(u64::from(lane.ready)),
            waits,
        ])
    };
    table("Lanes", heads, lanes.iter().map(row).collect())
}
