//! The preference centre: lists, streams, all marketing mail, a pause. A GET changes nothing.

use super::look::{Look, escape, paragraphs};
use super::{RecipientId, busy, recipient, trouble, unknown};
use crate::app::Shared;
use crate::confirmation;
use crate::http::extract::ClientIp;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use campaign::preferences::{self, Choices, OfferedStream, Ticks, Wish, WishedMarketing};
use storage::list::Standing;
use storage::preference::Marketing;
use storage::{ListId, StorageError};

/// Lists that a form can name: all that a workspace can have.
const LISTS_MAX: usize = storage::list::LISTS_MAX;
/// Streams that a form can name: all that a page can offer.
const STREAMS_MAX: usize = crate::http::preference_centre::STREAMS_MAX;

/// The page with the choices.
pub(crate) async fn page(State(app): State<Shared>, ClientIp(ip): ClientIp, Path(token): Path<String>) -> Response {
    if !app.limits.public(ip) {
        return busy();
    }
    let Some(id) = recipient(&app, &token) else { return unknown() };
    match read(&app, id).await {
        Ok(Some((look, choices))) => shown(&look, &choices, false),
        Ok(None) => unknown(),
        Err(e) => trouble(&e),
    }
}

/// Saves what was chosen, all of it in one commit. Again changes nothing and answers the same.
pub(crate) async fn save(
    State(app): State<Shared>,
    ClientIp(ip): ClientIp,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    if !app.limits.public(ip) {
        return busy();
    }
    let Some(id) = recipient(&app, &token) else { return unknown() };
    let Some(wish) = wish(&body) else {
        let text = "<p>This request does not say what you want to receive. Open the link from the mail again.</p>";
        return Look::default().page(StatusCode::BAD_REQUEST, "Nothing was changed", text);
    };
    let applied = match preferences::apply(&app.storage, &app.config.streams, id, wish, app.now_ms()).await {
        Ok(Some(applied)) => applied,
        Ok(None) => return unknown(),
        Err(e) => return trouble(&e),
    };
    if applied.changed {
        confirmation::tell(&app, id, &token).await;
    }
    match read(&app, id).await {
        Ok(Some((look, choices))) => shown(&look, &choices, true),
        Ok(None) => unknown(),
        Err(e) => trouble(&e),
    }
}

async fn read(app: &Shared, id: RecipientId) -> Result<Option<(Look, Choices)>, StorageError> {
    let (now_ms, streams) = (app.now_ms(), app.config.streams.clone());
    app.storage
        .read(move |c| {
            let Some(choices) = preferences::choices(c, &streams, id, now_ms)? else { return Ok(None) };
            Ok(Some((Look::read(c, choices.subscriber.workspace_id)?, choices)))
        })
        .await
}

fn shown(look: &Look, choices: &Choices, saved: bool) -> Response {
    look.page(StatusCode::OK, title(look), &content(look, choices, saved))
}

fn title(look: &Look) -> &str {
    if look.settings.title.is_empty() { look.words().preferences } else { &look.settings.title }
}

/// The page as it would be for somebody with these choices.
pub(crate) fn preview(look: &Look, choices: &Choices) -> String {
    look.html(title(look), &content(look, choices, false))
}

fn content(look: &Look, choices: &Choices, saved: bool) -> String {
    let (words, settings) = (look.words(), &look.settings);
    let mut html = String::new();
    if saved {
        let text = if settings.saved_text.is_empty() { words.saved } else { &settings.saved_text };
        html += &format!("<div class=\"note\" role=\"status\">{}</div>", paragraphs(text));
    }
    html += &paragraphs(&settings.introduction);
    html += &format!("<p>{}</p>", look.fill(words.for_address, &choices.subscriber.address));
    if choices.standing.by_silence {
        html += &format!("<p class=\"note\">{}</p>", escape(words.by_silence));
    }
    if choices.standing.otherwise.is_some() {
        html += &format!("<p class=\"note\">{}</p>", escape(words.otherwise));
    }
    html += "<form method=\"post\">";
    html += &mail(look, choices.standing.marketing);
    // What people subscribe to is topics to them, lists and streams alike.
    let topics: String = choices.lists.iter().map(list).chain(choices.streams.iter().map(stream)).collect();
    if !topics.is_empty() {
        html += &format!("<fieldset><legend>{}</legend>{topics}</fieldset>", escape(words.lists));
    }
    html + &format!("<button type=\"submit\">{}</button></form>", escape(words.save))
}

fn mail(look: &Look, now: Marketing) -> String {
    let words = look.words();
    let pause = match now {
        Marketing::PausedUntil(until_ms) => words.paused_until.replace("{date}", &date(until_ms)),
        Marketing::Wanted | Marketing::Unwanted => words.pause.to_owned(),
    };
    let options = [
        ("yes", words.wanted, matches!(now, Marketing::Wanted)),
        ("pause", &pause, matches!(now, Marketing::PausedUntil(_))),
        ("no", words.unwanted, matches!(now, Marketing::Unwanted)),
    ];
    let options = options.map(|(value, label, chosen)| {
        let checked = if chosen { " checked" } else { "" };
        format!("<label><input type=\"radio\" name=\"mail\" value=\"{value}\"{checked}>{}</label>", escape(label))
    });
    format!("<fieldset><legend>{}</legend>{}</fieldset>", escape(words.mail), options.concat())
}

fn list(one: &Standing) -> String {
    let (id, draft) = (one.list.id.to_string(), &one.list.draft);
    topic(("shown", "list", &id), one.is_subscribed(), (&draft.name, &draft.description))
}

fn stream(one: &OfferedStream) -> String {
    topic(("shown-stream", "stream", &one.stream), one.left_ms.is_none(), (&one.title, &one.description))
}

/// A choice with a tick: that it was shown, and whether it is wanted.
fn topic((shown, field, value): (&str, &str, &str), wanted: bool, (title, description): (&str, &str)) -> String {
    let (value, checked) = (escape(value), if wanted { " checked" } else { "" });
    let below = match description {
        "" => String::new(),
        text => format!("<small>{}</small>", escape(text)),
    };
    format!(
        "<input type=\"hidden\" name=\"{shown}\" value=\"{value}\"><label><input type=\"checkbox\" name=\"{field}\" \
         value=\"{value}\"{checked}><span>{}{below}</span></label>",
        escape(title)
    )
}

/// A day, which every language reads the same way.
fn date(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// What the form says; `None` where it is not the page's. Its names and values are plain, so nothing is encoded.
fn wish(body: &[u8]) -> Option<Wish> {
    let text = std::str::from_utf8(body).ok()?;
    let mut marketing = None;
    let (mut lists, mut streams) = (Ticks::default(), Ticks::default());
    for (name, value) in text.trim().split('&').filter_map(|pair| pair.split_once('=')) {
        match (name, value) {
            ("mail", "yes") => marketing = Some(WishedMarketing::Wanted),
            ("mail", "pause") => marketing = Some(WishedMarketing::Pause),
            ("mail", "no") => marketing = Some(WishedMarketing::Unwanted),
            ("shown", id) if lists.shown.len() < LISTS_MAX => lists.shown.push(ListId(id.parse().ok()?)),
            ("list", id) if lists.ticked.len() < LISTS_MAX => lists.ticked.push(ListId(id.parse().ok()?)),
            ("shown-stream", name) if streams.shown.len() < STREAMS_MAX => streams.shown.push(name.to_owned()),
            ("stream", name) if streams.ticked.len() < STREAMS_MAX => streams.ticked.push(name.to_owned()),
            _ => return None,
        }
    }
    Some(Wish { marketing: marketing?, lists, streams })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let wish = |marketing, shown: &[i64], ticked: &[i64]| {
            let ids = |all: &[i64]| all.iter().copied().map(ListId).collect();
            let lists = Ticks { shown: ids(shown), ticked: ids(ticked) };
            Some(Wish { marketing, lists, streams: Ticks::default() })
        };
        let names = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect();
        let of_streams = Wish {
            marketing: WishedMarketing::Wanted,
            lists: Ticks::default(),
            streams: Ticks { shown: names(&["hints", "product-news"]), ticked: names(&["hints"]) },
        };
        for (body, expected) in [
            ("mail=yes", wish(WishedMarketing::Wanted, &[], &[])),
            ("mail=pause&shown=1&list=1&shown=2", wish(WishedMarketing::Pause, &[1, 2], &[1])),
            ("mail=yes&shown-stream=hints&stream=hints&shown-stream=product-news", Some(of_streams)),
            ("mail=no\r\n", wish(WishedMarketing::Unwanted, &[], &[])),
            ("", None),
            ("shown=1&list=1", None),
            ("mail=maybe", None),
            ("mail=yes&list=x", None),
            ("mail=yes&other=1", None),
            ("List-Unsubscribe=One-Click", None),
        ] {
            assert_eq!(super::wish(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(super::wish(b"mail=\xff"), None);
    }
}
