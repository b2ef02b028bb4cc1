//! SMTP credentials: made with a secret that is stored nowhere, changed, shown.

use crate::app::App;
use crate::http::error::ApiError;
use crate::text::time;
use api_types::{CreatedSmtpCredential, NewSmtpCredential, SmtpCredential, SmtpCredentialChange, SmtpServer};
use mail::Domain;
use std::net::SocketAddr;
use storage::credential::{self, Credential, NewCredential, Rights, SecretKey};
use storage::{Connection, CredentialId, DomainId, StorageError, WorkspaceId, domain};
use world::Random;
use zeroize::Zeroizing;

/// 32 letters and digits that nobody confuses: five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters of a secret: 160 bits.
const SECRET_LETTERS: usize = 32;
/// Letters of a login behind its `pb`: 60 bits, so that two never meet.
const LOGIN_LETTERS: usize = 12;
/// Messages in a minute at most; who needs no limit gives none.
const RATE_MAX: u32 = 1_000_000;
/// The stream where none is named.
const STREAM: &str = "transactional";

/// What secrets are stored under.
pub(crate) fn secret_key(app: &App) -> SecretKey {
    SecretKey::new(&app.keys.master.derive("smtp credential"))
}

/// Makes a credential. Its secret is in the answer and nowhere else.
///
/// # Errors
/// `invalid` for a bad name, stream, domain or rate; `conflict` when the name is taken.
pub async fn create(
    app: &App,
    workspace: WorkspaceId,
    input: NewSmtpCredential,
    created_by: &str,
) -> Result<CreatedSmtpCredential, ApiError> {
    let name = input.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(ApiError::invalid("name", "Give the credential a name of 1 to 100 characters: what it is for."));
    }
    let stream = if input.stream.is_empty() { STREAM.to_owned() } else { input.stream };
    let rights = Rights {
        stream: known_stream(app, stream)?,
        domains: known_domains(app, workspace, &input.domains).await?,
        messages_per_minute: good_rate(input.messages_per_minute)?,
        enabled: true,
    };
    let login = format!("pb{}", letters(&*app.random, LOGIN_LETTERS));
    let secret = Zeroizing::new(letters(&*app.random, SECRET_LETTERS));
    let new = NewCredential {
        workspace_id: workspace,
        name,
        secret_tag: secret_key(app).tag(&login, &secret),
        login,
        rights,
        created_by: created_by.to_owned(),
        created_ms: app.now_ms(),
    };
    let id = app.storage.main().write(move |tx| credential::insert(tx, &new)).await.map_err(|e| match e {
        StorageError::Exists => ApiError::exists("name", "There is a credential of this name already."),
        other => other.into(),
    })?;
    let credential = show(app, workspace, id).await?;
    Ok(CreatedSmtpCredential { credential, secret: secret.to_string(), server: server(app) })
}

/// Changes what a credential may do; open sessions learn of it at once.
///
/// # Errors
/// `not_found`, or `invalid` for a bad stream, domain or rate.
pub async fn change(
    app: &App,
    workspace: WorkspaceId,
    id: CredentialId,
    change: SmtpCredentialChange,
) -> Result<SmtpCredential, ApiError> {
    let (before, domains) = find(app, workspace, id).await?;
    let domains = match &change.domains {
        Some(wanted) => known_domains(app, workspace, wanted).await?,
        None if before.all_domains => None,
        None => Some(domains.into_iter().map(|(id, _)| id).collect()),
    };
    let rights = Rights {
        stream: match change.stream {
            Some(stream) => known_stream(app, stream)?,
            None => before.stream,
        },
        domains,
        messages_per_minute: match change.messages_per_minute {
            Some(0) => None,
            Some(rate) => good_rate(Some(rate))?,
            None => before.messages_per_minute,
        },
        enabled: change.enabled.unwrap_or(before.enabled),
    };
    app.storage.main().write(move |tx| credential::update(tx, workspace, id, &rights)).await?;
    forget(app, &before.login);
    show(app, workspace, id).await
}

/// Takes a credential back; open sessions end with their next message.
///
/// # Errors
/// `not_found`.
pub async fn delete(app: &App, workspace: WorkspaceId, id: CredentialId) -> Result<(), ApiError> {
    let (before, _) = find(app, workspace, id).await?;
    app.storage.main().write(move |tx| credential::delete(tx, workspace, id)).await?;
    forget(app, &before.login);
    Ok(())
}

fn forget(app: &App, login: &str) {
    if let Some(submission) = app.submission.get() {
        submission.forget(login);
    }
}

async fn find(
    app: &App,
    workspace: WorkspaceId,
    id: CredentialId,
) -> Result<(Credential, Vec<(DomainId, String)>), ApiError> {
    let found =
        app.storage.read(move |c| credential::find(c, workspace, id)?.map(|row| with_domains(c, row)).transpose());
    found.await?.ok_or_else(|| ApiError::not_found("SMTP credential"))
}

fn with_domains(c: &Connection, row: Credential) -> Result<(Credential, Vec<(DomainId, String)>), StorageError> {
    let domains = credential::domains(c, &row)?;
    Ok((row, domains))
}

async fn show(app: &App, workspace: WorkspaceId, id: CredentialId) -> Result<SmtpCredential, ApiError> {
    let (row, domains) = find(app, workspace, id).await?;
    Ok(shape(row, domains))
}

/// Credentials of the workspace, newest first, with ids below `before`.
pub(crate) async fn list(
    app: &App,
    workspace: WorkspaceId,
    before: i64,
    limit: u32,
) -> Result<Vec<SmtpCredential>, ApiError> {
    let found = app.storage.read(move |c| {
        let rows = credential::list(c, workspace, before, limit)?;
        rows.into_iter().map(|row| with_domains(c, row)).collect::<Result<Vec<_>, _>>()
    });
    Ok(found.await?.into_iter().map(|(row, domains)| shape(row, domains)).collect())
}

fn shape(row: Credential, domains: Vec<(DomainId, String)>) -> SmtpCredential {
    SmtpCredential {
        id: row.id.0,
        name: row.name,
        login: row.login,
        stream: row.stream,
        all_domains: row.all_domains,
        domains: domains.into_iter().map(|(_, name)| name).collect(),
        messages_per_minute: row.messages_per_minute,
        enabled: row.enabled,
        created_at: time(row.created_ms),
        last_used_at: row.last_used_ms.map(time),
    }
}

/// Where programs sign in, as configured.
pub(crate) fn server(app: &App) -> SmtpServer {
    let port = |addresses: &[SocketAddr]| addresses.first().map(SocketAddr::port);
    let section = &app.config.submission;
    SmtpServer {
        host: app.config.server.hostname.to_string(),
        starttls_port: port(&section.listen),
        tls_port: port(&section.listen_tls),
    }
}

fn known_stream(app: &App, name: String) -> Result<String, ApiError> {
    if app.config.streams.find(&name).is_some() {
        return Ok(name);
    }
    let names: Vec<&str> = app.config.streams.iter().map(|stream| stream.name.as_str()).collect();
    Err(ApiError::invalid("stream", format!("There is no stream {name}. Streams: {}.", names.join(", "))))
}

/// The ids of sending domains; `None` for every one.
async fn known_domains(app: &App, workspace: WorkspaceId, names: &[String]) -> Result<Option<Vec<DomainId>>, ApiError> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let wanted = Domain::parse(name.trim()).map_err(|e| ApiError::invalid("domains", format!("{e}.")))?.to_string();
        let found = app.storage.read(move |c| domain::find_by_name(c, workspace, &wanted)).await?;
        let missing = || ApiError::invalid("domains", format!("{name} is not a sending domain here. Add it first."));
        let id = found.ok_or_else(missing)?.id;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Some(ids))
}

fn good_rate(rate: Option<u32>) -> Result<Option<u32>, ApiError> {
    match rate {
        Some(rate) if !(1..=RATE_MAX).contains(&rate) => {
            let message = format!("Messages in a minute must be 1 to {RATE_MAX}; leave it away for no limit.");
            Err(ApiError::invalid("messages_per_minute", message))
        }
        rate => Ok(rate),
    }
}

fn letters(random: &dyn Random, count: usize) -> String {
    let mut bytes = Zeroizing::new(vec![0; count]);
    random.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}
