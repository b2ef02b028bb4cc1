//! What every part of the API shares: pages, errors, times.

use serde::{Deserialize, Serialize};

/// A moment: RFC 3339 in UTC, with milliseconds.
pub type Time = String;

/// One page of a list. Seek pagination: hand `next` back as `cursor` for the page after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many rows match in all, where that is cheap to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// The one shape of every error answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// For programs.
    pub code: ErrorCode,
    /// For people: a whole sentence saying what to do.
    pub message: String,
    /// The field of the request that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Every error code of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No session and no valid API key.
    Unauthenticated,
    /// Signed in, but not allowed.
    Forbidden,
    /// The CSRF token is missing or wrong.
    CsrfMismatch,
    /// No such thing, or not in this workspace.
    NotFound,
    /// A field is wrong; `field` names it.
    Invalid,
    /// It exists already.
    Conflict,
    /// Not possible in the present state, for example pausing a finished campaign.
    WrongState,
    /// Too many requests.
    RateLimited,
    /// The request is larger than allowed.
    TooLarge,
    /// Disk or memory is short; try later.
    Unavailable,
    /// Our fault; the log has the details under the request id.
    Internal,
}

/// A count under a name, for breakdowns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Count {
    /// What is counted.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// The answer to what only needs an acknowledgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Done {
    /// What was done, as a sentence for people.
    pub message: String,
}
