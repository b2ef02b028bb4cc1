//! Segments: the list and the builder.

mod builder;
mod list;

pub use builder::{NewSegment, SegmentPage, vocabulary};
pub use list::Segments;
