//! A campaign's figures: every state apart, and the table per receiving provider. Each figure leads to what it counts.

use api_types::{Progress, ProviderProgress, ResponseShare};
use leptos::prelude::*;
use view::number::grouped;
use view::progress::{ProviderColumn, bounced, parts, sorted};
use view::query::with;
use view::tone::words;
use view::trace::{RESPONSES, percent, response_tone};

use crate::nav::Query;
use crate::parts::*;

/// The states as figures that lead to their recipients.
pub fn states(id: i64, progress: Memo<Progress>) -> AnyView {
    let tiles = move || {
        let parts = progress.with(parts);
        let tile = |part: view::progress::Part| {
            let href = log(id, &[("state", part.state)]);
            view! {
                <a class="state-tile" href=href title=part.meaning data-tone=part.tone.name()>
                    <span class="badge" data-tone=part.tone.name()><span class="dot" aria-hidden="true"></span>{part.label}</span>
                    <strong>{grouped(part.count)}</strong>
                </a>
            }
        };
        parts.into_iter().map(tile).collect_view()
    };
    view! { <div class="state-tiles">{tiles}</div> }.into_any()
}

/// What the recipients did, each a link to who did it.
pub fn responses(id: i64, progress: Memo<Progress>) -> AnyView {
    let tiles = move || {
        let tile = |share: ResponseShare| {
            let (_, label, meaning) = RESPONSES.iter().find(|(word, ..)| *word == share.response)?;
            let tone = response_tone(&share.response).name();
            let href = log(id, &[("response", &share.response)]);
            Some(view! {
                <a class="state-tile" href=href title=*meaning data-tone=tone>
                    <span class="badge" data-tone=tone><span class="dot" aria-hidden="true"></span>{*label}</span>
                    <strong>{grouped(share.count)}</strong>
                    <span class="muted">{format!("{} of accepted", percent(share.percent))}</span>
                </a>
            })
        };
        progress.with(|progress| progress.responses.clone()).into_iter().filter_map(tile).collect_view()
    };
    view! { <div class="state-tiles">{tiles}</div> }.into_any()
}

/// The recipient log with filters.
fn log(id: i64, filters: &[(&str, &str)]) -> String {
    with(&format!("/campaigns/{id}/recipients"), filters)
}

/// What happened at each receiving provider.
pub fn providers(id: i64, query: Query, sort: Memo<String>, progress: Memo<Progress>) -> AnyView {
    let body = move || {
        let column = ProviderColumn::parse(&sort.get());
        let rows = progress.with(|progress| sorted(&progress.providers, column));
        if rows.is_empty() {
            return view! { <p class="muted">"Nothing has been answered yet."</p> }.into_any();
        }
        let head = |head: Head, word: &'static str| {
            head.sorting(Sort { word, active: ProviderColumn::parse(word) == column, query })
        };
        let heads = vec![
            head(Head::text("Provider"), "name"),
            head(Head::number("Accepted"), "delivered"),
            head(Head::number("Retried"), "retried"),
            Head::number("Deferrals"),
            head(Head::number("Bounced"), "bounced"),
            Head::text("Why"),
            head(Head::number("Complaints"), "complained"),
            head(Head::number("Blocked"), "blocked"),
            Head::number("Expired"),
            head(Head::number("Unknown"), "unknown"),
        ];
        table("Per receiving provider", heads, rows.iter().map(|row| provider_row(id, row)).collect())
    };
    body.into_any()
}

fn provider_row(id: i64, row: &ProviderProgress) -> Row {
    let provider = row.provider.as_str();
    let counted = |count: u64, filters: &[(&str, &str)]| match count {
        0 => view! { <span class="none">"0"</span> }.into_any(),
        count => view! { <a href=log(id, filters)>{grouped(count)}</a> }.into_any(),
    };
    let of = |state: &'static str, count: u64| counted(count, &[("state", state), ("provider", provider)]);
    let classes = row.bounced.iter().filter(|class| class.count > 0).map(|class| {
        let href = log(id, &[("state", "bounced"), ("provider", provider), ("class", &class.name)]);
        view! { <a class="chip" href=href>{format!("{} {}", words(&class.name), grouped(class.count))}</a> }
    });
    Row::new(vec![
        view! { <a href=log(id, &[("provider", provider)])>{row.provider.clone()}</a> }.into_any(),
        of("delivered", row.delivered),
        figure(row.retried),
        figure(row.deferrals),
        bounces(id, provider, bounced(row)),
        view! { <span class="chips">{classes.collect_view()}</span> }.into_any(),
        figure(row.complained),
        figure(row.blocked),
        of("expired", row.expired),
        of("unknown", row.unknown),
    ])
}

/// Bounces, told apart on their own page.
fn bounces(campaign: i64, provider: &str, count: u64) -> AnyView {
    if count == 0 {
        return figure(0);
    }
    // From the first day on that figures are kept of.
    let filters =
        [("campaign", campaign.to_string()), ("provider", provider.to_owned()), ("since", "2000-01-01".to_owned())];
    let filters: Vec<(&str, &str)> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    view! { <a href=with("/bounces", &filters)>{grouped(count)}</a> }.into_any()
}
