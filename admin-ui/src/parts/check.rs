//! Boxes to tick, and texts of several lines.

use leptos::prelude::*;

/// One box with its label.
#[component]
pub fn Check(
    #[prop(into)] label: String,
    #[prop(into)] checked: Signal<bool>,
    on_change: Callback<bool>,
    #[prop(optional, into)] disabled: Signal<bool>,
) -> impl IntoView {
    view! {
        <label class="check">
            <input type="checkbox" prop:checked=checked disabled=disabled
                on:change:target=move |event| on_change.run(event.target().checked())/>
            <span>{label}</span>
        </label>
    }
    .into_any()
}

/// Text of several lines.
#[component]
pub fn TextArea(
    id: &'static str,
    value: RwSignal<String>,
    #[prop(default = 3)] rows: u32,
    #[prop(optional, into)] disabled: Signal<bool>,
) -> impl IntoView {
    view! {
        <textarea id=id name=id class="input" rows=rows disabled=disabled aria-describedby=format!("{id}-error {id}-hint")
            prop:value=value on:input:target=move |event| value.set(event.target().value())></textarea>
    }
    .into_any()
}

/// A colour, written or picked; nothing for our own.
#[component]
pub fn ColourInput(
    id: &'static str,
    value: RwSignal<String>,
    /// What the picker shows while there is none.
    ours: &'static str,
    #[prop(into)] label: String,
    #[prop(optional, into)] disabled: Signal<bool>,
) -> impl IntoView {
    let shown = move || value.with(|value| if value.is_empty() { ours.to_owned() } else { value.clone() });
    view! {
        <span class="colour">
            <input type="color" aria-label=format!("Pick: {label}") disabled=disabled
                prop:value=shown on:input:target=move |event| value.set(event.target().value())/>
            <super::TextInput id value placeholder=ours mono=true disabled/>
        </span>
    }
    .into_any()
}
