//! The records of a domain: as wanted, as found, and what differs.

use api_types::{DomainDetail, DomainRecord, RecordNeed, RecordStatus};
use leptos::prelude::*;
use view::tone;

use crate::parts::*;

/// All records, the most needed first.
pub fn records(detail: &DomainDetail) -> AnyView {
    let rows = detail.records.iter().map(record).collect_view();
    view! { <div class="records">{rows}</div> }.into_any()
}

fn record(record: &DomainRecord) -> AnyView {
    let (tone, word) = tone::record(record.status, record.need == RecordNeed::Required);
    let found = match record.found.as_slice() {
        [] => view! { <span class="muted">"nothing"</span> }.into_any(),
        found => {
            found.iter().map(|value| view! { <code class="reply">{value.clone()}</code> }).collect_view().into_any()
        }
    };
    let compared = record.status != RecordStatus::Unchecked && record.found != [record.wanted.clone()];
    let zone = (record.zone_value != record.wanted).then(|| {
        let what = format!("zone file value of the {} record", record.purpose);
        view! { <dt>"Zone file"</dt><dd><CopyBox value=record.zone_value.clone() what/></dd> }
    });
    let message = record.message.clone();
    view! {
        <article class="card record" data-tone=tone.name()>
            <header class="card-head">
                <h2>{record.purpose.clone()}</h2>
                <span class="actions">{chip(view::domain::need(record.need))}{badge(tone, word)}</span>
            </header>
            <dl>
                <dt>"Type"</dt><dd><code>{record.kind.clone()}</code></dd>
                <dt>"Name"</dt><dd><CopyBox value=record.name.clone() what=format!("name of the {} record", record.purpose)/></dd>
                <dt>"Value"</dt><dd><CopyBox value=record.wanted.clone() what=format!("value of the {} record", record.purpose)/></dd>
                {zone}
                {compared.then(|| view! { <dt>"Found"</dt><dd>{found}</dd> })}
            </dl>
            {(!message.is_empty()).then(|| view! { <p class="muted">{message}</p> })}
        </article>
    }
    .into_any()
}
