//! View logic.
