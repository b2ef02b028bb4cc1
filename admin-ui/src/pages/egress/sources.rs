//! Each source with every check, what it found, and what to do.

use api_types::{Page, Source, SourceCheck, SourceDetail};
use leptos::prelude::*;
use view::source;

use crate::api::use_api;
use crate::load::{Load, load};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn SourceHealth() -> impl IntoView {
    let api = use_api();
    let sources = load(move || api.get::<Page<Source>>("/sources".to_owned())).every(30, || true);
    view! {
        {sources.show(4, move |page| view! {
            {move || page.get().items.into_iter().map(|source| view! { <SourceCard source sources/> }).collect_view()}
        }.into_any())}
    }
    .into_any()
}

#[component]
fn SourceCard(source: Source, sources: Load<Page<Source>>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let submit = Submit::new();
    let name = source.name.clone();
    let look = Callback::new(move |()| {
        let name = name.clone();
        submit.run(async move {
            match api.act::<SourceDetail>(format!("/sources/{name}/check")).await {
                Ok(detail) => {
                    toasts.good(format!("{name}: {}", source::state(&detail.source).1.to_lowercase()));
                    sources.reload();
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    let (tone, word) = source::state(&source);
    let out = source.out.clone().map(|why| view! { <p role="status">"Nothing leaves from it: "{why}"."</p> });
    let checked = match &source.checked_at {
        Some(at) => view! { "Last looked at "{ago(at)}"." }.into_any(),
        None => "Not looked at yet.".into_any(),
    };
    view! {
        <section class="card" data-tone=tone.name()>
            <header class="card-head">
                <h2>{format!("Source {}", source.name)}</h2>
                <span class="actions">
                    {badge(tone, word)}
                    <Button busy=submit.busy on_press=look label=format!("Look now at {}", source.name)>"Look now"</Button>
                </span>
            </header>
            <p class="muted">{source::sentence(&source)}" "{checked}</p>
            {out}
            {checks_table(&source.checks)}
        </section>
    }
    .into_any()
}

fn checks_table(checks: &[SourceCheck]) -> Option<AnyView> {
    if checks.is_empty() {
        return None;
    }
    let heads = vec![
        Head::text("Check"),
        Head::text("Result"),
        Head::text("Found"),
        Head::text("What to do"),
        Head::text("Since"),
    ];
    let row = |check: &SourceCheck| {
        let (tone, word) = source::level(check.level);
        let advice = if check.advice.is_empty() { none() } else { check.advice.clone().into_any() };
        Row::new(vec![
            source::subject(check).into_any(),
            badge(tone, word),
            check.found.clone().into_any(),
            advice,
            ago(&check.since),
        ])
    };
    Some(table("Checks", heads, checks.iter().map(row).collect()))
}
