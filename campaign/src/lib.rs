//! Contacts, imports, segments, templates, campaigns, journeys: who gets what and when; ends by queueing recipients.
//!
//! Functions that only look take a reader's connection; those that change something take the storage and are async.
//! Everything is asked with its workspace.

pub mod contact_streams;
mod error;
pub mod hygiene;
pub mod import;
pub mod journey;
pub mod lists;
pub mod mailing;
mod merge;
pub mod preferences;
pub mod render;
pub mod segment;
pub mod suppressions;
pub mod template;
mod time;
pub mod unsubscribe;

pub use error::Refused;
pub use merge::MergeError;
pub use time::rfc3339;
