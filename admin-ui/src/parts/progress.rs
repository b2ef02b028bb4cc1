//! How far something is.

use leptos::prelude::*;
use view::progress::Part;

/// One bar for one share, 0 to 100.
#[component]
pub fn ProgressBar(#[prop(into)] percent: Signal<f64>, #[prop(into)] label: String) -> impl IntoView {
    view! {
        <div class="bar" role="progressbar" aria-label=label aria-valuemin="0" aria-valuemax="100"
            aria-valuenow=move || format!("{:.0}", percent.get())>
            <span class="bar-part" data-tone="active" style:width=move || format!("{:.2}%", percent.get())></span>
        </div>
    }
    .into_any()
}

/// One bar of several states beside each other, never merged.
#[component]
pub fn StateBar(
    #[prop(into)] parts: Signal<Vec<Part>>,
    #[prop(into)] settled: Signal<f64>,
    #[prop(into)] text: Signal<String>,
) -> impl IntoView {
    let pieces = move || {
        let parts = parts.get().into_iter().filter(|part| part.count > 0);
        parts
            .map(|part| view! { <span class="bar-part" data-tone=part.tone.name() data-state=part.state style:width=format!("{:.3}%", part.percent)></span> })
            .collect_view()
    };
    view! {
        <div class="bar tall" role="progressbar" aria-label="Settled recipients" aria-valuemin="0" aria-valuemax="100"
            aria-valuenow=move || format!("{:.0}", settled.get()) aria-valuetext=text>
            {pieces}
        </div>
    }
    .into_any()
}
