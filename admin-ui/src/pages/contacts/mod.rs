//! Contacts: the list, one contact, imports.

mod edit;
mod import;
mod imports;
mod list;
mod lists;
mod mapping;
mod one;
mod standing;
mod streams;

pub use edit::NewContact;
pub use import::ImportPage;
pub use imports::Imports;
pub use list::Contacts;
pub use one::ContactPage;
