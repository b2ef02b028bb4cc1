//! How senders stand: rolling shares of bounces and complaints.

use api_types::{Automation, Page, Reputation, ReputationBy, ReputationLimits, ReputationStep};
use leptos::prelude::*;

use super::automations::LiftDialog;
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
    let limits = load(move || api.get::<ReputationLimits>("/reputation/limits".to_owned()));
    let lifting = RwSignal::new(None::<Automation>);
    let changed = Callback::new(move |()| rows.reload());
    view! {
        <Card title="Reputation">
            <p class="muted">"Receivers want fewer than 1 complaint in 1,000, and refuse from 3 on. What something was done about comes first, then the worst."</p>
            <Select label="Time" value=days on_choice=Callback::new(move |choice| days.set(choice)) options=choices/>
            {rows.show(4, move |page| view! { {move || table_of(&page.get().items, lifting)} }.into_any())}
            <LiftDialog lifting changed/>
        </Card>
        <Card title="What is done by itself">
            {limits.show(4, move |limits| view! { {move || steps(&limits.get())} }.into_any())}
        </Card>
    }
}

/// From which shares on what is done.
fn steps(limits: &ReputationLimits) -> AnyView {
    if !limits.acts {
        let about = "Nothing: acts is switched off under [reputation] in packetboat.toml. Shares are only shown.";
        return view! { <p class="muted">{about}</p> }.into_any();
    }
    let heads = vec![
        Head::text("Step"),
        Head::number("From bounces"),
        Head::number("From complaints"),
        Head::text("Of"),
        Head::text("What is done"),
    ];
    let share = |percent: Option<f64>| percent.map_or_else(none, |percent| format!("{percent} %").into_any());
    let row = |step: &ReputationStep| {
        let span = if step.days == 1 { "24 hours".to_owned() } else { format!("{} days", step.days) };
        Row::new(vec![
            view::tone::words(&step.step).into_any(),
            share(step.bounce_percent),
            share(step.complaint_percent),
            format!("{} messages or more in {span}", view::number::grouped(u64::from(step.minimum))).into_any(),
            view! { <span class="answer">{step.effect.clone()}</span> }.into_any(),
        ])
    };
    view! {
        <p class="muted">"Per campaign, sending domain and workspace, for bulk mail only: transactional mail goes on. Set under [reputation] in packetboat.toml."</p>
        {table("Steps", heads, limits.steps.iter().map(row).collect())}
    }
    .into_any()
}

fn table_of(rows: &[Reputation], lifting: RwSignal<Option<Automation>>) -> AnyView {
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
        Head::text("What was done"),
        Head::text(""),
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
            row.action.as_ref().map_or_else(none, done),
            row.action.clone().map_or_else(none, |action| lift(action, lifting)),
        ])
    };
    table("Reputation", heads, rows.iter().map(row).collect())
}

/// What is in force, because of which figures, until when.
fn done(action: &Automation) -> AnyView {
    let (tone, word) = view::shaping::standing(action);
    let text = format!("{} {}.", action.effect, action.reply);
    view! { <span class="answer">{badge(tone, word)}<span>{text}" Until "{moment(&action.until)}</span></span> }
        .into_any()
}

fn lift(action: Automation, lifting: RwSignal<Option<Automation>>) -> AnyView {
    let label = format!("Lift {}", action.rule);
    let press = Callback::new(move |()| lifting.set(Some(action.clone())));
    view! { <Button look=Look::Secondary on_press=press label>"Lift"</Button> }.into_any()
}
