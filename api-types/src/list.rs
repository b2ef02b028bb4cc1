//! Lists that people subscribe to.
//!
//! `GET, POST /api/v1/lists` · `PUT, DELETE /api/v1/lists/{id}` · `GET, PUT /api/v1/contacts/{id}/lists`

use serde::{Deserialize, Serialize};

use crate::Time;

/// A list that people subscribe to and leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct List {
    /// Id.
    pub id: i64,
    /// Name, unique in the workspace.
    pub name: String,
    /// What the preference centre says below the name.
    pub description: String,
    /// Whether the preference centre offers it.
    pub public: bool,
    /// Whether contacts that are added one by one are put on it.
    pub default: bool,
    /// Contacts that are on it.
    pub subscribed: u64,
    /// Addresses that left it.
    pub left: u64,
    /// When made.
    pub created_at: Time,
}

/// A new list, or the whole new state of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListInput {
    /// Name.
    pub name: String,
    /// What the preference centre says below the name.
    #[serde(default)]
    pub description: String,
    /// Whether the preference centre offers it.
    #[serde(default = "yes")]
    pub public: bool,
    /// Whether contacts that are added one by one are put on it.
    #[serde(default)]
    pub default: bool,
}

fn yes() -> bool {
    true
}

/// Where somebody stands with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ListStatus {
    /// On it.
    Subscribed,
    /// Left it.
    Left,
}

/// How a contact stands to one list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactList {
    /// The list.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Absent where the contact never was on it.
    pub status: Option<ListStatus>,
    /// Since when.
    pub since: Option<Time>,
    /// What brought it there: an import, a person, the preference centre.
    pub source: String,
}

/// On which lists a contact is to stand; it leaves the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactListsInput {
    /// Ids of lists.
    pub lists: Vec<i64>,
}
