//! Settings of sending domains: how often their records are looked up, and how long a signing key's steps last.

use crate::declare::section;
use std::time::Duration;

section! {
    /// Sending domains: looking after their DNS records and changing their signing keys.
    pub struct DomainsSection in "domains" {
        /// How often the records of a domain are looked up again. A tenth of it is left to chance.
        check_every: Duration = "6h" in "5m"..="7d";
        /// The same while a required record is missing or a new key waits for its record.
        check_missing_every: Duration = "15m" in "1m"..="24h";
        /// Time from the day that a new key's record is seen to the day that the key signs, while another key signs:
        /// who asked too early remembers for a while that there was no such record (RFC 2308 §5).
        dkim_settle: Duration = "1h" in "0s"..="7d";
        /// Time that an active key's record may be missing before the key stops signing.
        dkim_patience: Duration = "10m" in "0s"..="24h";
        /// Time that a replaced key's record stays for the mail under way. Longer than any mail is retried.
        dkim_overlap: Duration = "7d" in "1h"..="90d";
        /// Time from the day that a revoked key's record is seen empty to the day that it may be removed.
        dkim_revoked: Duration = "30d" in "1h"..="365d";
    }
}
