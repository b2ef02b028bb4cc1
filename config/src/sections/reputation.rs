//! From which shares on a sender's reputation is in danger.

use crate::declare::section;

section! {
    /// From which shares on the Providers page, the API and `packetboat reputation` warn of the last day's or week's
    /// bounces and complaints. What is done about those of the last hour stands in `[[shaping]]`.
    pub struct ReputationSection in "reputation" {
        /// Messages from which on shares say something.
        minimum: u32 = 1_000 in 1..=1_000_000;
        /// Bounces, in percent, that are a warning. 0: none are.
        bounce_warn_percent: u32 = 5 in 0..=100;
        /// Bounces, in percent, that receivers answer with refusals. 0: none do.
        bounce_bad_percent: u32 = 10 in 0..=100;
        /// Complaints, in thousandths, that are a warning. 0: none are.
        complaint_warn_permille: u32 = 1 in 0..=1_000;
        /// Complaints, in thousandths, that receivers answer with refusals. 0: none do.
        complaint_bad_permille: u32 = 3 in 0..=1_000;
    }
}
