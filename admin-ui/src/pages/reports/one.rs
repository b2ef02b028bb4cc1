//! One DMARC report with its rows.

use api_types::{DmarcReport, DmarcReportRow, Page};
use leptos::prelude::*;
use view::number::{bytes, share};
use view::query::with;
use view::report;

use crate::api::use_api;
use crate::load::load;
use crate::nav::Query;
use crate::parts::*;

pub fn one(query: Query, id: i64) -> impl IntoView {
    let api = use_api();
    let cursor = query.param("cursor");
    let found = load(move || api.get::<DmarcReport>(format!("/reports/dmarc/reports/{id}")));
    let rows = load(move || {
        let path = format!("/reports/dmarc/reports/{id}/rows");
        api.get::<Page<DmarcReportRow>>(with(&path, &[("cursor", &cursor.get())]))
    });
    let title = found.title(|report| format!("Report of {}", report.organization));
    let heads = || {
        vec![
            Head::text("Address"),
            Head::text("Who"),
            Head::number("Messages"),
            Head::text("DKIM"),
            Head::text("SPF"),
            Head::text("Was done"),
            Head::text("From"),
            Head::text("Signatures"),
            Head::text("SPF was asked about"),
        ]
    };
    let empty = || view! { <p class="muted">"The report has no rows."</p> }.into_any();
    view! {
        <PageHeader title above=("/reports?show=reports".to_owned(), "Reports") about="What one receiver saw of mail in your name. Who reports is what the report says itself."/>
        {found.show(6, move |report| view! {
            <Card title="The report">{move || facts(&report.get())}</Card>
        }.into_any())}
        {list("Rows", query, rows, &[], heads, row, empty)}
    }
}

fn facts(report: &DmarcReport) -> AnyView {
    let left = (report.rows_left > 0).then(|| {
        view! { <dt>"Rows not kept"</dt><dd>{view::number::grouped(report.rows_left)}</dd> }
    });
    let time = view! { {moment(&report.begin_at)}" to "{moment(&report.end_at)} };
    view! {
        <dl class="facts">
            <dt>"Domain"</dt><dd>{report.domain.clone()}</dd>
            <dt>"Tells of"</dt><dd>{report.policy_domain.clone()}", policy "<code>{report.policy.clone()}</code></dd>
            <dt>"Time"</dt><dd>{time}</dd>
            <dt>"Messages"</dt><dd>{view::number::grouped(report.counts.messages)}", of which pass "{share(report.counts.passed, report.counts.messages)}</dd>
            <dt>"Their name for it"</dt><dd><code>{report.report_id.clone()}</code></dd>
            <dt>"Came"</dt><dd>{moment(&report.received_at)}", from "{report.brought_by.clone()}", "{bytes(report.size_bytes)}</dd>
            {left}
        </dl>
    }
    .into_any()
}

fn row(row: &DmarcReportRow) -> Row {
    let (tone, who) = report::sender(row.sender);
    let (dkim, spf) = (report::passes(row.dkim_pass), report::passes(row.spf_pass));
    let done = report::disposition(&row.disposition);
    let code = |text: &str| match text {
        "" => none(),
        text => view! { <code class="reply">{text.to_owned()}</code> }.into_any(),
    };
    let address = if row.source_ip.is_empty() { none() } else { row.source_ip.clone().into_any() };
    Row::new(vec![
        address,
        badge(tone, who),
        figure(row.messages),
        badge(dkim.0, dkim.1),
        badge(spf.0, spf.1),
        badge(done.0, done.1),
        row.header_from.clone().into_any(),
        code(&row.signatures),
        code(&row.spf),
    ])
}
