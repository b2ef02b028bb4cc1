//! The logo of the pages for recipients.

use super::busy;
use crate::app::Shared;
use crate::http::extract::ClientIp;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use storage::preference_centre;

/// Shown to whoever has its name, which is told by its content: it never changes.
pub(crate) async fn logo(State(app): State<Shared>, ClientIp(ip): ClientIp, Path(name): Path<String>) -> Response {
    if !app.limits.public(ip) {
        return busy();
    }
    match app.storage.read(move |c| preference_centre::logo(c, &name)).await {
        Ok(Some(logo)) => {
            // What was uploaded as a picture is nothing else, whatever a browser makes of it.
            let headers = [
                (header::CONTENT_TYPE, logo.media_type.as_str()),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, logo.content).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(e) => {
            tracing::error!(error = %e, "a logo could not be served");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// The kind of a picture, by its content alone. Vector graphics can carry scripts, and are none of these.
pub(crate) fn media_type(content: &[u8]) -> Option<&'static str> {
    match content {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pictures_by_their_content() {
        let cases: &[(&[u8], Option<&str>)] = &[
            (b"\x89PNG\r\n\x1a\n....", Some("image/png")),
            (b"\xff\xd8\xff\xe0....", Some("image/jpeg")),
            (b"RIFF....WEBPVP8 ", Some("image/webp")),
            (b"RIFF....WAVEfmt ", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
            (b"GIF89a", None),
            (b"<script>", None),
            (b"\x89PNG", None),
            (b"", None),
        ];
        for (content, expected) in cases {
            assert_eq!(super::media_type(content), *expected, "{content:?}");
        }
    }
}
