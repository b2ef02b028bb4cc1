//! Short answers to what was done, in a live region.

use std::time::Duration;

use leptos::prelude::*;
use view::tone::Tone;

use super::{Icon, icon};
use crate::api::Failure;

#[derive(Clone, PartialEq)]
struct Toast {
    id: u32,
    tone: Tone,
    text: String,
}

/// The toasts that are shown.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    last: StoredValue<u32>,
}

impl Toasts {
    /// None yet.
    pub fn new() -> Toasts {
        Toasts { shown: RwSignal::new(Vec::new()), last: StoredValue::new(0) }
    }

    /// It worked.
    pub fn good(self, text: impl Into<String>) {
        self.add(Tone::Success, text.into(), 6);
    }

    /// It did not.
    pub fn failed(self, failure: &Failure) {
        self.add(Tone::Danger, failure.message(), 15);
    }

    fn add(self, tone: Tone, text: String, seconds: u64) {
        let id = self.last.try_update_value(|last| {
            *last += 1;
            *last
        });
        let Some(id) = id else { return };
        self.shown.try_update(|shown| shown.push(Toast { id, tone, text }));
        set_timeout(move || self.remove(id), Duration::from_secs(seconds));
    }

    fn remove(self, id: u32) {
        self.shown.try_update(|shown| shown.retain(|toast| toast.id != id));
    }
}

/// The toasts, inside the shell.
pub fn use_toasts() -> Toasts {
    expect_context()
}

/// Where toasts appear.
#[component]
pub fn ToastRegion(toasts: Toasts) -> impl IntoView {
    let row = move |toast: Toast| {
        let Toast { id, tone, text } = toast;
        view! {
            <div class="toast" data-tone=tone.name() role=if tone == Tone::Danger { "alert" } else { "status" }>
                <span class="dot" aria-hidden="true"></span>
                <span>{text}</span>
                <button type="button" class="button ghost icon-only" aria-label="Dismiss" on:click=move |_| toasts.remove(id)>{icon(Icon::Close)}</button>
            </div>
        }
    };
    view! {
        <div class="toasts" aria-live="polite">
            <For each=move || toasts.shown.get() key=|toast| toast.id children=row/>
        </div>
    }
    .into_any()
}
