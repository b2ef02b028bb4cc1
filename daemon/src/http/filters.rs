//! Filters of requests and segments, compiled for the workspace at hand.

use crate::http::error::ApiError;
use api_types::Filter;
use jiff::tz::TimeZone;
use storage::filter::{self, CompiledFilter, FilterContext, FilterError};
use storage::{Connection, StorageError, WorkspaceId, field, workspace};

/// Why a filter could not be compiled.
#[derive(Debug)]
pub(crate) enum CompileError {
    /// The filter is wrong.
    Filter(FilterError),
    /// The database failed.
    Storage(StorageError),
}

impl From<StorageError> for CompileError {
    fn from(e: StorageError) -> CompileError {
        CompileError::Storage(e)
    }
}

/// Compiles a filter against the workspace's fields and time zone.
pub(crate) fn compile(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &Filter,
    now_ms: i64,
) -> Result<CompiledFilter, CompileError> {
    let zone = workspace::find(connection, workspace)?.and_then(|row| TimeZone::get(&row.time_zone).ok());
    let fields = field::list(connection, workspace)?;
    let context = FilterContext { workspace, fields, zone: zone.unwrap_or(TimeZone::UTC), now_ms };
    filter::compile(filter, &context).map_err(CompileError::Filter)
}

/// A wrong filter as an answer.
pub(crate) fn wrong(e: FilterError) -> ApiError {
    let field = if e.at.is_empty() { "filter".to_owned() } else { format!("filter.{}", e.at) };
    ApiError::invalid(&field, e.why)
}
