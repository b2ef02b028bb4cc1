//! Shaping: how fast and over how many connections mail goes where, and what a server's answers change about it.
//!
//! `snapshot` has the limits in layers and explains them; `bucket` keeps rates; `rules` are what answers lead to,
//! `react` says what follows, `register` has what is in force, `recovery` and `ratio` are two strategies of it,
//! `enforce` carries it out in the running engine.

mod bucket;
mod enforce;
mod limits;
mod ratio;
mod react;
mod recovery;
mod register;
mod rules;
mod snapshot;

pub(crate) use enforce::{Counted, Shaping};
pub use limits::{Limits, Values, span};
pub use react::{Context, Target, begin, recipient, sentence};
pub(crate) use react::{reasons, target_of};
pub(crate) use register::{Change, Restraint};
pub use rules::{Action, Hold, RatioLimit, RatioRule, Rule, Rules, parse_reply, stage_of};
pub use snapshot::{Explained, Place, Snapshot};
