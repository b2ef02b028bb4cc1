//! The shapes that cross the wire between daemon, console and other programs. Serde only; builds for wasm.
//!
//! Every path begins with `/api/v1`. Lists are pages with `cursor` and `limit` (1 to 200, 50 when absent). Times are RFC 3339 in UTC.
//! Requests that change something need the session's `X-CSRF-Token`, or an API key.

mod bounce;
mod bounces;
mod campaign;
mod common;
mod contact;
mod credential;
mod delivery;
mod domain;
mod egress;
mod filter;
mod hygiene;
mod journey;
mod list;
mod message;
mod notice;
mod preference_centre;
mod queue;
mod reply;
mod report;
mod reputation;
mod segment;
mod session;
mod shaping;
mod suppression;
mod template;
mod tls;
mod trace;
mod unknown_text;
mod warmup;
mod webhook;
mod workspace;

pub use bounce::*;
pub use bounces::*;
pub use campaign::*;
pub use common::*;
pub use contact::*;
pub use credential::*;
pub use delivery::*;
pub use domain::*;
pub use egress::*;
pub use filter::*;
pub use hygiene::*;
pub use journey::*;
pub use list::*;
pub use message::*;
pub use notice::*;
pub use preference_centre::*;
pub use queue::*;
pub use reply::*;
pub use report::*;
pub use reputation::*;
pub use segment::*;
pub use session::*;
pub use shaping::*;
pub use suppression::*;
pub use template::*;
pub use tls::*;
pub use trace::*;
pub use unknown_text::*;
pub use warmup::*;
pub use webhook::*;
pub use workspace::*;
