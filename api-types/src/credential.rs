//! SMTP credentials: what programs sign in with to hand in mail.
//!
//! `GET, POST /api/v1/smtp-credentials` · `PATCH, DELETE /api/v1/smtp-credentials/{id}` ·
//! `GET /api/v1/smtp-server`

use serde::{Deserialize, Serialize};

use crate::Time;

/// A credential as listed; its secret is shown once, when made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SmtpCredential {
    /// Id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// The user name to sign in with.
    pub login: String,
    /// The stream of its mail, where a message names none.
    pub stream: String,
    /// Whether it may send from every sending domain, later ones too.
    pub all_domains: bool,
    /// The sending domains that it may send from now.
    pub domains: Vec<String>,
    /// Messages that it may hand in within a minute; no limit when absent.
    pub messages_per_minute: Option<u32>,
    /// Whether it works.
    pub enabled: bool,
    /// When made.
    pub created_at: Time,
    /// When last used, to the minute.
    pub last_used_at: Option<Time>,
}

/// A credential to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSmtpCredential {
    /// What it is for.
    pub name: String,
    /// The stream of its mail; `transactional` when empty.
    #[serde(default)]
    pub stream: String,
    /// The sending domains that it may send from; empty: every one, later ones too.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Messages that it may hand in within a minute; no limit when absent.
    #[serde(default)]
    pub messages_per_minute: Option<u32>,
}

/// What to change of a credential; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SmtpCredentialChange {
    /// Whether it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The stream of its mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The sending domains that it may send from; empty: every one, later ones too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domains: Option<Vec<String>>,
    /// Messages that it may hand in within a minute; 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_minute: Option<u32>,
}

/// A new credential; `secret` is shown this once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedSmtpCredential {
    /// The credential as listed.
    pub credential: SmtpCredential,
    /// The password to its login.
    pub secret: String,
    /// Where to sign in.
    pub server: SmtpServer,
}

/// Where programs hand in mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SmtpServer {
    /// The host's name, which its certificate is for.
    pub host: String,
    /// The port where TLS begins with STARTTLS; absent where there is none.
    pub starttls_port: Option<u16>,
    /// The port where TLS is spoken from the first byte; absent where there is none.
    pub tls_port: Option<u16>,
}
