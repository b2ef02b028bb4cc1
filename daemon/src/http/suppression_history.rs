//! What became of suppressions: who was put on a list and taken off it, by whom and why.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query, cursor, limit, next};
use crate::http::suppressions::sources;
use crate::text::time;
use api_types::{Page, SuppressionAction, SuppressionChange, SuppressionFrom};
use axum::extract::State;
use serde::Deserialize;
use storage::suppression::{self, Action, Change, Whose};
use storage::{SuppressionId, WorkspaceId, address_hash};
use utoipa::IntoParams;

/// Whose changes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// Only of this address.
    address: Option<String>,
    /// Only of the address of this entry.
    entry: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Every change of the lists that bind the workspace, or those of one address, newest first.
#[utoipa::path(get, path = "/api/v1/suppressions/history", tag = "suppressions", params(HistoryQuery),
    responses((status = 200, body = Page<SuppressionChange>)))]
pub(crate) async fn history(
    State(app): State<Shared>,
    actor: Actor,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<SuppressionChange>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let workspace = actor.workspace;
    let whose = match (query.address.as_deref().map(str::trim).filter(|text| !text.is_empty()), query.entry) {
        (Some(_), Some(_)) => return Err(ApiError::invalid("entry", "Ask for an address or for an entry.")),
        (Some(text), None) => {
            let address = mail::Address::parse(text);
            Whose::Address(address_hash(&address.map_err(|e| ApiError::invalid("address", format!("{}.", e.why)))?))
        }
        (None, Some(id)) => of_entry(&app, workspace, SuppressionId(id)).await?,
        (None, None) => Whose::All,
    };
    let read = app.storage.read(move |c| {
        let changes = suppression::changes(c, workspace, whose, before, limit)?;
        let sources = sources(c, workspace, changes.iter().filter_map(|change| change.recipient_id))?;
        Ok((changes, sources))
    });
    let (changes, sources) = read.await?;
    let next = next(&changes, limit, |row| row.id);
    let shape = |change: Change| {
        let from = change.recipient_id.and_then(|id| sources.get(&id).cloned());
        shape(change, from)
    };
    Ok(Json(Page { items: changes.into_iter().map(shape).collect(), next, total: None }))
}

async fn of_entry(app: &Shared, workspace: WorkspaceId, id: SuppressionId) -> Result<Whose, ApiError> {
    let find = app.storage.read(move |c| match suppression::find(c, workspace, id)? {
        None => suppression::find(c, WorkspaceId::NONE, id),
        found => Ok(found),
    });
    let found = find.await?.ok_or_else(|| ApiError::not_found("suppression"))?;
    Ok(Whose::Address(found.address_hash))
}

fn shape(change: Change, from: Option<SuppressionFrom>) -> SuppressionChange {
    SuppressionChange {
        id: change.id,
        at: time(change.at_ms),
        action: match change.action {
            Action::Added => SuppressionAction::Added,
            Action::Removed => SuppressionAction::Removed,
        },
        address: change.address,
        masked: change.masked,
        reason: change.reason,
        covers: change.covers,
        global: change.workspace_id == WorkspaceId::NONE,
        words: change.words,
        by: change.actor,
        expires_at: change.expires_ms.map(time),
        from,
    }
}
