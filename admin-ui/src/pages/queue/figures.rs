//! The queue in figures.

use api_types::{Count, Ledger, QueueGroup, QueueSummary, StalledLane};
use leptos::prelude::*;
use view::number::grouped;
use view::query::with;
use view::tone::{self, Tone};

use crate::parts::*;

pub fn states(summary: &QueueSummary) -> AnyView {
    let cards = summary.states.iter().map(|state| {
        let (_, label) = tone::recipient(&state.name);
        view! { <StatCard label figure=Signal::stored(grouped(state.count)) href=with("/queue", &[("state", &state.name)])/> }
    });
    let oldest = summary.oldest_at.as_deref().map(|at| view! {
        <div class="card stat"><span class="stat-label">"Oldest"</span><span class="stat-figure">{ago(at)}</span></div>
    });
    view! { {cards.collect_view()}{oldest} }.into_any()
}

pub fn ledger(ledger: &Ledger) -> AnyView {
    let (tone, word) = if ledger.holds {
        (Tone::Success, "Every recipient is accounted for")
    } else {
        (Tone::Danger, "The sum does not hold")
    };
    let terms = [
        ("accepted", ledger.delivered),
        ("bounced", ledger.bounced),
        ("expired", ledger.expired),
        ("suppressed", ledger.suppressed),
        ("cancelled", ledger.cancelled),
        ("unknown", ledger.unknown),
        ("in the queue", ledger.queued),
    ];
    let sum = terms.map(|(name, count)| format!("{} {name}", grouped(count))).join(" + ");
    let help = (!ledger.holds).then_some(" Run packetboat doctor on the server; it names the recipients.");
    view! {
        <p class="ledger" data-tone=tone.name()>{badge(tone, word)}<span>{format!("{} taken in = {sum}", grouped(ledger.accepted))}{help}</span></p>
    }
    .into_any()
}

/// Lanes that make no progress; nothing where all is well.
pub fn stalled(lanes: &[StalledLane]) -> AnyView {
    if lanes.is_empty() {
        return ().into_any();
    }
    let heads = vec![
        Head::text("Site"),
        Head::text("Source"),
        Head::number("Waiting"),
        Head::text("Nothing has left since"),
        Head::text("Why"),
    ];
    let row = |lane: &StalledLane| {
        Row::new(vec![
            view! { <code>{lane.site.clone()}</code> }.into_any(),
            lane.source.clone().into_any(),
            figure(u64::from(lane.ready)),
            ago(&lane.since),
            lane.why.clone().into_any(),
        ])
    };
    let rows = lanes.iter().map(row).collect();
    view! { <Card title="Without progress">{table("Lanes without progress", heads, rows)}</Card> }.into_any()
}

/// Counts with the oldest of each.
pub fn groups(rows: &[QueueGroup], head: &'static str, param: &'static str) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing waits."</p> }.into_any();
    }
    let row = |row: &QueueGroup| {
        let name = if row.name.is_empty() {
            view! { <span class="muted">"not known yet"</span> }.into_any()
        } else {
            view! { <a href=with("/queue", &[(param, &row.name)])>{row.name.clone()}</a> }.into_any()
        };
        Row::new(vec![name, figure(row.count), row.oldest_at.as_deref().map_or_else(none, ago)])
    };
    let heads = vec![Head::text(head), Head::number("Recipients"), Head::text("Oldest waiting")];
    table(head, heads, rows.iter().map(row).collect())
}

pub fn counts(rows: &[Count], head: &'static str, param: &'static str) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing waits."</p> }.into_any();
    }
    let row = |row: &Count| {
        let label = if param == "reason" { tone::words(&row.name) } else { row.name.clone() };
        let name = if row.name.is_empty() {
            view! { <span class="muted">"no attempt yet"</span> }.into_any()
        } else {
            view! { <a href=with("/queue", &[(param, &row.name)])>{label}</a> }.into_any()
        };
        Row::new(vec![name, figure(row.count)])
    };
    table(head, vec![Head::text(head), Head::number("Recipients")], rows.iter().map(row).collect())
}

/// By campaign, and what belongs to none.
pub fn campaigns(summary: &QueueSummary) -> AnyView {
    let link = |href: String, name: &str, count: u64| {
        let name = name.to_owned();
        Row::new(vec![view! { <a href=href>{name}</a> }.into_any(), figure(count)])
    };
    let mut rows: Vec<Row> = summary
        .campaigns
        .iter()
        .map(|row| link(with("/queue", &[("campaign_id", &row.id.to_string())]), &row.name, row.count))
        .collect();
    if summary.submitted > 0 {
        rows.push(link(with("/queue", &[("submitted", "true")]), "Submitted mail", summary.submitted));
    }
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing waits."</p> }.into_any();
    }
    table("By campaign", vec![Head::text("Campaign"), Head::number("Recipients")], rows)
}

/// By age: of everybody, or of the chosen domain where somebody waits for it.
pub fn ages(summary: &QueueSummary, domain: &str) -> AnyView {
    let of_domain = summary.domains.iter().find(|group| group.name == domain).filter(|_| !domain.is_empty());
    let values = of_domain.map_or(&summary.ages, |group| &group.ages);
    let bounds = &summary.age_bounds;
    let columns = view::queue::ages(bounds)
        .into_iter()
        .zip(view::queue::age_ticks(bounds))
        .zip(values)
        .map(|((name, tick), value)| Column { name, tick, values: vec![*value] })
        .collect();
    let whose = of_domain.map_or_else(|| "Everybody in the queue.".to_owned(), |group| format!("Only {}.", group.name));
    view! {
        <p class="muted">{whose}" Choose a domain below to see its ages. Counted "{ago(&summary.at)}"."</p>
        {bar_chart("Recipients by age", &[("Recipients", "active")], columns)}
    }
    .into_any()
}
