//! Console.
use leptos::prelude::*;
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() { mount_to_body(|| view! { <h1>"Packetboat"</h1> }); }
