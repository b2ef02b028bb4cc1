//! The preference centre: what its page says and looks like. The page for unsubscribing looks the same.
//!
//! `GET, PUT, DELETE /api/v1/preference-centre` · `POST /api/v1/preference-centre/preview` ·
//! `POST, DELETE /api/v1/preference-centre/logo` · `GET, PUT /api/v1/contacts/{id}/streams`

use serde::{Deserialize, Serialize};

use crate::Time;

/// What people set of the preference centre. An empty text stands for the language's own words, an empty colour for ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PreferenceCentre {
    /// The language of the words that are not set here.
    pub language: PageLanguage,
    /// The heading.
    pub title: String,
    /// What stands below the heading.
    pub introduction: String,
    /// What is said after unsubscribing.
    pub unsubscribed_text: String,
    /// What is said after saving.
    pub saved_text: String,
    /// Colour of buttons, `#RRGGBB`.
    pub accent: String,
    /// Colour behind everything, `#RRGGBB`.
    pub page: String,
    /// Colour of the card, `#RRGGBB`.
    pub card: String,
    /// Whether a mail confirms every change.
    pub confirmation: bool,
    /// Its subject.
    pub confirmation_subject: String,
    /// What it says, in plain text.
    pub confirmation_text: String,
    /// The streams that people can choose, in this order.
    pub streams: Vec<StreamOffer>,
}

/// A stream that people can choose on the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamOffer {
    /// The stream's name in the configuration; of the kind `bulk`.
    pub stream: String,
    /// What people call it.
    pub title: String,
    /// What stands below the title.
    #[serde(default)]
    pub description: String,
}

/// A bulk stream of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkStream {
    /// Its name.
    pub stream: String,
    /// Addresses that want no mail of it.
    pub left: u64,
}

/// How a contact stands to a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactStream {
    /// The stream's name.
    pub stream: String,
    /// The title that it is offered by; its name where it is not offered.
    pub title: String,
    /// Since when the contact wants no mail of it; absent where it gets it.
    pub left_at: Option<Time>,
}

/// The streams that a contact is to get no mail of; it gets that of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContactStreamsInput {
    /// Names of streams.
    pub left: Vec<String>,
}

/// A language of the pages for recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PageLanguage {
    /// English.
    #[default]
    En,
    /// Portuguese.
    Pt,
}

/// The preference centre as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreferenceCentreState {
    /// What people set.
    pub settings: PreferenceCentre,
    /// Path of the logo, where there is one.
    pub logo: Option<String>,
    /// How well the colours can be read.
    pub contrasts: Vec<Contrast>,
    /// The streams that can be offered.
    pub streams: Vec<BulkStream>,
}

/// How well one colour can be read on another (WCAG 2.1, 1.4.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contrast {
    /// What is read on what.
    pub what: String,
    /// The setting that decides it.
    pub field: String,
    /// 1 to 21, cut to one decimal; 4.5 is the least that is allowed.
    pub ratio: f64,
    /// Whether it is enough.
    pub good: bool,
}

/// Pages as they would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreferenceCentrePreview {
    /// The preference centre, as HTML.
    pub preferences: String,
    /// What is shown after unsubscribing, as HTML.
    pub unsubscribed: String,
    /// How well the colours can be read.
    pub contrasts: Vec<Contrast>,
}
