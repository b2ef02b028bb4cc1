//! Providers: the limits in force and where each comes from, what the engine does by itself, and a tester for replies.
//! One page: `name` in the query opens one provider.

mod automations;
mod explain;
mod list;
mod one;
mod reputation;
mod tester;

use leptos::prelude::*;

use crate::nav::use_query;

#[component]
pub fn Providers() -> impl IntoView {
    let name = use_query().param("name");
    move || match name.get() {
        name if name.is_empty() => list::all().into_any(),
        name => one::one(name).into_any(),
    }
}
