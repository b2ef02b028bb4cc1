//! The SMTP client's side of one connection (RFC 5321): replies, capabilities, TLS, transactions. It reports what
//! was said and judges nothing.

mod auth;
mod reply;
mod session;
mod tls;
mod trust;
mod wire;

pub(crate) use auth::Login;
pub(crate) use session::{Begun, Envelope, Session, SessionError, Timeouts};
pub(crate) use tls::client_config;
pub(crate) use trust::verified_config;
#[cfg(test)]
pub(crate) use wire::push_content;
