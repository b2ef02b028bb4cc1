//! Imports: upload, look, start, watch, cancel, report.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Paging, Path, Query, cursor, limit, next};
use crate::text::{time, token};
use crate::{disk, imports};
use api_types::{Done, ErrorCode, Import, ImportError, ImportStart, ImportState, Page};
use axum::body::Body;
use axum::extract::multipart::Field;
use axum::extract::{Multipart, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::path::PathBuf;
use storage::import::{self, RowError};
use storage::{ImportId, WorkspaceId};
use tokio::io::AsyncWriteExt;

/// Rows of the error report that are read at once.
const REPORT_ROWS: u32 = 1000;

/// A file to import, as form field `file`.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(crate) struct Upload {
    /// The CSV file.
    #[schema(value_type = String, format = Binary)]
    file: String,
}

/// Imports, newest first.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports", params(Paging),
    responses((status = 200, body = Page<Import>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    actor: Actor,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Import>>, ApiError> {
    let limit = limit(paging.limit)?;
    let before = cursor(paging.cursor.as_deref())?.map(ImportId);
    let rows = app.storage.read(move |c| import::page(c, actor.workspace, before, limit)).await?;
    let next = next(&rows, limit, |row| row.id);
    Ok(Json(Page { items: rows.into_iter().map(shape).collect(), next, total: None }))
}

/// Uploads a file and proposes where its columns go. Nothing is read into contacts before the start.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports",
    request_body(content = Upload, content_type = "multipart/form-data"), responses((status = 200, body = Import)))]
pub(crate) async fn upload(
    State(app): State<Shared>,
    actor: Actor,
    mut form: Multipart,
) -> Result<Json<Import>, ApiError> {
    disk::refuse_when_low(&app)?;
    let broken = |e: axum::extract::multipart::MultipartError| {
        ApiError::invalid("file", format!("The form cannot be read: {e}."))
    };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some("file") {
            let name: String =
                field.file_name().unwrap_or("contacts.csv").chars().filter(|c| !c.is_control()).take(200).collect();
            let part = Part::receive(&app, field).await?;
            return take(&app, &actor, &name, part).await.map(Json);
        }
    }
    Err(ApiError::invalid("file", "Send the file as the form field `file`."))
}

/// An uploaded file on the disk; it goes away unless it is kept.
struct Part {
    path: PathBuf,
    kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // At worst it stays until the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Part {
    async fn receive(app: &Shared, mut field: Field<'_>) -> Result<Part, ApiError> {
        let folder = app.storage.dir().join("imports");
        tokio::fs::create_dir_all(&folder).await.map_err(disk_error)?;
        let part = Part { path: folder.join(format!("{}.part", token(&*app.random))), kept: false };
        let mut file = tokio::fs::File::create(&part.path).await.map_err(disk_error)?;
        let bytes_max = u64::from(app.config.http.import_max_mb) * 1024 * 1024;
        let mut bytes = 0;
        loop {
            let chunk = field.chunk().await;
            let chunk = chunk.map_err(|e| ApiError::invalid("file", format!("The upload broke off: {e}.")))?;
            let Some(chunk) = chunk else { break };
            bytes += chunk.len() as u64;
            if bytes > bytes_max {
                let message = format!(
                    "The file is larger than {} MiB. Split it, or raise [http] import_max_mb.",
                    app.config.http.import_max_mb
                );
                return Err(ApiError::new(ErrorCode::TooLarge, message).at("file"));
            }
            file.write_all(&chunk).await.map_err(disk_error)?;
        }
        file.flush().await.map_err(disk_error)?;
        Ok(part)
    }
}

fn disk_error(e: std::io::Error) -> ApiError {
    if e.kind() == std::io::ErrorKind::StorageFull {
        return storage::StorageError::DiskFull.into();
    }
    ApiError::internal(format!("an upload cannot be written: {e}"))
}

/// Makes an import of an uploaded file. What cannot be read leaves nothing behind.
async fn take(app: &Shared, actor: &Actor, name: &str, mut part: Part) -> Result<Import, ApiError> {
    let path = part.path.clone();
    let found =
        tokio::task::spawn_blocking(move || campaign::import::inspect(&path)).await.map_err(ApiError::internal)?;
    let found = found.map_err(|e| ApiError::invalid("file", format!("{e}.")))?;
    let (workspace, now_ms) = (actor.workspace, app.now_ms());
    let (name, by) = (name.to_owned(), actor.name.clone());
    let id = app.storage.main().write(move |tx| import::insert(tx, workspace, &name, &by, now_ms)).await?;
    let target = campaign::import::path(app.storage.dir(), id);
    tokio::fs::rename(&part.path, target).await.map_err(disk_error)?;
    part.kept = true;
    app.storage.main().write(move |tx| import::set_columns(tx, workspace, id, &found)).await?;
    find(app, workspace, id).await.map(shape)
}

/// One import.
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, body = Import)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Import>, ApiError> {
    find(&app, actor.workspace, ImportId(id)).await.map(|row| Json(shape(row)))
}

/// Starts reading the file into contacts.
#[utoipa::path(post, path = "/api/v1/imports/{id}/start", tag = "imports", params(("id" = i64, Path)),
    request_body = ImportStart, responses((status = 200, body = Import)))]
pub(crate) async fn start(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Json(input): Json<ImportStart>,
) -> Result<Json<Import>, ApiError> {
    disk::refuse_when_low(&app)?;
    let (workspace, id) = (actor.workspace, ImportId(id));
    let row = find(&app, workspace, id).await?;
    campaign::import::check_start(&row.columns, &input).map_err(|e| ApiError::invalid("targets", format!("{e}.")))?;
    let wanted = input.lists.clone();
    let known = app.storage.read(move |c| storage::list::all(c, workspace)).await?;
    if let Some(at) = wanted.iter().position(|id| known.iter().all(|list| list.id.0 != *id)) {
        return Err(ApiError::invalid(&format!("lists[{at}]"), "There is no such list."));
    }
    if !app.storage.main().write(move |tx| import::start(tx, workspace, id, &input)).await? {
        return Err(ApiError::wrong_state("This import was started or cancelled already."));
    }
    let row = find(&app, workspace, id).await?;
    imports::begin(&app, row.clone());
    Ok(Json(shape(row)))
}

/// Cancels an import. What was read stays.
#[utoipa::path(post, path = "/api/v1/imports/{id}/cancel", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Done>, ApiError> {
    let (workspace, id) = (actor.workspace, ImportId(id));
    let row = find(&app, workspace, id).await?;
    let now_ms = app.now_ms();
    let ended =
        move |tx: &storage::Transaction<'_>| import::end(tx, workspace, id, (ImportState::Cancelled, None), now_ms);
    if !app.storage.main().write(ended).await? {
        return Err(ApiError::wrong_state("This import has ended already."));
    }
    if row.state == ImportState::Draft {
        // A running one takes its file away itself, when it sees that it is cancelled.
        let _ = tokio::fs::remove_file(campaign::import::path(app.storage.dir(), id)).await;
    }
    Ok(Json(Done { message: "The import was cancelled. What was read stays.".to_owned() }))
}

/// Refused rows, in the order of the file.
#[utoipa::path(get, path = "/api/v1/imports/{id}/errors", tag = "imports", params(("id" = i64, Path), Paging),
    responses((status = 200, body = Page<ImportError>)))]
pub(crate) async fn errors(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ImportError>>, ApiError> {
    let limit = limit(paging.limit)?;
    let after = cursor(paging.cursor.as_deref())?.unwrap_or(0);
    let (workspace, id) = (actor.workspace, ImportId(id));
    let total = find(&app, workspace, id).await?.counts.failed;
    let rows = app.storage.read(move |c| import::errors(c, workspace, id, after, limit)).await?;
    let next = next(&rows, limit, |(id, _)| *id);
    let items = rows.into_iter().map(|(_, error)| error_shape(error)).collect();
    Ok(Json(Page { items, next, total: Some(total) }))
}

/// All refused rows as a CSV file.
#[utoipa::path(get, path = "/api/v1/imports/{id}/errors.csv", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(crate) async fn report(State(app): State<Shared>, actor: Actor, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let (workspace, id) = (actor.workspace, ImportId(id));
    find(&app, workspace, id).await?;
    let heading = "\u{feff}line,column,value,reason\r\n".to_owned();
    // Page by page: a report may have a million rows.
    let pages = futures_util::stream::try_unfold(Some((0, heading)), move |state| {
        let app = app.clone();
        async move {
            let Some((after, mut text)) = state else { return Ok::<_, storage::StorageError>(None) };
            let rows = app.storage.read(move |c| import::errors(c, workspace, id, after, REPORT_ROWS)).await?;
            for (_, error) in &rows {
                text.push_str(&csv_row(error));
            }
            let next = rows.last().filter(|_| rows.len() == REPORT_ROWS as usize).map(|(id, _)| (*id, String::new()));
            Ok(Some((text, next)))
        }
    });
    let disposition = format!("attachment; filename=\"import-{id}-errors.csv\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn csv_row(error: &RowError) -> String {
    format!("{},{},{},{}\r\n", error.line, cell(&error.column), cell(&error.value), cell(&error.reason))
}

/// A quoted cell. What a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

async fn find(app: &Shared, workspace: WorkspaceId, id: ImportId) -> Result<import::Import, ApiError> {
    let row = app.storage.read(move |c| import::find(c, workspace, id)).await?;
    row.ok_or_else(|| ApiError::not_found("import"))
}

fn shape(row: import::Import) -> Import {
    Import {
        id: row.id.0,
        file_name: row.file_name,
        state: row.state,
        columns: row.columns,
        bytes_total: row.bytes_total,
        bytes_done: row.bytes_done,
        rows: row.rows,
        created: row.counts.created,
        updated: row.counts.updated,
        skipped: row.counts.skipped,
        failed: row.counts.failed,
        message: row.message,
        created_at: time(row.created_ms),
        finished_at: row.finished_ms.map(time),
    }
}

fn error_shape(error: RowError) -> ImportError {
    ImportError { line: error.line, column: error.column, value: error.value, reason: error.reason }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_no_formulas() {
        for (text, expected) in [("a", "\"a\""), ("a\"b", "\"a\"\"b\""), ("=1+1", "\"'=1+1\""), ("@x", "\"'@x\"")] {
            assert_eq!(super::cell(text), expected);
        }
    }
}
