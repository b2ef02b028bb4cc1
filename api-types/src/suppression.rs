//! Suppression lists: their import, export, and what an entry covers.
//!
//! `GET, POST /api/v1/suppressions` (`q`, `reason`, `global`, `cursor`, `limit`) ·
//! `POST /api/v1/suppressions/{id}/remove` · `GET /api/v1/suppressions/export` · `POST /api/v1/suppressions/import`

use serde::{Deserialize, Serialize};

/// Which mail is not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SuppressionCovers {
    /// Campaigns and other bulk mail; single mail such as receipts still goes.
    Marketing,
    /// Every mail.
    #[default]
    All,
}

/// What became of a list that was imported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SuppressionsImported {
    /// Rows read.
    pub rows: u64,
    /// Addresses that are suppressed now and were not before.
    pub added: u64,
    /// Addresses that stood there already.
    pub known: u64,
    /// Rows refused.
    pub failed: u64,
    /// The first of the refused rows, at most a hundred.
    pub errors: Vec<crate::ImportError>,
}
