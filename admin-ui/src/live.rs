//! Live figures: server-sent events, polling where they do not come through.

use leptos::prelude::*;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

/// An open stream; closed when dropped.
struct Stream {
    source: EventSource,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _open: Closure<dyn FnMut()>,
    _error: Closure<dyn FnMut()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// Follows a stream of the API until the page is left. `on_data` gets each event; the signal says whether events come
/// through: while they don't, the caller polls.
pub fn follow<T: DeserializeOwned + 'static>(path: &str, on_data: impl Fn(T) + 'static) -> Signal<bool> {
    let connected = RwSignal::new(false);
    let Ok(source) = EventSource::new(&format!("/api/v1{path}")) else {
        return connected.into();
    };
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        if let Ok(data) = view::json::read(&text) {
            on_data(data);
        }
    });
    let open = Closure::<dyn FnMut()>::new(move || {
        connected.try_set(true);
    });
    // The browser connects again by itself; until then the page polls.
    let error = Closure::<dyn FnMut()>::new(move || {
        connected.try_set(false);
    });
    source.set_onopen(Some(open.as_ref().unchecked_ref()));
    source.set_onerror(Some(error.as_ref().unchecked_ref()));
    source.set_onmessage(Some(message.as_ref().unchecked_ref()));
    let _ = source.add_event_listener_with_callback("progress", message.as_ref().unchecked_ref());
    StoredValue::new_local(Stream { source, _message: message, _open: open, _error: error });
    connected.into()
}
