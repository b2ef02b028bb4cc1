//! Light, dark, or the system's. Kept in local storage (it is no secret); `theme.js` sets it before the first paint.

use leptos::prelude::*;

/// Which theme is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    /// Every one, with its word.
    pub const ALL: [(Theme, &'static str, &'static str); 3] =
        [(Theme::System, "", "System"), (Theme::Light, "light", "Light"), (Theme::Dark, "dark", "Dark")];

    /// As it was chosen last.
    pub fn stored() -> Theme {
        let word = storage().and_then(|storage| storage.get_item("theme").ok().flatten()).unwrap_or_default();
        Theme::ALL.into_iter().find(|(_, name, _)| *name == word).map_or(Theme::System, |(theme, _, _)| theme)
    }

    /// Shows it from now on.
    pub fn apply(self) {
        let word = Theme::ALL.into_iter().find(|(theme, _, _)| *theme == self).map_or("", |(_, name, _)| name);
        let Some(root) = document().document_element() else { return };
        let _ =
            if word.is_empty() { root.remove_attribute("data-theme") } else { root.set_attribute("data-theme", word) };
        if let Some(storage) = storage() {
            let _ = if word.is_empty() { storage.remove_item("theme") } else { storage.set_item("theme", word) };
        }
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
