//! Sending something: busy until it is answered, never twice, errors beside their fields.

use std::future::Future;
use std::pin::Pin;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::Failure;

/// One form or one action.
#[derive(Clone, Copy)]
pub struct Submit {
    /// Whether the answer is awaited.
    pub busy: RwSignal<bool>,
    /// Why it did not work.
    pub failure: RwSignal<Option<Failure>>,
}

impl Submit {
    /// One that was not sent yet.
    pub fn new() -> Submit {
        Submit { busy: RwSignal::new(false), failure: RwSignal::new(None) }
    }

    /// Runs `work` unless it is running already. It goes on when the page is left: what was asked for is done.
    pub fn run(self, work: impl Future<Output = Result<(), Failure>> + 'static) {
        self.start(Box::pin(work));
    }

    /// Boxed, so that what does not depend on the work is compiled once.
    fn start(self, work: Pin<Box<dyn Future<Output = Result<(), Failure>>>>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.failure.set(None);
        spawn_local(async move {
            let failure = work.await.err();
            self.failure.try_set(failure);
            self.busy.try_set(false);
        });
    }

    /// The error of one field.
    pub fn field(self, name: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.failure
                .with(|failure| failure.as_ref().filter(|failure| failure.field() == Some(name)).map(Failure::message))
        })
    }

    /// The error that belongs to none of these fields, which show their own.
    pub fn rest(self, fields: &'static [&'static str]) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.failure.with(|failure| {
                let failure = failure.as_ref()?;
                match failure.field() {
                    Some(field) if fields.contains(&field) => None,
                    _ => Some(failure.message()),
                }
            })
        })
    }
}
