//! The words of mail: domain, address, reply, enhanced status, message composition.
//!
//! Pure: no clock, no socket, no randomness. What cannot be computed from the arguments is an argument.

mod address;
mod compose;
pub mod dsn;
mod mailbox;
mod mask;
mod reply;
mod state;
pub mod submission;

/// The field whose value names the recipient in feedback reports (RFC 9477 §3.2).
pub const FEEDBACK_MARK: &str = "CFBL-Feedback-ID";

pub use address::{Address, Domain, LocalPart, NotADomain, NotAnAddress};
pub use compose::{Body, ComposeError, Draft, compose};
pub use mailbox::{Mailbox, NotAMailbox};
pub use mask::mask;
pub use reply::{EnhancedStatus, Reply, Severity};
pub use state::{BounceClass, RecipientState, StreamKind, WaitReason};
