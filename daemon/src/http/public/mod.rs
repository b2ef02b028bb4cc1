//! Pages for recipients: no scripts, no cookies, no sign-in. Unsubscribing (RFC 8058).
//!
//! A GET changes nothing, since scanners follow every link; a POST unsubscribes, whether it comes from a mailbox
//! provider (one click) or from the page's button.

use crate::app::Shared;
use crate::http::extract::ClientIp;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use campaign::unsubscribe::{self, LinkKey};
use storage::unsubscribe::Subscriber;
use storage::{RecipientId, StorageError, WorkspaceId, workspace};

/// What a one-click request carries (RFC 8058 §3.1), in whichever of the two form encodings.
const ONE_CLICK: &[u8] = b"One-Click";

/// What the button on the page after it carries: the recipient wants the mail after all.
const AGAIN: &[u8] = b"Subscribe-Again";

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The page with the button.
pub(crate) async fn unsubscribe_page(
    State(app): State<Shared>,
    ClientIp(ip): ClientIp,
    Path(token): Path<String>,
) -> Response {
    if !app.limits.public(ip) {
        return busy();
    }
    match find(&app, &token).await {
        Ok(Some((_, name, subscriber))) => {
            let address = mail::mask(&subscriber.address);
            page(StatusCode::OK, "Unsubscribe", &ask(&name, &address))
        }
        Ok(None) => unknown(),
        Err(e) => trouble(&e),
    }
}

/// Unsubscribes. Again changes nothing and answers the same.
pub(crate) async fn unsubscribe(
    State(app): State<Shared>,
    ClientIp(ip): ClientIp,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    if !app.limits.public(ip) {
        return busy();
    }
    let (id, name) = match find(&app, &token).await {
        Ok(Some((id, name, _))) => (id, name),
        Ok(None) => return unknown(),
        Err(e) => return trouble(&e),
    };
    if body.windows(AGAIN.len()).any(|part| part == AGAIN) {
        return match unsubscribe::undo(&app.storage, id, app.now_ms()).await {
            Ok(Some(_)) => page(StatusCode::OK, "You are subscribed again", &again(&name)),
            Ok(None) => unknown(),
            Err(e) => trouble(&e),
        };
    }
    if !body.windows(ONE_CLICK.len()).any(|part| part == ONE_CLICK) {
        let text = "<p>This request does not say that you want to unsubscribe. Open the link from the mail and press the button.</p>";
        return page(StatusCode::BAD_REQUEST, "Nothing was changed", text);
    }
    match unsubscribe::apply(&app.storage, id, app.now_ms()).await {
        Ok(Some(_)) => page(StatusCode::OK, "You are unsubscribed", &done(&name)),
        Ok(None) => unknown(),
        Err(e) => trouble(&e),
    }
}

/// Whom a token stands for, and the name of the workspace that the mail came from.
async fn find(app: &Shared, token: &str) -> Result<Option<(RecipientId, String, Subscriber)>, StorageError> {
    let Some(id) = LinkKey::new(&app.keys.unsubscribe).decode(token) else { return Ok(None) };
    app.storage
        .read(move |c| {
            let Some(subscriber) = storage::unsubscribe::find(c, id)? else { return Ok(None) };
            Ok(Some((id, workspace_name(c, subscriber.workspace_id)?, subscriber)))
        })
        .await
}

fn workspace_name(c: &storage::Connection, id: WorkspaceId) -> Result<String, StorageError> {
    Ok(workspace::find(c, id)?.map(|workspace| workspace.name).unwrap_or_default())
}

fn ask(workspace: &str, address: &str) -> String {
    format!(
        "<p>Do you want to receive no more mail from <b>{}</b> at {}?</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
         <button type=\"submit\">Unsubscribe</button></form>\
         <p class=\"quiet\">If you do nothing, nothing changes.</p>",
        escape(workspace),
        escape(address),
    )
}

fn done(workspace: &str) -> String {
    format!(
        "<p>You will receive no more mail from <b>{}</b>. You can close this page.</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"List-Subscribe\" value=\"Subscribe-Again\">\
         <p class=\"quiet\">Was it a mistake?</p><button type=\"submit\">Subscribe again</button></form>",
        escape(workspace)
    )
}

fn again(workspace: &str) -> String {
    format!("<p>You will receive the mail of <b>{}</b> as before. You can close this page.</p>", escape(workspace))
}

fn unknown() -> Response {
    let text = "<p>This link is not complete, or it is too old. Open the whole link from the mail, or answer the mail and ask to be taken off the list.</p>";
    page(StatusCode::NOT_FOUND, "This link does not work", text)
}

fn busy() -> Response {
    page(
        StatusCode::TOO_MANY_REQUESTS,
        "Please wait a moment",
        "<p>There were too many requests. Try again in a minute.</p>",
    )
}

fn trouble(e: &StorageError) -> Response {
    tracing::error!(error = %e, "an unsubscribe page could not be served");
    let text = "<p>Nothing was changed. Please try again in a few minutes.</p>";
    page(StatusCode::SERVICE_UNAVAILABLE, "Something went wrong here", text)
}

fn page(status: StatusCode, title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    );
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Html(html)).into_response()
}

const STYLE: &str = ":root{color-scheme:light dark;--page:#F8FAFC;--card:#FFF;--border:#E2E8F0;--text:#0F172A;--muted:#475569;--accent:#2563EB}\
    @media(prefers-color-scheme:dark){:root{--page:#0F172A;--card:#1E293B;--border:#334155;--text:#F1F5F9;--muted:#94A3B8}}\
    body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}\
    main{box-sizing:border-box;width:min(30rem,calc(100vw - 2rem));padding:2rem;background:var(--card);border:1px solid var(--border);border-radius:12px}\
    h1{margin:0 0 1rem;font-size:20px;line-height:28px}p{margin:0 0 1.25rem}.quiet{margin:1.25rem 0 0;color:var(--muted);font-size:14px}\
    button{min-height:44px;padding:0 1.5rem;border:0;border-radius:8px;background:var(--accent);color:#FFF;font:inherit;cursor:pointer}\
    button:focus-visible{outline:2px solid var(--accent);outline-offset:2px}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_cannot_become_markup() {
        let page = super::ask("<script>\"&", "a***@example.com");
        assert!(page.contains("&lt;script&gt;&quot;&amp;") && !page.contains("<script>"), "{page}");
    }
}
