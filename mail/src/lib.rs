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

pub use address::{Address, Domain, LocalPart, NotADomain, NotAnAddress};
pub use compose::{Body, ComposeError, Draft, compose};
pub use mailbox::{Mailbox, NotAMailbox};
pub use mask::mask;
pub use reply::{EnhancedStatus, Reply, Severity};
pub use state::{BounceClass, RecipientState, StreamKind, WaitReason};
