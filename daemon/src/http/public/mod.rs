//! Pages for recipients: no scripts, no cookies, no sign-in. Unsubscribing (RFC 8058), the preference centre.
//!
//! A GET changes nothing, since scanners follow every link; a POST unsubscribes, whether it comes from a mailbox
//! provider (one click) or from the page's button.

mod colour;
pub(crate) mod logo;
pub(crate) mod look;
pub(crate) mod preferences;
mod words;

use crate::app::Shared;
use crate::confirmation;
use crate::http::extract::ClientIp;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use campaign::unsubscribe::{self, LinkKey};
use look::{Look, escape, paragraphs};
use storage::unsubscribe::Subscriber;
use storage::{RecipientId, StorageError};

/// What a one-click request carries (RFC 8058 §3.1), in whichever of the two form encodings.
const ONE_CLICK: &[u8] = b"One-Click";

/// What the button on the page after it carries: the recipient wants the mail after all.
const AGAIN: &[u8] = b"Subscribe-Again";

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
        Ok(Some((_, look, subscriber))) => {
            look.page(StatusCode::OK, look.words().unsubscribe, &ask(&look, &subscriber.address, &token))
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
    let (id, look) = match find(&app, &token).await {
        Ok(Some((id, look, _))) => (id, look),
        Ok(None) => return unknown(),
        Err(e) => return trouble(&e),
    };
    let says = |word: &[u8]| body.windows(word.len()).any(|part| part == word);
    let back = says(AGAIN);
    if !back && !says(ONE_CLICK) {
        let text = "<p>This request does not say that you want to unsubscribe. Open the link from the mail and press the button.</p>";
        return look.page(StatusCode::BAD_REQUEST, "Nothing was changed", text);
    }
    let applied = match back {
        true => unsubscribe::undo(&app.storage, id, app.now_ms()).await,
        false => unsubscribe::apply(&app.storage, id, app.now_ms()).await,
    };
    match applied {
        Ok(Some(applied)) if applied.changed => confirmation::tell(&app, id, &token).await,
        Ok(Some(_)) => {}
        Ok(None) => return unknown(),
        Err(e) => return trouble(&e),
    }
    let words = look.words();
    match back {
        true => look.page(StatusCode::OK, words.back, &again(&look, &token)),
        false => look.page(StatusCode::OK, words.unsubscribed, &done(&look, &token)),
    }
}

/// Which recipient a token names; `None` when we never signed it.
fn recipient(app: &Shared, token: &str) -> Option<RecipientId> {
    LinkKey::new(&app.keys.unsubscribe).decode(token)
}

/// Whom a token stands for, and how the pages of the workspace look that the mail came from.
async fn find(app: &Shared, token: &str) -> Result<Option<(RecipientId, Look, Subscriber)>, StorageError> {
    let Some(id) = recipient(app, token) else { return Ok(None) };
    app.storage
        .read(move |c| {
            let Some(subscriber) = storage::unsubscribe::find(c, id)? else { return Ok(None) };
            Ok(Some((id, Look::read(c, subscriber.workspace_id)?, subscriber)))
        })
        .await
}

fn ask(look: &Look, address: &str, token: &str) -> String {
    let words = look.words();
    format!(
        "<p>{}</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
         <button type=\"submit\">{}</button></form>\
         <p class=\"quiet\">{} {}</p>",
        look.fill(words.unsubscribe_ask, address),
        escape(words.unsubscribe),
        escape(words.nothing_changes),
        choose(look, token),
    )
}

fn done(look: &Look, token: &str) -> String {
    let words = look.words();
    let text = match look.settings.unsubscribed_text.as_str() {
        "" => format!("<p>{}</p>", look.fill(words.unsubscribed_text, "")),
        own => paragraphs(own),
    };
    format!(
        "{text}<form method=\"post\"><input type=\"hidden\" name=\"List-Subscribe\" value=\"Subscribe-Again\">\
         <p class=\"quiet\">{}</p><button type=\"submit\">{}</button></form><p class=\"quiet\">{}</p>",
        escape(words.mistake),
        escape(words.again),
        choose(look, token),
    )
}

fn again(look: &Look, token: &str) -> String {
    format!("<p>{}</p><p class=\"quiet\">{}</p>", look.fill(look.words().back_text, ""), choose(look, token))
}

/// The way to the preference centre. The token is of our own letters.
fn choose(look: &Look, token: &str) -> String {
    format!("<a href=\"/p/{token}\">{}</a>", escape(look.words().choose))
}

/// The page after unsubscribing, as it would be.
pub(crate) fn preview_unsubscribed(look: &Look) -> String {
    look.html(look.words().unsubscribed, &done(look, "preview"))
}

/// A colour as we write it; `None` where it is none.
pub(crate) fn colour(text: &str) -> Option<String> {
    colour::Colour::parse(text).map(|colour| colour.to_string())
}

fn unknown() -> Response {
    let text = "<p>This link is not complete, or it is too old. Open the whole link from the mail, or answer the mail and ask to be taken off the list.</p>";
    Look::default().page(StatusCode::NOT_FOUND, "This link does not work", text)
}

fn busy() -> Response {
    let text = "<p>There were too many requests. Try again in a minute.</p>";
    Look::default().page(StatusCode::TOO_MANY_REQUESTS, "Please wait a moment", text)
}

fn trouble(e: &StorageError) -> Response {
    tracing::error!(error = %e, "a page for recipients could not be served");
    let text = "<p>Nothing was changed. Please try again in a few minutes.</p>";
    Look::default().page(StatusCode::SERVICE_UNAVAILABLE, "Something went wrong here", text)
}
