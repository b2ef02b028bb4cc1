//! Queue to wire and back: scheduling, sites, lanes, egress choice, sessions, outcomes, the return path.
//!
//! In the order of a recipient's way: `scheduler` takes what is due, `site` finds where it goes, `egress` chooses the
//! source, `lane` owns connections and limits, `content` has the message made, `connection` and `smtp` bring it over,
//! `outcome` decides what the answer means, `book` writes it down. `inbound` takes what comes back. `submission` is where mail from other programs comes in.
//! `warmup` says how much may leave from a source that is new.
//!
//! RFC 5321, 2920, 1870, 6152, 3207, 7505, 7435; the return path: 3464.

mod book;
mod connection;
pub mod content;
mod conversation;
mod dialing;
mod egress;
mod engine;
mod expiry;
mod hand;
pub mod health;
mod hold;
mod housekeeping;
pub mod inbound;
mod lane;
pub mod metric;
mod notice;
pub mod outcome;
mod pace;
mod pause;
mod peers;
mod places;
pub mod providers;
mod relaying;
mod reputation;
mod route;
mod scheduler;
pub mod shaping;
mod shared;
pub mod site;
mod smtp;
mod source;
mod source_watch;
mod stream;
pub mod submission;
pub mod tls;
mod unknown_text;
pub mod warmup;
mod watchdog;

pub use content::{ContentMaker, Made, MakeError, Wishes};
pub use engine::{Engine, EngineHandle, Parts, StartError, Waker, pool_of_source};
pub use housekeeping::Retention;
pub use lane::LaneStatus;
pub use route::{RouteSetup, RouteStatus};
pub use unknown_text::UnknownTexts;
pub use watchdog::StalledLane;
