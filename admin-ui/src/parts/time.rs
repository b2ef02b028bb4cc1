//! Moments: local with the zone named, the exact moment on hover.

use js_sys::{Date, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

/// Milliseconds since 1970 of an RFC 3339 moment; nothing where it is none.
pub fn millis(at: &str) -> Option<f64> {
    let value = Date::parse(at);
    (!value.is_nan()).then_some(value)
}

/// Now, as the browser has it.
pub fn now() -> f64 {
    Date::now()
}

/// A moment, local, with its zone.
pub fn local(at: &str) -> String {
    format(
        at,
        &[
            ("day", "numeric"),
            ("month", "short"),
            ("year", "numeric"),
            ("hour", "2-digit"),
            ("minute", "2-digit"),
            ("timeZoneName", "short"),
        ],
    )
}

/// Only the hour, for charts.
pub fn hour(at: &str) -> String {
    format(at, &[("hour", "2-digit"), ("minute", "2-digit")])
}

fn format(at: &str, parts: &[(&str, &str)]) -> String {
    let Some(value) = millis(at) else { return at.to_owned() };
    let options = Object::new();
    for (name, style) in parts {
        let _ = Reflect::set(&options, &JsValue::from_str(name), &JsValue::from_str(style));
    }
    Date::new(&JsValue::from_f64(value)).to_locale_string("en-GB", &options).into()
}

/// A moment: local with its zone; exact on hover.
pub fn moment(at: &str) -> AnyView {
    let text = local(at);
    view! { <time datetime=at.to_owned() title=at.to_owned()>{text}</time> }.into_any()
}

/// A moment in words: "5 min ago"; local and exact on hover.
pub fn ago(at: &str) -> AnyView {
    let Some(value) = millis(at) else { return at.to_owned().into_any() };
    let words = view::when::relative(value, now());
    let title = format!("{} ({at})", local(at));
    view! { <time datetime=at.to_owned() title=title>{words}</time> }.into_any()
}
