//! How senders stand: rolling shares of bounces and complaints.

use api_types::{Page, Reputation, ReputationBy};
use leptos::prelude::*;

use crate::api::use_api;
use crate::load::load;
use crate::parts::*;

pub fn reputation() -> impl IntoView {
    let api = use_api();
    let days = RwSignal::new("1".to_owned());
    let rows = load(move || api.get::<Page<Reputation>>(format!("/reputation?days={}", days.get()))).every(60, || true);
    let choices = Signal::derive(|| {
        vec![("1".to_owned(), "Last 24 hours".to_owned()), ("7".to_owned(), "Last 7 days".to_owned())]
    });
    view! {
        <Card title="Reputation">
            <p class="muted">"Receivers want fewer than 1 complaint in 1,000, and refuse from 3 on. The worst come first."</p>
            <Select label="Time" value=days on_choice=Callback::new(move |choice| days.set(choice)) options=choices/>
            {rows.show(4, move |page| view! { {move || table_of(&page.get().items)} }.into_any())}
        </Card>
    }
}

fn table_of(rows: &[Reputation]) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing was sent in that time."</p> }.into_any();
    }
    let heads = vec![
        Head::text("What"),
        Head::text("Name"),
        Head::text("How it stands"),
        Head::number("Sent"),
        Head::number("Bounced"),
        Head::number("Complaints"),
        Head::text("What to do"),
    ];
    let row = |row: &Reputation| {
        let (tone, word) = view::tone::reputation(row.level);
        let what = match row.by {
            ReputationBy::Workspace => "Everything",
            ReputationBy::Domain => "Sending domain",
            ReputationBy::Source => "Source",
            ReputationBy::Provider => "Provider",
            ReputationBy::Campaign => "Campaign",
        };
        Row::new(vec![
            what.into_any(),
            row.name.clone().into_any(),
            badge(tone, word),
            figure(row.sent),
            format!("{:.2} %", row.bounced_percent).into_any(),
            format!("{:.3} %", row.complained_percent).into_any(),
            row.advice.clone().map_or_else(none, |advice| view! { <span class="answer">{advice}</span> }.into_any()),
        ])
    };
    table("Reputation", heads, rows.iter().map(row).collect())
}
