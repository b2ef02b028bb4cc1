//! A dot with its word.

use leptos::prelude::*;
use view::tone::Tone;

/// A state: dot and word, so that the colour never stands alone.
pub fn badge(tone: Tone, word: impl Into<String>) -> AnyView {
    let word: String = word.into();
    view! { <span class="badge" data-tone=tone.name()><span class="dot" aria-hidden="true"></span>{word}</span> }
        .into_any()
}

/// A plain word in a frame, for tags and classes.
pub fn chip(word: impl Into<String>) -> AnyView {
    let word: String = word.into();
    view! { <span class="chip">{word}</span> }.into_any()
}
