//! Sending domains: what to publish, what was found, what differs; their keys; what mailbox providers demand.

mod detail;
mod keys;
mod list;
mod records;
mod requirements;

pub use detail::DomainPage;
pub use list::Domains;
