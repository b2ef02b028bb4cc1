//! Conditions on how a contact stands to us: its lists and streams, its silence.

use super::{Compiler, FilterError};
use crate::suppression::{SuppressionReason, reason_word};
use api_types::ListStatus;
use jiff::ToSpan;

/// Ten years.
const MONTHS_MAX: u32 = 120;
/// Soft bounces are kept no longer.
const SOFT_DAYS_MAX: u32 = 365;
/// More of them than any threshold.
const SOFT_TIMES_MAX: u32 = 100;

/// With one parameter: the list.
const HAS_LEFT: &str = "EXISTS (SELECT 1 FROM list_leave x WHERE x.workspace_id = contact.workspace_id \
     AND x.address_hash = contact.address_hash AND x.list_id = ?)";

/// With one parameter: the stream.
pub(super) const HAS_LEFT_STREAM: &str = "EXISTS (SELECT 1 FROM stream_leave x WHERE x.workspace_id = contact.workspace_id \
     AND x.stream = ? AND x.address_hash = contact.address_hash)";

impl Compiler<'_> {
    pub(super) fn on_list(&mut self, id: i64, status: ListStatus) {
        match status {
            ListStatus::Subscribed => {
                self.text(
                    "(EXISTS (SELECT 1 FROM list_member m WHERE m.list_id = ? AND m.contact_id = contact.id \
                     AND m.workspace_id = contact.workspace_id) AND NOT ",
                );
                self.bind(id);
                self.text(HAS_LEFT);
                self.text(")");
            }
            ListStatus::Left => self.text(HAS_LEFT),
        }
        self.bind(id);
    }

    pub(super) fn left_stream(&mut self, stream: &str) {
        self.text(HAS_LEFT_STREAM);
        self.bind(stream.to_owned());
    }

    pub(super) fn suppressed_for(&mut self, reason: SuppressionReason) {
        self.text(crate::contact::IS_SUPPRESSED_FOR.trim_start());
        self.bind(reason_word(reason).to_owned());
        self.bind(self.context.now_ms);
    }

    /// Refused for now so often, and not suppressed for it: those that led to a suppression are counted no more.
    pub(super) fn bounced_softly(&mut self, times: u32, days: u32) -> Result<(), FilterError> {
        if !(1..=SOFT_TIMES_MAX).contains(&times) {
            return Err(self.wrong("times", format!("choose 1 to {SOFT_TIMES_MAX} times")));
        }
        if !(1..=SOFT_DAYS_MAX).contains(&days) {
            return Err(self.wrong("days", format!("choose 1 to {SOFT_DAYS_MAX} days")));
        }
        self.text(crate::contact::HAS_BOUNCED_SOFTLY.trim_start());
        self.bind(self.context.now_ms.saturating_sub(i64::from(days) * 86_400_000));
        self.bind(i64::from(times));
        Ok(())
    }

    /// Mail was delivered for so long, the last time after the last sign of engagement, and nothing came of it. Who was
    /// never mailed had no chance, and is not meant.
    pub(super) fn unengaged(&mut self, months: u32) -> Result<(), FilterError> {
        if !(1..=MONTHS_MAX).contains(&months) {
            return Err(self.wrong("months", format!("choose 1 to {MONTHS_MAX} months")));
        }
        let day = self.today().checked_sub(i64::from(months).months());
        let day = day.map_err(|_| self.wrong("months", "this is too long ago"))?;
        let before_ms = self.start_of(day)?;
        self.text(
            "(coalesce(contact.engaged_ms, 0) < ? AND EXISTS (SELECT 1 FROM contact_mailed d \
             WHERE d.contact_id = contact.id AND d.workspace_id = contact.workspace_id \
             AND d.first_ms < ? AND d.last_ms > coalesce(contact.engaged_ms, 0)))",
        );
        self.bind(before_ms);
        self.bind(before_ms);
        Ok(())
    }
}
