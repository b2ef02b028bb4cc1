//! One figure with its label.

use leptos::prelude::*;

/// A figure, what it counts, and a line of its last values. With `href` it is a link to what it counts.
#[component]
pub fn StatCard(
    #[prop(into)] label: String,
    #[prop(into)] figure: Signal<String>,
    #[prop(optional, into)] hint: Signal<String>,
    #[prop(optional, into)] href: String,
    #[prop(optional, into)] spark: Signal<Vec<u64>>,
) -> impl IntoView {
    let line = move || {
        let values = spark.get();
        (values.len() > 1).then(|| {
            view! {
                <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
                    <path d=view::chart::line(&values, 100.0, 24.0)></path>
                </svg>
            }
        })
    };
    let body = view! {
        <span class="stat-label">{label}</span>
        <span class="stat-figure">{figure}</span>
        <span class="stat-hint">{hint}</span>
        {line}
    };
    if href.is_empty() {
        view! { <div class="card stat">{body}</div> }.into_any()
    } else {
        view! { <a class="card stat" href=href>{body}</a> }.into_any()
    }
}

/// A card with a heading.
#[component]
pub fn Card(
    children: Children,
    #[prop(into)] title: String,
    #[prop(optional)] actions: Option<AnyView>,
) -> impl IntoView {
    view! {
        <section class="card">
            <header class="card-head"><h2>{title}</h2>{actions}</header>
            {children()}
        </section>
    }
    .into_any()
}
