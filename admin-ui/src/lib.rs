//! The console of Packetboat: client-side rendered, talking only to the public API.
//!
//! `api` is the typed client (only a signed-in console has calls), `pages` own a route and its loading, `parts` are small
//! and fetch nothing, `shell` is what surrounds every page. What pages compute lies in the crate `view`, tested natively.

mod api;
mod app;
mod guard;
mod live;
mod load;
mod nav;
mod pages;
mod parts;
mod shell;
mod submit;
mod theme;

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by `boot.js` once the WASM is there.
#[wasm_bindgen(start)]
pub fn start() {
    leptos::mount::mount_to_body(app::App);
}
