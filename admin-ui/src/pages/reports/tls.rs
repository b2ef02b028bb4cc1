//! TLS: what senders report of their way to our return paths.

use api_types::{TlsFailureSum, TlsOverview, TlsPolicySum, TlsReceived};
use leptos::prelude::*;
use view::number::share;
use view::query::with;
use view::report;

use super::alarms::alarms;
use super::parts::{about_day, beyond, day_chart, domain_filter, period_filter, publish};
use crate::api::use_api;
use crate::load::{listed, load};
use crate::nav::Query;
use crate::parts::*;

const FILTERS: [&str; 2] = ["domain", "days"];
const SERIES: [Series; 2] = [("Went well", "success"), ("Failed", "danger")];

pub fn tls(query: Query) -> impl IntoView {
    let api = use_api();
    let (domain, days) = (query.param("domain"), query.param("days"));
    let overview =
        load(move || api.get::<TlsOverview>(with("/reports/tls", &[("domain", &domain.get()), ("days", &days.get())])))
            .every(60, || true);
    let in_force = overview.map(|overview| overview.alarms.clone());
    let changed = Callback::new(move |()| overview.reload());
    view! {
        <Toolbar>{domain_filter(query)}{period_filter(query)}</Toolbar>
        {overview.show(6, move |all| view! {
            {alarms(in_force.into(), changed)}
            {move || figures(&all.get())}
        }.into_any())}
        {received(query)}
    }
}

fn figures(overview: &TlsOverview) -> AnyView {
    if overview.policies.is_empty() {
        let records = publish(&overview.records);
        return view! {
            <Empty title="No TLS report in this time" about="Senders report once a day to whom the return-path domain's TLS-RPT record names. Publish this, or add the address to the rua= that is there.">
                {records}
            </Empty>
            {beyond(overview.beyond)}
        }
        .into_any();
    }
    let chart = day_chart(
        "Sessions by day",
        &SERIES,
        report::tls_columns(&overview.days),
        "Nothing was reported of this domain in this time.",
    );
    let (policies, failures) = (policies(&overview.policies), failures(&overview.failures));
    view! {
        <Card title="Sessions by day">{chart}</Card>
        <div class="columns">
            <Card title="Policies">{policies}</Card>
            <Card title="Failures">{failures}</Card>
        </div>
        {beyond(overview.beyond)}
    }
    .into_any()
}

fn policies(rows: &[TlsPolicySum]) -> AnyView {
    let heads = vec![Head::text("Domain"), Head::text("Policy"), Head::number("Sessions"), Head::number("Failed")];
    let row = |row: &TlsPolicySum| {
        let all = row.successful.saturating_add(row.failed);
        Row::new(vec![
            row.domain.clone().into_any(),
            view! { <code>{row.policy.clone()}</code> }.into_any(),
            figure(all),
            share(row.failed, all).into_any(),
        ])
    };
    table("Policies", heads, rows.iter().map(row).collect())
}

fn failures(rows: &[TlsFailureSum]) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing failed."</p> }.into_any();
    }
    let heads = vec![Head::text("What went wrong"), Head::text("Host"), Head::number("Sessions"), Head::text("More")];
    let row = |row: &TlsFailureSum| {
        let text = |text: &str| if text.is_empty() { none() } else { text.to_owned().into_any() };
        Row::new(vec![
            view! { <code>{row.result.clone()}</code> }.into_any(),
            text(&row.mx),
            figure(row.sessions),
            text(&row.detail),
        ])
    };
    table("Failures", heads, rows.iter().map(row).collect())
}

fn received(query: Query) -> impl IntoView {
    let page = listed::<TlsReceived>(query, &FILTERS, || "/reports/tls/reports".to_owned());
    let heads = || {
        vec![
            Head::text("Reporter"),
            Head::text("Domain"),
            Head::text("About the day"),
            Head::number("Went well"),
            Head::number("Failed"),
            Head::text("Brought by"),
            Head::text("Came"),
        ]
    };
    let row = |row: &TlsReceived| {
        Row::new(vec![
            row.organization.clone().into_any(),
            row.domain.clone().into_any(),
            about_day(&row.begin_at),
            figure(row.successful),
            figure(row.failed),
            row.brought_by.clone().into_any(),
            ago(&row.received_at),
        ])
    };
    let empty = || view! { <p class="muted">"No report came about this time."</p> }.into_any();
    view! {
        <h2 class="section">"Reports"</h2>
        {list("TLS reports", query, page, &FILTERS, heads, row, empty)}
    }
}
