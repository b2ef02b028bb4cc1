//! The console, embedded: files with hashed names are kept by browsers for ever, the page itself never.

use crate::http::error::ApiError;
use api_types::ErrorCode;
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "../admin-ui/dist"]
#[allow_missing = true]
struct Files;

/// Whether the console was built into this daemon.
pub(crate) fn present() -> bool {
    Files::get("index.html").is_some()
}

/// Answers what no other route does.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return ApiError::new(ErrorCode::NotFound, "There is no such route; see /api/v1/openapi.json.").into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let accepts_br = accepts_br(&headers);
    if !path.is_empty() && path != "index.html" && !path.ends_with(".br") {
        if let Some(response) = file(path, accepts_br) {
            return response;
        }
        // A missing file is not a page: an old page that asks for old files must see that they are gone.
        if path.starts_with("assets/") {
            return StatusCode::NOT_FOUND.into_response();
        }
    }
    file("index.html", accepts_br).unwrap_or_else(missing)
}

fn missing() -> Response {
    let text = "This packetboat was built without its console. In the source folder run:\n\n    cargo xtask ui\n    \
                cargo build --release\n\nThe API under /api/v1 works all the same.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn accepts_br(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("br") && parts.next() != Some("q=0")
    })
}

fn file(path: &str, accepts_br: bool) -> Option<Response> {
    let plain = Files::get(path)?;
    let mime = content_type(path, &plain);
    let compressed = accepts_br.then(|| Files::get(&format!("{path}.br"))).flatten();
    // Only what lies under assets/ has its hash in its name.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, mime)
        .header(header::CACHE_CONTROL, cache)
        .header(header::VARY, "accept-encoding");
    if compressed.is_some() {
        response = response.header(header::CONTENT_ENCODING, "br");
    }
    let data = compressed.unwrap_or(plain).data;
    response.body(Body::from(data.into_owned())).ok()
}

fn content_type(path: &str, file: &EmbeddedFile) -> String {
    let mime = file.metadata.mimetype();
    let text = mime.starts_with("text/") || path.ends_with(".js");
    if text && !mime.contains("charset") { format!("{mime}; charset=utf-8") } else { mime.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brotli_only_where_accepted() {
        for (accepted, expected) in
            [("gzip, deflate, br", true), ("br;q=0.5", true), ("br;q=0", false), ("gzip", false), ("", false)]
        {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted.parse().unwrap())]);
            assert_eq!(accepts_br(&headers), expected, "{accepted}");
        }
    }
}
