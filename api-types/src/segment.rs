//! Segments.
//!
//! `GET, POST /api/v1/segments` · `GET, PUT, DELETE /api/v1/segments/{id}` · `POST /api/v1/segments/count`

use serde::{Deserialize, Serialize};

use crate::{Contact, Filter, Time};

/// A named filter over contacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Segment {
    /// Id.
    pub id: i64,
    /// Name, unique in the workspace.
    pub name: String,
    /// The condition.
    pub filter: Filter,
    /// The condition as a sentence.
    pub sentence: String,
    /// How many contacts match, as last counted.
    pub count: u64,
    /// When last changed.
    pub updated_at: Time,
}

/// A new segment, or the whole new state of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentInput {
    /// Name.
    pub name: String,
    /// The condition.
    pub filter: Filter,
}

/// A filter to count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CountRequest {
    /// The condition.
    pub filter: Filter,
    /// Without those who want no mail of this stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
}

/// How many contacts a filter finds, and who of them will receive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AudienceCount {
    /// Contacts that match.
    pub matching: u64,
    /// Of those, on the suppression list.
    pub suppressed: u64,
    /// Of those, who would receive a campaign.
    pub receiving: u64,
    /// The condition as a sentence.
    pub sentence: String,
    /// A few of them.
    pub sample: Vec<Contact>,
}
