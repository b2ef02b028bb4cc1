//! Conditions on how a contact stands to us: its lists, its silence.

use super::{Compiler, FilterError};
use api_types::ListStatus;
use jiff::ToSpan;

/// Ten years.
const MONTHS_MAX: u32 = 120;

/// With one parameter: the list.
const HAS_LEFT: &str = "EXISTS (SELECT 1 FROM list_leave x WHERE x.workspace_id = contact.workspace_id \
     AND x.address_hash = contact.address_hash AND x.list_id = ?)";

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
