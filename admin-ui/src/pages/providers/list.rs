//! All providers.

use api_types::{Automation, Page, ProviderRow};
use leptos::prelude::*;
use view::query::with;

use super::automations::automations;
use super::explain::Explain;
use super::reputation::reputation;
use super::tester::RuleTester;
use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;

pub fn all() -> impl IntoView {
    let api = use_api();
    let rows = load(move || api.get::<Page<ProviderRow>>("/providers".to_owned())).every(10, || true);
    let open = load(move || api.get::<Page<Automation>>("/automations?limit=200".to_owned())).every(10, || true);
    let names = rows.map(|page| page.items.iter().map(|row| row.name.clone()).collect::<Vec<_>>());
    let changed = Callback::new(move |()| {
        open.reload();
        rows.reload();
    });
    // Who comes with a server's words wants to see what they mean, not to scroll for it.
    let has_words = !use_query().param("reply").get_untracked().is_empty();
    let tester = move || view! { <Card title="Try a reply"><RuleTester names/></Card> };
    view! {
        <PageHeader title="Providers" about="How fast mail goes to each mailbox provider, and what its answers have changed about it. Your own limits are set in packetboat.toml."/>
        {has_words.then(tester)}
        <Card title="Held or slowed down by itself">
            {open.show(2, move |page| automations(Signal::derive(move || page.get().items), changed))}
        </Card>
        <Card title="Providers">{rows.show(8, move |page| view! { {move || providers(&page.get().items)} }.into_any())}</Card>
        {reputation()}
        <Card title="Limits for mail to a domain"><Explain/></Card>
        {(!has_words).then(tester)}
    }
}

fn providers(rows: &[ProviderRow]) -> AnyView {
    let heads = vec![
        Head::text("Provider"),
        Head::number("Connections"),
        Head::number("Mails each"),
        Head::text("Message rate"),
        Head::number("Open now"),
        Head::number("Accepted, 24 h"),
        Head::number("Deferred, 24 h"),
        Head::number("Bounced, 24 h"),
        Head::text("By itself"),
    ];
    let row = |row: &ProviderRow| {
        let by_itself = match row.automations {
            0 => none(),
            n => badge(view::tone::Tone::Warning, format!("{n} in force")),
        };
        Row::new(vec![
            view! { <a href=with("/providers", &[("name", &row.name)])>{row.name.clone()}</a> }.into_any(),
            row.connections.clone().into_any(),
            row.messages_per_connection.clone().into_any(),
            row.message_rate.clone().into_any(),
            figure(u64::from(row.connections_open)),
            figure(row.day.delivered),
            figure(row.day.deferred),
            figure(row.day.bounced),
            by_itself,
        ])
    };
    table("Providers", heads, rows.iter().map(row).collect())
}
