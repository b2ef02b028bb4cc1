//! Webhooks: the list, and one with what was told to it.

mod edit;
mod list;
mod one;

pub use list::Webhooks;
pub use one::WebhookPage;
