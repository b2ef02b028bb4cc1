//! Mailboxes elsewhere: `[[mailbox]]`.

use crate::problem::Collector;
use crate::secret::{self, SecretError};
use crate::sections::MailboxEntry;
use crate::setting::choice;
use crate::values::Name;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeTable;

/// Mailboxes at most: each is a connection, and a mail in memory.
const MAILBOXES_MAX: usize = 50;

/// A mailbox elsewhere whose mail is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Unique name.
    pub name: Name,
    /// How it is spoken to.
    pub protocol: MailboxProtocol,
    /// Name, or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// When TLS begins.
    pub tls: MailboxTls,
    /// Who logs in.
    pub user: String,
    /// Where the password lies.
    pub password_file: Option<PathBuf>,
    /// Certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The folder that is read (IMAP).
    pub folder: String,
    /// How often.
    pub every: Duration,
    /// What becomes of a mail that was taken.
    pub after: AfterTaking,
    /// The folder that it is moved to instead (IMAP).
    pub move_to: Option<String>,
}

choice! {
    /// How a mailbox is spoken to.
    MailboxProtocol {
        /// RFC 9051.
        Imap = "imap",
        /// RFC 1939.
        Pop3 = "pop3",
    }
}

choice! {
    /// When TLS begins towards a mailbox.
    MailboxTls {
        /// With the first byte (RFC 8314 §3.2).
        Implicit = "implicit",
        /// After asking for it (RFC 2595).
        StartTls = "starttls",
    }
}

choice! {
    /// What becomes of a mail that was taken.
    AfterTaking {
        /// It is deleted.
        Delete = "delete",
        /// It stays, and is taken once.
        Keep = "keep",
    }
}

impl Mailbox {
    pub(crate) fn of(entry: MailboxEntry) -> Mailbox {
        let usual = match (entry.protocol, entry.tls) {
            (MailboxProtocol::Imap, MailboxTls::Implicit) => 993,
            (MailboxProtocol::Imap, MailboxTls::StartTls) => 143,
            (MailboxProtocol::Pop3, MailboxTls::Implicit) => 995,
            (MailboxProtocol::Pop3, MailboxTls::StartTls) => 110,
        };
        Mailbox {
            name: entry.name,
            protocol: entry.protocol,
            host: entry.host.0,
            port: entry.port.unwrap_or(usual),
            tls: entry.tls,
            user: entry.user,
            password_file: entry.password_file,
            ca_file: entry.ca_file,
            folder: entry.folder,
            every: entry.every,
            after: entry.after,
            move_to: entry.move_to,
        }
    }

    /// The password. `env` looks up the environment.
    ///
    /// # Errors
    /// When it is not there.
    pub fn password(&self, env: impl Fn(&str) -> Option<OsString>) -> Result<String, SecretError> {
        let name = format!("mailbox_password_{}", self.name.as_str().replace(['-', '.'], "_"));
        let found = secret::read(&name, self.password_file.as_deref(), env)?;
        found.ok_or(SecretError::Absent { name })
    }
}

/// What only shows when the settings of an entry, and the entries, are seen together.
pub(crate) fn check(entries: &[(MailboxEntry, &DeTable<'_>)], problems: &mut Collector<'_>) {
    for (number, (entry, table)) in entries.iter().enumerate() {
        let mut wrong = |key: &str, message: String| {
            let at = table.get(key).or_else(|| table.get("name")).map_or(0..0, Spanned::span);
            problems.add(&at, &format!("mailbox.{key}"), message);
        };
        let name = entry.name.as_str();
        if entries[..number].iter().any(|(earlier, _)| earlier.name == entry.name) {
            wrong("name", format!("two mailboxes are named {name}; names must be unique"));
        }
        if number == MAILBOXES_MAX {
            wrong("name", format!("there are more than {MAILBOXES_MAX} mailboxes; take some away"));
        }
        for (key, text) in
            [("user", Some(&entry.user)), ("folder", Some(&entry.folder)), ("move_to", entry.move_to.as_ref())]
        {
            if text.is_some_and(|text| text.is_empty() || text.chars().any(char::is_control)) {
                wrong(key, format!("mailbox {name}: {key} must not be empty, and must have no line ends"));
            }
        }
        if entry.move_to.is_some() && entry.protocol == MailboxProtocol::Pop3 {
            wrong("move_to", format!("mailbox {name}: POP3 knows no folders; take move_to away"));
        }
    }
}
