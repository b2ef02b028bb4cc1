//! Segments: the list and the builder.

mod builder;
mod list;

pub use builder::{NewSegment, SegmentPage};
pub use list::Segments;
