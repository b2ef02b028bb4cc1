//! What handlers, the command line and the demo do alike.

use crate::app::App;
use crate::http::error::ApiError;
use crate::passwords;
use crate::text::token;
use api_types::{KeyScope, NewApiKey, Role};
use storage::{UserId, WorkspaceId, api_key, secret_hash, session, user};

/// How long a sign-in link can be used.
const LINK_MS: i64 = 15 * 60 * 1000;

/// A person to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Mail address.
    pub email: String,
    /// Name as shown.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// The password to begin with.
    pub password: String,
}

/// Adds a person who can sign in.
///
/// # Errors
/// `invalid` for a bad address or password, `conflict` when the address is taken.
pub async fn create_user(app: &App, new: NewUser) -> Result<UserId, ApiError> {
    let address = mail::Address::parse(new.email.trim()).map_err(|e| ApiError::invalid("email", e.why))?;
    let length = new.password.chars().count();
    if length < passwords::LENGTH_MIN {
        let message = format!("The password must have at least {} characters.", passwords::LENGTH_MIN);
        return Err(ApiError::invalid("password", message));
    }
    if new.password.len() > passwords::LENGTH_MAX {
        let message = format!("The password must have at most {} bytes.", passwords::LENGTH_MAX);
        return Err(ApiError::invalid("password", message));
    }
    let row = user::NewUser {
        workspace_id: new.workspace,
        email: address.normalized(),
        name: new.name.trim().to_owned(),
        password_hash: app.passwords.hash(new.password).await?,
        role: new.role,
        created_ms: app.now_ms(),
    };
    app.storage.main().write(move |tx| user::insert(tx, &row)).await.map_err(|e| match e {
        storage::StorageError::Exists => ApiError::exists("email", "A user with this address exists already."),
        other => other.into(),
    })
}

/// A link that signs a user in once, and when it ends.
///
/// # Errors
/// `not_found` when there is no such user in the workspace.
pub async fn sign_in_link(app: &App, workspace: WorkspaceId, id: UserId) -> Result<(String, i64), ApiError> {
    app.storage.read(move |c| user::find(c, workspace, id)).await?.ok_or_else(|| ApiError::not_found("user"))?;
    let token = token(&*app.random);
    let hash = secret_hash(&token);
    let expires_ms = app.now_ms() + LINK_MS;
    app.storage.main().write(move |tx| session::insert_link(tx, &hash, id, expires_ms)).await?;
    Ok((format!("{}/sign-in?token={token}", app.config.http.base_url()), expires_ms))
}

/// Requests a minute that a key can be given at most.
const RATE_MAX: u32 = 1_000_000;

/// A new API key: its row and the key itself, which is stored nowhere.
///
/// # Errors
/// `invalid` without a name or scope, or with a rate that is none.
pub async fn create_api_key(
    app: &App,
    workspace: WorkspaceId,
    new: NewApiKey,
    created_by: &str,
) -> Result<(api_key::ApiKey, String), ApiError> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(ApiError::invalid("name", "Give the key a name of 1 to 100 characters: what it is for."));
    }
    // Each once, from the least to the most.
    let scopes: Vec<KeyScope> = KeyScope::ALL.into_iter().filter(|scope| new.scopes.contains(scope)).collect();
    if scopes.is_empty() {
        return Err(ApiError::invalid("scopes", "Give the key at least one scope: send, read, marketing or admin."));
    }
    if new.rate_per_minute.is_some_and(|rate| !(1..=RATE_MAX).contains(&rate)) {
        let message = format!("rate_per_minute must be 1 to {RATE_MAX}; leave it out for no limit.");
        return Err(ApiError::invalid("rate_per_minute", message));
    }
    let key = format!("pbk_{}", token(&*app.random));
    let row = api_key::NewApiKey {
        workspace_id: workspace,
        name: name.to_owned(),
        prefix: key[..10].to_owned(),
        key_hash: secret_hash(&key),
        created_by: created_by.to_owned(),
        created_ms: app.now_ms(),
        scopes,
        rate_per_minute: new.rate_per_minute,
    };
    let stored = app.storage.main().write(move |tx| {
        let id = api_key::insert(tx, &row)?;
        Ok(api_key::ApiKey {
            id,
            workspace_id: row.workspace_id,
            name: row.name,
            prefix: row.prefix,
            created_ms: row.created_ms,
            last_used_ms: None,
            scopes: row.scopes,
            rate_per_minute: row.rate_per_minute,
        })
    });
    Ok((stored.await?, key))
}
