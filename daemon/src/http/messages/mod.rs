//! Messages that programs send: taken in, found again, cancelled.
//!
//! A request is read within bounds (`request`), each message of it is checked and written (`intake`), and all go into
//! the queue in one commit with the answer to repeat (`take`).

pub(crate) mod batch;
pub(crate) mod cancel;
mod intake;
pub(crate) mod list;
mod notices;
mod request;
pub(crate) mod send;
mod shape;
pub(crate) mod show;
mod take;

pub(crate) use request::{Room, body_max};
