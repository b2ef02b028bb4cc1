//! The preview: the daemon's own rendering of what stands in the editor, as one contact would get it.

use std::time::Duration;

use api_types::{Contact, Page, Preview, PreviewRequest, TemplateInput, TemplateProblem};
use leptos::prelude::*;
use view::number::bytes;
use view::query::with;
use view::template::{GMAIL_CUT_BYTES, has_dark_styles};
use view::tone::Tone;

use crate::api::use_api;
use crate::load::{Load, load};
use crate::parts::*;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Desktop,
    Mobile,
    Dark,
    Text,
}

const MODES: [(Mode, &str); 4] =
    [(Mode::Desktop, "Desktop"), (Mode::Mobile, "Mobile"), (Mode::Dark, "Dark"), (Mode::Text, "Plain text")];

/// Asks for a rendering, a third of a second after the last change.
pub fn rendered(input: Memo<TemplateInput>, contact: RwSignal<String>) -> Load<Preview> {
    let api = use_api();
    let settled = RwSignal::new(input.get_untracked());
    let mut settle = leptos::leptos_dom::helpers::debounce(Duration::from_millis(350), move |()| {
        if let Some(now) = input.try_get_untracked() {
            settled.try_set(now);
        }
    });
    Effect::new(move |before: Option<()>| {
        input.track();
        if before.is_some() {
            settle(());
        }
    });
    load(move || {
        let request = PreviewRequest { template: settled.get(), contact_id: contact.get().parse().ok() };
        async move { api.post::<Preview>("/templates/preview".to_owned(), &request).await }
    })
}

#[component]
pub fn PreviewPane(
    preview: Load<Preview>,
    contact: RwSignal<String>,
    on_problem: Callback<TemplateProblem>,
) -> impl IntoView {
    let mode = RwSignal::new(Mode::Desktop);
    let modes = MODES.iter().map(|(own, label)| {
        let pressed = move || (mode.get() == *own).to_string();
        view! { <button type="button" class="button ghost" aria-pressed=pressed on:click=move |_| mode.set(*own)>{*label}</button> }
    });
    view! {
        <section class="card preview" aria-label="Preview">
            <div class="preview-bar">
                <div class="segmented" role="group" aria-label="Preview as">{modes.collect_view()}</div>
                <ContactPicker contact/>
            </div>
            {preview.show(6, move |preview| {
                let html = Memo::new(move |_| preview.with(|preview| preview.html.clone()));
                let frame = move || match mode.get() {
                    Mode::Text => view! { <pre class="preview-text" tabindex="0">{move || preview.with(|preview| preview.text.clone())}</pre> }.into_any(),
                    other => frame(other, html),
                };
                view! {
                    {move || preview.with(|preview| problems(&preview.problems, on_problem))}
                    <dl class="mail-head">
                        <dt>"Subject"</dt><dd><strong>{move || preview.with(|preview| preview.subject.clone())}</strong></dd>
                        <dt>"Preheader"</dt><dd class="muted">{move || preview.with(|preview| preview.preheader.clone())}</dd>
                    </dl>
                    {frame}
                    {move || size(preview.with(|preview| preview.html_bytes))}
                }.into_any()
            })}
        </section>
    }
    .into_any()
}

/// The mail in a frame without scripts, without an origin of its own, without a way out.
fn frame(mode: Mode, html: Memo<String>) -> AnyView {
    let class = move || match mode {
        Mode::Mobile => "frame mobile",
        Mode::Dark if html.with(|html| has_dark_styles(html)) => "frame dark",
        Mode::Dark => "frame dark forced",
        Mode::Desktop | Mode::Text => "frame",
    };
    let note = move || {
        let forced = mode == Mode::Dark && !html.with(|html| has_dark_styles(html));
        forced.then_some("This mail has no dark styles of its own. Some mail apps then turn its colours round, about like this; others leave them light.")
    };
    view! {
        <p class="muted">{note}</p>
        <iframe class=class title="The mail as rendered" sandbox="" srcdoc=html></iframe>
    }
    .into_any()
}

fn size(html_bytes: u64) -> AnyView {
    if html_bytes > GMAIL_CUT_BYTES {
        let words = format!("{}: Gmail cuts a mail at 102 kB, and the unsubscribe link with it", bytes(html_bytes));
        return badge(Tone::Warning, words);
    }
    view! { <p class="muted">{format!("{} of HTML", bytes(html_bytes))}</p> }.into_any()
}

fn problems(problems: &[TemplateProblem], on_problem: Callback<TemplateProblem>) -> AnyView {
    if problems.is_empty() {
        return ().into_any();
    }
    let rows = problems.iter().cloned().map(|problem| {
        let (tone, word) = if problem.fatal { (Tone::Danger, "Error") } else { (Tone::Warning, "Doubtful") };
        let place = match problem.line {
            Some(line) => format!("{}, line {line}", view::tone::words(&problem.part)),
            None => view::tone::words(&problem.part),
        };
        let message = problem.message.clone();
        view! {
            <li data-tone=tone.name()>
                {badge(tone, word)}
                <button type="button" class="linklike" on:click=move |_| on_problem.run(problem.clone())>{place}</button>
                <span>{message}</span>
            </li>
        }
    });
    view! { <ul class="problems" role="status" aria-label="Problems">{rows.collect_view()}</ul> }.into_any()
}

/// Whose mail is shown: an invented contact, or one that is searched for.
#[component]
fn ContactPicker(contact: RwSignal<String>) -> impl IntoView {
    let api = use_api();
    let search = RwSignal::new(String::new());
    let found = load(move || api.get::<Page<Contact>>(with("/contacts", &[("limit", "20"), ("q", &search.get())])));
    let options = Signal::derive(move || {
        let rows = found.data.with(|page| {
            page.as_ref()
                .map(|page| page.items.iter().map(|row| (row.id.to_string(), row.email.clone())).collect::<Vec<_>>())
                .unwrap_or_default()
        });
        let chosen = contact.get();
        let kept = (!chosen.is_empty() && !rows.iter().any(|(id, _)| *id == chosen))
            .then(|| (chosen.clone(), format!("Contact {chosen}")));
        let first = (String::new(), "An invented contact".to_owned());
        std::iter::once(first).chain(kept).chain(rows).collect::<Vec<Choice>>()
    });
    let mut send = leptos::leptos_dom::helpers::debounce(Duration::from_millis(250), move |text: String| {
        search.try_set(text.trim().to_owned());
    });
    view! {
        <div class="picker">
            <input type="search" class="input" placeholder="Find a contact" aria-label="Find a contact for the preview" autocomplete="off"
                on:input:target=move |event| send(event.target().value())/>
            <Select value=contact on_choice=Callback::new(move |id| contact.set(id)) options label="Preview as this contact"/>
        </div>
    }
    .into_any()
}
