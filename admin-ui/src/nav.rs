//! Where we are and where to go: filters, tab and page live in the URL.

use std::rc::Rc;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map, use_query_map};

type Go = Rc<dyn Fn(&str, NavigateOptions)>;

/// Reads and changes the URL.
#[derive(Clone, Copy)]
pub struct Nav {
    go: StoredValue<Go, LocalStorage>,
}

impl Nav {
    /// To be called inside the router.
    pub fn new() -> Nav {
        let navigate = use_navigate();
        Nav { go: StoredValue::new_local(Rc::new(move |path: &str, options| navigate(path, options))) }
    }

    /// Goes to a page.
    pub fn to(self, path: &str) {
        self.go.with_value(|go| go(path, NavigateOptions::default()));
    }

    /// Goes to a page in place of this one: Back does not return here.
    pub fn replace(self, path: &str) {
        self.go.with_value(|go| go(path, NavigateOptions { replace: true, ..NavigateOptions::default() }));
    }
}

/// The navigation, inside the router.
pub fn use_nav() -> Nav {
    expect_context()
}

/// The id in the path, zero (which nothing has) where it is none.
pub fn use_id() -> Memo<i64> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse().ok()).unwrap_or(0)))
}

/// The parameters of the query.
#[derive(Clone, Copy)]
pub struct Query {
    map: Memo<leptos_router::params::ParamsMap>,
    path: Memo<String>,
    nav: Nav,
}

/// The parameters of the query, inside a page.
pub fn use_query() -> Query {
    Query { map: use_query_map(), path: use_location().pathname, nav: use_nav() }
}

impl Query {
    /// One parameter, empty when absent.
    pub fn param(self, name: &'static str) -> Memo<String> {
        Memo::new(move |_| self.map.with(|map| map.get(name).unwrap_or_default()))
    }

    /// Sets parameters; an empty value removes one. Any other change than of the page begins at the first page again.
    pub fn set(self, changes: &[(&'static str, String)]) {
        let mut map = self.map.get_untracked();
        if !changes.iter().any(|(name, _)| *name == "cursor") {
            map.remove("cursor");
        }
        for (name, value) in changes {
            map.remove(name);
            if !value.is_empty() {
                map.insert((*name).to_owned(), value.clone());
            }
        }
        let path = format!("{}{}", self.path.get_untracked(), map.to_query_string());
        // Typing in a search field must not fill the history.
        let replace = changes.iter().any(|(name, _)| *name == "q");
        let options = NavigateOptions { replace, scroll: false, ..NavigateOptions::default() };
        self.nav.go.with_value(|go| go(&path, options));
    }
}
