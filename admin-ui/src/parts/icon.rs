//! Icons: strokes on a 24-unit square, drawn for this console.

use leptos::prelude::*;

/// Which icon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Overview,
    Campaigns,
    Journeys,
    Templates,
    Contacts,
    Segments,
    Lists,
    Preferences,
    Hygiene,
    Queue,
    Messages,
    Replies,
    Domains,
    Egress,
    Providers,
    Bounces,
    Suppressions,
    Unknown,
    Reports,
    Keys,
    Plug,
    Hook,
    Workspace,
    People,
    Menu,
    Close,
    Copy,
    Plus,
    Search,
    SignOut,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Overview => "M4 13h6V4H4zM14 20h6V11h-6zM4 20h6v-4H4zM14 8h6V4h-6z",
            Icon::Campaigns => "M4 10v4l12 5V5zM16 9a3 3 0 0 1 0 6M7 15v4h3v-3",
            Icon::Journeys => {
                "M6 6a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM18 22a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM6 6v6a4 4 0 0 0 4 4h4a4 4 0 0 1 4 2"
            }
            Icon::Templates => "M5 4h14v16H5zM5 9h14M9 9v11",
            Icon::Contacts => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c1-4 4-6 8-6s7 2 8 6",
            Icon::Segments => "M4 5h16l-6 8v6l-4-2v-4z",
            Icon::Lists => "M9 6h11M9 12h11M9 18h11M4 6h1M4 12h1M4 18h1",
            Icon::Preferences => "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
            Icon::Hygiene => "M6 21c0-6 2-8 6-8s6 2 6 8zM12 13V3M9 17v4M12 17v4M15 17v4",
            Icon::Queue => "M4 6h16M4 12h16M4 18h10",
            Icon::Messages => "M4 6h16v12H4zM4 7l8 6 8-6",
            Icon::Replies => "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6v1",
            Icon::Domains => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
            Icon::Egress => "M4 12h14M13 6l6 6-6 6M4 5v14",
            Icon::Providers => "M4 9l8-5 8 5v10H4zM4 9l8 6 8-6",
            Icon::Bounces => "M9 14l-5-5 5-5M4 9h10a6 6 0 0 1 0 12h-3",
            Icon::Suppressions => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM6 6l12 12",
            Icon::Unknown => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9 10a3 3 0 1 1 4 3c-1 0-1 1-1 2M12 17v.5",
            Icon::Reports => "M6 3h9l4 4v14H6zM14 3v5h5M9 17v-4M12 17v-6M15 17v-2",
            Icon::Keys => "M8 20a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM11 13l8-8M15 9l3 3M18 6l2 2",
            Icon::Plug => "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
            Icon::Hook => "M12 4v10a4 4 0 1 1-8 0v-2M12 4a2 2 0 1 0 .01 0M16 9l4 4-4 4M20 13h-5",
            Icon::Workspace => "M4 20V8l8-4 8 4v12M9 20v-6h6v6M4 20h16",
            Icon::People => {
                "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 19c0-3 3-5 6-5s6 2 6 5M16 6a3 3 0 0 1 0 5M17 14c2 1 4 2 4 5"
            }
            Icon::Menu => "M4 7h16M4 12h16M4 17h16",
            Icon::Close => "M6 6l12 12M18 6L6 18",
            Icon::Copy => "M9 9h11v11H9zM5 15H4V4h11v1",
            Icon::Plus => "M12 5v14M5 12h14",
            Icon::Search => "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4 4",
            Icon::SignOut => "M14 4H5v16h9M10 12h10M16 8l4 4-4 4",
        }
    }
}

/// The icon; what it means stands beside it or in the label of its button.
pub fn icon(icon: Icon) -> AnyView {
    view! { <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=icon.path()></path></svg> }.into_any()
}
