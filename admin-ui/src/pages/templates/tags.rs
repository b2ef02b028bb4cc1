//! The picker of merge tags.

use api_types::{Field as ContactField, Page};
use leptos::prelude::*;
use view::template::merge_tags;

use crate::api::use_api;
use crate::load::load;
use crate::parts::Select;

/// Puts the chosen tag where the cursor was last.
#[component]
pub fn TagPicker(on_pick: Callback<String>) -> impl IntoView {
    let api = use_api();
    let fields = load(move || api.get::<Page<ContactField>>("/fields".to_owned()));
    let options = Signal::derive(move || {
        let fields = fields.data.with(|page| page.as_ref().map(|page| page.items.clone()).unwrap_or_default());
        let first = (String::new(), "Insert a merge tag…".to_owned());
        let tags = merge_tags(&fields).into_iter().map(|tag| (tag.tag, tag.meaning));
        std::iter::once(first).chain(tags).collect::<Vec<_>>()
    });
    // Shows the first line again after each choice, so that the same tag can be picked twice.
    let value = RwSignal::new(String::new());
    let pick = Callback::new(move |tag: String| {
        if !tag.is_empty() {
            on_pick.run(tag);
        }
        value.set(String::new());
    });
    view! { <Select value on_choice=pick options label="Insert a merge tag"/> }.into_any()
}
