//! Loading what a page shows. Strategies: fetch again when a parameter changes, keep the old figures until the new ones are
//! there, drop the request when the page is left, poll only while the page is seen.

use std::future::Future;
use std::time::Duration;

use api_types::ErrorCode;
use leptos::prelude::*;
use leptos::reactive::spawn_local_scoped_with_cancellation;

use crate::api::Failure;
use crate::parts::{error_state, skeleton};

/// What is being loaded, has been loaded, or could not be.
pub struct Load<T: Send + Sync + 'static> {
    /// The newest there is.
    pub data: RwSignal<Option<T>>,
    /// Why the last call gave nothing.
    pub failure: RwSignal<Option<Failure>>,
    /// Whether a call is on its way.
    pub busy: RwSignal<bool>,
    again: RwSignal<u32>,
}

impl<T: Send + Sync> Clone for Load<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync> Copy for Load<T> {}

/// Loads with `fetch`, again whenever a signal changes that it reads before its first await.
pub fn load<T, F, Fut>(fetch: F) -> Load<T>
where
    T: Send + Sync + 'static,
    F: Fn() -> Fut + 'static,
    Fut: Future<Output = Result<T, Failure>> + 'static,
{
    let load = Load {
        data: RwSignal::new(None),
        failure: RwSignal::new(None),
        busy: RwSignal::new(false),
        again: RwSignal::new(0),
    };
    Effect::new(move |_| {
        load.again.track();
        load.busy.set(true);
        let answer = fetch();
        spawn_local_scoped_with_cancellation(async move {
            match answer.await {
                Ok(data) => {
                    load.data.try_set(Some(data));
                    load.failure.try_set(None);
                }
                Err(failure) => {
                    load.failure.try_set(Some(failure));
                }
            }
            load.busy.try_set(false);
        });
    });
    load
}

impl<T: Send + Sync + Clone + 'static> Load<T> {
    /// Fetches again.
    pub fn reload(self) {
        self.again.try_update(|count| *count += 1);
    }

    /// Fetches again every so often, while the page is seen and `wanted`.
    pub fn every(self, seconds: u64, wanted: impl Fn() -> bool + 'static) -> Self {
        let tick = move || {
            let seen = !document().hidden();
            if seen && wanted() && self.busy.try_get_untracked() == Some(false) {
                self.reload();
            }
        };
        if let Ok(handle) = set_interval_with_handle(tick, Duration::from_secs(seconds)) {
            on_cleanup(move || handle.clear());
        }
        self
    }

    /// A value of what was loaded, or its default until then.
    pub fn map<V>(self, value: impl Fn(&T) -> V + Send + Sync + 'static) -> Memo<V>
    where
        V: Default + PartialEq + Send + Sync + 'static,
    {
        Memo::new(move |_| self.data.with(|data| data.as_ref().map(&value).unwrap_or_default()))
    }

    /// The title of a page about what was loaded.
    pub fn title(self, name: impl Fn(&T) -> String + Send + Sync + 'static) -> Memo<String> {
        Memo::new(move |_| match self.data.with(|data| data.as_ref().map(&name)) {
            Some(name) => name,
            None => self.failure.with(|failure| match failure.as_ref().map(Failure::code) {
                Some(Some(ErrorCode::NotFound)) => "Not found".to_owned(),
                Some(_) => "Not loaded".to_owned(),
                None => String::new(),
            }),
        })
    }

    /// Whether there is something to act on.
    pub fn there(self) -> Memo<bool> {
        Memo::new(move |_| self.data.with(Option::is_some))
    }

    /// What it looks like: skeleton, what `show` makes of the data, or what went wrong with a way to try again.
    /// `show` runs once; its signal carries the later values.
    pub fn show(self, rows: usize, show: impl Fn(Signal<T>) -> AnyView + Send + Sync + 'static) -> AnyView {
        let there = self.there();
        let retry = Callback::new(move |()| self.reload());
        let body = move || {
            if there.get() {
                return show(Signal::derive(move || self.data.get().expect("data never goes away again")));
            }
            match self.failure.get() {
                Some(failure) => error_state(&failure, retry),
                None => skeleton(rows),
            }
        };
        // A failure beside older data does not take the data away.
        let stale = move || {
            let failure = if there.get() { self.failure.get() } else { None };
            failure.map(|failure| error_state(&failure, retry))
        };
        view! { <div class="loaded" aria-busy=move || self.busy.get().to_string()>{stale}{body}</div> }.into_any()
    }
}
