//! The pages. Each owns a route and its loading.

mod api_keys;
mod campaigns;
mod contacts;
mod domains;
mod egress;
mod not_found;
mod overview;
mod people;
mod queue;
mod recipient;
mod segments;
mod sign_in;
mod smtp_credentials;
mod suppressions;
mod templates;
mod warmup;
mod workspace;

pub use api_keys::ApiKeys;
pub use campaigns::{CampaignPage, CampaignRecipients, Campaigns, EditCampaign, NewCampaign};
pub use contacts::{ContactPage, Contacts, ImportPage, Imports, NewContact};
pub use domains::{DomainPage, Domains};
pub use egress::EgressPage;
pub use not_found::NotFound;
pub use overview::Overview;
pub use people::People;
pub use queue::Queue;
pub use recipient::RecipientPage;
pub use segments::{NewSegment, SegmentPage, Segments};
pub use sign_in::SignIn;
pub use smtp_credentials::SmtpCredentials;
pub use suppressions::Suppressions;
pub use templates::{NewTemplate, TemplatePage, Templates};
pub use workspace::WorkspacePage;
