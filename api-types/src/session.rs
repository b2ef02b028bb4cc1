//! Sign-in, the signed-in user, API keys.
//!
//! `POST /api/v1/session` · `POST /api/v1/session/link` · `GET /api/v1/session` · `DELETE /api/v1/session` ·
//! `GET, POST /api/v1/api_keys` · `DELETE /api/v1/api_keys/{id}` ·
//! `GET, POST /api/v1/users` · `POST /api/v1/users/{id}/sign_in_link`

use serde::{Deserialize, Serialize};

use crate::{KeyScope, Time};

/// Signing in with a password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// Mail address of the user.
    pub email: String,
    /// Password.
    pub password: String,
}

/// Signing in with a one-time link from the terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInLink {
    /// The token at the end of the link.
    pub token: String,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// Mail address.
    pub email: String,
    /// Name as shown.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The workspace the session works in.
    pub workspace: String,
    /// Its time zone (IANA name).
    pub time_zone: String,
    /// Sent back as `X-CSRF-Token` with every request that changes something.
    pub csrf_token: String,
    /// Version of the daemon.
    pub version: String,
}

/// What a user may do; each role may do what the next may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but removing the workspace.
    Admin,
    /// Contacts, segments, templates, campaigns, suppressions.
    Marketer,
    /// Looking only.
    Viewer,
}

impl Role {
    /// Whether this role may do what `least` may.
    #[must_use]
    pub fn may(self, least: Role) -> bool {
        // Declared from the highest to the lowest.
        self as u8 <= least as u8
    }
}

/// A user as listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Id.
    pub id: i64,
    /// Mail address.
    pub email: String,
    /// Name as shown.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// When added.
    pub created_at: Time,
    /// When last signed in.
    pub last_sign_in_at: Option<Time>,
}

/// A user to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewUser {
    /// Mail address.
    pub email: String,
    /// Name as shown.
    #[serde(default)]
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The password to begin with; at least 10 characters.
    pub password: String,
}

/// A one-time link that signs in without a password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedSignInLink {
    /// The link; works once.
    pub url: String,
    /// When it ends.
    pub expires_at: Time,
}

/// An API key as listed; the key itself is shown once, when made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// When made.
    pub created_at: Time,
    /// When last used.
    pub last_used_at: Option<Time>,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// Requests a minute, each message of a batch counted; no limit of its own when absent.
    pub rate_per_minute: Option<u32>,
}

/// A request for a new API key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// What it may do; `admin` when absent.
    #[serde(default = "all_scopes")]
    pub scopes: Vec<KeyScope>,
    /// Requests a minute, 1 to 1,000,000, each message of a batch counted; no limit of its own when absent.
    #[serde(default)]
    pub rate_per_minute: Option<u32>,
}

fn all_scopes() -> Vec<KeyScope> {
    vec![KeyScope::Admin]
}

/// A new API key; `key` is shown this once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedApiKey {
    /// The key as listed.
    pub api_key: ApiKey,
    /// The secret: send it as `Authorization: Bearer KEY`.
    pub key: String,
}
