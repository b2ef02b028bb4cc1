//! When addresses are suppressed by themselves.

use crate::declare::section;

section! {
    /// When addresses are suppressed by themselves. What does not exist is suppressed at once, and so is who complains
    /// or unsubscribes; these settings are for mailboxes that refuse for now, such as full ones.
    pub struct SuppressionSection in "suppression" {
        /// So many soft bounces suppress an address. Only what tells of the mailbox counts, never what tells of this
        /// sender. 0: none do.
        soft_bounces: u32 = 3 in 0..=100;
        /// Within so many days.
        soft_bounce_days: u32 = 30 in 1..=365;
        /// For so many days; afterwards the address gets its chance again.
        soft_bounce_expiry_days: u32 = 180 in 1..=3650;
        /// Who was put on a list or taken off it, by whom and why, is kept for so many days; entries that have ended are kept
        /// for so long too. The history knows addresses by their hash alone.
        history_days: u32 = 1095 in 30..=36500;
    }
}

impl SuppressionSection {
    /// How many soft bounces within how many days suppress for how many days; `None` where none do.
    #[must_use]
    pub fn threshold(&self) -> Option<(u32, u32, u32)> {
        (self.soft_bounces > 0).then_some((self.soft_bounces, self.soft_bounce_days, self.soft_bounce_expiry_days))
    }
}
