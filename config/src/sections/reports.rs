//! The declaration of `[reports]`.

use crate::declare::section;

section! {
    /// What others report about the sending domains: DMARC and TLS reports, which come by mail to the return-path domains
    /// (`smtp.dmarc_local_part`, `smtp.tlsrpt_local_part`), and listings on blocklists.
    pub struct ReportsSection in "reports" {
        /// Days that reports, alarms that have ended, and listings that are over are kept.
        retention_days: u32 = 400 in 1..=3650;
        /// Reports of one kind about one domain that are kept in a day. Anybody can send them: what is more is counted.
        daily_max: u32 = 200 in 1..=10_000;
        /// Messages from a source of ours that fail DKIM or SPF, in one DMARC report, from which on there is an alarm.
        /// 0: there is none.
        dmarc_alarm_messages: u32 = 1 in 0..=1_000_000;
        /// Sessions that fail, in percent of a TLS report's, from which on there is an alarm. 0: there is none.
        tls_alarm_percent: u32 = 5 in 0..=100;
        /// Reports of single mails that failed authentication, about one source or one signing key of ours within a day,
        /// from which on there is an alarm. 0: there is none.
        auth_alarm_reports: u32 = 1 in 0..=10_000;
    }
}
