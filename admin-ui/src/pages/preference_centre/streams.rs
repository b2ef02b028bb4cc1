//! Which streams people can choose on the page, and what they are called there.

use api_types::{BulkStream, PreferenceCentreState, StreamOffer};
use leptos::prelude::*;

use crate::parts::*;

/// A stream, and how it is offered.
#[derive(Clone)]
struct Row {
    stream: String,
    left: u64,
    on: RwSignal<bool>,
    title: RwSignal<String>,
    description: RwSignal<String>,
}

impl Row {
    fn of(stream: &BulkStream, offer: Option<&StreamOffer>) -> Row {
        let text = |text: Option<&String>| RwSignal::new(text.cloned().unwrap_or_default());
        Row {
            stream: stream.stream.clone(),
            left: stream.left,
            on: RwSignal::new(offer.is_some()),
            title: text(offer.map(|offer| &offer.title)),
            description: text(offer.map(|offer| &offer.description)),
        }
    }

    fn is_nameless(&self) -> bool {
        self.on.get() && self.title.with(|title| title.trim().is_empty())
    }
}

/// What is being chosen.
#[derive(Clone, Copy)]
pub struct Offers(StoredValue<Vec<Row>>);

impl Offers {
    /// As it is kept: what is offered first, in its order, then the others.
    pub fn of(state: &PreferenceCentreState) -> Offers {
        let offers = &state.settings.streams;
        let is_offered = |stream: &&BulkStream| offers.iter().any(|offer| offer.stream == stream.stream);
        let known = |offer: &StreamOffer| {
            state.streams.iter().find(|one| one.stream == offer.stream).map(|one| Row::of(one, Some(offer)))
        };
        let others = state.streams.iter().filter(|stream| !is_offered(stream)).map(|stream| Row::of(stream, None));
        Offers(StoredValue::new(offers.iter().filter_map(known).chain(others).collect()))
    }

    /// What is offered; what has no title yet is left out.
    pub fn settings(self) -> Vec<StreamOffer> {
        let offer = |row: &Row| {
            let offer =
                StreamOffer { stream: row.stream.clone(), title: row.title.get(), description: row.description.get() };
            (row.on.get() && !row.is_nameless()).then_some(offer)
        };
        self.0.with_value(|rows| rows.iter().filter_map(offer).collect())
    }

    /// Whether a title is missing.
    pub fn is_incomplete(self) -> bool {
        self.0.with_value(|rows| rows.iter().any(Row::is_nameless))
    }

    /// The part of the form.
    pub fn view(self, readonly: Signal<bool>) -> AnyView {
        let rows = self.0.with_value(|rows| rows.iter().map(|row| row_view(row.clone(), readonly)).collect_view());
        view! {
            <h3>"Streams that people can choose"</h3>
            <p class="muted">"Beside the lists. Who takes the tick away gets no campaign and no other bulk mail of the stream; everything else goes on."</p>
            {rows}
        }
        .into_any()
    }
}

fn row_view(row: Row, readonly: Signal<bool>) -> AnyView {
    let Row { stream, left, on, title, .. } = row.clone();
    let change = {
        let stream = stream.clone();
        Callback::new(move |wanted: bool| {
            if wanted && title.with_untracked(|title| title.trim().is_empty()) {
                title.set(view::preference::title_of(&stream));
            }
            on.set(wanted);
        })
    };
    let left = (left > 0).then(|| view! { <span class="muted">{view::preference::left(left)}</span> });
    view! {
        <div class="actions">
            <Check label=format!("Offer the stream {stream}") checked=on on_change=change disabled=readonly/>
            {left}
        </div>
        {move || on.get().then(|| texts(&row, readonly))}
    }
    .into_any()
}

fn texts(row: &Row, readonly: Signal<bool>) -> AnyView {
    let nameless = row.clone();
    let missing = move || nameless.is_nameless().then_some("Write what people call it.");
    view! {
        {line("What people call it", row.title, readonly)}
        <p class="field-error" role="alert">{missing}</p>
        {line("What stands below (may be empty)", row.description, readonly)}
    }
    .into_any()
}

/// A line of text inside its label: rows have no names that ids could be made of.
fn line(label: &'static str, value: RwSignal<String>, readonly: Signal<bool>) -> AnyView {
    view! {
        <label class="field">
            <span class="field-label">{label}</span>
            <input class="input" type="text" prop:value=value disabled=readonly on:input=move |event| value.set(event_target_value(&event))/>
        </label>
    }
    .into_any()
}
