//! Recipients on their way: the state machine, one function per transition, each in one transaction of queue.db.
//!
//! ```text
//! enqueue ──> queued ──take_due──> claimed ──mark──> sending ──settle──> final (recipient_done)
//!               ^ <────give_back──────┴── give_back, defer ──┘
//!               └──act──> held
//! ```
//! Claimed recipients go back at a start (`recover`), since nothing of their message was sent. Bulk recipients that
//! were `sending` become `unknown`: their final dot may have gone out. Every transition writes its tallies and its
//! event in the same commit.

mod act;
mod census;
mod claim;
mod enqueue;
mod finish;
mod ledger;
mod live_filter;
mod mark;
mod origin;
mod read;
mod refused;
mod report;
mod settle;
#[cfg(test)]
mod tests;
mod waits;

use crate::{AddressHash, RecipientId, WorkspaceId};
use mail::{BounceClass, EnhancedStatus, Reply, StreamKind, WaitReason};
use std::sync::Arc;

pub use act::{Acted, Action, Order, act};
pub use census::{AGE_BOUNDS_MS, AGES, Ages, Census, DomainFigures, Figures, census};
pub use claim::{Due, Taken, Turn, take_due};
pub use enqueue::{NewRecipient, enqueue};
pub use finish::{Recovered, Walked, cancel, expire, forget, overdue, recover};
pub use ledger::{Ledger, ledger};
pub use live_filter::LiveFilter;
pub use mark::{MarkRequest, Marked, mark_sending};
pub use origin::Origin;
pub(crate) use read::{DONE_COLUMNS, LIVE_COLUMNS, read as read_recipient};
pub use read::{LogFilter, Matching, Recipient, campaign_log, count_live, find, live_page};
pub use refused::refused;
#[cfg(test)]
pub(crate) use refused::refused_statement;
pub use report::{Report, ReportKind, ReportMatch, settle_report};
pub use settle::{
    Deferral, DeferralKind, Ending, GiveBack, LEFT_LIST, LEFT_STREAM, Settlement, defer, give_back, settle,
};
pub use waits::{Waited, waits};

/// A recipient that the scheduler has taken: everything that the way to the wire needs, without another query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Id.
    pub id: RecipientId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Where its content comes from.
    pub origin: Origin,
    /// The address.
    pub address: mail::Address,
    /// Its suppression key.
    pub address_hash: AddressHash,
    /// The operator's name for this kind of mail.
    pub stream: String,
    /// Which of the two kinds it is.
    pub kind: StreamKind,
    /// The pool of egress sources.
    pub pool: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_ms: i64,
    /// When it is given up.
    pub expires_ms: i64,
    /// The source of the last attempt: a retry keeps to it.
    pub source: Option<String>,
    /// What the submitter wants to be told (RFC 3461 §4.1): the words of NOTIFY.
    pub dsn_notify: Option<String>,
    /// The address as the submitter knows it (RFC 3461 §4.2): the value of ORCPT.
    pub dsn_orcpt: Option<String>,
}

/// Over which way an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Egress source.
    pub source: Arc<str>,
    /// Site.
    pub site: Arc<str>,
    /// Provider.
    pub provider: Arc<str>,
    /// The host that answered, or should have.
    pub mx: Arc<str>,
    /// TLS version, where there was TLS.
    pub tls: Option<&'static str>,
    /// The host took over to report what becomes of the message (DSN, RFC 3461).
    pub reports: bool,
    /// How long the attempt took.
    pub took_ms: u32,
}

/// What came of an attempt, in the server's words or ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it means; `None` for yes.
    pub class: Option<BounceClass>,
    /// The reply's code, where there was a reply.
    pub code: Option<u16>,
    /// The reply's enhanced status, where it had one.
    pub enhanced: Option<EnhancedStatus>,
    /// The reply's text, or what happened instead.
    pub text: String,
}

impl Answer {
    /// A server's reply.
    #[must_use]
    pub fn of_reply(reply: &Reply, class: Option<BounceClass>) -> Answer {
        Answer { class, code: Some(reply.code), enhanced: reply.enhanced, text: reply.text.clone() }
    }

    /// What happened instead of a reply.
    #[must_use]
    pub fn of_trouble(class: BounceClass, text: impl Into<String>) -> Answer {
        Answer { class: Some(class), code: None, enhanced: None, text: text.into() }
    }

    fn enhanced_text(&self) -> Option<String> {
        self.enhanced.map(|status| status.to_string())
    }
}

/// How a wait is told to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Why.
    pub reason: WaitReason,
    /// Until when.
    pub due_ms: i64,
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    [
        act::STATEMENTS,
        census::STATEMENTS,
        claim::STATEMENTS,
        enqueue::STATEMENTS,
        finish::STATEMENTS,
        ledger::STATEMENTS,
        mark::STATEMENTS,
        read::STATEMENTS,
        report::STATEMENTS,
        settle::STATEMENTS,
        waits::STATEMENTS,
    ]
    .concat()
}
