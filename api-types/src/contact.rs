//! Contacts, fields, tags, timeline, imports.
//!
//! `GET, POST /api/v1/contacts` (`q`, `tag`, `segment`, `status`, `cursor`, `limit`) · `GET, PATCH, DELETE /api/v1/contacts/{id}` ·
//! `GET /api/v1/contacts/{id}/timeline` · `GET /api/v1/fields` · `GET /api/v1/tags` ·
//! `GET, POST /api/v1/imports` (multipart `file`) · `GET /api/v1/imports/{id}` · `POST /api/v1/imports/{id}/start` ·
//! `POST /api/v1/imports/{id}/cancel` · `GET /api/v1/imports/{id}/errors` (paged) · `GET /api/v1/imports/{id}/errors.csv`

use serde::{Deserialize, Serialize};

use crate::{ContactStanding, Time};
use std::collections::BTreeMap;

/// A person that mail is sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contact {
    /// Id.
    pub id: i64,
    /// Mail address, unique in the workspace.
    pub email: String,
    /// First name; empty when unknown.
    pub first_name: String,
    /// Last name; empty when unknown.
    pub last_name: String,
    /// Values of the workspace's own fields.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Tags.
    pub tags: Vec<String>,
    /// Where the consent came from, for example "import newsletter.csv".
    pub consent_source: String,
    /// When it last opened, clicked, answered or came back, as far as is known.
    #[serde(default)]
    pub engaged_at: Option<Time>,
    /// Why nothing is sent to this contact, if so.
    pub suppressed: Option<String>,
    /// Which mail it can get, and what speaks against it.
    #[serde(default)]
    pub standing: ContactStanding,
    /// When added.
    pub created_at: Time,
    /// When last changed.
    pub updated_at: Time,
}

/// A new contact, or the whole new state of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactInput {
    /// Mail address.
    pub email: String,
    /// First name.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    #[serde(default)]
    pub last_name: String,
    /// Values of fields; unknown names become text fields.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Tags; unknown ones are made.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it last did something with your mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engaged_at: Option<Time>,
}

/// A change of a contact; what is absent stays.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactPatch {
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Values to set; `null` removes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// The whole new list of tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When it last did something with your mail. A moment before what is known changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engaged_at: Option<Time>,
}

/// A field of contacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Field {
    /// Name as used in filters and merge tags.
    pub name: String,
    /// Type of its values.
    pub kind: FieldKind,
}

/// Type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text.
    Text,
    /// Number.
    Number,
    /// Yes or no.
    Boolean,
    /// Calendar date, ISO 8601.
    Date,
}

/// One thing that happened to a contact or recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineEntry {
    /// When.
    pub at: Time,
    /// Kind of event: `delivered`, `deferred`, `bounced`, `unsubscribed`, `created`, ...
    pub kind: String,
    /// One sentence for people.
    pub summary: String,
    /// The server's own words, where there are some.
    pub reply: Option<String>,
    /// Our class of it.
    pub class: Option<String>,
    /// The campaign it belongs to.
    pub campaign_id: Option<i64>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// The recipient it belongs to.
    pub recipient_id: Option<i64>,
    /// Receiving provider.
    pub provider: Option<String>,
    /// Egress source.
    pub source: Option<String>,
    /// The host that answered, or should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx: Option<String>,
    /// Which attempt.
    pub attempt: Option<u32>,
    /// How long the attempt took, in milliseconds.
    pub took_ms: Option<u64>,
    /// Whether TLS was used, and which version.
    pub tls: Option<String>,
    /// Of an attempt in a recipient's trace: what was said over the wire, where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// In a recipient's trace: what it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<crate::TraceLink>,
}

/// A file being imported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Import {
    /// Id.
    pub id: i64,
    /// Name of the file.
    pub file_name: String,
    /// Where it is.
    pub state: ImportState,
    /// Columns found, with sample values and the proposed target.
    pub columns: Vec<ImportColumn>,
    /// Bytes in the file.
    pub bytes_total: u64,
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that made a new contact.
    pub created: u64,
    /// Rows that changed a contact.
    pub updated: u64,
    /// Rows of a contact that was there and was to be left alone, or that changed nothing.
    pub skipped: u64,
    /// Rows refused, each in the error report.
    pub failed: u64,
    /// Why it stopped, when it failed.
    pub message: Option<String>,
    /// When uploaded.
    pub created_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// Where an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Uploaded, waiting for the mapping.
    Draft,
    /// Reading.
    Running,
    /// All read.
    Finished,
    /// Stopped by a person; what was read stays.
    Cancelled,
    /// Could not go on.
    Failed,
}

/// A column of an import file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportColumn {
    /// Heading, or "column 3" without one.
    pub name: String,
    /// First values.
    pub samples: Vec<String>,
    /// Proposed or chosen target: `email`, `first_name`, `last_name`, `tags`, `engaged_at`, `attribute:NAME`, or empty to ignore.
    pub target: String,
}

/// Starting an import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportStart {
    /// Target per column, in order, as in `ImportColumn::target`.
    pub targets: Vec<String>,
    /// What happens to contacts that are there already.
    pub existing: ImportExisting,
    /// Tags put on every contact of the file.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lists that every contact of the file is put on. Who left one stays out of it.
    #[serde(default)]
    pub lists: Vec<i64>,
    /// Where the consent came from; the file's name when empty.
    #[serde(default)]
    pub consent_source: String,
}

/// What happens to contacts that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImportExisting {
    /// Leave them alone.
    Skip,
    /// Set what the file has a value for.
    Update,
    /// Replace names and attributes by what the file has.
    Overwrite,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportError {
    /// Line in the file, the heading being line 1.
    pub line: u64,
    /// Which column.
    pub column: String,
    /// What stood there.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}
