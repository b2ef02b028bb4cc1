//! The declaration of `[notice]`.

use crate::declare::section;
use crate::setting::choice;
use std::time::Duration;

choice! {
    /// Who is told by mail that a message could not be delivered.
    NoticeMode {
        /// Who asks for it with NOTIFY (RFC 3461); what NOTIFY asks for.
        Asked = "asked",
        /// And of failures everybody who hands a message in and does not say NOTIFY.
        Failures = "failures",
        /// Nobody.
        Never = "never",
    }
}

section! {
    /// Reports by mail (DSN) to the reverse-path of messages that programs hand in. Campaigns have none: the console
    /// tells of them.
    pub struct NoticeSection in "notice" {
        /// Whom to tell: "asked" those that ask with NOTIFY, "failures" of failures all others too, "never" nobody.
        to: NoticeMode = "asked";
        /// A message that has waited so long is reported as delayed to who asks with NOTIFY=DELAY.
        delay_after: Duration = "4h" in "1m"..="5d";
        /// Reports to one address in an hour. What is more is not told by mail; the console and the API have it.
        hourly_max: u32 = 100 in 1..=100_000;
    }
}
