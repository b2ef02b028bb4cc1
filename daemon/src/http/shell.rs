//! What surrounds every handler: request ids, logs without personal data, security headers, panics.

use crate::app::Shared;
use crate::disk;
use crate::http::error::ApiError;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use std::any::Any;
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

/// Largest request but for uploads.
const BODY_MAX: usize = 2 * 1024 * 1024;

/// `frame-src 'self'` and images from anywhere over https are for the preview of mails; wasm needs its own word.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: https:; frame-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; \
    frame-ancestors 'none'; form-action 'self'";

/// Counts requests.
pub(crate) const REQUESTS: &str = "packetboat_http_requests_total";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the whole router.
pub(crate) fn wrap(router: Router) -> Router {
    let set = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(answered).on_failure(()))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(set(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::REFERRER_POLICY, "no-referrer"))
        .layer(set(header::X_FRAME_OPTIONS, "DENY"))
        // What the API answers is for whoever asked, now.
        .layer(set(header::CACHE_CONTROL, "no-store"))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    router.layer(layers)
}

/// The route, not the path: paths of the recipients' pages are secrets.
fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or("");
    tracing::info_span!("http", method = %request.method(), route, id)
}

fn answered<B>(response: &Response<B>, took: Duration, _: &Span) {
    let status = response.status().as_u16();
    metrics::counter!(REQUESTS, "status" => status.to_string()).increment(1);
    tracing::debug!(status, took_ms = took.as_millis(), "answered");
}

fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response<axum::body::Body> {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
    ApiError::internal(format!("a handler panicked: {text}")).into_response()
}

/// That the daemon lives, and what is not well with it. Names of receivers are for those who sign in.
pub(crate) fn health(app: &Shared) -> String {
    let stalled = app.engine.get().map(|engine| engine.stalled().len()).unwrap_or_default();
    match stalled {
        0 => "ok\n".to_owned(),
        n => format!("ok\n{n} lanes with mail waiting make no progress\n"),
    }
}

/// Whether work can be given to this daemon: it is not stopping, and takes new mail in.
pub(crate) fn ready(app: &Shared) -> (StatusCode, String) {
    readiness(app.stop.is_cancelled(), disk::shortage(app))
}

fn readiness(is_stopping: bool, shortage: Option<&str>) -> (StatusCode, String) {
    match (is_stopping, shortage) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        (false, Some(what)) => (StatusCode::SERVICE_UNAVAILABLE, format!("short of {what}: new mail is put off\n")),
        (false, None) => (StatusCode::OK, "ready\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_take_mail_is_not_ready_until_it_can() {
        for (is_stopping, shortage, status, text) in [
            (false, None, 200, "ready\n"),
            (false, Some("disk space"), 503, "short of disk space: new mail is put off\n"),
            (false, None, 200, "ready\n"),
            (true, Some("memory"), 503, "stopping\n"),
            (true, None, 503, "stopping\n"),
        ] {
            let (found, said) = readiness(is_stopping, shortage);
            assert_eq!((found.as_u16(), said.as_str()), (status, text));
        }
    }
}
