//! What comes back: whose report it is (VERP), what it says (RFC 3464), and what a reply means (bounce class).
//!
//! Pure: time is an argument, mail is bytes. Real reports are broken in many ways, so parsing returns what was
//! understood plus a list of complaints and never fails as a whole. Meaning is found by rules kept as data in
//! `data/rules.toml`, each with the replies that it is for.

mod classify;
mod delivery_status;
mod diagnostic;
mod report;
mod rules;
pub mod verp;

pub use classify::{Classified, Kind, Stage, classify};
pub use delivery_status::parse;
pub use report::{
    Action, DmarcFigures, DmarcRow, Feedback, RecipientReport, Report, Sort, TlsFigures, TlsPolicyFigures,
};
pub use rules::Rules;

/// So many header fields of a returned message are kept.
pub const ORIGINAL_HEADERS_MAX: usize = 200;
