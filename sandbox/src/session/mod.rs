//! The provider's side of SMTP (RFC 5321), once: `dialogue` decides what is said, without any stream; `connection`
//! carries it over a stream; `content` takes the message out of the bytes.

mod command;
mod connection;
mod content;
mod dialogue;

pub(crate) use connection::{say_nothing, serve};
pub(crate) use content::find_end;
