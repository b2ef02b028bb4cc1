//! Contacts, their timeline, fields and tags.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::attributes;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::http::standing::{self, SoftBounces};
use crate::http::{suppressions, timeline};
use crate::text::time;
use api_types::{Contact, ContactInput, ContactPatch, ContactStanding, Count, Done, Field, Page, TimelineEntry};
use axum::extract::State;
use serde::Deserialize;
use storage::contact::{self, Draft, Origin, Status};
use storage::{
    ContactId, SegmentId, StorageError, WorkspaceId, event, field, journey_run, list, segment, suppression, tag,
};
use utoipa::IntoParams;

/// Tags of one contact at most.
const TAGS_MAX: usize = 100;

/// Which contacts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContactsQuery {
    /// Every word must stand in address or names.
    q: Option<String>,
    /// Only with this tag.
    tag: Option<String>,
    /// Only of this segment.
    segment: Option<i64>,
    /// `active`; `suppressed`; suppressed for one reason: `hard_bounce`, `soft_bounces`, `complaint`, `unsubscribe`,
    /// `paused`, `sunset`, `manual`, `import`; or `soft_bouncing`: refused for now lately, and not suppressed for it yet.
    status: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Contacts, newest first.
#[utoipa::path(get, path = "/api/v1/contacts", tag = "contacts", params(ContactsQuery),
    responses((status = 200, body = Page<Contact>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ContactsQuery>,
) -> Result<Json<Page<Contact>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.map(ContactId);
    let (workspace, now_ms, soft) = (actor.workspace, app.now_ms(), SoftBounces::of(&app));
    let status = query.status.as_deref().filter(|word| !word.is_empty());
    let status = status.map(|word| status_of(word, soft.since_ms(now_ms))).transpose()?;
    let all = query.segment.is_none() && query.tag.is_none() && status.is_none() && before.is_none();
    let all = all && query.q.as_deref().unwrap_or("").is_empty();
    let found = app
        .storage
        .read(move |c| {
            let mut wanted = contact::Query { status, before, limit, ..contact::Query::default() };
            wanted.search = query.q.unwrap_or_default();
            wanted.tag = query.tag.filter(|tag| !tag.is_empty());
            if let Some(id) = query.segment {
                let Some(segment) = segment::find(c, workspace, SegmentId(id))? else { return Ok(None) };
                match campaign::segment::compile(c, workspace, &segment.filter, now_ms) {
                    Ok(filter) => wanted.filter = Some(filter),
                    Err(refused) => return Ok(Some(Err(refused))),
                }
            }
            // Counting what a search finds would read every contact; the whole is cheap.
            let total = all.then(|| contact::count(c, workspace)).transpose()?;
            let rows = contact::page(c, workspace, &wanted, now_ms)?;
            Ok(Some(Ok((standing::contacts(c, workspace, rows, soft, now_ms)?, total))))
        })
        .await?;
    let (items, total) = found.ok_or_else(|| ApiError::not_found("segment"))??;
    let next = next(&items, limit, |row| row.id);
    Ok(Json(Page { items, next, total }))
}

fn status_of(word: &str, soft_since_ms: i64) -> Result<Status, ApiError> {
    Ok(match word {
        "active" => Status::Active,
        "suppressed" => Status::Suppressed,
        "soft_bouncing" => Status::BouncedSoftly { since_ms: soft_since_ms },
        word => Status::SuppressedFor(suppressions::reason(word).map_err(|_| {
            let known = "active, suppressed, soft_bouncing, or the reason of a suppression";
            ApiError::invalid("status", format!("status must be {known}."))
        })?),
    })
}

/// Adds a contact, and puts it on the lists for new contacts.
#[utoipa::path(post, path = "/api/v1/contacts", tag = "contacts", request_body = ContactInput,
    responses((status = 200, body = Contact)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<ContactInput>,
) -> Result<Json<Contact>, ApiError> {
    let workspace = actor.workspace;
    let fields = app.storage.read(move |c| field::list(c, workspace)).await?;
    let (attributes, new_fields) = attributes::check(&fields, input.attributes)?;
    let draft = draft(&input.email, &input.first_name, &input.last_name, attributes)?;
    let tags = tags(input.tags)?;
    let engaged_ms = engaged(input.engaged_at.as_deref(), app.now_ms())?;
    let (now_ms, consent_source) = (app.now_ms(), format!("added by {}", actor.name));
    let id = app
        .storage
        .main()
        .write(move |tx| {
            for (name, kind) in new_fields {
                field::ensure(tx, workspace, &name, kind)?;
            }
            let origin = Origin { consent_source: &consent_source, import: None };
            let id = contact::insert(tx, workspace, &draft, origin, now_ms)?.ok_or(StorageError::Exists)?;
            contact::set_tags(tx, workspace, id, &tags)?;
            for list in list::all(tx, workspace)?.iter().filter(|list| list.draft.is_default) {
                list::add(tx, (workspace, list.id, id), &consent_source, now_ms)?;
            }
            if let Some(at_ms) = engaged_ms {
                contact::engaged(tx, workspace, id, at_ms)?;
            }
            Ok(id)
        })
        .await
        .map_err(taken)?;
    read_back(&app, workspace, id).await
}

/// One contact.
#[utoipa::path(get, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = i64, Path)),
    responses((status = 200, body = Contact)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Contact>, ApiError> {
    read_back(&app, actor.workspace, ContactId(id)).await
}

/// Changes a contact; what is absent stays. A changed address is still the same person.
#[utoipa::path(patch, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = i64, Path)),
    request_body = ContactPatch, responses((status = 200, body = Contact)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(patch): Json<ContactPatch>,
) -> Result<Json<Contact>, ApiError> {
    let (workspace, id) = (actor.workspace, ContactId(id));
    let (old, fields) =
        app.storage.read(move |c| Ok((contact::find(c, workspace, id)?, field::list(c, workspace)?))).await?;
    let old = old.ok_or_else(|| ApiError::not_found("contact"))?;
    let (changed, new_fields) = attributes::check_patch(&fields, patch.attributes.unwrap_or_default())?;
    let mut attributes = old.attributes;
    for (name, value) in changed {
        match value {
            Some(value) => attributes.insert(name, value),
            None => attributes.remove(&name),
        };
    }
    let draft = draft(
        patch.email.as_deref().unwrap_or(&old.email),
        patch.first_name.as_deref().unwrap_or(&old.first_name),
        patch.last_name.as_deref().unwrap_or(&old.last_name),
        attributes,
    )?;
    let tags = patch.tags.map(tags).transpose()?;
    let now_ms = app.now_ms();
    let engaged_ms = engaged(patch.engaged_at.as_deref(), now_ms)?;
    let found = app
        .storage
        .main()
        .write(move |tx| {
            for (name, kind) in new_fields {
                field::ensure(tx, workspace, &name, kind)?;
            }
            if let Some(tags) = tags {
                contact::set_tags(tx, workspace, id, &tags)?;
            }
            if let Some(at_ms) = engaged_ms {
                contact::engaged(tx, workspace, id, at_ms)?;
            }
            contact::update(tx, workspace, id, &draft, None, now_ms)
        })
        .await
        .map_err(taken)?;
    if !found {
        return Err(ApiError::not_found("contact"));
    }
    read_back(&app, workspace, id).await
}

/// Deletes a contact. A suppression of its address stays, under the hash of the address alone.
#[utoipa::path(delete, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let (workspace, id, now_ms) = (actor.workspace, ContactId(id), app.now_ms());
    let found = app.storage.read(move |c| contact::find(c, workspace, id)).await?;
    let hash = found.ok_or_else(|| ApiError::not_found("contact"))?.address_hash;
    // First: a crash before the second step leaves the contact there, to be deleted again.
    let leave = move |tx: &storage::Transaction<'_>| {
        journey_run::end_of_contact(tx, workspace, id, now_ms)?;
        suppression::keep_hash_only(tx, workspace, &hash)
    };
    app.storage.queue().write(leave).await?;
    if !app.storage.main().write(move |tx| contact::delete(tx, workspace, id, now_ms)).await? {
        return Err(ApiError::not_found("contact"));
    }
    Ok(Json(Done { message: "The contact was deleted.".to_owned() }))
}

/// What happened to a contact, newest first.
#[utoipa::path(get, path = "/api/v1/contacts/{id}/timeline", tag = "contacts", params(("id" = i64, Path), Paging),
    responses((status = 200, body = Page<TimelineEntry>)))]
pub(crate) async fn timeline(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<TimelineEntry>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.unwrap_or(i64::MAX);
    let (workspace, id) = (actor.workspace, ContactId(id));
    let found = app
        .storage
        .read(move |c| {
            let Some(contact) = contact::find(c, workspace, id)? else { return Ok(None) };
            let events = event::of_contact(c, workspace, id, before, limit)?;
            let names = timeline::campaign_names(c, workspace, events.iter().filter_map(|event| event.campaign_id))?;
            Ok(Some((contact, events, names)))
        })
        .await?;
    let (contact, events, names) = found.ok_or_else(|| ApiError::not_found("contact"))?;
    let next = next(&events, limit, |event| event.id);
    let mut items: Vec<TimelineEntry> = events.into_iter().map(|event| timeline::shape(event, &names)).collect();
    if next.is_none() {
        items.push(timeline::created(&contact));
    }
    Ok(Json(Page { items, next, total: None }))
}

/// Fields of contacts.
#[utoipa::path(get, path = "/api/v1/fields", tag = "contacts", responses((status = 200, body = Page<Field>)))]
pub(crate) async fn fields(State(app): State<Shared>, actor: Actor) -> Result<Json<Page<Field>>, ApiError> {
    let rows = app.storage.read(move |c| field::list(c, actor.workspace)).await?;
    let items: Vec<Field> = rows.into_iter().map(|(name, kind)| Field { name, kind }).collect();
    Ok(Json(Page { total: Some(items.len() as u64), items, next: None }))
}

/// Tags with the number of contacts that have each.
#[utoipa::path(get, path = "/api/v1/tags", tag = "contacts", responses((status = 200, body = Page<Count>)))]
pub(crate) async fn tag_list(State(app): State<Shared>, actor: Actor) -> Result<Json<Page<Count>>, ApiError> {
    let rows = app.storage.read(move |c| tag::list(c, actor.workspace)).await?;
    let items: Vec<Count> = rows.into_iter().map(|(name, count)| Count { name, count }).collect();
    Ok(Json(Page { total: Some(items.len() as u64), items, next: None }))
}

async fn read_back(app: &Shared, workspace: WorkspaceId, id: ContactId) -> Result<Json<Contact>, ApiError> {
    let (now_ms, soft) = (app.now_ms(), SoftBounces::of(app));
    let found = app.storage.read(move |c| {
        let row = contact::find_with_suppression(c, workspace, id, now_ms)?;
        standing::contacts(c, workspace, row.into_iter().collect(), soft, now_ms)
    });
    found.await?.pop().map(Json).ok_or_else(|| ApiError::not_found("contact"))
}

fn engaged(given: Option<&str>, now_ms: i64) -> Result<Option<i64>, ApiError> {
    let Some(text) = given else { return Ok(None) };
    let at: Result<jiff::Timestamp, _> = text.parse();
    match at.map(jiff::Timestamp::as_millisecond) {
        Ok(at_ms) if at_ms <= now_ms => Ok(Some(at_ms)),
        Ok(_) => Err(ApiError::invalid("engaged_at", "engaged_at cannot lie in the future.")),
        Err(_) => Err(ApiError::invalid("engaged_at", "Write a moment such as 2026-11-21T10:30:00Z.")),
    }
}

fn taken(e: StorageError) -> ApiError {
    match e {
        StorageError::Exists => ApiError::exists("email", "There is a contact with this address already."),
        other => other.into(),
    }
}

fn draft(email: &str, first_name: &str, last_name: &str, attributes: contact::Attributes) -> Result<Draft, ApiError> {
    let email = email.trim();
    let email = mail::Address::parse(email)
        .map_err(|e| ApiError::invalid("email", format!("{email:?} is no mail address: {}.", e.why)))?;
    let name = |field: &str, text: &str| {
        let text = text.trim();
        let good = text.chars().count() <= 200 && !text.chars().any(char::is_control);
        good.then(|| text.to_owned())
            .ok_or_else(|| ApiError::invalid(field, "A name has at most 200 characters and no line ends."))
    };
    Ok(Draft {
        email,
        first_name: name("first_name", first_name)?,
        last_name: name("last_name", last_name)?,
        attributes,
    })
}

fn tags(given: Vec<String>) -> Result<Vec<String>, ApiError> {
    let tags: Vec<String> = given.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
    let good = |tag: &String| tag.chars().count() <= 100 && !tag.chars().any(char::is_control);
    if tags.len() > TAGS_MAX || !tags.iter().all(good) {
        let message = format!("At most {TAGS_MAX} tags of at most 100 characters each.");
        return Err(ApiError::invalid("tags", message));
    }
    Ok(tags)
}

/// A contact on the wire.
pub(crate) fn shape(row: contact::Contact, standing: ContactStanding) -> Contact {
    let why = |s: contact::Suppressed| {
        let reason = s.reason.replace('_', " ");
        if s.origin.is_empty() { reason } else { format!("{reason}: {}", s.origin) }
    };
    Contact {
        id: row.id.0,
        email: row.email,
        first_name: row.first_name,
        last_name: row.last_name,
        attributes: row.attributes.into_iter().collect(),
        tags: row.tags,
        consent_source: row.consent_source,
        engaged_at: row.engaged_ms.map(time),
        suppressed: row.suppressed.map(why),
        standing,
        created_at: time(row.created_ms),
        updated_at: time(row.updated_ms),
    }
}
