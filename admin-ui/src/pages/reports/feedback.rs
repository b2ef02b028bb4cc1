//! Feedback: complaints by day, provider and campaign, and returned mail that nobody was found for.

use api_types::{CampaignComplaints, Complaints, Count, FeedbackOverview, Page, UnmatchedReport};
use leptos::prelude::*;
use view::number::grouped;
use view::query::with;
use view::report;

use super::parts::{day_chart, period_filter};
use crate::api::use_api;
use crate::load::load;
use crate::nav::Query;
use crate::parts::*;

const SERIES: [Series; 1] = [("Complaints", "danger")];

pub fn feedback(query: Query) -> impl IntoView {
    let api = use_api();
    let days = query.param("days");
    let overview = load(move || api.get::<FeedbackOverview>(with("/reports/feedback", &[("days", &days.get())])))
        .every(60, || true);
    let reasons = overview.map(|overview| overview.unmatched.clone());
    view! {
        <Toolbar>{period_filter(query)}</Toolbar>
        {overview.show(6, move |all| view! { {move || figures(&all.get())} }.into_any())}
        {unmatched(query, reasons)}
    }
}

fn figures(overview: &FeedbackOverview) -> AnyView {
    let chart = day_chart(
        "Complaints by day",
        &SERIES,
        report::complaint_columns(&overview.days),
        "Nobody complained in this time.",
    );
    let (providers, campaigns) = (providers(&overview.providers), campaigns(&overview.campaigns));
    let mailboxes = overview.mailboxes.iter().map(|mailbox| {
        view! { <li><CopyBox value=mailbox.clone() what=mailbox.clone()/></li> }
    });
    let mailboxes = match overview.mailboxes.is_empty() {
        true => view! { <p class="muted">"Nobody takes complaints here: add a sending domain, and set [smtp] inbound_listen."</p> }.into_any(),
        false => view! { <ul class="plain">{mailboxes.collect_view()}</ul> }.into_any(),
    };
    view! {
        <Card title="Complaints by day">{chart}</Card>
        <div class="columns">
            <Card title="Providers">{providers}</Card>
            <Card title="Campaigns, last 30 days at most">{campaigns}</Card>
        </div>
        <Card title="Where complaints come in">
            <p class="muted">"Register these with the providers' feedback loops."</p>
            {mailboxes}
        </Card>
    }
    .into_any()
}

fn nobody() -> AnyView {
    view! { <p class="muted">"Nobody complained in this time."</p> }.into_any()
}

fn providers(rows: &[Complaints]) -> AnyView {
    if rows.is_empty() {
        return nobody();
    }
    let heads =
        vec![Head::text("Provider"), Head::number("Complaints"), Head::number("Delivered"), Head::number("Share")];
    let row = |row: &Complaints| {
        Row::new(vec![
            row.name.clone().into_any(),
            figure(row.complained),
            figure(row.delivered),
            report::complaint_share(row.complained, row.delivered).into_any(),
        ])
    };
    table("Complaints by provider", heads, rows.iter().map(row).collect())
}

fn campaigns(rows: &[CampaignComplaints]) -> AnyView {
    if rows.is_empty() {
        return nobody();
    }
    let heads =
        vec![Head::text("Campaign"), Head::number("Complaints"), Head::number("Delivered"), Head::number("Share")];
    let row = |row: &CampaignComplaints| {
        let name = if row.name.is_empty() { "no name any more" } else { &row.name }.to_owned();
        let name = match row.campaign_id {
            Some(id) => view! { <a href=format!("/campaigns/{id}")>{name}</a> }.into_any(),
            None => "Of no campaign".into_any(),
        };
        Row::new(vec![
            name,
            figure(row.complained),
            figure(row.delivered),
            report::complaint_share(row.complained, row.delivered).into_any(),
        ])
    };
    table("Complaints by campaign", heads, rows.iter().map(row).collect())
}

fn unmatched(query: Query, reasons: Memo<Vec<Count>>) -> impl IntoView {
    let api = use_api();
    let (why, cursor) = (query.param("why"), query.param("cursor"));
    let page = load(move || {
        let path = with("/reports/feedback/unmatched", &[("why", &why.get()), ("cursor", &cursor.get())]);
        api.get::<Page<UnmatchedReport>>(path)
    });
    let options = Signal::derive(move || {
        let all = std::iter::once((String::new(), "Every reason".to_owned()));
        let reason = |reason: Count| (reason.name.clone(), format!("{} ({})", reason.name, grouped(reason.count)));
        all.chain(reasons.get().into_iter().map(reason)).collect::<Vec<_>>()
    });
    let heads = || vec![Head::text("Came"), Head::text("To"), Head::text("Brought by"), Head::text("Why")];
    let row = |row: &UnmatchedReport| {
        Row::new(vec![
            ago(&row.received_at),
            view! { <code>{row.rcpt.clone()}</code> }.into_any(),
            row.peer.clone().into_any(),
            row.why.clone().into_any(),
        ])
    };
    let empty = || view! { <p class="muted">"Everything that came back was for somebody."</p> }.into_any();
    view! {
        <h2 class="section">"Returned mail that nobody was found for"</h2>
        <Toolbar><FilterBy query param="why" label="Reason" options/></Toolbar>
        {list("Unmatched reports", query, page, &["why"], heads, row, empty)}
    }
}
