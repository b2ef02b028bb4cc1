//! A thin strip on top, only when something is wrong.

use api_types::{Notice, Overview, Pause};
use leptos::prelude::*;
use view::tone;

use crate::api::{Link, use_api};
use crate::load::load;
use crate::pages::Resume;
use crate::parts::ago;

#[component]
pub fn StatusStrip() -> impl IntoView {
    let api = use_api();
    let link = expect_context::<Link>();
    let overview = load(move || api.get::<Overview>("/overview".to_owned())).every(30, || true);
    let worst = overview.map(|overview| {
        let grave = |notice: &&Notice| notice.tone == "danger";
        overview.notices.iter().find(grave).map(|notice| (notice.message.clone(), notice.link.clone()))
    });
    let pauses = load(move || api.get::<Vec<Pause>>("/pauses".to_owned())).every(10, || true);
    let paused = pauses.map(|pauses| pauses.first().map(|first| (first.clone(), pauses.len() - 1)));
    let changed = Callback::new(move |()| pauses.reload());
    // Asked again soon while the daemon is away, so that the strip goes by itself.
    let waiting = overview.every(5, move || !link.reachable.get_untracked());
    let strip = move || {
        if !link.reachable.get() {
            let retry = move |_| waiting.reload();
            return Some(
                view! {
                    <p class="strip" data-tone="danger" role="status">
                        <span class="dot" aria-hidden="true"></span>
                        <span>"The daemon does not answer. What you see may be old; trying again by itself."</span>
                        <button type="button" class="button ghost" on:click=retry>"Try now"</button>
                    </p>
                }
                .into_any(),
            );
        }
        let paused = paused.get().map(|(pause, others)| paused_strip(&pause, others, changed));
        let worst = worst.get().map(|(message, href)| {
            view! {
                <p class="strip" data-tone=tone::Tone::Danger.name() role="status">
                    <span class="dot" aria-hidden="true"></span>
                    <span>{message}</span>
                    {href.map(|href| view! { <a href=href>"Look"</a> })}
                </p>
            }
            .into_any()
        });
        match (worst, paused) {
            (None, None) => None,
            (worst, paused) => Some(view! { {worst}{paused} }.into_any()),
        }
    };
    strip.into_any()
}

/// What is paused: the newest, and how many others.
fn paused_strip(pause: &Pause, others: usize, changed: Callback<()>) -> AnyView {
    let by = (!pause.created_by.is_empty()).then(|| format!(" by {}", pause.created_by));
    let why = (!pause.reason.is_empty()).then(|| format!(": {}", pause.reason));
    let more = (others > 0).then(|| view! { <a href="/queue">{format!("{others} more")}</a> });
    view! {
        <p class="strip" data-tone=tone::Tone::Warning.name() role="status">
            <span class="dot" aria-hidden="true"></span>
            <span>"Paused"{by}", "{ago(&pause.created_at)}": "{pause.what.clone()}{why}</span>
            {pause.can_end.then(|| view! { <Resume id=pause.id.clone() changed/> })}
            {more}
        </p>
    }
    .into_any()
}
