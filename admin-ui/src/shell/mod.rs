//! What surrounds every page: navigation, status strip, who is signed in.

mod sidebar;
mod strip;

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;

use crate::parts::{Icon, icon};
use sidebar::Sidebar;
use strip::StatusStrip;

/// Sidebar (a drawer on narrow screens), status strip, the page.
#[component]
pub fn Shell(children: Children) -> impl IntoView {
    let drawer = RwSignal::new(false);
    let path = use_location().pathname;
    // A link in the drawer closes it by leading elsewhere.
    Effect::new(move |_| {
        path.track();
        drawer.set(false);
    });
    let keys = window_event_listener(leptos::ev::keydown, move |event| match event.key().as_str() {
        "Escape" => drawer.set(false),
        "/" if !is_typing(&event) => {
            if let Some(search) = first("[data-search]") {
                event.prevent_default();
                let _ = search.focus();
            }
        }
        _ => {}
    });
    on_cleanup(move || keys.remove());
    view! {
        <a class="skip" href="#page" rel="external">"Skip to the page"</a>
        <div class="shell" data-drawer=move || drawer.get().to_string()>
            <header class="topbar">
                <button type="button" class="button ghost icon-only" aria-label="Navigation" aria-expanded=move || drawer.get().to_string()
                    aria-controls="sidebar" on:click=move |_| drawer.update(|open| *open = !*open)>
                    {icon(Icon::Menu)}
                </button>
                <span class="brand">"Packetboat"</span>
            </header>
            <Sidebar/>
            <div class="scrim" aria-hidden="true" on:click=move |_| drawer.set(false)></div>
            <div class="main">
                <StatusStrip/>
                <main id="page" tabindex="-1">{children()}</main>
            </div>
        </div>
    }
    .into_any()
}

fn is_typing(event: &web_sys::KeyboardEvent) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| ["INPUT", "TEXTAREA", "SELECT"].contains(&element.tag_name().as_str()))
}

fn first(selector: &str) -> Option<web_sys::HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}
