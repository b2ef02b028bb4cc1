//! Loading what a page shows. Strategies: fetch again when a parameter changes, keep the old figures until the new ones are
//! there, drop the request when the page is left, poll only while the page is seen.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api_types::{ErrorCode, Page};
use leptos::prelude::*;
use leptos::reactive::spawn_local_scoped_with_cancellation;
use serde::de::DeserializeOwned;
use view::query::with;

use crate::api::{Failure, use_api};
use crate::nav::Query;
use crate::parts::{error_state, skeleton};

/// What is being loaded, has been loaded, or could not be.
pub struct Load<T: Send + Sync + 'static> {
    /// The newest there is.
    pub data: Data<T>,
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

/// What was loaded, as far as it is there. Kept as a signal of one kind for all kinds of data: a signal of each would be
/// compiled for each, and that was a tenth of the console.
pub struct Data<T> {
    kept: RwSignal<Arc<dyn Any + Send + Sync>>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Data<T> {}

impl<T: Send + Sync + 'static> Data<T> {
    fn new() -> Data<T> {
        Data { kept: RwSignal::new(Arc::new(None::<T>)), kind: PhantomData }
    }

    /// Looks at it; whoever asks is told of later values.
    pub fn with<V>(self, look: impl FnOnce(&Option<T>) -> V) -> V {
        look(seen(&self.kept.get()))
    }

    /// Looks at it as it is now.
    pub fn with_untracked<V>(self, look: impl FnOnce(&Option<T>) -> V) -> V {
        look(seen(&self.kept.get_untracked()))
    }

    /// Puts a value there, unless the page was left.
    pub fn put(self, data: T) {
        self.kept.try_set(Arc::new(Some(data)));
    }
}

impl<T: Clone + Send + Sync + 'static> Data<T> {
    /// A copy of it; whoever asks is told of later values.
    pub fn get(self) -> Option<T> {
        self.with(Clone::clone)
    }

    /// A copy of it as it is now.
    pub fn get_untracked(self) -> Option<T> {
        self.with_untracked(Clone::clone)
    }
}

/// Data that is there: what `Load::show` hands out.
pub struct Shown<T>(Data<T>);

impl<T> Clone for Shown<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shown<T> {}

impl<T: Send + Sync + 'static> Shown<T> {
    /// Looks at it; whoever asks is told of later values.
    pub fn with<V>(self, look: impl FnOnce(&T) -> V) -> V {
        self.0.with(|data| look(there(data)))
    }

    /// Looks at it as it is now.
    pub fn with_untracked<V>(self, look: impl FnOnce(&T) -> V) -> V {
        self.0.with_untracked(|data| look(there(data)))
    }
}

impl<T: Clone + Send + Sync + 'static> Shown<T> {
    /// A copy of it; whoever asks is told of later values.
    pub fn get(self) -> T {
        self.with(Clone::clone)
    }

    /// A copy of it as it is now.
    pub fn get_untracked(self) -> T {
        self.with_untracked(Clone::clone)
    }
}

fn there<T>(data: &Option<T>) -> &T {
    data.as_ref().expect("data never goes away again")
}

fn seen<T: 'static>(kept: &Arc<dyn Any + Send + Sync>) -> &Option<T> {
    kept.downcast_ref().expect("only Data<T> puts it there")
}

/// Loads with `fetch`, again whenever a signal changes that it reads before its first await.
pub fn load<T, F, Fut>(fetch: F) -> Load<T>
where
    T: Send + Sync + 'static,
    F: Fn() -> Fut + 'static,
    Fut: Future<Output = Result<T, Failure>> + 'static,
{
    let load =
        Load { data: Data::new(), failure: RwSignal::new(None), busy: RwSignal::new(false), again: RwSignal::new(0) };
    let ask = move || -> Work {
        let answer = fetch();
        Box::pin(async move {
            load.data.put(answer.await?);
            Ok(())
        })
    };
    keep_up(load.failure, load.busy, load.again, Box::new(ask));
    load
}

/// The page of a list that the URL asks for: its filters, and where it begins.
pub fn listed<T>(query: Query, filters: &'static [&'static str], path: impl Fn() -> String + 'static) -> Load<Page<T>>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let api = use_api();
    let params: Vec<(&str, Memo<String>)> =
        filters.iter().chain(&["cursor"]).map(|name| (*name, query.param(name))).collect();
    load(move || {
        let values: Vec<(&str, String)> = params.iter().map(|(name, param)| (*name, param.get())).collect();
        let pairs: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        api.get::<Page<T>>(with(&path(), &pairs))
    })
}

/// A call whose answer finds its own place.
type Work = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// Asks now and whenever something changes that `ask` reads. What does not depend on the kind of the data stands here,
/// so that it is compiled once.
fn keep_up(failure: RwSignal<Option<Failure>>, busy: RwSignal<bool>, again: RwSignal<u32>, ask: Box<dyn Fn() -> Work>) {
    Effect::new(move |_| {
        again.track();
        busy.set(true);
        let work = ask();
        spawn_local_scoped_with_cancellation(async move {
            failure.try_set(work.await.err());
            busy.try_set(false);
        });
    });
}

impl<T: Send + Sync + Clone + 'static> Load<T> {
    /// Fetches again.
    pub fn reload(self) {
        self.again.try_update(|count| *count += 1);
    }

    /// Fetches again every so often, while the page is seen and `wanted`.
    pub fn every(self, seconds: u64, wanted: impl Fn() -> bool + 'static) -> Self {
        tick(self.busy, self.again, seconds, Box::new(wanted));
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
        let name: Box<dyn Fn() -> Option<String> + Send + Sync> =
            Box::new(move || self.data.with(|data| data.as_ref().map(&name)));
        let failure = self.failure;
        Memo::new(move |_| name().unwrap_or_else(|| failure.with(untitled)))
    }

    /// Whether there is something to act on.
    pub fn there(self) -> Memo<bool> {
        Memo::new(move |_| self.data.with(Option::is_some))
    }

    /// What it looks like: skeleton, what `show` makes of the data, or what went wrong with a way to try again.
    /// `show` runs once; what it is given carries the later values.
    pub fn show(self, rows: usize, show: impl Fn(Shown<T>) -> AnyView + Send + Sync + 'static) -> AnyView {
        let retry = Callback::new(move |()| self.reload());
        frame(self.there(), self.failure, self.busy, rows, retry, Box::new(move || show(Shown(self.data))))
    }
}

/// What a page is called whose data is not there.
fn untitled(failure: &Option<Failure>) -> String {
    match failure.as_ref().map(Failure::code) {
        Some(Some(ErrorCode::NotFound)) => "Not found".to_owned(),
        Some(_) => "Not loaded".to_owned(),
        None => String::new(),
    }
}

fn tick(busy: RwSignal<bool>, again: RwSignal<u32>, seconds: u64, wanted: Box<dyn Fn() -> bool>) {
    let tick = move || {
        let seen = !document().hidden();
        if seen && wanted() && busy.try_get_untracked() == Some(false) {
            again.try_update(|count| *count += 1);
        }
    };
    if let Ok(handle) = set_interval_with_handle(tick, Duration::from_secs(seconds)) {
        on_cleanup(move || handle.clear());
    }
}

/// What `Load::show` puts around the data.
fn frame(
    there: Memo<bool>,
    failure: RwSignal<Option<Failure>>,
    busy: RwSignal<bool>,
    rows: usize,
    retry: Callback<()>,
    show: Box<dyn Fn() -> AnyView + Send + Sync>,
) -> AnyView {
    let body = move || {
        if there.get() {
            return show();
        }
        match failure.get() {
            Some(failure) => error_state(&failure, retry),
            None => skeleton(rows),
        }
    };
    // A failure beside older data does not take the data away.
    let stale = move || {
        let failure = if there.get() { failure.get() } else { None };
        failure.map(|failure| error_state(&failure, retry))
    };
    view! { <div class="loaded" aria-busy=move || busy.get().to_string()>{stale}{body}</div> }.into_any()
}
