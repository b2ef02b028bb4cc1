//! The typed client of `/api/v1`. Strategies: one answer shape for every failure; a request is aborted when its future is
//! dropped; 401 signs the console out; an unreachable daemon shows in the status strip.

use std::pin::Pin;

use api_types::{ErrorBody, ErrorCode, Me};
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, FormData, Headers, RequestInit, Response};

const BASE: &str = "/api/v1";

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The daemon did not answer.
    Unreachable,
    /// It answered with an error.
    Refused {
        /// Its code.
        code: ErrorCode,
        /// What it says to people.
        message: String,
        /// The field that is wrong.
        field: Option<String>,
    },
    /// It answered something that this console does not understand.
    Garbled(String),
}

impl Failure {
    /// What happened and what to do, for people.
    pub fn message(&self) -> String {
        match self {
            Failure::Unreachable => {
                "The daemon does not answer. Check that it runs and that you are connected, then try again.".to_owned()
            }
            Failure::Refused { message, .. } => message.clone(),
            Failure::Garbled(detail) => {
                format!("The daemon's answer is not what this console expects ({detail}). Reload the page.")
            }
        }
    }

    /// The field of the request that is wrong.
    pub fn field(&self) -> Option<&str> {
        match self {
            Failure::Refused { field, .. } => field.as_deref(),
            _ => None,
        }
    }

    /// The daemon's code.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Failure::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// What calls have in common: whether the daemon answers, and whether it still knows us.
#[derive(Clone, Copy)]
pub struct Link {
    /// False while the daemon does not answer.
    pub reachable: RwSignal<bool>,
    /// Who is signed in: unknown at first, then nobody or somebody.
    pub me: RwSignal<Option<Option<Me>>>,
}

/// The calls. Given to pages by the shell, which exists only while somebody is signed in.
#[derive(Clone, Copy)]
pub struct Api {
    csrf: StoredValue<String>,
    link: Link,
}

impl Api {
    /// The calls of a signed-in user.
    pub fn new(link: Link, csrf: String) -> Api {
        Api { csrf: StoredValue::new(csrf), link }
    }

    /// Reads.
    pub async fn get<T: DeserializeOwned>(self, path: String) -> Result<T, Failure> {
        decode(self.call("GET", path, None).await?)
    }

    /// Makes or does something.
    pub async fn post<T: DeserializeOwned>(self, path: String, body: &impl Serialize) -> Result<T, Failure> {
        decode(self.call("POST", path, Some(encode(body))).await?)
    }

    /// Does something that needs no further word.
    pub async fn act<T: DeserializeOwned>(self, path: String) -> Result<T, Failure> {
        decode(self.call("POST", path, None).await?)
    }

    /// Replaces.
    pub async fn put<T: DeserializeOwned>(self, path: String, body: &impl Serialize) -> Result<T, Failure> {
        decode(self.call("PUT", path, Some(encode(body))).await?)
    }

    /// Changes.
    pub async fn patch<T: DeserializeOwned>(self, path: String, body: &impl Serialize) -> Result<T, Failure> {
        decode(self.call("PATCH", path, Some(encode(body))).await?)
    }

    /// Removes.
    pub async fn delete(self, path: String) -> Result<(), Failure> {
        self.call("DELETE", path, None).await.map(|_| ())
    }

    /// Sends a file.
    pub async fn upload<T: DeserializeOwned>(self, path: String, form: FormData) -> Result<T, Failure> {
        decode(self.call("POST", path, Some(Body::Form(form))).await?)
    }

    /// Ends the session; the console shows the sign-in page afterwards.
    pub async fn sign_out(self) -> Result<(), Failure> {
        self.delete("/session".to_owned()).await?;
        self.link.me.try_set(Some(None));
        Ok(())
    }

    fn call(self, method: &'static str, path: String, body: Option<Body>) -> Answer {
        let csrf = if method == "GET" { None } else { Some(self.csrf.get_value()) };
        call(self.link, method, path, body, csrf)
    }
}

/// Who is signed in, if anybody.
pub async fn session(link: Link) -> Result<Option<Me>, Failure> {
    match call(link, "GET", "/session".to_owned(), None, None).await {
        Ok(text) => decode(text).map(Some),
        Err(failure) if failure.code() == Some(ErrorCode::Unauthenticated) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Signs in, with a password or with a link's token.
pub async fn sign_in(link: Link, path: &'static str, body: &impl Serialize) -> Result<Me, Failure> {
    let body = encode(body);
    decode(call(link, "POST", path.to_owned(), Some(body), None).await?)
}

enum Body {
    Json(String),
    Form(FormData),
}

fn encode(body: &impl Serialize) -> Body {
    Body::Json(serde_json::to_string(body).unwrap_or_default())
}

// Not inlined: several calls give the same kind.
#[inline(never)]
fn decode<T: DeserializeOwned>(text: String) -> Result<T, Failure> {
    view::json::read(&text).map_err(|error| Failure::Garbled(error.to_string()))
}

/// Ends the request when its answer is no longer awaited.
struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A call on its way. Boxed, so that the machinery of a call is not compiled anew into each that waits for one.
type Answer = Pin<Box<dyn Future<Output = Result<String, Failure>>>>;

fn call(link: Link, method: &'static str, path: String, body: Option<Body>, csrf: Option<String>) -> Answer {
    Box::pin(async move { judged(link, fetch(method, &path, body, csrf).await) })
}

/// What an answer means for whoever asked, and for everybody.
fn judged(link: Link, answer: Result<(u16, String), JsValue>) -> Result<String, Failure> {
    let reachable = answer.is_ok();
    if link.reachable.try_get_untracked() == Some(!reachable) {
        link.reachable.try_set(reachable);
    }
    let (status, text) = answer.map_err(|_| Failure::Unreachable)?;
    if (200..300).contains(&status) {
        return Ok(text);
    }
    let Ok(ErrorBody { error }) = view::json::read(&text) else {
        return Err(Failure::Garbled(format!("status {status}")));
    };
    let known = matches!(link.me.try_get_untracked(), Some(Some(Some(_))));
    if error.code == ErrorCode::Unauthenticated && known {
        link.me.try_set(Some(None));
    }
    Err(Failure::Refused { code: error.code, message: error.message, field: error.field })
}

async fn fetch(method: &str, path: &str, body: Option<Body>, csrf: Option<String>) -> Result<(u16, String), JsValue> {
    let abort = AbortOnDrop(AbortController::new()?);
    let headers = Headers::new()?;
    headers.set("Accept", "application/json")?;
    if let Some(csrf) = csrf {
        headers.set("X-CSRF-Token", &csrf)?;
    }
    let init = RequestInit::new();
    init.set_method(method);
    init.set_signal(Some(&abort.0.signal()));
    match &body {
        Some(Body::Json(text)) => {
            headers.set("Content-Type", "application/json")?;
            init.set_body(&JsValue::from_str(text));
        }
        Some(Body::Form(form)) => init.set_body(form),
        None => {}
    }
    init.set_headers(&headers);
    let promise = window().fetch_with_str_and_init(&format!("{BASE}{path}"), &init);
    let response: Response = JsFuture::from(promise).await?.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    Ok((response.status(), text))
}

/// The calls, inside the shell.
pub fn use_api() -> Api {
    expect_context()
}

/// Who is signed in, inside the shell.
pub fn use_me() -> Me {
    expect_context()
}
