//! From which shares on a sender's reputation is in danger, and what is done about it.

use crate::declare::section;
use crate::rate::Rate;
use std::time::Duration;

section! {
    /// From which shares of bounces and complaints on a sender's reputation is in danger, and what is done about it by
    /// itself: with the figures of the last 24 hours a campaign's, a sending domain's and a workspace's bulk mail is warned
    /// of, slowed down and held; with those of the last 7 days a workspace's is suspended. Transactional mail goes on, and
    /// does not count. What is in force stands on the Providers page and in `packetboat reputation`, where it can be
    /// lifted. What is done about the last hour at one provider stands in `[[shaping]]`.
    pub struct ReputationSection in "reputation" {
        /// Whether anything is done. Without it the shares are only shown.
        acts: bool = true;
        /// Messages from which on shares say something.
        minimum: u32 = 1_000 in 1..=1_000_000;
        /// Bounces, in percent, that are a warning. 0: none are.
        bounce_warn_percent: u32 = 5 in 0..=100;
        /// Bounces, in percent, that slow the mail down. 0: none do.
        bounce_slow_percent: u32 = 5 in 0..=100;
        /// Bounces, in percent, that hold the mail: receivers answer so many with refusals. 0: none do.
        bounce_hold_percent: u32 = 10 in 0..=100;
        /// Complaints, in thousandths, that are a warning. 0: none are.
        complaint_warn_permille: u32 = 1 in 0..=1_000;
        /// Complaints, in thousandths, that slow the mail down. 0: none do.
        complaint_slow_permille: u32 = 2 in 0..=1_000;
        /// Complaints, in thousandths, that hold the mail: receivers answer so many with refusals. 0: none do.
        complaint_hold_permille: u32 = 3 in 0..=1_000;
        /// What is left of mail that is slowed down, of each campaign, domain or workspace that is.
        slow_rate: Rate = "600/h";
        /// How long a warning, a slowing down and a hold last, unless they are lifted. A campaign that is held is paused
        /// until a person resumes it.
        action_time: Duration = "24h" in "10m"..="7d";
        /// Messages of 7 days from which on a workspace can be suspended.
        suspend_minimum: u32 = 5_000 in 1..=10_000_000;
        /// Bounces of 7 days, in percent, that suspend a workspace's bulk mail. 0: none do.
        suspend_bounce_percent: u32 = 5 in 0..=100;
        /// Complaints of 7 days, in thousandths, that suspend a workspace's bulk mail. 0: none do.
        suspend_complaint_permille: u32 = 3 in 0..=1_000;
        /// How long a suspension lasts, unless it is lifted.
        suspend_time: Duration = "7d" in "1h"..="90d";
    }
}
