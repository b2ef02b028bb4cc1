//! What comes back: whose report it is (VERP), what it says, and what a reply means (bounce class).
//!
//! Pure: time is an argument, mail is bytes. Real reports are broken in many ways, so parsing returns what was
//! understood plus a list of complaints and never fails as a whole. A delivery status is read where there is one
//! (RFC 3464); words are read by the vocabulary of `data/words.toml`. Meaning is found by rules kept as data in
//! `data/rules.toml`, each with the replies that it is for; an operator's own stand before them.

mod address;
mod auth_failure;
mod classify;
mod delivery_status;
mod diagnostic;
mod draft;
mod event_json;
mod explain;
mod feedback;
mod figures;
mod mended;
mod normal;
mod notice;
mod original;
mod own;
mod patterns;
mod pieces;
mod reason;
mod report;
mod rules;
mod session;
mod shape;
mod signs;
mod understand;
pub mod verp;
mod vocabulary;
mod words;

pub use classify::{Classified, DecidedBy, Kind, Stage};
pub use explain::explain;
pub use normal::{Event, NormalForm, class_of_text, normal_form};
pub use own::{Fault, OWN_RULES_MAX};
pub use report::{
    Action, DmarcFigures, DmarcRow, DmarcSignature, FailedSignature, Feedback, RecipientReport, Report, Sort,
    TlsFailure, TlsFigures, TlsPolicyFigures,
};
pub use rules::{Part, Rules, RulesAt, WrittenRule};
pub use shape::shape;
pub use understand::{parse, parse_with};

/// So many header fields of a returned message are kept.
pub const ORIGINAL_HEADERS_MAX: usize = 200;
