//! The declaration of `[health]`.

use crate::declare::section;
use mail::Domain;
use std::time::Duration;

section! {
    /// The regular look at the sources: their names in the DNS, blocklists, and whether other mail servers can be
    /// reached from them. `packetboat source check` looks at once.
    pub struct HealthSection in "health" {
        /// Time between two looks.
        every: Duration = "6h" in "10m"..="7d";
        /// Whether blocklists are asked about the sources and the sending domains. Private addresses are never asked about.
        blocklists: bool = true;
        /// A mail server that each source tries to reach at port 25, to see whether the network lets it: name it only if
        /// its owner agrees. Unset: that is not looked at.
        probe_host: Option<Domain> = none example "mx.example.com";
    }
}
