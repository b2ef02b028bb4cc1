//! The declaration of `[[mailbox]]`.

use crate::declare::section;
use crate::mailbox::{AfterTaking, MailboxProtocol, MailboxTls};
use crate::route::HostName;
use crate::values::Name;
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// A mailbox elsewhere whose mail is taken as if it had come to the return-path listener: returned mail, complaints,
    /// answers. For hosts whose port 25 is taken. Repeat the section for each. Mail is taken out only after everything
    /// that follows from it is on disk.
    pub(crate) struct MailboxEntry in "mailbox" {
        /// Name of the mailbox.
        name: Name = required example "bounces";
        /// "imap" or "pop3".
        protocol: MailboxProtocol = required example "imap";
        /// The server: a name, which its certificate must be good for, or an address.
        host: HostName = required example "imap.example.com";
        /// Port of the server. Unset: with implicit TLS 993 (IMAP) or 995 (POP3), else 143 or 110.
        port: Option<u16> = none in 1..=65535 example 993;
        /// "implicit": TLS from the first byte on. "starttls": after asking for it. Never without.
        tls: MailboxTls = "implicit";
        /// The user to log in as.
        user: String = required example "bounces@example.com";
        /// File with the password. Unset: the secret `mailbox_password_NAME`, with "_" for "-" and "." in the name.
        password_file: Option<PathBuf> = none example "/etc/packetboat/mailbox.password";
        /// File with certificates (PEM) that are trusted for the server besides those of the system.
        ca_file: Option<PathBuf> = none example "/etc/packetboat/mailbox-ca.pem";
        /// The folder that is read; IMAP only.
        folder: String = "INBOX";
        /// How often to look. After a failure the waits grow, up to an hour.
        every: Duration = "5m" in "10s"..="24h";
        /// What becomes of a mail that was taken: "delete"; or "keep", and then with IMAP it is marked as read, and only
        /// unread mail is taken.
        after: AfterTaking = "delete";
        /// The folder that taken mail is moved to instead; it must exist. IMAP only.
        move_to: Option<String> = none example "Taken";
    }
}
