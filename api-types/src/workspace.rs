//! The workspace's own settings.
//!
//! `GET, PUT /api/v1/workspace`

use serde::{Deserialize, Serialize};

/// What a workspace is called and how it presents itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkspaceSettings {
    /// Name, as `workspace.name` in templates and in the console.
    pub name: String,
    /// IANA name of the time zone in which relative dates are meant.
    pub time_zone: String,
    /// Postal address, which the law of many countries wants in every campaign: `workspace.postal_address`.
    pub postal_address: String,
}
