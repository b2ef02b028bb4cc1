//! `packetboat.toml` as checked values.
//!
//! Each setting is declared once, in `sections`; parsing, error texts, the example file and the reference page come
//! from that declaration. Loading validates and does nothing else: no DNS, no files but the one named. All mistakes
//! of a file are reported at once, each with line, column, key and what is allowed.

mod bounce_rule;
mod check;
mod declare;
mod document;
mod inline;
mod mailbox;
mod problem;
mod rate;
mod read;
mod route;
pub mod secret;
mod sections;
mod setting;
mod shaping;
mod stream;
mod submission;
mod suggest;
mod values;
mod warmup;

pub use bounce_rule::BounceRuleEntry;
pub use check::{Config, Pool, Source, load, parse};
pub use document::{example, reference};
pub use mailbox::{AfterTaking, Mailbox, MailboxProtocol, MailboxTls};
pub use problem::{Place, Problem, Problems};
pub use rate::Rate;
pub use route::{DomainPattern, Route, RouteHost, RouteTls};
pub use sections::{
    ConversationMode, DnsSection, DomainsSection, HealthSection, HttpSection, LogFormat, LogLevel, LogSection,
    NoticeMode, NoticeSection, ReportsSection, ReputationSection, ServerSection, SmtpSection, StorageSection, TlsMode,
};
pub use shaping::{ShapingEntry, Signatures, TlsNeed};
pub use stream::{Stream, Streams};
pub use submission::{Network, SubmissionSection};
pub use values::{DnsServer, Label, Name, PoolMember, PublicUrl};
pub use warmup::{WarmupChoice, WarmupPlan};
