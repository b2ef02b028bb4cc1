//! Inputs with label, hint and error.

use leptos::prelude::*;

/// Label, hint and error around an input whose id is `id`.
#[component]
pub fn Field(
    children: Children,
    id: &'static str,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Signal<String>,
    #[prop(optional, into)] error: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <div class="field" class:invalid=move || error.get().is_some()>
            <label class="field-label" for=id>{label}</label>
            {children()}
            <span class="field-error" id=format!("{id}-error") role="alert">{move || error.get()}</span>
            <span class="field-hint" id=format!("{id}-hint")>{hint}</span>
        </div>
    }
    .into_any()
}

/// One line of text.
#[component]
pub fn TextInput(
    id: &'static str,
    value: RwSignal<String>,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] required: bool,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] placeholder: Option<&'static str>,
    #[prop(optional)] list: Option<&'static str>,
    #[prop(optional)] mono: bool,
    #[prop(optional, into)] disabled: Signal<bool>,
    /// Takes the focus when it appears.
    #[prop(optional)]
    focus: bool,
) -> impl IntoView {
    let node = NodeRef::<leptos::html::Input>::new();
    if focus {
        Effect::new(move |_| {
            if let Some(input) = node.get() {
                let _ = input.focus();
            }
        });
    }
    view! {
        <input node_ref=node id=id name=id type=kind class="input" class:mono=mono required=required
            autocomplete=autocomplete.unwrap_or("off") placeholder=placeholder list=list disabled=disabled
            aria-describedby=format!("{id}-error {id}-hint")
            prop:value=value on:input:target=move |event| value.set(event.target().value())/>
    }
    .into_any()
}

/// Value and label of an option.
pub type Choice = (String, String);

/// One of several.
#[component]
pub fn Select(
    /// The id that a field's label points to; none where `label` names it.
    #[prop(optional, into)]
    id: String,
    #[prop(into)] value: Signal<String>,
    on_choice: Callback<String>,
    #[prop(into)] options: Signal<Vec<Choice>>,
    /// What is chosen, where no label stands beside it.
    #[prop(optional, into)]
    label: Option<String>,
) -> impl IntoView {
    let node = NodeRef::<leptos::html::Select>::new();
    let items = move || {
        let chosen = value.get();
        options
            .get()
            .into_iter()
            .map(|(value, label)| view! { <option value=value.clone() selected=value == chosen>{label}</option> })
            .collect_view()
    };
    // Options may come later than the value: set it again when either changes.
    Effect::new(move |_| {
        options.track();
        let chosen = value.get();
        if let Some(select) = node.get() {
            select.set_value(&chosen);
        }
    });
    let described = format!("{id}-error {id}-hint");
    view! {
        <select node_ref=node id=(!id.is_empty()).then_some(id) class="input" aria-label=label.clone()
            aria-describedby=label.is_none().then_some(described)
            on:change:target=move |event| on_choice.run(event.target().value())>
            {items}
        </select>
    }
    .into_any()
}

/// The error of a whole form.
pub fn form_error(error: Signal<Option<String>>) -> AnyView {
    (move || error.get().map(|error| view! { <p class="form-error" role="alert">{error}</p> })).into_any()
}
