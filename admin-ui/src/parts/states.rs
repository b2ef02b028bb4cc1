//! What a page shows when there is nothing to show: loading, empty, failed.

use leptos::prelude::*;

use super::{Button, Look};
use crate::api::Failure;

/// Grey lines in the place of rows. Visible only after 150 ms: what comes sooner needs no skeleton.
pub fn skeleton(rows: usize) -> AnyView {
    let lines = (0..rows).map(|_| view! { <span class="bone"></span> }).collect_view();
    view! { <div class="skeleton" role="status"><span class="hidden">"Loading"</span>{lines}</div> }.into_any()
}

/// What went wrong, and a way to try again.
pub fn error_state(failure: &Failure, retry: Callback<()>) -> AnyView {
    view! {
        <div class="card error-state" role="alert">
            <h2>"This could not be loaded"</h2>
            <p>{failure.message()}</p>
            <Button on_press=retry>"Try again"</Button>
        </div>
    }
    .into_any()
}

/// What this is for, and the one thing to do about it.
#[component]
pub fn Empty(
    #[prop(into)] title: String,
    #[prop(into)] about: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p>{about}</p>
            <div class="actions">{children.map(|children| children())}</div>
        </div>
    }
    .into_any()
}

/// An empty list: the first thing to do, or, where filters hide everything, the way out of them.
pub fn nothing_found(clear: Callback<()>) -> AnyView {
    view! {
        <div class="empty">
            <h2>"Nothing matches"</h2>
            <p>"Other words or fewer filters may find something."</p>
            <div class="actions"><Button look=Look::Secondary on_press=clear>"Clear search and filters"</Button></div>
        </div>
    }
    .into_any()
}
