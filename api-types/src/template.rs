//! Templates.
//!
//! `GET, POST /api/v1/templates` · `GET, PUT, DELETE /api/v1/templates/{id}` (PUT makes a new version) ·
//! `GET /api/v1/templates/{id}/versions` · `POST /api/v1/templates/{id}/versions/{number}/restore` ·
//! `POST /api/v1/templates/preview`

use serde::{Deserialize, Serialize};

use crate::Time;

/// A template with its newest version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Template {
    /// Id.
    pub id: i64,
    /// Name, unique in the workspace.
    pub name: String,
    /// Number of the newest version, from 1.
    pub version: u32,
    /// Language of the source.
    pub kind: TemplateKind,
    /// Subject, with merge tags.
    pub subject: String,
    /// The line that inboxes show after the subject, with merge tags.
    pub preheader: String,
    /// The source, with merge tags.
    pub source: String,
    /// When last changed.
    pub updated_at: Time,
}

/// Language of a template's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TemplateKind {
    /// MJML.
    Mjml,
    /// HTML.
    Html,
}

/// A new template, or its next version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateInput {
    /// Name.
    pub name: String,
    /// Language of the source.
    pub kind: TemplateKind,
    /// Subject.
    pub subject: String,
    /// The line that inboxes show after the subject.
    #[serde(default)]
    pub preheader: String,
    /// The source.
    pub source: String,
}

/// One version of a template in its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateVersion {
    /// From 1.
    pub number: u32,
    /// Subject of that version.
    pub subject: String,
    /// Who saved it.
    pub created_by: String,
    /// When.
    pub created_at: Time,
}

/// What to preview: an unsaved template as one contact would get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewRequest {
    /// The template as it stands in the editor.
    pub template: TemplateInput,
    /// For whom; an invented contact when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<i64>,
}

/// A rendered template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preview {
    /// Subject.
    pub subject: String,
    /// Preheader.
    pub preheader: String,
    /// HTML part.
    pub html: String,
    /// Plain text part.
    pub text: String,
    /// What is wrong or doubtful, with its place.
    pub problems: Vec<TemplateProblem>,
    /// Size of the HTML part in bytes; Gmail cuts at 102 kB.
    pub html_bytes: u64,
}

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateProblem {
    /// Whether it keeps the template from being sent.
    pub fatal: bool,
    /// `subject`, `preheader` or `source`.
    pub part: String,
    /// Line, from 1, where known.
    pub line: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
}
