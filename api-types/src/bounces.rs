//! Bounces told apart. `GET /api/v1/bounces` · `GET /api/v1/bounces/recipients` (`cursor`, `limit`), both with `since`,
//! `until`, `class`, `kind`, `provider`, `source`, `campaign`.

use serde::{Deserialize, Serialize};

/// Who was refused or given up in some days, told by one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bounces {
    /// `class`, `provider`, `source`, `campaign` or `day`.
    pub by: String,
    /// The first day (UTC) that is counted.
    pub since: String,
    /// The last one.
    pub until: String,
    /// All of the rows together.
    pub total: BounceFigures,
    /// The largest first, days in their order; at most 200.
    pub rows: Vec<BounceRow>,
}

/// Recipients that were refused or given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BounceFigures {
    /// All of them.
    pub all: u64,
    /// The address does not work: it is suppressed.
    pub hard: u64,
    /// It did not work then: full, too large, not reached, given up after all attempts.
    pub soft: u64,
    /// Refused because of the sender or the content: says nothing against the address.
    pub block: u64,
}

/// The figures of one class, provider, source, campaign or day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BounceRow {
    /// What the filter of the same name wants: `-` where there is none, `0` for submitted mail among campaigns.
    pub key: String,
    /// For people.
    pub name: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: BounceFigures,
    /// Of a class: what follows from it for the recipient.
    pub action: Option<String>,
    /// Of a class: what a server said last, in its own words.
    pub reply: Option<String>,
}
