//! The simulated web: documents by URL, and what was posted.

use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use world::{Fetch, FetchError, Fetched};

/// Something that was brought by POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Where to.
    pub url: String,
    /// What it is said to be.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers without sockets.
#[derive(Default)]
pub struct SimWeb {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Result<Fetched, FetchError>>,
    gets: u64,
    posted: Vec<Posted>,
}

impl SimWeb {
    /// Publishes a text.
    pub fn publish(&self, url: &str, text: &str) {
        let content_type = "text/plain; charset=utf-8".to_owned();
        self.answer(url, Ok(Fetched { status: 200, content_type, body: text.as_bytes().to_vec() }));
    }

    /// Says what comes of questions for `url` from now on. POST is answered with the status, and by default with 201.
    pub fn answer(&self, url: &str, answer: Result<Fetched, FetchError>) {
        self.state().answers.insert(url.to_owned(), answer);
    }

    /// How often something was asked for.
    #[must_use]
    pub fn gets(&self) -> u64 {
        self.state().gets
    }

    /// What was posted, in order.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.state().posted.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetch for SimWeb {
    fn get<'a>(&'a self, url: &'a str, max: usize) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let mut state = self.state();
            state.gets += 1;
            let missing = || FetchError::Failed { host: url.to_owned(), why: "nobody is there".to_owned() };
            let fetched = state.answers.get(url).cloned().unwrap_or_else(|| Err(missing()))?;
            if fetched.body.len() > max { Err(FetchError::TooLong { host: url.to_owned(), max }) } else { Ok(fetched) }
        })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        content_type: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<u16, FetchError>> {
        Box::pin(async move {
            let mut state = self.state();
            let status = state.answers.get(url).cloned().transpose()?.map_or(201, |answer| answer.status);
            state.posted.push(Posted { url: url.to_owned(), content_type: content_type.to_owned(), body });
            Ok(status)
        })
    }
}
