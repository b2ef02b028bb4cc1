//! The head of a page.

use leptos::prelude::*;

/// Title, one line of explanation, what leads here, actions. Also names the window.
#[component]
pub fn PageHeader(
    #[prop(into)] title: Signal<String>,
    #[prop(optional, into)] about: Signal<String>,
    /// The page above: its path and its name.
    #[prop(optional, into)]
    above: Option<(String, &'static str)>,
    /// Whether there is something that the actions can act on.
    #[prop(default = Signal::stored(true), into)]
    ready: Signal<bool>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let heading = NodeRef::<leptos::html::H1>::new();
    // A new page is announced and the keyboard starts at its heading; nothing is taken from an input that has the focus.
    Effect::new(move |_| {
        if let Some(heading) = heading.get() {
            let active = document().active_element().map(|element| element.tag_name()).unwrap_or_default();
            if !["INPUT", "SELECT", "TEXTAREA"].contains(&active.as_str()) {
                let _ = heading.focus();
            }
        }
    });
    Effect::new(move |_| {
        let title = title.get();
        document().set_title(&if title.is_empty() {
            "Packetboat".to_owned()
        } else {
            format!("{title} · Packetboat")
        });
    });
    view! {
        <header class="page-head">
            <div>
                {above.map(|(href, name)| view! { <nav class="above" aria-label="Breadcrumb"><a href=href>{name}</a></nav> })}
                <h1 tabindex="-1" node_ref=heading>{title}</h1>
                <p class="about">{about}</p>
            </div>
            <div class="actions" hidden=move || !ready.get()>{children.map(|children| children())}</div>
        </header>
    }
    .into_any()
}

/// One tab: its word in the URL, its label.
pub type Tab = (&'static str, &'static str);

/// Tabs over parts of a page; the chosen one lives in the URL as `tab`, so these are links.
#[component]
pub fn Tabs(#[prop(into)] label: String, tabs: &'static [Tab], #[prop(into)] chosen: Signal<String>) -> impl IntoView {
    let path = leptos_router::hooks::use_location().pathname;
    let links = tabs.iter().map(|(word, name)| {
        let current = move || if chosen.get() == *word { Some("page") } else { None };
        let href = move || if word.is_empty() { path.get() } else { format!("{}?tab={word}", path.get()) };
        view! { <a href=href aria-current=current>{*name}</a> }
    });
    view! { <nav class="tabs" aria-label=label>{links.collect_view()}</nav> }.into_any()
}
