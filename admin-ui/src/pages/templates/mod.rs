//! Templates: the list, the editor, versions.

mod editor;
mod list;
mod preview;
mod tags;
mod versions;

pub use editor::{NewTemplate, TemplatePage};
pub use list::Templates;
