//! The one room with SQL: schema, migrations, typed rows, transactions, the group-commit writers.
//!
//! Three files: `main.db` (people and settings), `queue.db` (recipients and what is decided with them in one commit),
//! `events.db` (what happened). Each has one writer thread; all readers come from one pool whose connections have the
//! other two files attached. Table names are unique over the files, so a statement reads the same on both sides.
//!
//! One module per noun: statement, row type, function, side by side; the first argument is the connection or
//! transaction, so that callers compose transactions.

pub mod api_key;
pub mod auth_failure;
pub mod automation;
pub mod bounces;
pub mod campaign;
pub mod campaign_run;
pub mod complaint;
pub mod contact;
pub mod conversation;
pub mod credential;
pub mod dmarc_report;
pub mod domain;
mod error;
pub mod event;
pub mod feedback;
pub mod field;
pub mod filter;
mod functions;
mod hash;
pub mod hygiene;
pub mod idempotency;
mod ids;
pub mod import;
pub mod job;
pub mod journey;
pub mod journey_run;
pub mod list;
pub mod listing;
pub mod mailbox;
pub mod message;
pub mod meta;
pub mod notice;
mod open;
pub mod outbox;
pub mod pause;
mod pragmas;
pub mod preference;
pub mod preference_centre;
pub mod queue;
pub mod reply;
pub mod reply_address;
pub mod report_alarm;
pub mod report_day;
pub mod reputation;
pub mod response;
mod schema;
pub mod segment;
pub mod sent_to;
pub mod session;
pub mod soft_bounce;
pub mod source_check;
pub mod standing;
#[cfg(test)]
mod statements;
pub mod stream_leave;
pub mod suppression;
pub mod tag;
pub mod tally;
pub mod template;
pub mod tls;
pub mod tls_report;
pub mod unknown_text;
pub mod unmatched_report;
pub mod unsubscribe;
pub mod user;
pub mod warmup;
pub mod webhook;
mod words;
pub mod workspace;
mod writer;

pub use error::StorageError;
pub use hash::{AddressHash, address_hash, address_hash_of_word, address_hash_word, request_hash, secret_hash};
pub use ids::{
    ApiKeyId, AutomationId, CampaignId, ContactId, CredentialId, DkimKeyId, DomainId, ImportId, JobId, JourneyId,
    ListId, MessageId, PauseId, RecipientId, ReplyAddressId, ReplyId, RunId, SegmentId, SuppressionId, TemplateId,
    TemplateVersionId, UserId, WebhookId, WorkspaceId,
};
pub use open::{OpenOptions, Storage, in_use};
pub use rusqlite::{Connection, Transaction};
pub use writer::Writer;
