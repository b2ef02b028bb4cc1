//! The SMTP client's side of one connection (RFC 5321): replies, capabilities, TLS, transactions. It reports what
//! was said and judges nothing.

mod auth;
mod capabilities;
mod envelope;
mod record;
mod reply;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;
mod trust;
mod wire;

pub(crate) use auth::Login;
pub(crate) use envelope::{Envelope, Rcpt};
pub(crate) use record::Live;
pub(crate) use session::{Session, SessionError, Timeouts};
pub(crate) use tls::client_config;
pub(crate) use transaction::{Answered, Stop};
pub(crate) use trust::verified_config;
#[cfg(test)]
pub(crate) use wire::push_content;
