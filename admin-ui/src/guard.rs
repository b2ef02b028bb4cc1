//! Unsaved changes are guarded: links ask first, closing the window asks first, and what is left behind by Back is kept
//! in memory and put back when the page is opened again.

use std::collections::HashMap;

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use crate::nav::use_nav;
use crate::parts::ConfirmDialog;

/// Texts that were being written when their page was left, by page.
#[derive(Clone, Copy)]
pub struct Drafts(StoredValue<HashMap<String, String>>);

impl Drafts {
    /// None.
    pub fn new() -> Drafts {
        Drafts(StoredValue::new(HashMap::new()))
    }

    /// Keeps one.
    pub fn keep(self, page: &str, draft: String) {
        self.0.try_update_value(|drafts| drafts.insert(page.to_owned(), draft));
    }

    /// Gives one back, once.
    pub fn take(self, page: &str) -> Option<String> {
        self.0.try_update_value(|drafts| drafts.remove(page)).flatten()
    }
}

/// Asks before a link leads away from unsaved changes, and before the window is closed.
#[component]
pub fn UnsavedGuard(#[prop(into)] dirty: Signal<bool>) -> impl IntoView {
    let nav = use_nav();
    let leaving = RwSignal::new(None::<String>);
    let open = RwSignal::new(false);
    let unload = window_event_listener(leptos::ev::beforeunload, move |event| {
        if dirty.try_get_untracked() == Some(true) {
            event.prevent_default();
            event.set_return_value("unsaved");
        }
    });
    on_cleanup(move || unload.remove());

    // In the capturing phase, before the router sees the click.
    let click =
        wasm_bindgen::closure::Closure::<dyn FnMut(web_sys::MouseEvent)>::new(move |event: web_sys::MouseEvent| {
            let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.button() != 0;
            if modified || dirty.try_get_untracked() != Some(true) {
                return;
            }
            let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            let Some(link) = target.and_then(|target| target.closest("a[href^='/']").ok().flatten()) else { return };
            if link.has_attribute("download") || link.has_attribute("target") {
                return;
            }
            event.prevent_default();
            event.stop_propagation();
            leaving.set(link.get_attribute("href"));
            open.set(true);
        });
    let _ = document().add_event_listener_with_callback_and_bool("click", click.as_ref().unchecked_ref(), true);
    StoredValue::new_local(Capture(click.into_js_value()));

    let leave = Callback::new(move |()| {
        open.set(false);
        if let Some(path) = leaving.get_untracked() {
            nav.to(&path);
        }
    });
    view! {
        <ConfirmDialog open title="Leave without saving?" confirm="Leave" on_confirm=leave>
            <p>"Your changes are not saved. They are kept until you reload the console, and are here again when you come back."</p>
        </ConfirmDialog>
    }
}

struct Capture(JsValue);

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = document().remove_event_listener_with_callback_and_bool("click", self.0.unchecked_ref(), true);
    }
}
