//! Suppression lists as files: out and in.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use crate::http::suppressions::{filter, owner};
use crate::text::time;
use crate::webhooks::by_hand::Hooks;
use api_types::{SuppressionsImported, WebhookSuppressionsImported, WebhookType};
use axum::body::Body;
use axum::extract::{Multipart, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use campaign::suppressions::{Row, Whom, read};
use serde::Deserialize;
use std::sync::Arc;
use storage::suppression::{self, NewHashed, NewSuppression, covers_word, reason_word};
use storage::{WorkspaceId, address_hash_word};
use utoipa::IntoParams;

/// Rows that are read, or taken in, at once.
const CHUNK: usize = 1000;
/// Largest list: some million addresses.
pub(crate) const FILE_MAX: usize = 64 * 1024 * 1024;
/// Refused rows that are told.
const ERRORS_MAX: usize = 100;

/// Which entries; all that the workspace is bound by where nothing is said.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// Only addresses that contain this. A whole address finds its entry also where only the hash is kept.
    q: Option<String>,
    /// `hard_bounce`, `soft_bounces`, `complaint`, `unsubscribe`, `paused`, `sunset`, `manual` or `import`.
    reason: Option<String>,
    /// `all`: what covers every mail; `marketing`: what covers bulk mail only.
    covers: Option<String>,
    /// `true`: only what holds for the whole installation; `false`: only the workspace's own.
    global: Option<bool>,
    /// `true`: only what has ended; `false`: only what is in force.
    ended: Option<bool>,
}

/// What the workspace is bound by, newest first: address, reason, covers, global, origin, created_by, created_at,
/// expires_at, address_hash. The last one stands for an address that is not kept; it can be imported like an address.
#[utoipa::path(get, path = "/api/v1/suppressions/export", tag = "suppressions", params(ExportQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(crate) async fn export(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let words = (query.q, query.reason.as_deref(), query.covers.as_deref());
    let filter = filter(words, query.global, query.ended, app.now_ms())?;
    let heading =
        "\u{feff}address,reason,covers,global,origin,created_by,created_at,expires_at,address_hash\r\n".to_owned();
    let workspace = actor.workspace;
    // Page by page: a list may have a million rows.
    let pages = futures_util::stream::try_unfold(Some((i64::MAX, heading)), move |state| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let Some((before, mut text)) = state else { return Ok::<_, storage::StorageError>(None) };
            let page = move |c: &storage::Connection| suppression::page(c, workspace, &filter, before, CHUNK as u32);
            let rows = app.storage.read(page).await?;
            for row in &rows {
                text.push_str(&line(row));
            }
            let next = rows.last().filter(|_| rows.len() == CHUNK).map(|row| (row.id.0, String::new()));
            Ok(Some((text, next)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"suppressions.csv\""),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn line(row: &suppression::Suppression) -> String {
    let cells = [
        row.address.clone().unwrap_or_default(),
        reason_word(row.reason).to_owned(),
        covers_word(row.covers).to_owned(),
        if row.workspace_id == WorkspaceId::NONE { "yes".to_owned() } else { "no".to_owned() },
        row.origin.clone(),
        row.created_by.clone().unwrap_or_default(),
        time(row.created_ms),
        row.expires_ms.map(time).unwrap_or_default(),
        address_hash_word(&row.address_hash),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A quoted cell. What a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// For whom.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Whether the list holds for every workspace of the installation. For administrators.
    #[serde(default)]
    global: bool,
}

/// A file to import, as form field `file`.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(crate) struct ListUpload {
    /// The CSV file.
    #[schema(value_type = String, format = Binary)]
    file: String,
}

/// Suppresses the addresses of a CSV file. Columns: address, or address_hash where the address is not known (SHA-256 of the
/// address in lower case, 64 hexadecimal digits); reason, covers, note, expires_at where they are there. Addresses that are suppressed already stay as they are.
#[utoipa::path(post, path = "/api/v1/suppressions/import", tag = "suppressions", params(ImportQuery),
    request_body(content = ListUpload, content_type = "multipart/form-data"),
    responses((status = 200, body = SuppressionsImported)))]
pub(crate) async fn import(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<ImportQuery>,
    mut form: Multipart,
) -> Result<Json<SuppressionsImported>, ApiError> {
    let workspace = owner(&actor, query.global)?;
    let broken = |e: axum::extract::multipart::MultipartError| {
        ApiError::invalid("file", format!("The form cannot be read: {e}."))
    };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some("file") {
            continue;
        }
        let name: String =
            field.file_name().unwrap_or("a file").chars().filter(|c| !c.is_control()).take(200).collect();
        let bytes = field.bytes().await.map_err(broken)?;
        let rows = tokio::task::spawn_blocking(move || read(&bytes)).await;
        let rows = rows.unwrap_or_else(|_| Err("the file cannot be read".to_owned()));
        let rows = rows.map_err(|why| ApiError::invalid("file", format!("{}.", why)))?;
        return take(&app, (workspace, &actor.name, &name), rows).await.map(Json);
    }
    Err(ApiError::invalid("file", "Send the file as the form field `file`."))
}

async fn take(
    app: &Shared,
    (workspace, by, file): (WorkspaceId, &str, &str),
    rows: Vec<Result<Row, api_types::ImportError>>,
) -> Result<SuppressionsImported, ApiError> {
    let mut told = SuppressionsImported { rows: rows.len() as u64, ..SuppressionsImported::default() };
    let mut good = Vec::new();
    for row in rows {
        match row {
            Ok(row) => good.push(row),
            Err(error) => {
                told.failed += 1;
                if told.errors.len() < ERRORS_MAX {
                    told.errors.push(error);
                }
            }
        }
    }
    let now_ms = app.now_ms();
    let hooks = Arc::new(Hooks::asking(app, workspace, WebhookType::SuppressionImported).await?);
    let mut left = good.len();
    for chunk in good.chunks(CHUNK) {
        left -= chunk.len();
        let (chunk, by, file) = (chunk.to_vec(), by.to_owned(), file.to_owned());
        // With the last of them webhooks hear of all.
        let (hooks, before) = (Some(Arc::clone(&hooks)).filter(|_| left == 0), told.clone());
        let taking = app.storage.queue().write(move |tx| {
            let added = take_chunk(tx, (workspace, &by, &file), &chunk, now_ms)?;
            let told = with(before, added);
            if let Some(hooks) = hooks.filter(|_| told.added > 0) {
                hooks.tell(tx, now_ms, &imported(&told, (workspace, by, file)))?;
            }
            Ok(told)
        });
        told = taking.await?;
    }
    Ok(with(told, 0))
}

/// With so many more that are new.
fn with(told: SuppressionsImported, added: u64) -> SuppressionsImported {
    let added = told.added + added;
    SuppressionsImported { added, known: told.rows - told.failed - added, ..told }
}

fn imported(
    told: &SuppressionsImported,
    (workspace, by, file): (WorkspaceId, String, String),
) -> WebhookSuppressionsImported {
    let (added, known, failed) = (told.added, told.known, told.failed);
    WebhookSuppressionsImported { file, added, known, failed, by, global: workspace == WorkspaceId::NONE }
}

fn take_chunk(
    tx: &storage::Transaction<'_>,
    (workspace, by, file): (WorkspaceId, &str, &str),
    rows: &[Row],
    now_ms: i64,
) -> Result<u64, storage::StorageError> {
    let mut added = 0;
    for row in rows {
        let origin = if row.note.is_empty() { format!("import of {file}") } else { row.note.clone() };
        let (covers, reason, expires_ms) = (row.covers, row.reason, row.expires_ms);
        let origin = origin.as_str();
        added += u64::from(match &row.whom {
            Whom::Address(address) => {
                let new = NewSuppression {
                    workspace_id: workspace,
                    address,
                    covers,
                    reason,
                    origin,
                    recipient_id: None,
                    campaign_id: None,
                    contact_id: None,
                    created_by: Some(by),
                    now_ms,
                    expires_ms,
                };
                suppression::add(tx, &new)?
            }
            Whom::Hash(hash) => {
                let workspace_id = workspace;
                let new = NewHashed { workspace_id, hash, covers, reason, origin, created_by: by, now_ms, expires_ms };
                suppression::add_hashed(tx, &new)?
            }
        });
    }
    Ok(added)
}
