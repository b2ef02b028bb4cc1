//! Bounces: who was refused or given up, by class, provider, source, campaign and day, with the servers' own words; and
//! the recipients behind each figure.

use api_types::{BounceRow, Bounces as Figures, Page, Recipient};
use leptos::prelude::*;
use view::number::grouped;
use view::query::with;
use view::tone;

use crate::api::use_api;
use crate::load::load;
use crate::nav::{Query, use_query};
use crate::parts::*;

/// What is in the URL besides `by`: each narrows both the figures and the list.
const FILTERS: [&str; 7] = ["since", "until", "class", "kind", "provider", "source", "campaign"];
const BY: [(&str, &str, &str); 5] = [
    ("class", "By class", "Class"),
    ("provider", "By provider", "Provider"),
    ("source", "By source", "Source"),
    ("campaign", "By campaign", "Campaign"),
    ("day", "By day", "Day"),
];

#[component]
pub fn Bounces() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let params = FILTERS.map(|name| query.param(name));
    let by =
        Memo::new(move |_| Some(query.param("by").get()).filter(|by| !by.is_empty()).unwrap_or("class".to_owned()));
    let cursor = query.param("cursor");
    let asked = move || params.map(|param| param.get());
    let figures = load(move || {
        let (values, by) = (asked(), by.get());
        api.get::<Figures>(path("/bounces", &values, &[("by", &by)]))
    });
    let people = load(move || {
        let (values, cursor) = (asked(), cursor.get());
        api.get::<Page<Recipient>>(path("/bounces/recipients", &values, &[("cursor", &cursor)]))
    });
    let count = move |kind: &'static str, figure: fn(&Figures) -> u64| {
        let number = figures.map(move |found| grouped(figure(found)));
        let href = move || here(query, &by.get(), &[("kind", kind)]);
        view! { <a class="plain" href=href><StatCard label=label(kind) figure=number/></a> }
    };
    let heads = || {
        vec![
            Head::text("Address"),
            Head::text("Class"),
            Head::text("Their words"),
            Head::text("Provider"),
            Head::text("Source"),
            Head::text("When"),
        ]
    };
    let empty = || {
        view! { <Empty title="Nobody was refused" about="Who is refused or given up in these days stands here, with the server's own words."/> }
            .into_any()
    };
    view! {
        <PageHeader title="Bounces" about="Who was refused or given up, and why. Hard: the address does not work. Blocked: refused because of us or the content, which says nothing against the address."/>
        <Toolbar>
            <Day query param="since" label="From (UTC)"/>
            <Day query param="until" label="To (UTC)"/>
            <FilterBy query param="kind" label="Kind" options=kinds()/>
            <FilterBy query param="by" label="Told by" options=ways()/>
        </Toolbar>
        {move || chips(query)}
        <p class="muted" role="status">{figures.map(period)}</p>
        <div class="stats">
            {count("", |found| found.total.all)}
            {count("hard", |found| found.total.hard)}
            {count("soft", |found| found.total.soft)}
            {count("block", |found| found.total.block)}
        </div>
        <Card title="Figures">
            {figures.show(6, move |found| view! { {move || found.with(|found| table_of(query, found))} }.into_any())}
        </Card>
        <h2>"Recipients"</h2>
        {list("Recipients", query, people, &FILTERS, heads, person, empty)}
    }
    .into_any()
}

/// The days that the figures and the list are about.
fn period(found: &Figures) -> String {
    match found.since == found.until {
        true => format!("{} (UTC)", found.since),
        false => format!("{} to {} (UTC)", found.since, found.until),
    }
}

fn label(kind: &str) -> &'static str {
    match kind {
        "hard" => "Hard",
        "soft" => "Soft",
        "block" => "Blocked",
        _ => "All",
    }
}

fn kinds() -> Vec<Choice> {
    let choice = |value: &str, label: &str| (value.to_owned(), label.to_owned());
    vec![
        choice("", "Every kind"),
        choice("hard", "Hard: does not work"),
        choice("soft", "Soft: not then"),
        choice("block", "Blocked: because of us"),
    ]
}

/// Without the parameter it is by class.
fn ways() -> Vec<Choice> {
    BY.map(|(word, name, _)| (if word == "class" { "" } else { word }.to_owned(), name.to_owned())).to_vec()
}

/// A request with all filters that are set.
fn path(at: &str, values: &[String; FILTERS.len()], more: &[(&str, &str)]) -> String {
    let filters = FILTERS.iter().zip(values).map(|(name, value)| (*name, value.as_str()));
    with(at, &filters.chain(more.iter().copied()).collect::<Vec<_>>())
}

/// This page with the filters of now and some changed.
fn here(query: Query, by: &str, changes: &[(&str, &str)]) -> String {
    let mut values = FILTERS.map(|name| query.param(name).get());
    for (name, value) in FILTERS.iter().zip(&mut values) {
        if let Some((_, changed)) = changes.iter().find(|(changed, _)| changed == name) {
            *value = (*changed).to_owned();
        }
    }
    path("/bounces", &values, &[("by", by)])
}

#[component]
fn Day(query: Query, param: &'static str, label: &'static str) -> impl IntoView {
    let value = query.param(param);
    view! {
        <label class="filter">
            <span>{label}</span>
            <input class="input" type="date" prop:value=value
                on:change=move |event| query.set(&[(param, event_target_value(&event))])/>
        </label>
    }
}

/// What narrows the page and has no field of its own, each with a way back.
fn chips(query: Query) -> AnyView {
    let one = |name: &'static str| {
        let value = query.param(name).get();
        (!value.is_empty()).then(|| {
            let drop = Callback::new(move |()| query.set(&[(name, String::new())]));
            let label = format!("Without this {name}");
            let shown = match (name, value.as_str()) {
                ("campaign", "0") => "submitted mail".to_owned(),
                (_, "-") => "none".to_owned(),
                (_, value) => value.replace('_', " "),
            };
            view! { <span class="chip">{format!("{}: {shown}", tone::words(name))}<Button look=Look::Ghost on_press=drop label>"×"</Button></span> }
        })
    };
    let all = ["class", "provider", "source", "campaign"].map(one);
    view! { <div class="chips">{all.into_iter().flatten().collect_view()}</div> }.into_any()
}

fn table_of(query: Query, found: &Figures) -> AnyView {
    if found.rows.is_empty() {
        return view! { <p class="muted">"Nobody was refused in these days."</p> }.into_any();
    }
    let by = found.by.clone();
    let is_class = by == "class";
    let mut heads = vec![
        Head::text(BY.iter().find(|(word, ..)| *word == by).map_or("", |(_, _, head)| head)),
        Head::number("All"),
        Head::number("Hard"),
        Head::number("Soft"),
        Head::number("Blocked"),
    ];
    if is_class {
        heads.extend([Head::text("What follows"), Head::text("Their last words")]);
    }
    let row = |row: &BounceRow| {
        let link = |count: u64, kind: &str| narrowed(query, &by, row, count, kind);
        let name = if is_class { tone::words(&row.name) } else { row.name.clone() };
        let mut cells = vec![
            name.into_any(),
            link(row.figures.all, ""),
            link(row.figures.hard, "hard"),
            link(row.figures.soft, "soft"),
            link(row.figures.block, "block"),
        ];
        if is_class {
            let words = |words: &Option<String>| {
                words.clone().map_or_else(none, |words| view! { <span class="answer">{words}</span> }.into_any())
            };
            let reply =
                row.reply.clone().map_or_else(none, |reply| view! { <code class="reply">{reply}</code> }.into_any());
            cells.extend([words(&row.action), reply]);
        }
        Row::new(cells)
    };
    table("Bounces", heads, found.rows.iter().map(row).collect())
}

/// A figure as a link to what it counts.
fn narrowed(query: Query, by: &str, row: &BounceRow, count: u64, kind: &str) -> AnyView {
    if count == 0 {
        return figure(count);
    }
    let kind = if kind.is_empty() { query.param("kind").get() } else { kind.to_owned() };
    let href = match by {
        "day" => here(query, by, &[("since", &row.key), ("until", &row.key), ("kind", &kind)]),
        by => here(query, by, &[(by, &row.key), ("kind", &kind)]),
    };
    view! { <a href=href>{grouped(count)}</a> }.into_any()
}

fn person(row: &Recipient) -> Row {
    let (tone, word) = tone::recipient(&row.state);
    let class = row.class.as_deref().map_or_else(|| word.to_string(), tone::words);
    let words = row.reply.clone().map_or_else(none, |reply| view! { <code class="reply">{reply}</code> }.into_any());
    Row::new(vec![
        view! { <a href=format!("/recipients/{}", row.id)>{row.address.clone()}</a> }.into_any(),
        badge(tone, class),
        words,
        row.provider.clone().map_or_else(none, IntoAny::into_any),
        row.source.clone().map_or_else(none, IntoAny::into_any),
        row.finished_at.as_deref().map_or_else(none, moment),
    ])
}
