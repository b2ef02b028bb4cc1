//! Streams and routes, as configured.

use api_types::{EgressRoute, EgressStream};
use leptos::prelude::*;
use view::tone::Tone;
use view::when;

use crate::parts::*;

pub fn streams_table(streams: &[EgressStream]) -> AnyView {
    let heads = vec![
        Head::text("Stream"),
        Head::text("Kind"),
        Head::text("Pool"),
        Head::text("Tried again after"),
        Head::text("Given up after"),
    ];
    let row = |stream: &EgressStream| {
        let waits: Vec<String> = stream.retry_seconds.iter().map(|seconds| when::span(*seconds)).collect();
        Row::new(vec![
            stream.name.clone().into_any(),
            view::tone::words(&stream.kind).into_any(),
            stream.pool.clone().into_any(),
            waits.join(", ").into_any(),
            when::span(stream.expiry_seconds).into_any(),
        ])
    };
    table("Streams", heads, streams.iter().map(row).collect())
}

pub fn routes_table(routes: &[EgressRoute]) -> AnyView {
    if routes.is_empty() {
        let about = "All mail goes straight to the mail servers of its domains. A smart host or relay is set in packetboat.toml.";
        return view! { <p class="muted">{about}</p> }.into_any();
    }
    let heads = vec![
        Head::text("Route"),
        Head::text("State"),
        Head::text("Streams"),
        Head::text("Domains"),
        Head::text("Hosts, in order"),
    ];
    let all_or = |names: &[String], all: &str| {
        let text = if names.is_empty() { all.to_owned() } else { names.join(", ") };
        text.into_any()
    };
    let row = |route: &EgressRoute| {
        let state = match &route.down_until {
            Some(at) => {
                let state = badge(Tone::Warning, "Not reachable, mail goes straight");
                view! { <span class="answer">{state}<span>"again "{ago(at)}</span></span> }.into_any()
            }
            None => badge(Tone::Success, "In use"),
        };
        let last = route.then_direct.then_some("then the domain's own".to_owned());
        let hosts: Vec<String> = route.hosts.iter().cloned().chain(last).collect();
        Row::new(vec![
            route.name.clone().into_any(),
            state,
            all_or(&route.streams, "all"),
            all_or(&route.domains, "all"),
            hosts.join("; ").into_any(),
        ])
    };
    table("Routes", heads, routes.iter().map(row).collect())
}
