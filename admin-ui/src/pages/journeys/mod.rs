//! Journeys: the list, the outline of one with its checks, its figures, who is under way.

mod actions;
mod editor;
mod list;
mod one;
mod runs;
mod step;

pub use list::{Journeys, NewJourney};
pub use one::JourneyPage;
