//! The trace of an address: everything that was sent to it, and how it stands.

use api_types::{AddressStanding, AddressTrace, Recipient, ResponseSum, Suppression};
use leptos::prelude::*;
use view::message::sought;
use view::number::counted;
use view::query::with;
use view::tone;
use view::trace::{response, response_tone};

use crate::api::use_api;
use crate::load::load;
use crate::nav::{Query, use_query};
use crate::parts::*;

#[component]
pub fn Trace() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let (q, cursor) = (query.param("q"), query.param("cursor"));
    let address = Memo::new(move |_| sought(&q.get()).address);
    let told = load(move || {
        let (address, cursor) = (address.get(), cursor.get());
        let call = api.get::<AddressTrace>(with("/trace", &[("address", &address), ("cursor", &cursor)]));
        // Nothing is asked while somebody types.
        async move { if address.is_empty() { Ok(None) } else { call.await.map(Some) } }
    })
    .every(10, || true);
    view! {
        <PageHeader title="Trace" about="Everything that was sent to one address, and how the address stands."/>
        <Toolbar><Search query label="The whole address"/></Toolbar>
        {told.show(6, move |told| view! {
            {move || told.with(|told| told.as_ref().map_or_else(nobody, |told| found(told, query)))}
        }.into_any())}
    }
    .into_any()
}

fn nobody() -> AnyView {
    view! { <Empty title="Whose mail?" about="Write the whole address. Every mail to it shows up, of campaigns and of programs, with what became of it."/> }
        .into_any()
}

fn found(told: &AddressTrace, query: Query) -> AnyView {
    let page = &told.recipients;
    let heads = vec![
        Head::text("Sent by"),
        Head::text("State"),
        Head::text("Provider"),
        Head::number("Attempts"),
        Head::text("Last answer"),
        Head::text("Taken in"),
    ];
    let rows: Vec<Row> = page.items.iter().map(mail).collect();
    let mails = match rows.is_empty() {
        true => view! { <p class="muted">{format!("Nothing was sent to it in the last {}.", counted(u64::from(told.kept_days), "day", "days"))}</p> }
            .into_any(),
        false => table("Mail to this address", heads, rows),
    };
    let further = page.next.clone().map(|next| {
        let go = Callback::new(move |()| query.set(&[("cursor", next.clone())]));
        view! { <div class="actions"><Button on_press=go>"Earlier"</Button></div> }
    });
    let stands = standing(&told.standing, &told.address);
    view! {
        <Card title="How it stands">{stands}</Card>
        <h2 class="section">"Mail to it"</h2>
        {mails}
        {further}
    }
    .into_any()
}

fn standing(standing: &AddressStanding, address: &str) -> AnyView {
    let contact = standing
        .contact_id
        .map_or_else(none, |id| view! { <a href=format!("/contacts/{id}")>{address.to_owned()}</a> }.into_any());
    let suppressed: Vec<AnyView> = standing.suppressions.iter().map(|row| suppression(row, address)).collect();
    let suppressed = if suppressed.is_empty() { none() } else { suppressed.collect_view().into_any() };
    let responses: Vec<AnyView> = standing.responses.iter().map(came_back).collect();
    let responses = if responses.is_empty() { none() } else { responses.collect_view().into_any() };
    let soft = match standing.soft_bounces {
        0 => none(),
        n => counted(u64::from(n), "refusal for now counts", "refusals for now count").into_any(),
    };
    view! {
        <dl class="facts">
            <dt>"Address"</dt><dd>{address.to_owned()}</dd>
            <dt>"Contact"</dt><dd>{contact}</dd>
            <dt>"Suppressed"</dt><dd>{suppressed}</dd>
            <dt>"Soft bounces"</dt><dd>{soft}</dd>
            <dt>"What came back"</dt><dd>{responses}</dd>
        </dl>
    }
    .into_any()
}

fn suppression(row: &Suppression, address: &str) -> AnyView {
    let (tone, word) = tone::suppression(row.reason);
    let href = with("/suppressions", &[("q", address)]);
    let until = if row.ended { ", ended " } else { " until " };
    let until = row.expires_at.as_deref().map(|at| view! { {until}{moment(at)} });
    view! {
        <p class="facts-line">
            <span>{badge(tone, word)}</span><span>"since "{moment(&row.created_at)}{until}</span>
            <span>{row.origin.clone()}</span><a href=href>"See the entry"</a>
        </p>
    }
    .into_any()
}

fn came_back(sum: &ResponseSum) -> AnyView {
    let times = counted(sum.count, "time", "times");
    view! {
        <p class="facts-line">
            <span>{badge(response_tone(&sum.response), response(&sum.response))}</span>
            <span>{times}", at last "{moment(&sum.last_at)}</span>
        </p>
    }
    .into_any()
}

fn mail(row: &Recipient) -> Row {
    let from = match (&row.campaign, row.campaign_id, row.message_id) {
        (Some(name), ..) if !name.is_empty() => name.clone(),
        (_, Some(id), _) => format!("Campaign {id}"),
        (_, None, Some(id)) => format!("Message {id}"),
        (_, None, None) => "Its message is not kept".to_owned(),
    };
    named_recipient_row(row, from).with_last(moment(&row.accepted_at))
}
