//! Text to be copied.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::toast::use_toasts;
use super::{Icon, icon};

/// A value with a button that copies it. `what` names it for people who don't see it.
#[component]
pub fn CopyBox(#[prop(into)] value: String, #[prop(into)] what: String) -> impl IntoView {
    let toasts = use_toasts();
    let text = NodeRef::<leptos::html::Code>::new();
    let copied = value.clone();
    let name = what.clone();
    let copy = move |_| {
        let value = copied.clone();
        let name = name.clone();
        spawn_local(async move {
            if copy_text(&value).await {
                toasts.good(format!("{name} copied"));
            } else {
                if let Some(element) = text.get_untracked() {
                    select(&element);
                }
                toasts.good("The browser does not let pages copy here: it is selected, press Ctrl+C".to_owned());
            }
        });
    };
    view! {
        <span class="copy-box">
            <code node_ref=text tabindex="0">{value}</code>
            <button type="button" class="button ghost icon-only" aria-label=format!("Copy {what}") title=format!("Copy {what}") on:click=copy>
                {icon(Icon::Copy)}
            </button>
        </span>
    }
    .into_any()
}

/// Only pages from this machine or over HTTPS have a clipboard.
async fn copy_text(value: &str) -> bool {
    let navigator = window().navigator();
    let there =
        js_sys::Reflect::get(&navigator, &JsValue::from_str("clipboard")).is_ok_and(|board| !board.is_undefined());
    there && JsFuture::from(navigator.clipboard().write_text(value)).await.is_ok()
}

fn select(element: &web_sys::Node) {
    if let Ok(Some(selection)) = window().get_selection() {
        let _ = selection.select_all_children(element);
    }
}
