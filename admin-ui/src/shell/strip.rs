//! A thin strip on top, only when something is wrong.

use api_types::{Notice, Overview};
use leptos::prelude::*;
use view::tone;

use crate::api::{Link, use_api};
use crate::load::load;

#[component]
pub fn StatusStrip() -> impl IntoView {
    let api = use_api();
    let link = expect_context::<Link>();
    let overview = load(move || api.get::<Overview>("/overview".to_owned())).every(30, || true);
    let worst = overview.map(|overview| {
        let grave = |notice: &&Notice| notice.tone == "danger";
        overview.notices.iter().find(grave).map(|notice| (notice.message.clone(), notice.link.clone()))
    });
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
        worst.get().map(|(message, href)| {
            view! {
                <p class="strip" data-tone=tone::Tone::Danger.name() role="status">
                    <span class="dot" aria-hidden="true"></span>
                    <span>{message}</span>
                    {href.map(|href| view! { <a href=href>"Look"</a> })}
                </p>
            }
            .into_any()
        })
    };
    strip.into_any()
}
