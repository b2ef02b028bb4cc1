//! DMARC: how mail in our name fares, and who sends it.

use api_types::{AuthFailure, DmarcDomain, DmarcOverview, DmarcReport, DmarcSender};
use leptos::prelude::*;
use view::number::share;
use view::query::with;
use view::report;
use view::tone::Tone;

use super::alarms::alarms;
use super::parts::{about_day, beyond, choices, day_chart, domain_filter, period_filter, publish};
use crate::api::use_api;
use crate::load::{listed, load};
use crate::nav::Query;
use crate::parts::*;

const SERIES: [Series; 2] = [("Pass", "success"), ("Fail", "danger")];
const FILTERS: [&str; 2] = ["domain", "days"];
const SENDER_FILTERS: [&str; 3] = ["domain", "days", "sender"];
const FAILURE_FILTERS: [&str; 2] = ["domain", "ours"];
const SHOWN: [(&str, &str); 3] = [("", "Who sends"), ("reports", "Reports"), ("failures", "Single failures")];
const OURS: [(&str, &str); 2] = [("", "Whosever mail"), ("true", "Our sources and keys")];

pub fn dmarc(query: Query) -> impl IntoView {
    let api = use_api();
    let (domain, days, show) = (query.param("domain"), query.param("days"), query.param("show"));
    let overview = load(move || {
        api.get::<DmarcOverview>(with("/reports/dmarc", &[("domain", &domain.get()), ("days", &days.get())]))
    })
    .every(60, || true);
    let in_force = overview.map(|overview| overview.alarms.clone());
    let changed = Callback::new(move |()| overview.reload());
    let is_quiet = overview.map(|overview| overview.domains.iter().all(|domain| domain.reports == 0));
    view! {
        <Toolbar>
            {domain_filter(query)}
            {period_filter(query)}
            <FilterBy query param="show" label="What is listed" options=choices(&SHOWN)/>
        </Toolbar>
        {overview.show(6, move |all| view! {
            {alarms(in_force.into(), changed)}
            {move || match is_quiet.get() {
                true => none_yet(&all.get()),
                false => figures(&all.get()),
            }}
        }.into_any())}
        {move || match show.get().as_str() {
            "reports" => reports(query).into_any(),
            "failures" => failures(query).into_any(),
            _ => senders(query).into_any(),
        }}
    }
}

fn none_yet(overview: &DmarcOverview) -> AnyView {
    let records: Vec<_> = overview.domains.iter().filter_map(|domain| domain.record.clone()).collect();
    view! {
        <Empty title="No DMARC report in this time" about="Receivers send one a day to whom the domain's DMARC record names. Publish this, or add the address to the rua= that is there.">
            {publish(&records)}
        </Empty>
        {beyond(overview.beyond)}
    }
    .into_any()
}

fn figures(overview: &DmarcOverview) -> AnyView {
    let columns = report::dmarc_columns(&overview.days);
    let nothing = "Nothing was reported of this domain in this time.";
    let chart = day_chart("Messages that pass and fail DMARC by day", &SERIES, columns, nothing);
    let table = domains(&overview.domains);
    view! {
        <Card title="Messages in your name, by day">{chart}</Card>
        <Card title="Domains">{table}</Card>
        {beyond(overview.beyond)}
    }
    .into_any()
}

fn domains(rows: &[DmarcDomain]) -> AnyView {
    let heads = vec![
        Head::text("Domain"),
        Head::number("Reports"),
        Head::number("Messages"),
        Head::number("Pass"),
        Head::number("DKIM"),
        Head::number("SPF"),
        Head::text("Newest report"),
    ];
    let row = |row: &DmarcDomain| {
        let of = |part| share(part, row.counts.messages).into_any();
        Row::new(vec![
            view! { <a href=with("/reports", &[("domain", &row.domain)])>{row.domain.clone()}</a> }.into_any(),
            figure(row.reports),
            figure(row.counts.messages),
            of(row.counts.passed),
            of(row.counts.dkim_pass),
            of(row.counts.spf_pass),
            row.received_at.as_deref().map_or_else(none, ago),
        ])
    };
    table("Domains", heads, rows.iter().map(row).collect())
}

fn senders(query: Query) -> impl IntoView {
    let page = listed::<DmarcSender>(query, &SENDER_FILTERS, || "/reports/dmarc/senders".to_owned());
    let heads = || {
        vec![
            Head::text("Address"),
            Head::text("Who"),
            Head::number("Messages"),
            Head::number("Pass"),
            Head::number("DKIM"),
            Head::number("SPF"),
            Head::number("Among the spam"),
            Head::number("Refused"),
            Head::number("Reporters"),
        ]
    };
    let row = |row: &DmarcSender| {
        let (tone, word) = report::sender(row.sender);
        let of = |part| share(part, row.counts.messages).into_any();
        Row::new(vec![
            report::sender_name(row).into_any(),
            badge(tone, word),
            figure(row.counts.messages),
            of(row.counts.passed),
            of(row.counts.dkim_pass),
            of(row.counts.spf_pass),
            figure(row.quarantined),
            figure(row.rejected),
            figure(row.organizations),
        ])
    };
    let empty = || view! { <p class="muted">"No report tells of a sender in this time."</p> }.into_any();
    view! {
        <h2 class="section">"Who sends as your domains"</h2>
        <Toolbar><FilterBy query param="sender" label="Sender" options=choices(&report::SENDERS)/></Toolbar>
        {list("Senders", query, page, &SENDER_FILTERS, heads, row, empty)}
    }
}

fn reports(query: Query) -> impl IntoView {
    let page = listed::<DmarcReport>(query, &FILTERS, || "/reports/dmarc/reports".to_owned());
    let heads = || {
        vec![
            Head::text("Reporter"),
            Head::text("Domain"),
            Head::text("About the day"),
            Head::number("Messages"),
            Head::number("Pass"),
            Head::text("Came"),
        ]
    };
    let row = |row: &DmarcReport| {
        Row::new(vec![
            view! { <a href=with("/reports", &[("report", &row.id.to_string())])>{row.organization.clone()}</a> }
                .into_any(),
            row.domain.clone().into_any(),
            about_day(&row.begin_at),
            figure(row.counts.messages),
            share(row.counts.passed, row.counts.messages).into_any(),
            ago(&row.received_at),
        ])
    };
    let empty = || view! { <p class="muted">"No report came about this time."</p> }.into_any();
    view! {
        <h2 class="section">"Reports"</h2>
        {list("DMARC reports", query, page, &FILTERS, heads, row, empty)}
    }
}

fn failures(query: Query) -> impl IntoView {
    let page = listed::<AuthFailure>(query, &FAILURE_FILTERS, || "/reports/failures".to_owned());
    let heads = || {
        vec![
            Head::text("Came"),
            Head::text("Domain"),
            Head::text("What failed"),
            Head::text("Mail from"),
            Head::text("Of ours"),
            Head::text("Done with it"),
            Head::text("Reporter"),
            Head::text("Recipient"),
        ]
    };
    let row = |row: &AuthFailure| {
        let whom = row.recipient_id.map(|id| view! { <a href=format!("/recipients/{id}")>{id}</a> }.into_any());
        let ours = (!row.item.is_empty()).then(|| badge(Tone::Danger, row.item.clone()));
        Row::new(vec![
            ago(&row.received_at),
            row.domain.clone().into_any(),
            view! { <span class="answer">{report::failure(row)}</span> }.into_any(),
            report::told(&row.source_ip).into_any(),
            ours.unwrap_or_else(none),
            report::told(&row.delivery).into_any(),
            row.organization.clone().into_any(),
            whom.unwrap_or_else(none),
        ])
    };
    let empty = || {
        view! { <p class="muted">"No mail was reported to have failed. Receivers report single mails where the DMARC record asks for it (ruf=)."</p> }.into_any()
    };
    view! {
        <h2 class="section">"Single mails that failed authentication"</h2>
        <Toolbar><FilterBy query param="ours" label="Whose mail" options=choices(&OURS)/></Toolbar>
        {list("Failed authentication", query, page, &FAILURE_FILTERS, heads, row, empty)}
    }
}
