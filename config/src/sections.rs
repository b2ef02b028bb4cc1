//! The declarations: every setting of `packetboat.toml`, with its type, default, bounds and sentences.

mod domains;
mod health;
mod mailbox;
mod notice;
mod reports;
mod reputation;
mod route;
mod stream;
mod suppression;
mod webhook;

pub use domains::DomainsSection;

use crate::declare::section;
use crate::rate::Rate;
use crate::setting::choice;
use crate::values::{DnsServer, Label, Name, PoolMember, PublicUrl};
use crate::warmup::{PoolName, WarmupChoice};
use mail::Domain;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use health::HealthSection;
pub(crate) use mailbox::MailboxEntry;
pub use notice::{NoticeMode, NoticeSection};
pub use reports::ReportsSection;
pub use reputation::ReputationSection;
pub(crate) use route::RouteEntry;
pub(crate) use stream::StreamEntry;
pub use suppression::SuppressionSection;
pub use webhook::WebhookSection;

section! {
    /// The host itself.
    pub struct ServerSection in "server" {
        /// Public name of this host: its EHLO name where a source has none of its own, and the name of the
        /// return-path listener. Receivers expect that it resolves to the sending address and back.
        hostname: Domain = "localhost.localdomain";
        /// File of the master key that encrypts the DKIM keys in the database. Made on first start with mode 0600.
        /// Keep a copy apart from the database's backups. Unset: `master.key` in `storage.dir`. The systemd
        /// credential `master_key` or the environment variable PACKETBOAT_MASTER_KEY can stand in for the file.
        master_key_file: Option<PathBuf> = none example "/etc/packetboat/master.key";
        /// Above this much memory of the daemon, new mail is put off (SMTP 452, HTTP 503) until it is less. Delivery
        /// goes on. In MiB.
        memory_max_mb: u32 = 1024 in 64..=1_000_000;
    }
}

section! {
    /// The embedded database.
    pub struct StorageSection in "storage" {
        /// Folder of the database. Only one daemon may use it.
        dir: PathBuf = "/var/lib/packetboat";
        /// Connections that read at the same time.
        readers: u32 = 4 in 1..=64;
        /// Days that the events of single recipients (delivered, deferred, opened …) are kept. Daily sums stay.
        event_retention_days: u32 = 400 in 1..=3650;
        /// Days that a finished recipient of a campaign is kept. The campaign's sums stay.
        finished_retention_days: u32 = 400 in 1..=3650;
        /// Days that a returned mail which could not be assigned to a recipient is kept for reading.
        unmatched_report_days: u32 = 30 in 1..=365;
        /// Days that a text of other servers which no rule knows is kept since it was last seen.
        unknown_text_days: u32 = 90 in 1..=3650;
        /// Days that answers to reply addresses are kept for reading; at most 5,000 of each workspace.
        reply_days: u32 = 90 in 1..=3650;
        /// Days that conversations with other servers are kept (`smtp.conversation`).
        conversation_days: u32 = 30 in 1..=365;
        /// Room for all of them together, in MiB; the oldest go first.
        conversation_mb: u32 = 256 in 1..=100_000;
        /// Below this much free space on the disk new campaigns are not started, imports are refused and new mail is
        /// put off (SMTP 452, HTTP 503) until there is more. Delivery goes on. In MiB.
        min_free_mb: u32 = 500 in 0..=1_000_000;
    }
}

section! {
    /// The console, the API and the pages for recipients. For watchers and load balancers without a key: `/healthz`
    /// answers 200 as long as the daemon lives, `/readyz` 200 while it takes new mail in, and 503 with the reason while it
    /// is short of disk space or memory or stops.
    pub struct HttpSection in "http" {
        /// Address and port to listen on. Put a reverse proxy with TLS before it to be reached from outside.
        listen: SocketAddr = "127.0.0.1:8080";
        /// Where recipients and users reach this daemon: the beginning of every link in a mail. With https the
        /// session cookie is marked Secure. Unset: http:// and the address of `listen`.
        public_url: Option<PublicUrl> = none example "https://mail.example.com";
        /// Days after which a sign-in that was not used is over.
        session_days: u32 = 14 in 1..=365;
        /// Largest file that can be imported, in MiB.
        import_max_mb: u32 = 512 in 1..=10_240;
        /// Largest message that can be sent by the API, its files included, in MiB. Many receivers take no more than
        /// 25 MiB, counted after encoding.
        message_max_mb: u32 = 20 in 1..=100;
    }
}

choice! {
    /// When TLS is used towards other servers.
    TlsMode {
        /// STARTTLS where it is offered, plain text elsewhere; certificates are not judged (RFC 7435).
        Opportunistic = "opportunistic",
        /// No TLS, no mail.
        Required = "required",
        /// Never.
        Off = "off",
    }
}

choice! {
    /// Which conversations with other servers are kept.
    ConversationMode {
        /// Those that did not end with the message being accepted.
        Failures = "failures",
        /// Every one.
        All = "all",
        /// None.
        Off = "off",
    }
}

section! {
    /// Delivery to other servers, and the listener for what comes back.
    pub struct SmtpSection in "smtp" {
        /// Port of the other servers. Anything but 25 is for tests against servers of your own.
        remote_port: u16 = 25 in 1..=65535;
        /// Address and port of the return-path listener, which takes returned mail, complaints, wishes to unsubscribe
        /// and answers to reply addresses, and nothing else. Unset: none; what is returned later is heard only where a
        /// `[[mailbox]]` is read.
        inbound_listen: Option<SocketAddr> = none example "0.0.0.0:25";
        /// First label of the return-path domain: with "bounce" the mail of example.com returns to
        /// bounce.example.com, whose MX is this host.
        return_path_label: Label = "bounce";
        /// Local part at each return-path domain that feedback loops report complaints to: with "fbl" those of
        /// example.com go to fbl@bounce.example.com. Register this address with the providers' feedback loops.
        feedback_local_part: Label = "fbl";
        /// Local part at each return-path domain that DMARC reports come to: with "dmarc" those about example.com go to
        /// dmarc@bounce.example.com, which the DMARC record of example.com names.
        dmarc_local_part: Label = "dmarc";
        /// The same for TLS reports (RFC 8460), named by the return-path domain's record.
        tlsrpt_local_part: Label = "tlsrpt";
        /// Connections to all servers together.
        connections_max: u32 = 500 in 1..=20_000;
        /// Connections from one source to one site (the domains that share their mail servers), where neither the
        /// provider's built-in number nor a `[[shaping]]` says otherwise.
        connections_per_lane: u32 = 10 in 1..=1_000;
        /// Messages sent over one connection before it is closed, where neither the provider's built-in number nor
        /// a `[[shaping]]` says otherwise.
        messages_per_connection: u32 = 100 in 1..=10_000;
        /// Recipients of one submitted message that go in one transaction, where they are at one site and get the same
        /// bytes. 1 gives each a copy and a return path of its own. A `[[shaping]]` may say otherwise.
        recipients_per_message: u32 = 100 in 1..=1_000;
        /// Whether content goes in chunks (BDAT, RFC 3030) where the other server offers it, else with DATA. A
        /// `[[shaping]]` may say otherwise.
        chunking: bool = true;
        /// Waiting recipients that are held in memory, ready to go. More only cost memory.
        ready_max: u32 = 10_000 in 100..=1_000_000;
        /// Time to wait for a connection.
        connect_timeout: Duration = "30s" in "1s"..="5m";
        /// Time to wait for the greeting and for the reply to a command (RFC 5321 §4.5.3.2 wants 5 minutes).
        command_timeout: Duration = "5m" in "1s"..="30m";
        /// Time to wait for the reply to DATA (RFC 5321 §4.5.3.2 wants 2 minutes).
        data_timeout: Duration = "2m" in "1s"..="30m";
        /// Time to wait until the other server takes the next block of the message (RFC 5321 §4.5.3.2 wants
        /// 3 minutes).
        block_timeout: Duration = "3m" in "1s"..="30m";
        /// Time to wait for the reply to the end of the message. Shorter than 10 minutes risks not knowing whether
        /// it was taken (RFC 5321 §4.5.3.2).
        final_dot_timeout: Duration = "10m" in "1s"..="30m";
        /// Time that an unused connection is kept for the next message.
        idle_timeout: Duration = "60s" in "0s"..="10m";
        /// When TLS is used: "opportunistic" where the other server offers it, "required", or "off".
        tls: TlsMode = "opportunistic";
        /// Whether MTA-STS policies of other domains are fetched and obeyed (RFC 8461). With `tls = "off"` nothing is.
        mta_sts: bool = true;
        /// Whether DANE is obeyed (RFC 7672). Needs a resolver in `dns.servers` that hands DNSSEC signatures through:
        /// with one that strips them, mail to every signed domain waits. `packetboat check` tries it.
        dane: bool = false;
        /// Waits before each new attempt at campaign mail; the last one repeats.
        bulk_retry: Vec<Duration> = ["5m", "15m", "30m", "1h", "2h", "4h", "8h"] in "1s"..="24h";
        /// Age at which campaign mail is given up.
        bulk_expiry: Duration = "48h" in "1m"..="14d";
        /// Waits before each new attempt at single mail; the last one repeats.
        transactional_retry: Vec<Duration> = ["1m", "5m", "15m", "30m", "1h", "2h"] in "1s"..="24h";
        /// Age at which single mail is given up.
        transactional_expiry: Duration = "24h" in "1m"..="14d";
        /// Part of each wait that is left to chance, so that what was deferred together does not return together.
        jitter_percent: u32 = 10 in 0..=50;
        /// Which conversations with other servers are kept, without the messages' content: "failures" those that did
        /// not end well, "all", or "off". How long and how many: `storage.conversation_days`, `conversation_mb`.
        conversation: ConversationMode = "failures";
        /// A lane (one source to one site) that has mail waiting and lets none go for so long is reported.
        stall_after: Duration = "15m" in "1m"..="24h";
    }
}

section! {
    /// An address that mail is sent from. Repeat the section for each. Without any there is one source, "default",
    /// that leaves the choice of the address to the system.
    pub(crate) struct SourceEntry in "source" {
        /// Name of the source in pools, console and metrics.
        name: Name = required example "mx1";
        /// An address of this host. Unset: the system chooses.
        ip: Option<IpAddr> = none example "198.51.100.7";
        /// Name said in EHLO; must resolve to `ip`, and `ip` back to it. Unset: `server.hostname`.
        ehlo: Option<Domain> = none example "mx1.example.com";
        /// Whether mail may leave from it.
        enabled: bool = true;
        /// Messages that leave from it at most, over all receivers: a second ("20/s"), a minute ("600/m") or an hour
        /// ("5000/h"). What is more waits, or leaves from other sources of its pool. Unset: as many as can be.
        max_rate: Option<Rate> = none example "5000/h";
        /// The plan by which a new address earns its volume, provider by provider: "standard", "gradual", or one of
        /// your own. Unset: it is warm, and sends as much as there is.
        warmup: Option<Name> = none example "standard";
        /// Other plans at single providers; "none" where it is warm already, such as
        /// [{ provider = "Google", plan = "gradual" }, { provider = "GMX", plan = "none" }].
        warmup_providers: Vec<WarmupChoice> = [];
    }
}

section! {
    /// Sources that share the mail of a stream, by weight. Repeat the section for each. Without any there is one
    /// pool, "default", of all sources. Campaigns use the pool "default", or the first one where none has that name.
    pub(crate) struct PoolEntry in "pool" {
        /// Name of the pool.
        name: Name = required example "default";
        /// Its sources and their shares.
        sources: Vec<PoolMember> = required example [{ source = "mx1", weight = 1 }];
        /// The pool that takes what these sources may not send for now, since a provider refuses them or their
        /// warm-up allows no more today. Without one it waits.
        overflow: PoolName = "";
    }
}

section! {
    /// Questions to the DNS.
    pub struct DnsSection in "dns" {
        /// Servers to ask, with or without port. Empty: those of the system (/etc/resolv.conf). A caching resolver
        /// on this host is best: blocklists and mail providers refuse the large public ones.
        servers: Vec<DnsServer> = [];
        /// Time to wait for an answer.
        timeout: Duration = "5s" in "100ms"..="60s";
        /// Attempts per question.
        attempts: u32 = 2 in 1..=10;
        /// Answers kept in memory.
        cache_entries: u32 = 20_000 in 0..=1_000_000;
    }
}

choice! {
    /// How much is logged.
    LogLevel {
        /// Only what a person should look at.
        Error = "error",
        /// And what is odd.
        Warn = "warn",
        /// And the life of the service.
        Info = "info",
        /// And every message.
        Debug = "debug",
        /// And every line of every session.
        Trace = "trace",
    }
}

choice! {
    /// The form of log lines.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
}

section! {
    /// The log, written to standard error. Addresses and content of mail are never logged.
    pub struct LogSection in "log" {
        /// How much: "info" is the life of the service, "debug" every message.
        level: LogLevel = "info";
        /// Text for people or JSON for machines.
        format: LogFormat = "text";
    }
}

impl HttpSection {
    /// The beginning of every link, without slash at the end.
    #[must_use]
    pub fn base_url(&self) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(self.listen))
    }

    /// Whether cookies are marked Secure: when users come by HTTPS.
    #[must_use]
    pub fn secure_cookies(&self) -> bool {
        self.base_url().is_https()
    }
}
