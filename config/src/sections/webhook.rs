//! Webhooks.

use crate::declare::section;

section! {
    /// Webhooks: requests to other servers that tell what happens to mail.
    pub struct WebhookSection in "webhook" {
        /// Whether they may lead to this host and to private networks, and be http. Anybody who may make a webhook could
        /// then send requests to what only this host reaches: leave it unless everybody who may is trusted so far.
        allow_private: bool = false;
        /// Days that deliveries are kept for reading and for sending again.
        delivery_days: u32 = 7 in 1..=365;
    }
}
