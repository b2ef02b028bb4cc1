//! Sending domains: their keys and records, how those stand in the DNS, and signing for them.
//!
//! `wanted` is what should be there, `look_up` what is, `check` brings both together and takes the steps of rotation
//! that are due, `watch` does so on a schedule, `keys` is what people do with keys, `health` and `shape` are for showing.

mod check;
mod health;
mod keys;
mod look_up;
mod reports;
mod shape;
mod wanted;
mod watch;

use crate::app::App;
use crate::http::error::ApiError;
use api_types::{DomainDetail, DomainEventKind, SendingDomain};
use mail::Domain;
use storage::domain::{self, DkimKey, DomainEvent};
use storage::{Connection, DomainId, StorageError, WorkspaceId, suppression};

pub use check::verify;
pub(crate) use keys::{remove_key, rotate, schedule, sign_anyway, signer};
pub(crate) use reports::{dmarc_record, tlsrpt_record};
pub(crate) use watch::watch;

/// Events shown of a domain.
const EVENTS_MAX: u32 = 50;

/// Adds a sending domain with an RSA and an Ed25519 key.
///
/// # Errors
/// `invalid` for a bad name, `conflict` when it is there already.
pub async fn create(app: &App, workspace: WorkspaceId, name: &str, by: &str) -> Result<DomainId, ApiError> {
    let domain = Domain::parse(name.trim()).map_err(|e| ApiError::invalid("domain", format!("{e}.")))?;
    let label = app.config.smtp.return_path_label.as_str();
    let return_path =
        Domain::parse(&format!("{label}.{domain}")).map_err(|e| ApiError::invalid("domain", format!("{e}.")))?;
    let now_ms = app.now_ms();
    let sealed = keys::make(app, &domain, &[], now_ms).await?;
    // Nobody can have published records that did not exist.
    let next_check_ms = now_ms + millis(app.config.domains.check_missing_every);
    let (name, return_path) = (domain.to_string(), return_path.to_string());
    let event = DomainEvent {
        at_ms: now_ms,
        kind: DomainEventKind::Added,
        text: "The domain was added.".to_owned(),
        actor: Some(by.to_owned()),
    };
    let write = move |tx: &storage::Transaction<'_>| {
        let id = domain::insert(tx, workspace, (&name, &return_path), &sealed, now_ms)?;
        domain::set_next_check(tx, workspace, id, next_check_ms)?;
        domain::note(tx, workspace, id, &event)?;
        Ok(id)
    };
    app.storage.main().write(write).await.map_err(|e| match e {
        StorageError::Exists => ApiError::exists("domain", "This domain is there already."),
        other => other.into(),
    })
}

/// All that is stored of a domain.
struct Rows {
    row: domain::SendingDomain,
    keys: Vec<DkimKey>,
    events: Vec<DomainEvent>,
    /// Recipients of the workspace that reported mail as spam.
    complaints: u64,
}

fn read(c: &Connection, workspace: WorkspaceId, id: DomainId) -> Result<Option<Rows>, StorageError> {
    let Some(row) = domain::find(c, workspace, id)? else { return Ok(None) };
    let complaints =
        suppression::Filter { reason: Some(api_types::SuppressionReason::Complaint), ..suppression::Filter::default() };
    Ok(Some(Rows {
        row,
        keys: domain::keys(c, workspace, id)?,
        events: domain::events(c, workspace, id, EVENTS_MAX)?,
        complaints: suppression::count(c, workspace, &complaints)?,
    }))
}

async fn rows(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<Rows, ApiError> {
    let found = app.storage.read(move |c| read(c, workspace, id)).await?;
    found.ok_or_else(|| ApiError::not_found("domain"))
}

/// A domain with its records as they stood at the last look-up.
pub(crate) async fn detail(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<DomainDetail, ApiError> {
    shape::detail(app, rows(app, workspace, id).await?)
}

/// The domain as listed.
pub(crate) fn summary(app: &App, row: &domain::SendingDomain, keys: &[DkimKey]) -> Result<SendingDomain, ApiError> {
    let wanted = wanted::wanted(app, row, keys)?;
    let records = wanted::as_checked(&wanted, row.checked.as_deref());
    Ok(shape::summary(app, row, keys, &records))
}

fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
