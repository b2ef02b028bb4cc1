//! The preference centre's editor: texts, colours, streams, logo, preview.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::Json;
use crate::http::public::look::{Look, contrasts, logo_path};
use crate::http::public::{self, logo};
use api_types::{
    BulkStream, Done, ErrorCode, PreferenceCentre, PreferenceCentrePreview, PreferenceCentreState, StreamOffer,
};
use aws_lc_rs::digest;
use axum::extract::{Multipart, State};
use campaign::preferences::{Choices, OfferedStream, offered};
use config::Streams;
use mail::StreamKind;
use storage::preference::{Marketing, Standing};
use storage::preference_centre::{self, Logo};
use storage::unsubscribe::Subscriber;
use storage::{AddressHash, Connection, StorageError, WorkspaceId, address_hash, list, stream_leave};

/// Bytes of a logo at most.
const LOGO_MAX: usize = 200 * 1024;
/// Longest title and subject, in characters.
const LINE_MAX: usize = 150;
/// Longest text, in characters.
const TEXT_MAX: usize = 2_000;
/// Longest description of a stream, in characters.
const DESCRIPTION_MAX: usize = 500;
/// Streams on offer at most: more than a person reads.
pub(crate) const STREAMS_MAX: usize = 50;

/// What the preference centre says and looks like.
#[utoipa::path(get, path = "/api/v1/preference-centre", tag = "preference centre",
    responses((status = 200, body = PreferenceCentreState)))]
pub(crate) async fn show(State(app): State<Shared>, actor: Actor) -> Result<Json<PreferenceCentreState>, ApiError> {
    state(&app, actor.workspace).await
}

/// Replaces what it says, looks like and offers. Colours that words on them cannot be read on are refused.
#[utoipa::path(put, path = "/api/v1/preference-centre", tag = "preference centre", request_body = PreferenceCentre,
    responses((status = 200, body = PreferenceCentreState)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<PreferenceCentre>,
) -> Result<Json<PreferenceCentreState>, ApiError> {
    let settings = checked(input, &app.config.streams)?;
    if let Some(bad) = contrasts(&settings).into_iter().find(|contrast| !contrast.good) {
        let message = format!(
            "With this colour the {} have a contrast of {}; choose a lighter or a darker one, with 4.5 or more.",
            bad.what, bad.ratio
        );
        return Err(ApiError::invalid(&bad.field, message));
    }
    let (workspace, now_ms) = (actor.workspace, app.now_ms());
    let put =
        move |tx: &storage::Transaction<'_>| preference_centre::put(tx, workspace, &settings, &actor.name, now_ms);
    app.storage.main().write(put).await?;
    state(&app, workspace).await
}

/// Takes back everything that was set, the logo too.
#[utoipa::path(delete, path = "/api/v1/preference-centre", tag = "preference centre",
    responses((status = 200, body = Done)))]
pub(crate) async fn reset(State(app): State<Shared>, actor: Actor) -> Result<Json<Done>, ApiError> {
    app.storage.main().write(move |tx| preference_centre::reset(tx, actor.workspace)).await?;
    Ok(Json(Done { message: "The preference centre looks as it did at first.".to_owned() }))
}

/// The pages as they would be with these settings. Changes nothing; colours that cannot be read are shown and told.
#[utoipa::path(post, path = "/api/v1/preference-centre/preview", tag = "preference centre",
    request_body = PreferenceCentre, responses((status = 200, body = PreferenceCentrePreview)))]
pub(crate) async fn preview(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<PreferenceCentre>,
) -> Result<Json<PreferenceCentrePreview>, ApiError> {
    let settings = checked(input, &app.config.streams)?;
    let (workspace, now_ms) = (actor.workspace, app.now_ms());
    let streams = offered(&settings, &app.config.streams);
    let (look, choices) = app
        .storage
        .read(move |c| Ok((Look { settings, ..Look::read(c, workspace)? }, example(c, workspace, streams, now_ms)?)))
        .await?;
    Ok(Json(PreferenceCentrePreview {
        preferences: public::preferences::preview(&look, &choices),
        unsubscribed: public::preview_unsubscribed(&look),
        contrasts: contrasts(&look.settings),
    }))
}

/// Replaces the logo, sent as the form field `file`: PNG, JPEG or WebP, at most 200 KB.
#[utoipa::path(post, path = "/api/v1/preference-centre/logo", tag = "preference centre",
    request_body(content_type = "multipart/form-data", content = String),
    responses((status = 200, body = PreferenceCentreState)))]
pub(crate) async fn set_logo(
    State(app): State<Shared>,
    actor: Actor,
    mut form: Multipart,
) -> Result<Json<PreferenceCentreState>, ApiError> {
    let broken = |e: axum::extract::multipart::MultipartError| {
        ApiError::invalid("file", format!("The upload cannot be read: {e}."))
    };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some("file") {
            continue;
        }
        let content = field.bytes().await.map_err(broken)?.to_vec();
        let (name, logo) = picture(content)?;
        let workspace = actor.workspace;
        app.storage.main().write(move |tx| preference_centre::set_logo(tx, workspace, &name, &logo)).await?;
        return state(&app, workspace).await;
    }
    Err(ApiError::invalid("file", "Send the picture as the form field `file`."))
}

/// Removes the logo.
#[utoipa::path(delete, path = "/api/v1/preference-centre/logo", tag = "preference centre",
    responses((status = 200, body = PreferenceCentreState)))]
pub(crate) async fn remove_logo(
    State(app): State<Shared>,
    actor: Actor,
) -> Result<Json<PreferenceCentreState>, ApiError> {
    let workspace = actor.workspace;
    if !app.storage.main().write(move |tx| preference_centre::remove_logo(tx, workspace)).await? {
        return Err(ApiError::not_found("logo"));
    }
    state(&app, workspace).await
}

async fn state(app: &Shared, workspace: WorkspaceId) -> Result<Json<PreferenceCentreState>, ApiError> {
    let names = bulk(&app.config.streams);
    let read = move |c: &Connection| {
        let count = |stream: String| Ok(BulkStream { left: stream_leave::count(c, workspace, &stream)?, stream });
        let streams = names.into_iter().map(count).collect::<Result<Vec<_>, StorageError>>()?;
        Ok((preference_centre::get(c, workspace)?, preference_centre::logo_name(c, workspace)?, streams))
    };
    let (mut settings, logo, streams) = app.storage.read(read).await?;
    // What the configuration has no more is not on offer.
    settings.streams.retain(|offer| streams.iter().any(|known| known.stream == offer.stream));
    let contrasts = contrasts(&settings);
    Ok(Json(PreferenceCentreState { settings, logo: logo.as_deref().map(logo_path), contrasts, streams }))
}

/// A picture with the name that it is asked for by.
fn picture(content: Vec<u8>) -> Result<(String, Logo), ApiError> {
    if content.len() > LOGO_MAX {
        let message = format!("The picture has {} KB; a logo has at most 200.", content.len().div_ceil(1024));
        return Err(ApiError::new(ErrorCode::TooLarge, message).at("file"));
    }
    let Some(media_type) = logo::media_type(&content) else {
        return Err(ApiError::invalid("file", "This is no picture of the kinds PNG, JPEG and WebP."));
    };
    let hash = digest::digest(&digest::SHA256, &content);
    let name: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Ok((name, Logo { media_type: media_type.to_owned(), content }))
}

/// Names of the bulk streams.
fn bulk(streams: &Streams) -> Vec<String> {
    streams.iter().filter(|stream| stream.kind == StreamKind::Bulk).map(|stream| stream.name.to_string()).collect()
}

/// The streams on offer, each known, once, and with a title.
fn checked_offers(input: Vec<StreamOffer>, streams: &Streams) -> Result<Vec<StreamOffer>, ApiError> {
    if input.len() > STREAMS_MAX {
        return Err(ApiError::invalid("streams", format!("Offer at most {STREAMS_MAX} streams.")));
    }
    let known = bulk(streams);
    let mut offers: Vec<StreamOffer> = Vec::with_capacity(input.len());
    for (n, offer) in input.into_iter().enumerate() {
        let at = |field: &str| format!("streams[{n}].{field}");
        if !known.contains(&offer.stream) {
            let message =
                format!("There is no bulk stream “{}”; the configuration has {}.", offer.stream, known.join(", "));
            return Err(ApiError::invalid(&at("stream"), message));
        }
        if offers.iter().any(|earlier| earlier.stream == offer.stream) {
            return Err(ApiError::invalid(&at("stream"), format!("“{}” is offered twice.", offer.stream)));
        }
        let (title, description) = (offer.title.trim(), offer.description.trim());
        if title.is_empty() {
            return Err(ApiError::invalid(&at("title"), "Write what people call it."));
        }
        for (field, text, max) in [("title", title, LINE_MAX), ("description", description, DESCRIPTION_MAX)] {
            if text.chars().count() > max || text.chars().any(char::is_control) {
                return Err(ApiError::invalid(&at(field), format!("Write one line of at most {max} characters.")));
            }
        }
        offers.push(StreamOffer { stream: offer.stream, title: title.to_owned(), description: description.to_owned() });
    }
    Ok(offers)
}

fn checked(input: PreferenceCentre, streams: &Streams) -> Result<PreferenceCentre, ApiError> {
    let line = |field: &str, text: &str| {
        let text = text.trim();
        let good = text.chars().count() <= LINE_MAX && !text.chars().any(char::is_control);
        let message = || format!("Write one line of at most {LINE_MAX} characters.");
        good.then(|| text.to_owned()).ok_or_else(|| ApiError::invalid(field, message()))
    };
    let text = |field: &str, text: &str| {
        let text = text.trim().replace("\r\n", "\n");
        let bad = |c: char| c.is_control() && c != '\n';
        let good = text.chars().count() <= TEXT_MAX && !text.chars().any(bad);
        let message = || format!("Write at most {TEXT_MAX} characters of plain text.");
        good.then_some(text).ok_or_else(|| ApiError::invalid(field, message()))
    };
    let colour = |field: &str, text: &str| {
        let text = text.trim();
        if text.is_empty() {
            return Ok(String::new());
        }
        let colour = public::colour(text);
        colour.ok_or_else(|| ApiError::invalid(field, "Write a colour such as #2563EB, or nothing for ours."))
    };
    Ok(PreferenceCentre {
        language: input.language,
        title: line("title", &input.title)?,
        introduction: text("introduction", &input.introduction)?,
        unsubscribed_text: text("unsubscribed_text", &input.unsubscribed_text)?,
        saved_text: text("saved_text", &input.saved_text)?,
        accent: colour("accent", &input.accent)?,
        page: colour("page", &input.page)?,
        card: colour("card", &input.card)?,
        confirmation: input.confirmation,
        confirmation_subject: line("confirmation_subject", &input.confirmation_subject)?,
        confirmation_text: text("confirmation_text", &input.confirmation_text)?,
        streams: checked_offers(input.streams, streams)?,
    })
}

/// Somebody who gets everything: the workspace's own lists, all of them joined, and the streams.
fn example(
    c: &Connection,
    workspace: WorkspaceId,
    streams: Vec<OfferedStream>,
    now_ms: i64,
) -> Result<Choices, StorageError> {
    let address = "ana@example.com".to_owned();
    let hash = mail::Address::parse(&address).map(|parsed| address_hash(&parsed));
    let hash: AddressHash = hash.map_err(|_| StorageError::Damaged { what: "example", value: address.clone() })?;
    let mut lists = list::standings(c, workspace, (None, &hash))?;
    lists.retain(|one| one.list.draft.is_public);
    for one in &mut lists {
        (one.member, one.left_ms) = (Some((now_ms, String::new())), None);
    }
    Ok(Choices {
        subscriber: Subscriber { workspace_id: workspace, campaign_id: None, contact_id: None, address },
        contact: None,
        hash,
        standing: Standing { marketing: Marketing::Wanted, by_silence: false, otherwise: None },
        lists,
        streams,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(stream: &str, title: &str) -> StreamOffer {
        StreamOffer { stream: stream.to_owned(), title: title.to_owned(), description: String::new() }
    }

    #[test]
    fn settings_are_checked_by_field() {
        type Change = fn(&mut PreferenceCentre);
        let cases: &[(Change, Option<&str>)] = &[
            (|s| s.title = " News ".to_owned(), None),
            (|s| s.title = "two\nlines".to_owned(), Some("title")),
            (|s| s.introduction = "one\r\n\r\ntwo".to_owned(), None),
            (|s| s.saved_text = "x".repeat(TEXT_MAX + 1), Some("saved_text")),
            (|s| s.unsubscribed_text = "bell\u{7}".to_owned(), Some("unsubscribed_text")),
            (|s| s.accent = "#2563eb".to_owned(), None),
            (|s| s.page = "white".to_owned(), Some("page")),
            (|s| s.card = "#FFF".to_owned(), Some("card")),
            (|s| s.confirmation_subject = "x".repeat(LINE_MAX + 1), Some("confirmation_subject")),
            (|s| s.streams = vec![offer("bulk", " News ")], None),
            (|s| s.streams = vec![offer("hints", "Hints")], Some("streams[0].stream")),
            (|s| s.streams = vec![offer("transactional", "Bills")], Some("streams[0].stream")),
            (|s| s.streams = vec![offer("bulk", "News"), offer("bulk", "Offers")], Some("streams[1].stream")),
            (|s| s.streams = vec![offer("bulk", " ")], Some("streams[0].title")),
            (
                |s| s.streams = vec![StreamOffer { description: "a\nb".to_owned(), ..offer("bulk", "News") }],
                Some("streams[0].description"),
            ),
            (|s| s.streams = vec![offer("bulk", "News"); STREAMS_MAX + 1], Some("streams")),
        ];
        let streams = config::Config::default().streams;
        for (n, (change, expected)) in cases.iter().enumerate() {
            let mut settings = PreferenceCentre::default();
            change(&mut settings);
            let refused = checked(settings, &streams).err().map(|e| format!("{e}"));
            let field = refused.as_deref().and_then(|text| text.split(':').next());
            assert_eq!(field, *expected, "case {n}: {refused:?}");
        }
    }

    #[test]
    fn pictures_have_names_and_bounds() {
        let png = |bytes: usize| [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; bytes]].concat();
        let (one, other) = (picture(png(10)).unwrap(), picture(png(11)).unwrap());
        assert!(one.0.len() == 32 && one.0 != other.0, "{} {}", one.0, other.0);
        assert!(picture(png(LOGO_MAX)).is_err() && picture(b"<svg/>".to_vec()).is_err());
    }
}
